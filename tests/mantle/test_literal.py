"""Object literals as JSON, Python and JavaScript print them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.literal import MAX_DEPTH, read_literal

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_$é 'x", max_size=6), inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(st.text("abcdef", min_size=1, max_size=6), values, max_size=4)


@given(documents)
def test_json_and_repr_are_read(document: dict[str, object]) -> None:
    for text in (json.dumps(document), json.dumps(document, indent=2), repr(document)):
        assert read_literal(text) == (document, len(text))
        assert read_literal(f"Error - {text} and so on", 8) == (document, 8 + len(text))


@given(documents, st.integers(0, 400))
def test_cut_off_it_is_read_as_far_as_it_goes(document: dict[str, object], length: int) -> None:
    text = repr(document)[: max(1, length)]
    found = read_literal(text)
    assert found is None or found[1] <= len(text)


TABLE = [
    ("{ status: 403, ok: false, x: undefined }", {"status": 403, "ok": False, "x": None}),
    ("{ headers: Headers(2) { 'a': 1 } }", None),
    ("{ 'content-type': 'a' + \n 'b' }", {"content-type": "ab"}),
    ("{'r': <Response [403 Forbidden]>}", {"r": "<Response [403 Forbidden]>"}),
    ("{'t': (1, 2), 'b': b'x'}", {"t": [1, 2], "b": "x"}),
    ("{a: [Object], b: [Function: f]}", None),
    ('{"a": "\\u00e9\\n\\x41"', {"a": "é\nA"}),
    ("{'a' => 1}", {"a": 1}),
    ("{not a literal}", None),
    ("[1, 2", [1, 2]),
]


@pytest.mark.parametrize(("text", "value"), TABLE, ids=[text for text, _ in TABLE])
def test_table(text: str, value: object) -> None:
    found = read_literal(text)
    assert (found[0] if found else None) == value


def test_depth_is_bounded() -> None:
    assert read_literal("{'a':" * (MAX_DEPTH + 2)) is None
    assert read_literal("[" * 100_000) is None
