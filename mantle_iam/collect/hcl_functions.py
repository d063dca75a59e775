"""Terraform's functions over values that may be unknown: what cannot be told for certain is ``UNRESOLVED``.

Decides what a function gives, not where its arguments come from.  None of them makes a value above ``LARGEST``: code may ask for
any size in a few lines.
Source: https://developer.hashicorp.com/terraform/language/functions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mantle_iam.collect.declared import Linked
from mantle_iam.collect.places import TextError, read_json
from mantle_iam.iam.grammar import Number, dump_json
from mantle_iam.iam.inventory import UNRESOLVED

LARGEST: Final = 1_000_000
"""Characters of a text, and elements of a collection with all that it holds."""


class Handle:
    """What has attributes that are evaluated when they are asked for: a resource, a module, ``var``."""

    __slots__ = ("get",)

    def __init__(self, get: Callable[[str], Any]) -> None:
        self.get = get


class Set(list[Any]):
    """A set, in the order in which Terraform goes through it."""

    __slots__ = ()


class Doubtful(list[Any]):
    """Instances of which it is not known how many there are; the one element stands for all of them."""

    __slots__ = ()


class Missing(str):
    """What is not there at all: an error in Terraform, which ``try`` passes over; for everybody else not known."""

    __slots__ = ()


MISSING: Final = Missing(UNRESOLVED)


def vague(value: Any) -> bool:
    """Whether nothing at all is known of it, not even to which resource it belongs."""
    return isinstance(value, str) and value == UNRESOLVED and not isinstance(value, Linked)


def countable(value: Any) -> bool:
    """Whether it is known how many elements it has, and which is which."""
    if isinstance(value, Mapping):
        return not any(UNRESOLVED in str(key) for key in value)
    return isinstance(value, list) and not isinstance(value, Doubtful) and not any(map(vague, value))


def measured(value: Any) -> bool:
    """Whether a value, with all that it holds, is small enough to be written out."""
    left, open_ = LARGEST, [value]
    while open_ and left > 0:
        item = open_.pop()
        left -= 1 + (len(item) if isinstance(item, str | list | dict) else 0)
        if isinstance(item, list | dict):
            open_.extend(item.values() if isinstance(item, dict) else item)
    return left > 0


def pairs(value: Any) -> list[tuple[Any, Any]] | None:
    """Keys and values as Terraform iterates over them; ``None`` where it is not known over what."""
    if isinstance(value, Mapping) and countable(value):
        return sorted(value.items())
    if not countable(value):
        return None
    return [(item, item) if isinstance(value, Set) else (Number(at), item) for at, item in enumerate(value)]


def as_text(value: Any) -> str:
    """A value within a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return _digits(value)
    return value if isinstance(value, str) else UNRESOLVED


def _digits(number: Number) -> str:
    """A number as Terraform writes it: no zeros that say nothing."""
    written = str(number)
    if not written.isascii() or not written.replace(".", "", 1).replace("-", "", 1).isdigit():
        return UNRESOLVED
    before, _, after = written.removeprefix("-").partition(".")
    after = after.rstrip("0")
    found = (before.lstrip("0") or "0") + (f".{after}" if after else "")
    return f"-{found}" if written.startswith("-") and found != "0" else found


def whole(value: Any) -> int | None:
    """A whole number, if it is one."""
    digits = as_text(value) if isinstance(value, str) else ""
    plain = digits.removeprefix("-")
    return int(digits) if plain.isascii() and plain.isdigit() and len(plain) < 10 else None


def known(value: Any) -> bool:
    """Whether all of it is known."""
    if isinstance(value, str):
        return UNRESOLVED not in value
    if isinstance(value, Mapping):
        return all(known(key) and known(item) for key, item in value.items())
    if isinstance(value, list):
        return not isinstance(value, Doubtful) and all(map(known, value))
    return not isinstance(value, Handle)


