"""The change itself: read again, write the undo file, make the calls, read whether it is there; and taking one back.

Never asks anybody: whether to go on was the caller's question.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from mantle_iam.attach import permission_set
from mantle_iam.attach.apply import Clients, Progress, Sleep, apply
from mantle_iam.attach.calls import Call, Step
from mantle_iam.attach.failure import DeniedChangeError
from mantle_iam.attach.names import target_name
from mantle_iam.attach.outcome import Applied, Outcome, Status
from mantle_iam.attach.plan import State, Target, TargetKind
from mantle_iam.attach.read import default_version, policy_arn, read_target
from mantle_iam.attach.rights import rights_of_calls
from mantle_iam.attach.steps import is_there
from mantle_iam.attach.undo import UndoPlan, plan_undo
from mantle_iam.attach.undo_file import undo_file_name, undo_text, write_new
from mantle_iam.attach.undo_records import DetachBack, InlineBack, PolicyBack, Undo, undo_of
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.workflow.attach import Prepared, provisioned, read_binding
from mantle_iam.workflow.attach_effects import effects

_READ_AGAIN = (0.0, 0.5, 1.0, 2.0)
"""Seconds before what was just changed is read again: IAM is eventually consistent."""


@dataclass(frozen=True, slots=True)
class PreparedUndo:
    """How to take something back, and how to read again what that rests on."""

    plan: UndoPlan
    again: Callable[[], State]


def attach(
    clients: Clients,
    prepared: Prepared,
    undo_file: str | None,
    now: datetime,
    *,
    sleep: Sleep = time.sleep,
    progress: Progress = lambda _: None,
    written: Progress = lambda _: None,
) -> Outcome:
    """Do what the plan says, if what it rests on still holds.

    Args:
        undo_file: where to write how to take it back; a new file in this folder when left out.
        written: is told the path of the undo file before anything is changed.

    Raises:
        InputError: the undo file cannot be written; then nothing was changed.
        UndeterminedError: it could not be read again; then nothing was changed.
    """
    plan = prepared.plan
    if prepared.again() != plan.state:
        return _changed_meanwhile(plan.target)
    undo = undo_of(plan, now)
    # Only to write an earlier change to the accounts leaves nothing to take back.
    path = write_new(undo_text(undo), undo_file, undo_file_name(plan.target)) if undo.changes else None
    file = None if path is None else str(path)
    if file is not None:
        written(file)
    applied = apply(clients, plan.target, plan.steps, sleep=sleep, progress=progress)
    if applied.error is not None and not applied.done and not applied.unsure:
        if path is not None:
            path.unlink(missing_ok=True)
        return _failed(plan.target, applied, None)
    if applied.error is not None:
        return _failed(plan.target, applied, file)
    notes = _read_back(prepared, sleep)
    return Outcome(Status.DONE, applied=applied, undo_file=file, notes=notes)


def _changed_meanwhile(target: Target) -> Outcome:
    reason = f"somebody changed the {target.kind} meanwhile, so that the plan does not hold; nothing was done"
    return Outcome(Status.CHANGED_MEANWHILE, reason)


def _failed(target: Target, applied: Applied, undo_file: str | None) -> Outcome:
    """What was done, what was not, and which rights the rest needs."""
    status = Status.PARTLY_DONE if applied.done else Status.FAILED
    if applied.unsure:
        status = Status.UNSURE
    reason = applied.error.message if applied.error is not None else ""
    if not isinstance(applied.error, DeniedChangeError) or applied.failed is None:
        return Outcome(status, reason, applied, undo_file)
    open_ = _calls((applied.failed, *applied.rest))
    missing = tuple(dict.fromkeys(call.action for call in open_))
    try:
        rights = rights_of_calls(target, open_)
        missing = tuple(dict.fromkeys(action for statement in rights.statements for action in statement.actions))
    except UndeterminedError:
        # That the policy for it is not proven must not hide what happened.
        rights = None
    return Outcome(status, reason, applied, undo_file, missing, rights)


def _calls(steps: tuple[Step, ...]) -> tuple[Call, ...]:
    return tuple(step.call for step in steps)


def _read_back(prepared: Prepared, sleep: Sleep) -> tuple[str, ...]:
    """Read until everything is there, a few times; a note where it is not yet, or cannot be read."""
    changes = prepared.plan.changes
    for pause in _READ_AGAIN:
        if pause:
            sleep(pause)
        try:
            state = prepared.again()
        except (UndeterminedError, InputError) as error:
            return (f"it was done, and could not be read back: {error}",)
        if all(is_there(state, change) for change in changes):
            return ()
    return ("it was done, and does not show yet when it is read back",)


# Taking back


def prepare_undo(clients: Clients, undo: Undo) -> PreparedUndo:
    """Read what is there and plan the way back.

    Raises:
        InputError: the target is gone, or is not the one that the file is about.
        UndeterminedError: what must be known could not be read.
    """
    target = undo.target
    inline = frozenset(back.name for back in undo.changes if isinstance(back, InlineBack))
    customer = tuple(
        dict.fromkeys(
            back.arn
            for back in undo.changes
            if isinstance(back, PolicyBack) or (isinstance(back, DetachBack) and ":iam::aws:" not in back.arn)
        )
    )

    def read() -> State:
        if target.kind is TargetKind.PERMISSION_SET:
            return permission_set.read_permission_set(clients.sso, target.arn, instance=target.instance_arn)
        name, _ = target_name(target.kind, target.name)
        return read_target(clients.iam, target.kind, name, needed=inline, customer=customer)

    _check_policies(undo)
    state = read()
    if state.target.arn != target.arn:
        raise InputError(
            f"the undo file is about `{target.arn}`, these AWS credentials see `{state.target.arn}`",
            help="use credentials of that account, or --profile; one that was made anew is not the same",
        )
    roles = provisioned(clients, state.target)
    plan = plan_undo(undo, state, provision=roles.needed, behind=bool(roles.outdated))
    plan = replace(plan, notes=(*plan.notes, *roles.notes))
    return PreparedUndo(_with_effects(clients, plan), read)


def _check_policies(undo: Undo) -> None:
    """Raises ``InputError`` for a policy of another account than the target's: no attachment of ours wrote that."""
    target = undo.target
    for back in undo.changes:
        if isinstance(back, PolicyBack) and back.arn != policy_arn(target, back.name):
            raise InputError(f"the undo file names the policy `{back.arn}`, which is not one of {target}")


