"""Commands that are mistyped, whose input is no policy, or whose output cannot be written: one line each, or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "mantle_iam", "generate", "--for", "inference", "--auth", "sigv4", "-q"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here: a full disk cannot be imitated")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "error: the output could not be written: no space left on device\n")


def test_nobody_reading_on_is_quiet(tmp_path: Path) -> None:
    line = '{"id": 1, "principal": "arn:aws:iam::111122223333:user/a", "action": "s3:GetObject", "policies": {}}\n'
    (tmp_path / "many.jsonl").write_text(line * 20_000)
    command = [sys.executable, "-m", "mantle_iam", "evaluate", str(tmp_path / "many.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert '"implicitDeny"' in running.stdout.readline()
        running.stdout.close()
        assert (running.wait(timeout=30), running.stderr.read()) == (141, "")


@pytest.mark.parametrize(
    ("typed", "near"), [("explian", "Did you mean 'explain'?"), ("Probe", "Did you mean 'probe'?"), ("zzz", "'zzz'.\n")]
)
def test_a_mistyped_command_is_told_the_nearest(typed: str, near: str) -> None:
    done = subprocess.run([*COMMAND[:3], typed], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert near in done.stderr
    assert ("Did you mean" in done.stderr) is near.startswith("Did")


@pytest.mark.parametrize("command", [["attach", "--user", "x", "--dry-run"], ["can-i", "s3:GetObject"]])
@pytest.mark.parametrize(("text", "says"), [("", "the policy is empty"), ("{", "not JSON: line 1, column 2")])
def test_a_policy_file_that_is_none_is_named(tmp_path: Path, command: list[str], text: str, says: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    done = subprocess.run([*COMMAND[:3], *command, "--policy", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}: ")
    assert says in done.stderr


@pytest.mark.parametrize(
    "command", [["compare", "FILE", "AmazonBedrockMantleFullAccess"], ["can-i", "s3:GetX", "--policy", "FILE"]]
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_lone_surrogate_in_a_policy_is_written_as_an_escape(tmp_path: Path, command: list[str], output: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(r'{"Statement": {"Effect": "Allow", "Action": "s3:Get\ud800", "Resource": "*"}}')
    named = [str(file) if word == "FILE" else word for word in command]
    done = subprocess.run(
        [sys.executable, "-m", "mantle_iam", *named, "--output", output], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2)
    if output == "json" and done.returncode != 2:
        json.loads(done.stdout)
