"""Wildcard matching and policy variables: what a pattern of a policy covers.

Knows strings only: no statement, no context beyond a lookup function.  Every match takes linear time in the text (fixed
pieces are found with ``str.find``, pieces with ``?`` bit-parallel) and never builds a regular expression.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html (wildcards),
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html (variables).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

Token = tuple[bool, str]
"""A piece of a pattern; ``True``: its ``*`` and ``?`` are wildcards, ``False``: they stand for themselves."""


def utf16_units(text: str) -> str:
    """``text`` with every character beyond U+FFFF as two surrogates: ``?`` counts UTF-16 code units (recorded)."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(
        char
        if char <= "\uffff"
        else chr(0xD800 + ((ord(char) - 0x10000) >> 10)) + chr(0xDC00 + ((ord(char) - 0x10000) & 0x3FF))
        for char in text
    )


class _Piece:
    """What stands between two ``*``: text in which some positions match any one code unit."""

    __slots__ = ("_masks", "holes", "length", "runs", "text")

    def __init__(self, text: str, holes: frozenset[int]) -> None:
        self.text = text
        self.holes = holes
        self.length = len(text)
        self.runs = tuple(_runs(text, holes)) if holes else ()
        self._masks: tuple[dict[str, int], int] | None = None

    def at(self, text: str, start: int) -> bool:
        """Whether it matches ``text`` at ``start``."""
        if not self.holes:
            return text.startswith(self.text, start)
        return start + self.length <= len(text) and all(
            text.startswith(run, start + offset) for offset, run in self.runs
        )

    def find(self, text: str, start: int, end: int) -> int:
        """The first place in ``text[start:end]`` where it matches, or -1."""
        if not self.holes:
            return text.find(self.text, start, end)
        # Shift-And (Baeza-Yates and Gonnet, 1992): one machine word of states per step, whatever the text repeats.
        if self._masks is None:
            self._masks = _shift_and_masks(self.text, self.holes)
        masks, any_unit = self._masks
        accept = 1 << (self.length - 1)
        state = 0
        for position in range(start, end):
            state = ((state << 1) | 1) & masks.get(text[position], any_unit)
            if state & accept:
                return position - self.length + 1
        return -1


def _runs(text: str, holes: frozenset[int]) -> Iterable[tuple[int, str]]:
    start = 0
    for hole in [*sorted(holes), len(text)]:
        if hole > start:
            yield start, text[start:hole]
        start = hole + 1


def _shift_and_masks(text: str, holes: frozenset[int]) -> tuple[dict[str, int], int]:
    any_unit = 0
    for hole in holes:
        any_unit |= 1 << hole
    masks: dict[str, int] = {}
    for index, char in enumerate(text):
        if index not in holes:
            masks[char] = masks.get(char, any_unit) | 1 << index
    return masks, any_unit


class Glob:
    """A compiled pattern: ``*`` is any run of code units (also none, also newlines), ``?`` is exactly one."""

    __slots__ = ("_first", "_last", "_middle", "_shortest")

    def __init__(self, tokens: Iterable[Token]) -> None:
        pieces = _pieces(tokens)
        self._first = pieces[0]
        self._last = pieces[-1] if len(pieces) > 1 else None
        self._middle = tuple(piece for piece in pieces[1:-1] if piece.length)
        self._shortest = sum(piece.length for piece in pieces)

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is covered."""
        text = utf16_units(text)
        size = len(text)
        if size < self._shortest or not self._first.at(text, 0):
            return False
        last = self._last
        if last is None:
            return size == self._first.length
        end = size - last.length
        if not last.at(text, end):
            return False
        position = self._first.length
        for piece in self._middle:
            # Taking the leftmost place is enough: whatever a later one leaves over, this one leaves over too.
            position = piece.find(text, position, end)
            if position < 0:
                return False
            position += piece.length
        return True


def _pieces(tokens: Iterable[Token]) -> list[_Piece]:
    pieces: list[_Piece] = []
    text: list[str] = []
    holes: list[int] = []
    length = 0
    for wild, token in tokens:
        chunk = utf16_units(token)
        parts = chunk.split("*") if wild else [chunk]
        for index, part in enumerate(parts):
            if index:
                pieces.append(_Piece("".join(text), frozenset(holes)))
                text, holes, length = [], [], 0
            if wild and "?" in part:
                holes.extend(length + offset for offset, char in enumerate(part) if char == "?")
            text.append(part)
            length += len(part)
    pieces.append(_Piece("".join(text), frozenset(holes)))
    return pieces


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Glob:
    """The compiled form of a pattern without variables."""
    return Glob(((True, pattern),))


class AnyOf:
    """Whether any of several fixed patterns covers a text: exact ones by hash, prefixes in one call, then the rest."""

    __slots__ = ("_exact", "_globs", "_prefixes", "everything")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact, prefixes, globs = set(), [], []
        self.everything = False
        """Whether a lone ``*`` is among them."""
        for pattern in patterns:
            stem = pattern.rstrip("*")
            if "*" in stem or "?" in stem:
                globs.append(glob(pattern))
            elif stem == pattern:
                exact.add(pattern)
            elif stem:
                prefixes.append(stem)
            else:
                self.everything = True
        self._exact = frozenset(exact)
        self._prefixes = tuple(prefixes)
        self._globs = tuple(globs)

    def matches(self, text: str) -> bool:
        """Whether one of them covers the whole of ``text``."""
        return (
            self.everything
            or text in self._exact
            or (bool(self._prefixes) and text.startswith(self._prefixes))
            or any(pattern.matches(text) for pattern in self._globs)
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``."""

    key: str
    default: str | None = None


