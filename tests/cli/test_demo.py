"""The demonstration as a newcomer runs it: a process without a terminal; every step really happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from mantle_iam.cli.demo import command
from mantle_iam.workflow import demo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    """One run of ``mantle-iam demo``, with variables in the environment that must not matter."""
    environ = {
        **os.environ,
        "NO_COLOR": "1",
        "AWS_PROFILE": "no-such-profile",
        "AWS_BEARER_TOKEN_BEDROCK": "not-a-key",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    return subprocess.run(
        [sys.executable, "-m", "mantle_iam", "demo"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_step_comes_out_as_told(played: subprocess.CompletedProcess[str]) -> None:
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stderr == ""
    assert "11 of 11 steps came out as told" in played.stdout


def test_no_secret_and_no_colour(played: subprocess.CompletedProcess[str]) -> None:
    assert "ABSK" not in played.stdout
    assert not re.search(r"bedrock-api-key-\w", played.stdout)
    assert "\x1b" not in played.stdout


def test_story(played: subprocess.CompletedProcess[str], golden: Callable[[str, str], None]) -> None:
    """Everything but what other commands print, whose texts have goldens of their own."""
    kept = [line for line in played.stdout.splitlines() if not line.startswith("  ") or line.startswith("  HTTP/")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept) + "\n")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    golden("demo.txt", re.sub(r"in \d+ s\.", "in N s.", text))


@pytest.fixture
def one_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def put(as_told: bool) -> None:
        def play(environ: Any) -> Iterator[demo.Step]:
            yield demo.Step("A step", "It happens.", "true", "line\n\nline", 1, "exit code 0: nothing", as_told)

        monkeypatch.setattr(demo, "play", play)

    return put


def test_a_step_that_does_not_come_out_is_told(one_step: Callable[[bool], None]) -> None:
    one_step(False)
    result = CliRunner().invoke(command, [], standalone_mode=False)
    assert result.return_value == 1
    assert "NOT AS TOLD: exit code 0: nothing was expected" in result.output
    assert "(exit code 1)" in result.output


def test_colour_when_asked(one_step: Callable[[bool], None]) -> None:
    one_step(True)
    assert "\x1b[1m1. A step" in CliRunner().invoke(command, ["--color", "always"], color=True).output


def test_json(one_step: Callable[[bool], None]) -> None:
    one_step(False)
    result = CliRunner().invoke(command, ["--output", "json"], standalone_mode=False)
    document = json.loads(result.output)
    assert document["as_told"] is False
    assert document["steps"][0]["expected"] == "exit code 0: nothing"
    assert result.return_value == 1
