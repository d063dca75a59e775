"""Whom a policy is attached to.  Records only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TargetKind(StrEnum):
    """What a policy can be attached to, in AWS's words."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"
    PERMISSION_SET = "permission-set"

    @property
    def in_api(self) -> str:
        """As operations of IAM have it: ``User`` in ``AttachUserPolicy``."""
        return "".join(word.capitalize() for word in self.value.split("-"))

    def __str__(self) -> str:
        return self.value.replace("-", " ")


@dataclass(frozen=True, slots=True)
class Target:
    """The user, role, group or permission set that gets the policy, as AWS knows it."""

    kind: TargetKind
    name: str
    arn: str
    account: str
    """Empty for a permission set, which is of an organization's instance of Identity Center."""
    partition: str
    instance_arn: str | None = None
    """Of the Identity Center instance; only for a permission set."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" (account {self.account})" if self.account else "")
