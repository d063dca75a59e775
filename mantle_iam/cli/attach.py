"""``mantle-iam attach``: put a policy on a user, role or group: plan, ask, write an undo file, apply, say how to undo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mantle_iam.cli.common import color_option, read_policy, read_text, use_color
from mantle_iam.cli.show import text_width
from mantle_iam.errors import InputError, MantleIamError, UndeterminedError
from mantle_iam.mantle.credential import Credential, CredentialKind, read_credential
from mantle_iam.report.ansi import Ansi, Style
from mantle_iam.report.layout import Whole, clean, facts, one_line

if TYPE_CHECKING:
    from mantle_iam.attach.plan import InlineChange, Plan, TargetKind

MAX_KEY_BYTES = 64 * 1024
MANAGED = ("read-only", "inference", "full")

EPILOG = """\b
Examples:
  mantle-iam attach --managed inference --user alice
  mantle-iam attach --managed inference --api-key-file key.txt
  mantle-iam generate --for chat | mantle-iam attach --policy - --role app --yes

Calls IAM with your AWS credentials; needs iam:Get* and iam:List* to plan, and iam:AttachUserPolicy or iam:PutUserPolicy (or the
same for a role or group) to apply.

Exit codes: 0 done or nothing to do, 1 refused by IAM or by you, 2 wrong usage, 3 could not find out.
"""


@click.command("attach", epilog=EPILOG)
@click.option("--managed", type=click.Choice(MANAGED), help="AWS's managed policy for Mantle.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    help="A policy document (- for standard input), put on as an inline policy.",
)
@click.option("--name", metavar="NAME", help="Name of the inline policy. Default: derived from the document.")
@click.option("--user", metavar="NAME", help="The user, by name or ARN.")
@click.option("--role", metavar="NAME", help="The role, by name or ARN (a session's too).")
@click.option("--group", metavar="NAME", help="The group, by name or ARN.")
@click.option("--api-key-file", "--key-file", metavar="FILE", help="The user of the long-term key in this file.")
@click.option("--api-key-stdin", is_flag=True, help="The user of the long-term key on standard input.")
@click.option("--profile", metavar="NAME", help="AWS profile to call IAM with.")
@click.option("--region", metavar="REGION", help="Chooses the partition (us-gov-west-1 for GovCloud).")
@click.option(
    "--endpoint-url", metavar="URL", help="Where IAM is, when not at AWS. Default: AWS_ENDPOINT_URL_IAM, the profile."
)
@click.option("--undo-file", metavar="FILE", help="Where to write how to undo it. Default: a new file in this folder.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@color_option
def command(
    managed: str | None,
    policy_file: str | None,
    name: str | None,
    user: str | None,
    role: str | None,
    group: str | None,
    api_key_file: str | None,
    api_key_stdin: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    undo_file: str | None,
    yes: bool,
    dry_run: bool,
    color: str,
) -> int:
    """Attach a policy to a user, role or group: plan, ask, apply, say how to undo.

    With a long-term key instead of a name, or in AWS_BEARER_TOKEN_BEDROCK, its IAM user gets the policy.
    """
    if (managed is None) == (policy_file is None):
        raise InputError("give either --managed or --policy", help="--managed inference, or --policy policy.json")
    if policy_file == "-" and api_key_stdin:
        raise InputError("the policy and the key cannot both come from standard input", help="put one into a file")
    if name is not None and managed is not None:
        raise InputError("a managed policy has its own name", help="--name goes with --policy")
    kind, target, account = _target(user, role, group, _key(api_key_file, stdin=api_key_stdin))
    wanted = managed or _inline(str(policy_file), name)
    if not (yes or dry_run) and not (sys.stdin.isatty() and policy_file != "-" and not api_key_stdin):
        raise InputError(
            "nobody can be asked here whether to go on", help="look at the plan with --dry-run, then add --yes"
        )
    # Imported here, so that --help and wrong usage stay quick.
    from mantle_iam.attach.apply import client
    from mantle_iam.workflow.attach import prepare

    iam = client(profile, region, endpoint_url)
    plan = prepare(iam, kind, target, wanted, account=account)
    for line in _plan_lines(plan, text_width(), Ansi(use_color(color))):
        click.echo(line)
    if not plan.needed:
        click.echo("nothing to do: it is there already")
        return 0
    if dry_run:
        click.echo("nothing was changed (--dry-run)")
        return 0
    if not yes and not click.confirm("Apply it?", default=False, err=True):
        click.echo("nothing was changed", err=True)
        return 1
    return _apply(iam, plan, undo_file)


def _key(file: str | None, *, stdin: bool) -> Credential | None:
    if file and stdin:
        raise InputError("--api-key-file and --api-key-stdin name different keys", help="give one of them")
    if file or stdin:
        return read_credential(read_text("-" if stdin else str(file), what="key", limit=MAX_KEY_BYTES))
    return None


def _target(
    user: str | None, role: str | None, group: str | None, key: Credential | None
) -> tuple[TargetKind, str, str | None]:
    """Kind and name of the target, and the account that it must be in."""
    from mantle_iam.attach.apply import target_name
    from mantle_iam.attach.plan import TargetKind

    given = [(kind, text) for kind, text in zip(TargetKind, (user, role, group), strict=True) if text is not None]
    if len(given) + (key is not None) > 1:
        raise InputError("more than one target is named", help="give one of --user, --role, --group or a key")
    if given:
        kind, text = given[0]
        if read_credential(text).kind in (CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY):
            raise InputError(
                "a key was given on the command line", help="give it with --api-key-file or --api-key-stdin"
            )
        return kind, *target_name(kind, text)
    credential, where = (key, "the key") if key is not None else _key_of_environment()
    return TargetKind.USER, *_user_of(credential, where)


def _key_of_environment() -> tuple[Credential, str]:
    from mantle_iam.probe.discover import discover_keys

    used = discover_keys(os.environ).used
    if used is None:
        raise InputError(
            "no target is named", help="give --user, --role or --group, or a long-term key (--api-key-file)"
        )
    return used.credential, used.where


def _user_of(credential: Credential, where: str) -> tuple[str, str | None]:
    if credential.kind is CredentialKind.SHORT_TERM_KEY:
        raise InputError(
            f"{where} is a short-term key, which acts as whoever made it",
            help="name that user or role: --user or --role",
        )
    if credential.kind is not CredentialKind.LONG_TERM_KEY:
        raise InputError(f"{where} is no long-term Bedrock API key", help="`mantle-iam key inspect` says what it is")
    if not credential.user_name:
        raise InputError(f"{where} does not say whose it is", help="name its user: --user NAME")
    return credential.user_name, credential.account


def _inline(path: str, name: str | None) -> InlineChange:
    from mantle_iam.attach.plan import InlineChange
    from mantle_iam.generate.artifact import checked_policy_name
    from mantle_iam.workflow.target import policy_name

    document = read_policy(path)
    if any(s.principals or s.not_principals for s in document.statements):
        raise InputError(
            "the policy names principals, which a policy on a user, role or group must not",
            help="leave Principal out: the one that it is attached to is meant",
        )
    if not document.statements:
        raise InputError("the policy has no statement")
    return InlineChange(checked_policy_name(name) if name is not None else policy_name(document), document)


def _plan_lines(plan: Plan, width: int, ansi: Ansi) -> Iterator[str]:
    from mantle_iam.attach.plan import ManagedChange, apply_command, undo_command

    yield ansi.paint(f"Plan for {clean(str(plan.target))}", Style.BOLD)
    now = [one_line(f"{bound.name}{'' if bound.arn else ' (inline)'}") for bound in plan.state.policies]
    rows: list[tuple[str, str | Whole]] = [("now", ", ".join(now) or "no policy of its own")]
    change = plan.change
    if isinstance(change, ManagedChange):
        rows.append(("attach", f"{change.name} ({change.arn}, {change.version})"))
    else:
        verb = "replace" if plan.state.previous is not None else "put"
        rows.append((verb, f"inline policy {change.name}, {len(change.document.statements)} statements"))
    rows.extend(_gain_rows(plan))
    if plan.losses:
        rows.append(("takes away", ", ".join(action.partition(":")[2] for action in plan.losses)))
    if plan.already:
        rows.append(("already", f"{len(plan.already)} actions that it grants are allowed now"))
    if plan.others:
        rows.append(("besides", ", ".join(plan.others)))
    rows.extend(("note", note) for note in plan.notes)
    if plan.needed:
        rows.append(("command", Whole(apply_command(plan))))
        rows.append(("undo", Whole(undo_command(plan))))
    yield from facts(rows, width=width, ansi=ansi)


def _gain_rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """What becomes of the actions: those of the same fate on one line, what is sure first."""
    from mantle_iam.attach.plan import Gain

    order = ("allows", "allows if", "refused", "unknown")
    by_fate: dict[tuple[str, str], list[str]] = {}
    for gain in plan.gains:
        depends = ", ".join(gain.depends_on)
        where = " and ".join(f"{key} is {' or '.join(values)}" for key, values in gain.where)
        fate = {
            Gain.ALLOWED: ("allows", ""),
            Gain.CONDITIONAL: ("allows", f", where {where}") if where else ("allows if", f": depends on {depends}"),
            Gain.WITHHELD: ("refused", f": still withheld by {depends}"),
            Gain.UNKNOWN: ("unknown", f": depends on {depends}, which could not be read"),
        }[gain.gain]
        by_fate.setdefault(fate, []).append(gain.action.partition(":")[2])
    for (label, rest), actions in sorted(by_fate.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        yield label, ", ".join(actions) + rest


def _apply(iam: object, plan: Plan, undo_file: str | None) -> int:
    from mantle_iam.attach.apply import apply
    from mantle_iam.attach.plan import undo_command, undo_file_name, undo_text

    written = _write_new(undo_text(plan, datetime.now(UTC)), undo_file, undo_file_name(plan.target))
    try:
        apply(iam, plan)
    except UndeterminedError as error:
        # The answer is missing, not the change: it may have been made.
        error.help = f"whether it was changed is not known; if so, {written} says how to undo it"
        raise
    except MantleIamError:
        written.unlink(missing_ok=True)
        raise
    click.echo(f"done: {clean(str(plan.target))} has it; it is in force within seconds to a few minutes")
    click.echo("check it with: mantle-iam probe")
    click.echo(f"undo it with: {clean(undo_command(plan))}")
    click.echo(f"what was there before is in {written}")
    return 0


def _write_new(text: str, wanted: str | None, stem: str) -> Path:
    """Write ``text`` to a file that is not there yet.

    Raises:
        InputError: it is there already, or cannot be written; then nothing else has happened.
    """
    candidates = (
        [Path(wanted)] if wanted else [Path(f"{stem}{n}.undo.json") for n in ("", *(f"-{i}" for i in range(2, 1000)))]
    )
    for path in candidates:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"cannot write the undo file `{path}`: {reason}", help="nothing was changed; give --undo-file FILE"
            ) from None
        return path
    raise InputError(
        f"the undo file `{candidates[0]}` is there already", help="nothing was changed; give another --undo-file"
    )
