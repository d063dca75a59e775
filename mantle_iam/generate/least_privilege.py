"""Permissions to the smallest policy document that grants them, proven with ``evaluate()``.

Actions with the same resources and conditions share a statement; values of a condition are joined where that grants exactly
the same.  Sorted throughout, Sids from the content: the same wishes give the same text, whatever their order.
Knows no purpose and no format.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterable
from dataclasses import dataclass, field

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.grants import Conditions, Grant, grant_covers, grants_of, independent, join_values
from mantle_iam.generate.proof import Proof, prove
from mantle_iam.iam.compare import Inclusion, allows_no_more
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.mantle.operations import Permission, Source

_MOST_COMPARED = 200
"""Grants that are compared with all others; with more, overlaps that are not seen two at a time are refused."""


@dataclass(frozen=True, slots=True)
class LeastPrivilegePolicy:
    """A finished document and which permission caused which statement (index into ``document.statements``)."""

    document: PolicyDocument
    causes: tuple[tuple[int, Permission], ...]
    notes: tuple[str, ...] = ()
    """What could not be scoped and why; what is an inference."""
    proof: Proof = field(default_factory=lambda: Proof(0, 0))
    """It always holds: a document that cannot be proven is not made."""


def least_privilege(permissions: tuple[Permission, ...]) -> LeastPrivilegePolicy:
    """The smallest identity policy that allows ``permissions`` and, proven, nothing less will do.

    Deterministic: sorted actions, Sids derived from the content.

    Raises:
        InputError: ``permissions`` is empty, or conditions cannot be written or fulfilled.
        UndeterminedError: the document could not be proven; nothing is offered then.
    """
    if not permissions:
        raise InputError("no permission is asked for", help="name a purpose or an action")
    for permission in permissions:
        _check(permission)
    grants = independent(grant for permission in permissions for grant in grants_of(permission))
    document = document_of(grants)
    proof = prove(document, permissions)
    if proof.superfluous and not proof.insufficient and len(grants) <= _MOST_COMPARED:
        document = document_of(_needed(grants))
        proof = prove(document, permissions)
    if not proof.holds:
        more = f" and {len(proof.failures) - 1} more" if len(proof.failures) > 1 else ""
        raise UndeterminedError(
            f"the policy could not be proven to be the least: it {proof.failures[0]}{more}",
            help="ask for permissions whose patterns and conditions do not overlap",
        )
    return LeastPrivilegePolicy(document, _causes(document, permissions), _notes(permissions), proof)


def _needed(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """The grants without those that the others allow together, which comparing two at a time does not see."""
    kept = list(grants)
    for grant in grants:
        others = [one for one in kept if one is not grant]
        if others and allows_no_more((document_of([grant]),), (document_of(others),)).result is Inclusion.HOLDS:
            kept = others
    return tuple(kept)


def document_of(grants: Iterable[Grant]) -> PolicyDocument:
    """``independent`` grants in as few statements as grant exactly the same; not proven."""
    return PolicyDocument(statements=_with_sids(_statements(grants)))


def _check(permission: Permission) -> None:
    service, colon, name = permission.action.partition(":")
    if not (colon and service and name):
        raise InputError(
            f"`{permission.action}` is not an action",
            help="an action reads service:Name, as in bedrock-mantle:ListModels",
        )
    if not permission.resource:
        raise InputError(f"no resource is given for `{permission.action}`", help="give an ARN or *")


def _statements(grants: Iterable[Grant]) -> list[Statement]:
    """Grants, joined: values first, then resources, then actions."""
    alternatives: dict[tuple[str, str], list[Conditions]] = {}
    for grant in grants:
        alternatives.setdefault((grant.action, grant.resource), []).append(grant.conditions)
    resources: dict[tuple[str, Conditions], set[str]] = {}
    for (action, resource), conditions in alternatives.items():
        for joined in join_values(conditions):
            resources.setdefault((action, joined), set()).add(resource)
    actions: dict[tuple[tuple[str, ...], Conditions], set[str]] = {}
    for (action, joined), found in resources.items():
        actions.setdefault((tuple(sorted(found)), joined), set()).add(action)
    statements = [
        Statement(
            effect=Effect.ALLOW,
            actions=tuple(sorted(names, key=lambda name: (name.lower(), name))),
            resources=where,
            conditions=_as_written(joined),
        )
        for (where, joined), names in actions.items()
    ]
    # What belongs to a project comes first, what has no resource last; a reader looks for the former.
    return sorted(statements, key=lambda s: (s.resources == ("*",), bool(s.conditions), s.actions, s.resources, str(s)))


def _as_written(conditions: Conditions) -> Conditions:
    """Conditions in the order in which a document writes them: by operator, then key."""
    return tuple(sorted(conditions, key=lambda c: (c.operator, c.key)))


def _camel(text: str) -> str:
    """``bedrock-mantle`` -> ``BedrockMantle``: letters and digits only, as AWS asks of a Sid."""
    words: list[str] = []
    word = ""
    for character in f"{text} ":
        if character.isascii() and character.isalnum():
            word += character
        elif word:
            words.append(word[0].upper() + word[1:])
            word = ""
    return "".join(words)


def _sid(statement: Statement) -> str:
    """A name from what the statement says: service, action or kind of resource, condition keys.

    Only letters and digits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
    """
    services = sorted({action.partition(":")[0].lower() for action in statement.actions})
    if len(statement.actions) == 1:
        what = _camel(statement.actions[0].partition(":")[2]) or "All"
    else:
        # `project/*` is a Project; one project alone is named, so that the Sid does not change with its neighbours.
        tails = {resource.split(":", 5)[-1] for resource in statement.resources}
        kinds = tails if len(tails) == 1 else {tail.partition("/")[0] for tail in tails}
        what = "And".join(sorted(filter(None, map(_camel, kinds)))) or "AnyResource"
    keys = [condition.key.rpartition(":")[2] for condition in statement.conditions]
    condition = f"With{'And'.join(_camel(key) for key in keys)}" if keys else ""
    name = "And".join(_camel(service) or "Any" for service in services)
    return f"{name}{what}{condition}"[:100]


def _with_sids(statements: list[Statement]) -> tuple[Statement, ...]:
    names = [_sid(statement) for statement in statements]
    return tuple(
        Statement(
            effect=statement.effect,
            actions=statement.actions,
            resources=statement.resources,
            conditions=statement.conditions,
            sid=name if names.count(name) == 1 else f"{name}{_digest(statement)}",
        )
        for statement, name in zip(statements, names, strict=True)
    )


def _digest(statement: Statement) -> str:
    """Eight characters that tell two statements of one name apart, the same on every run."""
    conditions = [(c.operator, c.key, c.values) for c in statement.conditions]
    content = repr((statement.actions, statement.resources, conditions))
    return f"{crc32(content.encode()):08x}"


def _causes(document: PolicyDocument, permissions: tuple[Permission, ...]) -> tuple[tuple[int, Permission], ...]:
    """Which permission asked for (a part of) which statement, in the order of the statements."""
    unique = sorted(dict.fromkeys(permissions), key=str)
    found: list[tuple[int, Permission]] = []
    for index, statement in enumerate(document.statements):
        given = [
            grant
            for action in statement.actions
            for resource in statement.resources
            for grant in grants_of(Permission(action, resource, statement.conditions))
        ]
        for permission in unique:
            wanted = grants_of(permission)
            if any(grant_covers(have, want) for want in wanted for have in given):
                found.append((index, permission))
    return tuple(found)


def _notes(permissions: tuple[Permission, ...]) -> tuple[str, ...]:
    """What rests on an inference."""
    return tuple(
        sorted(
            {
                f"{p.action} on {p.resource} is an inference: {p.because or 'no source says it'}"
                for p in permissions
                if p.source is Source.INF
            }
        )
    )
