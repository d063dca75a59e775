"""Every data file under ``exchanges/`` gets the diagnoses that it expects, and none that it forbids."""

from __future__ import annotations

from typing import Any

import pytest
from diagnose_cases import Situation, situations

from mantle_iam.diagnose.case import Report
from mantle_iam.diagnose.codes import CODES, is_code
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.diagnose.differential import diagnose

SITUATIONS = situations()

ROWS = {f"E{number}" for number in range(1, 36)}
TRAPS = {f"trap {number}" for number in range(1, 6)}
CASES = {f"case {number}" for number in range(1, 43)}
"""Real cases; every one of them has a text or says what was answered."""


def run(situation: Situation) -> Report:
    return diagnose(situation.case, situation.available)


def matches(diagnosis: Diagnosis, wanted: dict[str, Any]) -> bool:
    texts = {
        "says": diagnosis.title,
        "explains": diagnosis.explanation,
        "remedy": diagnosis.remedy,
        "evidence": " ".join(item.says for item in diagnosis.evidence),
        "decides": " ".join(diagnosis.would_decide),
    }
    for key, value in wanted.items():
        if key == "actions":
            if sorted(diagnosis.actions) != sorted(value):
                return False
        elif key in texts:
            if value.lower() not in texts[key].lower():
                return False
        elif getattr(diagnosis, key) != value:
            return False
    return True


def told(report: Report) -> str:
    return "\n".join(
        f"{entry.code} {entry.confidence} {entry.policy_type} {entry.effect} {list(entry.actions)} {entry.resource} "
        f"{entry.principal}\n    {entry.title}\n    {entry.explanation}\n    {entry.would_decide}\n    "
        + "\n    ".join(f"{item.source}: {item.says}" for item in entry.evidence)
        for entry in report.diagnoses
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_expectations(situation: Situation) -> None:
    report, data = run(situation), situation.data
    for wanted in data["expect"]:
        assert any(matches(entry, wanted) for entry in report.diagnoses), f"wanted {wanted}, got\n{told(report)}"
    codes = [entry.code for entry in report.diagnoses]
    assert not set(codes) & set(data.get("never", ())), told(report)
    if "first" in data:
        assert codes[0] == data["first"], told(report)
    if "next_probes" in data:
        assert [probe.value for probe in report.next_probes] == data["next_probes"]
    if data.get("no_conclusive"):
        assert all(entry.confidence is not Confidence.CONCLUSIVE for entry in report.diagnoses)
    for code, action in data.get("forbid_actions", ()):
        assert not any(entry.code == code and action in entry.actions for entry in report.diagnoses), told(report)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_form(situation: Situation) -> None:
    report = run(situation)
    assert report.diagnoses
    assert len(report.outcomes) == len(situation.case.exchanges)
    for entry in report.diagnoses:
        assert is_code(entry.code)
        assert entry.evidence, entry
        assert entry.title
        assert "\n" not in entry.title
        assert "{" not in entry.title.replace("${", "")
        assert entry.remedy
        assert entry.reference.startswith("https://")
        assert _sentences(entry.explanation) <= 3, entry.explanation
        if entry.confidence is Confidence.CONCLUSIVE and entry.code not in {"missing-permission", "explicit-deny"}:
            assert not entry.would_decide, entry
        if entry.confidence is not Confidence.CONCLUSIVE:
            assert entry.would_decide or entry.code == "service-unavailable", entry


def _sentences(text: str) -> int:
    plain = text.replace("…", "").replace("us.", "us").replace("global.", "global")
    return sum(1 for index, mark in enumerate(plain) if mark in ".!?" and plain[index + 1 : index + 2] in {" ", ""})


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_deterministic(situation: Situation) -> None:
    assert run(situation) == run(situation)


def test_every_code_is_produced() -> None:
    produced = {entry.code for situation in SITUATIONS for entry in run(situation).diagnoses}
    assert produced == {code.code for code in CODES}


def test_every_code_is_expected_by_name() -> None:
    expected = {wanted["code"] for situation in SITUATIONS for wanted in situation.data["expect"]}
    assert expected == {code.code for code in CODES}


def test_every_row_and_case_is_covered() -> None:
    covered = {name for situation in SITUATIONS for name in situation.data["covers"]}
    assert covered >= ROWS | TRAPS
    missing = CASES - covered
    assert not missing, sorted(missing)
