"""What is wrong, where, how bad and how sure: the record that ``lint`` and ``audit`` make and every output shows.

Severity and confidence are two axes: a rule that rests on conflicting reports may be an error of low confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.iam.inventory import Place


class Severity(StrEnum):
    """What it costs where it is true."""

    ERROR = "error"
    """It does not do what it says, or opens what it should close."""
    WARNING = "warning"
    INFO = "info"


class Certainty(StrEnum):
    """How sure it is that a finding of the rule is true."""

    HIGH = "high"
    """It follows from AWS's documentation and the document alone."""
    MEDIUM = "medium"
    """It rests on observation, or on what is not written in the document."""
    LOW = "low"
    """It rests on an inference or on reports that conflict."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in one place."""

    rule: str
    """Stable id, in words: ``unknown-action``."""
    severity: Severity
    confidence: Certainty
    message: str
    """One sentence without a full stop."""
    place: Place = field(default_factory=Place)
    statement: int | None = None
    """Index of the statement, from 0."""
    sid: str | None = None
    policy: str = ""
    """Name or ARN of the policy."""
    principal: str = ""
    """ARN of the principal, where the finding is about one."""
    remedy: str = ""
    reference: str = ""
    """URL of the source."""
