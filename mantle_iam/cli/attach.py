"""``mantle-iam attach``: plan, refuse or ask, write an undo file, apply, verify; and take it back."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mantle_iam import __version__
from mantle_iam.cli.attach_target import Whom, documents, key_named, whom
from mantle_iam.cli.common import color_option, output_option, print_json, progress_line, read_text, use_color
from mantle_iam.cli.show import text_width
from mantle_iam.errors import InputError, RefusedError

if TYPE_CHECKING:
    from mantle_iam.attach.apply import Clients
    from mantle_iam.attach.outcome import Outcome
    from mantle_iam.attach.plan import Plan, Target
    from mantle_iam.attach.undo import UndoPlan
    from mantle_iam.probe.discover import FoundKey
    from mantle_iam.report.ansi import Ansi
    from mantle_iam.workflow.attach import Wanted

MANAGED = ("read-only", "inference", "full")

EPILOG = """\b
Examples:
  mantle-iam attach --managed inference --user alice
  mantle-iam attach --managed inference --api-key-file key.txt
  mantle-iam generate --for chat | mantle-iam attach --policy - --role app --yes
  mantle-iam attach --policy p.json --as managed --name mantle --role app
  mantle-iam attach --undo mantle-iam-user-alice.undo.json

Calls IAM with your AWS credentials; --needs prints the policy that they need for it. With the long-term key of the user
(--api-key-file, AWS_BEARER_TOKEN_BEDROCK) it asks the service until the refusal is gone.

