"""``mantle-iam compare``: does one policy allow anything that another does not?"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mantle_iam.cli.common import color_option, output_option, print_json, read_policy, use_color
from mantle_iam.errors import InputError
from mantle_iam.iam.compare import Comparison, Included, Inclusion, Relation, Witness
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import StatementRef
from mantle_iam.iam.request_json import reference_object

EXIT_CODES = {Inclusion.HOLDS: 0, Inclusion.FAILS: 1, Inclusion.UNKNOWN: 3}
_WORDS = {Inclusion.HOLDS: "no", Inclusion.FAILS: "yes", Inclusion.UNKNOWN: "unknown"}
_VERDICTS = {
    Relation.EQUAL: "both allow the same",
    Relation.NARROWER: "NEW allows less than OLD and nothing more",
    Relation.WIDER: "NEW allows all that OLD allows, and more",
    Relation.INCOMPARABLE: "NEW allows what OLD does not, and OLD what NEW does not",
}
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Side:
    """Documents that act together, and where each was read."""

    names: tuple[str, ...]
    documents: tuple[PolicyDocument, ...]
    files: bool
    """Whether every one is a file that can be named again."""


@click.command("compare")
@click.argument("old")
@click.argument("new")
@click.option(
    "--old", "more_old", multiple=True, metavar="FILE", help="A further document of the old side; repeatable."
)
@click.option(
    "--new", "more_new", multiple=True, metavar="FILE", help="A further document of the new side; repeatable."
)
@output_option("text", "json")
@color_option
def command(old: str, new: str, more_old: tuple[str, ...], more_new: tuple[str, ...], output: str, color: str) -> int:
    """Say whether the policy NEW allows anything that the policy OLD does not.

    OLD and NEW are files, - for standard input, or names of AWS managed policies that are shipped with this program
    (AmazonBedrockMantleFullAccess). What counts is which requests are allowed, not how it is written. Either it is
    proven that no request of any action, resource and context differs, or one that does is shown. Context keys count as
    independent of each other, but for those that every request has or that name the same account; policy variables and
    operators that are not known may make the answer unknown, as does a policy with principals beside one without.

    \b
    mantle-iam compare AmazonBedrockMantleInferenceAccess mine.json
    mantle-iam compare old.json new.json --new second.json --output json

    The relation (equal, narrower, wider, incomparable, unknown) is what NEW is to OLD. It is unknown as well where only
    one direction could be decided; the exit code answers what NEW allows more all the same.

    Exit codes: 0 NEW allows nothing more, 1 it does, 2 wrong usage, 3 unknown.
    """
    from mantle_iam.workflow.compare import compare_documents

    if [old, new, *more_old, *more_new].count("-") > 1:
        raise InputError("standard input can be read once only", help="give one of the two as a file")
    left, right = _side((old, *more_old)), _side((new, *more_new))
    found = compare_documents(left.documents, right.documents)
    notes = [*_problems(left), *_problems(right)]
    if output == "json":
        print_json(_json(found, left, right, notes))
    else:
        click.echo(_text(found, left, right, notes, color), nl=False, color=use_color(color))
    return EXIT_CODES[found.more.result]


def _side(names: tuple[str, ...]) -> _Side:
    from mantle_iam.workflow.compare import managed_document

    documents, files = [], True
    for name in names:
        if name == "-" or Path(name).exists():
            documents.append(read_policy(name))
            files = files and name != "-"
            continue
        document = managed_document(name)
        documents.append(_missing(name) if document is None else document)
        files = False
    return _Side(names, tuple(documents), files)


def _missing(name: str) -> PolicyDocument:
    """What reading it says of the file; a word that could be a policy's name gets the names there are."""
    from mantle_iam.workflow.compare import managed_names

    try:
        return read_policy(name)
    except InputError as error:
        if "/" in name and ":policy/" not in name:
            raise
        from difflib import get_close_matches

        near = get_close_matches(name[:100], managed_names(), n=3)
        hint = (
            f"AWS managed policies of a like name are {', '.join(near)}"
            if near
            else "see `mantle-iam managed` for names"
        )
        raise InputError(error.message, help=hint) from None


def _problems(side: _Side) -> list[str]:
    found = [
        f"{_place(name)}: {problem.pointer or '/'}: {problem.message}"
        for name, document in zip(side.names, side.documents, strict=True)
        for problem in document.problems
    ]
    return [*found[:_SHOWN], f"{len(found) - _SHOWN} more problems in the documents"] if len(found) > _SHOWN else found


def _place(name: str) -> str:
    return "standard input" if name == "-" else name


def _reason(found: Comparison) -> str:
    """Of the direction that decided."""
    if found.relation is Relation.UNKNOWN:
        undecided = found.more if found.more.result is Inclusion.UNKNOWN else found.less
        return undecided.reason
    if found.more.result is Inclusion.FAILS:
        return found.more.reason
    if found.relation is Relation.NARROWER:
        return "every request that NEW allows is allowed by OLD, and not the other way round"
    return "no request is allowed by the one and not by the other"


