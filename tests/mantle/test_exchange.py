"""Exchanges hold no secret, whatever they are made of."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.exchange import Exchange, TransportFailure, TransportFailureKind

# Made here, so that no file holds anything that looks like a key.
SECRET = "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Set-Cookie", "AWSALB=abc; Path=/", "…"),
        ("Authorization", "Bearer abc", "Bearer …"),
        ("authorization", f"Bearer {SECRET}", "Bearer ABSK…"),
        ("X-Api-Key", "abc", "…"),
        ("X-Amz-Security-Token", "short", "…"),
        ("Proxy-Authorization", "Basic dTpw", "Basic …"),
        ("Content-Type", "application/json", "application/json"),
        ("x-request-id", "req_abcdefghijklmnopqrstuvwxyz", "req_abcdefghijklmnopqrstuvwxyz"),
        ("x-echo", f"you sent {SECRET}", "you sent ABSK…"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, "
            "Signature=fe5f80f77d5fa3beca038a248ff027d0",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, "
            "Signature=…",
        ),
    ],
)
def test_headers(name: str, value: str, kept: str) -> None:
    exchange = Exchange(headers=((name, value),))
    assert exchange.headers == ((name.lower(), kept),)
    assert exchange.header(name) == kept
    assert Exchange(headers=exchange.headers) == exchange


@given(st.sampled_from(["url", "body", "detail", "header"]), st.text(max_size=20))
def test_no_field_keeps_a_key(field: str, around: str) -> None:
    text = f"{around} {SECRET} {around}"
    failure = TransportFailure(TransportFailureKind.TLS, text if field == "detail" else "")
    exchange = Exchange(
        url=f"https://h/?k={SECRET}" if field == "url" else None,
        body=text if field == "body" else "",
        headers=(("x-y", text),) if field == "header" else (),
        failure=failure,
    )
    assert SECRET[8:] not in repr(exchange)


def test_a_body_with_half_a_surrogate_pair_can_be_printed() -> None:
    assert Exchange(body="a\ud83db").body.encode() == "a\ufffdb".encode()