Part = Token | Variable
_SPECIAL = {"*", "?", "$"}


def parse_variables(text: str) -> tuple[Part, ...]:
    """Split a policy value at its variables.  ``${*}``, ``${?}`` and ``${$}`` are those characters themselves.

    What is not a complete variable stays text, as ``${`` without its brace does.
    """
    parts: list[Part] = []
    position = 0
    while (start := text.find("${", position)) >= 0 and (end := text.find("}", start)) >= 0:
        if start > position:
            parts.append((True, text[position:start]))
        parts.append(_variable(text[start + 2 : end]))
        position = end + 1
    if position < len(text):
        parts.append((True, text[position:]))
    return tuple(parts)


def _variable(inside: str) -> Part:
    if inside in _SPECIAL:
        return (False, inside)
    key, comma, rest = inside.partition(",")
    default = rest.strip()
    if comma and len(default) >= 2 and default[0] == default[-1] == "'":
        return Variable(key.strip(), default[1:-1])
    return Variable(inside.strip())


Unresolved = frozenset[str] | None
"""Why a value could not be expanded: the unknown keys, or ``None`` for a key that has no single value."""


def expand(parts: tuple[Part, ...], lookup: Callable[[str], str | frozenset[str] | None]) -> list[Token] | Unresolved:
    """Put values in the place of variables; a wildcard inside of a value is literal (recorded).

    ``lookup`` answers a value, ``None`` when the key is absent or multi-valued, or the set of names that are unknown.
    """
    tokens: list[Token] = []
    unknown: frozenset[str] = frozenset()
    for part in parts:
        if isinstance(part, tuple):
            tokens.append(part)
            continue
        value = lookup(part.key)
        if isinstance(value, frozenset):
            unknown |= value
        elif value is not None:
            tokens.append((False, value))
        elif part.default is not None:
            tokens.append((False, part.default))
        else:
            return None
    return unknown or tokens


def split_arn(tokens: Iterable[Token]) -> list[list[Token]] | None:
    """The six segments of an ARN pattern, or ``None`` when there are fewer.  The last one may hold colons."""
    segments: list[list[Token]] = [[]]
    for wild, text in tokens:
        *heads, tail = text.split(":", 6 - len(segments)) if len(segments) < 6 else [text]
        for head in heads:
            segments[-1].append((wild, head))
            segments.append([])
        segments[-1].append((wild, tail))
    return segments if len(segments) == 6 else None


class ArnPattern:
    """``ArnLike``: six segments, each matched by itself, so that ``*`` does not cross the first five colons."""

    __slots__ = ("_segments",)

    def __init__(self, segments: Iterable[Iterable[Token]]) -> None:
        self._segments = tuple(Glob(segment) for segment in segments)

    def matches(self, fields: list[str]) -> bool:
        """Whether an ARN, split into its six fields, is covered."""
        return all(segment.matches(field) for segment, field in zip(self._segments, fields, strict=True))
