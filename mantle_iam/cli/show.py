"""Showing a result on standard output, for the commands that end in one."""

from __future__ import annotations

import os
import sys

import click

from mantle_iam import __version__
from mantle_iam.cli.common import print_json, use_color
from mantle_iam.report.ansi import Ansi
from mantle_iam.report.result import Result


def print_result(result: Result, output: str, color: str) -> None:
    """``result`` to standard output, as text for this terminal or as the JSON document."""
    if output == "json":
        from mantle_iam.report.document import document

        print_json(document(result, version=__version__))
        return
    from mantle_iam.report.text import render

    print_text(render(result, width=text_width(), ansi=Ansi(use_color(color))), color)


def print_text(text: str, color: str) -> None:
    """Laid-out text; ``color`` is the option's value, which counts more than what click thinks of the terminal."""
    click.echo(text, nl=False, color=use_color(color))


def text_width() -> int:
    """Columns for text: ``COLUMNS``, else those of the terminal, else 80; at most 100, at least 40.

    Like ``shutil.get_terminal_size``, whose import costs more than the rest of this module.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns[:6]) > 0:
        width = int(columns[:6])
    else:
        try:
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 80
        except (OSError, ValueError):
            width = 80
    return max(40, min(width or 80, 100))