def _json(found: Comparison, old: _Side, new: _Side, notes: list[str]) -> dict[str, Any]:
    return {
        "schema_version": "1",
        "result": found.relation.value,
        "witness": _witness(found.more.witness),
        "reason": _reason(found),
        "allows_more": _WORDS[found.more.result],
        "allows_less": _WORDS[found.less.result],
        "no_longer_allowed": _witness(found.less.witness),
        "allowed_by": [_reference(ref, new) for ref in found.more.allowed_by],
        "denied_by": [_reference(ref, old) for ref in found.more.denied_by],
        "notes": notes,
    }


def _reference(ref: StatementRef, side: _Side) -> dict[str, Any]:
    return {**reference_object(ref), "file": side.names[ref.document]}


def _witness(found: Witness | None) -> dict[str, Any] | None:
    if found is None:
        return None
    context: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in found.context.items()
    }
    context.update(dict.fromkeys(found.absent))
    written: dict[str, Any] = {"action": found.action, "resource": found.resource, "context": context}
    if found.principal:
        written["principal"] = found.principal
    if found.issuer:
        written["issuer"] = found.issuer
    return written


def _text(found: Comparison, old: _Side, new: _Side, notes: list[str], color: str) -> str:
    from mantle_iam.cli.show import text_width
    from mantle_iam.report.ansi import Ansi, Style
    from mantle_iam.report.layout import paragraph

    ansi, width = Ansi(use_color(color)), text_width()
    tone = {0: Style.GREEN, 1: Style.RED, 3: Style.YELLOW}[EXIT_CODES[found.more.result]]
    verdict = _VERDICTS.get(found.relation) or _half(found)
    lines = [f"{ansi.paint(found.relation.value, Style.BOLD, tone)}: {verdict}"]
    for title, direction, allowing, refusing in (
        ("NEW allows and OLD does not", found.more, new, old),
        ("OLD allows and NEW does not", found.less, old, new),
    ):
        if direction.result is Inclusion.FAILS:
            lines += ["", ansi.paint(title, Style.BOLD), *_request(direction, allowing, refusing, width, ansi)]
        elif direction.result is Inclusion.UNKNOWN:
            lines += [
                "",
                *paragraph(
                    f"Whether {title.replace(' and ', ' what ')} is not known: {direction.reason}.", width=width
                ),
            ]
    if notes:
        lines += ["", *(line for note in notes for line in paragraph(f"note: {note}", width=width))]
    return "\n".join(lines) + "\n"


def _half(found: Comparison) -> str:
    if found.more.result is Inclusion.FAILS:
        return "NEW allows what OLD does not; whether OLD allows what NEW does not could not be decided"
    if found.more.result is Inclusion.HOLDS:
        return "NEW allows nothing that OLD does not; whether it allows less could not be decided"
    return "whether NEW allows more than OLD could not be decided"


def _request(found: Included, allowing: _Side, refusing: _Side, width: int, ansi: Any) -> list[str]:
    from mantle_iam.report.layout import facts

    witness = found.witness
    assert witness is not None  # noqa: S101 - a direction that fails has one
    rows = [("action", witness.action), ("resource", witness.resource)]
    context = [*(f"{key} = {_shown(value)}" for key, value in witness.context.items())]
    context += [f"{key} is absent" for key in witness.absent]
    rows += [("context" if not index else "", line) for index, line in enumerate(context)]
    if witness.principal:
        rows.append(("principal", witness.principal))
    rows += _named("allowed by", found.allowed_by, allowing)
    rows += _named("denied by", found.denied_by, refusing) or [("but not by", f"any statement of {_all(refusing)}")]
    lines = facts(rows, width=width, ansi=ansi)
    if not witness.principal and not witness.absent and allowing.files:
        lines += ["", f"  {_can_i(witness, allowing.names)}"]
    return list(lines)


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else json.dumps(list(value), ensure_ascii=False)


def _named(title: str, refs: Iterable[StatementRef], side: _Side) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for ref in refs:
        sid = f", Sid {ref.sid}" if ref.sid else ""
        rows.append((title if not rows else "", f"{_place(side.names[ref.document])}, statement {ref.statement}{sid}"))
    return rows


def _all(side: _Side) -> str:
    return ", ".join(map(_place, side.names))


def _can_i(witness: Witness, files: tuple[str, ...]) -> str:
    """The command that asks for the same request."""
    words = ["mantle-iam", "can-i", witness.action, "--resource", witness.resource]
    for key, value in witness.context.items():
        pairs = [f"{key}={value}"] if isinstance(value, str) else [f"{key}[]={one}" for one in value]
        words += [word for pair in pairs for word in ("--context", pair)]
    words += [word for name in files for word in ("--policy", name)]
    return shlex.join(words)
