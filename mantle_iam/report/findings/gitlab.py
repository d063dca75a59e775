"""Findings as a code quality report of GitLab: a subset of the issues of the Code Climate specification.

Every field that GitLab reads and no other.  Its widget drops issues that share a fingerprint, so no two do.
Source: GitLab Docs, "Code Quality", section "Code Quality report format".
"""

from __future__ import annotations

from typing import Any

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.report.findings.document import json_text
from mantle_iam.report.findings.results import Results, fingerprints, has_file, in_order, where
from mantle_iam.report.findings.text import sentence

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}
_LESS_SURE = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def code_quality(results: Results) -> str:
    """The report: a list, empty where nothing was found."""
    findings = in_order(results.findings)
    marks = fingerprints(findings, results.path)
    return json_text([_issue(one, mark, results) for one, mark in zip(findings, marks, strict=True)])


def _issue(finding: Finding, fingerprint: str, results: Results) -> dict[str, Any]:
    place = finding.place
    table = _LESS_SURE if finding.confidence is Certainty.LOW else _SEVERITIES
    about = "" if has_file(place) and not place.address else f"{where(finding)}: "
    return {
        "description": about + sentence(finding),
        "check_name": finding.rule,
        "fingerprint": fingerprint,
        "severity": table[finding.severity],
        "location": {
            "path": results.path(place.path) if has_file(place) else results.uri(place),
            "lines": {"begin": place.line or 1},
        },
    }