def call(name: str, given: list[Any]) -> Any:
    """The value of a function; ``UNRESOLVED`` where it is not one of those, or its arguments do not tell."""
    function = FUNCTIONS.get(name) or (_STRICT.get(name) if all(map(known, given)) else None)
    if function is None or not all(map(measured, given)):
        return UNRESOLVED
    try:
        found = function(*given)
    except (TypeError, ValueError, RecursionError, AttributeError, TextError):
        return UNRESOLVED
    except (LookupError, StopIteration):
        return MISSING
    return found if measured(found) else UNRESOLVED


def _plain(value: Any) -> Any:
    """A value as data: what has no text of its own is not known."""
    if isinstance(value, Handle | Doubtful):
        return UNRESOLVED
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _concat(*given: Any) -> Any:
    found: list[Any] = []
    for item in given:
        found.extend(item if isinstance(item, list) and not isinstance(item, Doubtful) else [UNRESOLVED])
    return found


def _flatten(value: Any) -> Any:
    if not isinstance(value, list):
        return UNRESOLVED
    return [inner for item in value for inner in (_flatten(item) if isinstance(item, list) else [item])]


def _merge(*given: Any) -> Any:
    if not all(isinstance(item, Mapping) for item in given if item is not None):
        return UNRESOLVED
    return {key: value for item in given if item is not None for key, value in item.items()}


def _join(between: Any, *lists: Any) -> Any:
    if len(lists) == 1 and isinstance(lists[0], list) and len(lists[0]) == 1:
        return lists[0][0]  # an instance that may not be there, as its only one
    return as_text(between).join(map(as_text, _concat(*lists)))


def _format(pattern: str, *given: Any) -> Any:
    pieces = pattern.split("%s")
    if len(pieces) != len(given) + 1 or any("%" in piece for piece in pieces):
        return UNRESOLVED
    return "".join(piece + (as_text(given[i]) if i < len(given) else "") for i, piece in enumerate(pieces))


def _length(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Number) and UNRESOLVED not in value:
        return Number(len(value))
    return Number(len(value)) if countable(value) else UNRESOLVED


def _set(value: Any) -> Any:
    if not countable(value):
        return UNRESOLVED
    plain = all(isinstance(item, str) and UNRESOLVED not in item for item in value)
    return Set(sorted(dict.fromkeys(value))) if plain else Set(value)


def _lookup(owner: Any, key: Any, *default: Any) -> Any:
    if not isinstance(owner, Mapping) or not countable(owner) or not known(key):
        return UNRESOLVED
    return owner.get(key, default[0] if default else MISSING)


def _element(many: Any, at: Any) -> Any:
    number = whole(at)
    if isinstance(many, Doubtful):
        return many[0]
    return UNRESOLVED if number is None or not countable(many) or not many else many[number % len(many)]


def _one(many: Any) -> Any:
    if isinstance(many, Doubtful):
        return many[0]
    if not countable(many) or len(many) > 1:
        return UNRESOLVED
    return many[0] if many else None


def _first(*given: Any) -> Any:
    """``coalesce``: the first that is neither null nor empty, if all before it are known to be."""
    for item in given:
        if item is None or item in ("", []):
            continue
        return UNRESOLVED if vague(item) else item
    return MISSING


def _try(*given: Any) -> Any:
    return next((item for item in given if not isinstance(item, Missing)), UNRESOLVED)


def _keys(value: Any) -> Any:
    return [key for key, _ in sorted(value.items())] if isinstance(value, Mapping) and countable(value) else UNRESOLVED


def _values(value: Any) -> Any:
    found = pairs(value) if isinstance(value, Mapping) else None
    return UNRESOLVED if found is None else [item for _, item in found]


def _zipmap(keys: Any, values: Any) -> Any:
    return dict(zip(keys, values, strict=True)) if countable(keys) and countable(values) else UNRESOLVED


