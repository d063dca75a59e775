"""What attaching policies would do: the target, its present state, the changes, what becomes of each action.

Records only: nothing here reads or changes anything, or imports a client.  ``steps.py`` turns a state and changes into calls.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_manage-attach-detach.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.attach.calls import Step
from mantle_iam.attach.target import Target, TargetKind
from mantle_iam.iam.policy import PolicyDocument

__all__ = [
    "ActionGain", "Bound", "Change", "CustomerChange", "CustomerPolicy", "Gain", "InlineChange", "ManagedChange", "Plan",
    "PolicyVersion", "State", "Step", "Target", "TargetKind", "Usage", "managed_arn",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ManagedChange:
    """Attach a managed policy that exists."""

    name: str
    arn: str
    document: PolicyDocument
    version: str
    """Version whose text ``document`` is."""


@dataclass(frozen=True, slots=True)
class InlineChange:
    """Put a document as the inline policy ``name``.

    A permission set has only one inline policy, named ``PERMISSION_SET_INLINE``: its document is the merged one.
    """

    name: str
    document: PolicyDocument


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """Have a customer managed policy ``name`` with this document (created, or given a new version), and attach it."""

    name: str
    arn: str
    document: PolicyDocument


Change = ManagedChange | InlineChange | CustomerChange

PERMISSION_SET_INLINE = "inline"
"""Stands for the one inline policy of a permission set, which has no name."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A policy that is on the target now; ``arn`` is ``None`` for an inline one."""

    name: str
    arn: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A version of a customer managed policy."""

    id: str
    is_default: bool
    document: PolicyDocument


@dataclass(frozen=True, slots=True)
class CustomerPolicy:
    """A customer managed policy as it is now."""

    name: str
    arn: str
    versions: tuple[PolicyVersion, ...] = ()
    """Oldest first; none when there is no such policy."""
    attachments: int = 0
    """Users, groups and roles that it is attached to."""
    boundaries: int = 0
    """Users and roles of which it is the permissions boundary."""

    @property
    def default(self) -> PolicyVersion | None:
        """The version in force."""
        return next((version for version in self.versions if version.is_default), None)


@dataclass(frozen=True, slots=True)
class State:
    """What AWS says of the target now: all that a plan rests on.  Two are equal when nothing was changed between them."""

    target: Target
    policies: tuple[Bound, ...]
    inline: tuple[tuple[str, PolicyDocument], ...] = ()
    """Inline policies by name, those that could be read."""
    customer: tuple[CustomerPolicy, ...] = ()
    """The customer managed policies that changes name."""
    notes: tuple[str, ...] = ()
    """What could not be read and why; what else there is to know of the target."""

    def inline_named(self, name: str) -> PolicyDocument | None:
        """The inline policy ``name``."""
        return next((document for found, document in self.inline if found == name), None)

    def customer_named(self, arn: str) -> CustomerPolicy | None:
        """The customer managed policy with this ARN."""
        return next((policy for policy in self.customer if policy.arn == arn), None)

    def is_attached(self, arn: str) -> bool:
        """Whether the managed policy is attached."""
        return any(bound.arn == arn for bound in self.policies)


class Gain(StrEnum):
    """What becomes of an action."""

    ALLOWED = "allowed"
    """Becomes allowed."""
    CONDITIONAL = "conditional"
    """Becomes allowed where a condition holds."""
    WITHHELD = "withheld"
    """The policy grants it, and another layer or a Deny still refuses it."""
    UNKNOWN = "unknown"
    """The policy grants it, and a layer that could not be read may refuse it."""


@dataclass(frozen=True, slots=True)
class ActionGain:
    """One action that the policy concerns and that was not allowed before."""

    action: str
    gain: Gain
    depends_on: tuple[str, ...] = ()
    """Context keys or layers, for ``CONDITIONAL`` and ``UNKNOWN``; the layers that refuse, for ``WITHHELD``."""
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For ``CONDITIONAL``: context keys with values, any of which is enough; empty when the policy does not list such values."""
    by: tuple[str, ...] = ()
    """For ``WITHHELD``: the policies that deny, in words."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One quota: how much of it is used when the plan is applied."""

    what: str
    """In words: ``managed policies attached to a user``."""
    used: int
    limit: int
    known: bool = True
    """Whether the limit is the account's own, or AWS's default because it could not be read."""
    adjustable: bool = False
    now: int = 0
    """How much is used before."""

    @property
    def over(self) -> bool:
        """Whether it is certain that AWS would refuse."""
        return self.used > self.limit and self.used > self.now and (self.known or not self.adjustable)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to know before it is applied.  ``steps`` are exactly the calls that will be made."""

    state: State
    changes: tuple[Change, ...]
    steps: tuple[Step, ...] = ()
    gains: tuple[ActionGain, ...] = ()
    already: tuple[str, ...] = ()
    """Actions that the policies grant and that were allowed before."""
    losses: tuple[str, ...] = ()
    """Actions that were allowed and are so no more: a policy is replaced, or the new one denies."""
    others: tuple[str, ...] = ()
    """Action patterns of other services that the policies allow."""
    redundant: bool = False
    """Proven: what the policies allow is allowed already, so that they would change nothing."""
    quotas: tuple[Usage, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def target(self) -> Target:
        """The target."""
        return self.state.target

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.steps)

    @property
    def idle(self) -> bool:
        """Whether documents are put that neither allow nor take away anything."""
        makes = any(not step.call.operation.startswith("Provision") for step in self.steps)
        return makes and not (self.gains or self.already or self.losses or self.others)

    @property
    def futile(self) -> bool:
        """Whether something else refuses everything that the policies grant."""
        return (
            self.needed and bool(self.gains) and not self.already and all(g.gain is Gain.WITHHELD for g in self.gains)
        )


def managed_arn(arn: str, partition: str) -> str:
    """The ARN of a managed policy of AWS in ``partition``."""
    return arn.replace("arn:aws:", f"arn:{partition}:", 1)
