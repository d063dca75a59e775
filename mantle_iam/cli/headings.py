"""Options under headings in ``--help``, for a command that has many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class HeadedOption(click.Option):
    """An option that names the heading under which the help shows it."""

    def __init__(self, *args: Any, heading: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class HeadedCommand(click.Command):
    """A command whose help has one list of options for each heading, in the order in which the headings first occur.

    ``below`` makes the text below them when the help is shown, so that what it lists is not imported to run the command.
    """

    def __init__(self, *args: Any, below: Callable[[], str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.below = below

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.below is not None:
            self.epilog = self.below()
        super().format_epilog(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            # Arguments are told by the usage and the text.
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                found.setdefault(getattr(parameter, "heading", "Other options"), []).append(record)
        for heading, records in found.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=26)


def options(heading: str, added: Iterable[tuple[tuple[str, ...], dict[str, Any]]]) -> Callable[[F], F]:
    """Options under ``heading``: each the declarations and the keywords of ``click.option``, in the order of the help."""

    def decorate(function: F) -> F:
        for declarations, keywords in reversed(tuple(added)):
            function = click.option(*declarations, cls=HeadedOption, heading=heading, **keywords)(function)
        return function

    return decorate
