"""What becomes of each action of the service when policies are put on a target or taken off it, by evaluation.

Pure: everything that was read comes as a ``Binding``.  A layer that could not be read makes a gain unknown, never sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from mantle_iam.attach.plan import ActionGain, Gain, Target
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.matching import AnyOf
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, EvaluationResult, PolicySet, PolicyType
from mantle_iam.mantle import catalog
from mantle_iam.mantle.scope import Scope

SERVICE = catalog.SERVICE

LIMITING = frozenset({PolicyType.PERMISSIONS_BOUNDARY, PolicyType.SESSION, PolicyType.SCP, PolicyType.RCP})
"""Layers that grant nothing: what they refuse they refuse before and after."""

_EXAMPLE_REGION = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1"}

# Operators whose values, without wildcards, are the very values that match.
_LISTING = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike"})
_MAX_COMBINATIONS = 256

# Global keys that a call's circumstances decide; a condition on one makes a gain conditional.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_CIRCUMSTANCES = frozenset(
    {
        "aws:CalledVia",
        "aws:CalledViaFirst",
        "aws:CalledViaLast",
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:MultiFactorAuthAge",
        "aws:MultiFactorAuthPresent",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:Referer",
        "aws:RequestedRegion",
        "aws:SecureTransport",
        "aws:SourceIp",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:TokenIssueTime",
        "aws:UserAgent",
        "aws:ViaAWSService",
        "aws:VpcSourceIp",
    }
)


@dataclass(frozen=True, slots=True)
class Named:
    """A policy that binds the target, in words, and its place among the layers."""

    layer: PolicyType
    document: int
    name: str
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """The policies that bind the target now, as far as they could be read.

    The policies of the target itself are among ``policies.identity``.
    """

    policies: PolicySet
    principal: str
    """ARN that requests are made with; for a group or permission set one of an imagined member."""
    context: tuple[tuple[str, str], ...] = ()
    """``aws:PrincipalTag/…`` of the target."""
    notes: tuple[str, ...] = ()
    names: tuple[Named, ...] = ()
    """What the documents of ``policies`` are called, as far as is known."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes of the actions that documents concern."""

    gains: tuple[ActionGain, ...] = ()
    already: tuple[str, ...] = ()
    """Granted by the documents, and allowed before."""
    losses: tuple[str, ...] = ()
    """Allowed before and no more."""
    freed: tuple[str, ...] = ()
    """Not allowed before, and allowed now, whichever document allows it."""


def effects(
    target: Target, binding: Binding, *, added: tuple[PolicyDocument, ...], removed: tuple[PolicyDocument, ...] = ()
) -> Effects:
    """What becomes of every action when ``removed`` bind the target no more and ``added`` do."""
    before = _known(binding.policies)
    kept = _without(binding.policies.identity, removed)
    after = replace(binding.policies, identity=(*(binding.policies.identity[i] for i in kept), *added))
    names = _moved(binding.names, kept)
    alone = PolicySet(identity=added)
    gains: list[ActionGain] = []
    already: list[str] = []
    losses: list[str] = []
    freed: list[str] = []
    for request in _requests(target, binding, added or removed):
        had = evaluate(request, before).decision is Decision.ALLOWED
        has = evaluate(request, _known(after)).decision is Decision.ALLOWED
        if had != has:
            (losses if had else freed).append(request.action)
        if evaluate(request, alone).decision not in (Decision.ALLOWED, Decision.UNKNOWN):
            continue
        if had:
            already.append(request.action)
        else:
            gains.append(_gain(request, after, added, names))
    return Effects(tuple(gains), tuple(already), tuple(losses), tuple(freed))


def _known(policies: PolicySet) -> PolicySet:
    """Without the layers that could not be read and that only limit: what they refuse is the same before and after."""
    return replace(policies, unknown=policies.unknown - LIMITING)


def _without(documents: tuple[PolicyDocument, ...], removed: tuple[PolicyDocument, ...]) -> list[int]:
    """Places of the documents that stay."""
    gone = list(removed)
    kept: list[int] = []
    for index, document in enumerate(documents):
        if document in gone:
            gone.remove(document)
        else:
            kept.append(index)
    return kept


def _moved(names: tuple[Named, ...], kept: list[int]) -> tuple[Named, ...]:
    """The names at the places that the documents have afterwards."""
    return tuple(
        replace(one, document=kept.index(one.document)) if one.layer is PolicyType.IDENTITY else one
        for one in names
        if one.layer is not PolicyType.IDENTITY or one.document in kept
    )


def _requests(
    target: Target, binding: Binding, documents: tuple[PolicyDocument, ...]
) -> Iterator[AuthorizationRequest]:
    """One request for each action of the service, on an instance of every resource that it needs."""
    account = target.account or Arn.parse(binding.principal).account
    scope = Scope(partition=target.partition, account=account)
    tag_keys = _tag_keys((*documents, *binding.policies.identity, *(binding.policies.permissions_boundary or ())))
    for info in catalog.actions():
        patterns = catalog.resource_arns(info.name, scope)
        # An action without a required type works on one resource of any of its types: on a project, most often.
        needed = {use.name for use in info.resource_types if use.required} or {"project"}
        named = _named_resources(info.name, documents)
        instances = tuple(
            _instance(pattern, named)
            for pattern in patterns
            if pattern == "*" or any(f":{name}/" in pattern for name in needed)
        )
        yield AuthorizationRequest(
            principal=binding.principal,
            action=info.name,
            resources=instances,
            resource_account=account,
            context=dict(binding.context),
            unknown_context=_unknown_keys(info.name, tag_keys),
        )


