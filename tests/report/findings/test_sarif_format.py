"""SARIF: its schema, what GitHub asks for besides, runs that are too large for one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from finding_samples import FINDINGS, INPUTS, RESULTS, results
from hypothesis import given
from jsonschema import Draft202012Validator

from mantle_iam.iam.inventory import InputStatus
from mantle_iam.report.findings.results import REQUIREMENT, Results, in_order
from mantle_iam.report.findings.sarif import FINGERPRINT, RUN_LIMIT, sarif

HERE = Path(__file__).parent
_SARIF = Draft202012Validator(
    json.loads((HERE / "sarif-2.1.0.schema.json").read_text("utf-8")),
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)


@given(results)
def test_sarif_holds_together(given_results: Results) -> None:
    log = json.loads(sarif(given_results))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(given_results.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        where = location["physicalLocation"]["artifactLocation"]
        assert urlsplit(where["uri"]).scheme in ("", "file")
        assert ("uriBaseId" in where) + ("description" in where) + where["uri"].startswith("file:") == 1
        assert where["uri"].isascii()
        assert location["physicalLocation"]["region"]["startLine"] >= 1
        assert result["message"]["text"]
        # Section 3.11.5: a brace that is not doubled would begin a placeholder; 3.11.6: brackets, a link.
        assert not re.search(r"(?<!\{)(\{\{)*\{[0-9]", result["message"]["text"])
        assert not re.search(r"(?<!\\)\]\(", result["message"]["text"])
    failed = any(one.status is InputStatus.FAILED for one in given_results.inputs)
    assert run["invocations"][0]["executionSuccessful"] is not failed


def test_sarif_as_another_reader_reads_it() -> None:
    sarif_pydantic = pytest.importorskip(
        "sarif_pydantic", reason="sarif-pydantic is not installed: its reading of SARIF is not checked"
    )
    log = sarif_pydantic.Sarif.model_validate_json(sarif(RESULTS))
    (run,) = log.runs
    assert [result.rule_id for result in run.results] == [one.rule for one in in_order(FINDINGS)]
    assert {rule.id for rule in run.tool.driver.rules} == {one.rule for one in FINDINGS}


def test_sarif_describes_rules_and_says_how_bad_they_are() -> None:
    (run,) = json.loads(sarif(RESULTS))["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules["unknown-action"]["helpUri"].startswith("https://docs.aws.amazon.com/")
    assert "It matches no request" in rules["unknown-action"]["help"]["text"]
    severities = {name: float(rule["properties"]["security-severity"]) for name, rule in rules.items()}
    assert severities["unknown-action"] >= 7 > severities["requested-region"] >= 4 > severities["wide-grant"]


def test_sarif_names_a_stand_in_where_there_is_no_file() -> None:
    (run,) = json.loads(sarif(RESULTS))["runs"]
    standing_in = {}
    for result in run["results"]:
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]
        if "description" in where:
            standing_in[where["uri"]] = where["description"]["text"]
        assert ("primaryLocationLineHash" in result["partialFingerprints"]) is ("description" in where)
        assert FINGERPRINT in result["partialFingerprints"]
    assert standing_in == {
        "mantle-iam/account/111122223333": "No file: stands for what was read from aws:111122223333",
        "mantle-iam/findings": "No file: stands for what was read from no file",
        "mantle-iam/standard-input": "No file: stands for what was read from standard input",
    }


@given(results)
def test_sarif_keeps_to_its_schema(given_results: Results) -> None:
    """The schema is OASIS's (errata 01), without its descriptions; an upload that does not keep to it is refused."""
    _SARIF.validate(json.loads(sarif(given_results)))


def test_the_schema_of_sarif_is_looked_at() -> None:
    log = json.loads(sarif(RESULTS))
    names = log["runs"][0]["results"][0]["locations"][0]["logicalLocations"]
    names.append(names[0])
    log["runs"][0]["results"][1]["level"] = "fatal"
    assert {error.json_path.rpartition(".")[2] for error in _SARIF.iter_errors(log)} == {"logicalLocations", "level"}


def test_sarif_has_what_github_asks_for() -> None:
    """GitHub Docs, "SARIF support for code scanning"; requirements, whose rules have no record, are among them."""
    findings = (*FINDINGS, replace(FINDINGS[-1], rule=f"{REQUIREMENT}apps infer"))
    (run,) = json.loads(sarif(replace(RESULTS, findings=findings)))["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help")), rule["id"]
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert len(rule["properties"]["tags"]) <= 20
        assert len(rule["id"]) <= 255
        assert len(rule["fullDescription"]["text"]) <= 1024
    # An upload fills in the category that its user gave only where the log has none.
    assert "automationDetails" not in run


def test_sarif_says_what_was_not_read() -> None:
    (run,) = json.loads(sarif(RESULTS))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    levels = [one["level"] for one in invocation["toolExecutionNotifications"]]
    assert levels == ["error", "warning"]
    assert json.loads(sarif(Results((), INPUTS[:1])))["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_sarif_of_more_than_one_run_holds_leaves_nothing_out() -> None:
    many = tuple(replace(FINDINGS[0], message=f"finding {number:06}") for number in range(RUN_LIMIT + 3))
    runs = json.loads(sarif(Results(many)))["runs"]
    assert [len(run["results"]) for run in runs] == [RUN_LIMIT, 3]
    assert [run.get("automationDetails") for run in runs] == [None, {"id": "mantle-iam-2/"}]
    assert len({result["message"]["text"] for run in runs for result in run["results"]}) == len(many)
