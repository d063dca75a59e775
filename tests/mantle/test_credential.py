"""What a credential reveals offline: minted keys, synthesised keys, and everything else people paste."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_bedrock_token_generator import BedrockTokenGenerator, provide_token
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.credential import CredentialFlaw, CredentialKind, cleaned, read_credential
from mantle_iam.mantle.key_payload import account_of_key_id, read_amz_date

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT = "111122223333"
TOKEN = base64.b64encode(
    b"!\nbus-east-1\x10\xff\x1a\x0c" + ACCOUNT.encode() + b'"\x0c' + bytes(range(128, 230))
).decode()


def minted(region: str = "us-west-2", key_id: str = "AKIAIOSFODNN7EXAMPLE", token: str | None = None) -> str:
    key: str = BedrockTokenGenerator().get_token(Credentials(key_id, SECRET_KEY, token), region)
    return key


def long_term(user: str = "BedrockAPIKey-abcd", account: str = ACCOUNT, secret: bytes = b"Zm9vYmFyc2VjcmV0" * 4) -> str:
    return "ABSK" + base64.b64encode(f"{user}-at-{account}:".encode() + secret).decode()


def key_id_of(account: int) -> str:
    """An access key id that holds ``account`` as those issued since 2019 do."""
    number = (account << 7 | 1 << 47).to_bytes(6, "big") + b"\x00\x00\x00\x00"
    return "AKIA" + base64.b32encode(number).decode()


# --- keys that AWS's generator minted -------------------------------------------------------------------------------


def test_minted_by_a_user() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    credential = read_credential(minted("eu-central-1"))
    assert credential.kind is CredentialKind.SHORT_TERM_KEY
    assert (credential.access_key_id, credential.region) == ("AKIAIOSFODNN7EXAMPLE", "eu-central-1")
    assert credential.temporary is False
    assert credential.flaws == ()
    assert credential.account is None
    assert credential.issued_at is not None
    assert before <= credential.issued_at <= datetime.now(UTC)
    assert credential.expires_at == credential.issued_at + timedelta(hours=12)


def test_minted_by_a_session() -> None:
    credential = read_credential(minted(key_id="ASIAIOSFODNN7EXAMPLE", token=TOKEN))
    assert credential.temporary is True
    assert credential.account == ACCOUNT
    assert credential.flaws == ()
    assert any("session token" in note for note in credential.notes)


def test_minted_with_a_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id_of(123456789012))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    credential = read_credential(provide_token("us-east-1", expiry=timedelta(minutes=15)))
    assert credential.issued_at is not None
    assert credential.expires_at == credential.issued_at + timedelta(minutes=15)
    assert credential.account == "123456789012"


@given(st.integers(0, 10**12 - 1))
def test_account_inside_an_access_key_id(account: int) -> None:
    assert account_of_key_id(key_id_of(account)) == f"{account:012d}"


@pytest.mark.parametrize("key_id", ["AKIAIOSFODNN7EXAMPLE", "AKIAJ2345672345672345", "AKIA", "AKIAQ0189018901890189"])
def test_older_ids_hold_no_account(key_id: str) -> None:
    assert account_of_key_id(key_id) is None


# --- long-term keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("BedrockAPIKey-abcd", "BedrockAPIKey-abcd"),
        ("BedrockAPIKey-abcd+1", "BedrockAPIKey-abcd"),
        ("jane.doe@example.com", "jane.doe@example.com"),
        ("ci_runner-at-home", "ci_runner-at-home"),
    ],
)
def test_long_term(name: str, user: str) -> None:
    credential = read_credential(long_term(name))
    assert credential.kind is CredentialKind.LONG_TERM_KEY
    assert (credential.user_name, credential.account) == (user, ACCOUNT)
    assert credential.temporary is False
    assert credential.expires_at is None
    assert credential.flaws == ()
    assert any("more than one key" in note for note in credential.notes) == ("+1" in name)


@given(
    st.from_regex(r"[A-Za-z0-9=,.@_-]{1,64}", fullmatch=True),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.binary(min_size=44, max_size=99),
)
def test_any_user_and_account(user: str, account: str, secret: bytes) -> None:
    credential = read_credential(long_term(user, account, secret))
    assert (credential.user_name, credential.account) == (user, account)
    assert CredentialFlaw.UNDECODABLE not in credential.flaws
    assert (CredentialFlaw.TRUNCATED in credential.flaws) is False


# --- flaws --------------------------------------------------------------------------------------------------------------

F = CredentialFlaw
FLAWS: dict[str, tuple[Any, set[CredentialFlaw]]] = {
    "as issued": (lambda key: key, set()),
    "double quotes": (lambda key: f'"{key}"', {F.QUOTED}),
    "single quotes": (lambda key: f"'{key}'", {F.QUOTED}),
    "typographic quotes": (lambda key: f"\u201c{key}\u201d", {F.QUOTED}),
    "one quote": (lambda key: f'{key}"', {F.QUOTED}),
    "quotes of JSON": (lambda key: f'\\"{key}\\",', {F.QUOTED}),
    "line break at the end": (lambda key: key + "\n", {F.WHITESPACE}),
    "spaces around": (lambda key: f"  {key}\t", {F.WHITESPACE}),
    "broken over lines": (lambda key: key[:60] + "\r\n" + key[60:], {F.WHITESPACE}),
    "zero-width space": (lambda key: key[:50] + "\u200b" + key[50:], {F.WHITESPACE}),
    "byte order mark": (lambda key: "\ufeff" + key, {F.WHITESPACE}),
    "Bearer": (lambda key: f"Bearer {key}", {F.PREFIXED}),
    "header": (lambda key: f"Authorization: Bearer {key}", {F.PREFIXED}),
    "export": (lambda key: f"export AWS_BEARER_TOKEN_BEDROCK={key}", {F.PREFIXED}),
    "quoted assignment": (lambda key: f'AWS_BEARER_TOKEN_BEDROCK="{key}"\n', {F.PREFIXED, F.QUOTED, F.WHITESPACE}),
    "PowerShell": (lambda key: f'$env:AWS_BEARER_TOKEN_BEDROCK = "{key}"', {F.PREFIXED, F.QUOTED}),
    "pasted twice": (lambda key: key + key, {F.DUPLICATED}),
    "URL-encoded": (lambda key: key.replace("=", "%3D").replace("+", "%2B").replace("/", "%2F"), {F.ESCAPED}),
    "JSON-escaped": (lambda key: key.replace("/", "\\/").replace("=", "\\u003d"), {F.ESCAPED}),
}


@pytest.mark.parametrize("name", FLAWS)
@pytest.mark.parametrize("kind", ["long-term-key", "short-term-key"])
def test_flaws_around_a_key_are_told_and_taken_away(name: str, kind: str) -> None:
    key = long_term(secret=b"\xff\xfe\xfb\xef" * 13) if kind == "long-term-key" else minted()
    spoil, flaws = FLAWS[name]
    spoiled = spoil(key)
    credential = read_credential(spoiled)
    assert credential.kind.value == kind
    assert set(credential.flaws) == (flaws if spoiled != key else set())
    assert cleaned(spoiled) == key
    whole = read_credential(key)
    assert dataclasses.replace(credential, flaws=(), masked="") == dataclasses.replace(whole, flaws=(), masked="")


@pytest.mark.parametrize("left", [20, 60, 120, 300, 430])
def test_a_short_term_key_cut_off(left: int) -> None:
    credential = read_credential(minted()[:left])
    assert credential.kind is CredentialKind.SHORT_TERM_KEY
    assert credential.flaws in ((CredentialFlaw.TRUNCATED,), (CredentialFlaw.UNDECODABLE,))


@pytest.mark.parametrize("lost", [1, 2, 3, 60, 100, 130])
def test_a_long_term_key_cut_off(lost: int) -> None:
    credential = read_credential(long_term(secret=b"x" * 65)[:-lost])
    assert credential.kind is CredentialKind.LONG_TERM_KEY
    assert credential.flaws == (CredentialFlaw.TRUNCATED,)


def test_padding_that_is_missing_is_no_flaw_of_a_whole_request() -> None:
    key = next(key for region in ("us-west-2", "us-east-1", "eu-north-1") if (key := minted(region)).endswith("="))
    credential = read_credential(key.rstrip("="))
    assert credential.flaws == ()
    assert any("padding" in note for note in credential.notes)


def test_the_other_alphabet_of_base64_is_read() -> None:
    key = long_term(secret=b"\xff\xfe\xfb\xef" * 13)
    other = key.replace("+", "-").replace("/", "_")
    assert other != key
    assert read_credential(other).user_name == "BedrockAPIKey-abcd"


def test_without_its_prefix() -> None:
    credential = read_credential(minted().removeprefix("bedrock-api-key-"))
    assert credential.kind is CredentialKind.SHORT_TERM_KEY
    assert credential.flaws == (CredentialFlaw.TRUNCATED,)
    assert credential.region == "us-west-2"


def test_signed_for_something_else() -> None:
    url = base64.b64decode(minted().removeprefix("bedrock-api-key-")).decode()
    for old, new, word in (
        ("%2Fbedrock%2F", "%2Fs3%2F", "`s3`"),
        ("bedrock.amazonaws.com", "example.com", "`example.com`"),
        ("X-Amz-Expires=43200", "X-Amz-Expires=86400", "12 hours"),
    ):
        assert old in url
        key = "bedrock-api-key-" + base64.b64encode(url.replace(old, new).encode()).decode()
        assert any(word in note for note in read_credential(key).notes)


# --- everything else ----------------------------------------------------------------------------------------------------

JWT = (
    "eyJhbGciOiJIUzI1NiJ9."
    + base64.urlsafe_b64encode(b'{"iat":1700000000,"exp":1700003600}').decode().rstrip("=")
    + ".c2ln"
)
K = CredentialKind
KINDS: list[tuple[str, CredentialKind, tuple[CredentialFlaw, ...]]] = [
    ("", K.NONE, (F.EMPTY,)),
    (" \n", K.NONE, (F.EMPTY,)),
    ("$AWS_BEARER_TOKEN_BEDROCK", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("${AWS_BEARER_TOKEN_BEDROCK:-}", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("%AWS_BEARER_TOKEN_BEDROCK%", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("$(cat key.txt)", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("${{ secrets.BEDROCK_KEY }}", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("{{ key }}", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("process.env.AWS_BEARER_TOKEN_BEDROCK", K.PLACEHOLDER, (F.UNEXPANDED,)),
    ("'$AWS_BEARER_TOKEN_BEDROCK'", K.PLACEHOLDER, (F.QUOTED, F.UNEXPANDED)),
    ("<your key>", K.PLACEHOLDER, ()),
    ("your-api-key-here", K.PLACEHOLDER, ()),
    ("dummy", K.PLACEHOLDER, ()),
    ("EMPTY", K.PLACEHOLDER, ()),
    ("sk-xxxx", K.PLACEHOLDER, ()),
    ("bedrock-api-key-hoge", K.PLACEHOLDER, ()),
    ("ABSK...", K.PLACEHOLDER, ()),
    ("sk-proj-abcdefghijklmnop", K.OPENAI_KEY, ()),
    ("sk-ant-api03-abcdefghijkl", K.ANTHROPIC_KEY, ()),
    ("aws-external-anthropic-api-key-abcdefgh", K.CLAUDE_PLATFORM_KEY, ()),
    ("AKIAIOSFODNN7EXAMPLE", K.AWS_ACCESS_KEY, ()),
    (f"AKIAIOSFODNN7EXAMPLE:{SECRET_KEY}", K.AWS_ACCESS_KEY, ()),
    (f"ASIAIOSFODNN7EXAMPLE\n{SECRET_KEY}", K.AWS_ACCESS_KEY, ()),
    ("AKIAIOSF", K.AWS_ACCESS_KEY, (F.TRUNCATED,)),
    (json.dumps({"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": SECRET_KEY}), K.AWS_ACCESS_KEY, ()),
    (JWT, K.JWT, ()),
    ("https://bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Signature=abc", K.PRESIGNED_URL, ()),
    (SECRET_KEY, K.UNKNOWN, ()),
    ("AIzaSyA-abcdefghijklmnopqrstuvwxyz012345", K.UNKNOWN, ()),
    ("absk" + "a" * 100, K.UNKNOWN, ()),
    ("correct horse battery staple", K.UNKNOWN, ()),
    ('{"a": 1}', K.UNKNOWN, ()),
    ("bedrock-api-key-" + "!" * 50, K.SHORT_TERM_KEY, (F.UNDECODABLE,)),
    ("ABSK" + base64.b64encode(b"\x00\x01" * 50).decode(), K.LONG_TERM_KEY, (F.UNDECODABLE,)),
    ("ABSK", K.LONG_TERM_KEY, (F.TRUNCATED,)),
    ("A" * 70_000, K.UNKNOWN, ()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "flaws"), KINDS, ids=[text[:24] or "empty" for text, _, _ in KINDS])
def test_kinds(text: str, kind: CredentialKind, flaws: tuple[CredentialFlaw, ...]) -> None:
    credential = read_credential(text)
    assert (credential.kind, credential.flaws) == (kind, flaws)


def test_every_kind_and_flaw_is_produced_here() -> None:
    made = {kind for _, kind, _ in KINDS}
    assert made == set(CredentialKind)
    flaws = {flaw for _, _, found in KINDS for flaw in found} | {flaw for _, found in FLAWS.values() for flaw in found}
    assert flaws == set(CredentialFlaw)


def test_jwt_times() -> None:
    credential = read_credential(JWT)
    assert credential.expires_at == datetime(2023, 11, 14, 23, 13, 20, tzinfo=UTC)


def test_printed_credentials_with_an_expiry() -> None:
    text = json.dumps(
        {
            "Credentials": {
                "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "SessionToken": TOKEN,
                "Expiration": "2026-01-01T00:00:00Z",
            }
        }
    )
    credential = read_credential(text)
    assert (credential.account, credential.temporary) == (ACCOUNT, True)
    assert credential.expires_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["20261122T101500Z", "20261322T101500Z", "x", "２０２６1122T101500Z"])
def test_dates(text: str) -> None:
    expected = datetime(2026, 11, 22, 10, 15, tzinfo=UTC) if text == "20261122T101500Z" else None
    assert read_amz_date(text) == expected


# --- laws ---------------------------------------------------------------------------------------------------------------

wrapping = st.sampled_from(sorted(FLAWS))


@given(st.binary(min_size=44, max_size=80), wrapping, st.booleans())
def test_the_secret_is_nowhere_in_the_record(secret: bytes, name: str, short: bool) -> None:
    key = (
        minted(key_id="ASIAIOSFODNN7EXAMPLE", token=base64.b64encode(secret).decode())
        if short
        else long_term(secret=secret)
    )
    spoiled = FLAWS[name][0](key)
    shown = repr(read_credential(spoiled)) + str(read_credential(spoiled))
    # What lies behind the first half of a key is secret; the names, ids and dates of the record lie before it.
    assert not any(key[at : at + 12] in shown for at in range(len(key) // 2, len(key) - 12))
    assert not any(part in shown for part in (base64.b64encode(secret).decode(), repr(secret)[2:-1]))


@given(st.text(max_size=200))
def test_of_any_text_hardly_anything_is_shown(text: str) -> None:
    credential = read_credential("sk-" + text)
    assert len(credential.masked) < 60
    assert not any(
        text[at : at + 12] in repr(credential) for at in range(max(0, len(text) - 12)) if text[at : at + 12].isalnum()
    )


@given(
    st.text(max_size=300),
    st.sampled_from(
        ["", "ABSK", "bedrock-api-key-", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", "eyJ", "AKIA", "{", "AEAA"]
    ),
)
def test_never_raises_and_cleaning_is_idempotent(text: str, prefix: str) -> None:
    read_credential(prefix + text)
    once = cleaned(prefix + text)
    assert cleaned(once) == once


def test_cases_hold_no_real_key() -> None:
    # The only access key ids in this file are AWS's own examples and those computed above.
    source = Path(__file__).read_text("utf-8")
    assert "AKIAIOSFODNN7EXAMPLE" in source
    assert "ABSKQm" + "VkcmV" not in source
