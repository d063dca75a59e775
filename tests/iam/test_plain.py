"""The quick reader and the thorough one read a plain document alike, and the quick one takes nothing that is not plain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.errors import PolicyError
from mantle_iam.iam import grammar
from mantle_iam.iam.grammar import load_json, parse_policy
from mantle_iam.iam.plain import read_plain
from mantle_iam.iam.policy import PolicyDocument

TEXTS = st.sampled_from(["*", "s3:Get*", "arn:aws:s3:::a", "Allow", "Deny", "2012-10-17", "${aws:username}", ""])
ODD = st.sampled_from([None, True, 1, 1.5, [], {}, [1], ["a", 2], {"a": 1}, {"AWS": "*"}, [["a"]], "x"])
VALUES = st.one_of(TEXTS, st.lists(TEXTS, max_size=3), ODD)
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "Bool"]),
    st.one_of(st.dictionaries(st.sampled_from(["aws:SourceVpc", "s3:prefix"]), VALUES, max_size=2), ODD),
    max_size=2,
)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))},
    optional={
        "Sid": VALUES,
        "Resource": VALUES,
        "NotResource": VALUES,
        "NotAction": VALUES,
        "Principal": VALUES,
        "Condition": st.one_of(CONDITIONS, ODD),
        "effect": VALUES,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"Statement": st.one_of(STATEMENTS, st.lists(STATEMENTS, max_size=3), ODD)},
    optional={"Version": st.one_of(st.just("2012-10-17"), VALUES), "Id": VALUES, "version": TEXTS},
)


def thorough(value: Any) -> PolicyDocument | str:
    try:
        return grammar._Reader().document(value)
    except PolicyError as error:
        return str(error)


@settings(max_examples=500)
@given(DOCUMENTS)
def test_what_the_quick_reader_takes_the_thorough_one_reads_alike(value: Any) -> None:
    for source in (value, load_json(json.dumps(value))):
        quick = read_plain(source)
        assert quick is None or quick == thorough(source)


@given(st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)))
def test_it_never_raises(value: Any) -> None:
    assert read_plain(value) is None or isinstance(value, dict)


PLAIN = {
    "Version": "2012-10-17",
    "Id": "i",
    "Statement": [
        {"Sid": "s", "Effect": "Deny", "NotAction": "a:b", "NotResource": ["*"]},
        {"Effect": "Allow", "Action": ["a:b", "a:c"], "Resource": "*", "Condition": {"Bool": {"a:k": ["x", "y"]}}},
    ],
}


def test_a_plain_document_is_read_quickly() -> None:
    assert read_plain(PLAIN) == thorough(PLAIN) == parse_policy(json.dumps(PLAIN))


@pytest.mark.parametrize(
    "text",
    [
        '{"Statement": [], "Statement": []}',
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Action": "a:c"}}',
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Condition": {"Bool": {"a:k": "x"}, "Bool": {}}}}',
        '{"Statement": {"Effect": "Allow", "Action": "a:b", "Condition": {"Bool": {"a:k": "x", "a:k": "y"}}}}',
    ],
)
def test_a_repeated_key_is_still_found(text: str) -> None:
    assert read_plain(load_json(text)) is None
    assert [problem.message for problem in parse_policy(text).problems if "more than once" in problem.message]
