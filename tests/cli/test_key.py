"""``mantle-iam key inspect``: where the key comes from, what is said of it, the exit codes, and that no secret is shown."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import jsonschema
import pytest
from aws_bedrock_token_generator import BedrockTokenGenerator
from botocore.credentials import Credentials

from mantle_iam import bundled
from mantle_iam.cli import key as key_command
from mantle_iam.cli.main import run
from mantle_iam.mantle.credential import CredentialFlaw

LONG_TERM = "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + b"c2VjcmV0c2VjcmV0" * 4).decode()


def short_term(region: str = "us-west-2") -> str:
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    key: str = BedrockTokenGenerator().get_token(credentials, region)
    return key


def expired() -> str:
    url = base64.b64decode(short_term().removeprefix("bedrock-api-key-")).decode()
    date = url.split("X-Amz-Date=")[1][:16]
    return "bedrock-api-key-" + base64.b64encode(url.replace(date, "20250101T000000Z").encode()).decode()


def future() -> str:
    url = base64.b64decode(short_term().removeprefix("bedrock-api-key-")).decode()
    date = url.split("X-Amz-Date=")[1][:16]
    return "bedrock-api-key-" + base64.b64encode(url.replace(date, "29990101T000000Z").encode()).decode()


CASES = {
    # name: (the key, exit code, verdict)
    "long-term": (LONG_TERM, 0, "usable"),
    "short-term": (short_term(), 0, "usable"),
    "expired": (expired(), 1, "expired"),
    "of the future": (future(), 1, "not-yet-valid"),
    "quoted": (f'"{LONG_TERM}"', 1, "flawed"),
    "cut off": (short_term()[:200], 1, "flawed"),
    "OpenAI": ("sk-proj-abcdefghijklmnopqrst", 1, "not-a-bedrock-key"),
    "access key": ("AKIAIOSFODNN7EXAMPLE", 1, "not-a-bedrock-key"),
    "placeholder": ("<your key>", 1, "not-a-bedrock-key"),
    "empty": ("", 1, "missing"),
    "unknown": ("correct horse battery staple", 3, "unknown"),
}


@pytest.mark.parametrize("name", CASES)
def test_verdicts(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, code, verdict = CASES[name]
    path = tmp_path / "key.txt"
    # One line break at the end of a file is no part of the key.
    path.write_text(key + "\n")
    assert run(["key", "inspect", "--api-key-file", str(path), "--output", "json"]) == code
    out = capsys.readouterr().out
    document = json.loads(out)
    jsonschema.validate(document, bundled.schema("key"))
    assert document["verdict"] == verdict
    assert run(["key", "inspect", "--api-key-file", str(path)]) == code
    text = capsys.readouterr().out
    assert text.startswith(f"{verdict}: ")
    secret = key[len(key) // 2 :]
    assert not secret or name in {"access key", "placeholder"} or (secret not in out and secret not in text)


def test_schema_refuses_what_it_should() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema_version": "1", "verdict": "fine"}, bundled.schema("key"))


def test_every_flaw_has_a_remedy_and_is_in_the_schema() -> None:
    assert set(key_command._REMEDIES) == set(CredentialFlaw)
    listed = bundled.schema("key")["properties"]["flaws"]["items"]["properties"]["flaw"]["enum"]
    assert set(listed) == {flaw.value for flaw in CredentialFlaw}


def test_every_verdict_is_tested_and_in_the_schema() -> None:
    verdicts = {verdict for _, _, verdict in CASES.values()}
    assert verdicts == set(key_command._VERDICTS) == set(bundled.schema("key")["properties"]["verdict"]["enum"])


def test_what_a_long_term_key_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", LONG_TERM)
    assert run(["key", "inspect", "--no-color"]) == 0
    out = capsys.readouterr().out
    for word in (
        "AWS_BEARER_TOKEN_BEDROCK",
        "BedrockAPIKey-abcd",
        "111122223333",
        "every region",
        "bedrock-mantle.<region>.api.aws",
    ):
        assert word in out
    assert "\x1b" not in out


def test_what_a_short_term_key_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(short_term("eu-central-1").encode())))
    assert run(["key", "inspect", "--api-key-stdin"]) == 0
    out = capsys.readouterr().out
    for word in (
        "standard input",
        "eu-central-1",
        "bedrock-mantle.eu-central-1.api.aws",
        "AKIAIOSFODNN7EXAMPLE",
        "valid for 11 h 59 min",
    ):
        assert word in out


def test_the_environment_says_which_one_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abcdefghijklmnopqrst")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", LONG_TERM)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
    assert run(["key", "inspect", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, bundled.schema("key"))
    assert document["source"] == "AWS_BEARER_TOKEN_BEDROCK"
    assert {(other["source"], other["kind"]) for other in document["others"]} == {
        ("OPENAI_API_KEY", "openai-key"),
        ("AWS_ACCESS_KEY_ID", "aws-access-key"),
    }


def test_aws_credentials_alone_are_fine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv(
        "AWS_SESSION_TOKEN", base64.b64encode(b"\x00\x0c111122223333\x00" * 1 + bytes(range(99))).decode()
    )
    assert run(["key", "inspect", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["temporary"], document["hosts"]) == ("aws-access-key", True, [])


def test_a_variable_by_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MY_KEY", LONG_TERM)
    assert run(["key", "inspect", "--api-key-env", "MY_KEY", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "MY_KEY"


@pytest.mark.parametrize(
    "arguments",
    [
        ["key", "inspect", LONG_TERM],
        ["key", "inspect", "--api-key", LONG_TERM],
        ["key", "inspect", f"--api-key={LONG_TERM}"],
        ["key", "inspect", "--api-key", "whatever-it-is"],
        ["key", "inspect", "--api-key=whatever-it-is"],
        ["key", LONG_TERM],
        ["key", "inspect", "--api-key-file", LONG_TERM],
        ["key", "inspect", "-o", "json", f" {LONG_TERM}"],
    ],
)
def test_a_key_on_the_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert "a key was given on the command line" in captured.err
    assert "shell's history" in captured.err
    assert LONG_TERM[20:] not in captured.err + captured.out
    assert "whatever" not in captured.err + captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["key", "inspect"], 3, "no key was found in the environment"),
        (["key", "inspect", "--api-key-file", "/no/such/file"], 2, "cannot read key `/no/such/file`"),
        (["key", "inspect", "--api-key-file", "x", "--api-key-stdin"], 2, "more than one way"),
        (["key", "inspect", "--api-key-env", "NOT_SET_ANYWHERE"], 2, "`NOT_SET_ANYWHERE` is not set"),
        (["key", "inspect", "--nonsense"], 2, "--nonsense"),
    ],
)
def test_misuse(arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_a_huge_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.txt"
    path.write_text("ABSK" + "A" * 70_000)
    assert run(["key", "inspect", "--api-key-file", str(path)]) == 2
    assert "larger than" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h"), (43_199, "11 h 59 min"), (266_940, "3 d 2 h")],
)  # fmt: skip
def test_spans(seconds: int, said: str) -> None:
    assert key_command._span(seconds) == said