def _product(*lists: Any) -> Any:
    found: list[list[Any]] = [[]]
    for many in lists:
        if not countable(many) or len(found) * len(many) > LARGEST // 100:
            return UNRESOLVED
        found = [[*head, item] for head in found for item in many]
    return found


def _range(*bounds: Any) -> Any:
    numbers = [whole(bound) for bound in bounds]
    span = range(*(number for number in numbers if number is not None))
    return UNRESOLVED if None in numbers or len(span) > LARGEST // 100 else list(map(Number, map(str, span)))


def _replace(text: str, old: str, new: str) -> Any:
    regular = len(old) > 1 and old[0] == old[-1] == "/"
    large = len(text) + text.count(old) * len(new) > LARGEST if old else True
    return UNRESOLVED if regular or large else text.replace(old, new)


def _formatlist(pattern: str, *given: Any) -> Any:
    length = max((len(item) for item in given if isinstance(item, list)), default=1)
    columns: Iterator[list[Any]] = (item if isinstance(item, list) else [item] * length for item in given)
    return [_format(pattern, *row) for row in zip(*columns, strict=True)]


def _number(value: Any) -> Any:
    return UNRESOLVED if whole(value) is None else Number(value)


def _same(value: Any) -> Any:
    return value


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    # Those that say something of what is known in part.
    "jsonencode": lambda value: dump_json(_plain(value)),
    "concat": _concat,
    "flatten": _flatten,
    "merge": _merge,
    "join": _join,
    "format": _format,
    "formatlist": _formatlist,
    "length": _length,
    "toset": _set,
    "setunion": lambda *sets: _set(_concat(*sets)),
    "lookup": _lookup,
    "element": _element,
    "one": _one,
    "coalesce": _first,
    "coalescelist": _first,
    "try": _try,
    "keys": _keys,
    "values": _values,
    "zipmap": _zipmap,
    "setproduct": _product,
    "distinct": lambda value: list(dict.fromkeys(value)) if countable(value) else UNRESOLVED,
    "tolist": lambda value: list(value) if countable(value) else UNRESOLVED,
    "tomap": _same,
    "tostring": lambda value: value if value is None else as_text(value),
    "sensitive": lambda value: UNRESOLVED,  # never shown, and so not known
    "nonsensitive": _same,
}
_STRICT: Final[Mapping[str, Callable[..., Any]]] = {
    # Those of which nothing is known as long as anything of an argument is not.
    "compact": lambda value: [item for item in value if item],
    "contains": lambda many, item: item in many,
    "sort": sorted,
    "reverse": lambda many: list(reversed(many)),
    "slice": lambda many, first, last: many[int(first) : int(last)],
    "chunklist": lambda many, size: [many[at : at + int(size)] for at in range(0, len(many), int(size))],
    "range": _range,
    "setsubtract": lambda one, other: Set(item for item in one if item not in other),
    "setintersection": lambda one, other: Set(item for item in one if item in other),
    "anytrue": lambda many: any(item is True or item == "true" for item in many),
    "alltrue": lambda many: all(item is True or item == "true" for item in many),
    "tobool": lambda value: value if isinstance(value, bool) else {"true": True, "false": False}[value],
    "tonumber": _number,
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "title": lambda value: " ".join(word[:1].upper() + word[1:] for word in value.split(" ")),
    "trimspace": lambda value: value.strip(),
    "trim": lambda value, characters: value.strip(characters),
    "trimprefix": lambda value, prefix: value.removeprefix(prefix),
    "trimsuffix": lambda value, suffix: value.removesuffix(suffix),
    "chomp": lambda value: value.rstrip("\r\n"),
    "split": lambda between, value: value.split(between),
    "replace": _replace,
    "startswith": lambda value, prefix: value.startswith(prefix),
    "endswith": lambda value, suffix: value.endswith(suffix),
    "basename": lambda value: value.rpartition("/")[2],
    "jsondecode": lambda value: read_json(value),
}
