"""The way back: from an undo file and what is there now to the calls that take the attachment back.

What was not made, or was taken back already, needs nothing; what somebody changed since is a conflict, and nothing is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mantle_iam.attach import calls
from mantle_iam.attach.calls import Step
from mantle_iam.attach.plan import CustomerPolicy, PolicyVersion, State
from mantle_iam.attach.steps import VERSIONS_PER_POLICY, finish, same_text
from mantle_iam.attach.undo_records import DetachBack, InlineBack, PolicyBack, Undo
from mantle_iam.iam.policy import PolicyDocument


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """Everything to know before an attachment is taken back."""

    state: State
    undo: Undo
    steps: tuple[Step, ...] = ()
    conflicts: tuple[str, ...] = ()
    """What somebody changed since, in words; while there is one, nothing is done."""
    removed: tuple[PolicyDocument, ...] = ()
    """Documents that bind the target no more."""
    added: tuple[PolicyDocument, ...] = ()
    """Documents that bind it again."""
    losses: tuple[str, ...] = ()
    """Actions that become refused."""
    gains: tuple[str, ...] = ()
    """Actions that become allowed again: a policy that denied them goes, or one that allowed them comes back."""
    notes: tuple[str, ...] = field(default=())


@dataclass(slots=True)
class _Way:
    """The plan while it is being made."""

    state: State
    undo: Undo
    steps: list[Step] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    removed: list[PolicyDocument] = field(default_factory=list)
    added: list[PolicyDocument] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_undo(undo: Undo, state: State, *, provision: bool = True, behind: bool = False) -> UndoPlan:
    """What takes ``undo`` back, given the present state; ``provision`` and ``behind`` as in ``steps_for``."""
    way = _Way(state, undo)
    for back in reversed(undo.changes):
        if isinstance(back, DetachBack):
            _detach(way, back)
        elif isinstance(back, InlineBack):
            _inline(way, back)
        else:
            _policy(way, back)
    way.steps.extend(finish(state, provision=(bool(way.steps) and provision) or behind))
    steps = () if way.conflicts else tuple(way.steps)
    return UndoPlan(
        state,
        undo,
        steps,
        tuple(way.conflicts),
        tuple(way.removed),
        tuple(way.added),
        notes=(*state.notes, *way.notes),
    )


def _detach(way: _Way, back: DetachBack) -> None:
    if not way.state.is_attached(back.arn):
        return
    way.steps.append(Step(f"detach {back.name}", calls.detach_managed(way.state.target, back.arn)))
    policy = way.state.customer_named(back.arn)
    if policy is not None and policy.default is not None:
        way.removed.append(policy.default.document)


def _inline(way: _Way, back: InlineBack) -> None:
    target = way.state.target
    now = way.state.inline_named(back.name)
    there = any(bound.arn is None and bound.name == back.name for bound in way.state.policies)
    if same_text(now, back.before) and (now is not None or not there):
        return
    if back.after is not None and not same_text(now, back.after):
        what = "was removed" if now is None else "was given another text"
        way.conflicts.append(f"the inline policy {back.name} {what} since")
        return
    if back.after is None:
        way.notes.append(f"the undo file is of version 1: whether {back.name} was changed since cannot be told")
    if now is not None:
        way.removed.append(now)
    if back.before is None:
        way.steps.append(Step(f"delete inline policy {back.name}", calls.delete_inline(target, back.name)))
        return
    way.added.append(back.before)
    words = f"put inline policy {back.name} as it was before"
    way.steps.append(Step(words, calls.put_inline(target, back.name, back.before)))


def _policy(way: _Way, back: PolicyBack) -> None:
    found = way.state.customer_named(back.arn)
    if found is None or found.default is None:
        if back.default is not None:
            way.conflicts.append(f"the policy {back.name} was deleted since")
        return
    if back.default is None:
        _created(way, back, found)
    else:
        _another_version(way, back, found, back.default)


def _created(way: _Way, back: PolicyBack, found: CustomerPolicy) -> None:
    if len(found.versions) > 1 or not same_text(found.versions[0].document, back.after):
        way.conflicts.append(f"the policy {back.name} was given another text since")
        return
    # What another change of the same file attached is detached before.
    ours = any(step.call.parameter("PolicyArn") == back.arn for step in way.steps)
    elsewhere = found.attachments - ours + found.boundaries
    if elsewhere > 0:
        way.notes.append(f"the policy {back.name} stays: it is in use in {elsewhere} other places")
        return
    way.steps.append(Step(f"delete policy {back.name}", calls.delete_policy(back.arn)))


def _another_version(way: _Way, back: PolicyBack, found: CustomerPolicy, before: PolicyVersion) -> None:
    in_force = found.default
    if in_force is None:
        return
    ours = [v for v in found.versions if v.id not in back.versions and same_text(v.document, back.after)]
    if in_force.id != before.id and not same_text(in_force.document, back.after):
        way.conflicts.append(f"the policy {back.name} was given another text since (version {in_force.id})")
        return
    if in_force.id != before.id:
        if all(version.id != before.id for version in found.versions):
            way.conflicts.append(f"version {before.id} of the policy {back.name} was deleted since")
            return
        way.removed.append(in_force.document)
        way.added.append(before.document)
        words = f"put version {before.id} of {back.name} in force again"
        way.steps.append(Step(words, calls.set_default(back.arn, before.id)))
    for version in ours:
        words = f"delete version {version.id} of {back.name}"
        way.steps.append(Step(words, calls.delete_version(back.arn, version.id)))
    _bring_back(way, back, [version for version in found.versions if version not in ours])


def _bring_back(way: _Way, back: PolicyBack, kept: list[PolicyVersion]) -> None:
    """The version that had to go to make room."""
    gone = back.deleted
    if gone is None or any(v.id == gone.id or same_text(v.document, gone.document) for v in kept):
        return
    if len(kept) >= VERSIONS_PER_POLICY:
        way.notes.append(f"version {gone.id} of {back.name} does not come back: there is no room for it")
        return
    words = f"bring back the text of version {gone.id} of {back.name}, under a new id"
    way.steps.append(Step(words, calls.create_version(back.arn, gone.document, default=False)))
