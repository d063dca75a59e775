"""Pasted text to the words on the terminal: golden files at two widths, and the JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.bundled import schema
from mantle_iam.errors import InputError
from mantle_iam.report.document import document
from mantle_iam.report.text import render
from mantle_iam.workflow.explain import ExplainOptions, explain

PASTES = sorted((Path(__file__).parent / "pastes").iterdir())
VALIDATOR = jsonschema.Draft202012Validator(schema("diagnosis"))


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("paste", PASTES, ids=[paste.stem for paste in PASTES])
def test_text(paste: Path, width: int, golden: Callable[[str, str], None]) -> None:
    golden(f"explain/{paste.stem}-{width}.txt", render(explain(paste.read_text("utf-8")), width=width))


@pytest.mark.parametrize("paste", PASTES, ids=[paste.stem for paste in PASTES])
def test_json_is_valid_and_deterministic(paste: Path) -> None:
    text = paste.read_text("utf-8")
    made = document(explain(text), version="1")
    VALIDATOR.validate(made)
    assert json.dumps(made) == json.dumps(document(explain(text), version="1"))


@pytest.mark.parametrize("text", ["", "  \n\t", "\ufeff".strip("\ufeff")])
def test_empty_input(text: str) -> None:
    with pytest.raises(InputError, match="the input is empty"):
        explain(text)


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 50, b"\x7fELF" + b"\x00" * 500, b"\x89PNG\r\n\x1a\n" + b"\xff" * 300]
)
def test_binary_input(data: bytes) -> None:
    with pytest.raises(InputError, match="binary"):
        explain(data.decode("utf-8", errors="replace"))


def test_a_coloured_log_is_text() -> None:
    explain("\x1b[31mERROR\x1b[0m Error code: 404\n")


def test_no_policy_is_asked_for() -> None:
    text = (Path(__file__).parent / "pastes" / "02-curl-list-models-403.txt").read_text("utf-8")
    assert explain(text).fix is not None
    assert explain(text, ExplainOptions(with_fix=False)).fix is None


@given(st.text(min_size=1, max_size=300))
@settings(max_examples=50)
def test_any_text_gives_a_diagnosis_or_one_line(text: str) -> None:
    try:
        result = explain(text)
    except InputError:
        # Empty or binary: the one thing besides a diagnosis that may come.
        return
    assert result.parts[0].report.diagnoses
    VALIDATOR.validate(document(result, version="1"))
    render(result, width=60).encode("utf-8")
