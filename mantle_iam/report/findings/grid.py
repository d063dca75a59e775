"""A matrix as outputs show it: principals in rows, capabilities in columns, a standing and what decides it in each cell.

Knows no policy: whoever has the answers puts them into these records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mantle_iam.report.findings.markdown import code, escaped, fitted, table
from mantle_iam.report.findings.separated import csv_text


class Standing(StrEnum):
    """What a principal may do with a capability."""

    YES = "yes"
    NO = "no"
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


def grid_csv(grid: Grid) -> str:
    """The matrix as comma-separated values."""
    return "".join(csv_lines(grid.columns, grid.rows))


def csv_lines(columns: Sequence[str], rows: Iterable[GridRow]) -> Iterator[str]:
    """The same line by line, so that an organization need not be held; two columns for each capability: the standing in one
    word, and what decides it."""
    header = ["principal", "account"]
    for column in columns:
        header += [column, f"{column}: why"]
    yield csv_text((header,))
    for row in rows:
        yield csv_text((_csv_row(row),))


def _csv_row(row: GridRow) -> list[str]:
    cells = [part for cell in row.cells for part in (cell.standing.value, cell.detail)]
    return [row.principal, row.account, *cells]


def grid_markdown(grid: Grid, *, limit: int | None = None) -> str:
    """Counts by capability, then the table; ``limit`` in bytes as for findings."""
    head = ["### Who can use Mantle", "", *_summary(grid), ""]
    cells = ((code(row.principal), *map(_markdown_cell, row.cells)) for row in grid.rows)
    lines = list(table(("principal", *map(escaped, grid.columns)), cells)) if grid.rows else ["No principals."]
    return fitted(head, lines, (), limit)


def _markdown_cell(cell: GridCell) -> str:
    detail = f": {escaped(cell.detail)}" if cell.detail else ""
    return f"{'**yes**' if cell.standing is Standing.YES else cell.standing.value}{detail}"


def _summary(grid: Grid) -> Iterator[str]:
    counted = zip(grid.columns, totals(grid), strict=True)
    rows: list[Sequence[str]] = [(escaped(name), *(str(counts[one]) for one in Standing)) for name, counts in counted]
    yield from table(("capability", *(one.value for one in Standing)), rows)
