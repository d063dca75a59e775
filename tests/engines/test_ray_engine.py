"""The command on a real Ray cluster of this machine; Ray has an environment of its own (`make test-engines`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ENVIRONMENT = os.environ.get("MANTLE_IAM_ENGINES_ENV", "")
ROOT = Path(__file__).parents[2]
COMMAND = "from mantle_iam.cli.main import main; main()"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ENVIRONMENT, reason="Ray has an environment of its own: make test-engines"),
]


def _dump(account: str, roles: int) -> str:
    def document(action: str) -> dict[str, object]:
        return {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::b-{account}-{action[3:]}"}],
        }

    def role(number: int) -> dict[str, object]:
        policies = [
            {"PolicyName": f"p{part}", "PolicyDocument": document(f"s3:Get{number}x{part}")} for part in range(4)
        ]
        return {"Arn": f"arn:aws:iam::{account}:role/r{number}", "RoleName": f"r{number}", "RolePolicyList": policies}

    return json.dumps({"UserDetailList": [], "RoleDetailList": [role(number) for number in range(roles)]})


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    for number in range(1, 41):
        (folder / f"{number:012d}.json").write_text(_dump(f"{number:012d}", 120), "utf-8")
    (folder / "bad.json").write_text('{"RoleDetailList": [', "utf-8")
    return folder


def _arguments(python: str, dumps: Path, *more: str) -> list[str]:
    return [python, "-c", COMMAND, "audit", str(dumps), "--capability", "infer", "--output", "jsonl", *more]


@pytest.fixture(scope="module")
def expected(dumps: Path) -> list[str]:
    done = subprocess.run(_arguments(sys.executable, dumps), capture_output=True, text=True, check=False)
    assert done.returncode in (1, 3), done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 40 * 120 + 1
    return lines


def _on_ray(dumps: Path, output: Path) -> subprocess.Popen[bytes]:
    python = str(Path(ENVIRONMENT, "bin", "python"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    with output.open("wb") as file:
        return subprocess.Popen(
            _arguments(python, dumps, "--engine", "ray", "--scheduler", "local", "--workers", "2"),
            stdout=file,
            stderr=subprocess.PIPE,
            env=environment,
        )


def _below(process: int) -> Iterator[int]:
    """Ids of the processes that it and its children started."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    left = [process]
    while left:
        found = parents.get(left.pop(), [])
        yield from found
        left += found


def _working(process: int) -> int | None:
    """The process of a Ray worker that has a task."""
    for one in _below(process):
        try:
            if Path(f"/proc/{one}/cmdline").read_bytes().startswith(b"ray::_call"):
                return one
        except OSError:
            continue
    return None


def _same(lines: list[str], expected: list[str]) -> dict[str, object]:
    assert lines[:-1] == expected[:-1]
    last, before = json.loads(lines[-1]), json.loads(expected[-1])
    assert last["inputs"] == before["inputs"]
    assert last["findings"] == before["findings"]
    accounts: dict[str, object] = last["accounts"]
    return accounts


def test_ray_gives_what_one_process_gives(dumps: Path, expected: list[str], tmp_path: Path) -> None:
    output = tmp_path / "report"
    run = _on_ray(dumps, output)
    _, errors = run.communicate(timeout=120)
    assert run.returncode in (1, 3), errors
    assert _same(output.read_text("utf-8").splitlines(), expected)["retried"] == 0


def test_a_ray_worker_that_is_killed_in_mid_run_loses_nothing(dumps: Path, expected: list[str], tmp_path: Path) -> None:
    output = tmp_path / "report"
    run = _on_ray(dumps, output)
    killed = None
    until = time.monotonic() + 90
    while killed is None and run.poll() is None and time.monotonic() < until:
        if output.stat().st_size:
            killed = _working(run.pid)
        time.sleep(0.002)
    assert killed, "no worker was seen at work"
    os.kill(killed, signal.SIGKILL)
    _, errors = run.communicate(timeout=120)
    assert run.returncode in (1, 3), errors
    assert _same(output.read_text("utf-8").splitlines(), expected)["retried"] == 1
