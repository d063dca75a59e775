"""A real IAM API over HTTP (moto), with AWS's managed policies loaded, and people in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from attach_world import document

FAKE = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def iam_url() -> Iterator[str]:
    """URL of a moto server in a process of its own: moto's world is one per process, and others have theirs in this one."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            assert server.poll() is None, "moto ended before it answered"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def aws(iam_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Credentials and endpoint in the environment, as a user would have them."""
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", iam_url)
    return iam_url


@pytest.fixture
def iam(aws: str) -> Any:
    """A boto3 client of the emptied IAM."""
    import boto3

    client = boto3.client("iam", endpoint_url=aws, region_name="us-east-1")
    _empty(client)
    return client


def _empty(iam: Any) -> None:
    """Delete what the test before left; moto's own reset would load 1,500 managed policies again."""
    for kind in ("user", "role", "group"):
        for entity in getattr(iam, f"list_{kind}s")()[f"{kind.title()}s"]:
            owner = {f"{kind.title()}Name": entity[f"{kind.title()}Name"]}
            if kind == "user":
                for group in iam.list_groups_for_user(**owner)["Groups"]:
                    iam.remove_user_from_group(GroupName=group["GroupName"], **owner)
            for name in getattr(iam, f"list_{kind}_policies")(**owner)["PolicyNames"]:
                getattr(iam, f"delete_{kind}_policy")(**owner, PolicyName=name)
            for policy in getattr(iam, f"list_attached_{kind}_policies")(**owner)["AttachedPolicies"]:
                getattr(iam, f"detach_{kind}_policy")(**owner, PolicyArn=policy["PolicyArn"])
            getattr(iam, f"delete_{kind}")(**owner)
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        iam.delete_policy(PolicyArn=policy["Arn"])


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
    return f"http://127.0.0.1:{_free_port()}"


@pytest.fixture
def alice(iam: Any) -> str:
    """A user with a path and an inline policy that knows nothing of Mantle."""
    iam.create_user(UserName="alice", Path="/team/")
    iam.put_user_policy(UserName="alice", PolicyName="old", PolicyDocument=document("bedrock:InvokeModel"))
    return "alice"
