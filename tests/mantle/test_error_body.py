"""Error envelopes: a table of bodies, and the law that what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.error_body import Envelope, ErrorBody, read_error_body, write_error_body

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "error_bodies.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_table(case: dict[str, Any]) -> None:
    error = case["error"]
    expected = ErrorBody(**{**error, "envelope": Envelope(error["envelope"])})
    assert read_error_body(case["body"], case.get("content_type")) == expected


def test_every_envelope_is_in_the_table() -> None:
    assert {case["error"]["envelope"] for case in CASES} == {envelope.value for envelope in Envelope}


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80).map(str.strip)
message = words.filter(
    lambda text: text and text[0] not in "{[\"'<b:" and not text.lower().startswith(("data", "event", "id", "retry"))
)
name = st.from_regex(r"[a-z][a-z_]{2,30}", fullmatch=True)
maybe = st.none() | name

title = st.from_regex(r"[0-9]{3} [A-Z][a-z&<>]{1,20} [a-z]{1,9}", fullmatch=True)

errors = st.one_of(
    st.builds(ErrorBody, st.just(Envelope.OPENAI), message, maybe, maybe, maybe, maybe),
    st.builds(ErrorBody, st.just(Envelope.ANTHROPIC), message, maybe, name, maybe, maybe),
    st.builds(ErrorBody, st.just(Envelope.CORAL), message, maybe, st.none(), st.none(), maybe),
    st.builds(
        lambda text, short: ErrorBody(Envelope.CORAL, text, short, f"com.amazon.coral.service#{short}"), message, name
    ),
    st.just(ErrorBody(Envelope.EMPTY)),
    st.builds(ErrorBody, st.just(Envelope.TEXT), message),
    st.builds(ErrorBody, st.just(Envelope.HTML), title),
)


@given(errors)
def test_what_is_written_is_read_back(error: ErrorBody) -> None:
    assert read_error_body(write_error_body(error)) == error


@given(errors.filter(lambda error: error.envelope not in (Envelope.EMPTY, Envelope.TEXT, Envelope.HTML)))
def test_what_is_written_is_read_back_from_wrappings(error: ErrorBody) -> None:
    body = write_error_body(error)
    assert read_error_body(json.dumps(body)) == error
    assert read_error_body(f"[{body}]") == error
    assert read_error_body(f"event: error\ndata: {body}\n\n") == error
    assert read_error_body(repr(json.loads(body))) == error


def test_half_a_surrogate_pair_can_be_printed() -> None:
    for body in ('{"error":{"message":"x \\ud83d y"}}', "{'error': {'message': 'x \\ud83d y'}}"):
        said = read_error_body(body).message
        assert said is not None
        assert said.encode() == "x \ufffd y".encode()


def test_a_result_is_not_written() -> None:
    with pytest.raises(ValueError, match="no error"):
        write_error_body(ErrorBody(Envelope.RESULT))


@given(
    st.text(max_size=300) | st.text("{}[]\"':,\\error mesag<>data\n", max_size=300), st.none() | st.text(max_size=20)
)
def test_never_raises(body: str, content_type: str | None) -> None:
    read_error_body(body, content_type)


@pytest.mark.parametrize("unit", ["{", "[", '{"error":', '["', "<", "<title", "data: {\n", '"\\"', "{'a':", "\\"])
def test_a_megabyte_of_anything_is_read(unit: str) -> None:
    read_error_body(unit * (1_000_000 // len(unit)))
