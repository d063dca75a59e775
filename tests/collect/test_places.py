"""Where elements stand: values that nobody asked for are passed over whole, and nothing is found otherwise because of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.collect import places
from mantle_iam.collect.places import locate

KEYS = st.sampled_from(["a", "b", "a/b", "~", 'q"', "\ud800", "é", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), KEYS, st.sampled_from(['{"a":[', "]}", "\\", "\n"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=30
)
POINTERS = st.lists(
    st.lists(st.sampled_from(["a", "b", "a~1b", "~0", 'q"', "0", "1", "é", ""]), max_size=5).map(
        lambda tokens: "".join(f"/{token}" for token in tokens)
    ),
    max_size=5,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """JSON texts as they are and as they should not be: repeated keys, several values, cut off, a character changed."""
    indent = draw(st.sampled_from([None, 0, 2]))
    text = json.dumps(draw(VALUES), indent=indent, ensure_ascii=draw(st.booleans()))
    spoil = draw(st.sampled_from(["", "twice", "cut", "change", "insert", "again", "mark", "control"]))
    at = draw(st.integers(0, len(text)))
    if spoil == "twice":
        text = text.replace('"b":', '"a":')
    elif spoil == "cut":
        text = text[:at]
    elif spoil in ("change", "insert"):
        text = text[:at] + draw(st.sampled_from('{}[]:,"\\ 0e')) + text[at + (spoil == "change") :]
    elif spoil == "again":
        text = f"{text}\n{json.dumps(draw(VALUES))}"
    elif spoil == "mark":
        text = f"\ufeff{text}"
    elif spoil == "control":
        text = text.replace("\\n", "\n")
    return text


@settings(max_examples=600)
@given(texts(), POINTERS)
def test_passing_over_finds_what_every_token_finds(text: str, pointers: list[str]) -> None:
    quick = locate(text, pointers)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(places._Passed, "end", lambda self, start: None)
        assert quick == locate(text, pointers)


@given(VALUES)
def test_an_element_begins_where_the_parser_says(value: Any) -> None:
    text = json.dumps({"before": value, "wanted": [value, {"here": 1}], "after": value}, indent=1)
    found = locate(text, ["/wanted/1/here"])["/wanted/1/here"]
    assert text.split("\n")[found.line - 1][found.column - 1 :].startswith("1")
    assert text.split("\n")[found.line - 1].lstrip().startswith('"here"')


@pytest.mark.parametrize("text", ['{"a":' * 200_000, "[" * 400_000, '{"x":[1,' * 100_000, '["' * 200_000])
def test_what_never_ends_takes_no_longer_than_its_length(text: str) -> None:
    begun = time.process_time()
    locate(text, ["/b", "/a/a/b"])
    assert time.process_time() - begun < 10


def test_what_nobody_asked_for_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    string = places._string
    monkeypatch.setattr(places, "_string", lambda token: seen.append(token) or string(token))  # type: ignore[func-returns-value]
    text = json.dumps({"big": [{"k": {"l": 1}}] * 1000, "wanted": {"x": {"y": 1}}, "tail": {"z": [1]}})
    assert locate(text, ["/wanted/x"])["/wanted/x"].column == text.index('{"y"') + 1
    assert seen == ['"big"', '"wanted"', '"x"', '"tail"']