Exit codes: 0 done or nothing to do; 1 refused by IAM, by a quota, by a deny elsewhere, or by you; 2 wrong usage; 3 could not
find out, or it was done and is still refused.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that planning, applying and showing share."""

    profile: str | None
    region: str | None
    endpoint_url: str | None
    base_url: str | None
    trust_hosts: tuple[str, ...]
    verify: bool
    verify_timeout: float
    undo_file: str | None
    force: bool
    yes: bool
    dry_run: bool
    output: str
    color: str
    key: FoundKey | None = None


@click.command("attach", epilog=EPILOG)
@click.option("--managed", type=click.Choice(MANAGED), help="AWS's managed policy for Mantle.")
@click.option(
    "--policy",
    "policy_files",
    metavar="FILE",
    multiple=True,
    help="A policy document (- for standard input); repeatable.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["inline", "managed"]),
    default="inline",
    show_default=True,
    help="What --policy becomes: an inline policy, or a customer managed one (created, or given a new version).",
)
@click.option("--name", metavar="NAME", help="Name of the policy. Default: derived from the document.")
@click.option("--user", metavar="NAME", help="The user, by name or ARN.")
@click.option("--role", metavar="NAME", help="The role, by name or ARN (a session's too).")
@click.option("--group", metavar="NAME", help="The group, by name or ARN.")
@click.option("--permission-set", metavar="NAME", help="The Identity Center permission set, by name or ARN.")
@click.option("--instance-arn", metavar="ARN", help="Its Identity Center instance, where there is more than one.")
@click.option("--api-key-file", "--key-file", metavar="FILE", help="The user of the long-term key in this file.")
@click.option("--api-key-stdin", is_flag=True, help="The user of the long-term key on standard input.")
@click.option("--profile", metavar="NAME", help="AWS profile to call IAM with.")
@click.option("--region", metavar="REGION", help="Chooses the partition (us-gov-west-1 for GovCloud).")
@click.option(
    "--endpoint-url", metavar="URL", help="Where IAM is, when not at AWS. Default: AWS_ENDPOINT_URL_IAM, the profile."
)
@click.option("--undo", metavar="FILE", help="Take back what this undo file is about.")
@click.option("--undo-file", metavar="FILE", help="Where to write how to undo it. Default: a new file in this folder.")
@click.option("--needs", is_flag=True, help="Print the policy that your AWS credentials need for it; call nobody.")
@click.option("--force", is_flag=True, help="Go on where a deny elsewhere wins, or nothing new would be allowed.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option("--verify/--no-verify", default=True, show_default=True, help="Ask the service with the target's key.")
@click.option(
    "--verify-timeout",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to ask until the refusal is gone.",
)
@click.option("--base-url", metavar="URL", help="Base URL that the application's client has, for --verify.")
@click.option(
    "--trust-host", "trust_hosts", multiple=True, metavar="HOST", help="A host of your own that may get the key."
)
@output_option("text", "json")
@color_option
def command(
    managed: str | None,
    policy_files: tuple[str, ...],
    form: str,
    name: str | None,
    user: str | None,
    role: str | None,
    group: str | None,
    permission_set: str | None,
    instance_arn: str | None,
    api_key_file: str | None,
    api_key_stdin: bool,
    undo: str | None,
    needs: bool,
    **rest: object,
) -> int:
    """Attach a policy to a user, role, group or permission set: plan, ask, apply, verify; and take it back.

    With a long-term key instead of a name, or in AWS_BEARER_TOKEN_BEDROCK, its IAM user gets the policy.
    """
    targets = {"user": user, "role": role, "group": group, "permission-set": permission_set}
    if undo is not None:
        given = [*targets.values(), managed, name, instance_arn, api_key_file, *policy_files]
        if any(given) or api_key_stdin or needs:
            raise InputError("the undo file says what it is about", help="leave the other options out")
        return _undo(undo, Settings(**rest))  # type: ignore[arg-type]  # the options that click names as the record does
    _check_what(managed, policy_files, form, name, api_key_stdin=api_key_stdin)
    if instance_arn is not None and permission_set is None:
        raise InputError("--instance-arn goes with --permission-set")
    key = key_named(api_key_file, stdin=api_key_stdin)
    settings = Settings(**rest, key=key)  # type: ignore[arg-type]  # as above
    target = whom(targets, key)
    from mantle_iam.workflow.attach import Wanted

    wanted = Wanted(managed, documents(policy_files, name), form == "managed")
    if needs:
        return _needs(target, wanted, settings, instance_arn)
    _check_asking(settings, reads_stdin="-" in policy_files or api_key_stdin)
    return _attach(target, wanted, settings, instance_arn)


def _check_what(
    managed: str | None, files: tuple[str, ...], form: str, name: str | None, *, api_key_stdin: bool
) -> None:
    if (managed is None) == (not files):
        raise InputError("give either --managed or --policy", help="--managed inference, or --policy policy.json")
    if "-" in files and api_key_stdin:
        raise InputError("the policy and the key cannot both come from standard input", help="put one into a file")
    if managed is not None and name is not None:
        raise InputError("a managed policy has its own name", help="--name goes with --policy")
    if managed is not None and form == "managed":
        raise InputError("--as goes with --policy", help="AWS's own policies are managed ones already")


def _check_asking(settings: Settings, *, reads_stdin: bool) -> None:
    """Raises ``InputError`` where a question would have to be asked and cannot be."""
    if settings.yes or settings.dry_run:
        return
    if settings.output == "json":
        raise InputError("with --output json nobody is asked", help="look at it with --dry-run, then add --yes")
    if reads_stdin or not sys.stdin.isatty():
        raise InputError(
            "nobody can be asked here whether to go on", help="look at the plan with --dry-run, then add --yes"
        )


def _needs(target: Whom, wanted: Wanted, settings: Settings, instance: str | None) -> int:
    from mantle_iam.workflow.attach_needs import needed_rights

    print_json(needed_rights(target.named, wanted, region=settings.region, account=target.account, instance=instance))
    return 0


# Attaching


def _attach(target: Whom, wanted: Wanted, settings: Settings, instance: str | None) -> int:
    # Imported here, so that --help and wrong usage stay quick.
    from mantle_iam.attach.outcome import Outcome, Status
    from mantle_iam.attach.undo_records import undo_of
    from mantle_iam.report.attachment import plan_document, plan_lines
    from mantle_iam.workflow.attach import prepare, refusal
    from mantle_iam.workflow.attach_apply import attach

    options = _verify_options(settings)
    clients = _clients(settings, permission_set=target.kind.value == "permission-set")
    show, wipe = progress_line()
    prepared = prepare(clients, target.kind, target.name, wanted, account=target.account, instance=instance)
    plan = prepared.plan
    undo = undo_of(plan, datetime.now(UTC))

    def end(outcome: Outcome) -> int:
        wipe()
        if settings.output == "json":
            print_json(plan_document(plan, undo, outcome, version=__version__))
        return _end(outcome, plan.target, settings)

    _show(settings, plan_lines, plan, undo)
    refused = refusal(plan, force=settings.force)
    if refused is not None:
        return end(refused)
    if settings.dry_run:
        return end(Outcome(Status.PLANNED))
    if not _agreed(settings):
        return end(Outcome(Status.DECLINED))
    files: list[str] = []
    try:
        now = datetime.now(UTC)
        outcome = attach(clients, prepared, settings.undo_file, now, progress=show, written=files.append)
    except KeyboardInterrupt:
        wipe()
        for file in files:
            click.echo(f"how much was done is not known; {_undo_command(file)} takes it back", err=True)
        raise
    if outcome.status is Status.DONE and settings.verify:
        outcome = _verified(plan, outcome, options, settings)
    return end(outcome)


def _verify_options(settings: Settings) -> object:
    from mantle_iam.workflow.attach_verify import options

    return options(
        settings.key,
        region=settings.region,
        base_url=settings.base_url,
        trust_hosts=settings.trust_hosts,
        iam_endpoint_url=settings.endpoint_url,
    )


def _verified(plan: Plan, outcome: Outcome, options: object, settings: Settings) -> Outcome:
    from dataclasses import replace

    from mantle_iam.workflow.attach_verify import Verify, Waiting, verify

    told: list[str] = []

    def show(text: str) -> None:
        if not told and outcome.undo_file is not None:
            # Said now, since what follows may take long and be interrupted.
            click.echo(f"attached; {_undo_command(outcome.undo_file)} takes it back", err=True)
        told.append(text)
        click.echo(text, err=True)

    how = Verify(options, os.environ, settings.verify_timeout, __version__)  # type: ignore[arg-type]  # imported late
    waiting = Waiting(lambda: datetime.now(UTC), progress=show)
    return replace(outcome, verification=verify(plan, how, waiting))


# Taking back


def _undo(path: str, settings: Settings) -> int:
    from mantle_iam.attach.outcome import Outcome, Status
    from mantle_iam.attach.undo_file import MAX_BYTES, read_undo
    from mantle_iam.report.attachment import undo_lines, undo_plan_document
    from mantle_iam.workflow.attach_apply import prepare_undo, take_back, undo_refusal

    text = read_text(path, what="undo file", limit=MAX_BYTES)
    undo = read_undo(text, "standard input" if path == "-" else path)
    _check_asking(settings, reads_stdin=path == "-")
    clients = _clients(settings, permission_set=undo.target.kind.value == "permission-set")
    show, wipe = progress_line()
    prepared = prepare_undo(clients, undo)
    plan: UndoPlan = prepared.plan

    def end(outcome: Outcome) -> int:
        wipe()
        if settings.output == "json":
            print_json(undo_plan_document(plan, outcome, version=__version__))
        return _end(outcome, plan.state.target, settings)

    _show(settings, undo_lines, plan)
    refused = undo_refusal(plan)
    if refused is not None:
        return end(refused)
    if settings.dry_run:
        return end(Outcome(Status.PLANNED))
    if not _agreed(settings):
        return end(Outcome(Status.DECLINED))
    return end(take_back(clients, prepared, progress=show))


# Shared


def _clients(settings: Settings, *, permission_set: bool) -> Clients:
    from mantle_iam.workflow.attach_clients import clients

    return clients(settings.profile, settings.region, settings.endpoint_url, os.environ, permission_set=permission_set)


def _show(settings: Settings, lines: Callable[..., Iterable[str]], *records: object) -> None:
    from mantle_iam.report.ansi import Ansi

    if settings.output == "text":
        colors: Ansi = Ansi(use_color(settings.color))
        for line in lines(*records, width=text_width(), ansi=colors):
            click.echo(line, color=use_color(settings.color))


def _agreed(settings: Settings) -> bool:
    return settings.yes or click.confirm("Apply it?", default=False, err=True)


def _end(outcome: Outcome, target: Target, settings: Settings) -> int:
    """Say how it ended; an error goes the way of all errors."""
    from mantle_iam.attach.outcome import Status
    from mantle_iam.report.attachment import outcome_lines

    text = settings.output == "text"
    if outcome.status is Status.DECLINED:
        click.echo("nothing was changed", err=True)
        return outcome.exit_code
    if text and outcome.status is Status.PLANNED:
        click.echo("nothing was changed (--dry-run)")
    elif text and outcome.status is Status.NOTHING_TO_DO:
        click.echo(f"nothing to do: {outcome.reason}")
    elif text:
        for line in outcome_lines(outcome, target, width=text_width()):
            click.echo(line)
    if outcome.applied.error is not None:
        error = outcome.applied.error
        if outcome.undo_file is not None:
            error.help = f"take back what was done with: {_undo_command(outcome.undo_file)}"
        elif not outcome.applied.done and not outcome.applied.unsure:
            error.help = "; ".join(part for part in ("nothing was changed", error.help) if part)
        raise error
    if outcome.exit_code == 1:
        advice = "; --force attaches it all the same" if outcome.status is Status.FUTILE else ""
        raise RefusedError(outcome.reason, help=f"nothing was changed{advice}")
    return outcome.exit_code


def _undo_command(file: str) -> str:
    return shlex.join(["mantle-iam", "attach", "--undo", file])
