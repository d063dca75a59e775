"""What this program writes or is told by, when it lies among the inputs: reports and requirements, in which no policy stands.

A report that is kept beside what it was made of is no input of the next run, and no reason for that to be incomplete.
Source: the schemas of this package; SARIF 2.1.0; GitLab's Code Quality report format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mantle_iam.collect.fields import holds_policy

_REPORT: Final = frozenset(("schema_version", "principals", "requirements", "findings", "inputs", "accounts", "notes"))
_MARKS: Final[tuple[tuple[frozenset[str], frozenset[str]], ...]] = (
    (frozenset(("schema_version", "findings", "inputs")), _REPORT),
    (frozenset(("arn", "account", "capabilities", "permissions")), frozenset(("capabilities", "permissions"))),
    (frozenset(("version", "runs")), frozenset(("runs",))),
    (frozenset(("version", "rules")), frozenset()),
    (frozenset(("check_name", "fingerprint", "location")), frozenset(("description",))),
)
"""Members that a report of ``audit`` and ``lint``, a line of one, SARIF, requirements and a finding for GitLab have.

Besides, those of their members that may quote a policy and are none: what would end a requirement's failure, a rule's example.
"""


def is_own(value: Any) -> bool:
    """Whether ``value`` is a report, a part of one, or requirements; what has a policy beside that is none."""
    if isinstance(value, list):
        return bool(value) and all(map(is_own, value))
    if not isinstance(value, Mapping):
        return False
    quoting = next((quoting for marks, quoting in _MARKS if marks <= value.keys()), None)
    return quoting is not None and not any(holds_policy(value[name]) for name in value.keys() - quoting)
