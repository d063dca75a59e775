"""What this program writes or is told by, when it lies among the inputs: reports and requirements, in which no policy stands.

A report that is kept beside what it was made of is no input of the next run, and no reason for that to be incomplete.
Source: the schemas of this package; SARIF 2.1.0; GitLab's Code Quality report format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MARKS: Final = (
    frozenset(("schema_version", "findings", "inputs")),
    frozenset(("arn", "account", "capabilities", "permissions")),
    frozenset(("version", "runs")),
    frozenset(("version", "rules")),
    frozenset(("check_name", "fingerprint", "location")),
)
"""Members that a report of ``audit`` and ``lint``, a line of one, SARIF, requirements and a finding for GitLab have."""


def is_own(value: Any) -> bool:
    """Whether ``value`` is a report, a part of one, or requirements."""
    if isinstance(value, list):
        return bool(value) and all(map(is_own, value))
    return isinstance(value, Mapping) and any(marks <= value.keys() for marks in _MARKS)
