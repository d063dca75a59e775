"""``Fn::ForEach`` of CloudFormation's language extensions: a loop written out, as far as what it runs over is known.

Knows nothing of resources.  Every element keeps the JSON pointer of the text that it was made from.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mantle_iam.collect.places import escape
from mantle_iam.iam.grammar import Number

LOOP: Final = "Fn::ForEach::"
_MOST_ELEMENTS = 300_000


class LoopError(Exception):
    """A loop that cannot be written out; ``key`` is its key in the template."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Loops:
    """Writes loops out.  ``items`` gives what a collection holds, ``None`` where that is not known."""

    def __init__(self, items: Callable[[Any], list[str] | None]) -> None:
        self._items = items
        self._left = _MOST_ELEMENTS

    def written_out(self, section: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any, str]]:
        """Keys, values and pointers of ``section`` (which is at ``at``), loops replaced by what they make.

        Raises:
            LoopError: where there is a loop of which that is not known, or which makes too much.
        """
        for key, value in section.items():
            yield from self._element(str(key), value, f"{at}/{escape(key)}")

    def _element(self, key: str, value: Any, pointer: str) -> Iterator[tuple[str, Any, str]]:
        if not key.startswith(LOOP):
            yield key, value, pointer
            return
        if not isinstance(value, list) or len(value) != 3:
            raise LoopError(key)
        name, collection, body = value
        items = self._items(collection)
        if not isinstance(name, str) or not name or items is None or not isinstance(body, Mapping):
            raise LoopError(key)
        for item in items:
            for inner, made in body.items():
                replaced = self._replaced(made, name, item, key)
                yield from self._element(_put(str(inner), name, item), replaced, f"{pointer}/2/{escape(inner)}")

    def _replaced(self, value: Any, name: str, item: str, loop: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise LoopError(loop)
        if isinstance(value, Mapping):
            if len(value) == 1 and value.get("Ref") == name:
                return item
            return {_put(str(key), name, item): self._replaced(one, name, item, loop) for key, one in value.items()}
        if isinstance(value, list):
            return [self._replaced(one, name, item, loop) for one in value]
        return _put(value, name, item) if isinstance(value, str) and not isinstance(value, Number) else value


def _put(text: str, name: str, item: str) -> str:
    """``&{Name}`` is for logical ids: only what those may have of the item."""
    alone = "".join(c for c in item if c.isascii() and c.isalnum())
    return text.replace(f"${{{name}}}", item).replace(f"&{{{name}}}", alone)
