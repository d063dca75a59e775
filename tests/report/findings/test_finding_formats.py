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
from mantle_iam.iam.inventory import Input, InputStatus, Place
from mantle_iam.report.ansi import Ansi
from mantle_iam.report.findings import FORMATS, written
from mantle_iam.report.findings.document import findings_document
from mantle_iam.report.findings.github import SHOWN, read
from mantle_iam.report.findings.markdown import COMMENT, escaped, findings_markdown, link, prose
from mantle_iam.report.findings.results import (
    REQUIREMENT,
    Results,
    count_words,
    file_uri,
    fingerprints,
    in_order,
    relative,
    sound,
)
from mantle_iam.report.findings.sarif import sarif
from mantle_iam.report.findings.separated import FINDING_COLUMNS, csv_rows, csv_text
from mantle_iam.report.findings.text import text
from mantle_iam.report.layout import cells, clean

HERE = Path(__file__).parent
CASES = json.loads((HERE / "format_cases.json").read_text("utf-8"))
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
    golden(f"report/findings/{name}.{EXTENSIONS[name]}", written(name, RESULTS).replace("\r\n", "\n"))


def test_text_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("report/findings/text.txt", text(RESULTS, width=80))


def test_every_format_has_a_golden() -> None:
    assert list(FORMATS) == list(EXTENSIONS)


def test_colours_change_nothing_but_colours() -> None:
    painted = text(RESULTS, width=80, ansi=Ansi(True))
    assert "\x1b[" in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == text(RESULTS, width=80)


def test_the_mark_is_under_its_column() -> None:
    shown = text(RESULTS, width=80).splitlines()
    number = next(index for index, line in enumerate(shown) if line.endswith("^"))
    # The line begins with a tab, which is one column of the file and four of the excerpt.
    assert shown[number - 1][shown[number].index("^") :].startswith('"bedrock-mantle:InvokeModel"')


@pytest.mark.parametrize(
    "command", ["##[stop-commands]x", "##vso[task.setvariable variable=PATH]x", "##VSO[x]", "::error::x"]
)
def test_text_gives_no_command_to_what_runs_it(command: str) -> None:
    """GitHub's runner and Azure's agent read commands from a job's log; a name in a pull request must not be one."""
    place = Place(f"{command}.json", 1, address=command)
    one = replace(FINDINGS[0], message=command, place=place, policy=command, sid=command, remedy=command)
    made = text(Results((one,), (), texts={place.path: f"  {command}"}), width=80)
    assert not re.search(r"##(\[|vso\[)|^\s*::", made, re.IGNORECASE | re.MULTILINE)


def test_nothing_is_called_clean_that_was_not_read() -> None:
    def last(*inputs: Input) -> str:
        return text(Results((), inputs)).splitlines()[-1]

    assert last(INPUTS[0]) == "no findings"
    assert last(INPUTS[2]) == "nothing was judged: no input could be read"
    assert last(INPUTS[0], INPUTS[2]) == "no findings in what was read; 1 input was not wholly read"
    assert last(INPUTS[2], INPUTS[3]) == "no findings in what was read; 2 inputs were not wholly read"


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("column", [1, 30, 61, 500, 5000])
@pytest.mark.parametrize("fill", ["x", "\t", "\u202e", "\U0001f511", "全"])
def test_an_excerpt_fits_and_its_mark_is_under_the_column(width: int, column: int, fill: str) -> None:
    line = fill * (column - 1) + "HERE" + fill * 300
    one = replace(FINDINGS[0], place=Place("a.json", 1, column), remedy="", reference="", policy="", message="m")
    shown = text(Results((one,), texts={"a.json": line}), width=width).splitlines()
    excerpt, mark = (line for line in shown if "|" in line)
    assert max(map(cells, shown)) <= width
    assert cells(excerpt[: excerpt.index("HERE")]) == mark.index("^")
    assert excerpt.endswith("…")


def test_an_excerpt_fits_when_it_was_made_harmless() -> None:
    one = replace(FINDINGS[0], place=Place("a.json", 1, 1), remedy="", reference="", policy="", message="m")
    shown = text(Results((one,), texts={"a.json": "x##[error]" * 50}), width=60)
    assert max(map(cells, shown.splitlines())) <= 60


# What all formats agree on


