"""Where a collected document came from.  A record only: imports no client, so that reports may show it."""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.iam.request import PolicyType


@dataclass(frozen=True, slots=True)
class PolicySource:
    """One document of a ``PolicySet``: its place there (layer, level, index), and its name in the account."""

    policy_type: PolicyType
    name: str
    document: int = 0
    """Index within the layer (for SCPs within the level)."""
    level: int | None = None
    """Level of an SCP, 0 being the organization's root."""
    arn: str | None = None
    """``None`` for an inline policy."""
    attached_to: str = ""
    """``user/Name``, ``group/Name``, ``role/Name``, an OU or account id."""
    version: str | None = None
    """Version id of a managed policy."""

    def __str__(self) -> str:
        kind = "inline policy" if self.arn is None else "policy"
        return f"{kind} `{self.name}` of {self.attached_to}" if self.attached_to else f"{kind} `{self.name}`"
