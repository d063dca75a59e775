"""What an attachment changes, recorded so that it can be taken back: records, and the calls that take back all of it.

Both what was there and what is put in its place are held, so that taking back can see whether somebody changed it since.
``undo_file.py`` writes and reads them; ``undo.py`` compares them with what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mantle_iam.attach import calls
from mantle_iam.attach.calls import Call
from mantle_iam.attach.plan import Bound, CustomerChange, InlineChange, Plan, PolicyVersion
from mantle_iam.attach.steps import is_there, version_to_delete
from mantle_iam.attach.target import Target
from mantle_iam.iam.policy import PolicyDocument


@dataclass(frozen=True, slots=True)
class InlineBack:
    """An inline policy that was put or replaced."""

    name: str
    before: PolicyDocument | None
    """``None``: there was none."""
    after: PolicyDocument | None
    """What was put; ``None`` in a file of version 1, which does not say."""


@dataclass(frozen=True, slots=True)
class DetachBack:
    """A managed policy that was attached."""

    name: str
    arn: str


@dataclass(frozen=True, slots=True)
class PolicyBack:
    """A customer managed policy that was created or given another text."""

    name: str
    arn: str
    after: PolicyDocument
    default: PolicyVersion | None = None
    """Version that was in force; ``None``: there was no such policy."""
    versions: tuple[str, ...] = ()
    """Ids of the versions that there were."""
    deleted: PolicyVersion | None = None
    """Version that had to go to make room."""


Back = InlineBack | DetachBack | PolicyBack


@dataclass(frozen=True, slots=True)
class Undo:
    """What an attachment changed, in the order in which it did."""

    target: Target
    written_at: str
    before: tuple[Bound, ...]
    changes: tuple[Back, ...]


def undo_of(plan: Plan, now: datetime) -> Undo:
    """How to take ``plan`` back; written before it is applied, so that it holds for any part of it."""
    state = plan.state
    changes: list[Back] = []
    for change in plan.changes:
        if is_there(state, change):
            continue
        if isinstance(change, InlineChange):
            changes.append(InlineBack(change.name, state.inline_named(change.name), change.document))
            continue
        if isinstance(change, CustomerChange) and any(
            step.call.service == calls.IAM and _concerns(step.call, change) for step in plan.steps
        ):
            changes.append(_policy_back(plan, change))
        if not state.is_attached(change.arn):
            changes.append(DetachBack(change.name, change.arn))
    return Undo(plan.target, now.isoformat(timespec="seconds"), state.policies, tuple(changes))


def _concerns(call: Call, change: CustomerChange) -> bool:
    """Whether ``call`` changes the policy itself, not only where it is attached."""
    if call.operation == "CreatePolicy":
        return call.parameter("PolicyName") == change.name
    return "PolicyVersion" in call.operation and call.parameter("PolicyArn") == change.arn


def _policy_back(plan: Plan, change: CustomerChange) -> PolicyBack:
    found = plan.state.customer_named(change.arn)
    if found is None or found.default is None:
        return PolicyBack(change.name, change.arn, change.document)
    deletes = any(step.call.operation == "DeletePolicyVersion" and _concerns(step.call, change) for step in plan.steps)
    return PolicyBack(
        change.name,
        change.arn,
        change.document,
        found.default,
        tuple(version.id for version in found.versions),
        version_to_delete(found) if deletes else None,
    )


def undo_calls(undo: Undo) -> tuple[Call, ...]:
    """The calls that take back everything, the last change first.

    The version that a policy was given is not deleted here: its id is not known before it is made.
    """
    found: list[Call] = []
    for back in reversed(undo.changes):
        if isinstance(back, DetachBack):
            found.append(calls.detach_managed(undo.target, back.arn))
        elif isinstance(back, InlineBack):
            found.append(
                calls.put_inline(undo.target, back.name, back.before)
                if back.before is not None
                else calls.delete_inline(undo.target, back.name)
            )
        elif back.default is None:
            found.append(calls.delete_policy(back.arn))
        else:
            found.append(calls.set_default(back.arn, back.default.id))
    return tuple(found)
