"""What ``mantle-iam audit`` writes: the report in every format that is asked for, in one run, and the exit code with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from mantle_iam.cli.common import use_color
from mantle_iam.cli.reports import Report, checkout, template

if TYPE_CHECKING:
    from mantle_iam.audit.findings import Finding, Severity
    from mantle_iam.report.findings.grid import Grid, GridRow
    from mantle_iam.report.findings.results import Results
    from mantle_iam.workflow.audit import Audit
    from mantle_iam.workflow.audit_findings import Findings, Found
    from mantle_iam.workflow.audit_inputs import Accounts

FORMATS: Final = ("text", "json", "jsonl", "csv", "markdown", "html", "sarif", "github", "gitlab", "junit")
_WITH_EVERYTHING: Final = ("text", "json", "jsonl")
_EXIT_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class Run:
    """An audit that is being made, and how it is to be shown."""

    made: Audit
    accounts: Accounts
    findings: Findings | None
    fail_on: Severity | None
    output: str
    color: str
    reports: tuple[Report, ...] = ()
    require: str = ""
    """The file of requirements."""


@dataclass(frozen=True, slots=True)
class End:
    """What is known when every row was taken."""

    requirements: list[dict[str, Any]]
    found: Found
    notes: list[str]


class Writer(Protocol):
    """One format.  What it is made with takes its text."""

    def row(self, row: Any) -> None:
        """The next principal, as ``Audit.rows`` has it."""

    def end(self, end: End) -> None:
        """The rest."""


_Put = Callable[[str], object]


def write(run: Run) -> int:
    """The report to standard output and to files, as its rows come; answers the exit code."""
    with ExitStack() as files:
        screen = (
            _Text(run, _screen(run), run.color) if run.output == "text" else _WRITERS[run.output](run, _screen(run))
        )
        opened = [(one.format, files.enter_context(one.open()).write) for one in run.reports]
        writers: list[Writer] = [screen, *(_WRITERS[name](run, put) for name, put in opened)]
        for row in run.made.rows:
            for writer in writers:
                writer.row(row)
        requirements, found = run.made.requirements(), _found(run)
        end = End(requirements, found, _notes(run, found))
        for writer in writers:
            writer.end(end)
    sys.stdout.flush()
    if run.output not in _WITH_EVERYTHING:
        _aside(end)
    return _exit_code(run, requirements, found)


def _screen(run: Run) -> _Put:
    from mantle_iam.cli.show import print_text

    return (lambda text: print_text(text, run.color)) if run.output == "text" else sys.stdout.write


class _Text:
    """For people: a table, the requirements, the findings by rule."""

    def __init__(self, run: Run, put: _Put, color: str | None = None) -> None:
        from mantle_iam.cli.show import text_width
        from mantle_iam.report.ansi import Ansi
        from mantle_iam.report.audit import Tally
        from mantle_iam.workflow.audit import columns

        self._run, self._put = run, put
        self._tally = Tally(columns(run.made.plan))
        self._width, self._ansi = (100, Ansi(False)) if color is None else (text_width(), Ansi(use_color(color)))

    def row(self, row: Any) -> None:
        self._tally.add(row.arn, row.account, row.shape)

    def end(self, end: End) -> None:
        from mantle_iam.report.audit import render
        from mantle_iam.report.findings.text import inert
        from mantle_iam.workflow.audit import asked_of

        made, inputs = self._run.made, self._run.accounts.inputs
        text = render(
            self._tally,
            end.requirements,
            inputs,
            end.notes,
            accounts=made.accounts,
            asked_of=asked_of(made.plan, self._tally.partitions or ("aws",)),
            width=self._width,
            ansi=self._ansi,
        )
        self._put(inert(text + _text_of_findings(end.found, self._width, self._ansi)))


def _text_of_findings(found: Found, width: int, ansi: Any) -> str:
    """One entry for each rule, the worst first: thousands of principals share what is wrong with them."""
    from mantle_iam.report.ansi import Style
    from mantle_iam.report.findings.results import SEVERITIES, count_words, in_order, where
    from mantle_iam.report.layout import one_line, paragraph

    if not found.findings:
        return ""
    by_rule: dict[tuple[int, str], list[Finding]] = {}
    for one in in_order(found.findings):
        by_rule.setdefault((SEVERITIES.index(one.severity), one.rule), []).append(one)
    lines = ["", ansi.paint(f"Findings: {count_words(found.findings)}", Style.BOLD)]
    for (level, rule), many in sorted(by_rule.items()):
        first = many[0]
        lines += paragraph(f"{SEVERITIES[level].value}[{one_line(rule)}] {one_line(first.message)}", width, 2, 2)
        rest = f" and {len(many) - 1:,} more" if len(many) > 1 else ""
        lines += paragraph(f"{where(first)}{rest}", width, 4, 2)
    lines += paragraph("mantle-iam lint and --output json list each of them", width, 2, 2)
    return "\n".join(lines) + "\n"


class _Json:
    """The document with a published schema."""

    def __init__(self, run: Run, put: _Put) -> None:
        from mantle_iam.report.audit import json_head, json_row

        self._run, self._put, self._row, self._first = run, put, json_row, True
        put(json_head())

    def row(self, row: Any) -> None:
        self._put(self._row(row.arn, row.account, row.shape, self._first))
        self._first = False

    def end(self, end: End) -> None:
        self._put(_json_tail(self._run, end) + "\n")


class _JsonLines:
    """The same, a principal in a line; the last line has everything that is no principal."""

    def __init__(self, run: Run, put: _Put) -> None:
        from mantle_iam.audit.results import principal_json

        self._run, self._put, self._row = run, put, principal_json

    def row(self, row: Any) -> None:
        self._put(self._row(row.arn, row.account, row.shape) + "\n")

    def end(self, end: End) -> None:
        from mantle_iam.report.audit import json_head

        whole = json.loads(json_head() + _json_tail(self._run, end))
        self._put(json.dumps(whole, ensure_ascii=False) + "\n")


def _json_tail(run: Run, end: End) -> str:
    from mantle_iam.report.audit import json_tail
    from mantle_iam.report.findings.results import sound
    from mantle_iam.workflow.audit_findings import finding_objects

    made = run.made
    failed = [{"account": account, "error": error} for account, error in made.failures]
    counts = {"audited": made.accounts - len(failed), "failed": failed, "retried": made.retried, "reused": made.reused}
    shown = finding_objects(end.found.findings, *checkout())
    return sound(json_tail(end.requirements, run.accounts.inputs, counts, end.notes, shown))


class _Csv:
    """The matrix alone."""

    def __init__(self, run: Run, put: _Put) -> None:
        from mantle_iam.report.audit_grid import grid_row
        from mantle_iam.report.findings.grid import csv_header, csv_row
        from mantle_iam.workflow.audit import columns

        self._put, self._row, self._line = put, grid_row, csv_row
        put(csv_header(columns(run.made.plan)))

    def row(self, row: Any) -> None:
        self._put(self._line(self._row(row.arn, row.account, row.shape)))

    def end(self, end: End) -> None:
        pass


class _Grid:
    """The formats with the matrix and the findings, which need all rows at once."""

    def __init__(self, run: Run, put: _Put, written: Callable[[Grid, Results], str]) -> None:
        from mantle_iam.report.audit_grid import grid_row

        self._run, self._put, self._written, self._row = run, put, written, grid_row
        self._rows: list[GridRow] = []

    def row(self, row: Any) -> None:
        self._rows.append(self._row(row.arn, row.account, row.shape))

    def end(self, end: End) -> None:
        from mantle_iam.report.findings.grid import Grid
        from mantle_iam.workflow.audit import columns

        grid = Grid(columns(self._run.made.plan), tuple(self._rows))
        self._put(self._written(grid, _results(self._run, end)))


def _markdown(run: Run, put: _Put) -> Writer:
    from mantle_iam.report.findings.grid import grid_markdown

    return _Grid(run, put, grid_markdown)


def _html(run: Run, put: _Put) -> Writer:
    from mantle_iam.report.findings.html import html

    return _Grid(run, put, lambda grid, results: html(results, template, grid=grid))


class _OfFindings:
    """The formats that have no place for a matrix: requirements that are not met, and findings."""

    def __init__(self, run: Run, put: _Put, name: str) -> None:
        self._run, self._put, self._name = run, put, name

    def row(self, row: Any) -> None:
        pass

    def end(self, end: End) -> None:
        from mantle_iam.report.findings import written

        self._put(written(self._name, _results(self._run, end)))


def _of_findings(name: str) -> Callable[[Run, _Put], Writer]:
    return lambda run, put: _OfFindings(run, put, name)


_WRITERS: Final[Mapping[str, Callable[[Run, _Put], Writer]]] = {
    "text": _Text,
    "json": _Json,
    "jsonl": _JsonLines,
    "csv": _Csv,
    "markdown": _markdown,
    "html": _html,
    **{name: _of_findings(name) for name in ("sarif", "github", "gitlab", "junit")},
}


def _aside(end: End) -> None:
    """What has no place in the format, on standard error."""
    from mantle_iam.report.findings.text import inert
    from mantle_iam.report.layout import clean

    unmet = [f"requirement {one['result']}: {one['name']}" for one in end.requirements if one["result"] != "passed"]
    for line in (*unmet, *(f"note: {note}" for note in end.notes)):
        click.echo(inert(clean(line)), err=True)


def _found(run: Run) -> Found:
    """The findings, once all rows were taken."""
    from mantle_iam.workflow.audit_findings import Found

    return Found() if run.findings is None else run.findings.result()


def _results(run: Run, end: End) -> Results:
    from mantle_iam import __version__
    from mantle_iam.audit.lint.registry import RULES
    from mantle_iam.report.findings.matrix import requirement_findings
    from mantle_iam.report.findings.results import Results

    return Results(
        (*requirement_findings(end.requirements, run.require), *end.found.findings),
        tuple(run.accounts.inputs),
        RULES,
        end.found.texts,
        __version__,
        run.fail_on,
        *checkout(),
    )


def _notes(run: Run, found: Found) -> list[str]:
    made, accounts = run.made, run.accounts
    notes = [f"account {account} could not be audited: {error}" for account, error in made.failures]
    notes += [*made.problems, *made.told_again()]
    if made.retried:
        notes.append(f"{made.retried} more attempts were needed, since workers failed")
    if made.reused:
        notes.append(f"{made.reused} accounts were taken from the journal")
    if accounts.loose:
        notes.append(f"documents that bind no principal that was read: {accounts.loose}")
    if not made.accounts:
        notes.append("no account was found in what was read")
    elif made.plan.principals and not made.principals:
        notes.append("no principal matches --principal, which is compared with whole ARNs")
    if found.left_out:
        notes.append(f"{found.left_out:,} more findings are counted here and not listed; --select asks for fewer rules")
    if found.suppressed:
        notes.append(f"findings let be, for reasons given: {found.suppressed}")
    return notes


def _exit_code(run: Run, requirements: list[dict[str, Any]], found: Found) -> int:
    from mantle_iam.report.findings.results import Results

    made, judge = run.made, Results((), fail_on=run.fail_on)
    incomplete = run.accounts.incomplete or not made.accounts or bool(made.failures or made.problems)
    # As with lint: what could not be read may hold worse than what was found.  A rule that failed has failed whatever else.
    if not incomplete and any(map(judge.fails, (*found.findings, *found.beyond))):
        return _EXIT_FAILED
    return made.exit_code(requirements, incomplete)
