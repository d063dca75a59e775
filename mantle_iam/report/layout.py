"""Text in columns: cleaning, wrapping, tables.  For every command that writes for people.

Everything that came from outside (an ARN, a message, a file name) goes through ``clean`` or ``one_line`` before it is laid
out, so that it can neither move the cursor nor fake a line.  Knows no record and no terminal; a width is given.
Sources: Unicode Standard Annex 11 (East Asian width), Annex 9 section 3.1 (directional controls).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mantle_iam.report.ansi import PLAIN, Ansi, Style

MAX_TEXT = 2000
"""Longer texts are cut where people read them; JSON output has the whole."""

GAP = 2
"""Spaces between two columns."""

_SMALLEST_COLUMN = 10

# Controls (C0, C1), soft hyphen, zero-width and directional marks, line separators, surrogates, tags: all that a terminal
# obeys or hides.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def clean(text: str) -> str:
    """``text`` with every character that a terminal obeys or hides made visible: ``\\x1b``, ``\\n``, ``\\u{202e}``."""
    return text if text.isascii() and text.isprintable() else _HOSTILE.sub(_escape, text)


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """``text`` as one clean line: white space runs become one space; cut after ``limit`` characters, saying how many."""
    # More than the limit is read so that white space does not count; the rest is never looked at.
    joined = " ".join(text[: limit * 4].split())
    left_out = len(joined) - limit + max(0, len(text) - limit * 4)
    if len(joined) <= limit and len(text) <= limit * 4:
        return clean(joined)
    return f"{clean(joined[:limit])}… ({max(left_out, 1)} more characters)"


def cells(text: str) -> int:
    """Columns that ``text`` (clean) takes on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _split(word: str, width: int) -> Iterator[str]:
    """``word`` in pieces of at most ``width`` cells."""
    piece, taken = "", 0
    for character in word:
        size = cells(character)
        if piece and taken + size > width:
            yield piece
            piece, taken = "", 0
        piece += character
        taken += size
    yield piece


def wrap(text: str, width: int, *, break_words: bool = False) -> list[str]:
    """``text`` (clean) in lines of at most ``width`` cells; at least one line.

    A word that is wider stays whole, so that an ARN or a command can be copied, unless ``break_words``.
    """
    lines: list[str] = []
    line, taken = "", 0
    for word in text.split(" "):
        pieces = list(_split(word, width)) if break_words and cells(word) > width else [word]
        for number, piece in enumerate(pieces):
            size = cells(piece)
            if number == 0 and line and taken + 1 + size <= width:
                line, taken = f"{line} {piece}", taken + 1 + size
                continue
            if line:
                lines.append(line)
            line, taken = piece, size
    return [*lines, line]


def paragraph(text: str, width: int, indent: int = 0, hang: int = 0) -> list[str]:
    """``text`` as one wrapped paragraph, ``indent`` in, its further lines by ``hang`` more; anything hostile made harmless.

    A ``hang`` keeps a text from outside from beginning a line at the margin.
    """
    lines = wrap(one_line(text), max(width - indent - hang, _SMALLEST_COLUMN))
    return [" " * (indent + (hang if number else 0)) + line for number, line in enumerate(lines)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table and how it is painted."""

    text: str
    styles: tuple[Style, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A text that is never wrapped, shortened or respaced: a command line."""

    text: str


def _fit(natural: list[int], width: int) -> list[int]:
    """Column widths that fill at most ``width``: the widest columns give way first, none below a readable minimum."""
    columns = list(natural)
    excess = sum(columns) + GAP * (len(columns) - 1) - width
    while excess > 0:
        widest = max(range(len(columns)), key=lambda index: columns[index])
        if columns[widest] <= _SMALLEST_COLUMN:
            break
        columns[widest] -= 1
        excess -= 1
    return columns


def table(
    header: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, width: int, ansi: Ansi = PLAIN, indent: int = 0
) -> list[str]:
    """Lines of a table with left-aligned columns, cells wrapped so that it is at most ``width`` wide.

    ``header`` may be empty.  Every row has the same number of cells.  Cells need not be clean.
    """
    grid = [[Cell(title, (Style.DIM,)) for title in header]] if header else []
    grid += [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    if not grid:
        return []
    texts = [[one_line(cell.text) for cell in row] for row in grid]
    room = max(width - indent, _SMALLEST_COLUMN)
    widths = _fit([min(max(cells(row[i]) for row in texts), room) for i in range(len(grid[0]))], room)
    lines = []
    for row, line_texts in zip(grid, texts, strict=True):
        wrapped = [wrap(text, columns, break_words=True) for text, columns in zip(line_texts, widths, strict=True)]
        if len(wrapped[0]) > 1:
            # No text from outside begins a line at the margin.
            first, *rest = wrap(line_texts[0], widths[0] - GAP, break_words=True)
            wrapped[0] = [first, *(" " * GAP + line for line in rest)]
        for number in range(max(map(len, wrapped))):
            line = " " * indent
            for cell, parts, columns in zip(row, wrapped, widths, strict=True):
                part = parts[number] if number < len(parts) else ""
                line += ansi.paint(part, *cell.styles) + " " * (columns - cells(part) + GAP)
            lines.append(line.rstrip())
    return lines


def facts(
    rows: Sequence[tuple[str, str | Whole]],
    *,
    width: int,
    ansi: Ansi = PLAIN,
    indent: int = 2,
    column: int | None = None,
) -> list[str]:
    """Lines of a list of labels and texts, the texts aligned and wrapped, long words kept whole.

    An empty label continues the one before.  ``column`` is the width of the labels, else that of the longest.
    """
    label_width = column if column is not None else max((cells(clean(label)) for label, _ in rows), default=0)
    room = max(width - indent - label_width - GAP, _SMALLEST_COLUMN)
    lines = []
    for label, text in rows:
        head = clean(label)
        parts = [clean(text.text)] if isinstance(text, Whole) else wrap(one_line(text), room)
        for number, part in enumerate(parts):
            shown = head if number == 0 else ""
            padding = " " * (label_width - cells(shown) + GAP)
            lines.append((" " * indent + ansi.paint(shown, Style.DIM) + padding + part).rstrip())
    return lines
