"""The command ``mantle-iam``: finds the command's module and runs it; turns errors into one line and an exit code.

Importing this must stay cheap: no command's module is imported before it is called.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mantle_iam import __version__
from mantle_iam.errors import MantleIamError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module, one line for --help); the order is the order of the help
    "probe": ("probe", "Find out why a key or role is refused: live, safe calls to the endpoint."),
    "explain": ("explain", "Find out what a pasted error means: logs, tracebacks, curl -i, JSON. Offline."),
    "generate": ("generate", "Write the smallest IAM policy for a purpose, a list of actions or a report."),
    "managed": ("managed", "What AWS's managed policies give and do not give, and which one fits."),
    "attach": ("attach", "Attach a policy: plan, ask, apply, verify; and take it back."),
    "audit": ("audit", "Who can use Mantle, and whether that is as required."),
    "lint": ("lint", "What is wrong with policies before they are deployed."),
    "key": ("key", "Look into a Bedrock API key without a call."),
    "can-i": ("can_i", "Evaluate one action against policy files."),
    "evaluate": ("evaluate", "Evaluate authorization requests: JSON lines in, JSON lines out."),
    "compare": ("compare", "Does one policy allow anything that another does not: a proof or a request."),
    "emulator": ("emulator", "Run a local Mantle endpoint with IAM, on loopback."),
    "demo": ("demo", "The story of a refused long-term key, all on this machine."),
}

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, and not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mantle_iam.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0].lower(), COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings=_CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Find out why Amazon Bedrock's Mantle endpoint refuses a key or a role, and end the refusal.

    Exit codes: 0 allowed or done, 1 a refusal or a finding, 2 wrong usage, 3 could not find out.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (0, 1, 2 or 3; 130 when interrupted, 141 when nobody reads on)."""
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments), prog_name="mantle-iam", standalone_mode=False
        )
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code if error.exit_code != 1 else 2
    except MantleIamError as error:
        click.echo(f"error: {error}", err=True)
        if error.help:
            click.echo(f"  help: {error.help}", err=True)
        return error.exit_code
    except SystemExit:
        # So click ends when the reader of our output has gone (`| head`); the code is the one of a SIGPIPE, as shells count.
        return 141
    except OSError as error:
        if error.errno != errno.ENOSPC:
            from mantle_iam.report.layout import clean

            which = f" `{error.filename}`" if error.filename else ""
            click.echo(clean(f"error: {(error.strerror or str(error)).lower()}{which}"), err=True)
            return 3
        # What is still in the buffer would be tried again while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo("error: the output could not be written: no space left on device", err=True)
        return 3
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the console script."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by whoever started us; left open until the end.
            device = Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, device)
    for stream in (sys.stdout, sys.stderr):
        # A lone surrogate (in somebody's JSON) has no UTF-8, and a terminal may know less than that; the escape that is written
        # instead means the same in JSON.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())
