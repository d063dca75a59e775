"""Texts in Terraform code: escapes, heredocs, interpolations, and where the elements of a document stand in them.

Scans from left to right, once.  Source: https://developer.hashicorp.com/terraform/language/expressions/strings
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mantle_iam.collect.declared import Linked, linked
from mantle_iam.collect.hcl_functions import LARGEST, as_text
from mantle_iam.collect.places import TextError, escape, locate, read_json
from mantle_iam.iam.inventory import UNRESOLVED, Place

Marks = tuple[tuple[str, int, int], ...]
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class Rendered(Linked):
    """The text of a document, which knows where its elements are written.  ``key`` is the data source that rendered it."""

    __slots__ = ("marks", "place")

    place: Place
    marks: Marks


def rendered_text(text: str, key: str, place: Place, marks: Marks) -> Rendered:
    """``text`` as a document that stands at ``place``."""
    found = Rendered(text)
    found.key, found.place, found.marks = key, place, marks
    return found


def marks_of(text: str, written: str, first: int) -> Marks:
    """Where the elements of the JSON document ``text`` stand in ``written``, whose first line is ``first``."""
    if '"Statement"' not in text:
        return ()
    try:
        value = read_json(text)
    except TextError:
        return ()
    found = locate(written, list(_pointers(value)))
    return tuple((pointer, first + at.line - 1, at.column) for pointer, at in found.items() if pointer)


def _pointers(value: Any) -> Iterator[str]:
    """Statements, their elements and the items of these."""
    statements = value.get("Statement") if isinstance(value, Mapping) else None
    yield "/Statement"
    single = [("/Statement", statements)] if isinstance(statements, Mapping) else []
    many = enumerate(statements) if isinstance(statements, list) else ()
    for at, statement in [*single, *((f"/Statement/{index}", item) for index, item in many)]:
        yield at
        for name, element in statement.items() if isinstance(statement, Mapping) else ():
            yield f"{at}/{escape(name)}"
            if isinstance(element, list | Mapping):
                yield from (f"{at}/{escape(name)}/{escape(inner)}" for inner in _names(element))


def _names(element: Any) -> Iterator[object]:
    return iter(element) if isinstance(element, Mapping) else iter(range(len(element)))


def heredoc(written: str) -> tuple[str, str]:
    """A heredoc with its markers, to its text and to its lines as they are written."""
    first, _, rest = written.rstrip("\r\n").partition("\n")
    lines = rest.split("\n")[:-1]
    raw = "\n".join(lines)
    if first.startswith("<<-"):
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        lines = [line[indent:] for line in lines]
    return "\n".join(lines), raw


def interpolations(text: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a template, and whether each is the expression of a ``${…}``.  One that never ends is a directive to all."""
    at = 0
    while (start := _next(text, at)) >= 0:
        yield text[at:start], False
        end = _closing(text, start + 2)
        if end < 0:
            yield "%{", False
            return
        yield text[start + 2 : end], True
        at = end + 1
    yield text[at:], False


def _next(text: str, at: int) -> int:
    """Where the next ``${`` begins that is not written ``$${``."""
    start = text.find("${", at)
    while start > at and text[start - 1] == "$":
        start = text.find("${", start + 2)
    return start


def _closing(text: str, start: int) -> int:
    """The brace that ends an expression; braces in its strings do not count."""
    depth, quoted = 0, False
    for at in range(start, min(len(text), start + 1001)):
        character = text[at]
        if character == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif quoted or character not in "{}":
            continue
        elif character == "{":
            depth += 1
        elif depth == 0:
            return at
        else:
            depth -= 1
    return -1


def directive(text: str) -> bool:
    """Whether a piece of a template holds ``%{…}``."""
    return "%{" in text.replace("%%{", "")


def blanked(text: str) -> str:
    """A template whose expressions are digits, as many as they had characters: tokens of JSON in their places."""
    found = []
    for part, expression in interpolations(text):
        found.append("0" * (len(part) + 3) if expression and "\n" not in part else part)
    return "".join(found)


def joined(parts: list[Any]) -> Any:
    """The pieces of a text as one; the only piece stays what it is."""
    kept = [part for part in parts if not (isinstance(part, str) and part == "")]
    if len(kept) == 1 and len(parts) == 1:
        return kept[0]
    if len(kept) == 1 and isinstance(kept[0], Linked):
        return kept[0]
    texts = [as_text(part) for part in kept]
    if sum(map(len, texts)) > LARGEST:
        return UNRESOLVED
    found = "".join(texts)
    links = [part for part in kept if isinstance(part, Linked)]
    return linked(found, links[0].key) if len(links) == 1 and found.strip() == str(links[0]) else found


def unescaped(text: str) -> str:
    """A quoted text without its escapes."""
    if "\\" not in text:
        return text.replace("$${", "${").replace("%%{", "%{")
    found, at = [], 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPES:
            found.append(_ESCAPES[text[at + 1]])
            at += 2
        elif text[at] == "\\" and text[at + 1 : at + 2] == "u" and len(text) >= at + 6:
            try:
                found.append(json.loads(f'"{text[at : at + 6]}"'))
            except ValueError:
                found.append(text[at : at + 6])
            at += 6
        else:
            found.append(text[at])
            at += 1
    return "".join(found).replace("$${", "${").replace("%%{", "%{")
