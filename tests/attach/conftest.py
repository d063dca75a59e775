"""A real IAM API over HTTP (moto), with AWS's managed policies loaded, and people in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from attach_world import ask, document, free_port, serving

FAKE = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def iam_url() -> Iterator[str]:
    """URL of ``moto_iam.py`` in a process of its own: moto's world is one per process, and others have theirs in this one."""
    with serving("moto_iam.py", MOTO_IAM_LOAD_MANAGED_POLICIES="true") as url:
        yield url


@pytest.fixture(scope="session")
def sso_url() -> Iterator[str]:
    """URL of ``moto_sso.py``: Identity Center, and Organizations beside it."""
    with serving("moto_sso.py") as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def _models_read_once() -> Iterator[None]:
    """botocore reads the descriptions of its services once for all sessions: most of a run of the command is that."""
    import botocore.session
    from botocore.loaders import Loader

    shared = Loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _=None: shared)
        yield


@pytest.fixture(scope="session", autouse=True)
def _clients_made_once() -> Iterator[None]:
    """boto3's clients are kept for runs with the same options and environment: to make them takes longer than to use them."""
    from mantle_iam.attach import apply
    from mantle_iam.workflow import attach_clients

    made: dict[Any, Any] = {}
    real = attach_clients.clients

    def clients(
        profile: Any, region: Any, endpoint_url: Any, environ: Mapping[str, str], *, permission_set: bool = False
    ) -> Any:
        told = frozenset((name, value) for name, value in environ.items() if name.startswith("AWS_"))
        key = (profile, region, endpoint_url, told, permission_set, apply.READ_SECONDS)
        if key not in made:
            made[key] = real(profile, region, endpoint_url, environ, permission_set=permission_set)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attach_clients, "clients", clients)
        yield


@pytest.fixture
def aws(iam_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Credentials and endpoint in the environment, as a user would have them."""
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    for service in ("IAM", "ORGANIZATIONS", "SSO_ADMIN"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", iam_url)
    return iam_url


@pytest.fixture(scope="session")
def _iam_client(iam_url: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": FAKE["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": FAKE["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("iam", endpoint_url=iam_url, region_name="us-east-1", **keys)


@pytest.fixture
def iam(aws: str, _iam_client: Any) -> Any:
    """A boto3 client of the emptied IAM."""
    ask(aws, "empty")
    return _iam_client


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``mantle-iam`` in an empty folder, with the given standard input."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: str | None = None) -> Ran:
        import io

        from mantle_iam.cli.main import run as main

        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((stdin or "").encode()), encoding="utf-8"))
        code = main(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture
def closed_port() -> str:
    """A URL at which nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def alice(iam: Any) -> str:
    """A user with a path and an inline policy that knows nothing of Mantle."""
    iam.create_user(UserName="alice", Path="/team/")
    iam.put_user_policy(UserName="alice", PolicyName="old", PolicyDocument=document("bedrock:InvokeModel"))
    return "alice"


@pytest.fixture
def run_json(run: Callable[..., Ran]) -> Callable[..., tuple[int, Any]]:
    """Run ``mantle-iam attach … --output json``: exit code and document, which keeps to its schema, as does an undo file."""
    import json
    from pathlib import Path

    from jsonschema import Draft202012Validator

    from mantle_iam.bundled import schema

    def call(*arguments: str, stdin: str | None = None) -> tuple[int, Any]:
        ran = run("attach", *arguments, "--output", "json", stdin=stdin)
        assert ran.out, ran.err
        found = json.loads(ran.out)
        Draft202012Validator(schema("attach")).validate(found)
        assert found["outcome"]["exit_code"] == ran.code
        if found["outcome"]["undo_file"]:
            written = json.loads(Path(found["outcome"]["undo_file"]).read_text("utf-8"))
            Draft202012Validator(schema("attach-undo")).validate(written)
        return ran.code, found

    return call
