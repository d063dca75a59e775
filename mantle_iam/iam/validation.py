"""What AWS would refuse to store, although evaluation would tolerate it.

Writing a policy is stricter than evaluating one: a bad address, date or ARN literal makes ``PutUserPolicy`` fail and passes in
a session policy (recorded).  Reports; changes nothing, decides no request.  Sizes are counted as the quotas count them.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html, .../reference_iam-quotas.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html,
.../orgs_manage_policies_rcps_syntax.html, .../orgs_manage_policies_scps_syntax.html
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from mantle_iam.iam import values
from mantle_iam.iam.conditions import read_operator
from mantle_iam.iam.grammar import VERSIONS, policy_json
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Problem, Statement
from mantle_iam.iam.request import PolicyType
from mantle_iam.iam.services import RCP_SERVICES


class StoredAs(StrEnum):
    """Where a document is to be stored; the sizes differ."""

    MANAGED = "managed"
    USER_INLINE = "user-inline"
    GROUP_INLINE = "group-inline"
    ROLE_INLINE = "role-inline"
    SESSION = "session"
    SCP = "scp"
    RCP = "rcp"


MAX_CHARACTERS: dict[StoredAs, int] = {
    # Inline limits hold for the sum of all inline policies of the entity.
    StoredAs.MANAGED: 6144,
    StoredAs.USER_INLINE: 2048,
    StoredAs.GROUP_INLINE: 5120,
    StoredAs.ROLE_INLINE: 10240,
    StoredAs.SESSION: 2048,
    StoredAs.SCP: 5120,
    StoredAs.RCP: 5120,
}

_WITH_PRINCIPAL = (PolicyType.RESOURCE, PolicyType.VPC_ENDPOINT, PolicyType.RCP)


def policy_size(document: PolicyDocument) -> int:
    """Characters without white space, as IAM counts them; Organizations counts the white space that is stored as well."""
    return len(policy_json(document, None))


def policy_problems(
    document: PolicyDocument, policy_type: PolicyType = PolicyType.IDENTITY, stored_as: StoredAs | None = None
) -> tuple[Problem, ...]:
    """Everything for which AWS would refuse to store ``document`` as a policy of this type.

    What the reader of the document reported comes first.  Pointers are those of the canonical form (``Statement`` a list).
    """
    return (*document.problems, *_document_problems(document, policy_type, stored_as))


def _document_problems(
    document: PolicyDocument, policy_type: PolicyType, stored_as: StoredAs | None
) -> Iterator[Problem]:
    if document.version not in (None, *VERSIONS) and not any(
        known.pointer == "/Version" for known in document.problems
    ):
        yield Problem("/Version", f"`{document.version}` is not a version of the policy language")
    if not document.statements:
        yield Problem("/Statement", "a policy needs at least one statement")
    sids: set[str] = set()
    for index, statement in enumerate(document.statements):
        at = f"/Statement/{index}"
        if statement.sid in sids:
            yield Problem(f"{at}/Sid", f"the Sid `{statement.sid}` occurs twice in the document")
        sids.add(statement.sid or f"\0{index}")
        yield from _statement_problems(statement, at, policy_type, document.version == VERSIONS[0])
    text = policy_json(document, None)
    plain = text.isascii() and text.isprintable()
    strange = None if plain else next((char for char in text if not ("\x20" <= char <= "\xff")), None)
    if strange is not None:
        yield Problem("", f"the character U+{ord(strange):04X} is beyond U+00FF, which policies cannot hold")
    if stored_as is not None and len(text) > MAX_CHARACTERS[stored_as]:
        limit = MAX_CHARACTERS[stored_as]
        yield Problem("", f"{len(text)} characters without white space; {stored_as.value} policies take {limit}")


def _statement_problems(statement: Statement, at: str, policy_type: PolicyType, variables: bool) -> Iterator[Problem]:
    yield from _element_problems(statement, at, policy_type)
    for name, patterns in (("Action", statement.actions), ("NotAction", statement.not_actions)):
        for index, pattern in enumerate(patterns):
            yield from _action_problems(pattern, f"{at}/{name}/{index}")
    for name, patterns in (("Resource", statement.resources), ("NotResource", statement.not_resources)):
        for index, pattern in enumerate(patterns):
            yield from _resource_problems(pattern, f"{at}/{name}/{index}", variables)
    for condition in statement.conditions:
        yield from condition_problems(condition, at)
    if policy_type is PolicyType.RCP:
        yield from _rcp_problems(statement, at)
    if statement.not_principals is not None:
        yield from _not_principal_problems(statement.not_principals, statement.effect, at)


def _element_problems(statement: Statement, at: str, policy_type: PolicyType) -> Iterator[Problem]:
    """Elements that this kind of policy needs, or cannot have."""
    kind, sid = policy_type.value, statement.sid or ""
    if policy_type is not PolicyType.RESOURCE and sid and not (sid.isascii() and sid.isalnum()):
        yield Problem(f"{at}/Sid", f"the Sid `{sid}` has other characters than A-Z, a-z and 0-9")
    named = statement.principals or statement.not_principals
    if policy_type in _WITH_PRINCIPAL and named is None:
        yield Problem(at, f"a statement of a {kind} policy needs `Principal`")
    elif policy_type not in _WITH_PRINCIPAL and named is not None:
        yield Problem(f"{at}/Principal", f"a statement of this kind of policy ({kind}) cannot have `Principal`")
    if policy_type is not PolicyType.RESOURCE and not (statement.resources or statement.not_resources):
        yield Problem(at, "a statement needs `Resource` or `NotResource`")


def _action_problems(pattern: str, at: str) -> Iterator[Problem]:
    service, colon, name = pattern.partition(":")
    if pattern == "*":
        return
    if not (colon and service and name):
        yield Problem(at, f"`{pattern}` is not an action: it reads service:Name")
    elif not (service.isalnum() or all(char.isalnum() or char in "-*?" for char in service)):
        yield Problem(at, f"`{service}` cannot be a service prefix")
    elif pattern.split() != [pattern]:
        yield Problem(at, f"`{pattern}` has white space in it")


def _resource_problems(pattern: str, at: str, variables: bool) -> Iterator[Problem]:
    if pattern == "*" or (variables and pattern.startswith("${")):
        return
    fields = pattern.split(":", 5)
    if fields[0] not in ("arn", "*") or (len(fields) < 6 and "*" not in fields[-1]):
        yield Problem(at, f"`{pattern}` is neither an ARN nor `*`")
    elif len(fields) > 2 and "${" in ":".join(fields[:5]):
        yield Problem(at, "a policy variable can only stand after the fifth colon of an ARN")


def condition_problems(condition: Condition, at: str) -> Iterator[Problem]:
    """What is wrong with one condition of the statement whose pointer is ``at``."""
    pointer = f"{at}/Condition/{condition.operator}/{condition.key.replace('~', '~0').replace('/', '~1')}"
    form = read_operator(condition.operator)
    if form is None:
        yield Problem(pointer, f"`{condition.operator}` is not a condition operator")
        return
    name = "Null" if form.operator is None else form.operator.name
    for value in condition.values:
        wrong = _literal_problem(name, value)
        if wrong is not None:
            yield Problem(pointer, f"`{value}` is not {wrong}, which {condition.operator} takes")


def _literal_problem(operator: str, value: str) -> str | None:
    """What ``value`` should have been, when it is not."""
    if operator in ("Bool", "Null"):
        return None if value.lower() in ("true", "false") or "${" in value else "true or false"
    if operator.startswith("Numeric"):
        return None if values.read_number(value) is not None else "a number"
    if operator.startswith("Date"):
        return None if values.read_date(value) is not None else "a date (ISO 8601, or seconds since 1970)"
    if operator.endswith("IpAddress"):
        return None if values.read_network(value) is not None else "an address or network in CIDR form"
    if operator.startswith("Arn") and "${" not in value and value != "*":
        fields = value.split(":", 5)
        return None if len(fields) == 6 and fields[0] in ("arn", "*") else "an ARN"
    return None


def _rcp_problems(statement: Statement, at: str) -> Iterator[Problem]:
    """Customers' resource control policies deny, for everybody, actions of the services that support them."""
    if statement.effect is Effect.ALLOW:
        yield Problem(f"{at}/Effect", "a resource control policy of your own can only deny; RCPFullAWSAccess allows")
    if statement.principals is not None and statement.principals.by_type != (("AWS", ("*",)),):
        yield Problem(f"{at}/Principal", "a resource control policy takes only `*` as `Principal`")
    if statement.not_actions:
        yield Problem(f"{at}/NotAction", "a resource control policy cannot have `NotAction`")
    for index, pattern in enumerate(statement.actions):
        service = pattern.partition(":")[0].lower()
        if service not in RCP_SERVICES:
            yield Problem(
                f"{at}/Action/{index}",
                f"`{pattern}` is not an action of a service that supports resource control policies",
            )


def _not_principal_problems(principals: Principals, effect: Effect, at: str) -> Iterator[Problem]:
    if effect is Effect.ALLOW:
        yield Problem(f"{at}/NotPrincipal", "`NotPrincipal` with Allow is not supported")
    identifiers = {identifier for kind, many in principals.by_type if kind == "AWS" for identifier in many}
    for identifier in sorted(identifiers):
        fields = values.read_arn(identifier)
        if fields is not None and fields[5] != "root":
            account = fields[4]
            if account not in identifiers and f"arn:{fields[1]}:iam::{account}:root" not in identifiers:
                message = f"`NotPrincipal` names `{identifier}` without its account, which may deny it all the same"
                yield Problem(f"{at}/NotPrincipal", message)
