"""Everything that one run of ``probe`` or ``explain`` has to say, and the exit code that goes with it.

What is shown is decided here and in ``diagnose``; how it is shown in ``text.py`` and ``document.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mantle_iam.diagnose.case import Case, Report
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.report.proposal import Fix

EXIT_ALLOWED = 0
EXIT_REFUSED = 1
EXIT_UNDETERMINED = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One case and what came of it.  A run over several regions has one for each, told apart by ``case.region``."""

    case: Case
    report: Report


@dataclass(frozen=True, slots=True)
class Result:
    """The parts of a run, the fix for all of them, and what else is worth saying."""

    parts: tuple[Part, ...]
    fix: Fix | None = None
    notes: tuple[str, ...] = ()

    def diagnoses(self) -> tuple[tuple[Part, Diagnosis], ...]:
        """Every diagnosis with its part, in the order of the parts; ``allowed`` after everything else."""
        pairs = [(part, diagnosis) for part in self.parts for diagnosis in part.report.diagnoses]
        return tuple(sorted(pairs, key=lambda pair: pair[1].code == "allowed"))


UNDETERMINED_LIVE = frozenset(
    ("endpoint-unreachable", "tls-failure", "timeout", "throttled", "service-unavailable", "service-error")
)
"""Codes that name the trouble of a live call and leave open whether the principal is allowed."""


def exit_code(diagnoses: Iterable[Diagnosis], *, live: bool = False) -> int:
    """0 when all is allowed, 1 when a refusal was diagnosed, 3 when it could not be found out (DESIGN: exit codes).

    ``live``: the exchanges were just made, so network trouble, throttling and a failing service mean "could not find out".
    In a pasted text they are what was asked for, and so a finding.
    """
    codes = set()
    for diagnosis in diagnoses:
        if diagnosis.code == "allowed":
            continue
        open_question = diagnosis.confidence is Confidence.INCONCLUSIVE or diagnosis.code == "inconclusive"
        if open_question or (live and diagnosis.code in UNDETERMINED_LIVE):
            codes.add(EXIT_UNDETERMINED)
        else:
            codes.add(EXIT_REFUSED)
    return min(codes, default=EXIT_ALLOWED)
