"""Rows as comma-separated values (RFC 4180), safe to open in a spreadsheet: reader and writer.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets read as "this is text".
Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from mantle_iam.report.findings.results import Results, in_order, sound
from mantle_iam.report.layout import clean

FINDING_COLUMNS = (
    *("file", "line", "column", "rule", "severity", "confidence", "message"),
    *("address", "policy", "statement", "sid", "principal", "remedy", "reference"),
)
# The last four are the full-width forms, which spreadsheets take for the same.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_GUARD = "'"


def csv_text(rows: Iterable[Sequence[str | int | None]]) -> str:
    """``rows``, all cells quoted, lines ended as RFC 4180 wants; control characters are made visible."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(map(_cell, row) for row in rows)
    return written.getvalue()


def csv_rows(text: str) -> list[list[str]]:
    """The cells that ``csv_text`` was given, as text."""
    return [[_unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def findings_csv(results: Results) -> str:
    """A header and one row for each finding."""
    rows = [
        (
            *(one.place.path, one.place.line, one.place.column, one.rule, one.severity.value, one.confidence.value),
            *(one.message, one.place.address, one.policy, one.statement, one.sid, one.principal, one.remedy),
            one.reference,
        )
        for one in in_order(results.findings)
    ]
    return csv_text((FINDING_COLUMNS, *rows))


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = clean(sound(value))
    return f"{_GUARD}{text}" if _guarded(text) else text


def _guarded(text: str) -> bool:
    # Spreadsheets drop white space, and an apostrophe that was there already must not pass for the guard.
    return text.lstrip().startswith((*_FORMULA, _GUARD))


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(_GUARD) and _guarded(cell[1:]) else cell
