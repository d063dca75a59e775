"""The command: options, exit codes, secrets in the wrong place, output."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_server import answer, fixed, serve
from test_probe_workflow import KEY, denied, service

from mantle_iam.bundled import schema
from mantle_iam.cli.main import run

SECRET = base64.b64encode(b"s3cr3t" * 10).decode()[:40]


def no_secret(text: str) -> None:
    assert KEY not in text
    assert KEY[60:] not in text
    assert "s3cr3ts3cr3t" not in text


def test_a_refusal_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import jsonschema

    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    with serve(service(lambda *_: False)) as server:
        code = run(["probe", "--base-url", f"{server.url}/v1", "--region", "us-east-1", "--output", "json"])
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    jsonschema.validate(document, schema("diagnosis"))
    assert code == 1
    assert document["diagnoses"][0]["code"] == "missing-permission"
    assert document["fix"]
    assert shown.err == "", "no progress where nobody looks on"
    no_secret(shown.out)


def test_a_refusal_as_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    with serve(service(lambda *_: False)) as server:
        code = run(["probe", "--base-url", f"{server.url}/v1", "--region", "us-east-1"])
    shown = capsys.readouterr()
    assert code == 1
    assert "missing-permission" in shown.out
    assert "list-models" in shown.out
    assert '"bedrock-mantle:ListModels"' in shown.out
    assert "\x1b" not in shown.out
    no_secret(shown.out + shown.err)


def test_allowed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve(service()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        assert run(["probe", "--region", "us-east-1"]) == 0
    assert "allowed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [KEY],
        ["--api-key", KEY],
        [f"--api-key={KEY}"],
        ["--api-key-file", KEY],
        ["--api-key-env", KEY],
        ["--model", KEY],
        ["--region", KEY],
        ["--api-key", "anything"],
        ["sk-proj-" + "a1B2" * 12],
        ["--base-url", KEY],
        ["--trust-host", KEY],
        ["--profile", KEY],
        ["--operation", KEY],
        ["--timeout", KEY],
    ],
    ids=lambda arguments: arguments[0][:12],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    no_secret(shown.err)
    assert "a1B2a1B2" not in shown.err


def test_the_reason_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    run(["probe", KEY])
    message = capsys.readouterr().err
    assert "process list" in message
    assert "--api-key-stdin" in message


def test_the_key_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.txt").write_text(f"{KEY}\n")
    with serve(service()) as server:
        arguments = [
            "--api-key-file",
            str(tmp_path / "key.txt"),
            "--base-url",
            f"{server.url}/v1",
            "--region",
            "us-east-1",
        ]
        assert run(["probe", *arguments]) == 0
    assert any(request.headers.get("authorization") == f"Bearer {KEY}" for request in server.received)
    assert run(["probe", "--api-key-file", str(tmp_path / "none")]) == 2
    assert run(["probe", "--api-key-file", str(tmp_path)]) == 2
    assert run(["probe", "--api-key-file", str(tmp_path / "key.txt"), "--profile", "dev"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_key_of_standard_input_in_a_real_process() -> None:
    with serve(fixed(denied("ListModels"))) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mantle_iam",
                "probe",
                "--api-key-stdin",
                "--base-url",
                f"{server.url}/v1",
                "--region",
                "us-east-1",
                "--output",
                "json",
            ],
            input=KEY + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert json.loads(done.stdout)["diagnoses"]
    assert any(request.headers.get("authorization") == f"Bearer {KEY}" for request in server.received)
    no_secret(done.stdout + done.stderr)


def test_no_credential_is_a_finding_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "--region", "us-east-1"]) == 1
    shown = capsys.readouterr().out
    assert "credential-missing" in shown
    assert "AWS_BEARER_TOKEN_BEDROCK" in shown


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_dry_run(output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    with serve(fixed(answer(200, "{}"))) as server:
        arguments = ["--base-url", f"{server.url}/v1", "--region", "us-east-1", "--dry-run", "--output", output]
        assert run(["probe", *arguments]) == 0
        assert server.received == []
    shown = capsys.readouterr().out
    if output == "json":
        assert {one["cost"] for one in json.loads(shown)["requests"]} == {"free"}
    assert "/v1/models" in shown
    no_secret(shown)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--base-url", "https://attacker.example/v1"],
        ["--base-url", "nonsense"],
        ["--region", "us-east1"],
        ["--operation", "list-modles"],
        ["--timeout", "-1"],
        ["--profile", "no-such-profile"],
        ["stray"],
        ["--no-such-option"],
        ["--trust-host", "a/b"],
    ],
)
def test_wrong_usage(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    assert run(["probe", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err
    no_secret(shown.err)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from mantle_iam.cli.main import run; code = run(['probe', '--help']);"
        "assert not {'httpx', 'boto3', 'botocore', 'jsonschema'} & set(sys.modules), 'too much'; sys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
