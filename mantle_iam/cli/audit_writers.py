"""What ``mantle-iam audit`` writes: the report in every format, and the exit code that goes with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from mantle_iam.cli.common import use_color

if TYPE_CHECKING:
    from mantle_iam.audit.findings import Finding, Severity
    from mantle_iam.report.findings.results import Results
    from mantle_iam.workflow.audit import Audit
    from mantle_iam.workflow.audit_findings import Findings, Found
    from mantle_iam.workflow.audit_inputs import Accounts

FORMATS: Final = ("text", "json", "jsonl", "csv", "markdown", "html", "sarif", "github", "gitlab", "junit")
_OF_FINDINGS: Final = ("sarif", "github", "gitlab", "junit")
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


def write(run: Run) -> int:
    """The report to standard output, as its rows come; answers the exit code."""
    return _WRITERS.get(run.output, _grid)(run)


def _text(run: Run) -> int:
    from mantle_iam.cli.show import print_text, text_width
    from mantle_iam.report.ansi import Ansi
    from mantle_iam.report.audit import Tally, render
    from mantle_iam.workflow.audit import asked_of, columns

    made, accounts = run.made, run.accounts
    tally = Tally(columns(made.plan), asked_of=asked_of(made.plan))
    for row in made.rows:
        tally.add(row.arn, row.account, row.shape)
    requirements = made.requirements()
    found = _found(run)
    ansi, width = Ansi(use_color(run.color)), text_width()
    notes = _notes(run, found)
    text = render(tally, requirements, accounts.inputs, notes, accounts=made.accounts, width=width, ansi=ansi)
    print_text(text + _text_of_findings(found, width, ansi), run.color)
    return _exit_code(run, requirements, found)


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


def _json(run: Run) -> int:
    from mantle_iam.audit.results import principal_json
    from mantle_iam.report.audit import json_head, json_row, json_tail
    from mantle_iam.report.findings.results import sound
    from mantle_iam.workflow.audit_findings import finding_objects

    made = run.made
    lines = run.output == "jsonl"
    write = sys.stdout.write
    if not lines:
        write(json_head())
    first = True
    for row in made.rows:
        if lines:
            write(principal_json(row.arn, row.account, row.shape) + "\n")
        else:
            write(json_row(row.arn, row.account, row.shape, first))
        first = False
    requirements = made.requirements()
    found = _found(run)
    failed = [{"account": account, "error": error} for account, error in made.failures]
    counts = {"audited": made.accounts - len(failed), "failed": failed, "retried": made.retried, "reused": made.reused}
    shown = finding_objects(found.findings)
    tail = sound(json_tail(requirements, run.accounts.inputs, counts, _notes(run, found), shown))
    if lines:
        import json

        # The last line has everything that is not a principal.
        write(json.dumps(json.loads(json_head() + tail), ensure_ascii=False) + "\n")
    else:
        write(tail + "\n")
    sys.stdout.flush()
    return _exit_code(run, requirements, found)


def _grid(run: Run) -> int:
    """The matrix in the formats that are made of a grid; what became of requirements and inputs is said on standard error."""
    from mantle_iam.report.audit_grid import grid_row
    from mantle_iam.report.findings.grid import Grid, csv_lines, grid_markdown
    from mantle_iam.workflow.audit import columns

    made = run.made
    names = columns(made.plan)
    rows = (grid_row(row.arn, row.account, row.shape) for row in made.rows)
    if run.output == "csv":
        for line in csv_lines(names, rows):
            sys.stdout.write(line)
    grid = Grid(names, tuple(rows))
    requirements = made.requirements()
    found = _found(run)
    results = _results(run, found, requirements)
    if run.output == "markdown":
        from mantle_iam.report.findings.markdown import findings_markdown

        click.echo(f"{grid_markdown(grid)}\n{findings_markdown(results)}", nl=False)
    elif run.output == "html":
        from mantle_iam import bundled
        from mantle_iam.report.findings.html import html

        def template(name: str) -> str:
            return (bundled.templates() / name).read_text("utf-8")

        click.echo(html(results, template, grid=grid), nl=False)
    sys.stdout.flush()
    return _aside(run, requirements, found)


def _of_findings(run: Run) -> int:
    """The formats that have no place for a matrix: requirements that are not met and findings."""
    from importlib import import_module

    for _ in run.made.rows:
        pass
    requirements = run.made.requirements()
    found = _found(run)
    module, function = _MODULES[run.output]
    written = getattr(import_module(f"mantle_iam.report.findings.{module}"), function)
    click.echo(written(_results(run, found, requirements)), nl=False)
    return _aside(run, requirements, found)


def _aside(run: Run, requirements: list[dict[str, Any]], found: Found) -> int:
    """What has no place in the format, on standard error."""
    from mantle_iam.report.layout import clean

    for one in requirements:
        if one["result"] != "passed":
            click.echo(clean(f"requirement {one['result']}: {one['name']}"), err=True)
    for note in _notes(run, found):
        click.echo(clean(f"note: {note}"), err=True)
    return _exit_code(run, requirements, found)


def _found(run: Run) -> Found:
    """The findings, once all rows were taken."""
    from mantle_iam.workflow.audit_findings import Found

    return Found() if run.findings is None else run.findings.result()


def _results(run: Run, found: Found, requirements: list[dict[str, Any]]) -> Results:
    from mantle_iam import __version__
    from mantle_iam.audit.lint.registry import RULES
    from mantle_iam.report.findings.matrix import requirement_findings
    from mantle_iam.report.findings.results import Results

    return Results(
        (*requirement_findings(requirements), *found.findings),
        tuple(run.accounts.inputs),
        RULES,
        found.texts,
        __version__,
        run.fail_on,
    )


def _notes(run: Run, found: Found) -> list[str]:
    made, accounts = run.made, run.accounts
    notes = [f"account {account} could not be audited: {error}" for account, error in made.failures]
    notes += made.problems
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

    judge = Results((), fail_on=run.fail_on)
    if any(map(judge.fails, found.findings)):
        return _EXIT_FAILED
    return run.made.exit_code(requirements, run.accounts.incomplete or not run.made.accounts)


_MODULES: Final = {
    "sarif": ("sarif", "sarif"),
    "github": ("github", "annotations"),
    "gitlab": ("gitlab", "code_quality"),
    "junit": ("junit", "junit"),
}
_WRITERS: Final[Mapping[str, Callable[[Run], int]]] = {
    "text": _text,
    "json": _json,
    "jsonl": _json,
    **dict.fromkeys(_OF_FINDINGS, _of_findings),
}
