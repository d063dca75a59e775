"""What a policy gives in Mantle, action by action and purpose by purpose, and how two texts differ.  Judged by ``evaluate``.

An action is asked for on made-up resources of every kind that the catalogue says it works on; what no request tells (a tag, a
source address) is unknown, so that a condition never counts as fulfilled by accident.
Knows no account and no command line.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from string import Template

from mantle_iam.generate.patterns import example
from mantle_iam.generate.presets import PURPOSES, permissions_for
from mantle_iam.generate.witness import requests_for
from mantle_iam.iam.compare import Witness, compare
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.matching import glob
from mantle_iam.iam.near_miss import near_misses
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import (
    AuthorizationRequest,
    ContextValue,
    Decision,
    Element,
    EvaluationResult,
    PolicySet,
    StatementRef,
)
from mantle_iam.iam.validation import policy_size
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.call_context import DERIVED, SETTLED, asked_keys
from mantle_iam.mantle.catalog import ActionInfo
from mantle_iam.mantle.managed_policies import CAPABILITIES, Capability, known_policy, newest_first
from mantle_iam.mantle.operations import Permission, Source
from mantle_iam.mantle.scope import Scope
from mantle_iam.report.managed_records import (
    ActionReach,
    CapabilityReach,
    Difference,
    ManagedPolicy,
    PurposeCover,
    Reach,
    ReachChange,
    Report,
    VersionEntry,
)

ACCOUNT = "111122223333"
REGIONS: Mapping[str, str] = {"aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
ARN_FIELDS = 6
RESOURCE = "x7q4example"
"""Unlike anything that somebody would write down, so that only a wildcard covers it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One kind of resource that an action works on, and the request for it."""

    kind: str
    request: AuthorizationRequest


def report(policy: ManagedPolicy, partition: str = "aws") -> Report:
    """Everything that is said of ``policy``."""
    document = policy.document
    capabilities = tuple(
        CapabilityReach(capability, tuple(action_reach(document, action, partition) for action in capability.actions))
        for capability in capabilities_asked()
    )
    return Report(
        policy=policy,
        capabilities=capabilities,
        purposes=covered_purposes(document, partition),
        elsewhere=_elsewhere(document),
        size=policy_size(document),
        notes=_notes(policy, partition),
    )


def capabilities_asked() -> tuple[Capability, ...]:
    """``CAPABILITIES``, and in one more what the catalogue has and they do not: nothing is left out for being new."""
    told = {action.lower() for capability in CAPABILITIES for action in capability.actions}
    rest = tuple(info.name for info in catalog.actions() if info.name.lower() not in told)
    return (*CAPABILITIES, *([Capability("other", "other", rest)] if rest else []))


def counted() -> int:
    """How many actions Mantle has in the Service Authorization Reference; the preview's are not in it."""
    return len(catalog.actions(preview=False))


# -- one action


def action_reach(document: PolicyDocument, action: str, partition: str = "aws") -> ActionReach:
    """How far ``document`` gives ``action``."""
    info = catalog.known_action(action)
    policies = PolicySet(identity=(document,))
    asked = _asked(action, info, partition, policies)
    results = [(one, evaluate(one.request, policies)) for one in asked]
    allowed = [(one, result) for one, result in results if result.decision is Decision.ALLOWED]
    open_ = [(one, result) for one, result in results if result.decision is Decision.UNKNOWN]
    if allowed or open_:
        given = allowed or open_
        statements = _statements(document, [ref for _, result in given for ref in _refs(result)])
        full = len(given) == len(results)
        reach = (Reach.ALL if allowed else Reach.CONDITIONAL) if full else Reach.SOME
        return ActionReach(
            action,
            reach,
            _resources(statements),
            tuple(dict.fromkeys(condition for statement in statements for condition in statement.conditions)),
            tuple(one.kind for one, result in results if (one, result) not in given),
            source=info.source if info else Source.INF,
        )
    if (found := _by_name(document, action, asked, policies)) is not None:
        return found
    why, source = _why_not(document, asked, policies)
    return ActionReach(action, Reach.NONE, why=why, source=source or (info.source if info else Source.INF))


def requests_about(document: PolicyDocument, action: str, partition: str = "aws") -> tuple[AuthorizationRequest, ...]:
    """The made-up requests by which it is told how far ``document`` gives ``action``."""
    asked = _asked(action, catalog.known_action(action), partition, PolicySet(identity=(document,)))
    return tuple(one.request for one in asked)


def _refs(result: EvaluationResult) -> tuple[StatementRef, ...]:
    return result.determining if result.decision is Decision.ALLOWED else result.undecided


def _statements(document: PolicyDocument, refs: Iterable[StatementRef]) -> tuple[Statement, ...]:
    indexes = dict.fromkeys(ref.statement for ref in refs)
    found = (document.statements[index] for index in indexes)
    return tuple(statement for statement in found if statement.effect is Effect.ALLOW)


