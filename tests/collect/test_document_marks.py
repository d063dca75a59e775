"""What may be unknown in a document is looked for wherever it can be, and nothing is refused or taken because of a short cut."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from mantle_iam.collect.documents import Documents
from mantle_iam.iam.inventory import UNRESOLVED

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{UNRESOLVED}"}
MARKED = {"Version": "2012-10-17", "Statement": [STATEMENT]}


@pytest.mark.parametrize(
    "source",
    [
        MARKED,
        json.dumps(MARKED),
        json.dumps(MARKED).replace("$", "\\u0024"),
        quote(json.dumps(MARKED)),
        quote(json.dumps(MARKED).replace("$", "\\u0024")),
        json.dumps(json.dumps(MARKED)),
        {**MARKED, "Id": "x" * 70_000},
    ],
    ids=["object", "text", "escaped", "url", "url-escaped", "text-in-text", "too-long-to-remember"],
)
def test_a_mark_is_found_however_it_is_written(source: Any) -> None:
    documents = Documents()
    assert [documents.read(source).unresolved for _ in range(2)] == [("/Statement/0/Resource",)] * 2


def nested(levels: int) -> dict[str, Any]:
    inner: Any = "x"
    for _ in range(levels):
        inner = {"a": [inner]}
    return {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Resource": "*", "Other": inner}]}


@pytest.mark.parametrize("form", [lambda value: value, json.dumps], ids=["object", "text"])
def test_what_is_nested_too_deeply_is_refused(form: Any) -> None:
    read = Documents().read(form(nested(120)))
    assert (read.document, read.problem, read.opaque) == (None, "the document is nested too deeply", True)
    assert Documents().read(form(nested(20))).document is not None


def test_equal_documents_are_read_once_and_a_text_is_no_object() -> None:
    documents = Documents()
    plain = {"Version": "2012-10-17", "Statement": []}
    assert documents.read(plain) is documents.read(dict(plain))
    assert documents.read(json.dumps(plain)) is documents.read(json.dumps(plain))
    assert documents.read("[]").problem != documents.read(plain).problem
