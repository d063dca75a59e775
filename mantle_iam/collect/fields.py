"""Fields of decoded JSON whose shape nobody has checked: what is there in the wrong type is as if it were not there.

Also the findings of one reading (``Notes``): counted, so that a thousand equal complaints are one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mantle_iam.iam.grammar import Number

# Of the two the first is nearly always it, and is looked up at once.
_OBJECT = (dict, Mapping)
_POLICIES = ('"Statement"', '"Statement\\"', "%22Statement%22")
"""What the text of a policy has: plain, within another text, URL-encoded."""
_SHOWN = 3
_LONGEST = 200


def text(owner: object, name: str) -> str:
    """A text, or the empty one."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    if type(value) is str:
        return value
    return value if isinstance(value, str) and not isinstance(value, Number) else ""


def number(owner: object, name: str) -> int | None:
    """A whole number, as a number or in a text."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def objects(owner: object, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a list, with their indexes."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
        if isinstance(item, _OBJECT):
            yield index, item


def texts(owner: object, name: str) -> tuple[str, ...]:
    """The texts of a list; a single text is a list of one."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    many = value if isinstance(value, list | tuple) else [value]
    return tuple(item for item in many if isinstance(item, str))


def moment(owner: object, name: str) -> datetime | None:
    """A moment: ISO 8601 as the AWS CLI writes it, or seconds since 1970 as its older versions did.  Without a zone: UTC."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    if not isinstance(value, str):
        return None
    try:
        found = (
            datetime.fromtimestamp(float(value), UTC) if isinstance(value, Number) else datetime.fromisoformat(value)
        )
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def tags(owner: object, name: str = "Tags") -> tuple[tuple[str, str], ...]:
    """Tags, as a list of ``Key`` and ``Value`` or as an object."""
    value = owner.get(name) if isinstance(owner, _OBJECT) else None
    if type(value) is not list and isinstance(value, _OBJECT):
        return tuple((str(key), item) for key, item in value.items() if isinstance(item, str))
    return tuple([(key, text(tag, "Value")) for _, tag in objects(owner, name) if (key := text(tag, "Key"))])


def holds_policy(value: object) -> bool:
    """Whether a policy document seems to stand anywhere in ``value``, as an object or as text.  Looks at each element once."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if any(mark in one for mark in _POLICIES):
                return True
        elif isinstance(one, _OBJECT):
            if "Statement" in one:
                return True
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
    return False


class Notes:
    """What was found wrong while reading one input; equal complaints about several things become one sentence."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, bool], list[str]] = {}
        self._times: dict[tuple[str, bool], int] = {}
        self.documents_read = True
        """Whether every document that the input holds was read, whatever else is missing."""

    def add(self, message: str, about: str = "", *, partial: bool = True, documents: bool = True) -> None:
        """Note ``message`` about ``about``.

        ``partial=False``: worth knowing, and nothing is missing because of it.  ``documents=False``: what is missing is whom a
        document binds, or a document that is not in the input.
        """
        self.documents_read = self.documents_read and not (partial and documents)
        key = (message, partial)
        names = self._counted.setdefault(key, [])
        self._times[key] = self._times.get(key, 0) + 1
        if about and len(names) < _SHOWN and about not in names:
            names.append(about)

    @property
    def partial(self) -> bool:
        """Whether something is missing."""
        return any(partial for _, partial in self._counted)

    def sentences(self) -> tuple[str, ...]:
        """The complaints, in the order in which they first came."""
        return tuple(self._sentence(key) for key in self._counted)

    def _sentence(self, key: tuple[str, bool]) -> str:
        names, times = self._counted[key], self._times[key]
        if not names:
            return key[0]
        rest = f" and {times - len(names)} more" if times > len(names) else ""
        return f"{key[0]}: {', '.join(f'`{shown(name)}`' for name in names)}{rest}"


def shown(name: str) -> str:
    """A name that anybody may have chosen, fit for a line of output: no control characters, not too long."""
    clean = "".join(c if c.isprintable() else "\ufffd" for c in name[:_LONGEST])
    return clean if len(name) <= _LONGEST else f"{clean}…"
