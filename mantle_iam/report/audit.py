"""An audit as text for people and as the JSON report, written as the rows come: no more is held than is shown.

Knows the records of the matrix and of requirements as JSON objects; no workflow and no file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.audit.capabilities import DEFAULT_REGIONS
from mantle_iam.audit.requirements import Must
from mantle_iam.audit.results import ANSWERS, ELSEWHERE, SCHEMA_VERSION, Answer, Shape, principal_json
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.iam.inventory import UNRESOLVED_KEY, Input, InputStatus
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle import overlay
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.findings.results import worth_knowing
from mantle_iam.report.layout import clean, one_line, paragraph, table

MOST_ROWS: Final = 200
"""Principals that are shown one by one; more are summarised."""
_MOST_PATTERNS: Final = 12
_MOST_TOLD: Final = 5
_MOST_HELD: Final = 10_000
_NAME: Final = 34
"""Columns that a principal's name has at least."""
_COLUMN: Final = 3
_MOST_IDLE: Final = 8
"""Principals of one account that can do nothing and are shown all the same."""
_LEGEND: Final = "y yes   n no   ? depends on something that is not known"
_LEGEND_ELSEWHERE: Final = "n* no, but policies name other places (below)"
_NOT_ASKED: Final = "by the policies alone: not who may assume a role, nor whether a user has a key"
_HINTS: Final = {
    overlay.MODEL_KEY: "name the model with --model",
    PolicyType.VPC_ENDPOINT.value: "the policy of an endpoint refuses it; who does not go through that is allowed",
    UNRESOLVED_KEY: "what the input leaves open: a plan or --parameter says more",
}
_LAYERS: Final = frozenset(kind.value for kind in PolicyType)
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
    partitions: set[str] = field(default_factory=set)
    depends: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Other places that policies name, by principals."""
    _asked: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def add(self, arn: str, account: str, shape: Shape) -> None:
        """Count one principal."""
        self.principals += 1
        if len(self.rows) <= MOST_ROWS:
            self.rows.append((account, arn, shape.answers))
        self.patterns[shape.answers] += 1
        self.examples.setdefault(shape.answers, arn)
        self.partitions.add(arn.split(":", 2)[1])
        if "?" in shape.answers or ELSEWHERE in shape.answers:
            names = self._asked.get(shape.body)
            if names is None:
                cells = json.loads(f"{{{shape.body}}}")["capabilities"]
                names = (
                    tuple(dict.fromkeys(name for cell in cells for name in cell["depends_on"])),
                    tuple(dict.fromkeys(place for cell in cells for place in cell.get("elsewhere", ()))),
                )
                if len(self._asked) >= 1024:
                    self._asked.clear()
                self._asked[shape.body] = names
            self.depends.update(names[0])
            # Places can be as many as principals; those that are common are found all the same.
            if len(self.elsewhere) < _MOST_HELD:
                self.elsewhere.update(names[1])
            else:
                self.elsewhere.update(place for place in names[1] if place in self.elsewhere)


def render(
    tally: Tally,
    requirements: Sequence[Mapping[str, Any]],
    inputs: Sequence[Input],
    notes: Iterable[str],
    *,
    accounts: int,
    asked_of: str = "",
    width: int = 80,
    ansi: Ansi = PLAIN,
) -> str:
    """The whole text.  ``asked_of``: which project and region stand for all, in words."""
    who = f"{_count(tally.principals, 'principal')} of {_count(accounts, 'account')}"
    lines = [ansi.paint(f"Who can use Mantle: {who}" if accounts else "Nothing was audited", Style.BOLD)]
    if tally.principals:
        lines += [line for text in (asked_of, _NOT_ASKED) if text for line in paragraph(text, width, 0, 2)]
        lines.append("")
        lines += list(_totals(tally, width, ansi))
        lines += list(_grid(tally, width, ansi) if tally.principals <= MOST_ROWS else _patterns(tally, width, ansi))
    lines += [*_other_places(tally, width, ansi), *_depends(tally, width, ansi)]
    if requirements:
        lines += ["", ansi.paint("Requirements", Style.BOLD)]
        for one in requirements:
            lines += list(_requirement(one, width, ansi))
    lines += _unread(inputs, width, ansi)
    said = list(dict.fromkeys(notes))
    of_inputs = worth_knowing(inputs)
    if said or of_inputs:
        lines += ["", ansi.paint("Notes", Style.BOLD)]
        for text in (*said[:MOST_ROWS], *(": ".join(filter(None, one)) for one in of_inputs)):
            lines += paragraph(f"- {text}", width, 2, 2)
    return "\n".join(lines) + "\n"


def _unread(inputs: Iterable[Input], width: int, ansi: Ansi) -> Iterator[str]:
    bad = [given for given in inputs if given.status is not InputStatus.READ]
    if bad:
        yield from ("", ansi.paint("Not or not wholly read", Style.BOLD))
    for given in bad[:MOST_ROWS]:
        rest = len(given.problems) - _MOST_TOLD
        more = [f"and {rest} more (--output json lists them)"] if rest > 0 else []
        problems = "; ".join([*given.problems[:_MOST_TOLD], *more]) or "no reason given"
        path = "standard input" if given.path == "-" else given.path
        yield from paragraph(f"{path}: {given.status.value}: {problems}", width, 2, 2)
    if len(bad) > MOST_ROWS:
        yield from paragraph(
            f"and {_count(len(bad) - MOST_ROWS, 'more input')} (--output json lists them)", width, 2, 2
        )


def _other_places(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    if not tally.elsewhere:
        return
    yield from ("", ansi.paint("Policies name other places, where it may be allowed", Style.BOLD))
    for place, count in tally.elsewhere.most_common(_MOST_PATTERNS):
        yield from paragraph(f"{place}: {_count(count, 'principal')}{_asking(place)}", width, 2, 2)
    rest = len(tally.elsewhere) - _MOST_PATTERNS
    if rest > 0:
        yield from paragraph(f"and {_count(rest, 'more place')} (--output json lists them)", width, 2, 2)


def _depends(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    if not tally.depends:
        return
    yield from ("", ansi.paint("It depends on", Style.BOLD))
    for name, count in tally.depends.most_common(_MOST_PATTERNS):
        yield from paragraph(f"{name}: {_count(count, 'principal')} ({_hint(name)})", width, 2, 2)


def _hint(name: str) -> str:
    """What settles it."""
    if name in _HINTS:
        return _HINTS[name]
    folded = name.lower()
    if name in _LAYERS:
        return "these policies could not be read"
    if folded.startswith("aws:resourcetag/"):
        return "a tag of the project that is called"
    if folded.startswith("aws:principaltag/"):
        return "a tag that a session may be given"
    return f"--context {name}=… says what calls have"


def _asking(place: str) -> str:
    """The options that ask about a place, as far as it is one and not a pattern."""
    key, colon, models = place.partition(": ")
    if colon and key == overlay.MODEL_KEY:
        options = [f"--model {model}" for model in models.split(", ")]
    else:
        fields = place.split(":", 5)
        type_, _, name = fields[-1].partition("/")
        region = fields[3] if len(fields) == 6 and fields[2] == overlay.SERVICE else ""
        options = [f"--project {name}"] if region and type_ == "project" and name != "default" else []
        options += [f"--region {region}"] if region else []
    named = [option for option in options if not set(option) & set("*?$")]
    return f" ({', '.join(named) if key == overlay.MODEL_KEY else ' '.join(named)})" if named else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _totals(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    counts = [Counter[str]() for _ in tally.columns]
    for answers, many in tally.patterns.items():
        for index, letter in enumerate(answers):
            counts[index][ANSWERS[letter]] += many
            counts[index][letter] += many
    shown: dict[str, str] = {answer: answer.value for answer in Answer}
    if any(count[ELSEWHERE] for count in counts):
        shown[ELSEWHERE] = "n*"
    rows = [
        (str(index + 1), name, *(f"{counts[index][each]:,}" for each in shown))
        for index, name in enumerate(tally.columns)
    ]
    yield from table(("", "capability", *shown.values()), rows, width=width, ansi=ansi)


def _letters(answers: str, start: int, stop: int, ansi: Ansi) -> str:
    shown = ((" n*" if letter == ELSEWHERE else letter.rjust(_COLUMN), letter) for letter in answers[start:stop])
    painted = (ansi.paint(text, _STYLES[ANSWERS[letter]]) for text, letter in shown)
    return "".join(painted)


def _blocks(columns: int, room: int) -> Iterator[tuple[int, int]]:
    """Which columns stand side by side."""
    many = max(room // _COLUMN, 1)
    yield from ((start, min(start + many, columns)) for start in range(0, columns, many))


def _named(text: str, width: int) -> str:
    shown = one_line(text)
    if len(shown) > width:
        shown = f"{shown[: width // 2 - 1]}…{shown[len(shown) - (width - width // 2) :]}"
    return shown


def _grid(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    """Account by account, who can do most first."""
    by_account: dict[str, list[tuple[str, str]]] = {}
    for account, arn, answers in tally.rows:
        by_account.setdefault(account, []).append((arn.split(":", 5)[-1], answers))
    longest = max(len(one_line(name)) + 3 for rows in by_account.values() for name, _ in rows)
    name_width = min(max(_NAME, width - _COLUMN * len(tally.columns)), max(_NAME, longest))
    for start, stop in _blocks(len(tally.columns), width - name_width):
        numbers = "".join(str(index + 1).rjust(_COLUMN) for index in range(start, stop))
        for account, rows in by_account.items():
            yield ""
            named = "account not known" if account == UNKNOWN_ACCOUNT else f"account {clean(account)}"
            yield ansi.paint(named.ljust(name_width), Style.BOLD) + ansi.paint(numbers, Style.DIM)
            rows = sorted(rows, key=lambda row: tuple(-row[1].count(letter) for letter in f"y?{ELSEWHERE}"))
            idle = [row for row in rows if not row[1].strip("n")]
            for name, answers in rows[: -len(idle)] if len(idle) > _MOST_IDLE else rows:
                shown = f"  {_named(name, name_width - 3)}".ljust(name_width)
                yield shown + _letters(answers, start, stop, ansi)
            if len(idle) > _MOST_IDLE:
                yield from paragraph(f"{len(idle):,} others, nothing of it (--output json lists them)", width, 2, 2)
    yield ""
    yield ansi.paint(_LEGEND, Style.DIM)
    if tally.elsewhere:
        yield ansi.paint(_LEGEND_ELSEWHERE, Style.DIM)


def _some(answers: str, letter: str, columns: Sequence[str]) -> str:
    """The columns with that answer, in as few words as there are."""
    names = [name for name, each in zip(columns, answers, strict=True) if each == letter]
    rest = [name for name, each in zip(columns, answers, strict=True) if each != letter]
    if not rest:
        return "everything"
    return f"everything but {', '.join(rest)}" if len(rest) * 2 < len(names) else ", ".join(names)


def _patterns(tally: Tally, width: int, ansi: Ansi) -> Iterator[str]:
    """Principals by what they may do, most first; those that can do nothing last."""
    yield ""
    yield ansi.paint("Principals with the same answers (--output json lists each of them)", Style.BOLD)
    shown = sorted(tally.patterns.most_common(_MOST_PATTERNS), key=lambda one: not one[0].strip("n"))
    for answers, many in shown:
        words = (("", "y"), ("perhaps ", "?"), ("elsewhere ", ELSEWHERE))
        found = [(word, _some(answers, letter, tally.columns)) for word, letter in words]
        told = "; ".join(word + columns for word, columns in found if columns) or "nothing"
        yield from paragraph(f"{many:,}: {told} (such as {tally.examples[answers]})", width, 2, 2)
    rest = len(tally.patterns) - len(shown)
    if rest:
        yield from paragraph(f"{rest} more kinds of principals", width, 2, 2)


def _requirement(one: Mapping[str, Any], width: int, ansi: Ansi) -> Iterator[str]:
    word = one["result"]
    yield f"  {ansi.paint(word.ljust(9), _TONES[word])} {one_line(one['name'])} (must {one['must']})"
    if one["unmatched"]:
        yield from paragraph(f"no principal matches {', '.join(one['unmatched'])}", width, 12, 2)
    told = 0
    for principals, shorts in _alike(one)[:_MOST_TOLD]:
        told += len(principals)
        rest = len(principals) - _MOST_TOLD
        who = ", ".join(principals[:_MOST_TOLD]) + (f" and {rest:,} more" if rest > 0 else "")
        yield from paragraph(f"{who}:", width, 12, 2)
        for reason in dict.fromkeys(_reason(one, short) for short in shorts):
            yield from paragraph(reason, width, 14, 2)
        for fix in _fixes(shorts):
            yield from _fix(fix, width)
    more = one["failed"] + one["undecided"] - told
    if more > 0:
        yield from paragraph(f"and {_count(more, 'more principal')}; --output json lists them", width, 12, 2)


def _reason(rule: Mapping[str, Any], short: Mapping[str, Any]) -> str:
    """Why, and where it was found if that is not where everything is asked first."""
    project, model, region = short["project"], short["model"], short["region"]
    if rule["must"] == Must.ALLOW or (project == "default" and region in DEFAULT_REGIONS.values()):
        return str(short["reason"])
    return f"{short['reason']}, on project/{project} in {region}{f' for {model}' if model else ''}"


def _alike(rule: Mapping[str, Any]) -> list[tuple[list[str], list[Mapping[str, Any]]]]:
    """Principals of which the same is said, and what that is."""
    by_principal: dict[str, list[Mapping[str, Any]]] = {}
    for short in rule["shortfalls"]:
        by_principal.setdefault(short["principal"], []).append(short)
    found: dict[str, tuple[list[str], list[Mapping[str, Any]]]] = {}
    for principal, shorts in by_principal.items():
        said = json.dumps([[_reason(rule, short), short["fix"]] for short in shorts])
        found.setdefault(said, ([], shorts))[0].append(principal)
    return list(found.values())


def _fixes(shorts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What ends all of them: each thing once, and no policy that another one has in it."""
    fixes = [short["fix"] for short in shorts if short["fix"] is not None]
    fixes = [fix for at, fix in enumerate(fixes) if fix not in fixes[:at]]

    def statements(fix: Mapping[str, Any]) -> list[Any]:
        return list(fix["policy"]["Statement"]) if "policy" in fix else []

    def spare(fix: Mapping[str, Any]) -> bool:
        own = statements(fix)
        return bool(own) and any(
            len(statements(other)) > len(own) and all(one in statements(other) for one in own) for other in fixes
        )

    return [fix for fix in fixes if not spare(fix)]


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
