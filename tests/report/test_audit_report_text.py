"""The audit as text: what a person sees first, at any width and for any number of principals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mantle_iam.audit.results import Shape
from mantle_iam.iam.inventory import UNRESOLVED_KEY, Input, InputStatus
from mantle_iam.report.audit import Tally, render

COLUMNS = ("list-models", "infer", "infer (short-term-key)", "create-keys", *(f"column-{n}" for n in range(10)))
ROLE = "arn:aws:iam::111122223333:role/"


def shape(answers: str, *depends: str) -> Shape:
    cells = [{"depends_on": list(depends) if letter == "?" else []} for letter in answers]
    return Shape(answers, f'"capabilities": {json.dumps(cells)}, "permissions": []')


def shown(rows: list[tuple[str, Shape]], width: int = 80, requirements: tuple[dict[str, Any], ...] = ()) -> list[str]:
    tally = Tally(COLUMNS)
    for name, its in rows:
        tally.add(ROLE + name, "111122223333", its)
    return render(tally, requirements, (), (), accounts=1, width=width).splitlines()


NOTHING, ALL, SOME = shape("n" * 14), shape("y" * 14), shape("ny" + "n" * 12)
MAYBE = shape("n?" + "n" * 12, "bedrock-mantle:Model", "aws:SourceIp", "scp", UNRESOLVED_KEY, "aws:ResourceTag/team")
WHO = [(f"idle-{number}", NOTHING) for number in range(25)] + [("some", SOME), ("maybe", MAYBE), ("admin", ALL)]


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("many", [3, 30, 3000])
def test_it_fits_and_says_who_can_before_who_cannot(width: int, many: int) -> None:
    rows = [*WHO[-3:], *((f"{'n' * 24}-{number}", NOTHING) for number in range(many - 3))]
    lines = shown(rows, width)
    assert max(map(len, lines)) <= width
    assert len(lines) < 50
    text = "\n".join(lines)
    if many > 200:
        assert text.index("everything (such as") < text.index(f"{many - 3:,}: nothing")
    else:
        assert text.index("role/admin") < text.index("role/some") < text.index("role/maybe")


def test_who_can_do_nothing_is_counted_where_there_are_many() -> None:
    lines = shown(WHO)
    assert "  25 others, nothing of it (--output json lists them)" in lines
    assert not any("idle" in line for line in lines)
    few = shown([*WHO[-3:], *WHO[:3]])
    assert sum("role/idle-" in line for line in few) == 3


def test_long_names_have_the_room_that_there_is() -> None:
    name = "n" * 60
    assert not any(name in line for line in shown([(name, ALL)], 80))
    assert any(name in line for line in shown([(name, ALL)], 120))


def test_what_it_depends_on_says_what_settles_it() -> None:
    lines = [line for line in shown(WHO, 120) if ": 1 principal (" in line]
    assert [line.strip() for line in lines] == [
        "bedrock-mantle:Model: 1 principal (name the model with --model)",
        "aws:SourceIp: 1 principal (--context aws:SourceIp=… says what calls have)",
        "scp: 1 principal (these policies could not be read)",
        "mantle-iam:Unresolved: 1 principal (what the input leaves open: a plan or --parameter says more)",
        "aws:ResourceTag/team: 1 principal (a tag of the project that is called)",
    ]


def short(name: str, reason: str, fix: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    place = {"project": "default", "region": "us-east-1", "model": None}
    return {"principal": ROLE + name, "reason": reason, "fix": fix, **place, **more}


def requirement(*shorts: dict[str, Any], must: str = "allow") -> dict[str, Any]:
    failed = len({one["principal"] for one in shorts})
    return {
        "name": "r", "must": must, "result": "failed", "unmatched": [], "failed": failed, "undecided": 0,
        "shortfalls": list(shorts),
    }  # fmt: skip


def test_a_policy_that_several_lack_is_shown_once_and_whole() -> None:
    one, two = {"Sid": "One"}, {"Sid": "Two"}
    small, large = ({"policy": {"Statement": part}} for part in ([one], [one, two]))
    shorts = [short(name, *pair) for name in ("a", "b") for pair in (("first", small), ("second", large))]
    text = "\n".join(shown(WHO[:1], requirements=(requirement(*shorts),)))
    assert f"{ROLE}a,\n              {ROLE}b:" in text
    assert [text.count(word) for word in ("first", "second", '"One"', '"Two"', "attach this")] == [1, 1, 1, 1, 1]


def test_where_it_was_found_is_said_if_it_is_somewhere_else() -> None:
    fix = {"remove": ["identity policy `p` statement 0"], "command": None}
    shorts = [short("a", "allowed", fix), short("b", "allowed", fix, project="proj_x", model="m")]
    text = "\n".join(shown(WHO[:1], requirements=(requirement(*shorts, must="not-allow"),)))
    assert "allowed, on project/proj_x in us-east-1 for m" in text
    assert "on project/default" not in text


def elsewhere(*places: str) -> Shape:
    cells = [{"depends_on": [], "elsewhere": list(places)}, *[{"depends_on": []}] * 13]
    return Shape("*" + "n" * 13, f'"capabilities": {json.dumps(cells)}, "permissions": []')


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ("arn:aws:bedrock-mantle:eu-west-1:111122223333:project/proj_a", " (--project proj_a --region eu-west-1)"),
        ("arn:aws:bedrock-mantle:*:*:project/proj_a", " (--project proj_a)"),
        ("arn:aws:bedrock-mantle:eu-west-1:*:project/default", " (--region eu-west-1)"),
        ("arn:aws:bedrock-mantle:*:*:project/team-*", ""),
        ("bedrock-mantle:Model: a.b, c.d", " (--model a.b, --model c.d)"),
        ("arn:aws:iam::*:user/${aws:username}", ""),
        ("*", ""),
    ],
)
def test_other_places_and_how_they_are_asked_about(place: str, options: str) -> None:
    lines = shown([("one", elsewhere(place)), ("two", elsewhere(place)), ("none", NOTHING)], 200)
    assert f"  {place}: 2 principals{options}" in lines
    assert any(line.split() == ["role/one", "n*", *["n"] * 13] for line in lines)
    assert any(line.split() == ["1", "list-models", "0", "3", "0", "2"] for line in lines)


def test_many_other_places_are_counted() -> None:
    rows = [(f"r{number}", elsewhere(f"arn:aws:bedrock-mantle:*:*:project/p{number}")) for number in range(300)]
    lines = shown(rows)
    assert "  and 288 more places (--output json lists them)" in lines
    assert "  300: elsewhere list-models (such as arn:aws:iam::111122223333:role/r0)" in lines
    assert len(lines) < 50


def test_what_was_not_read_is_bounded() -> None:
    inputs = [
        Input(f"f{number}", InputStatus.FAILED, "", tuple(f"p{one}" for one in range(9))) for number in range(300)
    ]
    lines = render(Tally(COLUMNS), (), [Input("-", InputStatus.FAILED), *inputs], (), accounts=0, width=80).splitlines()
    assert lines[:4] == [
        "Nothing was audited",
        "",
        "Not or not wholly read",
        "  standard input: failed: no reason given",
    ]
    assert "  f0: failed: p0; p1; p2; p3; p4; and 4 more (--output json lists them)" in lines
    assert lines[-1] == "  and 101 more inputs (--output json lists them)"


def test_an_account_that_no_template_names_is_no_account_of_zeros() -> None:
    tally = Tally(COLUMNS)
    tally.add("arn:aws:iam::000000000000:role/app", "000000000000", SOME)
    text = render(tally, (), (), (), accounts=1)
    assert "account not known" in text
    assert "000000000000" not in text
