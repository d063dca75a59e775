"""The matrix as a Parquet file, for what asks of millions of principals: a row for each principal and cell, in row groups.

Columns are the members of ``capabilities`` of the JSON report, with the principal's ARN and account before them.  Memory holds
one row group.  Source: https://arrow.apache.org/docs/python/parquet.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from mantle_iam.errors import InputError
from mantle_iam.report.findings.results import sound
from mantle_iam.workflow.audit import Row

ROW_GROUP: Final = 131_072
"""Rows; what readers take at once."""
_REPEATED: Final = ("account", "capability", "auth", "project", "model", "region", "answer")
"""Few values, each of them often."""
_COLUMNS: Final = ("principal", *_REPEATED, "depends_on", "elsewhere", "decided_by")


def parquet_to(path: str) -> Callable[[Iterator[Row]], Iterator[Row]]:
    """What lets rows through and writes them to ``path``, which is there when all of them are through.

    Raises:
        InputError: the extra ``parquet`` is not installed, or the file cannot be written.
    """
    try:
        # By name, since the extra is seldom there.
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise InputError("Parquet files cannot be written", help="pip install 'mantle-iam[parquet]'") from None
    word = arrow.dictionary(arrow.int32(), arrow.string())
    kinds = {
        "principal": arrow.string(),
        **dict.fromkeys(_REPEATED, word),
        "depends_on": arrow.list_(arrow.string()),
        "elsewhere": arrow.list_(arrow.string()),
        "decided_by": arrow.string(),
    }
    schema = arrow.schema([(name, kinds[name]) for name in _COLUMNS])
    part = f"{path}.part"

    def through(rows: Iterator[Row]) -> Iterator[Row]:
        held: list[tuple[Any, ...]] = []
        with _writing(path):
            writer = parquet.ParquetWriter(part, schema, compression="zstd")
        try:
            for row in rows:
                held += [(sound(row.arn), row.account, *cell) for cell in _cells(row.shape.body)]
                if len(held) >= ROW_GROUP:
                    with _writing(path):
                        writer.write_table(_table(arrow, schema, held))
                    held.clear()
                yield row
            with _writing(path):
                if held:
                    writer.write_table(_table(arrow, schema, held))
                writer.close()
                Path(part).replace(path)
        finally:
            with suppress(OSError):
                writer.close()
            with suppress(OSError):
                Path(part).unlink(missing_ok=True)

    return through


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}") from None


def _table(arrow: Any, schema: Any, held: list[tuple[Any, ...]]) -> Any:
    columns = dict(zip(_COLUMNS, zip(*held, strict=True), strict=True))
    return arrow.table({name: arrow.array(list(columns[name]), schema.field(name).type) for name in _COLUMNS}, schema)


@lru_cache(maxsize=4096)
def _cells(body: str) -> tuple[tuple[Any, ...], ...]:
    """Everything of a cell's row but whose it is."""
    cells = json.loads(f"{{{body}}}")["capabilities"]
    return tuple(
        (
            *(None if cell[name] is None else sound(cell[name]) for name in _REPEATED[1:]),
            [sound(one) for one in cell["depends_on"]],
            [sound(one) for one in cell.get("elsewhere", ())],
            sound(json.dumps(cell["decided_by"], ensure_ascii=False)),
        )
        for cell in cells
    )
