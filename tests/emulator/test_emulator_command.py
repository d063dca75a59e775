"""``mantle-iam emulator`` as a process: says how to reach it, serves, ends on a signal; and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.cli.main import run
from mantle_iam.emulator.loopback import loopback_socket
from mantle_iam.errors import InputError
from mantle_iam.workflow import emulator as workflow

pytestmark = pytest.mark.slow

ALLOW_LIST = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["bedrock-mantle:ListModels",'
    '"bedrock-mantle:CallWithBearerToken"],"Resource":"*"}}'
)
DENY = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'
ALLOW = DENY.replace("Deny", "Allow")
ENDPOINT_DENY = DENY.replace('"Deny"', '"Deny","Principal":"*"')


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mantle_iam", "emulator", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_json(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return json.loads("".join(lines))
    raise AssertionError(process.communicate())


def get(url: str, key: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(number: signal.Signals) -> None:
    process = start("--output", "json", "--region", "eu-central-1", "--account", "444455556666")
    try:
        shown = read_json(process)
        assert shown["user"] == "arn:aws:iam::444455556666:user/developer"
        variables = shown["environment"]
        assert variables["AWS_REGION"] == "eu-central-1"
        assert get(f"{variables['OPENAI_BASE_URL']}/models", variables["AWS_BEARER_TOKEN_BEDROCK"])[0] == 200
    finally:
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "stopped\n")


def test_text_can_be_pasted_into_a_shell() -> None:
    process = start()
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(13)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert all(line.startswith(("#", "export ")) for line in lines)
    shell = subprocess.run(
        [
            "/bin/sh",
            "-c",
            "".join(lines) + 'printf %s "$OPENAI_BASE_URL|$AWS_ENDPOINT_URL_IAM|$AWS_BEARER_TOKEN_BEDROCK"',
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("|")
    assert shell[0].endswith("/v1")
    assert shell[1].startswith("http://127.0.0.1:")
    assert shell[2].startswith("ABSK")


def test_policies_of_the_files_bind(tmp_path: Path) -> None:
    for name, text in (("list", ALLOW_LIST), ("deny", DENY), ("allow", ALLOW), ("endpoint", ENDPOINT_DENY)):
        (tmp_path / name).write_text(text)
    file = {path.name: str(path) for path in tmp_path.iterdir()}
    cases: list[tuple[tuple[str, ...], int, bytes]] = [
        (("--policy", file["list"], "--scp", file["allow"], "--scp", file["deny"]), 403, b"service control policy"),
        (("--vpc-endpoint-policy", file["endpoint"], "--denial-style", "401"), 401, b"VPC endpoint policy"),
    ]
    for options, status, words in cases:
        process = start("--output", "json", *options)
        try:
            variables = read_json(process)["environment"]
            answer = get(f"{variables['OPENAI_BASE_URL']}/models", variables["AWS_BEARER_TOKEN_BEDROCK"])
        finally:
            process.terminate()
            process.communicate(timeout=20)
        assert answer[0] == status, options
        assert words in answer[1]


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*options: str) -> str:
        assert run(["emulator", *options]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("error: ") == 1
        return err

    broken = tmp_path / "broken.json"
    broken.write_text('{"Version": ')
    with loopback_socket(0) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on port `{port}`" in refused("--port", port)
        assert f"cannot listen on port `{port}`" in refused("--iam-port", port)
    assert "is not an account id" in refused("--account", "12")
    assert "is not a region" in refused("--region", "../x")
    assert "not JSON" in refused("--policy", str(broken))
    assert "cannot read policy" in refused("--scp", str(tmp_path / "missing.json"))


@pytest.mark.parametrize("name", ["moto", "starlette"])
def test_a_missing_extra_is_told(name: str) -> None:
    code = f"import sys; sys.modules[{name!r}] = None\nfrom mantle_iam.cli.main import run\nsys.exit(run(['emulator']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the emulator needs `")
    assert 'pip install "mantle-iam[emulator]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules['moto'] = sys.modules['starlette'] = sys.modules['boto3'] = None\n"
        "from mantle_iam.cli.main import run\nsys.exit(run(['emulator', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"}, check=False
    )
    assert done.returncode == 0
    assert "--denial-style" in done.stdout


class TestRunning:
    """The wiring: policies come from the IAM API, and change when they change there."""

    def test_a_change_counts_at_once(self) -> None:
        with workflow.running() as emulator:
            ready = workflow.make_ready(emulator, (ALLOW_LIST,))
            iam = emulator.client("iam")
            url = f"{emulator.url}/v1/models"
            assert get(url, ready.long_term_key)[0] == 200
            iam.put_user_policy(UserName="developer", PolicyName="no", PolicyDocument=DENY)
            assert b"explicit deny in an identity-based policy" in get(url, ready.long_term_key)[1]
            iam.delete_user_policy(UserName="developer", PolicyName="no")
            assert get(url, ready.long_term_key)[0] == 200
            boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
            iam.put_user_permissions_boundary(UserName="developer", PermissionsBoundary=boundary)
            assert b"no permissions boundary allows" in get(url, ready.long_term_key)[1]
            emulator.dress_denials("bare-404")
            assert get(url, ready.long_term_key) == (404, b"")

    def test_session_policies_bind(self) -> None:
        from mantle_iam.probe.auth import AwsCredentials, mint_short_term_key
        from mantle_iam.probe.secret import Secret

        with workflow.running() as emulator:
            iam = emulator.client("iam")
            trust = '{"Version":"2012-10-17","Statement":[]}'
            role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=ALLOW_LIST)
            for policy, status in ((None, 200), (ALLOW_LIST, 200), (ALLOW.replace('"*"', '"s3:*"', 1), 403)):
                given = {"Policy": policy} if policy else {}
                made = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="session", **given)[
                    "Credentials"
                ]
                credentials = AwsCredentials(
                    made["AccessKeyId"], Secret(made["SecretAccessKey"]), Secret(made["SessionToken"])
                )
                key = mint_short_term_key(credentials, emulator.region).reveal()
                answer = get(f"{emulator.url}/v1/models", key)
                assert answer[0] == status
                assert (b"no session policy allows" in answer[1]) == (status == 403)

    def test_two_accounts_side_by_side(self) -> None:
        with workflow.running(account="555566667777") as first, workflow.running(account="666677778888") as second:
            one, two = workflow.make_ready(first, (ALLOW_LIST,)), workflow.make_ready(second, (DENY,))
            assert get(f"{first.url}/v1/models", one.long_term_key)[0] == 200
            assert get(f"{second.url}/v1/models", two.long_term_key)[0] == 403

    def test_a_policy_that_iam_refuses(self) -> None:
        with workflow.running() as emulator, pytest.raises(InputError, match="IAM refuses policy 1"):
            workflow.make_ready(emulator, ('{"Version":"2012-10-17","Statement":{"Effect":"Maybe"}}',))
