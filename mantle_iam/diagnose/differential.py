"""Hypotheses and what each predicts; what was observed strikes out, and the cheapest splitting probe comes next."""

from __future__ import annotations

from mantle_iam.diagnose.case import Case, Report
from mantle_iam.mantle.exchange import Probe


def diagnose(case: Case, available: frozenset[Probe] = frozenset()) -> Report:
    """Reason over everything in ``case``.

    ``available`` are the probes that could still be sent; ``Report.next_probes`` is drawn from them.
    """
    raise NotImplementedError(case, available)
