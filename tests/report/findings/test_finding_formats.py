"""Formats of findings: goldens for people to read, each format read back by a reader of its own, and laws for hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from finding_samples import FINDINGS, INPUTS, NASTY, RESULTS, results
from hypothesis import given

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.iam.inventory import InputStatus, Place
from mantle_iam.report.ansi import Ansi
from mantle_iam.report.findings import FORMATS, format_named
from mantle_iam.report.findings.document import findings_document
from mantle_iam.report.findings.github import read
from mantle_iam.report.findings.markdown import escaped, findings_markdown, link, prose
from mantle_iam.report.findings.results import (
    Results,
    count_words,
    file_uri,
    fingerprints,
    in_order,
    relative,
    sound,
)
from mantle_iam.report.findings.sarif import FINGERPRINT, RUN_LIMIT, sarif
from mantle_iam.report.findings.separated import FINDING_COLUMNS, csv_rows, csv_text
from mantle_iam.report.findings.text import text
from mantle_iam.report.layout import clean

CASES = json.loads((Path(__file__).parent / "format_cases.json").read_text("utf-8"))
EXTENSIONS = {
    "json": "json",
    "csv": "csv",
    "markdown": "md",
    "sarif": "sarif",
    "junit": "xml",
    "github": "txt",
    "gitlab": "json",
}


# What people read


@pytest.mark.parametrize("name", EXTENSIONS)
def test_format_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    written = format_named(name).function(RESULTS).replace("\r\n", "\n")
    golden(f"report/findings/{name}.{EXTENSIONS[name]}", written)


def test_text_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("report/findings/text.txt", text(RESULTS, width=80))


def test_every_format_has_a_golden() -> None:
    assert [one.name for one in FORMATS] == list(EXTENSIONS)


def test_colours_change_nothing_but_colours() -> None:
    painted = text(RESULTS, width=80, ansi=Ansi(True))
    assert "\x1b[" in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == text(RESULTS, width=80)


def test_the_mark_is_under_its_column() -> None:
    shown = text(RESULTS, width=80).splitlines()
    number = next(index for index, line in enumerate(shown) if line.endswith("^"))
    # The line begins with a tab, which is one column of the file and four of the excerpt.
    assert shown[number - 1][shown[number].index("^") :].startswith('"bedrock-mantle:InvokeModel"')


# What all formats agree on


@given(results)
def test_every_format_takes_every_name_and_can_be_encoded(given_results: Results) -> None:
    for one in FORMATS:
        one.function(given_results).encode()
    shown = text(given_results, width=60)
    assert clean(shown.replace("\n", "")) == shown.replace("\n", "")


@given(results)
def test_order_of_findings_does_not_matter(given_results: Results) -> None:
    turned = replace(given_results, findings=given_results.findings[::-1])
    assert findings_document(turned)["findings"] == findings_document(given_results)["findings"]


@given(results)
def test_no_two_fingerprints_are_alike(given_results: Results) -> None:
    marks = fingerprints((*given_results.findings, *given_results.findings))
    assert len(set(marks)) == len(marks) == 2 * len(given_results.findings)


@given(results)
def test_fingerprints_survive_lines_and_statements_that_were_added(given_results: Results) -> None:
    def moved(finding: Finding) -> Finding:
        place = finding.place
        pointer = re.sub("/[0-9]+(?=/|$)", "/9", place.pointer, flags=re.ASCII)
        index = None if finding.statement is None else finding.statement + 1
        return replace(finding, statement=index, place=replace(place, line=7, column=3, pointer=pointer))

    assert fingerprints(map(moved, given_results.findings)) == fingerprints(given_results.findings)


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "other"},
        {"message": "other"},
        {"sid": "Other"},
        {"policy": "other"},
        {"principal": "other"},
        {"place": Place("other.json", 5, 12, pointer="/Statement/0/Action")},
        {"place": Place("policies/app.json", 5, 12, pointer="/Statement/0/Resource")},
        {"place": Place("policies/app.json", 5, 12, address="x", pointer="/Statement/0/Action")},
    ],
    ids=str,
)
def test_another_finding_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert fingerprints([replace(FINDINGS[0], **change)]) != fingerprints(FINDINGS[:1])


@pytest.mark.parametrize("case", CASES["uris"], ids=lambda case: case["path"])
def test_file_as_uri(case: dict[str, str]) -> None:
    assert file_uri(Place(case["path"])) == case["uri"]


@pytest.mark.parametrize("path", NASTY)
def test_a_relative_path_stays_one(path: str) -> None:
    parts = urlsplit(file_uri(Place(f"x/{path}")))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == relative(sound(f"x/{path}"))


def test_counts() -> None:
    assert count_words(FINDINGS) == "2 errors, 2 warnings, 1 note"
    assert count_words(()) == "no findings"


# CSV


@given(results)
def test_csv_is_read_back(given_results: Results) -> None:
    rows = csv_rows(format_named("csv").function(given_results))
    assert tuple(rows[0]) == FINDING_COLUMNS
    expected = [clean(sound(one.message)) for one in in_order(given_results.findings)]
    assert [row[FINDING_COLUMNS.index("message")] for row in rows[1:]] == expected


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@a", " =1", "\u3000=1", "＝1", "＠x", "'=1", "''=1", "'a"])
def test_a_formula_is_a_text(value: str) -> None:
    written = csv_text([(value,)])
    assert written.startswith("\"'")
    assert csv_rows(written) == [[value]]


def test_ordinary_cells_stay() -> None:
    assert csv_text([("a", 1, None, 'say "x"')]) == '"a","1","","say ""x"""\r\n'


