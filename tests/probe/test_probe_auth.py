"""Header makers, the junk key and the minted key, against botocore and the public generator; secrets stay wrapped."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.probe.auth import AwsCredentials, junk_key, mint_short_term_key
from mantle_iam.probe.secret import Secret, scrub

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AWS = AwsCredentials(
    "ASIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret("FwoGZXIvYXdz"), "env"
)


@given(st.text())
def test_a_secret_shows_in_no_form(text: str) -> None:
    secret = Secret(text)
    assert {str(secret), f"{secret}", f"{secret!s}"} == {"****"}
    assert repr([secret]) == "[Secret(****)]"
    assert secret.reveal() == text


def test_a_secret_is_not_written() -> None:
    for attempt in (pickle.dumps, json.dumps, copy.copy, hash):
        with pytest.raises(TypeError):
            attempt(Secret("secret-value"))  # type: ignore[operator]


def test_records_with_secrets_show_none() -> None:
    shown = repr(AWS)
    assert "wJalr" not in shown
    assert "FwoG" not in shown
    assert "ASIAIOSFODNN7EXAMPLE" in shown


def test_scrub_takes_out_what_was_sent_and_leaves_short_words() -> None:
    assert scrub("got secret-value-1!", (Secret("secret-value-1"), Secret("got"))) == "got ****!"


def test_junk_keys_are_well_formed_and_nobodys() -> None:
    long_term = junk_key(CredentialKind.LONG_TERM_KEY, "us-east-1", NOW).reveal()
    name, _, _ = base64.b64decode(long_term.removeprefix("ABSK")).decode().partition(":")
    assert name == "BedrockAPIKey-none-at-000000000000"
    short_term = junk_key(CredentialKind.SHORT_TERM_KEY, "eu-west-1", NOW).reveal()
    query = _query(short_term)
    assert query["X-Amz-Credential"] == ["AKIAAAAAAAAAAAAAAAAA/20261122/eu-west-1/bedrock/aws4_request"]
    assert query["X-Amz-Signature"] == ["0" * 64]
    assert junk_key(CredentialKind.SHORT_TERM_KEY, "eu-west-1", NOW).reveal() == short_term


def test_a_minted_key_is_made_as_the_public_generator_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore import auth as botocore_auth
    from botocore.credentials import Credentials

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return NOW

    if hasattr(botocore_auth, "get_current_datetime"):
        monkeypatch.setattr(botocore_auth, "get_current_datetime", lambda *_: NOW.replace(tzinfo=None))
    else:
        monkeypatch.setattr(botocore_auth.datetime, "datetime", Clock)
    theirs = BedrockTokenGenerator().get_token(
        Credentials(AWS.access_key_id, AWS.secret_access_key.reveal(), "FwoGZXIvYXdz"), "us-west-2"
    )
    assert mint_short_term_key(AWS, "us-west-2", 43200).reveal() == theirs
    assert _query(mint_short_term_key(AWS, "us-west-2").reveal())["X-Amz-Expires"] == ["900"]


def _query(key: str) -> dict[str, list[str]]:
    url = base64.b64decode(key.removeprefix("bedrock-api-key-")).decode()
    return parse_qs(urlsplit(f"https://{url}").query)
