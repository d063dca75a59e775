"""YAML as templates have it: merge keys, keys that occur twice, places, and texts that are made to be expensive."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mantle_iam.collect.places import TextError
from mantle_iam.collect.yaml_text import locate_yaml, read_all_yaml, read_yaml
from mantle_iam.iam.grammar import Repeated

MERGED = """\
a: &a {x: 1, y: 2}
b: &b {y: 3, z: 4}
c:
  <<: [*a, *b]
  z: 9
d: {<<: *b, y: 7, y: 8}
e: {"<<": 1}
"""


def test_merged_keys_count_after_own_ones_and_the_first_before_the_others() -> None:
    value = read_yaml(MERGED)
    assert value["c"] == {"x": "1", "y": "2", "z": "9"}
    assert value["d"] == {"y": "8", "z": "4"}
    assert isinstance(value["d"], Repeated)
    assert value["d"].keys_twice == ("y",)
    assert value["e"] == {"<<": "1"}  # in quotes it is a key as any other
    places = locate_yaml(MERGED, ["/c/x", "/c/y", "/c/z", "/d/z", "/d/y", "/c/none"])
    assert {pointer: (place.line, place.column) for pointer, place in places.items()} == {
        "/c/x": (1, 11),
        "/c/y": (1, 17),
        "/c/z": (5, 6),
        "/d/z": (2, 17),
        "/d/y": (6, 22),
        "/c/none": (4, 3),
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Sub x", {"Fn::Sub": "x"}),
        ("!GetAtt a.b.c", {"Fn::GetAtt": ["a", "b.c"]}),
        ("!Ref x", {"Ref": "x"}),
        ("!If [c, !Ref x, {a: !Join ['', [a]]}]", {"Fn::If": ["c", {"Ref": "x"}, {"a": {"Fn::Join": ["", ["a"]]}}]}),
        ("{Version: 2012-10-17, n: 010, t: yes, f: off, z: ~}", {
            "Version": "2012-10-17", "n": "010", "t": True, "f": False, "z": None}),
    ],
)  # fmt: skip
def test_short_forms_and_scalars(text: str, value: Any) -> None:
    assert read_yaml(text) == value


def test_documents_of_one_text() -> None:
    assert read_all_yaml("a: 1\n---\nb: 2\n") == [{"a": "1"}, {"b": "2"}]
    assert locate_yaml("a: 1\n---\nb: 2\n", ["/1/b"])["/1/b"].line == 3


_BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 15))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a {<<: *a}", "circle"),
        ("a: {<<: 3}", "merged"),
        ("a:\n\tb: 1", "line 2"),
        ("- [" * 100_000, "line 1"),
        ("[" * 1000 + "]" * 1000, "nested too deeply"),
        (_BOMB, "500,000"),
        ("- a\n" * 2_000_000, "500,000"),
    ],
    ids=["circle", "merge", "tab", "open", "deep", "bomb", "large"],
)
def test_what_is_refused(text: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(TextError, match=says):
        read_yaml(text)
    assert time.monotonic() - began < 10


def test_places_in_a_bomb_take_no_time() -> None:
    began = time.monotonic()
    places = locate_yaml(_BOMB + "b: &b {<<: *b}\n", ["/a14/x", "/a14/none", "/b/x"])
    assert time.monotonic() - began < 5
    assert [place.line for place in places.values()] == [1, 15, 16]
