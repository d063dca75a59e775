"""``mantle-iam audit --live`` as its users meet it: how far it is, on terminals of any width, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mantle_iam.cli.audit_live import progress_text, read_accounts
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.workflow.audit_live import Step
from tests.collect.live_world import OTHER, THIRD, read_saved, role_in
from tests.collect.moto_account import Account, Call


class Terminal(StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def options(world: Account, *roles: str, **more: Any) -> dict[str, Any]:
    given = {"profile": None, "role_arn": roles, "role_name": None, "endpoint_url": world.url, "save_dir": None}
    return {**given, **more}


@pytest.mark.parametrize(
    ("step", "seconds", "text"),
    [
        (Step(OTHER, 0, 1, "signing in"), 0.0, f"{OTHER}: signing in"),
        (Step(OTHER, 0, 9, "x"), 5.0, f"0/9 accounts; {OTHER}: x"),
        (Step(OTHER, 1, 9, "x"), 2.0, f"1/9 accounts, 16 s left; {OTHER}: x"),
        (Step(OTHER, 10, 90, "x"), 60.0, f"10/90 accounts, 8 min left; {OTHER}: x"),
        (Step(OTHER, 10, 9010, "x"), 60.0, f"10/9010 accounts, 15.0 h left; {OTHER}: x"),
        # Those that were there cost nothing, and say nothing about the rest.
        (Step(OTHER, 5, 9, "x", 5), 2.0, f"5/9 accounts; {OTHER}: x"),
        (Step(OTHER, 6, 8, "x", 4), 20.0, f"6/8 accounts, 20 s left; {OTHER}: x"),
        (Step(OTHER, 9, 9, "done"), 60.0, f"9/9 accounts; {OTHER}: done"),
        (Step("\x1b[2J", 0, 1, "\n"), 0.0, "\\x1b[2J: \\n"),
    ],
)
def test_how_far_it_is_in_words(step: Step, seconds: float, text: str) -> None:
    assert progress_text(step, seconds) == text


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_the_line_fits_and_goes(world: Account, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    with ExitStack() as stack:
        read_accounts(options(world, role_in(world, OTHER), role_in(world, THIRD)), (), stack)
    lines = shown.getvalue().split("\r\x1b[2K")
    assert any("0/2 accounts" in line for line in lines)
    assert max(map(len, lines)) < columns
    assert "\n" not in shown.getvalue()
    assert lines[-1] == ""


def test_nothing_is_shown_in_ci(world: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CI", "true")
    with ExitStack() as stack:
        folder = read_accounts(options(world), (), stack)
        assert list(Path(folder).iterdir())
    assert shown.getvalue() == ""
    assert not Path(folder).exists()


def test_what_was_kept_is_said(world: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for expected in ("", "note: 1 account was read before and not again"):
        with ExitStack() as stack:
            read_accounts(options(world, save_dir=str(tmp_path)), (), stack)
        said = capsys.readouterr().err
        assert expected in said
        assert bool(expected) == bool(said)


def test_interrupted_with_ctrl_c(world: Account, tmp_path: Path) -> None:
    """The second account does not answer; the first one is kept, and the program ends at once."""
    roles = [role_in(world, OTHER), role_in(world, THIRD)]
    reached, over = Event(), Event()
    asked: list[str] = []

    def hang(call: Call) -> None:
        if call.action == "sts:AssumeRole" and THIRD in call.fields["RoleArn"]:
            asked.append(call.key)
            reached.set()
            over.wait(30)

    world.refuse = hang
    arguments = [word for role in roles for word in ("--role-arn", role)]
    command = [sys.executable, "-m", "mantle_iam", "audit", "--live", "--endpoint-url", world.url, *arguments]
    process = subprocess.Popen([*command, "--save-dir", str(tmp_path)], stderr=subprocess.PIPE, env={**os.environ})
    try:
        assert reached.wait(30)
        record = tmp_path / OTHER / "account.json"
        deadline = time.monotonic() + 30
        while '"unread": []' not in record.read_text("utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 10
    finally:
        over.set()
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert b"Traceback" not in said
    found, inputs = read_saved(tmp_path)
    assert set(found) == {OTHER}
    assert {one.path: one.status for one in inputs} == {
        f"aws:{OTHER}": InputStatus.READ,
        f"aws:{THIRD}": InputStatus.FAILED,
    }
