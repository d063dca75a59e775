"""Terraform code in its JSON syntax (``.tf.json``): blocks and expressions as ``hcl`` and ``hcl_values`` take them, with lines.

Every text is a template, and a text that is one ``${…}`` is that expression.  Blocks of one type are an object by label or a list
of such objects; which names are blocks and which are arguments, the JSON does not say, and nobody here needs to know.
Source: https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.collect.places import Position, escape, locate, read_json

_TELLING: Final = ("resource", "data", "module", "locals", "terraform", "provider")
_BLOCKS: Final = {*_TELLING, "variable", "output", "moved", "import", "check", "removed", "ephemeral", "//"}
_DEEPEST: Final = 8
"""Levels below the top whose positions are kept: a statement's are ``data``, type, name, ``statement``, index, element."""


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value of the JSON, as a block's body or an expression.  ``data`` names it as a rule of the other syntax is named."""

    value: Any
    pointer: str
    positions: Mapping[str, Position]
    data: str = "json"

    @property
    def line(self) -> int:
        """From 1; the top of the file where it was not kept."""
        return self.positions[self.pointer].line if self.pointer in self.positions else 1

    @property
    def column(self) -> int:
        """From 1."""
        return self.positions[self.pointer].column if self.pointer in self.positions else 1

    def members(self) -> Iterator[tuple[str, JsonNode]]:
        """The members of an object; comments (``//``) are none."""
        for name, value in self.value.items() if isinstance(self.value, Mapping) else ():
            if name != "//":
                yield str(name), JsonNode(value, f"{self.pointer}/{escape(name)}", self.positions)

    def items(self) -> Iterator[JsonNode]:
        """The items of a list; anything else is the one item."""
        if not isinstance(self.value, list):
            yield self
            return
        for index, value in enumerate(self.value):
            yield JsonNode(value, f"{self.pointer}/{index}", self.positions)

    def labelled(self, labels: int) -> Iterator[tuple[tuple[str, ...], JsonNode]]:
        """Blocks below ``labels`` levels of labels, each level an object or a list of objects."""
        for item in self.items():
            if labels == 0:
                yield (), item
                continue
            for name, inner in item.members():
                for rest, body in inner.labelled(labels - 1):
                    yield (name, *rest), body


def is_terraform_json(value: Any) -> bool:
    """Whether a decoded value is Terraform code: nothing but its blocks."""
    return (
        isinstance(value, Mapping)
        and bool(set(_TELLING) & set(value))
        and not set(value) - _BLOCKS
        and all(isinstance(each, Mapping | list) for name, each in value.items() if name != "//")
    )


def parse_json(text: str) -> JsonNode:
    """The whole file.

    Raises:
        TextError: it is no JSON.
    """
    value = read_json(text)
    return JsonNode(value, "", locate(text, _pointers(value, "", 0)))


def _pointers(value: Any, at: str, depth: int) -> Iterator[str]:
    yield at
    if depth < _DEEPEST and isinstance(value, Mapping | list):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _pointers(item, f"{at}/{escape(name)}", depth + 1)
