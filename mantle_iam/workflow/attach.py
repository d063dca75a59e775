"""Attaching policies, up to the moment of change: what is there now, what would become allowed, what would still refuse.

``plan_attachment`` is pure; ``prepare`` reads with the clients that it is given and hands over to it.  Whether to go on is the
caller's question to the user; ``workflow.attach_apply`` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mantle_iam.attach import permission_set, quotas
from mantle_iam.attach.apply import Clients
from mantle_iam.attach.outcome import Outcome, Status
from mantle_iam.attach.plan import (
    PERMISSION_SET_INLINE,
    Change,
    CustomerChange,
    InlineChange,
    ManagedChange,
    Plan,
    State,
    Target,
    TargetKind,
    managed_arn,
)
from mantle_iam.attach.read import account_summary, default_version, policy_arn, read_documents, read_target
from mantle_iam.attach.steps import is_there, steps_for
from mantle_iam.collect.live import collect_policies
from mantle_iam.collect.organization import service_control_policies
from mantle_iam.collect.sources import PolicySource
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.compare import Inclusion, allows_no_more
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import PolicySet, PolicyType
from mantle_iam.mantle import catalog
from mantle_iam.report.attachment import LAYER_WORDS
from mantle_iam.workflow.attach_effects import SERVICE, Binding, Effects, Named, effects, other_services
from mantle_iam.workflow.managed import document_in_partition, managed_policies

_NOBODY = "000000000000"
"""Stands for any account that has the permission set."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a managed policy of AWS, or documents."""

    managed: str | None = None
    """``read-only``, ``inference`` or ``full``."""
    documents: tuple[InlineChange, ...] = ()
    customer: bool = False
    """The documents become customer managed policies instead of inline ones."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and how to read again what it rests on."""

    plan: Plan
    again: Callable[[], State]


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
    shipped = ManagedChange(found.name, arn, document_in_partition(found.document, partition), found.version)
    if iam is None:
        return shipped, ()
    try:
        document, version = default_version(iam, arn)
    except UndeterminedError as error:
        return shipped, (f"what {found.name} allows is told from its version {found.version}: {error}",)
    return ManagedChange(found.name, arn, document, version), ()


def prepare(
    clients: Clients,
    kind: TargetKind,
    name: str,
    wanted: Wanted,
    *,
    account: str | None = None,
    instance: str | None = None,
) -> Prepared:
    """Read what is there and plan.

    Args:
        account: the one that the target must be in (a key's, an ARN's).
        instance: ARN of the instance of Identity Center, for a permission set.

    Raises:
        InputError: no such target or policy, or the credentials are another account's.
        UndeterminedError: what must be known could not be read.
    """
    names = tuple(document.name for document in wanted.documents)

    def read() -> State:
        if kind is TargetKind.PERMISSION_SET:
            return permission_set.read_permission_set(clients.sso, name, instance=instance)
        inline = frozenset(() if wanted.customer else names)
        return read_target(clients.iam, kind, name, needed=inline, customer=names if wanted.customer else ())

    state = read()
    check_account(state.target, account)
    changes, notes = _changes(clients, state, wanted)
    roles = provisioned(clients, state.target)
    binding = read_binding(clients, state)
    summary: Mapping[str, int] | None = None
    if kind is not TargetKind.PERMISSION_SET:
        summary, note = account_summary(clients.iam)
        notes += (note,) if note else ()
    plan = plan_attachment(state, changes, binding, summary=summary, roles=roles)
    return Prepared(replace(plan, notes=(*plan.notes, *notes)), read)


def provisioned(clients: Clients, target: Target) -> permission_set.Provisioned:
    """The accounts that have the target, when it is a permission set; else none.

    Raises:
        UndeterminedError: they could not be read.
    """
    if target.kind is not TargetKind.PERMISSION_SET:
        return permission_set.Provisioned()
    return permission_set.provisioned(clients.sso, target)


def check_account(target: Target, account: str | None) -> None:
    """Raises ``InputError`` when ``target`` is not in ``account``, the one that was named."""
    if account is not None and target.account and target.account != account:
        raise InputError(
            f"the {target.kind} belongs to account {account}, these AWS credentials to account {target.account}",
            help="use credentials of that account, or --profile",
        )


