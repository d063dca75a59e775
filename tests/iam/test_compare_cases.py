"""Every case of ``compare_cases/cases.json``, and what no table says: bounds, statements by name, many documents."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.iam.compare import Comparison, Inclusion, Relation, allows_no_more, compare
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument

CASES = json.loads((Path(__file__).parent / "compare_cases" / "cases.json").read_text("utf-8"))["cases"]
TOPICS = (
    *("globs", "case", "arn", "not", "deny", "strings", "absent", "bool", "numbers", "dates", "addresses", "sets"),
    *("variables", "opaque", "facts", "principals", "hostile"),
)
SECONDS = 10
"""More than any case takes on a slow machine: the bounds hold."""


def document(statements: list[dict[str, Any]], version: str | None = "2012-10-17") -> PolicyDocument:
    filled = []
    for statement in statements:
        whole = {"Effect": "Allow", **({} if "NotResource" in statement else {"Resource": "*"}), **statement}
        filled.append({name: value for name, value in whole.items() if value is not None})
    return parse_policy({**({} if version is None else {"Version": version}), "Statement": filled})


def compared(case: dict[str, Any]) -> Comparison:
    version = case.get("version", "2012-10-17")
    old = (document(case["old"], version),)
    new = (document(case["new"], version), *(document(more, version) for more in case.get("more_new", ())))
    return compare(old, new)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['topic']}-{case['name']}")
def test_case(case: dict[str, Any]) -> None:
    started = time.perf_counter()
    found = compared(case)
    assert time.perf_counter() - started < SECONDS
    if case["relation"] != "*":
        assert found.relation is Relation(case["relation"]), (found.more, found.less)
    for name in ("more", "less"):
        if name in case:
            allowed = [case[name]] if isinstance(case[name], str) else case[name]
            assert getattr(found, name).result.value in allowed, found
    _check_witness(case, found)
    if "reason" in case:
        assert case["reason"] in f"{found.more.reason} {found.less.reason}"


def _check_witness(case: dict[str, Any], found: Comparison) -> None:
    more, less = found.more.witness, found.less.witness
    for name, value in case.get("witness", {}).items():
        got = getattr(more, name)
        assert (_plain(got) if name == "context" else got) == value
    if "witness_not" in case:
        assert more is not None
        assert not more.resource.startswith(tuple(case["witness_not"]))
    if "witness_length" in case:
        assert more is not None
        assert len(more.resource) == case["witness_length"]
    if "less_action" in case:
        assert less is not None
        assert less.action.startswith(case["less_action"])
    if "less_context" in case:
        assert less is not None
        assert _plain(less.context) == case["less_context"]


def _plain(context: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in context.items()}


def test_every_topic_has_cases() -> None:
    count = Counter(case["topic"] for case in CASES)
    assert set(count) == set(TOPICS)
    assert min(count.values()) >= 3
    assert len(CASES) >= 100


def test_existing_actions_are_taken_for_witnesses() -> None:
    new, old = (document([{"Action": "s3:*"}]),), (document([{"Action": "s3:Get*"}]),)
    found = allows_no_more(new, old, actions=("s3:GetObject", "iam:PassRole", "s3:PutObject"))
    assert found.witness is not None
    assert found.witness.action == "s3:PutObject"


def test_without_a_suitable_action_the_proof_is_still_over_all_strings() -> None:
    new, old = (document([{"Action": "s3:*"}]),), (document([{"Action": ["s3:GetObject", "s3:PutObject"]}]),)
    found = allows_no_more(new, old, actions=("s3:GetObject", "s3:PutObject"))
    assert found.result is Inclusion.FAILS
    assert found.witness is not None
    assert found.witness.action.lower() not in ("s3:getobject", "s3:putobject")


def test_a_pattern_of_actions_is_filled_in_as_it_was_written() -> None:
    found = allows_no_more((document([{"Action": "s3:GetO*"}]),), ())
    assert found.witness is not None
    assert found.witness.action == "s3:GetOExample"


def test_the_reason_names_the_statements() -> None:
    allow = {"Sid": "Wide", "Action": "s3:*"}
    guard = {"Sid": "Guard", "Effect": "Deny", "Action": "s3:Delete*"}
    found = allows_no_more((document([allow]),), (document([allow, guard]),))
    assert "`Wide`" in found.reason
    assert "`Guard`" in found.reason
    assert [ref.sid for ref in found.allowed_by] == ["Wide"]
    assert [ref.sid for ref in found.denied_by] == ["Guard"]


def test_keys_of_one_value_are_not_asked_for_several() -> None:
    both = document(
        [
            {"Action": "s3:*", "Condition": {"StringEquals": {"svc:Model": "a"}}},
            {"Action": "s3:*", "Condition": {"StringNotEquals": {"svc:Model": "a"}}},
        ]
    )
    all_ = document([{"Action": "s3:*"}])
    assert allows_no_more((all_,), (both,)).result is Inclusion.FAILS
    assert allows_no_more((all_,), (both,), single_valued=frozenset({"svc:Model"})).result is Inclusion.HOLDS


def test_no_documents() -> None:
    assert compare((), ()).relation is Relation.EQUAL
    assert compare((), (document([{"Action": "*"}]),)).relation is Relation.WIDER


def _wild(index: int) -> dict[str, Any]:
    letters = "abcdefgh"
    pattern = "*".join(letters[(index * step) % 8] for step in range(1, 9))
    return {
        "Action": f"s3:*{letters[index % 8]}*{letters[index % 7]}*",
        "Resource": f"*{pattern}*",
        "Condition": {"StringLike": {f"k{index % 5}": f"*{pattern}*", f"k{index % 3}": f"{pattern}*"}},
    }


def _bisected(index: int) -> dict[str, Any]:
    keys = {f"k{bit}": "yes" for bit in range(24) if index >> bit % 8 & 1}
    return {"Action": "s3:*", "Condition": {"StringEquals": keys, "StringNotEquals": {f"k{index % 24}": "no"}}}


HOSTILE = {
    "thousands of values": [
        {"Action": "s3:*", "Condition": {operator: {"k": [f"a{n}{end}" for n in range(6_000)]}}}
        for operator, end in (("StringLike", "*"), ("StringEquals", ""))
    ],
    "thousands of statements": [{"Action": f"s{n}:A*", "Resource": f"arn:aws:s3:::b{n}/*"} for n in range(4_000)],
    "wildcards everywhere": [_wild(index) for index in range(150)],
    "hundreds of literal actions": [{"Action": [f"s3:A{n}x{m}" for m in range(40)]} for n in range(100)],
    "a cover over many keys": [_bisected(index) for index in range(1, 256)],
    "question marks": [{"Action": "s3:*", "Resource": f"*a{'?' * n}"} for n in range(1, 60)],
    "variables": [{"Action": "s3:*", "Resource": f"*${{k{n}}}*${{k{n + 1}}}*"} for n in range(120)],
    "numbers of many digits": [
        {"Action": "s3:*", "Condition": {"NumericLessThan": {"k": f"{n}e{n}99999"}}} for n in range(1, 60)
    ],
    "long patterns": [{"Action": "s3:*", "Resource": f"{'*ab' * 600}{n}"} for n in range(20)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_end_in_bounded_time(name: str) -> None:
    statements = HOSTILE[name]
    denies = [{**statement, "Effect": "Deny"} for statement in statements[::3]]
    old, new = document([*statements[: len(statements) // 2], *denies]), document([*statements, {"Action": "s3:*b*"}])
    started = time.perf_counter()
    for sides in ((old, new), (new, old), (new, document([{"Action": "s3:*"}, *denies]))):
        found = compare((sides[0],), (sides[1],))
        assert found.more.reason
    assert time.perf_counter() - started < 6 * SECONDS


def test_giving_up_says_so() -> None:
    many = [_bisected(index) for index in range(1, 256)]
    found = compare((document(many),), (document([{"Action": "s3:*", "Resource": "*"}]),))
    assert found.more.result in (Inclusion.FAILS, Inclusion.UNKNOWN)
    assert found.more.reason
