"""The record of a proposed fix.  Made by ``workflow/fix.py``; nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mantle_iam.diagnose.diagnosis import Confidence
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import Decision, PolicyType
from mantle_iam.mantle.operations import Source


class TargetKind(StrEnum):
    """What a policy can be attached to, or which kind of policy is edited."""

    USER = "user"
    ROLE = "role"
    PERMISSION_SET = "permission-set"
    """IAM Identity Center writes the role; edits go to the permission set."""


@dataclass(frozen=True, slots=True)
class Target:
    """The identity that a policy goes to."""

    kind: TargetKind
    name: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a permission is in the policy."""

    statement: int
    """Index into the document's statements."""
    action: str
    resource: str
    why: str
    observed: bool
    """A refusal names it; else it is known from the call that was made."""
    source: Source = Source.DOC
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Statements to add to the policies of one layer.

    For ``PolicyType.IDENTITY`` the document is a policy by itself; for any other layer its statements go *into* the policy
    that is there, since those layers only limit.
    """

    policy_type: PolicyType
    document: PolicyDocument
    reasons: tuple[Reason, ...]
    target: Target | None = None
    commands: tuple[str, ...] = ()
    """Command lines that apply it, safely quoted, given the document as the file ``POLICY_FILE``."""


POLICY_FILE = "mantle-iam-policy.json"
"""Name under which the commands expect the document."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A layer whose deny would still win, so that no policy is offered."""

    policy_type: PolicyType | None
    effect: str
    """``explicit`` or ``implicit``."""
    actions: tuple[str, ...]
    policy: str | None = None
    """ARN or name of the policy that denies, where it is known."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What ``evaluate()`` answers with the changes applied.

    ``decision`` is ``allowed`` when every refused request is, with all the policies that bind the principal; ``unknown`` when
    the changes do suffice and only what could not be read (``depends_on``: layers and context keys) may still refuse.
    """

    decision: Decision
    depends_on: tuple[str, ...] = ()
    requests: int = 0
    """How many authorization requests were evaluated."""
    policies_read: bool = False
    """Whether the principal's own policies took part."""


@dataclass(frozen=True, slots=True)
class ManagedAlternative:
    """The narrowest managed policy of AWS that covers everything wanted, and what more it gives."""

    name: str
    arn: str
    version: str
    gives: tuple[str, ...]
    """Action patterns of its Allow statements."""
    resources: tuple[str, ...]
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """What would end the refusal: changes, or the layers that make any change useless."""

    changes: tuple[Change, ...] = ()
    confidence: Confidence = Confidence.CONCLUSIVE
    """The best of the diagnoses that it rests on."""
    proof: Proof | None = None
    blocked_by: tuple[Blocker, ...] = ()
    managed: ManagedAlternative | None = None
    notes: tuple[str, ...] = ()
