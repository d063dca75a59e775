"""What the finders of the transcript reader give back, and where in the text it stood.  Records and small helpers only."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from mantle_iam.mantle.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Found:
    """An exchange and the part of the text (``start`` to ``end``) that tells it."""

    start: int
    end: int
    exchange: Exchange
    weak: bool = False
    """Only a status or a phrase: given up as soon as anything else tells more."""


Finder = Callable[[str], Iterable[Found]]


@dataclass(slots=True)
class Spans:
    """The parts of a text that are read already."""

    _spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, start: int, end: int) -> bool:
        """Take ``start`` to ``end``; ``False`` when some of it is taken already."""
        index = bisect_left(self._spans, (start, start))
        if index and self._spans[index - 1][1] > start:
            return False
        if index < len(self._spans) and self._spans[index][0] < end:
            return False
        insort(self._spans, (start, max(end, start + 1)))
        return True


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """``pattern``, compiled when it is first needed."""
    return re.compile(pattern)


def places(text: str, phrase: str) -> Iterator[int]:
    """Where ``phrase`` stands in ``text``, from left to right, without overlap."""
    at = text.find(phrase)
    while at >= 0:
        yield at
        at = text.find(phrase, at + len(phrase))


_LONGEST_LINE = 65_536
"""A longer line is taken for several: looking for its ends again and again would cost its square."""


def line_start(text: str, at: int) -> int:
    """Index of the first character of the line that holds ``at``."""
    floor = max(0, at - _LONGEST_LINE)
    return max(floor, text.rfind("\n", floor, at) + 1)


def line_end(text: str, at: int) -> int:
    """Index behind the last character of that line."""
    end = text.find("\n", at, at + _LONGEST_LINE)
    return min(len(text), at + _LONGEST_LINE) if end < 0 else end


def numbered(text: str, found: list[Found]) -> list[int]:
    """The line number of each of ``found`` (sorted by start)."""
    lines, line, at = [], 1, 0
    for item in found:
        line += text.count("\n", at, item.start)
        at = item.start
        lines.append(line)
    return lines
