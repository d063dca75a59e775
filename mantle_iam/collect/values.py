"""The values of a text: JSON, JSON values one after another (JSON lines too), or YAML; each with its pointer into the text.

What cannot be read among others is noted, and the others are given all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any

from mantle_iam.collect.fields import Notes
from mantle_iam.collect.places import TextError, not_json, read_json
from mantle_iam.collect.yaml_text import read_all_yaml

_MOST_FAILURES = 20


def values_of(text: str, notes: Notes, read: Callable[[str], Any] = read_json) -> Iterator[tuple[Any, str]]:
    """The values of a text with their pointers: JSON, JSON values one after another, or YAML.

    ``read``: for what JSON the whole text or a line is; raises as ``read_json`` does.
    """
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        if not start:
            yield read_json(text), ""
            return
        found = read_all_yaml(text)
        several = found if len(found) > 1 else found[0] if isinstance(found[0], list) else None
        yield from [(found[0], "")] if several is None else ((item, f"/{at}") for at, item in enumerate(several))
        return
    first = text.find("\n")
    if first > 0 and text[first:].lstrip()[:1] in ("{", "[") and text[:first].rstrip().endswith(("}", "]")):
        lines = _lines(text, notes, read)
        if lines is not None:
            yield from lines
            return
    try:
        value = read(text)
    except TextError as error:
        values = _several(text, notes)
        if not values:
            raise error from None
        yield from values
        return
    if isinstance(value, list):
        yield from ((item, f"/{index}") for index, item in enumerate(value))
    else:
        once = [(value, "")]
        del value
        yield once.pop()


def _lines(text: str, notes: Notes, read: Callable[[str], Any]) -> Iterator[tuple[Any, str]] | None:
    """The values of JSON lines, one at a time; ``None`` where the first line is no value by itself."""
    try:
        read_json(text[: text.find("\n")])
    except (TextError, RecursionError):
        return None

    def values() -> Iterator[tuple[Any, str]]:
        at = number = line = 0
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line += 1
            if text[at:end].strip():
                try:
                    yield read(text[at:end]), f"/{number}"
                    number += 1
                except TextError as error:
                    notes.add(f"line {line}: {error.message}")
            at = end + 1

    return values()


def _several(text: str, notes: Notes) -> list[tuple[Any, str]]:
    """JSON values one after another; what is between them and cannot be read is noted.  Empty where the first cannot be read."""
    found: list[tuple[Any, str]] = []
    decoder = JSONDecoder()
    at, failures = _after_space(text, 0), 0
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
            found.append((read_json(text[at:end]), f"/{len(found)}"))
        except JSONDecodeError as error:
            failures += 1
            if not found and "\n" not in text[at:].strip():
                return []
            notes.add(not_json(text, error).message)
            end = text.find("\n", at) + 1 or len(text)
            if failures >= _MOST_FAILURES:
                notes.add("there are more such places; the rest was not read")
                break
        except (RecursionError, ValueError):
            notes.add("nested too deeply")
            break
        at = _after_space(text, end)
    return found


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
