"""Why a statement did not apply, or why a Deny did: element by element, nearest first.

Asks the predicates of ``evaluation.py`` one by one, off its hot path.  Says what was compared with what; never what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.compiled import CompiledStatement, compile_document, compile_set
from mantle_iam.iam.conditions import CompiledCondition, read_operator
from mantle_iam.iam.evaluation import WITH_PRINCIPAL, SingleEvaluation, evaluate
from mantle_iam.iam.kleene import Truth
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Effect, Principals
from mantle_iam.iam.principals import read_caller
from mantle_iam.iam.request import (
    AuthorizationRequest,
    Decision,
    Documents,
    Element,
    NearMiss,
    PolicySet,
    PolicyType,
    StatementRef,
)

_ARN_FIELDS = ("partition", "service", "region", "account", "resource")
_SHOWN = 4


def near_misses(request: AuthorizationRequest, policies: PolicySet) -> tuple[NearMiss, ...]:
    """The Allow statements that would have applied but for one element, then but for two, and so on.

    One record per failing element; statements that name altogether different actions are left out.  Looked at are the
    layers that withheld the request, or all of them when the outcome is unknown.  Empty when it is allowed.

    Raises:
        InputError: as ``evaluate``.
    """
    result = evaluate(request, policies)
    if result.decision is Decision.ALLOWED:
        return ()
    layers = set(PolicyType) if result.decision is Decision.UNKNOWN else set(result.withheld_by)
    if PolicyType.IDENTITY in layers:
        layers.add(PolicyType.RESOURCE)  # the other way to let it through
    found: dict[tuple[StatementRef, Element, str], NearMiss] = {}
    for asked in _asked(request, policies):
        for kind, level, documents in _levels(policies):
            for statement, ref in _statements(documents, kind, level) if kind in layers else ():
                misses = [] if statement.deny else list(_failures(asked, statement, ref))
                for miss in misses:
                    key = (miss.statement, miss.element, miss.detail)
                    found.setdefault(key, replace(miss, failures=len(misses)))
    far = {miss.statement for miss in found.values() if _names_other_actions(miss)}
    return tuple(sorted(found.values(), key=lambda miss: _nearness(miss, miss.statement in far)))


def _nearness(miss: NearMiss, far: bool) -> tuple[int, ...]:
    at = miss.statement
    layer = list(PolicyType).index(at.policy_type)
    return (far, miss.failures, layer, at.level or 0, at.document, at.statement)


def _names_other_actions(miss: NearMiss) -> bool:
    """Whether it is about other actions of the same service, which is further away than a slip in the prefix."""
    service = (miss.actual or "").lower().partition(":")[0]
    return miss.element is Element.ACTION and any(
        pattern.lower().partition(":")[0] == service for pattern in miss.wanted
    )


def deny_reasons(request: AuthorizationRequest, policies: PolicySet) -> tuple[NearMiss, ...]:
    """For every Deny that matched, the conditions by which it did, or its action when it has none.

    Raises:
        InputError: as ``evaluate``.
    """
    matched = set(evaluate(request, policies).determining)
    found: dict[tuple[StatementRef, str], NearMiss] = {}
    for asked in _asked(request, policies):
        for kind, level, documents in _levels(policies):
            for statement, ref in _statements(documents, kind, level):
                if ref in matched and statement.deny:
                    for reason in _reasons(asked, statement, ref):
                        found.setdefault((ref, reason.detail), reason)
    return tuple(found.values())


def _asked(request: AuthorizationRequest, policies: PolicySet) -> Iterator[SingleEvaluation]:
    plan = compile_set(policies).plan(request.action)
    caller = read_caller(request.principal, request.issuer)
    for resource in request.resources or ("*",):
        asked = SingleEvaluation(request, policies, plan, caller, resource)
        if asked.run().decision is not Decision.ALLOWED:
            yield asked


def _levels(policies: PolicySet) -> Iterator[tuple[PolicyType, int | None, Documents]]:
    yield PolicyType.IDENTITY, None, policies.identity
    yield PolicyType.PERMISSIONS_BOUNDARY, None, policies.permissions_boundary or ()
    yield PolicyType.SESSION, None, policies.session or ()
    for kind, stack in ((PolicyType.SCP, policies.scp), (PolicyType.RCP, policies.rcp)):
        for level, documents in enumerate(stack or ()):
            yield kind, level, documents
    yield PolicyType.VPC_ENDPOINT, None, policies.vpc_endpoint or ()
    yield PolicyType.RESOURCE, None, policies.resource or ()


def _statements(
    documents: Documents, kind: PolicyType, level: int | None
) -> Iterator[tuple[CompiledStatement, StatementRef]]:
    for index, document in enumerate(documents):
        for statement in compile_document(document).statements():
            yield statement, StatementRef(kind, index, statement.index, statement.statement.sid, level)


def _failures(asked: SingleEvaluation, statement: CompiledStatement, ref: StatementRef) -> Iterator[NearMiss]:
    source = statement.statement
    if not statement.names(asked.plan.action):
        detail = _action_detail(source.actions, asked.action)
        if detail is None and source.actions:
            return
        element = Element.ACTION if source.actions else Element.NOT_ACTION
        yield NearMiss(
            ref,
            element,
            detail or f"`NotAction` leaves out {_list(source.not_actions)}, and `{asked.action}` was asked",
            wanted=source.actions or source.not_actions,
            actual=asked.action,
        )
    if ref.policy_type in WITH_PRINCIPAL and (means := asked.means_caller(statement)) is not True:
        yield _principal_miss(asked, statement, ref, means)
    if (covered := asked.covers_resource(statement, ref.policy_type)) is not True:
        yield _resource_miss(asked, statement, ref, covered)
    for condition in statement.conditions:
        if (met := condition.holds(asked.context)) is not True:
            yield _condition_miss(asked, condition, ref, met)


def _action_detail(patterns: tuple[str, ...], action: str) -> str | None:
    """What the patterns name instead, when they are about this service or look as if they were meant to be."""
    service, _, name = action.lower().partition(":")
    for pattern in patterns:
        other, colon, names = pattern.lower().partition(":")
        if not colon or other == service or not glob(names).matches(name):
            continue
        if other.partition("-")[0] == service.partition("-")[0] or "*" not in names:
            return f"`{pattern}` names the service `{other}`, and `{service}` was asked: their actions are not the same"
    same = [pattern for pattern in patterns if pattern.lower().partition(":")[0] == service]
    return f"{_list(tuple(same))} named, and `{action}` was asked" if same else None


def _principal_miss(asked: SingleEvaluation, statement: CompiledStatement, ref: StatementRef, means: Truth) -> NearMiss:
    source = statement.statement
    element = Element.PRINCIPAL if source.not_principals is None else Element.NOT_PRINCIPAL
    wanted = _identifiers(source.principals or source.not_principals)
    detail = f"{_list(wanted)} named, and `{asked.caller.arn}` asked" if wanted else "names no principal"
    return NearMiss(ref, element, detail, wanted=wanted, actual=asked.caller.arn, unknown=isinstance(means, frozenset))


def _identifiers(principals: Principals | None) -> tuple[str, ...]:
    return tuple(identifier for _, many in principals.by_type for identifier in many) if principals else ()


def _resource_miss(
    asked: SingleEvaluation, statement: CompiledStatement, ref: StatementRef, covered: Truth
) -> NearMiss:
    source = statement.statement
    unknown = isinstance(covered, frozenset)
    if source.not_resources:
        detail = f"`NotResource` leaves out {_list(source.not_resources)}, and `{asked.resource}` was asked"
        return NearMiss(
            ref, Element.NOT_RESOURCE, detail, wanted=source.not_resources, actual=asked.resource, unknown=unknown
        )
    if not source.resources:
        detail = "the statement has neither `Resource` nor `NotResource`"
    elif asked.resource == "*":
        detail = f"{_list(source.resources)} covered, and the action is asked on `*`: it has no resource types"
    else:
        detail = _resource_detail(source.resources, asked.resource)
    return NearMiss(ref, Element.RESOURCE, detail, wanted=source.resources, actual=asked.resource, unknown=unknown)


def _resource_detail(patterns: tuple[str, ...], resource: str) -> str:
    """The pattern that comes nearest, and the fields of the ARN in which it differs."""
    asked = Arn.try_parse(resource)
    best: tuple[str, list[str]] | None = None
    for pattern in patterns:
        arn = Arn.try_parse(pattern)
        if arn is None or asked is None:
            continue
        differing = [
            f"{field} `{getattr(asked, field)}` is not `{getattr(arn, field)}`"
            for field in _ARN_FIELDS
            if not glob(getattr(arn, field)).matches(getattr(asked, field))
        ]
        if best is None or len(differing) < len(best[1]):
            best = pattern, differing
    if best is None or not best[1]:
        return f"{_list(patterns)} covered, and `{resource}` was asked"
    return f"`{best[0]}` covered, and `{resource}` was asked: {', '.join(best[1])}"


def _condition_miss(asked: SingleEvaluation, condition: CompiledCondition, ref: StatementRef, met: Truth) -> NearMiss:
    source = condition.condition
    actual, shown = _actual(asked, condition)
    unknown = isinstance(met, frozenset)
    if read_operator(source.operator) is None:
        detail = f"`{source.operator}` is not an operator that is known here"
    elif unknown:
        detail = f"{source.operator} `{source.key}` {_list(source.values)}: not known {', '.join(sorted(met))}"  # type: ignore[arg-type]
    else:
        detail = f"{source.operator} `{source.key}` wants {_list(source.values)}, and the request has {shown}"
    return NearMiss(ref, Element.CONDITION, detail, source.key, source.operator, source.values, actual, unknown=unknown)


def _actual(asked: SingleEvaluation, condition: CompiledCondition) -> tuple[str | None, str]:
    """The key's value for the record and for a sentence."""
    value = asked.context.get(condition.key, condition.condition.key)
    if value is None:
        return None, "no such key"
    if isinstance(value, frozenset):
        return None, "an unknown value"
    if isinstance(value, tuple):
        return ", ".join(value), f"the values {_list(value)}" if value else "an empty set of values"
    return value, f"`{value}`"


def _reasons(asked: SingleEvaluation, statement: CompiledStatement, ref: StatementRef) -> Iterator[NearMiss]:
    source = statement.statement
    assert source.effect is Effect.DENY  # noqa: S101 - the caller chose it
    for condition in statement.conditions:
        written = condition.condition
        actual, shown = _actual(asked, condition)
        detail = f"denies because {written.operator} `{written.key}` {_list(written.values)} is met by {shown}"
        yield NearMiss(ref, Element.CONDITION, detail, written.key, written.operator, written.values, actual, 0)
    if not statement.conditions:
        element = Element.ACTION if source.actions else Element.NOT_ACTION
        patterns = source.actions or source.not_actions
        detail = f"denies `{asked.action}` on `{asked.resource}` without a condition"
        yield NearMiss(ref, element, detail, wanted=patterns, actual=asked.action, failures=0)


def _list(values: tuple[str, ...]) -> str:
    if not values:
        return "nothing"
    shown = ", ".join(f"`{value}`" for value in values[:_SHOWN])
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
