"""``mantle-iam audit``: who can use Mantle, and whether that is as required."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from mantle_iam.cli.audit_live import print_needs, read_accounts
from mantle_iam.cli.audit_options import audit_options, below_options
from mantle_iam.cli.audit_writers import FORMATS, Run, write
from mantle_iam.cli.common import color_option, output_option, read_text
from mantle_iam.cli.headings import HeadedCommand
from mantle_iam.cli.reports import report_option, spare
from mantle_iam.errors import InputError

if TYPE_CHECKING:
    from mantle_iam.workflow.audit_findings import Findings

_OF_LIVE = ("profile", "role_arn", "role_name", "endpoint_url", "save_dir")


@click.command("audit", cls=HeadedCommand, below=below_options)
@click.argument("paths", nargs=-1, metavar="PATH...")
@audit_options
@output_option(*FORMATS)
@report_option(FORMATS)
@color_option
def command(**options: Any) -> int:
    """Say who can use Mantle, how, and what decides it; from files, before anything is deployed, or live.

    PATH is a dump of an account (aws iam get-account-authorization-details), an organization's policies, a
    Terraform plan or module, a CloudFormation template, or a folder of them; - is standard input.

    \b
    mantle-iam audit dumps/ --scp scps/ --require access.yaml
    mantle-iam audit plan.json --capability infer --model openai.gpt-oss-120b
    mantle-iam audit --live --profile audit --save-dir accounts/

    \b
    access.yaml:
      version: 1
      rules:
        - name: only applications call models
          must: not-allow
          principals: "*"
          except: "arn:aws:iam::*:role/app-*"
          capabilities: infer

    Exit codes: 0 done and every rule met, 1 a rule failed (or a finding, with --fail-on), 2 wrong usage, 3 a rule
    is not settled or an input was not wholly read.
    """
    if options["needs"]:
        return print_needs(options)
    with ExitStack() as stack:
        return _audit(options, stack)


def _audit(options: dict[str, Any], stack: ExitStack) -> int:
    from mantle_iam.audit.findings import Severity
    from mantle_iam.iam.inventory import Purpose
    from mantle_iam.workflow.audit import audit
    from mantle_iam.workflow.audit_inputs import Accounts, asked_regions
    from mantle_iam.workflow.audit_journal import Journal
    from mantle_iam.workflow.engines import CollectingLess, Engine

    paths = (*options["paths"], *options["plans"], *options["scp"], *options["rcp"])
    given = [f"--{name.replace('_', '-')}" for name in _OF_LIVE if options[name]]
    if given and not options["live"]:
        raise InputError(f"{given[0]} is about a live account", help="add --live")
    if options["scheduler"] and options["engine"] == "processes":
        raise InputError("--scheduler is about a cluster", help="add --engine dask or ray")
    if options["live"] and options["resume"] and not options["save_dir"]:
        raise InputError("what is read live is not kept for --resume", help="add --save-dir DIR")
    if not paths and not options["live"]:
        raise InputError("nothing to audit", help="name files or folders, or --live; see mantle-iam audit --help")
    spare((*paths, *(options[name] or "" for name in ("require", "config", "resume"))), options["reports"])
    plan, findings = _plan(options), _findings(options)
    parameters = _parameters(options["parameter"])
    engine = Engine(options["workers"], options["engine"], options["scheduler"])
    live = read_accounts(options, asked_regions(plan), stack) if options["live"] else ""
    stdin = sys.stdin.buffer.read() if "-" in paths else b""
    accounts = Accounts(
        (*paths, *([live] if live else [])),
        parameters,
        stdin,
        kinds={**dict.fromkeys(options["scp"], Purpose.SCP), **dict.fromkeys(options["rcp"], Purpose.RCP)},
        # What was read into a folder of the user's is shown by its files.
        live="" if options["save_dir"] else live,
        findings=findings,
    )
    settings = None if findings is None else findings.settings
    journal = Journal(options["resume"], plan, settings) if options["resume"] else None
    if journal is not None:
        stack.callback(journal.close)
    made = audit(plan, accounts, engine=engine, journal=journal)
    if options["parquet"]:
        from mantle_iam.workflow.audit_parquet import parquet_to

        made.rows = parquet_to(options["parquet"])(made.rows)
    fail_on = None if options["fail_on"] == "never" else Severity(options["fail_on"])
    with CollectingLess():
        shown = (options["output"], options["color"], options["reports"], options["require"] or "")
        return write(Run(made, accounts, findings, fail_on, *shown))


def _findings(options: dict[str, Any]) -> Findings | None:
    if options["no_findings"]:
        return None
    from mantle_iam.audit.lint.engine import Settings
    from mantle_iam.cli.lint import rules_named
    from mantle_iam.workflow.audit_findings import Findings
    from mantle_iam.workflow.lint import configured

    select, ignore = rules_named(options["select"], "--select"), rules_named(options["ignore"], "--ignore")
    return Findings(Settings(None, select or None, ignore), configured(options["config"]))


def _plan(options: dict[str, Any]) -> Any:
    from mantle_iam.audit.capabilities import Wanted
    from mantle_iam.audit.matrix import Plan
    from mantle_iam.audit.requirements import known_action, may_match
    from mantle_iam.generate.scoping import checked_scope
    from mantle_iam.mantle.operations import AuthMethod
    from mantle_iam.report.layout import clean
    from mantle_iam.workflow.audit_inputs import read_requirements

    require = options["require"]
    notes: list[str] = []
    rules = read_requirements(read_text(require, what="requirements"), require, notes) if require else ()
    checked = checked_scope(
        regions=tuple(options["region"]), projects=tuple(options["project"]), models=tuple(options["model"])
    )
    for note in (*checked.notes, *notes):
        click.echo(clean(f"note: {note}"), err=True)
    wanted = Wanted(
        tuple(options["capability"]),
        tuple(known_action(action) for action in options["action"]),
        tuple(AuthMethod(auth) for auth in options["auth"]),
        checked.scope.projects,
        checked.scope.models,
        checked.scope.regions,
    )
    for project in checked.scope.projects:
        if "*" in project or "?" in project:
            raise InputError(f"--project: `{project}` has a wildcard", help="name each project by its id or ARN")
    for pattern in options["principal"]:
        if not may_match(pattern):
            raise InputError(f"--principal: `{pattern}` matches no ARN", help=f'write "*/{pattern}" or a whole ARN')
    context = tuple(_pairs(options["context"], "KEY=VALUE").items())
    return Plan(wanted, rules, context, tuple(options["principal"]))


def _parameters(texts: tuple[str, ...]) -> dict[str, str]:
    """The parameters, a later one over an earlier one, with those of files in their place."""
    from mantle_iam.workflow.audit_inputs import read_parameters

    found: dict[str, str] = {}
    for text in texts:
        path = text.removeprefix("@")
        if path != text:
            found |= read_parameters(read_text(path, what="parameters"), path)
        else:
            found |= _pairs((text,), "NAME=VALUE")
    return found


def _pairs(texts: tuple[str, ...], form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError(f"`{text}` is not {form}")
        found[name] = value
    return found
