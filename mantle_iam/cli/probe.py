"""``mantle-iam probe``: live and safe calls that find out why a key or role is refused."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mantle_iam import __version__
from mantle_iam.cli.common import color_option, output_option, print_json, progress_line, read_text
from mantle_iam.errors import InputError, MantleIamError
from mantle_iam.mantle.credential import CredentialKind, read_credential
from mantle_iam.mantle.redaction import redact

if TYPE_CHECKING:
    from mantle_iam.probe.discover import FoundKey
    from mantle_iam.probe.plan import ProbeRequest

MAX_KEY_BYTES = 64 * 1024

KEY_HELP = (
    "the process list and the shell's history would keep it; put it into AWS_BEARER_TOKEN_BEDROCK, into a file "
    "(--api-key-file FILE), or pipe it in (--api-key-stdin), and replace the key that was typed"
)

EPILOG = """\b
Examples:
  mantle-iam probe
  mantle-iam probe --region eu-central-1 --model openai.gpt-oss-120b
  mantle-iam probe --api-key-file key.txt --operation count-tokens --output json
  mantle-iam probe --profile dev --role-arn arn:aws:iam::111122223333:role/app
  mantle-iam probe --dry-run

The key of the environment is used (AWS_BEARER_TOKEN_BEDROCK, then those of the SDKs), else the AWS credential chain. No call
creates, changes or deletes anything, and none is billed without --spend.

Exit codes: 0 allowed, 1 a refusal was diagnosed, 2 wrong usage, 3 could not find out.
"""


class KeylessCommand(click.Command):
    """A command that refuses a key among its arguments before anything could repeat it in a message."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, unless there is a key.  Raises ``InputError``."""
        for argument in args:
            if _is_key(argument) or (argument.startswith("-") and _is_key(argument.partition("=")[2])):
                raise InputError("a key was given on the command line", help=KEY_HELP)
        return super().parse_args(ctx, args)


