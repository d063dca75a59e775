"""``mantle-iam lint``: what is wrong with policies before they are deployed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mantle_iam import __version__
from mantle_iam.cli.common import color_option, output_option, print_json, use_color
from mantle_iam.cli.reports import Report, checkout, report_option, spare, template
from mantle_iam.errors import InputError

if TYPE_CHECKING:
    from mantle_iam.iam.inventory import Purpose
    from mantle_iam.report.findings.results import Results
    from mantle_iam.workflow.lint import Linted

FORMATS = ("text", "json", "html", "csv", "markdown", "sarif", "junit", "github", "gitlab")
_KINDS = ("identity", "scp", "rcp", "boundary", "vpc-endpoint", "trust")
_AUTH = ("sigv4", "short-term-key", "long-term-key")
_LEVELS = ("error", "warning", "info", "never")
_MOST_NOTES = 5


@click.command("lint")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--auth", type=click.Choice(_AUTH), help="How callers authenticate: with a key they need one permission more."
)
@click.option(
    "--kind", type=click.Choice(_KINDS), help="What the documents are for. Guessed where not given, and said."
)
@click.option(
    "--select",
    "select",
    multiple=True,
    metavar="RULE",
    help="Ask only this rule (or a pattern with *, or all); repeatable, or with commas.",
)
@click.option(
    "--ignore", "ignore", multiple=True, metavar="RULE", help="Do not ask this rule; repeatable, or with commas."
)
@click.option(
    "--ignore-unknown", is_flag=True, help="Pass over FILEs that hold no policy, as in folders, e.g. what a hook names."
)
@click.option("--list-rules", is_flag=True, help="List the rules and end.")
@click.option(
    "--fail-on",
    type=click.Choice(_LEVELS),
    default="warning",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="Suppressions with their reasons. Default: mantle-iam-lint.toml in the working directory, where there is one.",
)
@output_option(*FORMATS)
@report_option(FORMATS)
@color_option
def command(
    files: tuple[str, ...],
    auth: str | None,
    kind: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    ignore_unknown: bool,
    list_rules: bool,
    fail_on: str,
    config: str | None,
    output: str,
    reports: tuple[Report, ...],
    color: str,
) -> int:
    """Say what is wrong with policies: what grants or refuses nothing, or not what it seems to.

    FILEs are policy documents as JSON (bare, as an AWS command prints them, in a list, one per line), folders of them,
    Terraform plans and configurations, CloudFormation templates, dumps of get-account-authorization-details, or - for
    standard input. Nothing is sent anywhere.

    \b
    mantle-iam lint policy.json
    mantle-iam lint policies/ --kind scp --report sarif=lint.sarif --report html=lint.html
    aws iam get-role-policy … | mantle-iam lint - --auth long-term-key

    A finding is let be by an entry with its reason in mantle-iam-lint.toml, or in Terraform and YAML by a comment
    "# mantle-iam: ignore RULE reason".

    Exit codes: 0 clean, 1 findings of warning or above (--fail-on), 2 wrong usage, 3 an input could not be read.
    """
    if list_rules:
        return _list_rules(output)
    if not files:
        raise click.UsageError("Missing argument 'FILE...'.")
    spare((*files, config or ""), reports)
    linted = _lint(
        files, auth, kind, rules_named(select, "--select"), rules_named(ignore, "--ignore"), config, ignore_unknown
    )
    results = _results(linted, fail_on)
    if output == "text":
        _print_notes(linted)
    for report in reports:
        with report.open() as file:
            file.write(_written(results, report.format))
    click.echo(_written(results, output, color), nl=False, color=use_color(color))
    if output != "json":
        _print_suppressed(linted)
    # What could not be read may hold worse than what was found.
    return 3 if not linted.complete else 1 if any(results.fails(each) for each in results.findings) else 0


def _lint(
    files: tuple[str, ...],
    auth: str | None,
    kind: str | None,
    select: frozenset[str],
    ignore: frozenset[str],
    config: str | None,
    ignore_unknown: bool,
) -> Linted:
    from mantle_iam.audit.lint.engine import Settings
    from mantle_iam.iam.inventory import Purpose
    from mantle_iam.mantle.operations import AuthMethod
    from mantle_iam.workflow.lint import LARGEST_DOCUMENT, configured, lint

    purpose: Purpose | None = None if kind is None else Purpose(kind)

    def standard_input() -> bytes:
        data = sys.stdin.buffer.read(LARGEST_DOCUMENT + 1)
        if len(data) > LARGEST_DOCUMENT:
            raise InputError(f"standard input is larger than {LARGEST_DOCUMENT // 1024 // 1024} MiB")
        return data

    return lint(
        files,
        Settings(None if auth is None else AuthMethod(auth), select or None, ignore),
        kind=purpose,
        suppressions=configured(config),
        standard_input=standard_input,
        ignore_unknown=ignore_unknown,
    )


def rules_named(given: tuple[str, ...], option: str) -> frozenset[str]:
    """The ids of rules in what was given, one by one or with commas: ids, ``all``, patterns with ``*``.

    Raises:
        InputError: there is no such rule.
    """
    from mantle_iam.audit.lint.registry import BY_ID, ids_like

    found: frozenset[str] = frozenset()
    for name in (name.strip() for each in given for name in each.split(",") if name.strip()):
        ids = ids_like(name[:100])
        if not ids:
            from difflib import get_close_matches

            near = get_close_matches(name[:100], list(BY_ID), n=1)
            hint = f"did you mean `{near[0]}`?" if near else "see `mantle-iam lint --list-rules`"
            raise InputError(f"{option}: `{name[:100]}` is no rule", help=hint)
        found |= ids
    return found


def _results(linted: Linted, fail_on: str) -> Results:
    from mantle_iam.audit.findings import Severity
    from mantle_iam.audit.lint.registry import RULES
    from mantle_iam.report.findings.results import Results

    level = None if fail_on == "never" else Severity(fail_on)
    return Results(linted.findings, linted.inputs, RULES, linted.texts, __version__, level, *checkout())


def _written(results: Results, output: str, color: str | None = None) -> str:
    """The results in a format; for this terminal where ``color`` is told, else for a file."""
    if output == "text":
        from mantle_iam.report.findings.text import text

        if color is None:
            return text(results)
        from mantle_iam.cli.show import text_width
        from mantle_iam.report.ansi import Ansi

        return text(results, width=text_width(), ansi=Ansi(use_color(color)))
    if output == "html":
        from mantle_iam.report.findings.html import html

        return html(results, template)
    from mantle_iam.report.findings import written

    return written(output, results)


def _print_notes(linted: Linted) -> None:
    from mantle_iam.report.findings.text import inert
    from mantle_iam.report.layout import clean

    for note in linted.notes[:_MOST_NOTES]:
        click.echo(inert(f"note: {clean(note)}"), err=True)
    if len(linted.notes) > _MOST_NOTES:
        click.echo(f"note: and {len(linted.notes) - _MOST_NOTES} more documents by their elements or names", err=True)


def _print_suppressed(linted: Linted) -> None:
    count = len(linted.suppressed)
    if count:
        click.echo(f"{count} {'findings' if count > 1 else 'finding'} let be, for reasons given", err=True)


def _list_rules(output: str) -> int:
    from mantle_iam.audit.lint.registry import RULES

    if output == "json":
        records = [
            {
                "rule": rule.id,
                "title": rule.title,
                "severity": rule.severity.value,
                "confidence": rule.confidence.value,
                "kinds": [purpose.value for purpose in rule.purposes],
                "source": rule.source.value,
                "reference": rule.reference,
            }
            for rule in RULES
        ]
        print_json({"schema_version": "1", "rules": records})
        return 0
    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        click.echo(f"{rule.id:<{width}}  {rule.severity.value:<7}  {rule.confidence.value:<6}  {rule.title}")
    return 0
