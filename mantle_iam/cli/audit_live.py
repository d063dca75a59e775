"""What ``mantle-iam audit`` does for live accounts: reading them, showing how far that is, the policy that it needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from mantle_iam.cli.common import print_json, progress_line

if TYPE_CHECKING:
    from mantle_iam.workflow.audit_live import Step

_MOST_ATTEMPTS: Final = 100


def print_needs(options: dict[str, Any]) -> int:
    """Print the policy for the collector itself; nobody is asked."""
    from mantle_iam.workflow.audit_live import needed_rights

    print_json(needed_rights(options["role_arn"], next(iter(options["region"]), None), options["role_name"] or ""))
    return 0


def read_accounts(options: dict[str, Any], regions: tuple[str, ...], stack: ExitStack) -> str:
    """Read the live accounts; answers the folder in which they are, which goes when ``stack`` does unless the user named it.

    ``regions``: whose VPC endpoints count; without any that of the credentials.
    """
    from datetime import UTC, datetime
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mantle_iam.collect.connections import ATTEMPTS
    from mantle_iam.report.layout import clean
    from mantle_iam.workflow.audit_live import Live, read_live

    told = os.environ.get("AWS_MAX_ATTEMPTS", "")
    attempts = int(told[:4]) if told.isascii() and told.isdigit() and int(told[:4]) else ATTEMPTS
    attempts = min(attempts, _MOST_ATTEMPTS)
    name = options["role_name"] or ""
    live = Live(options["profile"], options["role_arn"], name, regions, options["endpoint_url"], attempts)
    kept = options["save_dir"]
    # A thread that was interrupted may still be writing.
    folder = kept or stack.enter_context(TemporaryDirectory(prefix="mantle-iam-", ignore_cleanup_errors=True))
    try:
        with _progress() as tell:
            read = read_live(live, Path(folder), tell)
    except KeyboardInterrupt:
        if kept:
            click.echo(clean(f"note: what was read so far is in {kept}; the same command goes on there"), err=True)
        raise
    note = read.note(datetime.now(UTC))
    if note:
        click.echo(clean(f"note: {note}"), err=True)
    if read.closed:
        told = f"not active, and so not read: {', '.join(read.closed)}"
        click.echo(clean(f"note: {told}"), err=True)
    return str(folder)


@contextmanager
def _progress() -> Iterator[Callable[[Step], None]]:
    """A line on standard error where that is somebody's terminal, else nothing."""
    from time import monotonic

    if os.environ.get("CI"):
        yield lambda _: None
        return
    show, wipe = progress_line()
    columns = shutil.get_terminal_size().columns
    began = monotonic()
    try:
        # What is shown is cut, and three dots and the cursor come after it.
        yield lambda step: show(progress_text(step, monotonic() - began)[: columns - 5])
    finally:
        wipe()


def progress_text(step: Step, seconds: float) -> str:
    """How far a reading is that began ``seconds`` ago."""
    from mantle_iam.report.layout import clean

    now = f"{step.account}: {step.doing}"
    if step.accounts == 1:
        return clean(now)
    read, open_ = step.number - step.kept, step.accounts - step.number
    left = f", {_duration(seconds / read * open_)} left" if read > 0 and open_ else ""
    return clean(f"{step.number}/{step.accounts} accounts{left}; {now}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(int(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
