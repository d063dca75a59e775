"""Terraform's language: blocks as records, and their two syntaxes, native (HCL) and JSON.

Decides how a value is written so that Terraform reads exactly that value, and where ``terraform fmt`` wants white space.
Knows no resource and no policy.

Sources: https://developer.hashicorp.com/terraform/language/expressions/strings (escapes, ``$${`` and ``%%{``),
https://developer.hashicorp.com/terraform/language/syntax/json (expressions are ``"${…}"``, nested blocks lists of objects),
https://developer.hashicorp.com/terraform/language/style (white space).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of Terraform's language, written as it stands: a reference, a call."""

    text: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """A type constraint such as ``set(string)``: bare in the native syntax, a plain string in JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class SetOf:
    """``toset([…])`` of literal strings, for ``for_each``."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonText:
    """A string that is the JSON text of ``value``: ``jsonencode({…})`` in the native syntax, the text itself in JSON."""

    value: Any


Value = str | int | bool | tuple[str, ...] | Expression | Keyword | SetOf | JsonText


@dataclass(frozen=True, slots=True)
class Attribute:
    """``name = value``."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Block:
    """``kind "label" "label" { … }``."""

    kind: str
    labels: tuple[str, ...]
    body: tuple[Attribute | Block, ...]
    comment: str = ""
    """What a reader has to know; never text from outside, since it is written as it stands."""


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def hcl_string(text: str) -> str:
    """``text`` as a quoted HCL string: no interpolation, no directive, no line end inside."""
    parts: list[str] = []
    for position, character in enumerate(text):
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif character in "$%" and text[position + 1 : position + 2] == "{":
            parts.append(character * 2)
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}")
    return f'"{"".join(parts)}"'


def literal_template(text: str) -> str:
    """``text`` as a string of Terraform's JSON syntax stands for it: interpolation and directives escaped, nothing else."""
    return text.replace("${", "$${").replace("%{", "%%{")


def identifier(name: str, default: str = "policy") -> str:
    """``name`` as a Terraform identifier: letters, digits, ``_``; ``default`` before what begins otherwise."""
    letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_").lower()
    return letters if letters[:1].isalpha() else f"{default}_{letters}".rstrip("_")


# --- native syntax ---------------------------------------------------------------------------------------------------


def native(block: Block, depth: int = 0) -> str:
    """``block`` in the native syntax, as ``terraform fmt`` leaves it, without a line end after it."""
    return "\n".join(_block_lines(block, "  " * depth))


def _block_lines(block: Block, indent: str) -> Iterator[str]:
    yield from (f"{indent}# {line}" for line in block.comment.splitlines())
    labels = "".join(f" {hcl_string(label)}" for label in block.labels)
    if not block.body:
        yield f"{indent}{block.kind}{labels} {{}}"
        return
    yield f"{indent}{block.kind}{labels} {{"
    for number, group in enumerate(_groups(block.body, indent + "  ")):
        if number:
            yield ""
        yield from group
    yield f"{indent}}}"


def _groups(body: Iterable[Attribute | Block], indent: str) -> Iterator[list[str]]:
    """Runs of lines that stand together: arguments of one line each, or one that takes several, or one block."""
    short: list[tuple[str, str]] = []
    for item in body:
        if isinstance(item, Attribute):
            value = list(_value_lines(item.value, indent))
            if len(value) == 1 and item.name != "for_each":
                short.append((item.name, value[0]))
                continue
            lines = [f"{indent}{item.name} = {value[0]}", *value[1:]]
        else:
            lines = list(_block_lines(item, indent))
        if short:
            yield _aligned(short, indent)
            short = []
        yield lines
    if short:
        yield _aligned(short, indent)


def _aligned(pairs: list[tuple[str, str]], indent: str) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"{indent}{name:<{width}} = {value}" for name, value in pairs]


def _value_lines(value: Value, indent: str) -> Iterator[str]:
    """The value's lines; all but the first with their indent."""
    match value:
        case bool():
            yield "true" if value else "false"
        case int():
            yield str(value)
        case str():
            yield hcl_string(value)
        case Expression() | Keyword():
            yield value.text
        case tuple():
            yield from _list_lines(value, indent, "[", "]")
        case SetOf():
            yield from _list_lines(value.values, indent, "toset([", "])")
        case JsonText():
            first, *rest = _data_lines(value.value, indent)
            yield f"jsonencode({first}"
            yield from rest[:-1]
            yield f"{rest[-1]})"


def _list_lines(values: tuple[str, ...], indent: str, start: str, end: str) -> Iterator[str]:
    if not values:
        yield start + end
        return
    yield start
    yield from (f"{indent}  {hcl_string(value)}," for value in values)
    yield indent + end


def _data_lines(value: Any, indent: str) -> list[str]:
    """Decoded JSON as an expression; members of an object begin lines of their own."""
    inner = indent + "  "
    if isinstance(value, dict):
        lines = ["{"]
        pending: list[tuple[str, str]] = []
        for name, member in value.items():
            written = _data_lines(member, inner)
            if len(written) == 1:
                pending.append((_key(name), written[0]))
                continue
            lines += [*(_aligned(pending, inner) if pending else []), f"{inner}{_key(name)} = {written[0]}"]
            lines += written[1:]
            pending = []
        return [*lines, *(_aligned(pending, inner) if pending else []), f"{indent}}}"]
    if isinstance(value, list):
        if not value:
            return ["[]"]
        lines = ["["]
        for member in value:
            first, *rest = _data_lines(member, inner)
            lines += [inner + first, *rest]
            lines[-1] += ","
        return [*lines, f"{indent}]"]
    return [hcl_string(value) if isinstance(value, str) else json.dumps(value)]


def _key(name: str) -> str:
    return (
        name
        if name.isascii() and name.isidentifier() and name not in ("for", "true", "false", "null")
        else hcl_string(name)
    )


# --- JSON syntax -----------------------------------------------------------------------------------------------------


def json_syntax(blocks: Iterable[Block]) -> dict[str, Any]:
    """``blocks`` as an object of Terraform's JSON syntax (``.tf.json``)."""
    found: dict[str, Any] = {}
    for block in blocks:
        place = found.setdefault(block.kind, {})
        for label in block.labels[:-1]:
            place = place.setdefault(label, {})
        place[block.labels[-1]] = _json_body(block)
    return found


def _json_body(block: Block) -> dict[str, Any]:
    body: dict[str, Any] = {"//": block.comment} if block.comment else {}
    for item in block.body:
        if isinstance(item, Attribute):
            body[item.name] = _json_value(item.value)
        else:
            body.setdefault(item.kind, []).append(_json_body(item))
    return body


def _json_value(value: Value) -> Any:
    match value:
        case str():
            return literal_template(value)
        case tuple():
            return [literal_template(each) for each in value]
        case Expression():
            return f"${{{value.text}}}"
        case Keyword():
            return value.text
        case SetOf():
            return f"${{toset([{', '.join(hcl_string(each) for each in value.values)}])}}"
        case JsonText():
            return literal_template(json.dumps(value.value, ensure_ascii=False, separators=(",", ":")))
        case _:
            return value