# Markdown


@pytest.mark.parametrize("case", CASES["markdown"], ids=lambda case: case["text"])
def test_markdown_escaping(case: dict[str, str]) -> None:
    assert escaped(case["text"]) == case["markdown"]


@given(results)
def test_a_markdown_table_has_the_rows_and_cells_that_it_should(given_results: Results) -> None:
    lines = findings_markdown(given_results).splitlines()
    table = [line for line in lines if line.startswith("|")]
    unread = sum(one.status is not InputStatus.READ for one in given_results.inputs)
    rows = len(given_results.findings)
    assert len(table) == (rows + 2 if rows else 0) + (unread + 2 if unread else 0)
    assert all(line.count("|") == 5 for line in table[: rows + 2 if rows else 0])
    assert len(lines) == len(table) + 4 + bool(unread)


def test_prose_turns_quotes_into_code() -> None:
    assert prose("`a|b` is not `c`, is it") == "<code>a&#124;b</code> is not <code>c</code>, is it"
    assert prose("one ` alone") == "one &#96; alone"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://e.example/>x", "https://e.example/ x", "", "data:,x"])
def test_no_link_to_what_is_no_web_address(url: str) -> None:
    assert link("a", url) == "a"
    assert link("a", "https://e.example/x#y") == "[a](<https://e.example/x#y>)"


@pytest.mark.parametrize("limit", [300, 500, 900, 1200])
def test_markdown_is_cut_at_its_limit_and_says_so(limit: int) -> None:
    whole = findings_markdown(RESULTS)
    cut = findings_markdown(RESULTS, limit=limit)
    assert len(cut.encode()) <= limit < len(whole.encode())
    left = int(re.search(r"and (\d+) more lines", cut).group(1))
    assert left == sum(map(bool, whole.splitlines())) - sum(map(bool, cut.splitlines())) + 1
    assert findings_markdown(RESULTS, limit=100_000) == whole


# GitHub annotations


@pytest.mark.parametrize("case", CASES["annotations"], ids=lambda case: case["line"])
def test_annotation_escaping(case: dict[str, Any]) -> None:
    finding = Finding(case["rule"], Severity.ERROR, Certainty.HIGH, case["message"], Place(case["path"], 2, 3))
    assert format_named("github").function(Results((finding,))) == case["line"] + "\n"