@given(results)
def test_every_format_takes_every_name_and_can_be_encoded(given_results: Results) -> None:
    for name in FORMATS:
        written(name, given_results).encode()
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
    rows = csv_rows(written("csv", given_results))
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
    noted = sum(one.status is InputStatus.READ and bool(one.problems) for one in given_results.inputs)
    notes = min(noted, 10) + (noted > 10)
    assert sum(line.startswith("- ") for line in lines) == notes
    assert len(lines) == len(table) + 3 + bool(rows) + bool(unread) + (notes + 3 if notes else 0)
    assert ("not wholly read" in lines[2]) is bool(unread)


def test_what_is_to_be_said_of_what_was_read_is_said_and_bounded() -> None:
    said = ("passed over: `x`", *"abcdef")
    inputs = tuple(Input(f"a`{number}.yaml", InputStatus.READ, "other", said) for number in range(12))
    shown = text(Results((), (*INPUTS, *inputs)), width=100).splitlines()
    begin = shown.index("Notes")
    assert shown[begin + 1] == "  - a`0.yaml: passed over: `x`; a; b; c; d; and 2 more"
    assert shown[begin + 11 : -2] == ["  - and 2 more inputs (--output json lists them)"]
    lines = findings_markdown(Results((), (*INPUTS, *inputs))).splitlines()
    begin = lines.index("**Notes**")
    assert lines[begin + 2] == "- <code>a&#96;0.yaml</code>: passed over: <code>x</code>; a; b; c; d; and 2 more"
    assert lines[begin + 12 :] == ["- and 2 more inputs (--output json lists them)"]
    assert "Notes" not in text(Results((), INPUTS)) + findings_markdown(Results((), INPUTS))


def test_prose_turns_quotes_into_code() -> None:
    assert prose("`a|b` is not `c`, is it") == "<code>a&#124;b</code> is not <code>c</code>, is it"
    assert prose("one ` alone") == "one &#96; alone"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://e.example/>x", "https://e.example/ x", "", "data:,x"])
def test_no_link_to_what_is_no_web_address(url: str) -> None:
    assert link("a", url) == "a"
    assert link("a", "https://e.example/x#y") == "[a](<https://e.example/x#y>)"


@pytest.mark.parametrize("limit", [300, 500, 900, 1200])
def test_markdown_is_cut_at_its_limit_and_says_so(limit: int) -> None:
    whole = findings_markdown(RESULTS, limit=100_000)
    cut = findings_markdown(RESULTS, limit=limit)
    assert len(cut.encode()) <= limit < len(whole.encode())
    left = int(re.search(r"and (\d+) more lines", cut).group(1))
    assert left == sum(map(bool, whole.splitlines())) - sum(map(bool, cut.splitlines())) + 1
    assert findings_markdown(RESULTS) == whole


def test_markdown_fits_in_a_comment_with_the_worst_first() -> None:
    many = tuple(replace(FINDINGS[number % 5], message=f"finding {number}") for number in range(2000))
    made = findings_markdown(replace(RESULTS, findings=many))
    assert 60_000 < len(made) <= COMMENT
    rows = [line for line in made.splitlines() if line.startswith("| error")]
    assert len(rows) > 100
    assert "| info" not in made
    assert made.splitlines()[2] == "800 errors, 800 warnings, 400 notes; 2 inputs not wholly read"


# GitHub annotations


@pytest.mark.parametrize("case", CASES["annotations"], ids=lambda case: case["line"])
def test_annotation_escaping(case: dict[str, Any]) -> None:
    finding = Finding(case["rule"], Severity.ERROR, Certainty.HIGH, case["message"], Place(case["path"], 2, 3))
    assert written("github", Results((finding,))) == case["line"] + "\n"


@given(results)
def test_annotations_are_commands_and_nothing_else(given_results: Results) -> None:
    lines = written("github", given_results).split("\n")
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


def test_what_a_step_does_not_show_is_said() -> None:
    many = Results(tuple(replace(FINDINGS[0], message=str(number)) for number in range(SHOWN + 1)))
    *commands, last = written("github", many).splitlines()
    assert len([read(line) for line in commands]) == SHOWN + 1
    assert last == "11 annotations, of which a step shows 10 of each level: the worst are first"
    assert written("github", replace(many, findings=many.findings[1:])).count("\n") == SHOWN