def _named_resources(action: str, documents: tuple[PolicyDocument, ...]) -> tuple[Arn, ...]:
    """Resources of the service that the documents name beside ``action``."""
    found = (
        Arn.try_parse(resource)
        for document in documents
        for statement in document.statements
        if AnyOf(pattern.lower() for pattern in statement.actions).matches(action.lower())
        for resource in statement.resources
    )
    return tuple(arn for arn in found if arn is not None and arn.service == SERVICE)


def _instance(pattern: str, named: tuple[Arn, ...]) -> str:
    """One resource that ``pattern`` covers: where the policy names a Region or a project, there; else an example."""
    arn = Arn.try_parse(pattern)
    if arn is None:
        return pattern
    kind = arn.resource.partition("/")[0]
    alike = [one for one in named if one.resource.partition("/")[0] == kind]
    region = next(
        (one.region for one in alike if _is_plain(one.region)), _EXAMPLE_REGION.get(arn.partition, "us-east-1")
    )
    resource = next((one.resource for one in alike if _is_plain(one.resource)), f"{kind}/default")
    return str(replace(arn, region=region, resource=resource))


def _is_plain(text: str) -> bool:
    return bool(text) and not any(mark in text for mark in "*?$")


def _tag_keys(documents: tuple[PolicyDocument, ...]) -> frozenset[str]:
    """Keys of tags on the resource or in the request that a condition looks at."""
    return frozenset(
        condition.key
        for document in documents
        for statement in document.statements
        for condition in statement.conditions
        if condition.key.lower().startswith(("aws:resourcetag/", "aws:requesttag/"))
    )


def _unknown_keys(action: str, tag_keys: frozenset[str]) -> frozenset[str]:
    """Keys that a request for ``action`` may carry, and whose value is not known before there is one."""
    carried = catalog.condition_keys(action)
    families = tuple(key.partition("/")[0].lower() for key in carried if "${" in key)
    tags = {key for key in tag_keys if key.lower().startswith(families)} if families else set()
    return frozenset(key for key in carried if "${" not in key) | tags | _CIRCUMSTANCES


def _gain(
    request: AuthorizationRequest, after: PolicySet, documents: tuple[PolicyDocument, ...], names: tuple[Named, ...]
) -> ActionGain:
    result = evaluate(request, after)
    if result.decision is Decision.ALLOWED:
        return ActionGain(request.action, Gain.ALLOWED)
    if result.decision is not Decision.UNKNOWN:
        layers = tuple(layer.value for layer in result.withheld_by) or (PolicyType.IDENTITY.value,)
        return ActionGain(request.action, Gain.WITHHELD, layers, by=_deniers(result, names))
    if any(name in tuple(PolicyType) for name in result.depends_on):
        return ActionGain(request.action, Gain.UNKNOWN, result.depends_on)
    where = _where(request, after, documents, result.depends_on)
    return ActionGain(request.action, Gain.CONDITIONAL, result.depends_on, where)


def _deniers(result: EvaluationResult, names: Iterable[Named]) -> tuple[str, ...]:
    """The policies whose Deny statements decide, or those of a layer that should allow and does not."""
    if result.decision is Decision.EXPLICIT_DENY:
        places = {(ref.policy_type, ref.level, ref.document) for ref in result.determining}
        return tuple(dict.fromkeys(n.name for n in names if (n.layer, n.level, n.document) in places))
    return tuple(dict.fromkeys(n.name for n in names if n.layer in result.withheld_by and n.layer in LIMITING))


def _where(
    request: AuthorizationRequest, after: PolicySet, documents: tuple[PolicyDocument, ...], keys: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The values that the documents list for ``keys``, when with each of them the request is allowed; else nothing."""
    listed: dict[str, tuple[str, ...]] = {}
    for statement in (statement for document in documents for statement in document.statements):
        names = AnyOf(name.lower() for name in statement.actions)
        if statement.effect is Effect.ALLOW and names.matches(request.action.lower()):
            for condition in statement.conditions:
                if condition.operator in _LISTING and all(_is_plain(value) for value in condition.values):
                    listed[condition.key] = tuple(dict.fromkeys(listed.get(condition.key, ()) + condition.values))
    if {key.lower() for key in listed} != {key.lower() for key in keys}:
        return ()
    if prod(len(values) for values in listed.values()) > _MAX_COMBINATIONS:
        return ()
    unknown = frozenset(key for key in request.unknown_context if key.lower() not in {key.lower() for key in listed})
    for values in product(*listed.values()):
        context = {**request.context, **dict(zip(listed, values, strict=True))}
        told = replace(request, context=context, unknown_context=unknown)
        if evaluate(told, after).decision is not Decision.ALLOWED:
            return ()
    return tuple(listed.items())


def other_services(documents: tuple[PolicyDocument, ...]) -> tuple[str, ...]:
    """Action patterns of Allow statements that reach beyond the service."""
    found = {
        action
        for document in documents
        for statement in document.statements
        if statement.effect is Effect.ALLOW
        for action in (*statement.actions, *(f"everything but {name}" for name in statement.not_actions))
        if not action.lower().startswith(f"{SERVICE}:")
    }
    return tuple(sorted(found))
