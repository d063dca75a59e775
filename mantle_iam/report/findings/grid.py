"""A matrix as outputs show it: principals in rows, capabilities in columns, a standing and what decides it in each cell.

Knows no policy: whoever has the answers puts them into these records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from mantle_iam.report.findings.markdown import COMMENT, code, escaped, findings_tables, fitted, heading, table
from mantle_iam.report.findings.results import Results
from mantle_iam.report.findings.separated import csv_text


class Standing(StrEnum):
    """What a principal may do with a capability."""

    YES = "yes"
    NO = "no"
    ELSEWHERE = "elsewhere"
    """Not where it was asked; policies name other places."""
    DEPENDS = "depends"
    """On something about the call that is not known."""
    UNKNOWN = "unknown"
    """A layer could not be read."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """One answer."""

    standing: Standing
    detail: str = ""
    """What it depends on, or which layer and statement decide; one line, not clean."""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A principal and its answers, as many as there are columns."""

    principal: str
    account: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The whole matrix."""

    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]


def totals(grid: Grid) -> list[Counter[Standing]]:
    """How often each standing is in each column."""
    return [Counter(row.cells[number].standing for row in grid.rows) for number in range(len(grid.columns))]


def csv_header(columns: Sequence[str]) -> str:
    """Two columns for each capability: the standing in one word, and what decides it."""
    return csv_text((["principal", "account", *(part for name in columns for part in (name, f"{name}: why"))],))


def csv_row(row: GridRow) -> str:
    """A principal, line by line, so that an organization need not be held."""
    cells = [part for cell in row.cells for part in (cell.standing.value, cell.detail)]
    return csv_text(([row.principal, row.account, *cells],))


def grid_markdown(grid: Grid, results: Results, *, limit: int = COMMENT) -> str:
    """Counts by capability, what is wrong, then each principal; ``limit`` as for findings alone."""
    cells = ((code(row.principal), *map(_markdown_cell, row.cells)) for row in grid.rows)
    principals = table(("principal", *map(escaped, grid.columns)), cells) if grid.rows else ("No principals.",)
    parts = (heading(results), ("", *_summary(grid)), findings_tables(results), ("", *principals))
    return fitted(chain.from_iterable(parts), limit)


def _markdown_cell(cell: GridCell) -> str:
    detail = f": {escaped(cell.detail)}" if cell.detail else ""
    return f"{'**yes**' if cell.standing is Standing.YES else cell.standing.value}{detail}"


def _summary(grid: Grid) -> Iterator[str]:
    counted = zip(grid.columns, totals(grid), strict=True)
    rows: list[Sequence[str]] = [(escaped(name), *(str(counts[one]) for one in Standing)) for name, counts in counted]
    yield from table(("capability", *(one.value for one in Standing)), rows)