@given(results)
def test_annotations_are_commands_and_nothing_else(given_results: Results) -> None:
    lines = format_named("github").function(given_results).split("\n")
    assert lines.pop() == ""
    unread = sum(one.status is not InputStatus.READ for one in given_results.inputs)
    assert len(lines) == len(given_results.findings) + unread
    found = [read(line) for line in lines]
    assert {one.command for one in found} <= {"error", "warning", "notice"}
    assert all({name for name, _ in one.properties} <= {"file", "line", "col", "title"} for one in found)
    levels = ["error", "warning", "notice"]
    ranks = [levels.index(one.command) for one in found[: len(given_results.findings)]]
    assert ranks == sorted(ranks), "the worst come first"
    files = {dict(one.properties)["file"] for one in found if "file" in dict(one.properties)}
    assert files <= {sound(relative(one.place.path)) for one in given_results.findings}


# GitLab


@given(results)
def test_gitlab_report_has_the_documented_shape(given_results: Results) -> None:
    report = json.loads(format_named("gitlab").function(given_results))
    assert len(report) == len(given_results.findings)
    for issue in report:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert set(issue["location"]) == {"path", "lines"}
        assert issue["location"]["path"]
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith("./")
    assert len({issue["fingerprint"] for issue in report}) == len(report)


# JUnit


@given(results)
def test_junit_is_xml_with_true_counts(given_results: Results) -> None:
    root = ElementTree.fromstring(format_named("junit").function(given_results))
    failing = [one for one in given_results.findings if given_results.fails(one)]
    unread = [one for one in given_results.inputs if one.status is not InputStatus.READ]
    assert len(root.findall(".//failure")) == len(failing) == int(root.get("failures", "-1"))
    assert len(root.findall(".//error")) == len(unread) == int(root.get("errors", "-1"))
    assert len(root.findall(".//testcase")) == int(root.get("tests", "-1"))
    for suite in root:
        assert len(suite) == int(suite.get("tests", "-1")) > 0
    messages = [found.get("message") for found in root.findall(".//failure")]
    assert len(messages) == len(failing)


def test_junit_as_another_reader_reads_it() -> None:
    junitparser = pytest.importorskip("junitparser", reason="junitparser is not installed: its reading is not checked")
    report = junitparser.JUnitXml.fromstring(format_named("junit").function(RESULTS).encode())
    assert (report.tests, report.failures, report.errors) == (8, 4, 2)
    (failure,) = next(iter(next(suite for suite in report if suite.name == "policies/app.json"))).result
    assert (failure.type, failure.message) == ("error", FINDINGS[0].message)


def test_severity_that_fails_is_the_callers() -> None:
    def failures(severity: Severity | None) -> int:
        root = ElementTree.fromstring(format_named("junit").function(replace(RESULTS, fail_on=severity)))
        return len(root.findall(".//failure"))

    assert [failures(one) for one in (None, Severity.ERROR, Severity.WARNING, Severity.INFO)] == [0, 2, 4, 5]


# SARIF


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
        assert run["artifacts"][where["index"]]["location"]["uri"] == where["uri"]
        assert urlsplit(where["uri"]).scheme in ("", "file")
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
    standing_in = {
        one["location"]["uri"]: one["description"]["text"] for one in run["artifacts"] if "description" in one
    }
    assert standing_in == {
        "mantle-iam/account/111122223333": "No file: stands for what was read from aws:111122223333",
        "mantle-iam/findings": "No file: stands for what was read from no file",
        "mantle-iam/standard-input": "No file: stands for what was read from standard input",
    }
    for result in run["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert ("primaryLocationLineHash" in result["partialFingerprints"]) is (uri in standing_in)
        assert FINGERPRINT in result["partialFingerprints"]


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
    assert len({run["automationDetails"]["id"] for run in runs}) == 2
    assert len({result["message"]["text"] for run in runs for result in run["results"]}) == len(many)


# JSON


@given(results)
def test_json_has_every_field(given_results: Results) -> None:
    document = json.loads(format_named("json").function(given_results))
    assert [one["message"] for one in document["findings"]] == [
        sound(one.message) for one in in_order(given_results.findings)
    ]
    assert [one["path"] for one in document["inputs"]] == [sound(one.path) for one in given_results.inputs]
    interface = {"rule", "severity", "confidence", "message", "file", "line", "statement", "remedy", "reference"}
    assert all(interface <= set(one) for one in document["findings"])
