"""Texts and places: bytes to text, text to JSON with nothing overlooked, and the line and column of any element of it.

Decides where something stands, not what it means.  The fast C parser reads; positions are computed afterwards, in a second
pass over the text, and only for the elements that are asked for: most documents never get a finding.  Linear in the text.
Sources: https://www.rfc-editor.org/rfc/rfc8259 (JSON), https://www.rfc-editor.org/rfc/rfc6901 (JSON pointers).
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from json import JSONDecodeError, JSONDecoder
from typing import Any

from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import Repeated, load_json

DEEPEST = 200
"""Levels of nesting; no format that is read here comes near it."""


class TextError(InputError):
    """A text that cannot be read.  ``line`` and ``column`` (from 1) say where, if known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, its encoding, and what was odd about that (empty where nothing was)."""

    text: str
    encoding: str = "utf-8"
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column in characters, from 1."""

    line: int
    column: int


_MARKS = (
    # UTF-32's mark begins with UTF-16's, so it comes first.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def decode_text(data: bytes) -> Decoded:
    """Bytes as text: UTF-8, with or without a mark; UTF-16 and UTF-32 by their mark or their zero bytes; else Latin-1.

    Windows shells write UTF-16 when output goes to a file (PowerShell 5), which RFC 8259 does not allow and people do.

    Raises:
        TextError: the bytes are no text in the encoding that they claim.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "") or _by_zeros(data)
    if encoding:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise TextError(f"not {encoding.removesuffix('-sig')} text: byte {error.start} cannot be read") from None
        plain = encoding == "utf-8-sig"
        return Decoded(text.removeprefix("\ufeff"), encoding, "" if plain else f"read as {encoding}, not UTF-8")
    try:
        return Decoded(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        if b"\0" in data[:4096]:
            raise TextError(f"not a text file: byte {error.start} is no UTF-8") from None
        return Decoded(data.decode("latin-1"), "latin-1", f"not UTF-8 (byte {error.start}); read as Latin-1")


def _by_zeros(data: bytes) -> str:
    """UTF-16 without a mark: a JSON text begins with two ASCII characters, every other byte of which is zero."""
    if len(data) < 4:
        return ""
    zeros = "".join("0" if byte == 0 else "." for byte in data[:4])
    return {".0.0": "utf-16-le", "0.0.": "utf-16-be"}.get(zeros, "")


def read_json(text: str) -> Any:
    """JSON whose numbers keep their digits and whose objects say which keys were repeated (``iam.grammar.Repeated``).

    Raises:
        TextError: it is not JSON (where), ends too early (says so), or is nested too deeply.
    """
    try:
        value = load_json(text.lstrip("\ufeff"))
    except JSONDecodeError as error:
        raise not_json(text, error) from None
    except RecursionError:
        raise TextError("nested too deeply") from None
    return value


def not_json(text: str, error: JSONDecodeError) -> TextError:
    """The parser's complaint in our words; a text that breaks off is told from one that is wrong."""
    line, column = error.lineno, error.colno
    if error.msg.startswith("`"):
        return TextError(f"not JSON: {error.msg[:1]}{error.msg[1:]}")
    if not text.strip():
        return TextError("empty", 1, 1)
    ends = len(text.rstrip())
    if error.pos >= ends - 1 or (error.msg.startswith("Unterminated string") and '"' not in text[error.pos + 1 : ends]):
        place = Lines(text).position(ends)
        return TextError(
            f"breaks off at line {place.line}, column {place.column}: the file is not complete",
            place.line,
            place.column,
        )
    detail = f"{error.msg[:1].lower()}{error.msg[1:]}"
    return TextError(f"not JSON: line {line}, column {column}: {detail}", line, column)


def repeated_keys(value: Any, at: str = "", depth: int = 0) -> Iterator[str]:
    """JSON pointers of the keys that an object of ``value`` has twice; the last one counts.

    Raises:
        TextError: nested more than ``DEEPEST`` levels deep.
    """
    if depth > DEEPEST:
        raise TextError("nested too deeply")
    if isinstance(value, dict):
        if isinstance(value, Repeated):
            yield from (f"{at}/{escape(key)}" for key in value.keys_twice)
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from repeated_keys(item, f"{at}/{escape(key)}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from repeated_keys(item, f"{at}/{index}", depth + 1)


def escape(name: object) -> str:
    """A key as a reference token of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """A reference token of a JSON pointer as the key that it means."""
    return token.replace("~1", "/").replace("~0", "~")


class Lines:
    """Offsets of a text as lines and columns; lines end as JSON editors have it: LF, CR LF or CR."""

    def __init__(self, text: str) -> None:
        if "\r" in text:
            self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        else:
            self._starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))

    def position(self, offset: int) -> Position:
        """Line and column of the character at ``offset``."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)


_LINE_END = re.compile(r"\r\n|\n|\r")
# One token; each alternative begins with a character of its own, so there is nothing to go back to.  A string that never ends is
# one token too: looking for its end from each of its quotes would take quadratic time.
_TOKEN = re.compile(r'[{}\[\]:,]|"[^"\\]*(?:\\.[^"\\]*)*"?|[^\s{}\[\]:,"]+', re.DOTALL)
_Trie = dict[str, "_Trie"]


def locate(text: str, pointers: Iterable[str]) -> dict[str, Position]:
    """Where the elements that ``pointers`` name begin in the JSON ``text``.

    An element that is not there (or is inside a string, as a document in a document is) stands where its nearest owner does.
    Of a repeated key the last one counts.  Texts with several JSON values (JSON lines) are pointed into by ``/INDEX`` first, if
    there is more than one.
    """
    wanted = tuple(dict.fromkeys(pointers))
    trie: _Trie = {}
    for pointer in wanted:
        node = trie
        for token in pointer.split("/")[1:]:
            node = node.setdefault(unescape(token), {})
    offsets, values = _offsets(text, trie, many=False)
    if values > 1:
        offsets, _ = _offsets(text, trie, many=True)
    lines = Lines(text)
    found = {}
    for pointer in wanted:
        tokens = tuple(unescape(token) for token in pointer.split("/")[1:])
        while tokens not in offsets and tokens:
            tokens = tokens[:-1]
        found[pointer] = lines.position(offsets.get(tokens, 0))
    return found


@dataclass(slots=True)
class _Open:
    """An object or list that has begun, and what of it is looked for."""

    trie: _Trie | None
    path: tuple[str, ...]
    index: int | None
    """Of a list; ``None`` in an object."""
    key: str = ""
    after_key: bool = False

    def separated(self, by: str) -> None:
        """A colon (a key's value comes) or a comma (the next key or item)."""
        self.after_key = by == ":"
        if by == "," and self.index is not None:
            self.index += 1


def _offsets(text: str, trie: _Trie, many: bool) -> tuple[dict[tuple[str, ...], int], int]:
    """Offsets of the wanted elements and of their owners, by their keys; how many JSON values there are.

    What nobody asked for is passed over.  ``many``: whether keys begin with the index of a value.
    """
    found: dict[tuple[str, ...], int] = {}
    stack: list[_Open] = []
    values = at = 0
    passed = _Passed(text)
    while match := _TOKEN.search(text, at):
        token, at = match.group(), match.end()
        kind = token[0]
        top = stack[-1] if stack else None
        if kind in "}]":
            if stack:
                stack.pop()
        elif kind in ":,":
            if top is not None:
                top.separated(kind)
        elif top is not None and top.index is None and not top.after_key:
            if top.trie is not None:
                top.key = _string(token)
        else:
            inner, path = _wanted(trie, top, values, many)
            if top is None:
                values += 1
            if inner is not None:
                found[path] = match.start()
            if kind in "{[":
                end = None if inner else passed.end(match.start())
                if end is None:
                    stack.append(_Open(inner or None, path, 0 if kind == "[" else None))
                else:
                    at = end
    return found, values


class _Passed:
    """Passes over whole values with the C parser, until one is no JSON: from there on every token is looked at."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decode: Callable[[str, int], tuple[object, int]] | None = _SKIPPER.raw_decode

    def end(self, start: int) -> int | None:
        """Where the object or list that begins at ``start`` ends; ``None`` where that is to be found token by token."""
        if self._decode is None:
            return None
        try:
            return self._decode(self._text, start)[1]
        except (JSONDecodeError, RecursionError, ValueError):
            self._decode = None
            return None


# Lenient where the tokens are: what a number or a name says is nobody's concern here.
_SKIPPER = JSONDecoder(parse_int=len, parse_float=len, strict=False)


def _wanted(trie: _Trie, top: _Open | None, values: int, many: bool) -> tuple[_Trie | None, tuple[str, ...]]:
    """What is looked for below the value that begins here (``None``: nothing, nor itself), and its path."""
    if top is None:
        if many:
            return trie.get(str(values)), (str(values),)
        return (trie if values == 0 else None), ()
    if top.trie is None:
        return None, ()
    key = top.key if top.index is None else str(top.index)
    return top.trie.get(key), (*top.path, key)


def _string(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        return str(load_json(token))
    except JSONDecodeError:
        return token[1:-1]
