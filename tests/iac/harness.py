"""Where the field's tools are, and what a test says when one of them is not there.

For the tests of this folder; ``conftest.py`` says how they are run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = "MANTLE_IAM_IAC_ENV"
STRICT = "MANTLE_IAM_IAC_STRICT"
CHECKED = "checked with"
MISSING = "could not check with "


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the tools are.  Asking for one that is missing skips the test (fails it, with ``MANTLE_IAM_IAC_STRICT``)."""

    environment: Path
    record: Callable[[str, object], None]

    def packaged(self, name: str) -> str:
        """The executable ``name`` of the environment."""
        found = self.environment / "bin" / name
        if not found.exists():
            could_not_check(name, f"no {found.relative_to(ROOT) if found.is_relative_to(ROOT) else found}")
        return str(found)

    def on_path(self, name: str) -> str:
        """The executable ``name`` of the machine."""
        found = shutil.which(name)
        if found is None:
            could_not_check(name, "it is not on PATH")
        return found

    def checked(self, tool: str, version: str) -> None:
        """Say that this test, if it passes, checked with ``tool``."""
        self.record(CHECKED, f"{tool} {version}")


def could_not_check(tool: str, reason: str) -> NoReturn:
    """End the test: it needs ``tool``, which is not there."""
    if os.environ.get(STRICT):
        pytest.fail(f"{MISSING}{tool}: {reason}", pytrace=False)
    pytest.skip(f"{MISSING}{tool}: {reason}")


@cache
def version_of(*command: str) -> str:
    """The first number of the form 1.2.3 that ``command`` prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    words = f"{done.stdout} {done.stderr}".replace("/", " ").split()
    found = (word.strip("v,") for word in words if word.strip("v,")[:1].isdigit() and word.count(".") >= 2)
    return next(found, "of unknown version")


def environment_of_tools() -> Path:
    """The environment of the packaged tools."""
    return Path(os.environ.get(ENVIRONMENT) or ROOT / ".venv-iac")
