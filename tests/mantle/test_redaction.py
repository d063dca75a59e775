"""Secrets out of text: whatever wrapping a key comes in, nothing of it is left; and what is no secret stays."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from aws_bedrock_token_generator import BedrockTokenGenerator
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.redaction import redact

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
secret_text = st.text(alphabet, min_size=40, max_size=40).filter(lambda text: any(sign.isdigit() for sign in text))


def long_term(user: str, secret: bytes) -> str:
    return "ABSK" + base64.b64encode(user.encode() + b"-at-111122223333:" + secret).decode()


def short_term(secret: str, token: str | None = None) -> str:
    key_id = "ASIAIOSFODNN7EXAMPLE" if token else "AKIAIOSFODNN7EXAMPLE"
    key: str = BedrockTokenGenerator().get_token(Credentials(key_id, secret, token), "us-west-2")
    return key


keys = st.one_of(
    st.builds(long_term, st.sampled_from(["BedrockAPIKey-abcd", "jane.doe+1"]), st.binary(min_size=44, max_size=70)),
    st.builds(short_term, secret_text),
    st.builds(
        short_term, secret_text, st.binary(min_size=60, max_size=120).map(lambda raw: base64.b64encode(raw).decode())
    ),
)


def wrapped(text: str, width: int, prefix: str = "") -> str:
    return ("\n" + prefix).join(text[at : at + width] for at in range(0, len(text), width))


WRAPPINGS = {
    "alone": lambda key: key,
    "double-quoted": lambda key: f'OPENAI_API_KEY="{key}"',
    "single-quoted": lambda key: f"api_key='{key}',",
    "environment": lambda key: f"AWS_BEARER_TOKEN_BEDROCK={key}\nAWS_REGION=us-west-2\n",
    "header": lambda key: f"Authorization: Bearer {key}\r\nHost: x\r\n",
    "JSON": lambda key: json.dumps({"api_key": key, "region": "us-west-2"}),
    "JSON in JSON": lambda key: json.dumps(json.dumps({"k": key})),
    "JSON with escaped slashes": lambda key: json.dumps({"k": key}).replace("/", "\\/").replace("=", "\\u003d"),
    "JSON in JSON with escaped slashes": lambda key: json.dumps(json.dumps({"k": key}).replace("/", "\\/")),
    "repr of headers": lambda key: repr([(b"authorization", f"Bearer {key}".encode()), (b"host", b"x")]),
    "URL": lambda key: f"https://x.example/?key={urllib.parse.quote(key, safe='')}&region=us-west-2",
    "URL twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "userinfo": lambda key: f"https://{urllib.parse.quote(key, safe='')}:x@proxy.example/",
    "lines of 76": lambda key: wrapped(key, 76),
    "lines of 40": lambda key: wrapped(key, 40, "│ "),
    "lines of 32 in comments": lambda key: wrapped(f"key {key}", 32, "# "),
    "lines of 60 in a string": lambda key: json.dumps({"k": wrapped(key, 60)}),
    "continued": lambda key: f'"{key[:50]}" \\\n    "{key[50:]}"',
    "in prose": lambda key: f"I used {key} and it failed (key {key}).",
    "terminal": lambda key: f"\x1b[32m{key}\x1b[0m",
    "XML": lambda key: f"<Key>{key}</Key>",
}


def left_over(secret: str, text: str) -> str | None:
    """A piece of 12 characters of the secret half of ``secret`` that is still in ``text``."""
    plain = "".join(sign for sign in text if sign in alphabet)
    # The first two fifths of a key are public: prefix, host, action, user name.
    start = len(secret) * 2 // 5
    return next((secret[at : at + 12] for at in range(start, len(secret) - 12) if secret[at : at + 12] in plain), None)


@given(keys, st.sampled_from(sorted(WRAPPINGS)))
def test_no_key_survives_in_any_wrapping(key: str, wrapping: str) -> None:
    redacted = redact(WRAPPINGS[wrapping](key))
    assert left_over(key, redacted) is None
    assert redact(redacted) == redacted


@given(keys)
def test_what_stands_around_a_key_stays(key: str) -> None:
    text = redact(f'{{"model": "openai.gpt-oss-120b", "api_key": "{key}", "region": "us-west-2"}}')
    assert text.startswith('{"model": "openai.gpt-oss-120b", "api_key": "')
    assert text.endswith('…", "region": "us-west-2"}')
    assert ("ABSK…" in text) == key.startswith("ABSK")


NAMED = {
    "ini": "aws_secret_access_key = {}",
    "environment": "export AWS_SECRET_ACCESS_KEY={}",
    "JSON": '"SecretAccessKey": "{}"',
    "JSON with escaped slashes": '\\"SecretAccessKey\\": \\"{}\\"',
    "JavaScript": "secretAccessKey: '{}',",
    "XML": "<SecretAccessKey>{}</SecretAccessKey>",
    "command": "aws configure set aws_secret_access_key {}",
    "pair": "AKIAIOSFODNN7EXAMPLE:{}",
    "CSV": "AKIAIOSFODNN7EXAMPLE,{}",
    "console": "AKIAIOSFODNN7EXAMPLE\n{}",
    "session token": "AWS_SESSION_TOKEN={}",
    "header": "X-Amz-Security-Token: {}",
    "query": "X-Amz-Security-Token={}&X-Amz-Date=20261122T100000Z",
    "YAML": "aws_session_token: {}",
    "service credential": '"ServiceCredentialSecret": "{}"',
    "password": "password={}",
    "OAuth": '{{"access_token": "{}", "expires_in": 3600}}',
}


@given(secret_text, st.sampled_from(sorted(NAMED)))
def test_a_secret_behind_its_name_goes(secret: str, form: str) -> None:
    shown = secret.replace("/", "\\/") if form == "JSON with escaped slashes" else secret
    redacted = redact(NAMED[form].format(shown))
    assert not any(secret[at : at + 12] in redacted for at in range(len(secret) - 12))
    assert redact(redacted) == redacted
    assert "AKIAIOSFODNN7EXAMPLE" in redacted or "AKIA" not in NAMED[form]


TABLE = [
    # text, what it becomes
    ("Cookie: session=abc123; other=def", "Cookie: …"),
    ("Set-Cookie: AWSALB=abc; Path=/\r\nX: y", "Set-Cookie: …\r\nX: y"),
    ("https://user:pa55@proxy.example:8080/x", "https://…@proxy.example:8080/x"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def-1", "eyJ…"),
    ("sk-proj-abcdefghijklmnop1234", "sk-proj-…"),
    ("sk-ant-api03-abcdefghijklmnop1234", "sk-ant-…"),
    ("x-api-key: abcdefgh", "x-api-key: …"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic …"),
    ("authorization: token-without-scheme", "authorization: …"),
    ("Bearer abcdefghijklmnopqrstuvwxyz", "Bearer …"),
    ("GET /?a=b&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0&c=d", "GET /?a=b&X-Amz-Signature=…&c=d"),
    ("password: hunter2", "password: …"),
    ("aws_secret_access_key=abc\naws_session_token=def\nregion=x", "aws_secret_access_key=…\naws_session_token=…\nregion=x"),
]  # fmt: skip

UNTOUCHED = [
    "",
    "Invalid bearer token",
    "The security token included in the request is expired",
    "Missing 'authorization' or 'x-api-key' header",
    '{"Message":"Authorization header is missing"}',
    "bedrock-mantle:CallWithBearerToken on resource: *",
    'api_key="$AWS_BEARER_TOKEN_BEDROCK"',
    "OPENAI_API_KEY=${AWS_BEARER_TOKEN_BEDROCK}",
    "api_key=os.environ['KEY']",
    "api_key=<your key>",
    "aws_secret_access_key     <not set>             None    None",
    'WWW-Authenticate: Bearer error="invalid_token", error_description="expired"',
    "max_tokens: 16, input_tokens: 12, token: 3",
    "Incorrect API key provided: sk-proj-********1234",
    "bedrock-api-key-hoge",
    "AKIAIOSFODNN7EXAMPLE",
    "Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date",
    "Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdefghijklmnopqrstuvwxyz0123456789",
    "Credential should be scoped to correct service: 'bedrock-mantle'.",
    "Signature expired: 20261122T100000Z is now earlier than 20261122T101000Z (20261122T101500Z - 5 min.)",
    "arn:aws:sts::111122223333:assumed-role/App/session=me@example.com",
    "x-request-id: req_abcdefghijklmnopqrstuvwxyz0123456789",
]


@pytest.mark.parametrize(("text", "redacted"), TABLE, ids=[text[:30] for text, _ in TABLE])
def test_table(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=400) | st.text("ABSKbedrock-api-key_token=secret:password\"'\\\n… ", max_size=400))
def test_idempotent_on_anything(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


HOSTILE = [
    "A", "ABSK", "ABSK\n", "bedrock-api-key-", "api_key=\n", "eyJ", "://", "a_token", "authorization: ", "bearer ", "sk-",
    'authorization:"', "secret_key ", "-----BEGIN PRIVATE KEY-----", "ABSK aaaaaaaaaaaaaaaa.", "\\n", "\\", "%25", "cookie:",
    "signature=", "AKIA", "IQoJb3JpZ2lu\n", "'cookie', '", "password=\\/",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_much_of_anything_is_read(unit: str) -> None:
    # Quadratic matching would take minutes here.
    text = "ABSKaaaaaaaaaaaa password authorization bearer " + unit * (600_000 // len(unit))
    assert len(redact(text)) <= len(text)
