"""Values as literals of Python, TypeScript, JSON and the Bourne-again shell: no value can end its literal or be expanded in it.

Decides quotes, escapes, and line breaks (as ``ruff format`` and ``prettier`` put them, so that nobody's formatter changes
them); knows no policy and no template.

Sources: https://docs.python.org/3/reference/lexical_analysis.html#string-and-bytes-literals,
https://tc39.es/ecma262/#sec-literals-string-literals, https://www.gnu.org/software/bash/manual/html_node/Quoting.html,
https://www.rfc-editor.org/rfc/rfc8259#section-7
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from mantle_iam.errors import InputError

TYPESCRIPT_WIDTH: Final = 80
"""Columns of a line; prettier's default."""
PYTHON_WIDTH: Final = 88
"""Columns of a line; the default of ruff and Black."""

_SHORT_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def python_string(text: str) -> str:
    """``text`` as a Python string literal on one line; what cannot be seen is escaped."""
    return _string(text, "\\U{:08x}")


def typescript_string(text: str) -> str:
    """``text`` as a TypeScript string literal on one line; what cannot be seen is escaped.  Never a template literal."""
    return _string(text, "\\u{{{:x}}}")


def _string(text: str, astral: str) -> str:
    """``astral``: how a character above U+FFFF is written, the one thing that differs."""
    quote = _quote(text)
    escapes = {**_SHORT_ESCAPES, quote: f"\\{quote}"}
    return quote + "".join(escapes.get(c) or (c if c.isprintable() else _escaped(ord(c), astral)) for c in text) + quote


def _escaped(code: int, astral: str) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else astral.format(code)


def _quote(text: str) -> str:
    """The quote that needs fewer escapes, the double one where both need as many: what the formatters choose."""
    return "'" if text.count('"') > text.count("'") else '"'


def python_value(value: object, indent: int = 0) -> str:
    """``value``, as JSON has it, as a Python literal that begins in a line indented by ``indent`` columns."""
    inner = " " * (indent + 4)
    if isinstance(value, str):
        return python_string(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Mapping):
        lines = [
            f"{inner}{python_string(str(key))}: {python_value(each, indent + 4)},\n" for key, each in value.items()
        ]
        return f"{{\n{''.join(lines)}{' ' * indent}}}" if lines else "{}"
    if isinstance(value, Sequence):
        lines = [f"{inner}{python_value(each, indent + 4)},\n" for each in value]
        return f"[\n{''.join(lines)}{' ' * indent}]" if lines else "[]"
    raise TypeError(f"no literal for {type(value).__name__}")


def python_constant(value: object, name: str, indent: int = 0) -> str:
    """``name = value`` in a line indented by ``indent`` columns; parentheses around a string where only they make it fit."""
    literal = python_value(value, indent)
    space = " " * indent
    if isinstance(value, str) and len(f"{space}{name} = {literal}") > PYTHON_WIDTH >= len(literal) + indent + 4:
        return f"{space}{name} = (\n{space}    {literal}\n{space})"
    return f"{space}{name} = {literal}"


def typescript_value(value: object, indent: int = 0, column: int = 0) -> str:
    """``value``, as JSON has it, as a TypeScript literal.

    Args:
        value: strings, numbers, booleans, ``None``, and lists and mappings of them.
        indent: columns that its line is indented by.
        column: columns of that line before the value.
    """
    inner = " " * (indent + 2)
    if isinstance(value, str):
        return typescript_string(value)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Mapping):
        lines = [typescript_property(each, str(key), indent + 2) + "\n" for key, each in value.items()]
        return f"{{\n{''.join(lines)}{' ' * indent}}}" if lines else "{}"
    if isinstance(value, Sequence):
        items = [typescript_value(each, indent + 2, indent + 2) for each in value]
        flat = f"[{', '.join(items)}]"
        # One more column for the comma or semicolon after it.
        if "\n" not in flat and column + len(flat) + 1 <= TYPESCRIPT_WIDTH:
            return flat
        return "[\n" + "".join(f"{inner}{item},\n" for item in items) + " " * indent + "]"
    raise TypeError(f"no literal for {type(value).__name__}")


def typescript_property(value: object, key: str, indent: int) -> str:
    """``key: value,`` in a line indented by ``indent`` columns; a string too long for it begins a line of its own."""
    name = key if key.isascii() and key.isidentifier() else typescript_string(key)
    if key == "__proto__":
        # Written plainly it would set the prototype instead of a property.
        name = '["__proto__"]'
    start = f"{' ' * indent}{name}:"
    literal = typescript_value(value, indent, len(start) + 1)
    if isinstance(value, str) and len(start) + len(literal) + 2 > TYPESCRIPT_WIDTH:
        return f"{start}\n{' ' * (indent + 2)}{literal},"
    return f"{start} {literal},"


def typescript_constant(value: object, name: str) -> str:
    """``const name = value;`` at the beginning of a line; a string too long for it begins a line of its own."""
    start = f"const {name} ="
    literal = typescript_value(value, 0, len(start) + 1)
    if isinstance(value, str) and len(start) + len(literal) + 2 > TYPESCRIPT_WIDTH:
        return f"{start}\n  {literal};"
    return f"{start} {literal};"


def shell_word(text: str) -> str:
    """``text`` as one word of bash, of which nothing is expanded.

    Raises:
        InputError: it holds a character that no argument of a program can hold.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise InputError(
            f"`{python_string(text)[1:-1]}` cannot be an argument of a command",
            help="use another format, such as boto3",
        )
    if text.isprintable():
        return "'" + text.replace("'", "'\\''") + "'"
    # What cannot be seen, byte by byte, so that the script's meaning depends on no locale.
    return "$'" + "".join(map(_ansi_c, text)) + "'"


def _ansi_c(character: str) -> str:
    if character == "'":
        return "\\'"
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in character.encode())


def shell_argument(text: str) -> str:
    """``text`` as a word of bash that the AWS CLI takes as it is.

    The AWS CLI reads a value such as ``file://name`` from that file.
    Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html

    Raises:
        InputError: it would be read from a file, or cannot be an argument.
    """
    if text.startswith(("file://", "fileb://", "http://", "https://")):
        raise InputError(f"`{text}` would be taken as a place to read from by the AWS CLI", help="use --format boto3")
    return shell_word(text)


def visible_json(value: object, indent: int = 4) -> str:
    """``value`` as JSON in which every character can be seen: what cannot be printed is escaped."""
    return "".join(map(_json_character, json.dumps(value, indent=indent, ensure_ascii=False)))


def compact_json(value: object) -> str:
    """The same, with no other white space than line ends and indentation."""
    text = json.dumps(value, indent=4, separators=(",", ":"), ensure_ascii=False)
    return "".join(map(_json_character, text))


def _json_character(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    # Two escapes for a character outside of the basic plane, as JSON has it.
    return json.dumps(character)[1:-1]
