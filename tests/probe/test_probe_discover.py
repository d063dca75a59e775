"""Which key, base URL and region would be used, and what is said about the rest."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.probe.discover import chain_note, discover_keys, explicit_key
from mantle_iam.workflow.probe_setup import ProbeOptions, prepare

LONG = "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + b"s3cr3t" * 10).decode()
OTHER = "ABSK" + base64.b64encode(b"BedrockAPIKey-efgh-at-111122223333:" + b"0th3r5" * 10).decode()
OPENAI = "sk-proj-" + "a1B2" * 12
MANTLE = "https://bedrock-mantle.us-east-1.api.aws/v1"
AWS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def short_term(region: str = "us-west-2") -> str:
    from aws_bedrock_token_generator import BedrockTokenGenerator

    keys = Credentials("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLE")
    return BedrockTokenGenerator().get_token(keys, region)


@pytest.mark.parametrize(
    ("environ", "used"),
    [
        ({}, None),
        ({"AWS_BEARER_TOKEN_BEDROCK": LONG}, "AWS_BEARER_TOKEN_BEDROCK"),
        ({"AWS_BEARER_TOKEN_BEDROCK": ""}, None),
        ({"OPENAI_API_KEY": LONG}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": OPENAI}, None),
        ({"OPENAI_API_KEY": OPENAI, "OPENAI_BASE_URL": "https://api.openai.com/v1"}, None),
        ({"OPENAI_API_KEY": OPENAI, "OPENAI_BASE_URL": MANTLE}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "ollama", "OPENAI_BASE_URL": "http://localhost:11434/v1"}, None),
        ({"OPENAI_API_KEY": LONG, "AWS_BEARER_TOKEN_BEDROCK": OTHER}, "AWS_BEARER_TOKEN_BEDROCK"),
        ({"OPENAI_API_KEY": LONG, "BEDROCK_MANTLE_API_KEY": OTHER}, "BEDROCK_MANTLE_API_KEY"),
        ({"ANTHROPIC_AWS_API_KEY": LONG}, "ANTHROPIC_AWS_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-ant-api03-" + "x" * 80}, None),
        ({"AWS_BEARER_TOKEN_BEDROCK": OPENAI, "OPENAI_API_KEY": LONG}, "AWS_BEARER_TOKEN_BEDROCK"),
    ],
)
def test_precedence_of_keys(environ: Mapping[str, str], used: str | None) -> None:
    keys = discover_keys(environ)
    assert (keys.used.where if keys.used else None) == used
    assert {key.where for key in keys.found} == {name for name, value in environ.items() if value and "URL" not in name}


def test_different_keys_are_told_with_the_clients_that_send_them() -> None:
    keys = discover_keys({"AWS_BEARER_TOKEN_BEDROCK": LONG, "OPENAI_API_KEY": OTHER})
    (note,) = keys.notes
    assert "openai-python `OpenAI()` sends OPENAI_API_KEY" in note
    assert "openai-python `BedrockOpenAI()` sends AWS_BEARER_TOKEN_BEDROCK" in note
    assert discover_keys({"AWS_BEARER_TOKEN_BEDROCK": LONG, "OPENAI_API_KEY": LONG}).notes == ()
    assert discover_keys({"AWS_BEARER_TOKEN_BEDROCK": LONG, "OPENAI_API_KEY": OPENAI}).notes == ()


def test_what_is_named_explicitly_wins() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": LONG, "MY_KEY": OTHER}
    explicit = explicit_key(f'"{OTHER}"\n', "--api-key-file key.txt")
    keys = discover_keys(environ, explicit=explicit)
    assert keys.used == explicit
    assert explicit.secret.reveal() == OTHER
    named = discover_keys(environ, variable="MY_KEY").used
    assert named is not None
    assert named.where == "MY_KEY"
    with pytest.raises(InputError, match="`NO_KEY` is not set"):
        discover_keys(environ, variable="NO_KEY")
    assert discover_keys(environ, use=False).used is None


def test_no_record_holds_a_secret() -> None:
    keys = discover_keys({"AWS_BEARER_TOKEN_BEDROCK": LONG, "OPENAI_API_KEY": OPENAI, "BEDROCK_MANTLE_API_KEY": OTHER})
    shown = repr(keys)
    for secret in (LONG, OTHER, OPENAI):
        assert secret not in shown
        assert secret[20:] not in shown


def test_a_key_that_hides_aws_credentials_is_told() -> None:
    note = chain_note(discover_keys({"AWS_BEARER_TOKEN_BEDROCK": LONG}), "profile dev")
    assert note is not None
    assert "profile dev" in note
    assert chain_note(discover_keys({}), "profile dev") is None


# -- the whole setup


def test_a_long_term_key_and_nothing_else() -> None:
    setup = prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": LONG})
    assert (setup.auth, setup.method, setup.unsent) == (Auth.BEARER, AuthMethod.LONG_TERM_KEY, None)
    assert setup.regions == ("us-east-1",)
    assert any("no region was named" in note for note in setup.notes)
    assert setup.endpoints[0].base_url == MANTLE


@pytest.mark.parametrize(
    ("options", "environ", "regions"),
    [
        (ProbeOptions(regions=("eu-west-1", "us-east-2", "eu-west-1")), {}, ("eu-west-1", "us-east-2")),
        (ProbeOptions(), {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2"}, ("eu-west-1",)),
        (ProbeOptions(), {"AWS_DEFAULT_REGION": "us-east-2", "BEDROCK_MANTLE_REGION": "eu-west-2"}, ("us-east-2",)),
        (ProbeOptions(), {"BEDROCK_MANTLE_REGION": "eu-west-2"}, ("eu-west-2",)),
        (
            ProbeOptions(base_url="https://bedrock-mantle.eu-north-1.api.aws/v1"),
            {"AWS_REGION": "us-east-1"},
            ("eu-north-1",),
        ),
        (ProbeOptions(base_url="http://127.0.0.1:1/v1"), {"AWS_REGION": "us-east-2"}, ("us-east-2",)),
    ],
)
def test_regions(options: ProbeOptions, environ: dict[str, str], regions: tuple[str, ...]) -> None:
    setup = prepare(options, {"AWS_BEARER_TOKEN_BEDROCK": LONG} | environ)
    assert setup.regions == regions
    assert len(setup.endpoints) == len(regions)
    for region, endpoint in zip(regions, setup.endpoints, strict=True):
        assert endpoint.region in (region, None)


def test_the_region_of_a_short_term_key_is_the_last_resort() -> None:
    key = short_term("us-west-2")
    assert prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": key}).regions == ("us-west-2",)
    assert prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": key, "AWS_REGION": "eu-west-1"}).regions == (
        "eu-west-1",
    )


@pytest.mark.parametrize("region", ["us-east1", "${AWS_REGION}", "", "us-east-1.evil.example#"])
def test_a_region_that_is_none(region: str) -> None:
    with pytest.raises(InputError):
        prepare(ProbeOptions(regions=(region,)), {"AWS_BEARER_TOKEN_BEDROCK": LONG})


@pytest.mark.parametrize(
    ("environ", "base_url", "noted"),
    [
        ({"OPENAI_BASE_URL": MANTLE + "/"}, MANTLE, ""),
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1"}, MANTLE, "OPENAI_BASE_URL points to `api.openai.com`"),
        ({"OPENAI_BASE_URL": "http://localhost:11434/v1"}, MANTLE, "OPENAI_BASE_URL points to `localhost`"),
        ({"AWS_BEDROCK_BASE_URL": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1", ""),
        ({"AWS_BEDROCK_BASE_URL": "http://127.0.0.1:9/openai/v1"}, "http://127.0.0.1:9/v1", "has no model list"),
        (
            {"ANTHROPIC_BEDROCK_MANTLE_BASE_URL": "https://bedrock-mantle.us-east-1.api.aws/anthropic"},
            "https://bedrock-mantle.us-east-1.api.aws/anthropic",
            "",
        ),
        ({"AWS_BEDROCK_BASE_URL": "https://bedrock-mantle.${AWS_REGION}.api.aws/v1"}, MANTLE, "was not expanded"),
        ({"OPENAI_BASE_URL": "not a url"}, MANTLE, ""),
        (
            {"OPENAI_BASE_URL": MANTLE, "AWS_BEDROCK_BASE_URL": "http://127.0.0.1:9/v1"},
            "http://127.0.0.1:9/v1",
            "several hosts",
        ),
    ],
)
def test_base_urls_of_the_environment(environ: dict[str, str], base_url: str, noted: str) -> None:
    setup = prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1"} | environ)
    assert setup.endpoints[0].base_url == base_url
    assert noted in "\n".join(setup.notes)


def test_the_base_url_follows_the_region_and_keeps_its_path() -> None:
    options = ProbeOptions(
        base_url="https://bedrock-mantle.us-east-1.api.aws/openai/v1", regions=("us-east-1", "eu-west-1")
    )
    setup = prepare(options, {"AWS_BEARER_TOKEN_BEDROCK": LONG})
    assert [endpoint.base_url for endpoint in setup.endpoints] == [
        "https://bedrock-mantle.us-east-1.api.aws/openai/v1",
        "https://bedrock-mantle.eu-west-1.api.aws/openai/v1",
    ]


def test_an_untrusted_host_is_refused_before_anything_is_sent() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1"}
    url = "https://gateway.example/v1"
    with pytest.raises(InputError, match="not a host of Amazon Bedrock"):
        prepare(ProbeOptions(base_url=url), environ)
    assert (
        prepare(ProbeOptions(base_url=url, trust_hosts=("gateway.example",)), environ).endpoints[0].host
        == "gateway.example"
    )
    with pytest.raises(InputError) as caught:
        prepare(ProbeOptions(base_url="https://me:hunter2@gateway.example/v1"), environ)
    assert "hunter2" not in f"{caught.value} {caught.value.help}"


@pytest.mark.parametrize(
    ("key", "kind", "sent"),
    [
        (LONG, CredentialKind.LONG_TERM_KEY, True),
        (f'"{LONG}"', CredentialKind.LONG_TERM_KEY, True),
        (OPENAI, CredentialKind.OPENAI_KEY, False),
        ("AKIAIOSFODNN7EXAMPLE", CredentialKind.AWS_ACCESS_KEY, False),
        ("$AWS_BEARER_TOKEN_BEDROCK", CredentialKind.PLACEHOLDER, False),
        ("some-form-that-nobody-has-seen-yet-0123456789", CredentialKind.UNKNOWN, True),
    ],
)
def test_what_is_sent_and_what_stays_here(key: str, kind: CredentialKind, sent: bool) -> None:
    setup = prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": key, "AWS_REGION": "us-east-1"})
    assert setup.credential.kind is kind
    assert (setup.unsent is None) is sent
    assert key not in str(setup.unsent)


def test_an_unknown_form_is_sent_only_when_it_is_plainly_meant() -> None:
    text = "some-form-that-nobody-has-seen-yet-0123456789"
    environ = {"MY_KEY": text, "AWS_REGION": "us-east-1"}
    assert prepare(ProbeOptions(key_variable="MY_KEY"), environ).unsent is None
    explicit = ProbeOptions(key=explicit_key(text, "--api-key-stdin"))
    assert prepare(explicit, {"AWS_REGION": "us-east-1"}).unsent is None
    # With a base URL of Mantle it is the key that OpenAI's client would send, and may still be another vendor's.
    others = {"OPENAI_API_KEY": text, "OPENAI_BASE_URL": MANTLE}
    assert prepare(ProbeOptions(), others).unsent is not None


def test_aws_credentials_of_the_environment() -> None:
    setup = prepare(ProbeOptions(), AWS | {"AWS_REGION": "us-east-1"})
    assert (setup.auth, setup.method, setup.unsent) == (Auth.SIGV4, AuthMethod.SIGV4, None)
    (found,) = setup.found(setup.chain)
    assert (found.where, found.used, found.credential.access_key_id) == (
        "AWS_ACCESS_KEY_ID",
        True,
        "AKIAIOSFODNN7EXAMPLE",
    )
    assert "wJalr" not in repr(setup)


def test_no_credential_at_all() -> None:
    setup = prepare(ProbeOptions(), {"AWS_REGION": "us-east-1"})
    assert setup.credential.kind is CredentialKind.NONE
    assert setup.unsent == "no credential was found"


def test_a_profile_beats_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile dev]\nregion = eu-west-1\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = x\n"
        "[profile slow]\ncredential_process = sleep 30\n"
        "[profile broken]\ncredential_process = false\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    environ = AWS | {"AWS_BEARER_TOKEN_BEDROCK": LONG}
    setup = prepare(ProbeOptions(profile="dev"), environ)
    assert setup.credential.access_key_id == "AKIAI44QH8DHBEXAMPLE"
    assert setup.regions == ("eu-west-1",)
    assert setup.key is None
    with pytest.raises(InputError, match="nosuch"):
        prepare(ProbeOptions(profile="nosuch"), environ)
    broken = prepare(ProbeOptions(profile="broken", regions=("us-east-1",)), {})
    assert broken.unsent == "no credential was found"
    assert any("credential chain failed" in note for note in broken.notes)
    # A broken default profile does not disturb a key.
    assert prepare(ProbeOptions(), {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_PROFILE": "nosuch"}).unsent is None


def test_a_chain_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mantle_iam.probe import aws

    config = tmp_path / "config"
    config.write_text("[profile slow]\ncredential_process = sleep 3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setattr(aws, "CHAIN_SECONDS", 0.3)
    result = aws.AwsSession({}, "slow").credentials()
    assert result.credentials is None
    assert "within 0.3 seconds" in str(result.problem)


def test_a_role_that_cannot_be_assumed() -> None:
    options = ProbeOptions(
        role_arn="arn:aws:iam::111122223333:role/app", regions=("us-east-1",), iam_endpoint_url="http://127.0.0.1:9"
    )
    with pytest.raises(UndeterminedError, match="role/app"):
        prepare(options, AWS)


@pytest.mark.parametrize(
    "options",
    [
        ProbeOptions(operations=("list-model",)),
        ProbeOptions(project="proj\r\nx-evil: 1"),
        ProbeOptions(model=""),
        ProbeOptions(timeout=0),
        ProbeOptions(base_url="ftp://x"),
        ProbeOptions(trust_hosts=("a/b",)),
    ],
)
def test_options_that_cannot_be_used(options: ProbeOptions) -> None:
    with pytest.raises(InputError):
        prepare(options, {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1"})


@pytest.mark.parametrize("url", ["notaurl", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_iam_endpoint_that_is_no_url(url: str) -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1"} | AWS
    with pytest.raises(InputError, match="--iam-endpoint-url"):
        prepare(ProbeOptions(iam_endpoint_url=url), environ)
    with pytest.raises(InputError, match="AWS_ENDPOINT_URL_STS"):
        prepare(ProbeOptions(), environ | {"AWS_ENDPOINT_URL_STS": url})


@pytest.mark.parametrize("text", [" ", "\n"])
def test_an_empty_key_is_called_empty(text: str) -> None:
    setup = prepare(ProbeOptions(key=explicit_key(text, "--api-key-stdin")), {"AWS_REGION": "us-east-1"})
    assert setup.unsent == "it is empty"


def test_base_urls_of_the_host_that_is_used_are_no_news() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    assert "OPENAI_BASE_URL" in "\n".join(prepare(ProbeOptions(), environ).notes)
    same = environ | {"AWS_BEDROCK_BASE_URL": "http://127.0.0.1:9/openai/v1"}
    assert "OPENAI_BASE_URL" not in "\n".join(prepare(ProbeOptions(), same).notes)


def test_policies_are_not_read_at_aws_for_a_stand_in_of_the_service() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": LONG, "AWS_REGION": "us-east-1"}
    local = ProbeOptions(base_url="http://127.0.0.1:9/v1")
    assert not prepare(local, environ).reads_policies
    assert prepare(local, environ | {"AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9"}).reads_policies
    assert prepare(ProbeOptions(), environ).reads_policies
    assert not prepare(ProbeOptions(read_policies=False), environ).reads_policies
    assert prepare(ProbeOptions(), environ).endpoints[0].kind is EndpointKind.MANTLE
