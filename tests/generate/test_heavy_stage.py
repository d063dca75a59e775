"""The heavy stage (``tests/iac``) is asked for by name, and never green in silence where a tool is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.slow


def stage(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The checks with terraform, on a machine that has neither it nor the environment of tools."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "tests/iac/terraform"]
    nowhere = {"PATH": str(folder), "MANTLE_IAM_IAC_ENV": str(folder), "HOME": os.environ.get("HOME", str(folder))}
    return subprocess.run(
        command, cwd=ROOT, env=nowhere | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_missing_tool_is_named_in_the_last_lines(tmp_path: Path) -> None:
    done = stage(tmp_path, "-m", "iac")
    assert done.returncode == 0, done.stdout
    assert "NOT CHECKED with terraform: it is not on PATH" in done.stdout
    assert "passed" not in done.stdout.splitlines()[-1]


def test_a_missing_tool_is_a_failure_where_that_is_asked_for(tmp_path: Path) -> None:
    done = stage(tmp_path, "-m", "iac", MANTLE_IAM_IAC_STRICT="1")
    assert done.returncode == 1, done.stdout
    assert "NOT CHECKED with terraform: it is not on PATH" in done.stdout


def test_nothing_of_it_runs_unless_asked_for(tmp_path: Path) -> None:
    assert stage(tmp_path).returncode == pytest.ExitCode.NO_TESTS_COLLECTED
