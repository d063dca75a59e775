"""An existing policy, narrowed to what was used: all that was used and allowed stays allowed, and nothing else is added.

Every statement of the result is a part of one of the old policy: the action and resource that were used, under the old
statement's conditions and, where the request's own value is known, that value.  Denies stay unless they deny nothing that is
left.  Proven with ``iam.compare``: the result allows no more than the old policy, and what it allows is what was asked.
Knows no file and no log; reading those is ``used.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.generate.grants import Operator
from mantle_iam.generate.least_privilege import LeastPrivilegePolicy, least_privilege
from mantle_iam.generate.patterns import covers, escaped, has_variable
from mantle_iam.generate.proof import excess_text
from mantle_iam.generate.used import DATA_EVENTS, Used, UsedList
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.compare import Inclusion, allows_no_more
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import VERSIONS
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.call_context import SETTLED, asked_keys
from mantle_iam.mantle.operations import Permission, takes_any_project
from mantle_iam.mantle.scope_conditions import TIER_KEY
from mantle_iam.mantle.sources import Source

PINNED: Final = (overlay.MODEL_KEY, TIER_KEY, overlay.BEARER_TYPE_KEY)
"""Keys whose value in the request becomes the condition; what a call came from (an address, a Region) is nobody's habit."""

_SINGLE: Final = frozenset(PINNED)
_ACCOUNT = "111122223333"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The narrower policy, what it was made from, and what could not be kept."""

    policy: LeastPrivilegePolicy
    """Its document has the Denies of the old one as well; its causes and proof are about the rest."""
    permissions: tuple[Permission, ...]
    refused: tuple[str, ...]
    """What was used and the old policy does not allow, each in one phrase."""
    notes: tuple[str, ...]


def narrow(old: PolicyDocument, used: UsedList) -> Narrowed:
    """The smallest policy that allows all that was used and ``old`` allows, and nothing that ``old`` does not.

    Raises:
        InputError: ``old`` allows nothing of what was used.
        UndeterminedError: the result could not be proven.
    """
    _check_old(old)
    counted: dict[Permission, int] = {}
    requests: list[tuple[AuthorizationRequest, Decision]] = []
    refused: dict[str, None] = {}
    open_keys: dict[str, None] = {}
    for use in used.used:
        request = _request(use, old)
        result = evaluate(request, PolicySet(identity=(old,)))
        if result.decision in (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY):
            does = "denies" if result.decision is Decision.EXPLICIT_DENY else "does not allow"
            refused.setdefault(f"{use.action} on {use.resource} was used, and the policy {does} it")
            continue
        open_keys.update(dict.fromkeys(result.depends_on))
        for permission in _permissions(use, request, old):
            counted[permission] = counted.get(permission, 0) + use.count
        requests.append((request, result.decision))
    permissions = tuple(
        replace(permission, because=f"used {count} times" if count > 1 else "used once", source=Source.OBS)
        for permission, count in counted.items()
    )
    if not permissions:
        raise InputError(
            "the policy allows nothing of what was used",
            help="what was used comes from another policy, or the list names other actions or resources",
        )
    policy = least_privilege(permissions)
    document = _with_denies(policy.document, old)
    _check(document, old, requests)
    notes = (*_notes(used, old, refused, open_keys), *used.notes)
    return Narrowed(replace(policy, document=document), permissions, tuple(refused), notes)


def _check_old(old: PolicyDocument) -> None:
    """Refuse what could not be carried over as it is meant."""
    if old.problems:
        problem = old.problems[0]
        raise InputError(
            f"the policy has what is not understood: {problem.message} (at `{problem.pointer}`)",
            help="put that right first; a part that is not understood cannot be narrowed",
        )
    if old.version != VERSIONS[0] and next(_texts_with_variables(old), None) is not None:
        raise InputError(
            f"the policy has ${{…}} in it, which its version `{old.version or VERSIONS[1]}` takes for plain text",
            help=f"give it the version {VERSIONS[0]}, if variables are meant",
        )


def _request(use: Used, old: PolicyDocument) -> AuthorizationRequest:
    """The request that was made, with every key that ``old`` asks for and nothing tells as unknown."""
    arn = Arn.try_parse(use.resource)
    account = arn.account if arn and arn.account.isdigit() else _ACCOUNT
    context = {**use.context}
    have = {key.lower() for key in context}
    carried = {key.lower() for key in catalog.condition_keys(use.action)}
    context |= {key: value for key, value in SETTLED.items() if value is not None and key not in have}
    have |= set(SETTLED)
    asked: dict[str, str] = {}
    for key in (*asked_keys(PolicySet(identity=(old,))), *_variables(old)):
        asked.setdefault(key.lower(), key)
    if use.principal is not None:
        have |= {"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username"}
    # A key of the service comes only with the actions that declare it; on any other it is absent for certain.
    unknown = {
        name
        for key, name in asked.items()
        if key not in have and (key in carried or not key.startswith(f"{overlay.SERVICE}:"))
    }
    return AuthorizationRequest(
        use.principal or f"arn:{arn.partition if arn else 'aws'}:iam::{account}:user/example",
        use.action,
        (use.resource,),
        resource_account=account,
        context=context,
        unknown_context=frozenset(unknown),
    )


def _texts_with_variables(old: PolicyDocument) -> Iterator[str]:
    for statement in old.statements:
        values = (value for condition in statement.conditions for value in condition.values)
        for text in (*statement.resources, *statement.not_resources, *values):
            if "${" in text:
                yield text


def _variables(old: PolicyDocument) -> Iterator[str]:
    for text in _texts_with_variables(old):
        for piece in text.split("${")[1:]:
            name = piece.partition("}")[0].partition(",")[0].strip()
            if ":" in name:
                yield name


def _permissions(use: Used, request: AuthorizationRequest, old: PolicyDocument) -> Iterator[Permission]:
    """The part of the old statement that lets the request through by itself, or the parts of all that may."""
    judged = [
        (one, evaluate(request, PolicySet(identity=(replace(old, statements=(one,)),))).decision)
        for one in old.statements
        if one.effect is Effect.ALLOW
    ]
    sure = [one for one, decision in judged if decision is Decision.ALLOWED]
    # The first of those with the fewest conditions: `min` keeps the order of the document.
    allows = [min(sure, key=lambda one: len(one.conditions))] if sure else []
    allows = allows or [one for one, decision in judged if decision is Decision.UNKNOWN]
    for statement in allows:
        if statement.not_resources and (use.resource == "*" or any(map(has_variable, statement.not_resources))):
            raise InputError(
                f"statement `{statement.sid or old.statements.index(statement) + 1}` says what it leaves out (NotResource), and "
                f"{use.action} on {use.resource} is no part of it that could be named",
                help="name in Resource what it allows",
            )
        for resource in _resources(use, request, statement):
            yield Permission(use.action, resource, _conditions(use, statement))


def _resources(use: Used, request: AuthorizationRequest, statement: Statement) -> tuple[str, ...]:
    """What the narrower statement names: the resource that was used, or the old pattern where that is another for each
    principal, or every project where the call takes no single one."""
    judged = [
        (pattern, evaluate(request, PolicySet(identity=(PolicyDocument((replace(statement, resources=(pattern,)),)),))))
        for pattern in statement.resources
    ]
    sure = [pattern for pattern, result in judged if result.decision is Decision.ALLOWED]
    letting = sure or [pattern for pattern, result in judged if result.decision is Decision.UNKNOWN]
    if letting and all(map(has_variable, letting)):
        return tuple(letting[:1] if sure else letting)
    arn = Arn.try_parse(use.resource)
    if arn is not None and (use.any_project or takes_any_project(use.action)) and arn.resource.startswith("project/"):
        every = str(replace(arn, resource="project/*"))
        if any(covers(pattern, every) for pattern in letting):
            return (every,)
    if use.resource == "*" or (use.pattern and any(covers(pattern, use.resource) for pattern in letting)):
        return (use.resource,)
    return (escaped(use.resource),)


def _conditions(use: Used, statement: Statement) -> tuple[Condition, ...]:
    """The old conditions; of the keys in ``PINNED`` just the value that the request had, where it is known."""
    known = {key.lower(): value for key, value in use.context.items()}
    pinned = {
        key: value
        for key in PINNED
        if isinstance(value := known.get(key.lower()), str) and catalog.carries(use.action, key)
    }
    kept = [
        condition
        for condition in statement.conditions
        if not (_is_choice(condition) and condition.key.lower() in {key.lower() for key in pinned})
    ]
    # Without regard to case stays so: that the one implies the other is nothing that `compare` can prove.
    folded = {
        condition.key.lower()
        for condition in statement.conditions
        if _is_choice(condition) and Operator.parse(condition.operator).base == "stringequalsignorecase"
    }
    return (
        *kept,
        *(
            Condition("StringEqualsIgnoreCase" if key.lower() in folded else "StringEquals", key, (escaped(value),))
            for key, value in pinned.items()
        ),
    )


def _is_choice(condition: Condition) -> bool:
    """Whether the condition lists values of which the request had one, so that the one alone implies it."""
    operator = Operator.parse(condition.operator)
    return (
        not operator.qualifier
        and operator.base in ("stringequals", "stringequalsignorecase", "stringlike")
        and not any(has_variable(value) for value in condition.values)
    )


def _with_denies(document: PolicyDocument, old: PolicyDocument) -> PolicyDocument:
    """``document`` with the Denies of ``old`` without which it would allow more."""
    taken = {statement.sid for statement in document.statements}
    denies = [
        replace(one, sid=None) if one.sid in taken else one for one in old.statements if one.effect is Effect.DENY
    ]
    for deny in tuple(denies):
        fewer = [one for one in denies if one is not deny]
        trial = replace(document, statements=(*document.statements, *fewer))
        if allows_no_more((trial,), (old,), single_valued=_SINGLE).result is Inclusion.HOLDS:
            denies = fewer
    return replace(document, statements=(*document.statements, *denies))


def _check(
    document: PolicyDocument, old: PolicyDocument, requests: Iterable[tuple[AuthorizationRequest, Decision]]
) -> None:
    answer = allows_no_more((document,), (old,), single_valued=_SINGLE)
    if answer.result is not Inclusion.HOLDS:
        raise UndeterminedError(
            f"the narrower policy could not be proven to allow no more than the old one: {excess_text(answer)}",
            help="compare the two by hand; nothing is offered unproven",
        )
    for request, before in requests:
        after = evaluate(request, PolicySet(identity=(document,))).decision
        if after not in (Decision.ALLOWED, before):
            raise UndeterminedError(
                f"the narrower policy could not be proven to keep {request.action} on {request.resources[0]}: {after}"
            )


def _notes(used: UsedList, old: PolicyDocument, refused: Iterable[str], open_keys: Iterable[str]) -> Iterator[str]:
    yield from refused
    keys = ", ".join(dict.fromkeys(open_keys))
    if keys:
        yield f"the list does not tell {keys}, on which the policy hangs; its conditions on them are kept as they are"
    actions = {use.action for use in used.used}
    if not used.logged:
        return
    if not actions & DATA_EVENTS and _allows_any(old, DATA_EVENTS):
        yield (
            "CloudTrail records inference, token counts and files only where a trail asks for data events; none is in the "
            "list, so what it leaves out may well be used"
        )
    if overlay.BEARER_ACTION not in actions and _allows_any(old, frozenset((overlay.BEARER_ACTION,))):
        yield (
            f"{overlay.BEARER_ACTION} is no event of its own, and no record says that a key was used; it is left out, so calls "
            "with a key are refused"
        )


def _allows_any(old: PolicyDocument, actions: frozenset[str]) -> bool:
    folded = [action.lower() for action in actions]
    return any(
        glob(pattern.lower()).matches(action)
        for statement in old.statements
        if statement.effect is Effect.ALLOW
        for pattern in (statement.actions or ("*",))
        for action in folded
    )
