"""Rules about a document as such: whether AWS would store it, its size, its version, whom a trust policy trusts.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html, .../reference_iam-quotas.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-managed-agents-openai-security.html
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import EVERY, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import ConditionView, Pattern, View, listed
from mantle_iam.iam.conditions import OPERATORS
from mantle_iam.iam.grammar import VERSIONS
from mantle_iam.iam.inventory import UNRESOLVED, UNRESOLVED_KEY, Purpose
from mantle_iam.iam.policy import Effect, Principals, Problem, Statement
from mantle_iam.iam.request import PolicyType
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_problems, policy_size
from mantle_iam.mantle import catalog
from mantle_iam.mantle.overlay import SERVICE_PRINCIPAL
from mantle_iam.mantle.sources import AGENTS_SECURITY

_LONGEST_NAME: Final = 128
_OPERATORS: Final = ("Null", *(f"{each.name}{end}" for each in OPERATORS for end in ("", "IfExists")))
_QUOTAS: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
_TYPES: Final = {
    Purpose.IDENTITY: PolicyType.IDENTITY,
    Purpose.BOUNDARY: PolicyType.PERMISSIONS_BOUNDARY,
    Purpose.SESSION: PolicyType.SESSION,
    Purpose.SCP: PolicyType.SCP,
    Purpose.RCP: PolicyType.RCP,
    Purpose.VPC_ENDPOINT: PolicyType.VPC_ENDPOINT,
    Purpose.RESOURCE: PolicyType.RESOURCE,
    Purpose.TRUST: PolicyType.RESOURCE,
}

GRAMMAR: Final = Rule(
    id="policy-grammar",
    title="What AWS would refuse to store",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=EVERY,
    what="Checks the document against the grammar of policies of its kind: unknown and repeated elements, operators, "
    "literals, ARNs, Sids, `Principal` where there can be none.",
    why="IAM refuses such a document when it is written, or worse, keeps it with another meaning: of two elements of "
    "one name the last one counts.",
    bad='"Condition": {"StringEqual": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}',
    instead='"Condition": {"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html",
    own=True,
)


def grammar(view: View) -> Iterator[Hit]:
    """Problems that reading and validation report."""
    if view.purpose is Purpose.RCP and _is_full_access(view):
        return
    problems = policy_problems(view.policy.document, _TYPES[view.purpose])
    statements = view.statements if problems else ()
    elements: dict[str, Pattern | ConditionView] = {}
    for statement in statements:
        elements.update((each.pointer, each) for each in statement.patterns)
        elements.update((each.pointer, each) for each in statement.conditions)
    for problem in problems:
        element = elements.get(problem.pointer)
        # Of Mantle in a resource control policy `resource-control-policy-names-mantle` speaks.
        said = view.purpose is Purpose.RCP and isinstance(element, Pattern) and element.ours
        if UNRESOLVED_KEY in problem.message or said or _unresolved(view, problem):
            continue
        meant = _meant(element) if element else None
        remedy = f"write `{meant}`" if meant else ""
        yield Hit(one_line(problem.message, 400), problem.pointer, _statement(view, problem.pointer), remedy)


def _is_full_access(view: View) -> bool:
    """Whether it is `RCPFullAWSAccess`, the one resource control policy that allows; AWS attaches it."""
    one = view.policy.document.statements[:2]
    return len(one) == 1 and one[0] == Statement(
        Effect.ALLOW, ("*",), resources=("*",), principals=Principals((("AWS", ("*",)),)), sid=one[0].sid
    )


def _meant(element: Pattern | ConditionView) -> str | None:
    """An action that was written without its service or with white space, an operator that is misspelt: as it should be."""
    if isinstance(element, ConditionView):
        written = element.condition.operator[:_LONGEST_NAME] if element.form is None else ""
        return next(iter(get_close_matches(written, _OPERATORS, n=1, cutoff=0.8)), None)
    if len(element.text) >= _LONGEST_NAME:
        return None
    known = catalog.known_action(element.text)
    return catalog.nearest_action(element.text) if ":" not in element.text else known.name if known else None


def _unresolved(view: View, problem: Problem) -> bool:
    return any(
        pointer == problem.pointer
        or pointer.startswith(problem.pointer + "/")
        or problem.pointer.startswith(pointer + "/")
        for pointer in map(listed, view.policy.unresolved)
    )


def _statement(view: View, pointer: str) -> int | None:
    parts = pointer.split("/")
    if len(parts) < 2 or parts[1] != "Statement":
        return None
    index = int(parts[2]) if len(parts) > 2 and parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 9 else 0
    return index if index < len(view.statements) else None


SIZE: Final = Rule(
    id="policy-too-large",
    title="A document beyond AWS's limit",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=(Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.SCP, Purpose.RCP),
    what="Counts characters without white space: 6,144 for a managed policy (10,240 for all inline policies of a role,"
    " where it is only mentioned), 2,048 for a session policy, 5,120 for control policies.",
    why="AWS refuses to store it. Organizations counts the white space that is stored, too, so that a control policy "
    "below the limit by this count may still be too large with its line breaks.",
    bad="a list of 200 ARNs of projects",
    instead="patterns, tags (`aws:ResourceTag`), or several policies: `mantle-iam generate` splits what is too large",
    reference=_QUOTAS,
    own=True,
)
_STORED: Final = {
    Purpose.IDENTITY: StoredAs.MANAGED,
    Purpose.BOUNDARY: StoredAs.MANAGED,
    Purpose.SESSION: StoredAs.SESSION,
    Purpose.SCP: StoredAs.SCP,
    Purpose.RCP: StoredAs.RCP,
}


def limit_of(purpose: Purpose) -> int | None:
    """Characters, without white space, that AWS stores of such a document; ``None`` where the rule does not ask."""
    stored = _STORED.get(purpose)
    return None if stored is None else MAX_CHARACTERS[stored]


def size(view: View) -> Iterator[Hit]:
    """Documents that are too large for their kind."""
    if not view.resolved:
        return
    stored = _STORED[view.purpose]
    count, limit = policy_size(view.policy.document), MAX_CHARACTERS[stored]
    if count <= limit:
        return
    inline = MAX_CHARACTERS[StoredAs.ROLE_INLINE]
    fits = view.purpose is Purpose.IDENTITY and count <= inline
    yield Hit(
        f"{count} characters without white space, and {stored} policies take {limit}"
        + (f"; only a role's inline policy takes {inline}" if fits else ""),
        remedy="use patterns or tags instead of lists, or split it",
        severity=Severity.INFO if fits else None,
    )


VERSION: Final = Rule(
    id="variables-without-version",
    title="Policy variables in a document of the old version",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=EVERY,
    what='Finds `${…}` in resources and condition values of a document whose `Version` is not "2012-10-17".',
    why='Without `"Version": "2012-10-17"` IAM reads the document as of 2008, which knows no variables: '
    "`${aws:PrincipalTag/team}` is then that very text, and nothing matches it.",
    bad='"Statement": [… "${aws:PrincipalTag/team}" …] without `Version`',
    instead='"Version": "2012-10-17"',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html",
)


def version(view: View) -> Iterator[Hit]:
    """Variables that stay text."""
    if view.policy.document.version == VERSIONS[0]:
        return
    for each in view.known:
        statement = each.statement
        values = [value for condition in statement.conditions for value in condition.values]
        found = next(
            (value for value in (*statement.resources, *statement.not_resources, *values) if _variable(value)), None
        )
        if found is not None:
            yield Hit(
                f"`{one_line(found)}` is taken literally: the document has no `Version` of {VERSIONS[0]}",
                each.pointer,
                each.index,
                f'add "Version": "{VERSIONS[0]}"',
            )


def _variable(text: str) -> bool:
    _, mark, rest = text.partition("${")
    # `${*}`, `${?}` and `${$}` are escapes; they stay text as well, but nobody writes them for a variable.
    return bool(mark) and "}" in rest and UNRESOLVED not in text and ":" in rest.partition("}")[0]


TRUST: Final = Rule(
    id="trust-without-source",
    title="A role that trusts Mantle for every account",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(Purpose.TRUST,),
    what=f"Finds trust policies that let `{SERVICE_PRINCIPAL}` assume the role without `aws:SourceAccount`, an "
    "organization, or an `aws:SourceArn` that names an account.",
    why="Without them the service may be made to use the role on behalf of somebody else's account (the confused "
    "deputy). AWS's documentation of Managed Agents has both conditions.",
    bad=f'"Principal": {{"Service": "{SERVICE_PRINCIPAL}"}}, "Action": "sts:AssumeRole"',
    instead='the same with "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}, '
    '"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-mantle:*:111122223333:*"}}',
    reference=AGENTS_SECURITY,
)
_SOURCES: Final = ("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths")
_ACCOUNT_FIELD: Final = 4


def trust(view: View) -> Iterator[Hit]:
    """Trust in the service without a source."""
    for each in view.known:
        principals = each.statement.principals
        if not each.allow or principals is None:
            continue
        named = any(
            kind == "Service" and SERVICE_PRINCIPAL in (one.lower() for one in many)
            for kind, many in principals.by_type
        )
        if named and not any(map(_binds, each.conditions)):
            yield Hit(
                f"`{SERVICE_PRINCIPAL}` may assume the role on behalf of any account",
                each.pointer,
                each.index,
                'add "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}, with your own account',
            )


def _binds(condition: ConditionView) -> bool:
    """Whether a condition limits the source to an account or an organization."""
    if condition.key not in _SOURCES or not condition.needs_key or condition.operator == "Null":
        return False
    values = condition.condition.values
    if condition.key == "aws:sourcearn":
        values = tuple([*each.split(":"), *[""] * _ACCOUNT_FIELD][_ACCOUNT_FIELD] for each in values)
    return all(each.strip("*?") for each in values)


FORM: Final = (DocumentRule(GRAMMAR, grammar), DocumentRule(VERSION, version), DocumentRule(SIZE, size))
"""Those about how it is written, and not about what it says."""
RULES: Final = (*FORM, DocumentRule(TRUST, trust))
