"""Attaching a policy, up to the moment of change: what is bound now, what would become allowed, what would still refuse.

``plan_attachment`` is pure; ``prepare`` reads IAM with the client that it is given and hands over to it.  Whether to go on is the
caller's question to the user; ``attach.apply.apply`` does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from mantle_iam.attach.apply import default_version, read_documents, read_target
from mantle_iam.attach.plan import (
    ActionGain,
    Change,
    Gain,
    InlineChange,
    ManagedChange,
    Plan,
    State,
    TargetKind,
    managed_arn,
)
from mantle_iam.collect.live import collect_policies
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import policy_json
from mantle_iam.iam.matching import AnyOf
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.mantle import catalog
from mantle_iam.mantle.scope import Scope
from mantle_iam.workflow.managed import managed_policies

SERVICE = catalog.SERVICE

_EXAMPLE_REGION = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1"}

# Characters without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_INLINE_LIMITS = {TargetKind.USER: 2048, TargetKind.GROUP: 5120, TargetKind.ROLE: 10240}

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
class Binding:
    """The policies that bind the target now, as far as they could be read.

    ``inline`` and ``attached`` of the target itself are among ``policies.identity``.
    """

    policies: PolicySet
    principal: str
    """ARN that requests are made with; for a group one of an imagined member."""
    context: tuple[tuple[str, str], ...] = ()
    """``aws:PrincipalTag/…`` of the target."""
    notes: tuple[str, ...] = ()


def managed_change(word: str, partition: str, iam: Any = None) -> tuple[ManagedChange, tuple[str, ...]]:
    """AWS's managed policy ``word`` (``read-only``, ``inference``, ``full``), and notes about its text.

    With a client, its text is read from IAM; where that fails the shipped text serves.

    Raises:
        InputError: there is no such word.
    """
    found = next((policy for policy in managed_policies() if policy.short_name == word), None)
    if found is None:
        words = ", ".join(policy.short_name for policy in managed_policies())
        raise InputError(f"no managed policy `{word}`", help=f"it is one of {words}")
    arn = managed_arn(found.arn, partition)
    shipped = ManagedChange(found.name, arn, _in_partition(found.document, partition), found.version)
    if iam is None:
        return shipped, ()
    try:
        document, version = default_version(iam, arn)
    except UndeterminedError as error:
        return shipped, (f"what {found.name} allows is told from its version {found.version}: {error}",)
    return ManagedChange(found.name, arn, document, version), ()


def _in_partition(document: PolicyDocument, partition: str) -> PolicyDocument:
    """The shipped text as another partition would have it: its ARNs name that partition (an inference)."""
    statements = tuple(
        replace(statement, resources=tuple(managed_arn(resource, partition) for resource in statement.resources))
        for statement in document.statements
    )
    return replace(document, statements=statements)


def prepare(iam: Any, kind: TargetKind, name: str, wanted: str | InlineChange, *, account: str | None = None) -> Plan:
    """Read what is there and plan.  ``wanted`` is the word of a managed policy or an inline policy.

    ``account`` is the one that the target must be in (a key's, an ARN's).

    Raises:
        InputError: no such target or policy, or the credentials are another account's.
        UndeterminedError: what must be known could not be read.
    """
    inline_name = wanted.name if isinstance(wanted, InlineChange) else None
    state = read_target(iam, kind, name, inline_name=inline_name)
    if account is not None and state.target.account != account:
        raise InputError(
            f"the {kind} belongs to account {account}, these AWS credentials to account {state.target.account}",
            help="use credentials of that account, or --profile",
        )
    if isinstance(wanted, InlineChange):
        return plan_attachment(state, wanted, read_binding(iam, state))
    change, notes = managed_change(wanted, state.target.partition, iam)
    plan = plan_attachment(state, change, read_binding(iam, state))
    return replace(plan, notes=(*plan.notes, *notes))


def read_binding(iam: Any, state: State) -> Binding:
    """The policies that bind the target now.  What cannot be read is unknown, never taken for absent."""
    target = state.target
    if target.kind is TargetKind.GROUP:
        member = str(Arn(target.partition, "iam", "", target.account, "user/any-member"))
        note = "a group's members may have other policies and boundaries of their own, which were not read"
        try:
            return Binding(PolicySet(identity=read_documents(iam, state)), member, notes=(note,))
        except UndeterminedError as error:
            unknown = PolicySet(unknown=frozenset({PolicyType.IDENTITY}))
            return Binding(unknown, member, notes=(note, str(error)))
    collected = collect_policies(iam, target.arn)
    tags = tuple((f"aws:PrincipalTag/{key}", value) for key, value in collected.tags)
    return Binding(collected.policies, target.arn, tags, collected.notes)


def plan_attachment(state: State, change: Change, binding: Binding) -> Plan:
    """What ``change`` would do to the target, computed with ``evaluate`` over every action of the service."""
    needed = not _is_there(state, change)
    # Organizations' policies are no part of the comparison: whether they are in force is said in a note.
    before = replace(binding.policies, unknown=binding.policies.unknown - {PolicyType.SCP})
    after = replace(before, identity=(*_without_previous(before, state), change.document)) if needed else before
    alone = PolicySet(identity=(change.document,))
    gains: list[ActionGain] = []
    already: list[str] = []
    losses: list[str] = []
    for action, request in _requests(state, binding, (change.document,)):
        had = evaluate(request, before).decision is Decision.ALLOWED
        if had and needed and evaluate(request, after).decision is not Decision.ALLOWED:
            losses.append(action)
        if evaluate(request, alone).decision not in (Decision.ALLOWED, Decision.UNKNOWN):
            continue
        if had:
            already.append(action)
        elif needed:
            gains.append(_gain(action, request, after, change.document))
    return Plan(
        state=state,
        change=change,
        needed=needed,
        gains=tuple(gains),
        already=tuple(already),
        losses=tuple(losses),
        others=_others(change.document),
        notes=(*binding.notes, *_document_notes(state, change)),
    )


def _is_there(state: State, change: Change) -> bool:
    if isinstance(change, ManagedChange):
        return any(bound.arn == change.arn for bound in state.policies)
    return state.previous is not None and (
        (state.previous.version, state.previous.statements) == (change.document.version, change.document.statements)
    )


def _without_previous(policies: PolicySet, state: State) -> tuple[PolicyDocument, ...]:
    """The identity policies without the one that is replaced."""
    documents = list(policies.identity)
    if state.previous is not None and state.previous in documents:
        documents.remove(state.previous)
    return tuple(documents)


def _requests(
    state: State, binding: Binding, documents: tuple[PolicyDocument, ...]
) -> Iterator[tuple[str, AuthorizationRequest]]:
    """One request for each action of the service, on an instance of every resource that it needs."""
    target = state.target
    scope = Scope(partition=target.partition, account=target.account)
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
        yield (
            info.name,
            AuthorizationRequest(
                principal=binding.principal,
                action=info.name,
                resources=instances,
                resource_account=target.account,
                context=dict(binding.context),
                unknown_context=_unknown_keys(info.name, tag_keys),
            ),
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


def _gain(action: str, request: AuthorizationRequest, after: PolicySet, document: PolicyDocument) -> ActionGain:
    result = evaluate(request, after)
    if result.decision is Decision.ALLOWED:
        return ActionGain(action, Gain.ALLOWED)
    if result.decision is not Decision.UNKNOWN:
        layers = tuple(layer.value for layer in result.withheld_by)
        return ActionGain(action, Gain.WITHHELD, layers or (PolicyType.IDENTITY.value,))
    layers = tuple(name for name in result.depends_on if name in {layer.value for layer in PolicyType})
    if layers:
        return ActionGain(action, Gain.UNKNOWN, layers)
    where = _where(action, request, after, document, result.depends_on)
    return ActionGain(action, Gain.CONDITIONAL, result.depends_on, where)


def _where(
    action: str, request: AuthorizationRequest, after: PolicySet, document: PolicyDocument, keys: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The values that the document lists for ``keys``, when with each of them the request is allowed; else nothing."""
    listed: dict[str, tuple[str, ...]] = {}
    for statement in document.statements:
        if statement.effect is Effect.ALLOW and AnyOf(name.lower() for name in statement.actions).matches(
            action.lower()
        ):
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


