"""Findings as SARIF 2.1.0, with what GitHub's code scanning wants of it.

Every result has a location, since code scanning refuses a run with one that has none: where there is no file, that of an
artifact that is described as a stand-in.  More results than code scanning takes of one run become several runs, so that none
is left out.  Sources: OASIS SARIF 2.1.0; GitHub Docs, "SARIF support for code scanning".
"""

from __future__ import annotations

import re
from typing import Any, Final

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.audit.lint.rule import Rule
from mantle_iam.iam.inventory import Input, InputStatus, Place
from mantle_iam.report.findings.document import json_text
from mantle_iam.report.findings.results import (
    TOOL,
    Results,
    failed,
    fingerprints,
    has_file,
    in_order,
    subject,
)
from mantle_iam.report.layout import MAX_TEXT, one_line

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RUN_LIMIT: Final = 25_000
"""Results that code scanning takes of one run."""
FINGERPRINT: Final = "mantleIam/v1"
"""Name of our fingerprint; it gets another number when what it is made of changes."""

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
# Code scanning's bands: above 9.0 critical, from 7.0 high, from 4.0 medium, below low.
_SECURITY_SEVERITY = {Severity.ERROR: "8.0", Severity.WARNING: "5.0", Severity.INFO: "2.0"}
_PRECISION = {Certainty.HIGH: "high", Certainty.MEDIUM: "medium", Certainty.LOW: "low"}
_PLACEHOLDER = re.compile(r"\{[0-9]")
_NO_FILE = "No file: stands for what was read from {}"


def sarif(results: Results) -> str:
    """The log: one run, or as many as it takes."""
    findings = in_order(results.findings)
    marks = fingerprints(findings, results.path)
    starts = range(0, max(len(findings), 1), RUN_LIMIT)
    runs = [
        _run(results, findings[start : start + RUN_LIMIT], marks[start : start + RUN_LIMIT], number)
        for number, start in enumerate(starts, 1)
    ]
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": runs})


def _run(results: Results, findings: list[Finding], marks: list[str], number: int) -> dict[str, Any]:
    known = {rule.id: rule for rule in results.rules}
    used = {finding.rule: finding for finding in reversed(findings)}
    names = sorted({*known, *used})
    rules = [_rule(known[name]) if name in known else _unrecorded(used[name]) for name in names]
    rule_index = {name: index for index, name in enumerate(names)}
    driver = {"name": TOOL, "rules": rules, **({"semanticVersion": results.version} if results.version else {})}
    return {
        "tool": {"driver": driver},
        # Runs of one upload must differ in it; where it is missing, an upload fills in the category that it was given.
        **({"automationDetails": {"id": f"{TOOL}-{number}/"}} if number > 1 else {}),
        "invocations": [_invocation(failed(results.inputs))],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, mark, rule_index[finding.rule], results.uri(finding.place))
            for finding, mark in zip(findings, marks, strict=True)
        ],
    }


def _invocation(unread: list[Input]) -> dict[str, Any]:
    """Whether all was read; what was not, as notifications: a missing result is then not taken for a clean bill."""
    notifications = [
        {
            "level": "error" if one.status is InputStatus.FAILED else "warning",
            "message": {"text": _message(f"{one.path}: {'; '.join(one.problems) or 'no reason given'}")},
        }
        for one in unread
    ]
    return {
        "executionSuccessful": all(one.status is not InputStatus.FAILED for one in unread),
        "toolExecutionNotifications": notifications,
    }


def _artifact(place: Place, uri: str) -> dict[str, Any]:
    """The file; of the repository where it is relative, so that a stand-in is not looked for there."""
    if not has_file(place):
        source = "standard input" if place.path == "-" else place.path or "no file"
        return {"uri": uri, "description": {"text": _message(_NO_FILE.format(source))}}
    return {"uri": uri, **({} if uri.startswith("file:") else {"uriBaseId": "%SRCROOT%"})}


def _rule(rule: Rule) -> dict[str, Any]:
    described = {
        **_rule_head(rule.id, rule.title, rule.severity, rule.confidence, rule.reference),
        "fullDescription": {"text": _message(rule.what)},
    }
    parts = (("", rule.what), ("Why: ", rule.why), ("Example: ", rule.bad), ("Instead: ", rule.instead))
    written = "\n\n".join(f"{label}{text}" for label, text in parts if text)
    described["help"] = {"text": _message(written, whole=True), "markdown": _braces(written)}
    return described


def _unrecorded(finding: Finding) -> dict[str, Any]:
    """A rule of which there is only a finding: a requirement of the user's own."""
    title = finding.rule.replace("-", " ")
    head = _rule_head(finding.rule, title, finding.severity, finding.confidence, finding.reference)
    return {**head, "fullDescription": {"text": _message(title)}, "help": {"text": _message(title)}}


def _rule_head(name: str, title: str, severity: Severity, confidence: Certainty, reference: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": _message(title)},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        **({"helpUri": reference} if reference.startswith("https://") else {}),
        "properties": {
            "tags": ["security", "iam"],
            "precision": _PRECISION[confidence],
            "problem.severity": "recommendation" if severity is Severity.INFO else severity.value,
            "security-severity": _SECURITY_SEVERITY[severity],
        },
    }


def _result(finding: Finding, mark: str, rule_index: int, uri: str) -> dict[str, Any]:
    place = finding.place
    help_text = f". Help: {finding.remedy}" if finding.remedy else ""
    region: dict[str, Any] = {"startLine": max(place.line or 1, 1)}
    if place.line and place.column:
        region["startColumn"] = max(place.column, 1)
    # A log in which two of them are alike is refused.
    names = dict.fromkeys(one_line(name) for name in (place.address, finding.policy, finding.principal) if name)
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(place, uri),
            "region": region,
        },
    }
    if names:
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"} for name in names]
    prints = {FINGERPRINT: mark}
    if not has_file(place):
        # Where there is a file the upload computes it from the line; where there is none, it cannot.
        prints["primaryLocationLineHash"] = mark
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding.message + help_text)},
        "locations": [location],
        "partialFingerprints": prints,
        "properties": {
            "confidence": finding.confidence.value,
            "security-severity": _SECURITY_SEVERITY[finding.severity],
            **({"about": subject(finding)} if subject(finding) else {}),
            **({"pointer": place.pointer} if place.pointer else {}),
            **({"reference": finding.reference} if finding.reference else {}),
        },
    }


def _message(text: str, *, whole: bool = False) -> str:
    """``text`` as a plain text message, of which section 3.11.6 makes links where it finds ``[…](…)``."""
    shown = text if whole else one_line(text, MAX_TEXT)
    if "](" in shown:
        shown = shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return _braces(shown) or TOOL


def _braces(text: str) -> str:
    """``text`` without placeholders (``{0}``), which section 3.11.5 escapes by doubling braces.

    Other braces stay: programs that show SARIF do not undo it, and a policy variable or an example would be wrong there.
    """
    return text.replace("{", "{{").replace("}", "}}") if _PLACEHOLDER.search(text) else text
