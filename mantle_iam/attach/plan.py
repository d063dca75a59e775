"""What attaching a policy would do: records, the command lines that do and undo it, and the undo file.

Nothing here reads or changes anything, or imports a client.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_manage-attach-detach.html
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mantle_iam.iam.grammar import policy_json, write_policy
from mantle_iam.iam.policy import PolicyDocument

UNDO_SCHEMA = "1"


class TargetKind(StrEnum):
    """What a policy can be attached to, in IAM's words."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Target:
    """The user, role or group that gets the policy, as IAM knows it."""

    kind: TargetKind
    name: str
    arn: str
    account: str
    partition: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} (account {self.account})"


@dataclass(frozen=True, slots=True)
class ManagedChange:
    """Attach a managed policy."""

    name: str
    arn: str
    document: PolicyDocument
    version: str
    """Version whose text ``document`` is."""


@dataclass(frozen=True, slots=True)
class InlineChange:
    """Put a document as the inline policy ``name``."""

    name: str
    document: PolicyDocument


Change = ManagedChange | InlineChange


@dataclass(frozen=True, slots=True)
class Bound:
    """A policy that is on the target now; ``arn`` is ``None`` for an inline one."""

    name: str
    arn: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What IAM says of the target now."""

    target: Target
    policies: tuple[Bound, ...]
    previous: PolicyDocument | None = None
    """The inline policy that the change would replace."""


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to know before it is applied."""

    state: State
    change: Change
    needed: bool
    """Whether there is anything to do."""
    gains: tuple[ActionGain, ...] = ()
    already: tuple[str, ...] = ()
    """Actions that the policy grants and that were allowed before."""
    losses: tuple[str, ...] = ()
    """Actions that were allowed and are so no more: a policy is replaced, or the new one denies."""
    others: tuple[str, ...] = ()
    """Action patterns of other services that the policy allows."""
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """The target."""
        return self.state.target


def managed_arn(arn: str, partition: str) -> str:
    """The ARN of a managed policy of AWS in ``partition``."""
    return arn.replace("arn:aws:", f"arn:{partition}:", 1)


def apply_command(plan: Plan) -> str:
    """The AWS CLI line that does the same."""
    kind, name = plan.target.kind, plan.target.name
    if isinstance(plan.change, ManagedChange):
        return _aws(f"attach-{kind}-policy", (f"{kind}-name", name), ("policy-arn", plan.change.arn))
    return _put(kind, name, plan.change.name, plan.change.document)


def undo_command(plan: Plan) -> str:
    """The AWS CLI line that puts things back as they are now."""
    kind, name = plan.target.kind, plan.target.name
    if isinstance(plan.change, ManagedChange):
        return _aws(f"detach-{kind}-policy", (f"{kind}-name", name), ("policy-arn", plan.change.arn))
    if plan.state.previous is not None:
        return _put(kind, name, plan.change.name, plan.state.previous)
    return _aws(f"delete-{kind}-policy", (f"{kind}-name", name), ("policy-name", plan.change.name))


def _put(kind: str, owner: str, name: str, document: PolicyDocument) -> str:
    text = policy_json(document, indent=None)
    return _aws(f"put-{kind}-policy", (f"{kind}-name", owner), ("policy-name", name), ("policy-document", text))


def _aws(command: str, *options: tuple[str, str]) -> str:
    words = ["aws", "iam", command]
    for option, value in options:
        # `--name=-x` cannot be taken for an option of its own.
        words.extend([f"--{option}={value}"] if value.startswith("-") else [f"--{option}", value])
    return shlex.join(words)


def undo_document(plan: Plan, now: datetime) -> dict[str, Any]:
    """The undo file: what was there before, and how to put it back."""
    change = plan.change
    undo: dict[str, Any]
    if isinstance(change, ManagedChange):
        undo = {"operation": f"Detach{plan.target.kind.title()}Policy", "policy_arn": change.arn}
    elif plan.state.previous is None:
        undo = {"operation": f"Delete{plan.target.kind.title()}Policy", "policy_name": change.name}
    else:
        undo = {
            "operation": f"Put{plan.target.kind.title()}Policy",
            "policy_name": change.name,
            "policy_document": write_policy(plan.state.previous),
        }
    return {
        "schema_version": UNDO_SCHEMA,
        "written_at": now.isoformat(timespec="seconds"),
        "target": {"kind": plan.target.kind.value, "name": plan.target.name, "arn": plan.target.arn},
        "before": [{"name": bound.name, "arn": bound.arn} for bound in plan.state.policies],
        "undo": undo,
        "command": undo_command(plan),
    }


def undo_text(plan: Plan, now: datetime) -> str:
    """The undo file as text."""
    return json.dumps(undo_document(plan, now), indent=2, ensure_ascii=False) + "\n"


def undo_file_name(target: Target) -> str:
    """A name for the undo file; the caller sees to it that nothing is overwritten."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in target.name)
    return f"mantle-iam-{target.kind}-{safe}"
