"""Files of many dumps, one on each line, in parts: so that they are read by several, and nobody holds all of them.

A part has the bytes of its lines alone, with ``[]`` in place of every value before: lines and pointers are those of the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final

from mantle_iam.collect.dump_reader import Dump
from mantle_iam.collect.dumps import goes_on
from mantle_iam.collect.openers import LARGEST, Opener

PART: Final = 4 << 20
"""Bytes, after which a part ends with the line."""
SMALLEST: Final = PART // 100
"""Bytes of a file, gzip's maybe, that may be more than a part."""


def parts_of(dump: Dump, opener: Opener) -> Iterator[tuple[Dump, bytes | None]]:
    """``dump``, or its parts with their bytes.  Lines that are pages of one account stay together.

    What cannot be read is the business of whoever reads the dump: it comes whole, and last.
    """
    number = -1
    try:
        if dump.account or len(dump.paths) > 1 or opener.size(dump.paths[0]) < SMALLEST:
            yield dump, None
            return
        with opener.stream(dump.paths[0]) as file:
            if not _is_lines(file):
                yield dump, None
                return
            before, values = b"", 0
            for number, lines in enumerate(_parts(file)):
                filled = [bool(line.strip()) for line in lines]
                yield replace(dump, skip=values, part=number), before + b"".join(lines)
                before += b"".join(b"[]\n" if one else b"\n" for one in filled)
                values += sum(filled)
    except (OSError, EOFError, zlib.error, ValueError):
        yield replace(dump, part=number + 1), None


def _is_lines(file: BinaryIO) -> bool:
    """Whether it is more than one part of JSON lines."""
    beginning = file.read(PART + 1)
    file.seek(0)
    first, _, rest = beginning.partition(b"\n")
    return len(beginning) > PART and first[:1] == b"{" and first.rstrip()[-1:] == b"}" and rest.lstrip()[:1] == b"{"


def _parts(file: BinaryIO) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    for line in iter(partial(file.readline, LARGEST), b""):
        lines.append(line)
        size += len(line)
        if size >= PART and not goes_on((line,)):
            yield lines
            lines, size = [], 0
    if lines:
        yield lines