def _resources(statements: Iterable[Statement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(resource for statement in statements for resource in statement.resources))


def _asked(action: str, info: ActionInfo | None, partition: str, policies: PolicySet) -> tuple[_Asked, ...]:
    """The requests that decide about ``action``: one for all the resources it needs, or one for each that it may work on."""
    context, unknown = _context(action, policies)

    def request(*resources: str) -> AuthorizationRequest:
        return AuthorizationRequest(
            principal=f"arn:{partition}:iam::{ACCOUNT}:user/example",
            action=info.name if info else action,
            resources=resources,
            resource_account=ACCOUNT,
            context=context,
            unknown_context=unknown,
        )

    uses = info.resource_types if info else ()
    if not uses:
        return (_Asked("*", request("*")),)
    service = action.partition(":")[0]
    needed = [use.name for use in uses if use.required]
    if needed:
        return (_Asked(" and ".join(needed), request(*(_resource(service, name, partition) for name in needed))),)
    return tuple(_Asked(use.name, request(_resource(service, use.name, partition))) for use in uses)


def _resource(service: str, kind: str, partition: str) -> str:
    """The ARN of a resource of that kind that nobody has."""
    pattern = catalog.resource_types(service).get(kind) or catalog.resource_types(overlay.SERVICE)[kind]
    values = {"Partition": partition, "Region": REGIONS.get(partition, "us-east-1"), "Account": ACCOUNT}
    rest = {name: RESOURCE for name in Template(pattern).get_identifiers() if name not in values}
    return Template(pattern).substitute(values, **rest)


def _context(action: str, policies: PolicySet) -> tuple[Mapping[str, ContextValue | None], frozenset[str]]:
    """What is known of the context of a call that needs ``action``, and which of the keys asked for are not."""
    known: dict[str, ContextValue | None] = {
        condition.key: condition.values[0] for condition in overlay.CALL_CONDITIONS.get(action, ())
    }
    if not known:
        known |= SETTLED
    have = {key.lower() for key in known} | DERIVED
    carried = {key.lower() for key in catalog.condition_keys(action)}
    asked = {key.lower() for key in asked_keys(policies)}
    open_ = {key for key in asked if key not in have and (not key.startswith(f"{overlay.SERVICE}:") or key in carried)}
    return known, frozenset(open_)


def _by_name(
    document: PolicyDocument, action: str, asked: tuple[_Asked, ...], policies: PolicySet
) -> ActionReach | None:
    """The action on the very resources that statements name, where it is not given on any."""
    found: list[Statement] = []
    for statement in document.statements:
        if statement.effect is not Effect.ALLOW or not _names(statement, action):
            continue
        named = (request for pattern in statement.resources for request in _on_named(pattern, asked))
        if any(evaluate(request, policies).decision in (Decision.ALLOWED, Decision.UNKNOWN) for request in named):
            found.append(statement)
    if not found:
        return None
    conditions = tuple(dict.fromkeys(condition for statement in found for condition in statement.conditions))
    return ActionReach(action, Reach.SOME, _resources(found), conditions)


def _on_named(pattern: str, asked: tuple[_Asked, ...]) -> Iterator[AuthorizationRequest]:
    """The requests of ``asked`` on an example of ``pattern``, where that can be a resource of the same kind."""
    for one in asked:
        home = one.request.resources[0].split(":", 5)
        fields = pattern.split(":", 5)
        if len(one.request.resources) > 1 or len(fields) != len(home) or len(fields) < ARN_FIELDS:
            continue
        named = [example(field, own) for field, own in zip(fields[:5], home[:5], strict=True)]
        resource = example(fields[5], RESOURCE)
        if named[:3] == home[:3] and resource.partition("/")[0] == home[5].partition("/")[0]:
            yield replace(one.request, resources=(":".join([*named, resource]),))


def _names(statement: Statement, action: str) -> bool:
    return any(glob(pattern.lower()).matches(action.lower()) for pattern in statement.actions)


def _why_not(document: PolicyDocument, asked: tuple[_Asked, ...], policies: PolicySet) -> tuple[str, Source | None]:
    """Why a statement that names the action does not give it, and how that is known; empty when none names it."""
    for one in asked:
        for miss in near_misses(one.request, policies):
            statement = document.statements[miss.statement.statement]
            if not _names(statement, one.request.action):
                continue
            name = statement.sid or f"statement {miss.statement.statement}"
            if miss.element is Element.RESOURCE:
                takes = "takes only `*`" if one.request.resources == ("*",) else f"works on a {one.kind}"
                # The kinds of resource are documented; that this service asks for no other was seen of a few actions only.
                return f"{name} names it on {', '.join(statement.resources)}, and it {takes}", Source.INF
            if miss.element is Element.CONDITION:
                return f"{name} gives it only where {miss.key} is {' or '.join(miss.wanted)}", Source.DOC
    return "", None


# -- purposes


def covered_purposes(document: PolicyDocument, partition: str = "aws") -> tuple[PurposeCover, ...]:
    """For each purpose, with its usual way of authenticating, the actions of which something is missing."""
    scope = Scope(partition=partition)
    return tuple(
        PurposeCover(
            purpose.name,
            purpose.title,
            missing_actions(document, permissions_for(purpose, purpose.auth, scope)),
        )
        for purpose in PURPOSES
    )


def missing_actions(document: PolicyDocument, permissions: Iterable[Permission]) -> tuple[str, ...]:
    """The actions of those of ``permissions`` that ``document`` does not surely give."""
    alone = PolicySet(identity=(document,))
    return tuple(
        dict.fromkeys(
            permission.action
            for permission in permissions
            if any(evaluate(request, alone).decision is not Decision.ALLOWED for request in requests_for(permission))
        )
    )


def _elsewhere(document: PolicyDocument) -> tuple[tuple[str, int], ...]:
    """Services other than Mantle, and how many action patterns of Allow statements name them."""
    patterns = {
        pattern.lower()
        for statement in document.statements
        if statement.effect is Effect.ALLOW
        for pattern in statement.actions
    }
    services = Counter(pattern.partition(":")[0] for pattern in patterns)
    services.pop(overlay.SERVICE, None)
    return tuple(sorted(services.items()))


def _notes(policy: ManagedPolicy, partition: str) -> tuple[str, ...]:
    notes = []
    if partition != "aws":
        notes.append(
            f"that the policy has the same text in {partition}, with ARNs of that partition, is an inference [INF]; "
            "--refresh reads it there"
        )
    if any(statement.not_actions for statement in policy.document.statements):
        notes.append("it has statements with NotAction: what they allow in other services is not counted")
    return tuple(notes)


# -- differences


def difference(old: ManagedPolicy, new: ManagedPolicy, partition: str = "aws") -> Difference:
    """What ``new`` gives beside ``old``."""
    before = {one.action: one for one in _all_reaches(old.document, partition)}
    after = {one.action: one for one in _all_reaches(new.document, partition)}
    changes = [
        ReachChange(action, before[action].reach, after[action].reach)
        for action in before
        if before[action].reach is not after[action].reach
    ]
    rank = {Reach.NONE: 0, Reach.CONDITIONAL: 1, Reach.SOME: 2, Reach.ALL: 3}
    patterns_before, patterns_after = _patterns(old.document), _patterns(new.document)
    compared = compare((old.document,), (new.document,), actions=tuple(before))
    seen = compared.more.witness
    return Difference(
        old=old,
        new=new,
        gained=tuple(change for change in changes if rank[change.after] > rank[change.before]),
        lost=tuple(change for change in changes if rank[change.after] < rank[change.before]),
        patterns_added=tuple(pattern for pattern in patterns_after if pattern not in patterns_before),
        patterns_removed=tuple(pattern for pattern in patterns_before if pattern not in patterns_after),
        same_text=old.document == new.document,
        relation=compared.relation.value,
        reason=compared.more.reason or compared.less.reason,
        witness=_as_request(seen, partition) if seen else None,
    )


def _as_request(witness: Witness, partition: str) -> AuthorizationRequest:
    principal = witness.principal or f"arn:{partition}:iam::{ACCOUNT}:user/example"
    return AuthorizationRequest(principal, witness.action, (witness.resource,), context=witness.context)


def _all_reaches(document: PolicyDocument, partition: str) -> tuple[ActionReach, ...]:
    return tuple(
        action_reach(document, action, partition)
        for capability in capabilities_asked()
        for action in capability.actions
    )


def _patterns(document: PolicyDocument) -> tuple[str, ...]:
    allows = [statement for statement in document.statements if statement.effect is Effect.ALLOW]
    return tuple(sorted({action for statement in allows for action in statement.actions}))


def history(policies: tuple[ManagedPolicy, ...], partition: str = "aws") -> tuple[VersionEntry, ...]:
    """The known versions of one policy, newest first; ``policies`` are those whose text is at hand."""
    known = known_policy(policies[0].name)
    changes = {new.version: difference(old, new, partition) for new, old in pairwise(policies)}
    entries = {
        version: VersionEntry(version, date, None) for version, date in (known.versions if known is not None else ())
    }
    entries |= {
        policy.version: VersionEntry(policy.version, policy.date, policy.source, changes.get(policy.version))
        for policy in policies
    }
    return tuple(sorted(entries.values(), key=lambda entry: newest_first(entry.version)))
