"""What commands share: reading input with a bound, options, colour."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mantle_iam.errors import InputError, PolicyError

if TYPE_CHECKING:
    from mantle_iam.iam.policy import PolicyDocument

MAX_INPUT_BYTES = 16 * 1024 * 1024
"""More than this is no pasted error and no policy; it is refused rather than read."""

F = TypeVar("F", bound=Callable[..., Any])


def read_text(path: str, *, what: str = "input", limit: int = MAX_INPUT_BYTES) -> str:
    """The text of the file ``path``, or of standard input for ``-``.

    A byte order mark is dropped; UTF-16 with one is read; bytes that are not UTF-8 become U+FFFD, since a log may hold any.

    Raises:
        InputError: it cannot be read, is larger than ``limit`` bytes.
    """
    name = "standard input" if path == "-" else path
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot read {what} `{name}`: {(error.strerror or str(error)).lower()}") from None
    if len(data) > limit:
        bound = f"{limit // 1024 // 1024} MiB" if limit >= 1024 * 1024 else f"{limit // 1024} KiB"
        raise InputError(f"{what} `{name}` is larger than {bound}", help="give only the part that matters")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")


def read_policy(path: str) -> PolicyDocument:
    """The policy document in ``path`` (or standard input), also when it stands in what an AWS command prints around it.

    Raises:
        InputError: it cannot be read, or is no policy; the message names the file.
    """
    from mantle_iam.iam.grammar import parse_printed_policy

    text = read_text(path, what="policy")
    name = "standard input" if path == "-" else path
    if not text.strip():
        raise InputError(f"{name}: the policy is empty")
    try:
        return parse_printed_policy(text)
    except PolicyError as error:
        raise InputError(f"{name}: {error.message}", help=error.help) from None


def output_option(*formats: str) -> Callable[[F], F]:
    """``--output``, the first of ``formats`` being the default."""
    return click.option(
        "--output",
        "-o",
        "output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Format of the result.",
    )


def color_option(function: F) -> F:
    """``--color`` and ``--no-color``."""
    function = click.option("--no-color", "color", flag_value="never", help="The same as --color never.")(function)
    return click.option(
        "--color",
        "color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Use colours.",
    )(function)


def use_color(choice: str) -> bool:
    """Whether to write colours to standard output: the option, then NO_COLOR, FORCE_COLOR, the terminal (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def progress_line() -> tuple[Callable[[str], None], Callable[[], None]]:
    """One line on standard error that is written over, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return (lambda _: None), (lambda: None)

    def show(text: str) -> None:
        click.echo(f"\r\x1b[2K{text[:70]} ...", err=True, nl=False)

    def wipe() -> None:
        click.echo("\r\x1b[2K", err=True, nl=False)

    return show, wipe


def print_json(document: Any) -> None:
    """One JSON document to standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
