"""Rules about a document as such: whether AWS would store it, its size, its version, whom a trust policy trusts.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html, .../reference_iam-quotas.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-managed-agents-openai-security.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import EVERY, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import View, listed, names_service
from mantle_iam.iam.grammar import VERSIONS
from mantle_iam.iam.inventory import UNRESOLVED, UNRESOLVED_KEY, Purpose
from mantle_iam.iam.policy import Problem
from mantle_iam.iam.request import PolicyType
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_problems, policy_size
from mantle_iam.mantle.overlay import SERVICE_PRINCIPAL
from mantle_iam.mantle.sources import AGENTS_SECURITY

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
)


def grammar(view: View) -> Iterator[Hit]:
    """Problems that reading and validation report."""
    for problem in policy_problems(view.policy.document, _TYPES[view.purpose]):
        if (
            UNRESOLVED_KEY in problem.message
            or _unresolved(view, problem)
            or (view.purpose is Purpose.RCP and _said_by_another(view, problem))
        ):
            continue
        yield Hit(one_line(problem.message, 400), problem.pointer, _statement(view, problem.pointer))


def _unresolved(view: View, problem: Problem) -> bool:
    return any(
        pointer == problem.pointer
        or pointer.startswith(problem.pointer + "/")
        or problem.pointer.startswith(pointer + "/")
        for pointer in map(listed, view.policy.unresolved)
    )


def _said_by_another(view: View, problem: Problem) -> bool:
    """Whether ``resource-control-policy-names-mantle`` says it already."""
    return any(
        pattern.pointer == problem.pointer and names_service(pattern.text)
        for statement in view.statements
        for pattern in statement.patterns
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
    what=f"Finds trust policies that let `{SERVICE_PRINCIPAL}` assume the role without `aws:SourceAccount` or `aws:SourceArn`.",
    why="Without them the service may be made to use the role on behalf of somebody else's account (the confused "
    "deputy). AWS's documentation of Managed Agents has both conditions.",
    bad=f'"Principal": {{"Service": "{SERVICE_PRINCIPAL}"}}, "Action": "sts:AssumeRole"',
    instead='the same with "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}, '
    '"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-mantle:*:111122223333:*"}}',
    reference=AGENTS_SECURITY,
)
_SOURCES: Final = ("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths")


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
        if named and not any(condition.key in _SOURCES and condition.needs_key for condition in each.conditions):
            yield Hit(
                f"`{SERVICE_PRINCIPAL}` may assume the role on behalf of any account",
                each.pointer,
                each.index,
                "add conditions on `aws:SourceAccount` and `aws:SourceArn`",
            )


RULES: Final = (
    DocumentRule(GRAMMAR, grammar),
    DocumentRule(VERSION, version),
    DocumentRule(SIZE, size),
    DocumentRule(TRUST, trust),
)
