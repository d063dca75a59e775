"""Answers with blanks for what differs between principals whose policies say the same: what a policy is called, where it stands.

Most inline policies are one of a few texts under many names.  The report of one of them is written with marks in place of names,
places and the account, and filled in for the others.  Knows no decision; only that a report shows those of its fields which are
there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from mantle_iam.iam.inventory import NamedPolicy, Place

_EDGE: Final = "\ue0b1"
"""Of the private use area of Unicode; what has one of its own is not written with blanks."""
_BLANK: Final = re.compile(f"{_EDGE}([0-9]+){_EDGE}")
_FIELDS: Final = 5
BLANK_ACCOUNT: Final = f"{_EDGE}0{_EDGE}"
"""Mark for an account; those of fields have higher numbers."""
_text: Final = json.JSONEncoder(ensure_ascii=False).encode


def _fields(policy: NamedPolicy) -> tuple[str, str, str, str, str]:
    place = policy.place
    return policy.name, policy.arn, place.path, place.address, place.pointer


def outline(policies: Sequence[NamedPolicy]) -> tuple[Any, ...] | None:
    """What policies have in common that are reported alike but for names; ``None``: two of these are told apart by nothing."""
    fields = [_fields(policy) for policy in policies]
    if len(set(fields)) < len(fields):
        return None
    return tuple(
        [(*map(bool, told), policy.place.line, policy.indexes) for told, policy in zip(fields, policies, strict=True)]
    )


def blank(policy: NamedPolicy, number: int) -> NamedPolicy:
    """The policy that is ``number`` in its row, with marks for its name and place."""
    first = 1 + number * _FIELDS
    name, arn, path, address, pointer = (
        f"{_EDGE}{first + index}{_EDGE}" if field else "" for index, field in enumerate(_fields(policy))
    )
    place = Place(path, policy.place.line, None, address, pointer)
    return replace(policy, name=name, arn=arn, place=place)


def is_free(text: str) -> bool:
    """Whether a report holds nothing that would be taken for a mark: others of the same kind may be written with blanks."""
    return _EDGE not in text


class Blanks:
    """A report's JSON text with marks in it."""

    __slots__ = ("_numbers", "_parts")

    def __init__(self, text: str) -> None:
        self._parts = _BLANK.split(text)
        self._numbers = [int(number) for number in self._parts[1::2]]

    def filled(self, policies: Sequence[NamedPolicy], account: str) -> str:
        """The text for these policies, which have the outline of those that it was written for."""
        told = [_text(field)[1:-1] for field in (account, *[field for policy in policies for field in _fields(policy)])]
        self._parts[1::2] = [told[number] for number in self._numbers]
        return "".join(self._parts)
