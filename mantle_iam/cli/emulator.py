"""``mantle-iam emulator``: starts a local endpoint with IAM, says how to reach it, and serves until it is interrupted."""

from __future__ import annotations

import shlex
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from mantle_iam.cli.common import output_option, print_json, read_text

if TYPE_CHECKING:
    from mantle_iam.iam.policy import PolicyDocument
    from mantle_iam.workflow.emulator import Ready, Running

_EPILOG = """\b
Examples:
  mantle-iam emulator
  mantle-iam emulator --denial-style bare-404 --policy policy.json
  mantle-iam emulator --scp root.json --scp ou.json --latency 100

The IAM and STS API of the emulator asks for no rights: it stands for the account's administrator.
Only programs on this machine can reach either port.
"""


@click.command(epilog=_EPILOG)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the endpoint.  [default: a free one]")
@click.option(
    "--iam-port", type=click.IntRange(0, 65535), default=0, help="Port of IAM and STS.  [default: a free one]"
)
@click.option("--region", default="us-east-1", show_default=True, help="Region that it stands for.")
@click.option("--account", default="111122223333", show_default=True, help="Account id, twelve digits.")
@click.option(
    "--denial-style",
    type=click.Choice(["401", "403", "bare-404"]),
    default="403",
    show_default=True,
    help="How a refusal by policy is dressed; all three were met in the wild.",
)
@click.option(
    "--wrong-path-style",
    type=click.Choice(["400", "401"]),
    default="400",
    show_default=True,
    help="How a model on the wrong base path is answered: as today, or `Berm is not enabled` as in mid-2026.",
)
@click.option("--latency", type=click.IntRange(0, 60_000), default=0, help="Milliseconds that every answer waits.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="Policy of the ready user (repeatable), in place of AmazonBedrockLimitedAccess.",
)
@click.option("--scp", multiple=True, metavar="FILE", help="Service control policy, one level each, the root's first.")
@click.option(
    "--vpc-endpoint-policy", "vpc_endpoint", metavar="FILE", help="Policy of the endpoint that calls come through."
)
@output_option("text", "json")
def command(
    port: int,
    iam_port: int,
    region: str,
    account: str,
    denial_style: str,
    wrong_path_style: str,
    latency: int,
    policies: tuple[str, ...],
    scp: tuple[str, ...],
    vpc_endpoint: str | None,
    output: str,
) -> None:
    """Run a local Mantle endpoint with IAM, on loopback, until interrupted (Ctrl-C).

    Keys, signatures and policies are checked as AWS documents them; no model runs.  It starts with one IAM user who has a
    long-term key and an access key, and prints the lines that point applications to it.
    """
    from mantle_iam.workflow import emulator as workflow

    documents = [_policy(path) for path in policies]
    layers = workflow.Layers(
        scp=tuple((_policy(path)[1],) for path in scp) or None,
        vpc_endpoint=(_policy(vpc_endpoint)[1],) if vpc_endpoint else None,
    )
    stop = threading.Event()
    with workflow.running(
        workflow.settings(region, denial_style, wrong_path_style),
        account=account,
        port=port,
        iam_port=iam_port,
        latency=latency / 1000,
        layers=layers,
    ) as emulator:
        ready = workflow.make_ready(emulator, tuple(text for text, _ in documents))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        _show(emulator, ready, output)
        stop.wait()
    click.echo("stopped", err=True)


def _policy(path: str) -> tuple[str, PolicyDocument]:
    """The text and the record of a policy file.  Raises ``InputError``."""
    from mantle_iam.iam.grammar import parse_policy

    text = read_text(path, what="policy")
    return text, parse_policy(text)


def _show(emulator: Running, ready: Ready, output: str) -> None:
    variables = {**emulator.environment, **ready.environment}
    if output == "json":
        document: dict[str, Any] = {
            "schema_version": "1",
            "url": emulator.url,
            "iam_url": emulator.iam_url,
            "account": emulator.account,
            "user": ready.user,
            "environment": variables,
        }
        print_json(document)
        return
    click.echo(f"# Mantle endpoint  {emulator.url}   IAM and STS  {emulator.iam_url}")
    click.echo(f"# user {ready.user}, with {ready.policies}")
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f'# try: curl -H "Authorization: Bearer $AWS_BEARER_TOKEN_BEDROCK" {emulator.url}/v1/models')
    click.echo("# serving until Ctrl-C")