# GitLab


@given(results)
def test_gitlab_report_has_the_documented_shape(given_results: Results) -> None:
    report = json.loads(written("gitlab", given_results))
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
    root = ElementTree.fromstring(written("junit", given_results))
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
    report = junitparser.JUnitXml.fromstring(written("junit", RESULTS).encode())
    assert (report.tests, report.failures, report.errors) == (8, 4, 2)
    (failure,) = next(iter(next(suite for suite in report if suite.name == "policies/app.json"))).result
    assert (failure.type, failure.message) == ("error", FINDINGS[0].message)


def test_severity_that_fails_is_the_callers() -> None:
    def failures(severity: Severity | None) -> int:
        root = ElementTree.fromstring(written("junit", replace(RESULTS, fail_on=severity)))
        return len(root.findall(".//failure"))

    assert [failures(one) for one in (None, Severity.ERROR, Severity.WARNING, Severity.INFO)] == [0, 2, 4, 5]


def test_every_case_of_junit_has_a_name_of_its_own() -> None:
    same = Results((FINDINGS[0], replace(FINDINGS[0], place=Place("./policies/app.json", 9))), INPUTS[:1])
    root = ElementTree.fromstring(written("junit", same))
    (suite,) = root
    names = [case.get("name") for case in suite]
    assert names == ["unknown-action policy app, statement 0", "unknown-action policy app, statement 0 (2)"]
    assert suite.get("name") == "policies/app.json"


@pytest.mark.parametrize(("severity", "failures"), [(Severity.ERROR, 1), (Severity.WARNING, 1), (Severity.INFO, 0)])
def test_a_requirement_that_is_not_met_fails_whatever_findings_do(severity: Severity, failures: int) -> None:
    unmet = replace(FINDINGS[0], rule=f"{REQUIREMENT}apps", severity=severity)
    root = ElementTree.fromstring(written("junit", Results((unmet,), fail_on=None)))
    assert len(root.findall(".//failure")) == failures


# Where the checkout is


@pytest.mark.parametrize("case", CASES["checkouts"], ids=lambda case: f"{case['path']} in {case['folder']}")
def test_services_get_the_path_in_the_checkout(case: dict[str, str]) -> None:
    where = Results((replace(FINDINGS[0], place=Place(case["path"], 2)),), (), root=case["root"], folder=case["folder"])
    assert where.path(case["path"]) == case["named"]
    assert where.uri(Place(case["path"])) == case["uri"]
    assert json.loads(written("gitlab", where))[0]["location"]["path"] == case["named"]
    assert dict(read(written("github", where).splitlines()[0]).properties)["file"] == case["named"]
    (result,) = json.loads(sarif(where))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == case["uri"]
    # What people and programs here read has the name that was given.
    assert json.loads(written("json", where))["findings"][0]["file"] == case["path"]


def test_a_fingerprint_does_not_know_where_the_checkout_is() -> None:
    def mark(path: str, root: str, folder: str) -> str:
        found = (replace(FINDINGS[0], place=Place(path, 2)),)
        document = json.loads(written("json", Results(found, root=root, folder=folder)))
        return str(document["findings"][0]["fingerprint"])

    marks = {
        mark("infra/app.json", "", ""),
        mark("./infra/app.json", "", ""),
        mark("infra/app.json", "/builds/0/repo", "/builds/0/repo"),
        mark("app.json", "/builds/1/repo", "/builds/1/repo/infra"),
        mark("/home/me/repo/infra/app.json", "/home/me/repo", "/home/me/repo/docs"),
    }
    assert len(marks) == 1
    assert mark("/elsewhere/app.json", "/home/me/repo", "/home/me/repo") not in marks


# JSON


@given(results)
def test_json_has_every_field(given_results: Results) -> None:
    document = json.loads(written("json", given_results))
    assert [one["message"] for one in document["findings"]] == [
        sound(one.message) for one in in_order(given_results.findings)
    ]
    assert [one["path"] for one in document["inputs"]] == [sound(one.path) for one in given_results.inputs]
    interface = {"rule", "severity", "confidence", "message", "file", "line", "statement", "remedy", "reference"}
    assert all(interface <= set(one) for one in document["findings"])
