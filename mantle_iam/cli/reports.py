"""``--report FORMAT=FILE``: further formats of the same run, so that text is on the screen and SARIF in a file.

Also what formats need to know of the machine: where the templates are, and where the checkout is.
"""

from __future__ import annotations

import os
import shutil
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click

from mantle_iam.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
_CHECKOUTS: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where GitHub Actions and GitLab CI say that the checkout is."""


@dataclass(frozen=True, slots=True)
class Report:
    """A format and the file that it goes into."""

    format: str
    path: str

    @contextmanager
    def open(self) -> Iterator[IO[str]]:
        """A file to write into, which takes the place of the one that was there when all of it is written.

        Raises:
            InputError: it cannot be written.
        """
        # Not the link but what it leads to is replaced; a pipe or a device is written to.
        target = Path(os.path.realpath(self.path))
        with _writing(self.path):
            device = target.exists() and not target.is_file()
            part = target if device else target.with_name(f".{target.name}.part")
            file = part.open("w", encoding="utf-8", newline="")
        try:
            with file:
                yield file
            if not device:
                with _writing(self.path):
                    self._finish(part, target)
        finally:
            if not device:
                part.unlink(missing_ok=True)

    def _finish(self, part: Path, target: Path) -> None:
        # Spreadsheets take a file without a mark for one of their own encoding, and other readers need none.
        if self.format == "csv" and not _is_ascii(part):
            marked = part.with_suffix(".marked")
            with part.open("rb") as plain, marked.open("wb") as file:
                file.write(BOM_UTF8)
                shutil.copyfileobj(plain, file)
            marked.replace(part)
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)


def _is_ascii(path: Path) -> bool:
    with path.open("rb") as file:
        return all(chunk.isascii() for chunk in iter(lambda: file.read(1 << 20), b""))


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot write the report `{path}`: {reason}") from None


def report_option(formats: Sequence[str]) -> Callable[[F], F]:
    """``--report``, repeatable; the parameter ``reports`` is a tuple of ``Report``."""

    def parsed(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[Report, ...]:
        del context, parameter
        reports = tuple(map(_report, given))
        paths = [os.path.realpath(one.path) for one in reports]
        if len(set(paths)) < len(paths):
            raise InputError("--report: two formats cannot go into one file")
        return reports

    def _report(text: str) -> Report:
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise InputError(f"--report: `{text[:200]}` is not FORMAT=FILE")
        if name not in formats:
            raise InputError(f"--report: `{name[:100]}` is no format", help=f"one of {', '.join(formats)}")
        return Report(name, path)

    return click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FORMAT=FILE",
        callback=parsed,
        help="Write this format into FILE as well; repeatable.",
    )


def spare(inputs: Iterable[str], reports: Iterable[Report]) -> None:
    """No report is written over what is read.

    Raises:
        InputError: one would be.
    """
    read = {os.path.realpath(path) for path in inputs if path}
    for report in reports:
        if os.path.realpath(report.path) in read:
            raise InputError(f"the report `{report.path}` would overwrite an input")


def template(name: str) -> str:
    """The text of a template by its name under ``templates/``."""
    from mantle_iam import bundled

    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


def checkout() -> tuple[str, str]:
    """The checkout's folder and the working directory, as ``Results`` has them.

    The first that a service names and the working directory is in, else the working directory.
    """
    folder = Path(os.path.realpath(os.curdir))
    named = (Path(os.path.realpath(path)) for path in map(os.environ.get, _CHECKOUTS) if path)
    root = next((one for one in named if folder.is_relative_to(one)), folder)
    return root.as_posix(), folder.as_posix()
