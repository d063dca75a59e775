"""How an attachment, or taking one back, ended.  Records only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.attach.calls import Step
from mantle_iam.errors import MantleIamError
from mantle_iam.iam.policy import PolicyDocument


class Status(StrEnum):
    """How it ended."""

    PLANNED = "planned"
    """Only the plan was asked for."""
    NOTHING_TO_DO = "nothing-to-do"
    FUTILE = "futile"
    """Not done: something else would refuse everything that the policies grant."""
    OVER_QUOTA = "over-quota"
    """Not done: AWS would refuse it."""
    CONFLICT = "conflict"
    """Not taken back: somebody changed it since."""
    DECLINED = "declined"
    """Not done: the answer to the question was no."""
    CHANGED_MEANWHILE = "changed-meanwhile"
    """Not done: what the plan rests on was changed while the question was open."""
    DONE = "done"
    FAILED = "failed"
    """Nothing was changed."""
    PARTLY_DONE = "partly-done"
    UNSURE = "unsure"
    """The answer to a call is missing, so that it may have been made."""


class Verified(StrEnum):
    """Whether the refusal is gone."""

    GONE = "gone"
    STILL_REFUSED = "still-refused"
    """AWS has not put it in force within the time, or something else refuses."""
    UNDECIDED = "undecided"
    """No answer told."""
    NOT_TRIED = "not-tried"
    """No credential of the target is at hand, or nothing that the policies allow can be tried safely."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How far it came."""

    done: tuple[Step, ...] = ()
    failed: Step | None = None
    rest: tuple[Step, ...] = ()
    """Steps after ``failed`` that were not begun."""
    error: MantleIamError | None = None
    unsure: bool = False
    """Whether ``failed`` may have taken effect all the same."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Verification:
    """What the live calls after the change said."""

    result: Verified
    reason: str
    """One sentence without a full stop; what the last answer was."""
    attempts: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, and what to do now."""

    status: Status
    reason: str = ""
    """One sentence without a full stop, where the status does not say it."""
    applied: Applied = field(default_factory=Applied)
    undo_file: str | None = None
    """Path of the undo file; ``None`` where none was written or nothing needs taking back."""
    missing: tuple[str, ...] = ()
    """IAM actions that the AWS credentials lack or will need for the rest."""
    rights: PolicyDocument | None = None
    """A policy with these actions."""
    verification: Verification | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 done, 1 refused, 3 not known."""
        if self.status is Status.UNSURE:
            return 3
        if self.status in (Status.FAILED, Status.PARTLY_DONE):
            return self.applied.error.exit_code if self.applied.error is not None else 3
        if self.status is Status.DONE:
            told = self.verification is None or self.verification.result in (Verified.GONE, Verified.NOT_TRIED)
            return 0 if told else 3
        return 0 if self.status in (Status.PLANNED, Status.NOTHING_TO_DO) else 1