def _changes(clients: Clients, state: State, wanted: Wanted) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    if wanted.managed is not None:
        change, notes = managed_change(wanted.managed, state.target.partition, clients.iam)
        return (change,), notes
    if state.target.kind is TargetKind.PERMISSION_SET:
        if wanted.customer:
            raise InputError(
                "a permission set only names customer managed policies, which each account must have for itself",
                help="leave --as managed out: the statements go into its inline policy",
            )
        merged = state
        for document in wanted.documents:
            change_ = permission_set.merged(merged, document.document)
            merged = replace(merged, inline=((change_.name, change_.document),))
        return (InlineChange(PERMISSION_SET_INLINE, merged.inline[0][1]),), ()
    if wanted.customer:
        return tuple(CustomerChange(d.name, policy_arn(state.target, d.name), d.document) for d in wanted.documents), ()
    return wanted.documents, ()


def read_binding(clients: Clients, state: State) -> Binding:
    """The policies that bind the target now.  What cannot be read is unknown, never taken for absent."""
    target = state.target
    if target.kind is TargetKind.PERMISSION_SET:
        policies, notes = permission_set.read_permission_set_policies(clients.sso, clients.iam, state)
        role = f"role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_{target.name}_0123456789abcdef"
        principal = str(Arn(target.partition, "iam", "", target.account or _NOBODY, role))
        return Binding(_with_unknown(policies, PolicyType.SCP), principal, notes=notes)
    if target.kind is TargetKind.GROUP:
        return _group_binding(clients, state)
    collected = collect_policies(clients.iam, target.arn, organizations=clients.organizations)
    tags = tuple((f"aws:PrincipalTag/{key}", value) for key, value in collected.tags)
    return Binding(collected.policies, target.arn, tags, collected.notes, _named(collected.sources))


def _group_binding(clients: Clients, state: State) -> Binding:
    target = state.target
    member = str(Arn(target.partition, "iam", "", target.account, "user/any-member"))
    note = "a group's members may have other policies and boundaries of their own, which were not read"
    levels = service_control_policies(clients.organizations, target.account)
    scp = None if levels.documents is None else tuple(tuple(d for _, d in level) for level in levels.documents)
    names = _named(tuple(source for level in levels.documents or () for source, _ in level))
    try:
        identity = read_documents(clients.iam, state)
        policies = PolicySet(identity=identity, scp=scp)
        notes = (note, *levels.notes)
        names += tuple(Named(PolicyType.IDENTITY, i, f"policy `{b.name}`") for i, b in enumerate(state.policies))
    except UndeterminedError as error:
        policies = _with_unknown(PolicySet(scp=scp), PolicyType.IDENTITY)
        notes = (note, str(error), *levels.notes)
    if levels.unknown:
        policies = _with_unknown(policies, PolicyType.SCP)
    return Binding(policies, member, notes=notes, names=names)


def _with_unknown(policies: PolicySet, layer: PolicyType) -> PolicySet:
    return replace(policies, unknown=policies.unknown | {layer})


def _named(sources: tuple[PolicySource, ...]) -> tuple[Named, ...]:
    return tuple(Named(source.policy_type, source.document, str(source), source.level) for source in sources)


def plan_attachment(
    state: State,
    changes: tuple[Change, ...],
    binding: Binding,
    *,
    summary: Mapping[str, int] | None = None,
    roles: permission_set.Provisioned = permission_set.Provisioned(),  # noqa: B008 - it is frozen
) -> Plan:
    """What ``changes`` would do to the target, computed with ``evaluate`` over every action of the service.

    Args:
        summary: the account's quotas, where they could be read.
        roles: the accounts that a permission set is in, so that the change has to be written to them.
    """
    documents = tuple(change.document for change in changes)
    open_ = tuple(change for change in changes if not is_there(state, change))
    added = tuple(change.document for change in open_)
    removed = tuple(document for change in open_ for document in _replaced(state, change))
    found = effects(state.target, binding, added=added, removed=removed) if added else Effects()
    is_set = state.target.kind is TargetKind.PERMISSION_SET
    return Plan(
        state=state,
        changes=changes,
        steps=steps_for(state, changes, provision=roles.needed, behind=bool(roles.outdated)),
        gains=found.gains,
        already=found.already,
        losses=found.losses,
        others=other_services(documents),
        redundant=bool(found.already) and not removed and _is_redundant(added, binding),
        quotas=permission_set.usage(state, changes) if is_set else quotas.usage(state, changes, summary),
        notes=(*state.notes, *binding.notes, *roles.notes, *_notes(state, changes)),
    )


