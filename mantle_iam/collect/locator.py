"""Lines and columns for what findings point at: the second pass over a file, made only for the places that are shown.

A ``Place`` that was read knows its file and a JSON pointer; here the text is looked at again.  Of a file that cannot be read
again the place stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mantle_iam.collect.openers import Opener
from mantle_iam.collect.places import Position, TextError, decode_text, locate
from mantle_iam.collect.yaml_text import locate_yaml
from mantle_iam.iam.inventory import NamedPolicy, Place


def within(policy: NamedPolicy, pointer: str = "") -> Place:
    """The place of an element of a policy's document: ``pointer`` is into the document (``/Statement/0/Action``).

    Terraform code has its lines already; for other files ``located`` finds them.
    """
    pointer = policy.pointer_in_text(pointer)
    if policy.place.line is None:
        return replace(policy.place, pointer=policy.place.pointer + pointer)
    marks = {at: (line, column) for at, line, column in policy.marks}
    at = pointer
    while at and at not in marks:
        at = at.rpartition("/")[0]
    line, column = marks.get(at, (policy.place.line, policy.place.column))
    return replace(policy.place, line=line, column=column, pointer=pointer)


def located(places: Iterable[Place], stdin: bytes = b"") -> dict[Place, Place]:
    """Every place with its line and column, as far as its file tells; each file is read once."""
    wanted = tuple(dict.fromkeys(places))
    found = {place: place for place in wanted}
    opener = Opener(stdin)
    by_path: dict[str, list[Place]] = {}
    for place in wanted:
        if place.line is None and place.path:
            by_path.setdefault(place.path, []).append(place)
    for path, many in by_path.items():
        positions = _positions(opener, path, tuple(place.pointer for place in many))
        for place in many:
            position = positions.get(place.pointer)
            if position is not None:
                found[place] = replace(place, line=position.line, column=position.column)
    return found


def _positions(opener: Opener, path: str, pointers: tuple[str, ...]) -> dict[str, Position]:
    try:
        text = decode_text(opener.read(path)).text
        return locate(text, pointers) if text.lstrip()[:1] in ("{", "[") else locate_yaml(text, pointers)
    except TextError:
        return {}
