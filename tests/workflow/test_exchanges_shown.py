"""Every case of the diagnosis corpus, shown: the JSON document is valid and the same each time, the text clean and in width."""

from __future__ import annotations

import json

import jsonschema
import pytest

from mantle_iam.bundled import schema
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.iam.request import Decision
from mantle_iam.report.document import document
from mantle_iam.report.layout import cells
from mantle_iam.report.result import Part, Result, exit_code
from mantle_iam.report.text import render
from mantle_iam.workflow.fix import propose_fix
from tests.diagnose.diagnose_cases import Situation, situations

SITUATIONS = situations()
VALIDATOR = jsonschema.Draft202012Validator(schema("diagnosis"))


def conclude(situation: Situation) -> Result:
    report = diagnose(situation.case, situation.available)
    return Result((Part(situation.case, report),), propose_fix(report, situation.case))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_json(situation: Situation) -> None:
    made = document(conclude(situation), version="1")
    VALIDATOR.validate(made)
    assert json.dumps(made) == json.dumps(document(conclude(situation), version="1"))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_text(situation: Situation) -> None:
    result = conclude(situation)
    for width in (60, 80):
        shown = render(result, width=width)
        assert not any(ord(character) < 32 and character != "\n" for character in shown)
        table = shown.split("\n\n")[0].splitlines() if shown.startswith("operation") else []
        assert all(cells(line) <= width for line in table)
    for _, diagnosis in result.diagnoses():
        assert f"[{diagnosis.code}]: " in shown


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_what_is_offered_holds(situation: Situation) -> None:
    """No policy is ever offered that the known policies would still refuse, and none beside a deny."""
    result = conclude(situation)
    fix = result.fix
    if fix is None:
        return
    assert not (fix.changes and fix.blocked_by)
    if fix.changes:
        assert fix.proof is not None
        assert fix.proof.decision in (Decision.ALLOWED, Decision.UNKNOWN)
        if fix.proof.decision is Decision.UNKNOWN:
            assert fix.proof.depends_on
        assert exit_code(diagnosis for _, diagnosis in result.diagnoses()) == 1