def _document_notes(state: State, change: Change) -> tuple[str, ...]:
    """What is odd about an inline policy: elements not understood, actions that do not exist, its size."""
    if isinstance(change, ManagedChange):
        return ()
    notes = [f"{problem.message} (at {problem.pointer or '/'})" for problem in change.document.problems]
    for statement in change.document.statements:
        for action in (*statement.actions, *statement.not_actions):
            service = action.partition(":")[0].lower()
            if service == SERVICE and not catalog.expand(action):
                near = catalog.nearest_action(action)
                hint = f"; did you mean {near}?" if near else ""
                notes.append(f"{action} is not in the data of {catalog.catalog_date()}{hint}")
    size = len(policy_json(change.document, indent=None))
    limit = _INLINE_LIMITS[state.target.kind]
    if size > limit:
        notes.append(
            f"the policy has {size} characters, and all inline policies of a {state.target.kind} may have {limit}"
        )
    return tuple(dict.fromkeys(notes))


def _others(document: PolicyDocument) -> tuple[str, ...]:
    """Action patterns of Allow statements that reach beyond the service."""
    found = {
        action
        for statement in document.statements
        if statement.effect is Effect.ALLOW
        for action in (*statement.actions, *(f"everything but {name}" for name in statement.not_actions))
        if not action.lower().startswith(f"{SERVICE}:")
    }
    return tuple(sorted(found))