@click.command("probe", epilog=EPILOG, cls=KeylessCommand)
@click.option(
    "--operation", "operations", multiple=True, metavar="NAME", help="Operation to find out about; repeatable."
)
@click.option("--model", metavar="ID", help="Model that the application uses.")
@click.option("--project", metavar="ID", help="Project or workspace that the application names.")
@click.option("--region", "regions", multiple=True, metavar="REGION", help="AWS Region; repeatable.")
@click.option("--base-url", metavar="URL", help="Base URL that the application's client has.")
@click.option(
    "--trust-host", "trust_hosts", multiple=True, metavar="HOST", help="A host of your own that may get the key."
)
@click.option("--timeout", type=float, default=15.0, show_default=True, metavar="SECONDS", help="Limit of each call.")
@click.option("--spend", is_flag=True, help="Allow one billed call of at most 16 output tokens.")
@click.option(
    "--runtime", is_flag=True, help="Also ask bedrock-runtime with the same credential, where that would decide."
)
@click.option("--api-key-file", metavar="FILE", help="File that holds the key.")
@click.option("--api-key-stdin", is_flag=True, help="Read the key from standard input.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option("--api-key", "refused_key", hidden=True, metavar="KEY")
@click.option("--profile", metavar="NAME", help="AWS profile to sign with.")
@click.option("--role-arn", metavar="ARN", help="Role to assume and sign with.")
@click.option(
    "--read-policies/--no-read-policies", default=True, show_default=True, help="Read the principal's policies."
)
@click.option("--iam-endpoint-url", metavar="URL", help="Where IAM and STS are, when not at AWS (an emulator).")
@click.option("--no-policy", is_flag=True, help="Diagnose only; write no policy.")
@click.option("--dry-run", is_flag=True, help="Print the calls that would be made; send nothing.")
@output_option("text", "json")
@color_option
def command(
    operations: tuple[str, ...],
    model: str | None,
    project: str | None,
    regions: tuple[str, ...],
    base_url: str | None,
    trust_hosts: tuple[str, ...],
    timeout: float,
    spend: bool,
    runtime: bool,
    api_key_file: str | None,
    api_key_stdin: bool,
    api_key_env: str | None,
    refused_key: str | None,
    profile: str | None,
    role_arn: str | None,
    read_policies: bool,
    iam_endpoint_url: str | None,
    no_policy: bool,
    dry_run: bool,
    output: str,
    color: str,
) -> int:
    """Find out why a Bedrock key or role is refused on Mantle, by live and safe calls.

    Says which credential would be used and what it reveals, calls the service, separates the causes that remain, and proposes
    the smallest policy that ends the refusal.
    """
    if refused_key is not None:
        raise InputError("a key was given on the command line", help=KEY_HELP)
    _check_exclusive(api_key_file, api_key_stdin, api_key_env, profile or role_arn)
    # Imported here, so that --help stays quick.
    from mantle_iam.workflow.probe import plan_probe, run_probe
    from mantle_iam.workflow.probe_setup import ProbeOptions

    options = ProbeOptions(
        operations=operations,
        model=model,
        project=project,
        regions=regions,
        base_url=base_url,
        trust_hosts=trust_hosts,
        timeout=timeout,
        spend=spend,
        runtime=runtime,
        key=_read_key(api_key_file, stdin=api_key_stdin),
        key_variable=api_key_env,
        profile=profile,
        role_arn=role_arn,
        read_policies=read_policies,
        iam_endpoint_url=iam_endpoint_url,
        policy=not no_policy,
    )
    if dry_run:
        _print_plan(plan_probe(options, os.environ), output)
        return 0
    show, wipe = progress_line()
    try:
        probed = run_probe(options, os.environ, datetime.now(UTC), progress=show, version=__version__)
    except MantleIamError as error:
        # A name that somebody typed may be a key in the wrong place.
        error.args = (redact(str(error)),)
        raise
    finally:
        wipe()
    from mantle_iam.cli.show import print_result

    print_result(probed.result, output, color)
    return probed.exit_code


def _is_key(text: str) -> bool:
    """Whether ``text`` has the form of a secret of some vendor."""
    kind = read_credential(text).kind
    return kind not in (CredentialKind.UNKNOWN, CredentialKind.PLACEHOLDER, CredentialKind.NONE)


def _check_exclusive(file: str | None, stdin: bool, variable: str | None, aws: str | None) -> None:
    given = [
        name
        for name, value in (
            ("--api-key-file", file),
            ("--api-key-stdin", stdin),
            ("--api-key-env", variable),
            ("--profile or --role-arn", aws),
        )
        if value
    ]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} name different credentials", help="give one of them")


def _read_key(file: str | None, *, stdin: bool) -> FoundKey | None:
    if not file and not stdin:
        return None
    from mantle_iam.probe.discover import explicit_key

    if stdin and sys.stdin.isatty():
        click.echo("type or paste the key, then press Ctrl-D:", err=True)
    text = read_text("-" if stdin else str(file), what="key", limit=MAX_KEY_BYTES)
    # The line break at the end of a file is the file's, not the key's.
    text = text.removesuffix("\n").removesuffix("\r")
    return explicit_key(text, "--api-key-stdin" if stdin else f"--api-key-file {file}")


def _print_plan(requests: tuple[ProbeRequest, ...], output: str) -> None:
    if output == "json":
        print_json(
            {
                "schema_version": "1",
                "requests": [
                    {
                        "probe": one.probe.value,
                        "operation": one.operation,
                        "method": one.method,
                        "url": one.url,
                        "auth": one.auth.value,
                        "model": one.model,
                        "project": one.project,
                        "cost": one.cost.value,
                        "body": one.body.decode() or None,
                    }
                    for one in requests
                ],
            }
        )
        return
    for one in requests:
        body = f"  {one.body.decode()}" if one.body else ""
        click.echo(f"{one.probe.value:<13} {one.auth.value:<7} {one.cost.value:<7} {one.method:<5} {one.url}{body}")
