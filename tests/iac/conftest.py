"""The heavy stage: what the field's own tools say of every format.  ``make test-iac`` runs it, ``make test`` does not.

Every test below this folder is marked ``iac`` and is collected only when that is asked for (``pytest -m iac``).  The tools are
run as processes; those from packages are in an environment of their own (``.venv-iac``, ``requirements-iac.lock``).  A tool that
is not there is never passed over in silence: its tests are skipped with the reason, and the last lines of the run say with what
was checked and what could not be.  With ``MANTLE_IAM_IAC_STRICT`` set, a missing tool is a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import CHECKED, MISSING, Tools, environment_of_tools

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if "iac" in config.option.markexpr else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.iac)
            if item.path.parent.name != "cli_and_boto3":
                # What is made once for all tests of a folder (a plan, compiled programs) is made by one worker only.
                item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


@pytest.fixture
def tools(record_property: Callable[[str, object], None]) -> Tools:
    return Tools(environment_of_tools(), record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = Counter(
        value
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for key, value in report.user_properties
        if key == CHECKED
    )
    missing: Counter[str] = Counter()
    for outcome in ("skipped", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if MISSING in reason:
                missing[reason.split(MISSING)[1].splitlines()[0]] += 1
    if not passed and not missing:
        return
    terminalreporter.section("what the formats were checked with")
    for tool, number in sorted(passed.items()):
        terminalreporter.write_line(f"checked with     {tool:<28} {number:>4} passed")
    for tool, number in sorted(missing.items()):
        terminalreporter.write_line(f"NOT CHECKED with {tool:<28} {number:>4} tests left out", yellow=True)
