"""AccessDenied sentences: a table of shapes seen in pastes, and the law that what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.denial import Denial, find_denials, write_denial

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "denials.json").read_text("utf-8"))


def text_of(case: dict[str, Any]) -> str:
    text = case["text"]
    return text if isinstance(text, str) else "\n".join(text)


def denial_of(fields: dict[str, Any]) -> Denial:
    policy_type = fields["policy_type"]
    known = {**fields, "policy_type": PolicyType(policy_type) if policy_type else None}
    return Denial(**{**known, "actions": tuple(fields.get("actions", ()))})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_shapes(case: dict[str, Any]) -> None:
    assert find_denials(text_of(case)) == tuple(denial_of(fields) for fields in case["denials"])


def test_table_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 60
    assert len({case["name"] for case in CASES}) == len(CASES)


def test_text_is_one_line_without_the_suffix() -> None:
    case = next(case for case in CASES if case["name"] == "details suffix")
    plain = next(case for case in CASES if case["name"] == "plain")
    assert find_denials(text_of(case))[0].text == plain["text"]


WRAPPINGS = {
    "openai": "openai.PermissionDeniedError: Error code: 403 - {{'error': {{'code': 'access_denied', 'message': '{}'}}}}",
    "anthropic": 'API Error: 403 {{"type":"error","error":{{"type":"permission_error","message":"{}"}}}}',
    "botocore": "An error occurred (AccessDeniedException) when calling the X operation: {}",
    "java": "x.AccessDeniedException: {} (Service: Bedrock, Status Code: 403, Request ID: 1-2)",
    "log": '2026-11-22 10:00:00,123 ERROR app {{"msg": "{}"}} request_id=1',
    "comment": "# {}\n# at line 12",
    "twice": "{0}\nretrying\n{0}",
}

name = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=24)
account = st.from_regex(r"[0-9]{12}", fullmatch=True)
region = st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1", ""])
partition = st.sampled_from(["aws", "aws-us-gov", "aws-cn"])
service = st.from_regex(r"[a-z][a-z0-9]{1,12}(-[a-z0-9]{1,8})?", fullmatch=True)
action = st.builds("{}:{}".format, service, st.from_regex(r"[A-Z][A-Za-z0-9]{1,30}", fullmatch=True))
arn = st.builds(
    "arn:{}:{}:{}:{}:{}/{}".format,
    partition,
    service,
    region,
    account,
    st.sampled_from(["project", "role", "key"]),
    name,
)
principal = st.one_of(
    st.builds(
        "arn:{}:iam::{}:user/{}".format, partition, account, st.from_regex(r"[A-Za-z0-9+=,.@_-]{1,20}", fullmatch=True)
    ),
    st.builds(
        "arn:{}:sts::{}:assumed-role/{}/{}".format,
        partition,
        account,
        name,
        st.from_regex(r"[A-Za-z0-9+=,.@_-]{2,20}", fullmatch=True),
    ),
)


@st.composite
def denials(draw: st.DrawFn) -> Denial:
    effect = draw(st.sampled_from(["implicit", "explicit", None]))
    layer = draw(st.sampled_from(list(PolicyType))) if effect else None
    policy = draw(st.none() | arn | name) if effect == "explicit" else None
    encoded = st.from_regex(r"[A-Za-z0-9_-]{20,60}", fullmatch=True)
    identifier = st.from_regex(r"[a-z0-9]{25}", fullmatch=True)
    return Denial(
        draw(principal),
        draw(action),
        draw(st.none() | st.just("*") | arn),
        effect,
        layer,
        policy=policy,
        authorization_id=draw(st.none() | identifier),
        encoded_message=draw(st.none() | encoded),
    )


@given(denials())
def test_what_is_written_is_read_back(denial: Denial) -> None:
    assert find_denials(write_denial(denial)) == (denial,)


@given(denials(), st.sampled_from(sorted(WRAPPINGS)))
def test_what_is_written_is_found_in_the_texts_of_clients(denial: Denial, client: str) -> None:
    assert find_denials(WRAPPINGS[client].format(write_denial(denial))) == (denial,)


def test_marketplace_is_read_back() -> None:
    actions = ("aws-marketplace:ViewSubscriptions", "aws-marketplace:Subscribe")
    denial = Denial(None, actions[0], None, None, None, actions=actions)
    assert find_denials(write_denial(denial)) == (denial,)


@given(st.text(max_size=300) | st.text("User: not authorized to perform:*\n\\\"'#│", max_size=300))
def test_never_raises(text: str) -> None:
    find_denials(text)
    find_denials(f"User: {text} is not authorized to perform: {text} on resource: {text} because no {text} allows")


HOSTILE = {
    "sentences": "User: a is not authorized to perform: b:C on resource: d ",
    "anchors": "not authorized to perform ",
    "backslashes": "\\",
    "escapes": "\\r\\",
    "spaces": " ",
    "frames": "\n * │ ",
    "users": "User: ",
    "reasons": "because no a b c ",
    "quotes": 'not authorized to perform: a:B on resource: "',
    "encoded": "Encoded authorization failure message: aaaaaaaaaaaaaaaaaaaaaaaa\n",
    "marketplace": "not authorized to perform the required AWS Marketplace actions (a:B, ",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_five_megabytes_of_anything_are_read(unit: str) -> None:
    # Quadratic matching would take hours here.
    text = "User: x is not authorized to perform: a:B " + unit * (5_000_000 // len(unit)) + " uthori"
    assert len(find_denials(text)) <= 2
