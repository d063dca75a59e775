"""An audit as text for people and as the JSON report, written as the rows come: no more is held than is shown.

Knows the records of the matrix and of requirements as JSON objects; no workflow and no file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.audit.results import ANSWERS, SCHEMA_VERSION, Answer, Shape, principal_json
from mantle_iam.iam.inventory import Input, InputStatus
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import clean, one_line, paragraph, table

MOST_ROWS: Final = 200
"""Principals that are shown one by one; more are summarised."""
_MOST_PATTERNS: Final = 12
_MOST_TOLD: Final = 5
_NAME: Final = 34
_COLUMN: Final = 3
_STYLES: Final = {Answer.YES: Style.GREEN, Answer.NO: Style.DIM, Answer.DEPENDS: Style.YELLOW}
_TONES: Final = {"passed": Style.GREEN, "failed": Style.RED, "unknown": Style.YELLOW, "unmatched": Style.YELLOW}


@dataclass(slots=True)
class Tally:
    """What the text needs of all principals; bounded however many there are."""

    columns: tuple[str, ...]
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    """Account, ARN and answers of the first ones."""
    principals: int = 0
    patterns: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    asked_of: str = ""
    """The project, models and region of all columns, where these are the same; words."""
    depends: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, arn: str, account: str, shape: Shape) -> None:
        """Count one principal."""
        self.principals += 1
        if len(self.rows) <= MOST_ROWS:
            self.rows.append((account, arn, shape.answers))
        self.patterns[shape.answers] += 1
        self.examples.setdefault(shape.answers, arn)
        if "?" in shape.answers:
            names = self._asked.get(shape.body)
            if names is None:
                cells = json.loads(f"{{{shape.body}}}")["capabilities"]
                names = tuple(dict.fromkeys(name for cell in cells for name in cell["depends_on"]))
                if len(self._asked) >= 1024:
                    self._asked.clear()
                self._asked[shape.body] = names
            self.depends.update(names)


def render(
    tally: Tally,
    requirements: Sequence[Mapping[str, Any]],
    inputs: Iterable[Input],
    notes: Iterable[str],
    *,
    accounts: int,
    width: int = 80,
    ansi: Ansi = PLAIN,
) -> str:
    """The whole text."""
    who = f"{_count(tally.principals, 'principal')} of {_count(accounts, 'account')}"
    lines = [ansi.paint(f"Who can use Mantle: {who}", Style.BOLD)]
    lines += [*(paragraph(tally.asked_of, width, 0, 2) if tally.asked_of and tally.principals else ()), ""]
    if tally.principals:
        lines += list(_totals(tally, width, ansi))
        lines += list(_grid(tally, width, ansi) if tally.principals <= MOST_ROWS else _patterns(tally, width, ansi))
    if tally.depends:
        lines += ["", ansi.paint("It depends on", Style.BOLD)]
        for name, count in tally.depends.most_common(_MOST_PATTERNS):
            lines += paragraph(f"{name}: {_count(count, 'principal')}", width, 2, 2)
    if requirements:
        lines += ["", ansi.paint("Requirements", Style.BOLD)]
        for one in requirements:
            lines += list(_requirement(one, width, ansi))
    bad = [given for given in inputs if given.status is not InputStatus.READ]
    if bad:
        lines += ["", ansi.paint("Not or not wholly read", Style.BOLD)]
        for given in bad:
            problems = "; ".join(given.problems) or "no reason given"
            lines += paragraph(f"{given.path}: {given.status.value}: {problems}", width, 2, 2)
    said = list(dict.fromkeys(notes))
    if said:
        lines += ["", ansi.paint("Notes", Style.BOLD)]
        for text in said[:MOST_ROWS]:
            lines += paragraph(f"- {text}", width, 2, 2)
    return "\n".join(lines) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _totals(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    counts = [Counter[str]() for _ in tally.columns]
    for answers, many in tally.patterns.items():
        for index, letter in enumerate(answers):
            counts[index][letter] += many
    rows = [
        (str(index + 1), name, *(f"{counts[index][letter]:,}" for letter in ANSWERS))
        for index, name in enumerate(tally.columns)
    ]
    yield from table(("", "capability", *(answer.value for answer in ANSWERS.values())), rows, width=width, ansi=ansi)


def _letters(answers: str, start: int, stop: int, ansi: Ansi) -> str:
    painted = (ansi.paint(letter.rjust(_COLUMN), _STYLES[ANSWERS[letter]]) for letter in answers[start:stop])
    return "".join(painted)


def _blocks(columns: int, width: int) -> Iterator[tuple[int, int]]:
    """Which columns stand side by side."""
    room = max((width - _NAME) // _COLUMN, 1)
    yield from ((start, min(start + room, columns)) for start in range(0, columns, room))


def _named(text: str, width: int) -> str:
    shown = one_line(text)
    if len(shown) > width:
        shown = f"{shown[: width // 2 - 1]}…{shown[len(shown) - (width - width // 2) :]}"
    return shown


def _grid(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    for start, stop in _blocks(len(tally.columns), width):
        account = None
        for owner, arn, answers in tally.rows:
            if owner != account:
                account = owner
                numbers = "".join(str(index + 1).rjust(_COLUMN) for index in range(start, stop))
                yield ""
                yield ansi.paint(f"account {clean(owner)}".ljust(_NAME), Style.BOLD) + ansi.paint(numbers, Style.DIM)
            name = _named(arn.split(":", 5)[-1], _NAME - 3)
            yield f"  {name}".ljust(_NAME) + _letters(answers, start, stop, ansi)
    yield ""
    yield ansi.paint("y yes   n no   ? depends on something that is not known", Style.DIM)


def _patterns(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    """Principals by what they may do, most first."""
    yield ""
    yield ansi.paint("Principals with the same answers (--output json lists each of them)", Style.BOLD)
    shown = tally.patterns.most_common(_MOST_PATTERNS)
    for answers, many in shown:
        can = [name for name, letter in zip(tally.columns, answers, strict=True) if letter == "y"]
        may = [name for name, letter in zip(tally.columns, answers, strict=True) if letter == "?"]
        told = "everything" if len(can) == len(answers) else ", ".join(can) or "nothing"
        if may:
            told += f"; perhaps {', '.join(may)}"
        yield from paragraph(f"{many:,}: {told} (such as {tally.examples[answers]})", width, 2, 2)
    rest = len(tally.patterns) - len(shown)
    if rest:
        yield from paragraph(f"{rest} more kinds of principals", width, 2, 2)


def _requirement(one: Mapping[str, Any], width: int, ansi: Ansi) -> Iterator[str]:
    word = one["result"]
    yield f"  {ansi.paint(word.ljust(9), _TONES[word])} {one_line(one['name'])} (must {one['must']})"
    if one["unmatched"]:
        yield from paragraph(f"no principal matches {', '.join(one['unmatched'])}", width, 12, 2)
    told = one["shortfalls"][:_MOST_TOLD]
    for short in told:
        yield from paragraph(f"{short['principal']}: {short['reason']}", width, 12, 2)
        yield from _fix(short["fix"], width)
    more = one["failed"] + one["undecided"] - len({short["principal"] for short in told})
    if more > 0:
        yield from paragraph(f"and {_count(more, 'more principal')}; --output json lists them", width, 12, 2)


def _fix(fix: Mapping[str, Any] | None, width: int) -> Iterator[str]:
    if fix is None:
        return
    if "policy" in fix:
        yield from paragraph("attach this policy:", width, 14, 2)
        text = json.dumps(fix["policy"], indent=2, ensure_ascii=False)
        yield from (f"{' ' * 16}{clean(line)}" for line in text.splitlines())
        return
    if fix["remove"]:
        yield from paragraph(f"remove or narrow {', '.join(fix['remove'])}", width, 14, 2)
    if fix["command"]:
        yield from paragraph(f"or deny it: {fix['command']}", width, 14, 2)


def json_head() -> str:
    """How the JSON report begins."""
    return f'{{\n"schema_version": {json.dumps(SCHEMA_VERSION)},\n"principals": ['


def json_row(arn: str, account: str, shape: Shape, first: bool) -> str:
    """One principal of the JSON report, on a line of its own."""
    return ("\n" if first else ",\n") + principal_json(arn, account, shape)


def json_tail(
    requirements: Sequence[Mapping[str, Any]],
    inputs: Iterable[Input],
    accounts: Mapping[str, Any],
    notes: Iterable[str],
    findings: Sequence[Mapping[str, Any]] = (),
) -> str:
    """How it ends: requirements, findings (as ``lint`` gives them), inputs, accounts, notes."""
    parts = {
        "requirements": list(requirements),
        "findings": list(findings),
        "inputs": [input_object(one) for one in inputs],
        "accounts": dict(accounts),
        "notes": list(dict.fromkeys(notes)),
    }
    members = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in parts.items()
    )
    return f"\n],\n{members}\n}}"


def input_object(one: Input) -> dict[str, Any]:
    """What became of one input."""
    return {"path": one.path, "status": one.status.value, "kind": one.kind, "problems": list(one.problems)}
