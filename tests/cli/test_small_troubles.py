"""Commands that are mistyped, whose input is no policy, or whose output cannot be written: one line each, or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mantle_iam.cli import main

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


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("given", "code"), [("{}", 3), ("[", 3), ("EMPTY", 3), ("GOOD", 0)])
def test_closed_streams_change_no_exit_code(tmp_path: Path, closed: str, given: str, code: int) -> None:
    good = '{"Statement": {"Effect": "Allow", "Action": "bedrock-mantle:ListModels", "Resource": "*"}}'
    (tmp_path / "a.json").write_text({"GOOD": good, "EMPTY": ""}.get(given, given))
    line = f'"$0" -m mantle_iam lint --fail-on error --color auto {tmp_path}/a.json {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == code


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close a stream")
def test_a_closed_standard_input_is_an_empty_one() -> None:
    line = '"$0" -m mantle_iam audit - <&-'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "empty" in done.stdout


def test_what_the_system_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "closed\x1b[2J/x")

    monkeypatch.setattr(main.cli, "main", refused)
    assert main.run([]) == 3
    written = capsys.readouterr().err
    assert written.startswith("error: permission denied `closed")
    assert "\x1b" not in written
