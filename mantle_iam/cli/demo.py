"""``mantle-iam demo``: prints the story of a refused key, step by step as it happens."""

from __future__ import annotations

import os
import textwrap
import time
from typing import TYPE_CHECKING, Any

import click

from mantle_iam.cli.common import color_option, output_option, print_json, use_color

if TYPE_CHECKING:
    from mantle_iam.workflow.demo import Step

WIDTH = 78

INTRODUCTION = """\
An AWS account is made up on this machine: IAM with AWS's managed policies, and an endpoint like
bedrock-mantle.us-west-2.api.aws. Nothing leaves the machine, no model runs, no AWS account is needed. What follows really
happens; the curl lines are sent by this program as curl would send them, and their answers are shortened."""


@click.command()
@output_option("text", "json")
@color_option
def command(output: str, color: str) -> int:
    """The story of a refused long-term key, all on this machine: no AWS account, no network.

    A short-term key lists models, a long-term key gets a bare 404; probe finds out why, the policy is generated and attached,
    and the same key works. Then the same for a role.

    Exit codes: 0 when every step came out as told, 1 when one did not.
    """
    from mantle_iam.workflow.demo import play

    colored = use_color(color)
    started = time.monotonic()
    steps: list[Step] = []
    for step in play(os.environ):
        if output == "text" and not steps:
            # Not before: where the extra is missing, there is nothing to introduce.
            click.echo(textwrap.fill(INTRODUCTION, WIDTH))
        steps.append(step)
        if output == "text":
            _print(len(steps), step, colored)
    failed = [step for step in steps if not step.as_told]
    if output == "json":
        print_json({"schema_version": "1", "as_told": not failed, "steps": [_document(step) for step in steps]})
    else:
        click.echo(
            f"\n{len(steps) - len(failed)} of {len(steps)} steps came out as told, in {time.monotonic() - started:.0f} s."
        )
        if not failed:
            click.echo("Your own key or role: mantle-iam probe")
    return 1 if failed else 0


def _print(number: int, step: Step, colored: bool) -> None:
    def style(text: str, **how: Any) -> str:
        return click.style(text, **how) if colored else text

    click.echo("\n" + style(f"{number}. {step.title}", bold=True))
    click.echo(textwrap.fill(step.story, WIDTH) + "\n")
    click.echo(style(f"$ {step.command}", fg="cyan"))
    for line in step.output.splitlines():
        click.echo(f"  {line}".rstrip())
    if step.exit_code:
        click.echo(style(f"  (exit code {step.exit_code})", dim=True))
    if not step.as_told:
        click.echo(style(f"  NOT AS TOLD: {step.expected} was expected", fg="red", bold=True))


def _document(step: Step) -> dict[str, Any]:
    return {
        "title": step.title,
        "story": step.story,
        "command": step.command,
        "exit_code": step.exit_code,
        "output": step.output,
        "expected": step.expected,
        "as_told": step.as_told,
    }
