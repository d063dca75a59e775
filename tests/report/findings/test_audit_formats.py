"""A real audit in every format: what the matrix says is what the audit answered, and no unmet requirement is missing."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from page_samples import template

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.findings import Finding, Severity
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.requirements import read_rules
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Principal
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.report.audit_grid import grid_row
from mantle_iam.report.findings import FORMATS, written
from mantle_iam.report.findings.grid import Grid, Standing, csv_header, csv_row, grid_markdown
from mantle_iam.report.findings.html import html
from mantle_iam.report.findings.matrix import requirement_findings
from mantle_iam.report.findings.results import REQUIREMENT, Results
from mantle_iam.report.findings.separated import csv_rows
from mantle_iam.workflow.audit import audit, columns

ROLE = "arn:aws:iam::111122223333:role/"


def _policy(effect: str, **condition: Any) -> NamedPolicy:
    statement = {"Sid": "Mine", "Effect": effect, "Action": "bedrock-mantle:*", "Resource": "*", **condition}
    document = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return NamedPolicy("own", document, place=Place("dump.json", 4))


ADDRESS = {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
ACCOUNT = Account(
    "111122223333",
    principals=(
        Principal(f"{ROLE}open", (_policy("Allow"),)),
        Principal(f"{ROLE}shut", (_policy("Deny"),)),
        Principal(f"{ROLE}near", (_policy("Allow", **ADDRESS),)),
        Principal(f"{ROLE}none"),
        Principal(f"{ROLE}dark", (_policy("Allow"),), unknown=frozenset({PolicyType.PERMISSIONS_BOUNDARY})),
    ),
)
RULES = {
    "version": 1,
    "rules": [
        {
            "name": "all infer",
            "must": "allow",
            "principals": f"{ROLE}*",
            "capabilities": "infer",
            "auth": "sigv4",
            "reason": "the service needs it",
        },
        {
            "name": "nobody lists",
            "must": "not-allow",
            "principals": f"{ROLE}open",
            "actions": "bedrock-mantle:ListModels",
        },
        {"name": "ghosts", "must": "allow", "principals": f"{ROLE}ghost", "capabilities": "infer"},
        {"name": "met", "must": "allow", "principals": f"{ROLE}open", "capabilities": "list-models"},
    ],
}


@pytest.fixture(scope="module")
def audited() -> tuple[Grid, list[dict[str, Any]]]:
    plan = Plan(Wanted(("list-models", "infer"), auths=(AuthMethod.SIGV4,)), read_rules(RULES))
    made = audit(plan, (ACCOUNT,))
    grid = Grid(columns(plan), tuple(grid_row(row.arn, row.account, row.shape) for row in made.rows))
    return grid, made.requirements()


def test_the_grid_is_what_was_answered(audited: tuple[Grid, list[dict[str, Any]]]) -> None:
    grid, _ = audited
    assert grid.columns == ("list-models", "infer")
    found = {row.principal.removeprefix(ROLE): row.cells[1] for row in grid.rows}
    assert {name: cell.standing for name, cell in found.items()} == {
        "open": Standing.YES,
        "shut": Standing.NO,
        "near": Standing.DEPENDS,
        "none": Standing.NO,
        "dark": Standing.UNKNOWN,
    }
    assert "own" in found["open"].detail
    assert "Mine" in found["shut"].detail
    assert found["none"].detail.startswith("identity")
    assert "sourceip" in found["near"].detail.lower()
    assert found["dark"].detail == PolicyType.PERMISSIONS_BOUNDARY.value


def test_every_unmet_requirement_is_a_finding(audited: tuple[Grid, list[dict[str, Any]]]) -> None:
    _, requirements = audited
    found = requirement_findings(requirements)
    by_rule: dict[str, list[Finding]] = {}
    for one in found:
        by_rule.setdefault(one.rule.removeprefix(REQUIREMENT), []).append(one)
    assert set(by_rule) == {"all infer", "nobody lists", "ghosts"}, "a rule that is met is no finding"
    infer = {one.principal.removeprefix(ROLE): one for one in by_rule["all infer"]}
    assert {name: one.severity for name, one in infer.items()} == {
        "shut": Severity.ERROR,
        "none": Severity.ERROR,
        "near": Severity.WARNING,
        "dark": Severity.WARNING,
    }
    assert "(required: the service needs it)" in infer["none"].message
    assert "bedrock-mantle:CreateInference" in infer["none"].remedy
    assert (infer["shut"].place.path, infer["shut"].place.line, infer["shut"].sid) == ("dump.json", 4, "Mine")
    (listed,) = by_rule["nobody lists"]
    assert listed.remedy.startswith("remove identity policy `own` statement `Mine`")
    assert "`arn:aws:iam::111122223333:role/ghost`" in by_rule["ghosts"][0].message


def test_what_is_not_listed_is_counted(audited: tuple[Grid, list[dict[str, Any]]]) -> None:
    _, requirements = audited
    cut = {**requirements[0], "shortfalls": requirements[0]["shortfalls"][:1]}
    assert [one.message for one in requirement_findings([cut])][1:] == [
        "3 more principals do not meet it or are not known to, which are not listed one by one"
    ]
    # Several answers of one principal are listed: principals are what is counted.
    short = requirements[0]["shortfalls"][0]
    twice = {**requirements[0], "failed": 2, "undecided": 0, "shortfalls": [short, short]}
    assert requirement_findings([twice])[-1].message.startswith("1 more principals")


def test_a_pattern_that_matches_nobody_beside_one_that_does_is_a_finding(
    audited: tuple[Grid, list[dict[str, Any]]],
) -> None:
    _, requirements = audited
    assert (
        "matches `*:role/typo`" in requirement_findings([{**requirements[0], "unmatched": ["*:role/typo"]}])[0].message
    )


def test_the_matrix_formats_have_every_principal(audited: tuple[Grid, list[dict[str, Any]]]) -> None:
    grid, requirements = audited
    rows = csv_rows(csv_header(grid.columns) + "".join(map(csv_row, grid.rows)))
    assert [row[4] for row in rows[1:]] == ["yes", "no", "depends", "no", "unknown"]
    page = html(Results(requirement_findings(requirements)), template, grid=grid)
    for text in (grid_markdown(grid, Results(())), page):
        assert all(row.principal in text for row in grid.rows)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_unmet_requirements(name: str, audited: tuple[Grid, list[dict[str, Any]]]) -> None:
    _, requirements = audited
    results = Results(requirement_findings(requirements))
    text = written(name, results)
    if name == "junit":
        assert len(ElementTree.fromstring(text).findall(".//failure")) == len(results.findings)
    elif name == "sarif":
        assert len(json.loads(text)["runs"][0]["results"]) == len(results.findings)
    else:
        assert all(f"{ROLE}{who}" in text for who in ("shut", "none", "near", "dark"))