def _replaced(state: State, change: Change) -> tuple[PolicyDocument, ...]:
    """The documents that bind the target no more once ``change`` is made."""
    if isinstance(change, InlineChange):
        previous = state.inline_named(change.name)
        return () if previous is None else (previous,)
    if isinstance(change, CustomerChange) and state.is_attached(change.arn):
        policy = state.customer_named(change.arn)
        return () if policy is None or policy.default is None else (policy.default.document,)
    return ()


def _is_redundant(added: tuple[PolicyDocument, ...], binding: Binding) -> bool:
    """Whether it is proven that all of ``added`` is allowed by what is there."""
    if PolicyType.IDENTITY in binding.policies.unknown:
        return False
    if any(statement.effect is Effect.DENY for document in added for statement in document.statements):
        return False
    actions = tuple(info.name for info in catalog.actions())
    return allows_no_more(added, binding.policies.identity, actions=actions).result is Inclusion.HOLDS


def _notes(state: State, changes: tuple[Change, ...]) -> tuple[str, ...]:
    """What is odd about the documents, and who else gets a new version."""
    notes: list[str] = []
    for change in changes:
        if isinstance(change, ManagedChange):
            continue
        notes += [f"{problem.message} (at {problem.pointer or '/'})" for problem in change.document.problems]
        notes += _unknown_actions(change.document)
        policy = state.customer_named(change.arn) if isinstance(change, CustomerChange) else None
        if policy is not None and policy.versions and not is_there(state, change):
            notes += _shared(state, change.name, policy.attachments - state.is_attached(policy.arn), policy.boundaries)
    return tuple(dict.fromkeys(notes))


def _unknown_actions(document: PolicyDocument) -> list[str]:
    notes = []
    for statement in document.statements:
        for action in (*statement.actions, *statement.not_actions):
            service = action.partition(":")[0].lower()
            if service == SERVICE and not catalog.expand(action):
                near = catalog.nearest_action(action)
                hint = f"; did you mean {near}?" if near else ""
                notes.append(f"{action} is not in the data of {catalog.catalog_date()}{hint}")
    return notes


def _shared(state: State, name: str, elsewhere: int, boundaries: int) -> list[str]:
    notes = []
    if elsewhere > 0:
        notes.append(
            f"the policy {name} is attached to {elsewhere} others than this {state.target.kind}, who get the same"
        )
    if boundaries > 0:
        notes.append(f"the policy {name} is the permissions boundary of {boundaries} users or roles")
    return notes


def refusal(plan: Plan, *, force: bool = False) -> Outcome | None:
    """Why ``plan`` is not to be applied, if it is not.

    ``force``: go on where something else refuses all that the policies grant, or all of it is allowed already.
    """
    if not plan.needed:
        return Outcome(Status.NOTHING_TO_DO, "it is there already")
    if plan.redundant and not force:
        return Outcome(
            Status.NOTHING_TO_DO, "what it would allow is allowed by other policies already (--force attaches it)"
        )
    over = [one for one in plan.quotas if one.over]
    if over:
        words = "; ".join(f"{one.used} {one.what}, of which {one.limit} may be" for one in over)
        return Outcome(Status.OVER_QUOTA, f"it would be over a quota: {words}")
    if plan.futile and not force:
        layers = dict.fromkeys(layer for gain in plan.gains for layer in gain.depends_on)
        by = dict.fromkeys(name for gain in plan.gains for name in gain.by)
        named = f" ({', '.join(by)})" if by else ""
        words = ", ".join(LAYER_WORDS.get(layer, layer) for layer in layers)
        return Outcome(Status.FUTILE, f"everything that it grants would still be refused by {words}{named}")
    return None
