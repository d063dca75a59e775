"""Who is let in: keys and signatures made by the real generators, and each way in which they can be wrong."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.emulator.authn import authenticate
from mantle_iam.emulator.http import Request, ServiceError
from mantle_iam.mantle.operations import AuthMethod
from tests.emulator.conftest import (
    HOST,
    LONG_TERM,
    NOW,
    REGION,
    SESSION_CALLER,
    USER_CALLER,
    directory,
    short_term,
    signed,
    sigv4,
    with_header,
)

GET = Request("GET", "/v1/models", "", (("host", HOST),))
POST = Request(
    "POST",
    "/v1/responses/a%20b",
    "b=2&a=1&a=0",
    (("host", HOST), ("content-type", "application/json"), ("user-agent", "test  agent")),
    b'{"model": "m"}',
)


def refused(request: Request, now: datetime = NOW, known: Any = None) -> ServiceError:
    with pytest.raises(ServiceError) as error:
        authenticate(request, known or directory(), region=REGION, now=now)
    return error.value


@pytest.mark.parametrize("request_", [GET, POST], ids=["get", "post"])
@pytest.mark.parametrize(
    ("auth", "caller", "method"),
    [
        ("long-term", USER_CALLER, AuthMethod.LONG_TERM_KEY),
        ("short-term", USER_CALLER, AuthMethod.SHORT_TERM_KEY),
        ("sigv4", USER_CALLER, AuthMethod.SIGV4),
        ("session", SESSION_CALLER, AuthMethod.SIGV4),
    ],
)
def test_accepted(request_: Request, auth: str, caller: Any, method: AuthMethod) -> None:
    found = authenticate(signed(request_, auth), directory(), region=REGION, now=NOW)
    assert found.caller == caller
    assert found.method is method


def test_presigned() -> None:
    found = authenticate(
        signed(replace(GET, query="limit=5&after=a%2Fb"), "presigned"), directory(), region=REGION, now=NOW
    )
    assert (found.caller, found.method) == (USER_CALLER, AuthMethod.SIGV4)
    assert "does not match" in refused(replace(signed(GET, "presigned"), path="/v1/files")).message
    assert "Signature expired" in refused(signed(GET, "presigned"), now=NOW + timedelta(days=2)).message


@pytest.mark.parametrize("service", ["bedrock-mantle", "bedrock"])
def test_both_signing_names_are_accepted(service: str) -> None:
    assert authenticate(sigv4(POST, service=service), directory(), region=REGION, now=NOW).caller == USER_CALLER


def test_key_of_a_session() -> None:
    key = short_term(key="ASIAIOSFODNN7EXAMPLE", token="token/of+session==")
    request = with_header(GET, "authorization", f"Bearer {key}")
    found = authenticate(request, directory(), region=REGION, now=NOW)
    assert (found.caller, found.method) == (SESSION_CALLER, AuthMethod.SHORT_TERM_KEY)


@pytest.mark.parametrize("key", [LONG_TERM, "short"])
def test_x_api_key(key: str) -> None:
    request = with_header(GET, "x-api-key", short_term() if key == "short" else key)
    assert authenticate(request, directory(), region=REGION, now=NOW).caller == USER_CALLER


def test_only_what_was_signed_is_compared() -> None:
    # A proxy added a header, another changed one that was not signed.
    request = with_header(with_header(sigv4(GET), "x-forwarded-for", "10.0.0.1"), "connection", "close")
    assert authenticate(request, directory(), region=REGION, now=NOW).caller == USER_CALLER


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, body=b'{"model": "n"}'),
        lambda r: replace(r, method="PUT"),
        lambda r: replace(r, path="/v1/responses/a"),
        lambda r: replace(r, query="a=1"),
        lambda r: with_header(r, "content-type", "text/plain"),
        lambda r: replace(r, headers=tuple(pair for pair in r.headers if pair[0] != "content-type")),
    ],
    ids=["body", "method", "path", "query", "header changed", "header gone"],
)
def test_altered_after_signing(change: Any) -> None:
    assert "does not match" in refused(change(sigv4(POST))).message


def test_a_false_body_hash() -> None:
    request = sigv4(with_header(POST, "x-amz-content-sha256", "0" * 64))
    assert "does not match" in refused(request).message
    unsigned = sigv4(with_header(POST, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"))
    assert authenticate(unsigned, directory(), region=REGION, now=NOW).caller == USER_CALLER


WRONG = [
    # what is wrong, request, status, words of the answer
    ("nothing sent", GET, 401, "Missing 'authorization' or 'x-api-key' header"),
    ("empty bearer", with_header(GET, "authorization", "Bearer "), 401, "Missing 'authorization'"),
    ("another scheme", with_header(GET, "authorization", "Basic YTpi"), 401, "Missing 'authorization'"),
    ("another vendor's key", with_header(GET, "authorization", "Bearer sk-proj-nothing"), 401, "Invalid bearer token"),
    ("unknown long-term key", with_header(GET, "authorization", f"Bearer {LONG_TERM}x"), 401, "Invalid bearer token"),
    ("not base64", with_header(GET, "authorization", "Bearer bedrock-api-key-%%%"), 401, "Invalid bearer token"),
    ("not a url", with_header(GET, "authorization", "Bearer bedrock-api-key-aGVsbG8="), 401, "Invalid bearer token"),
    ("endless key", with_header(GET, "authorization", "Bearer ABSK" + "A" * 99999), 401, "Invalid bearer token"),
    ("not ascii", with_header(GET, "authorization", "Bearer ABSK\xff"), 401, "Invalid bearer token"),
    ("wrong service", sigv4(GET, service="bedrock-runtime"), 401, "scoped to correct service: 'bedrock-mantle'"),
    ("wrong region", sigv4(GET, region="eu-west-1"), 401, "scoped to a valid region"),
    ("wrong secret", sigv4(GET, secret="other"), 401, "signature we calculated does not match"),
    (
        "unknown access key",
        sigv4(GET, key="AKIAI44QH8DHBEXAMPLE"),
        401,
        "security token included in the request is invalid",
    ),
    (
        "token left out",
        sigv4(GET, key="ASIAIOSFODNN7EXAMPLE"),
        401,
        "security token included in the request is invalid",
    ),
    (
        "wrong token",
        sigv4(GET, key="ASIAIOSFODNN7EXAMPLE", token="other\xff"),
        401,
        "security token included in the request is invalid",
    ),
    ("garbage", with_header(GET, "authorization", "AWS4-HMAC-SHA256 garbage"), 401, "Authorization header requires"),
    ("five minutes late", sigv4(GET, now=NOW - timedelta(minutes=6)), 401, "Signature expired: 20261123T115400Z"),
    ("five minutes early", sigv4(GET, now=NOW + timedelta(minutes=6)), 401, "Signature not yet current"),
]


@pytest.mark.parametrize(("request_", "status", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_refused(request_: Request, status: int, words: str) -> None:
    error = refused(request_)
    assert (error.status, error.code) == (status, "invalid_api_key")
    assert words in error.message


KEYS = [
    ("of another region", {"region": "us-west-2"}, 401, "scoped to a valid region, not 'us-west-2'"),
    ("wrong secret", {"secret": "other"}, 401, "signature we calculated does not match"),
    ("unknown access key", {"key": "AKIAI44QH8DHBEXAMPLE"}, 401, "security token included in the request is invalid"),
    (
        "expired",
        {"now": NOW - timedelta(hours=13)},
        401,
        "Signature expired: 20261123T110000Z is now earlier than 20261123T120000Z",
    ),
    ("of tomorrow", {"now": NOW + timedelta(days=1)}, 401, "Signature not yet current"),
]


@pytest.mark.parametrize(("made", "status", "words"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_short_term_key_refused(made: dict[str, Any], status: int, words: str) -> None:
    error = refused(with_header(GET, "authorization", f"Bearer {short_term(**made)}"))
    assert error.status == status
    assert words in error.message


def test_short_term_key_cannot_be_prolonged() -> None:
    text = base64.b64decode(short_term(now=NOW - timedelta(hours=13)).removeprefix("bedrock-api-key-")).decode()
    for longer, words in (
        ("86400", "Invalid bearer token"),
        ("43199", "does not match"),
        ("-1", "Invalid"),
        ("x", "Invalid"),
    ):
        forged = base64.b64encode(text.replace("X-Amz-Expires=43200", f"X-Amz-Expires={longer}").encode()).decode()
        assert words in refused(with_header(GET, "authorization", f"Bearer bedrock-api-key-{forged}")).message


def test_session_over() -> None:
    known = directory()
    known.access_keys["ASIAIOSFODNN7EXAMPLE"] = replace(known.access_keys["ASIAIOSFODNN7EXAMPLE"], expires_at=NOW)
    error = refused(signed(GET, "session"), known=known)
    assert (error.status, error.message) == (403, "The security token included in the request is expired")


def test_inactive_access_key() -> None:
    known = directory()
    known.access_keys["AKIAIOSFODNN7EXAMPLE"] = replace(known.access_keys["AKIAIOSFODNN7EXAMPLE"], active=False)
    assert "security token" in refused(sigv4(GET), known=known).message


def test_long_term_key_inactive_or_over() -> None:
    known = directory()
    key = known.keys[0]
    known.keys[0] = replace(key, active=False)
    assert refused(signed(GET, "long-term"), known=known).message == "Invalid bearer token"
    known.keys[0] = replace(key, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert refused(signed(GET, "long-term"), known=known).status == 403


@given(
    st.text(max_size=60),
    st.sampled_from(["", "Bearer ", "AWS4-HMAC-SHA256 ", "Bearer bedrock-api-key-", "Bearer ABSK"]),
)
def test_nothing_else_gets_in_and_nothing_breaks(text: str, scheme: str) -> None:
    assert refused(with_header(GET, "authorization", scheme + text)).code == "invalid_api_key"


@given(st.binary(max_size=200))
def test_any_decoded_key_is_refused_in_order(data: bytes) -> None:
    key = "bedrock-api-key-" + base64.b64encode(b"bedrock.amazonaws.com/?" + data).decode()
    assert refused(with_header(GET, "authorization", f"Bearer {key}")).status == 401


@given(st.text(alphabet="abcX-Amz&=%/0129:?#", max_size=120))
def test_any_query_is_refused_in_order(text: str) -> None:
    request = replace(GET, query=f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{text}")
    assert refused(request).status == 401


def test_no_secret_in_repr() -> None:
    known = directory()
    shown = repr([*known.access_keys.values(), *known.keys])
    assert LONG_TERM not in shown
    assert "wJalr" not in shown
    assert "token/of" not in shown
