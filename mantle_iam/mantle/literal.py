"""Object literals as programs print them: JSON, Python's ``repr``, JavaScript's ``util.inspect``, also cut short.

Decides nothing about what an object means.  Where the text breaks off, what was read so far is the value.  Linear, and bounded
in size and depth; nothing is ever evaluated.
"""

from __future__ import annotations

import json
import re
from functools import cache

Value = object
"""``dict[str, Value]``, ``list[Value]``, ``str``, ``int``, ``float``, ``bool`` or ``None``."""

MAX_CHARACTERS = 64 * 1024
"""Longest literal that is read when it is no JSON, or stands inside other text."""
MAX_DEPTH = 48

_DECODER = json.JSONDecoder(strict=False)
_WORDS: dict[str, Value] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "None": None,
    "undefined": None,
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_PLAIN = {quote: rf"[^\\{quote}]*+" for quote in ('"', "'", "`")}
"""What a string holds up to its quote or a backslash."""


def read_literal(text: str, start: int = 0) -> tuple[Value, int] | None:
    """The literal that begins at ``start`` (an opening bracket) and the index behind it; ``None`` when there is none.

    Never raises.
    """
    # Only a bounded part is handed over: the decoder's exception counts the lines of all that it was given.
    part = text[start : start + MAX_CHARACTERS] if start else text
    try:
        value, end = _DECODER.raw_decode(part)
    except (ValueError, RecursionError):
        pass
    else:
        return value, start + end
    reader = _Reader(text, start)
    try:
        return reader.value(0), reader.at
    except (_NotALiteralError, ValueError):
        return None


def without_surrogates(text: str) -> str:
    """``text`` with pairs of surrogates joined and lone ones replaced: neither could be printed."""
    if text.isascii() or not _compiled("[\ud800-\udfff]").search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unwrapped(text: str) -> str:
    """A single word that a terminal broke over lines, in one piece; anything longer stays as it is."""
    word = _compiled(r"[ \t]*+[│|]?\n[│|]?[ \t]*+").sub("", text)
    return text if _compiled(r"\s").search(word) else word


class _NotALiteralError(Exception):
    """What stands there is no literal."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class _Reader:
    """A reader by recursive descent; ``at`` is the index of the next character."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.at = start
        self.end = min(len(text), start + MAX_CHARACTERS)

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise _NotALiteralError
        self._blank()
        if self.at >= self.end:
            return None
        sign = self.text[self.at]
        if sign == "{":
            return self._object(depth)
        if sign in "[(":
            return self._list(depth, "]" if sign == "[" else ")")
        if sign in "\"'`" or self._bytes_prefix():
            return self._string()
        return self._word()

    def _bytes_prefix(self) -> bool:
        return self.text[self.at] in "bru" and self.text[self.at + 1 : self.at + 2] in ("'", '"')

    def _blank(self) -> None:
        match = _compiled(r"\s*+").match(self.text, self.at, self.end)
        self.at = match.end() if match else self.at

    def _object(self, depth: int) -> dict[str, Value]:
        self.at += 1
        found: dict[str, Value] = {}
        while True:
            self._blank()
            if self.at >= self.end:
                return found
            if self.text[self.at] == "}":
                self.at += 1
                return found
            key = self._key()
            self._blank()
            if self.at >= self.end:
                return found
            if self.text[self.at] != ":" and not self.text.startswith("=>", self.at):
                raise _NotALiteralError
            self.at += 1 if self.text[self.at] == ":" else 2
            found[key] = self.value(depth + 1)
            self._comma("}")

    def _key(self) -> str:
        if self.text[self.at] in "\"'`" or self._bytes_prefix():
            return self._string()
        match = _compiled(r"\[?[A-Za-z_$][A-Za-z0-9_$.-]{0,127}\]?|[0-9]{1,20}").match(self.text, self.at, self.end)
        if match is None:
            raise _NotALiteralError
        self.at = match.end()
        return match[0]

    def _list(self, depth: int, closing: str) -> list[Value]:
        self.at += 1
        found: list[Value] = []
        while True:
            self._blank()
            if self.at >= self.end:
                return found
            if self.text[self.at] == closing:
                self.at += 1
                return found
            found.append(self.value(depth + 1))
            self._comma(closing)

    def _comma(self, closing: str) -> None:
        self._blank()
        if self.at < self.end:
            if self.text[self.at] == ",":
                self.at += 1
            elif self.text[self.at] != closing:
                raise _NotALiteralError

    def _string(self) -> str:
        parts = [self._quoted()]
        while True:
            # JavaScript breaks long strings as 'a' + 'b', Python as 'a' 'b'.
            more = _compiled(r"""\s*+(?:\+\s*+)?(?=["'`])""").match(self.text, self.at, self.end)
            if more is None:
                return without_surrogates("".join(parts))
            self.at = more.end()
            parts.append(self._quoted())

    def _quoted(self) -> str:
        if self.text[self.at] in "bru":
            self.at += 1
        quote = self.text[self.at]
        self.at += 1
        parts: list[str] = []
        broken = False
        plain = _compiled(_PLAIN[quote])
        while True:
            match = plain.match(self.text, self.at, self.end)
            if match is None or match.end() >= self.end:
                parts.append(self.text[self.at : self.end])
                self.at = self.end
                break
            parts.append(match[0])
            broken = broken or "\n" in match[0]
            self.at = match.end()
            if self.text[self.at] == quote:
                self.at += 1
                break
            parts.append(self._escape())
        return _unwrapped("".join(parts)) if broken else "".join(parts)

    def _escape(self) -> str:
        sign = self.text[self.at + 1 : self.at + 2]
        length = {"u": 4, "x": 2, "U": 8}.get(sign, 0)
        digits = self.text[self.at + 2 : self.at + 2 + length]
        if length and len(digits) == length and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            self.at += 2 + length
            return chr(min(int(digits, 16), 0x10FFFF))
        self.at += 2
        return _ESCAPES.get(sign, sign)

    def _word(self) -> Value:
        # `[Object]`, `<Response [403]>`, `[Function: x]` stand for what was not printed.
        match = _compiled(r"<[^<>\n]{0,200}>|[^\s,:{}\[\]()\"'`]{1,200}(?:\([^()\n]{0,200}\))?").match(
            self.text, self.at, self.end
        )
        if match is None:
            raise _NotALiteralError
        self.at = match.end()
        word = match[0]
        if word in _WORDS:
            return _WORDS[word]
        if _compiled(r"-?[0-9]{1,18}").fullmatch(word):
            return int(word)
        return word
