"""Requirements that are not met as findings, so that every format of findings shows them.

Adds nothing: what decides and what it depends on are the audit's own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.iam.inventory import Place
from mantle_iam.iam.request import Decision
from mantle_iam.report.findings.results import REQUIREMENT


def requirement_findings(requirements: Iterable[Mapping[str, Any]], path: str = "") -> tuple[Finding, ...]:
    """A finding for each principal that does not meet a requirement, or of which it is not known, and for each rule that meets
    nobody.  ``requirements`` as the audit's JSON document has them, ``path`` the file they are from: where no statement of a
    file decides, that is the file to look at."""
    return tuple(finding for one in requirements for finding in _requirement(one, Place(path)))


def _requirement(one: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    name = f"{REQUIREMENT}{one['name']}"
    if one["unmatched"]:
        patterns = ", ".join(f"`{pattern}`" for pattern in one["unmatched"])
        severity = Severity.INFO if one["result"] == "passed" else Severity.WARNING
        yield Finding(name, severity, Certainty.HIGH, f"no principal that was read matches {patterns}", place)
    shown = one["shortfalls"]
    for shortfall in shown:
        yield _shortfall(name, one, shortfall, place)
    left = one["failed"] + one["undecided"] - len({shortfall["principal"] for shortfall in shown})
    if left > 0:
        message = f"{left} more principals do not meet it or are not known to, which are not listed one by one"
        yield Finding(name, Severity.ERROR if one["failed"] else Severity.WARNING, Certainty.HIGH, message, place)


def _shortfall(name: str, one: Mapping[str, Any], shortfall: Mapping[str, Any], place: Place) -> Finding:
    unknown = shortfall["result"] == Decision.UNKNOWN
    reason = f" (required: {one['reason']})" if one["reason"] else ""
    placed: Mapping[str, Any] = next((item for item in shortfall["decided_by"] if item.get("file")), {})
    return Finding(
        name,
        Severity.WARNING if unknown else Severity.ERROR,
        Certainty.MEDIUM if unknown else Certainty.HIGH,
        f"{shortfall['reason']}{reason}",
        Place(placed.get("file", place.path), placed.get("line"), address=shortfall["principal"]),
        statement=placed.get("statement"),
        sid=placed.get("sid"),
        policy=placed.get("policy") or "",
        principal=shortfall["principal"],
        remedy=_remedy(shortfall["fix"]),
    )


def _remedy(fix: Mapping[str, Any] | None) -> str:
    if fix is None:
        return ""
    if "policy" in fix:
        return f"attach {json.dumps(fix['policy'])}"
    parts = [f"remove {', '.join(fix['remove'])}"] if fix.get("remove") else []
    if fix.get("command"):
        parts.append(f"or deny it: {fix['command']}" if parts else fix["command"])
    return "; ".join(parts)
