"""Findings as the JSON document of ``--output json``: the writer of the ``findings`` and ``inputs`` of the interface.

Adds nothing to what the records say, and leaves nothing out.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mantle_iam.audit.findings import Finding
from mantle_iam.iam.inventory import Input
from mantle_iam.report.findings.results import Results, fingerprints, in_order, sound

SCHEMA_VERSION: Final = "1"


def findings_json(results: Results) -> str:
    """The document as text, ending with a line end."""
    return json_text(findings_document(results))


def json_text(document: Any) -> str:
    """``document`` as indented JSON that can be encoded, whatever was in the names."""
    return sound(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def findings_document(results: Results) -> dict[str, Any]:
    """Findings in their order, inputs as they were given."""
    findings = in_order(results.findings)
    marks = fingerprints(findings, results.path)
    return {
        "schema_version": SCHEMA_VERSION,
        "findings": [finding_document(one, mark) for one, mark in zip(findings, marks, strict=True)],
        "inputs": [input_document(one) for one in results.inputs],
    }


def finding_document(finding: Finding, fingerprint: str) -> dict[str, Any]:
    """One finding; what is not known is ``null``."""
    place = finding.place
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "message": finding.message,
        "file": place.path or None,
        "line": place.line,
        "column": place.column,
        "address": place.address or None,
        "pointer": place.pointer or None,
        "policy": finding.policy or None,
        "statement": finding.statement,
        "sid": finding.sid,
        "principal": finding.principal or None,
        "remedy": finding.remedy or None,
        "reference": finding.reference or None,
        "fingerprint": fingerprint,
    }


def input_document(one: Input) -> dict[str, Any]:
    """One input and what became of it."""
    return {
        "path": one.path,
        "status": one.status.value,
        "kind": one.kind or None,
        "problems": list(one.problems),
    }