def _with_effects(clients: Clients, plan: UndoPlan) -> UndoPlan:
    """The plan with what becomes of the actions."""
    if not plan.steps:
        return plan
    binding = read_binding(clients, plan.state)
    removed, notes = list(plan.removed), list(binding.notes)
    for step in plan.steps:
        arn = step.call.parameter("PolicyArn") or step.call.parameter("ManagedPolicyArn")
        if step.call.operation.startswith("Detach") and plan.state.customer_named(arn) is None:
            try:
                removed.append(default_version(clients.iam, arn)[0])
            except (UndeterminedError, InputError) as error:
                notes.append(f"what is lost with {arn} could not be told: {error}")
    found = effects(plan.state.target, binding, added=plan.added, removed=tuple(removed))
    return replace(plan, losses=found.losses, gains=found.freed, notes=(*plan.notes, *notes))


def undo_refusal(plan: UndoPlan) -> Outcome | None:
    """Why ``plan`` is not to be applied, if it is not."""
    if plan.conflicts:
        return Outcome(Status.CONFLICT, "; ".join(plan.conflicts))
    if not plan.steps:
        return Outcome(Status.NOTHING_TO_DO, "it is taken back already")
    return None


def take_back(
    clients: Clients,
    prepared: PreparedUndo,
    *,
    sleep: Sleep = time.sleep,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Take back what the plan says, if what it rests on still holds.

    Raises:
        UndeterminedError: it could not be read again; then nothing was changed.
    """
    plan = prepared.plan
    if prepared.again() != plan.state:
        return _changed_meanwhile(plan.state.target)
    applied = apply(clients, plan.state.target, plan.steps, sleep=sleep, progress=progress)
    if applied.error is not None:
        return _failed(plan.state.target, applied, None)
    return Outcome(Status.DONE, applied=applied)
