"""The human form, from records made by hand: hostile text in every field, several Regions, colours, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.diagnose.case import Answer, Case, Outcome, Report
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.iam.grammar import parse_policy, write_policy
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import Decision, PolicyType
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.report.ansi import Ansi
from mantle_iam.report.layout import cells
from mantle_iam.report.proposal import Blocker, Change, Fix, ManagedAlternative, Proof, Reason, Target, TargetKind
from mantle_iam.report.result import Part, Result, exit_code
from mantle_iam.report.text import LAYERS, proof_sentence, render
from mantle_iam.workflow.fix import propose_fix, propose_fix_for
from tests.workflow.situations import situation
from tests.workflow.test_fix import CASES

HOSTILE = "a\x1b[2J\x1b]0;owned\x07\r\nerror[allowed]: fake\u202e\x9b31m\ud800"


def result_of(case: dict[str, Any]) -> Result:
    report, made = situation(case)
    return Result((Part(made, report),), propose_fix(report, made))


def diagnosis(code: str, confidence: Confidence = Confidence.CONCLUSIVE, text: str = "x") -> Diagnosis:
    return Diagnosis(code, confidence, text, text, (Evidence(text, text),), text, text)


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_width_holds_but_for_what_must_be_copied_whole(case: dict[str, Any], width: int) -> None:
    text = render(result_of(case), width=width)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    in_policy = False
    for line in text.splitlines():
        in_policy = in_policy or line == "{"
        if not in_policy and cells(line) > width:
            whole = line.split("  ")[-1].strip()
            assert " " not in whole or whole.startswith(("aws ", "mantle-iam ")), line
        in_policy = in_policy and line != "}"
        assert line == line.rstrip()


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_the_policy_can_be_cut_out_and_parsed(case: dict[str, Any]) -> None:
    result = result_of(case)
    lines = render(result, width=60).splitlines()
    starts = [number for number, line in enumerate(lines) if line == "{"]
    found = [parse_policy("\n".join(lines[start : lines.index("}", start) + 1])) for start in starts]
    assert [write_policy(document) for document in found] == [
        write_policy(change.document) for change in (result.fix.changes if result.fix else ())
    ]


@pytest.mark.parametrize("case", CASES[:5], ids=[case["about"] for case in CASES[:5]])
def test_colours_change_nothing_but_the_colours(case: dict[str, Any]) -> None:
    result = result_of(case)
    painted = render(result, width=70, ansi=Ansi(True))
    assert "\x1b[" in painted
    plain = "".join(part.partition("m")[2] if number else part for number, part in enumerate(painted.split("\x1b[")))
    assert plain == render(result, width=70)


def hostile_result(text: str) -> Result:
    document = PolicyDocument((Statement(Effect.ALLOW, (text or "a:B",), resources=(text,), sid=text),))
    change = Change(
        PolicyType.IDENTITY, document, (Reason(0, text, text, text, True),), Target(TargetKind.USER, text), (text,)
    )
    fix = Fix(
        (change,),
        Confidence.LIKELY,
        Proof(Decision.UNKNOWN, (text,), 1),
        (Blocker(None, "explicit", (text,), text, text),),
        ManagedAlternative(text, text, text, (text,), (text,), text),
        (text,),
    )
    full = replace(
        diagnosis("missing-permission", text=text), actions=(text,), resource=text, principal=text, policy=text,
        would_decide=(text,), policy_type=PolicyType.SCP, effect="implicit",
    )  # fmt: skip
    rows = tuple(Outcome(9, text, (text,), Answer.DENIED, text) for _ in range(2))
    parts = tuple(Part(Case(region=text), Report((full,), rows)) for _ in range(2))
    return Result(parts, fix, (text,))


def test_hostile_text_in_every_field_is_harmless() -> None:
    text = render(hostile_result(HOSTILE), width=70)
    for character in "\x1b\x07\r\x9b\u202e\ud800":
        assert character not in text
    assert "\nerror[allowed]" not in text
    text.encode("utf-8")


@given(st.text(max_size=60), st.integers(40, 100))
@settings(max_examples=60)
def test_any_text_in_every_field_gives_clean_lines(text: str, width: int) -> None:
    shown = render(hostile_result(text), width=width)
    assert all(line.isprintable() or line.isascii() is False for line in shown.split("\n"))
    assert not any(ord(character) < 32 and character != "\n" for character in shown)
    shown.encode("utf-8")


def test_several_regions_are_told_apart(golden: Callable[[str, str], None]) -> None:
    parts = []
    for region in ("us-east-1", "eu-west-1"):
        case = json.loads(json.dumps(CASES[1]).replace("us-east-1", region))
        case["region"] = region
        case["diagnoses"][0]["resource"] = f"arn:aws:bedrock-mantle:{region}:111122223333:project/default"
        report, made = situation(case)
        row = Outcome(0, "create-response", ("bedrock-mantle:CreateInference",), Answer.DENIED, "403 not authorized")
        parts.append(Part(made, replace(report, outcomes=(row,))))
    result = Result(tuple(parts), propose_fix_for(parts), ("two regions were asked",))
    golden("report/several-regions.txt", render(result, width=80))
    grants = {
        r
        for change in (result.fix.changes if result.fix else ())
        for s in change.document.statements
        for r in s.resources
    }
    assert {r.split(":")[3] for r in grants if r != "*"} == {"us-east-1", "eu-west-1"}


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_no_note_of_a_fix_is_lost(case: dict[str, Any]) -> None:
    result = result_of(case)
    shown = " ".join(render(result, width=60).split())
    assert all(" ".join(note.split()) in shown for note in (result.fix.notes if result.fix else ()))


def test_every_layer_has_a_name() -> None:
    assert set(LAYERS) == set(PolicyType)


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (
            Proof(Decision.ALLOWED, (), 1, True),
            "together with every policy that binds the principal: the refused request is",
        ),
        (
            Proof(Decision.UNKNOWN, ("scp",), 2, True),
            "unless something that was not read denies: any service control policy",
        ),
        (
            Proof(Decision.UNKNOWN, ("aws:SourceIp",), 2),
            "evaluated by itself: all 2 requests that stand for it are allowed, unless",
        ),
        (Proof(Decision.IMPLICIT_DENY, (), 1), "still refused (implicitDeny)"),
    ],
)
def test_proof_sentence(proof: Proof, words: str) -> None:
    assert words in proof_sentence(proof)


@pytest.mark.parametrize(
    ("diagnoses", "live", "code"),
    [
        ([("allowed", Confidence.CONCLUSIVE)], False, 0),
        ([("allowed", Confidence.CONCLUSIVE), ("missing-permission", Confidence.LIKELY)], False, 1),
        ([("inconclusive", Confidence.INCONCLUSIVE)], False, 3),
        ([("missing-permission", Confidence.INCONCLUSIVE)], False, 3),
        ([("inconclusive", Confidence.INCONCLUSIVE), ("explicit-deny", Confidence.CONCLUSIVE)], False, 1),
        ([("throttled", Confidence.CONCLUSIVE)], False, 1),
        ([("throttled", Confidence.CONCLUSIVE)], True, 3),
        ([("region-not-served", Confidence.LIKELY)], True, 1),
        ([("timeout", Confidence.LIKELY), ("bearer-token-expired", Confidence.CONCLUSIVE)], True, 1),
        ([], False, 0),
    ],
)
def test_exit_code(diagnoses: list[tuple[str, Confidence]], live: bool, code: int) -> None:
    assert exit_code([diagnosis(name, confidence) for name, confidence in diagnoses], live=live) == code


def test_allowed_comes_after_the_problems() -> None:
    report = Report((diagnosis("allowed", text="fine"), diagnosis("throttled", text="slow down")), ())
    text = render(Result((Part(Case(), report),)), width=80)
    assert text.index("slow down") < text.index("fine")


def test_rows_that_differ_only_in_how_they_were_sent_are_told_apart() -> None:
    exchanges = (
        Exchange(auth=Auth.BEARER, status=403),
        Exchange(auth=Auth.SIGV4, status=200),
        Exchange(auth=Auth.NONE, status=401),
        Exchange(auth=Auth.SIGV4, status=200, model="openai.gpt-oss-20b"),
    )
    rows = tuple(Outcome(index, "list-models", (), Answer.ALLOWED, "x") for index in range(4))
    shown = render(Result((Part(Case(exchanges), Report((diagnosis("allowed"),), rows)),)), width=80)
    assert [line.split("  ")[0] for line in shown.splitlines()[1:5]] == [
        "list-models (key)",
        "list-models (SigV4)",
        "list-models (no credential)",
        "list-models (openai.gpt-oss-20b) (SigV4)",
    ]


def test_a_row_that_says_the_same_again_is_shown_once() -> None:
    rows = (Outcome(0, "list-models", (), Answer.DENIED, "403"),) * 3
    shown = render(Result((Part(Case(), Report((diagnosis("throttled"),), rows)),)), width=80)
    assert "list-models" not in shown


@pytest.mark.parametrize(
    ("effect", "words"), [("explicit", "would still win"), ("implicit", "would still withhold it")]
)
def test_what_blocks_a_fix_is_called_a_deny_only_where_it_is_one(effect: str, words: str) -> None:
    report, case = situation(CASES[0])
    fix = Fix(blocked_by=(Blocker(PolicyType.RCP, effect, ("bedrock-mantle:ListModels",)),))
    text = render(Result((Part(case, report),), fix), width=100)
    assert f"no policy is offered: a {'deny elsewhere' if effect == 'explicit' else 'layer'}" in text
    assert words in text
