"""``mantle-iam audit``: who can use Mantle, and whether that is as required."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from mantle_iam.cli.audit_writers import FORMATS, Run, write
from mantle_iam.cli.common import color_option, output_option, print_json, read_text
from mantle_iam.errors import InputError

if TYPE_CHECKING:
    from mantle_iam.workflow.audit_findings import Findings
    from mantle_iam.workflow.audit_live import Step

_AUTHS = ("sigv4", "short-term-key", "long-term-key")
_LEVELS = ("error", "warning", "info", "never")
_MANY: dict[str, Any] = {"multiple": True}
_OF_LIVE = ("profile", "role_arn", "endpoint_url", "save_dir")


@click.command("audit")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--plan", "plans", **_MANY, metavar="FILE", help="Terraform plan JSON; the same as a PATH.")
@click.option("--scp", **_MANY, metavar="PATH", help="Service control policies: a document, or a folder as the tree.")
@click.option("--rcp", **_MANY, metavar="PATH", help="The same for resource control policies.")
@click.option("--live", is_flag=True, help="Read the account of the AWS credentials.")
@click.option("--profile", metavar="NAME", help="With --live: profile of the AWS configuration.")
@click.option("--role-arn", **_MANY, metavar="ARN", help="With --live: read the account of this role; repeatable.")
@click.option("--endpoint-url", metavar="URL", help="With --live: what stands in for AWS.")
@click.option(
    "--save-dir", metavar="DIR", help="With --live: keep what is read there; what is there is not read again."
)
@click.option("--needs", is_flag=True, help="Print the policy that --live needs, and end.")
@click.option("--require", metavar="FILE", help="Requirements (YAML or JSON) that must be met.")
@click.option(
    "--principal", **_MANY, metavar="PATTERN", help="Only principals whose ARN matches; * and ? are wildcards."
)
@click.option("--capability", **_MANY, metavar="NAME", help="Only this capability; repeatable.")
@click.option("--action", **_MANY, metavar="ACTION", help="Ask about an action by its name; repeatable.")
@click.option("--model", **_MANY, metavar="ID", help="Model that is called; without it any, which may matter.")
@click.option("--project", **_MANY, metavar="ID", help="Project id or ARN; without it project/default.")
@click.option("--region", **_MANY, metavar="REGION", help="Region; without it one stands for all.")
@click.option("--auth", **_MANY, type=click.Choice(_AUTHS), help="Way of authenticating, for every capability.")
@click.option("--context", **_MANY, metavar="KEY=VALUE", help="Context key that every call has; others are unknown.")
@click.option("--parameter", **_MANY, metavar="NAME=VALUE", help="Template parameter or Terraform variable.")
@click.option("--no-findings", is_flag=True, help="Do not ask the rules of mantle-iam lint.")
@click.option("--select", **_MANY, metavar="RULE", help="Ask only this rule of lint; repeatable, or with commas.")
@click.option("--ignore", **_MANY, metavar="RULE", help="Do not ask this rule of lint; repeatable, or with commas.")
@click.option("--config", metavar="FILE", help="Suppressions, as of mantle-iam lint.")
@click.option(
    "--fail-on",
    type=click.Choice(_LEVELS),
    default="never",
    show_default=True,
    help="The least severity of a finding that makes the exit code 1.",
)
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option(
    "--engine", type=click.Choice(["processes", "dask"]), default="processes", show_default=True, help="Who works."
)
@click.option("--scheduler", metavar="URL", default="", help="Dask scheduler, such as tcp://HOST:8786.")
@click.option("--resume", metavar="FILE", help="Journal of finished accounts: written, and taken up again.")
@output_option(*FORMATS)
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
        return _print_needs(options)
    with ExitStack() as stack:
        return _audit(options, stack)


def _audit(options: dict[str, Any], stack: ExitStack) -> int:
    from mantle_iam.audit.findings import Severity
    from mantle_iam.iam.inventory import Purpose
    from mantle_iam.workflow.audit import Engine, audit
    from mantle_iam.workflow.audit_inputs import Accounts
    from mantle_iam.workflow.audit_journal import Journal
    from mantle_iam.workflow.shards import CollectingLess

    paths = (*options["paths"], *options["plans"], *options["scp"], *options["rcp"])
    given = [f"--{name.replace('_', '-')}" for name in _OF_LIVE if options[name]]
    if given and not options["live"]:
        raise InputError(f"{given[0]} is about a live account", help="add --live")
    if not paths and not options["live"]:
        raise InputError("nothing to audit", help="name files or folders, or --live; see mantle-iam audit --help")
    plan, findings = _plan(options), _findings(options)
    parameters = _pairs(options["parameter"], "NAME=VALUE")
    engine = Engine(options["workers"], options["engine"], options["scheduler"])
    live = _read_live(options, stack) if options["live"] else ""
    stdin = sys.stdin.buffer.read() if "-" in paths else b""
    accounts = Accounts(
        (*paths, *([live] if live else [])),
        parameters,
        stdin,
        kinds={**dict.fromkeys(options["scp"], Purpose.SCP), **dict.fromkeys(options["rcp"], Purpose.RCP)},
        # What was read into a folder of the user's is shown by its files.
        live="" if options["save_dir"] else live,
        watcher=findings,
    )
    journal = Journal(options["resume"], plan) if options["resume"] else None
    if journal is not None:
        stack.callback(journal.close)
    made = audit(plan, accounts, engine=engine, journal=journal)
    fail_on = None if options["fail_on"] == "never" else Severity(options["fail_on"])
    with CollectingLess():
        return write(Run(made, accounts, findings, fail_on, options["output"], options["color"]))


def _findings(options: dict[str, Any]) -> Findings | None:
    if options["no_findings"]:
        return None
    from mantle_iam.audit.lint.engine import Settings
    from mantle_iam.cli.lint import rules_named
    from mantle_iam.workflow.audit_findings import Findings
    from mantle_iam.workflow.lint import configured

    select, ignore = rules_named(options["select"], "--select"), rules_named(options["ignore"], "--ignore")
    return Findings(Settings(None, select or None, ignore), configured(options["config"]))


# -- live accounts


def _print_needs(options: dict[str, Any]) -> int:
    from mantle_iam.workflow.audit_live import needed_rights

    print_json(needed_rights(options["role_arn"], next(iter(options["region"]), None)))
    return 0


def _read_live(options: dict[str, Any], stack: ExitStack) -> str:
    """Read the live accounts; answers the folder in which they are, which goes when ``stack`` does unless the user named it."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from mantle_iam.collect.connections import ATTEMPTS
    from mantle_iam.workflow.audit_live import Live, read_live

    told = os.environ.get("AWS_MAX_ATTEMPTS", "")
    attempts = int(told) if told.isascii() and told.isdigit() and 0 < int(told[:4]) < 1000 else ATTEMPTS
    live = Live(options["profile"], options["role_arn"], options["region"], options["endpoint_url"], min(attempts, 100))
    folder = options["save_dir"] or stack.enter_context(TemporaryDirectory(prefix="mantle-iam-"))
    with _progress() as tell:
        read_live(live, Path(folder), tell)
    return str(folder)


@contextmanager
def _progress() -> Iterator[Callable[[Step], None]]:
    """A bar on standard error where that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from mantle_iam.report.layout import clean

    with click.progressbar(length=1, label="reading", file=sys.stderr, item_show_func=lambda text: text or "") as bar:

        def tell(step: Step) -> None:
            bar.length, bar.pos = step.accounts, step.number
            bar.current_item = clean(f"{step.account}: {step.doing}")
            bar.render_progress()

        yield tell
        bar.pos, bar.current_item = bar.length or 0, None
        bar.render_progress()


def _plan(options: dict[str, Any]) -> Any:
    from mantle_iam.audit.capabilities import Wanted
    from mantle_iam.audit.matrix import Plan
    from mantle_iam.audit.requirements import known_action
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
    context = tuple(_pairs(options["context"], "KEY=VALUE").items())
    return Plan(wanted, rules, context, tuple(options["principal"]))


def _pairs(texts: tuple[str, ...], form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError(f"`{text}` is not {form}")
        found[name] = value
    return found
