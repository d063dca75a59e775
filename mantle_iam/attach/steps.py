"""From changes to the calls that make them, given what is there.  Decides what is needed and in which order; sends nothing.

Order: a customer managed policy has its text before it is attached; the least that can go wrong comes first.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html (versions),
https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetsconcept.html (provisioning)
"""

from __future__ import annotations

from collections.abc import Iterator

from mantle_iam.attach import calls
from mantle_iam.attach.calls import Step
from mantle_iam.attach.plan import (
    Change,
    CustomerChange,
    CustomerPolicy,
    InlineChange,
    ManagedChange,
    PolicyVersion,
    State,
    TargetKind,
)
from mantle_iam.iam.policy import PolicyDocument

VERSIONS_PER_POLICY = 5
"""AWS's fixed limit: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def same_text(one: PolicyDocument | None, other: PolicyDocument | None) -> bool:
    """Whether two documents say the same in the same words; ``Id`` and what was odd about their text left aside."""
    if one is None or other is None:
        return one is other
    return (one.version, one.statements) == (other.version, other.statements)


def is_there(state: State, change: Change) -> bool:
    """Whether the target has it already."""
    if isinstance(change, InlineChange):
        return same_text(state.inline_named(change.name), change.document)
    if isinstance(change, CustomerChange):
        found = state.customer_named(change.arn)
        in_force = found.default if found else None
        return in_force is not None and same_text(in_force.document, change.document) and state.is_attached(change.arn)
    return state.is_attached(change.arn)


def steps_for(
    state: State, changes: tuple[Change, ...], *, provision: bool = True, behind: bool = False
) -> tuple[Step, ...]:
    """The calls that make ``changes``; none for what is there already.

    ``provision``: whether a permission set is to be written into the accounts that have it; ``behind``: whether an earlier
    change of it still is.
    """
    steps = tuple(step for change in changes for step in _steps_of(state, change))
    return (*steps, *finish(state, provision=(bool(steps) and provision) or behind))


def finish(state: State, *, provision: bool) -> tuple[Step, ...]:
    """What ends a change of a permission set."""
    if state.target.kind is not TargetKind.PERMISSION_SET or not provision:
        return ()
    return (Step("provision the permission set to the accounts that have it", calls.provision(state.target)),)


def _steps_of(state: State, change: Change) -> Iterator[Step]:
    if is_there(state, change):
        return
    target = state.target
    if isinstance(change, InlineChange):
        verb = "put" if state.inline_named(change.name) is None else "replace"
        what = "the inline policy" if target.kind is TargetKind.PERMISSION_SET else f"inline policy {change.name}"
        yield Step(f"{verb} {what}", calls.put_inline(target, change.name, change.document))
        return
    if isinstance(change, CustomerChange):
        yield from _text_steps(state.customer_named(change.arn), change)
    if isinstance(change, ManagedChange) or not state.is_attached(change.arn):
        yield Step(f"attach {change.name}", calls.attach_managed(target, change.arn))


def _text_steps(found: CustomerPolicy | None, change: CustomerChange) -> Iterator[Step]:
    """Create the policy, or put the text in force in the one that there is."""
    if found is None or found.default is None:
        yield Step(f"create policy {change.name}", calls.create_policy(change.name, change.document))
        return
    if same_text(found.default.document, change.document):
        return
    there = next((v for v in found.versions if same_text(v.document, change.document)), None)
    if there is not None:
        yield Step(f"put version {there.id} of {change.name} in force", calls.set_default(change.arn, there.id))
        return
    oldest = version_to_delete(found)
    if oldest is not None:
        yield Step(f"delete version {oldest.id} of {change.name}", calls.delete_version(change.arn, oldest.id))
    yield Step(
        f"put a new version of {change.name} in force",
        calls.create_version(change.arn, change.document, default=True),
    )


def version_to_delete(policy: CustomerPolicy) -> PolicyVersion | None:
    """The version that has to go before there is room for another: the oldest that is not in force; ``None`` if there is room."""
    if len(policy.versions) < VERSIONS_PER_POLICY:
        return None
    return next((version for version in policy.versions if not version.is_default), None)
