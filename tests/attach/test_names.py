"""Whom a text names: tables of what people write, and texts that nobody should."""

from __future__ import annotations

import json
import string
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.attach.names import NAME_LIMITS, instance_arn, parse_name, permission_set_of, target_name
from mantle_iam.attach.plan import TargetKind
from mantle_iam.errors import InputError

CASES = json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))
INSTANCE = "arn:aws:sso:::instance/ssoins-0123456789abcdef"


@pytest.mark.parametrize(("kind", "text", "expected"), CASES["read"])
def test_what_people_write(kind: str, text: str, expected: dict[str, Any]) -> None:
    found = asdict(parse_name(TargetKind(kind), text))
    assert {key: value for key, value in found.items() if value is not None} == {"kind": kind, **expected}
    assert target_name(TargetKind(kind), text) == (expected["name"], expected.get("account"))


@pytest.mark.parametrize(("kind", "text", "words"), CASES["refused"])
def test_what_iam_cannot_have(kind: str, text: str, words: str | None) -> None:
    if words is None:
        assert parse_name(TargetKind(kind), text).name == text, "IAM takes it, odd as it is"
        return
    with pytest.raises(InputError) as caught:
        parse_name(TargetKind(kind), text)
    assert any(word in f"{caught.value.message} {caught.value.help}" for word in words.split("|"))


@pytest.mark.parametrize(("role", "name"), CASES["set_roles"])
def test_the_permission_set_behind_a_role(role: str, name: str | None) -> None:
    assert permission_set_of(role) == name


@pytest.mark.parametrize("kind", list(TargetKind))
def test_the_longest_name(kind: TargetKind) -> None:
    limit = NAME_LIMITS[kind]
    assert parse_name(kind, "a" * limit).name == "a" * limit
    with pytest.raises(InputError) as caught:
        parse_name(kind, "a" * (limit + 1))
    assert str(limit) in str(caught.value.help)


def test_help_names_the_option_that_takes_it() -> None:
    with pytest.raises(InputError) as caught:
        parse_name(TargetKind.USER, "arn:aws:sts::123456789012:assumed-role/app/s")
    assert caught.value.help == "it goes with --role"
    with pytest.raises(InputError) as caught:
        parse_name(TargetKind.ROLE, "AWSReservedSSO_Developers_0123456789abcdef")
    assert str(caught.value.help).endswith("--permission-set Developers")


@pytest.mark.parametrize("text", ["", "x", INSTANCE[:-1], f"{INSTANCE}/x", INSTANCE.replace(":sso:", ":iam:")])
def test_what_is_no_instance(text: str) -> None:
    with pytest.raises(InputError, match="not the ARN of an IAM Identity Center instance"):
        instance_arn(text)


def test_an_instance() -> None:
    assert instance_arn(f" {INSTANCE}\n") == INSTANCE


HOSTILE = [
    "/" * 200_000,
    "a" * 200_000,
    ":" * 200_000,
    "arn:" * 50_000,
    "arn:aws:iam::123456789012:user/" + "a/" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", list(TargetKind))
def test_a_huge_text_is_refused_at_once_and_not_repeated(kind: TargetKind, text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        parse_name(kind, text)
    assert time.perf_counter() - start < 1
    assert len(caught.value.message) < 400


NAMES = st.text(string.ascii_letters + string.digits + "+=,.@_-", min_size=1, max_size=32)


@given(name=NAMES, path=st.lists(NAMES, max_size=3), kind=st.sampled_from([TargetKind.USER, TargetKind.GROUP]))
def test_the_arn_and_the_path_name_the_same(name: str, path: list[str], kind: TargetKind) -> None:
    before = "".join(f"{part}/" for part in path)
    of_arn = parse_name(kind, f"arn:aws:iam::123456789012:{kind}/{before}{name}")
    of_path = parse_name(kind, f"/{before}{name}")
    assert (of_arn.name, of_arn.path) == (of_path.name, of_path.path) == (name, f"/{before}")


@given(
    kind=st.sampled_from(list(TargetKind)), text=st.text(max_size=80) | st.builds("arn:{}".format, st.text(max_size=80))
)
def test_any_text_is_a_name_or_an_error_of_ours(kind: TargetKind, text: str) -> None:
    try:
        found = parse_name(kind, text)
    except InputError:
        return
    assert found.arn or (found.name and found.name in text)
    assert len(found.name) <= NAME_LIMITS[kind]
