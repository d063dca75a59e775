"""What becomes of a command whose output cannot be written."""

from __future__ import annotations

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
