"""``mantle-iam generate``: the smallest policy for a purpose, a list of actions, a report, or what was used of a policy.

The document alone goes to standard output, notes to standard error.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from mantle_iam import bundled
from mantle_iam.cli.common import read_policy, read_text
from mantle_iam.cli.generate_options import all_options, below_options
from mantle_iam.cli.headings import HeadedCommand
from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.generate.render import render
from mantle_iam.report.layout import clean
from mantle_iam.workflow.asked import Scoped, Sources
from mantle_iam.workflow.generate import Generated, KindOptions, generate

Record = TypeVar("Record", Scoped, KindOptions)

_WITHOUT_NAMES = ("json", "json-min")
"""Formats that write the document and nothing around it."""


def _template(name: str) -> str:
    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


@click.command(cls=HeadedCommand, below=below_options)
@all_options
def command(**given: Any) -> int:
    """Write the smallest IAM policy for a purpose, a list of actions or a report.

    The policy is proven with the evaluation that AWS documents before it is printed: it allows everything that was asked for
    and nothing else, and nothing in it can be left out. Notes go to standard error.

    \b
    mantle-iam generate --for chat --model openai.gpt-oss-120b
    mantle-iam generate --for responses --auth sigv4 --format terraform
    mantle-iam probe --output json | mantle-iam generate --from -
    mantle-iam generate --deny long-term-keys --deny old-keys --max-key-age 90
    mantle-iam generate --for chat --trusted-by github --repository acme/app
    """
    made = generate(_sources(given), _record(Scoped, given), _kind_options(given))
    text = _rendered(made.artifact, given["format_name"], given["part"]) if made.artifact is not None else ""
    if given["explain"]:
        _tell(made.reasons, "")
    if not given["quiet"]:
        _tell((*made.notes, *_without_effect(given, made)), "note: ")
    _tell(made.withheld, "withheld: ")
    if made.artifact is None and made.withheld:
        click.echo("no policy is written: none would end the refusal", err=True)
    if given["output_file"] is not None and made.artifact is not None:
        _write(given["output_file"], text)
    else:
        click.echo(text, nl=False)
    return made.exit_code


def _sources(given: dict[str, Any]) -> Sources:
    if (given["narrow"] is None) != (given["used"] is None):
        # Before a file is read, or a terminal waited for.
        raise InputError("--narrow and --to belong together", help="--narrow has the policy, --to what was used of it")
    files = [name for name in ("report", "narrow", "used") if given[name] == "-"]
    if len(files) > 1:
        raise InputError("standard input can be read once only", help="give one of --from, --narrow and --to as a file")
    if files and sys.stdin.isatty():
        click.echo("reading JSON from the terminal; press Ctrl-D on a line of its own at its end:", err=True)
    return Sources(
        purposes=given["purposes"],
        actions=given["actions"],
        report=None if given["report"] is None else read_text(given["report"], what="report"),
        narrow=None if given["narrow"] is None else read_policy(given["narrow"]),
        used=None if given["used"] is None else read_text(given["used"], what="list of what was used"),
    )


def _record(kind: type[Record], given: dict[str, Any]) -> Record:
    """The record with every option of the same name."""
    names = [field.name for field in fields(kind) if field.name in given]
    return kind(**{name: given[name] for name in names if given[name] is not None})


def _kind_options(given: dict[str, Any]) -> KindOptions:
    options = _record(KindOptions, {**given, "kind": None, "trusted_by": None})
    return replace(
        options,
        kind=Kind(given["kind"]) if given["kind"] else None,
        trusted_by=TrustedBy(given["trusted_by"]) if given["trusted_by"] else None,
    )


def _rendered(artifact: Artifact, format_name: str, part: int | None) -> str:
    count = len(artifact.documents)
    if part is not None:
        if not 1 <= part <= count:
            raise InputError(
                f"there is no part {part}", help=f"the policy is {count} document{'s' if count > 1 else ''}"
            )
        artifact = replace(artifact, documents=(artifact.documents[part - 1],), name=artifact.part_name(part - 1))
    return render(artifact, format_name, _template)


def _without_effect(given: dict[str, Any], made: Generated) -> list[str]:
    """Options that only a format with names uses."""
    if given["format_name"] not in _WITHOUT_NAMES or made.artifact is None:
        return []
    notes = ["--name has no effect: a JSON document has no name"] if given["name"] is not None else []
    notes += [
        f"--attach-{word} has no effect in JSON; to attach the document: mantle-iam attach --policy FILE --{word} NAME"
        for word in ("role", "user", "group")
        if given[f"{word}s"]
    ]
    notes += [
        f"--{option} has no effect in JSON, which holds the document alone; see --format"
        for option, name in (("target", "targets"), ("endpoint-id", "endpoint"), ("instance-arn", "instance"))
        if given[name]
    ]
    if made.artifact.permissions:
        notes.append(
            "JSON holds the trust policy alone; --format terraform and others write the role's permissions too"
        )
    return notes


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}") from None


def _tell(lines: tuple[str, ...], prefix: str) -> None:
    for line in dict.fromkeys(lines):
        click.echo(f"{prefix}{clean(line)}", err=True)
