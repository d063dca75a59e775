"""Permissions to the smallest policy document that grants them, proven with ``evaluate()``."""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.operations import Permission


@dataclass(frozen=True, slots=True)
class LeastPrivilegePolicy:
    """A finished document and which permission caused which statement (index into ``document.statements``)."""

    document: PolicyDocument
    causes: tuple[tuple[int, Permission], ...]
    notes: tuple[str, ...] = ()
    """What could not be scoped and why; what is an inference."""


def least_privilege(permissions: tuple[Permission, ...]) -> LeastPrivilegePolicy:
    """The smallest identity policy that allows ``permissions`` and, proven, nothing less will do.

    Deterministic: sorted actions, Sids derived from the content.
    Raises ``InputError`` when ``permissions`` is empty.
    """
    raise NotImplementedError(permissions)
