"""The JSON document: always valid under its schema, whatever the records hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from mantle_iam.bundled import schema
from mantle_iam.diagnose.case import Case, FoundCredential, Report
from mantle_iam.diagnose.codes import CODES, Family
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.mantle.credential import Credential, CredentialFlaw, CredentialKind
from mantle_iam.mantle.exchange import Auth, Probe
from mantle_iam.report.document import document
from mantle_iam.report.result import Part, Result
from tests.report.test_text import HOSTILE, hostile_result, result_of
from tests.workflow.test_fix import CASES

SCHEMA = schema("diagnosis")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def valid(result: Result) -> dict[str, Any]:
    made = json.loads(json.dumps(document(result, version="1.2.3")))
    VALIDATOR.validate(made)
    return dict(made)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_every_fix_is_valid_and_deterministic(case: dict[str, Any]) -> None:
    made = valid(result_of(case))
    assert made == valid(result_of(case))
    assert (made["fix"] is None) == (case["expect"] is None)
    if made["fix"] and made["fix"]["changes"]:
        assert made["fix"]["policy"] == made["fix"]["changes"][0]["policy"]


def test_the_words_of_the_schema_are_those_of_the_program() -> None:
    definitions = SCHEMA["$defs"]
    assert set(definitions["diagnosis"]["properties"]["family"]["enum"]) == {*(f.value for f in Family), None}
    assert set(definitions["probe"]["enum"]) == {*(probe.value for probe in Probe), None}
    assert set(definitions["outcome"]["properties"]["auth"]["enum"]) == {*(auth.value for auth in Auth), None}
    assert set(definitions["diagnosis"]["properties"]["confidence"]["enum"]) == {c.value for c in Confidence}


@pytest.mark.parametrize("code", [code.code for code in CODES])
def test_every_code_has_its_family(code: str) -> None:
    report = Report((Diagnosis(code, Confidence.LIKELY, "t", "e", (), "r", "f"),), ())
    (made,) = valid(Result((Part(Case(), report),)))["diagnoses"]
    assert made["family"] is not None


def test_a_credential_is_shown_without_its_secret_and_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    credential = Credential(
        CredentialKind.SHORT_TERM_KEY,
        "bedrock-api-key-…(1234)",
        flaws=(CredentialFlaw.QUOTED,),
        region="us-east-1",
        issued_at=datetime(2026, 11, 22, 9, 0, 0, 5, tzinfo=east),
        expires_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        temporary=True,
    )
    case = Case(credential=credential, found=(FoundCredential("AWS_BEARER_TOKEN_BEDROCK", credential, used=True),))
    report = Report((Diagnosis("allowed", Confidence.CONCLUSIVE, "t", "e", (), "", ""),), ())
    made = valid(Result((Part(case, report),)))
    assert made["credential"]["issued_at"] == "2026-11-22T00:00:00Z"
    assert made["credential"]["expires_at"] == "2026-11-22T12:00:00Z"
    assert made["credentials_found"][0]["where"] == "AWS_BEARER_TOKEN_BEDROCK"


def test_hostile_text_stays_json_that_can_be_encoded() -> None:
    made = document(hostile_result(HOSTILE), version="0")
    text = json.dumps(made, ensure_ascii=False)
    text.encode("utf-8")
    assert "\x1b" not in text
    assert json.loads(text) == made
    assert json.dumps(made).count("\\ud800") == 0


def test_a_broken_document_is_noticed() -> None:
    made = valid(result_of(CASES[0]))
    for broken in (
        {**made, "diagnoses": []},
        {**made, "schema_version": "2"},
        {**made, "extra": 1},
        {**made, "outcomes": [{}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(broken)
