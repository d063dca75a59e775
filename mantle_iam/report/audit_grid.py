"""An audit's rows as the grid that CSV, Markdown and HTML show."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

from mantle_iam.audit.results import Answer, Shape
from mantle_iam.iam.request import PolicyType
from mantle_iam.report.findings.grid import GridCell, GridRow, Standing

_LAYERS: Final = frozenset(kind.value for kind in PolicyType)


def grid_row(arn: str, account: str, shape: Shape) -> GridRow:
    """One principal."""
    return GridRow(arn, account, _cells(shape))


@lru_cache(maxsize=1024)
def _cells(shape: Shape) -> tuple[GridCell, ...]:
    return tuple(_cell(cell) for cell in json.loads(f"{{{shape.body}}}")["capabilities"])


def _cell(cell: dict[str, Any]) -> GridCell:
    answer = Answer(cell["answer"])
    if answer is Answer.DEPENDS:
        # A layer that could not be read is one thing, a key of the call another; what is mixed depends.
        unreadable = all(name in _LAYERS and name != PolicyType.VPC_ENDPOINT for name in cell["depends_on"])
        return GridCell(Standing.UNKNOWN if unreadable else Standing.DEPENDS, ", ".join(cell["depends_on"]))
    detail = ", ".join(dict.fromkeys(map(_decider, cell["decided_by"])))
    if cell.get("elsewhere"):
        return GridCell(Standing.ELSEWHERE, f"{detail}; named: {', '.join(cell['elsewhere'])}")
    return GridCell(Standing(answer.value), detail)


def _decider(item: dict[str, Any]) -> str:
    if "reason" in item:
        return str(item["reason"])
    if "statement" not in item:
        return f"{item['layer']} does not allow {item['action']}"
    return f"{item['layer']} {item.get('policy', '')} {item['sid'] or item['statement']}"
