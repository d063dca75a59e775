"""Every case of ``cases/*.json``: what AWS documents or was recorded to do, as data.

Kinds of case: ``condition`` (whether a Condition block ``holds``), ``element`` (whether a pattern ``matches``) and
``request`` (a line of ``mantle-iam evaluate`` and what to ``expect`` of its answer).  ``point`` is a row of the table of
points below; the last test sees to it that each has cases enough.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.request_json import read_question, result_object

CASES = Path(__file__).parent / "cases"
ARN = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
USER = "arn:aws:iam::111122223333:user/ada"
ALLOW_ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
AS_ALLOW = {True: "allowed", False: "implicitDeny", "unknown": "unknown"}
AS_DENY = {True: "explicitDeny", False: "allowed", "unknown": "unknown"}

POINTS = {
    **{str(number): f"row {number} of the table of evaluation points" for number in range(1, 35)},
    "more-conversion": "numbers and dates of the request that cannot be converted; exact decimals",
    "more-arn": "a malformed ARN that a variable put into a Deny",
    "more-ip": "IPv4 with leading zeros, mapped addresses, IPv6 networks with host bits",
    "more-newline": "`*` matches across newlines",
    "more-utf16": "`?` counts UTF-16 code units",
    "more-several": "actions on two resource types need an Allow on every ARN",
    "more-rcp": "no resource control policy binds bedrock-mantle",
    "more-session": "a resource-based policy that names a session ARN is not limited by the session policy",
    "more-prefix": "the action prefix minds no case",
    "more-region": "aws:RequestedRegion on Mantle calls is contested",
    "basic": "deny by default, forbid trumps permit, one layer at a time",
    "three": "unknown keys and layers",
    "derived": "keys that follow from principal and resource",
}


def _load() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.json")):
        file = json.loads(path.read_text("utf-8"))
        for index, case in enumerate(file["cases"]):
            merged = {**file.get("defaults", {}), **case, "documents": file.get("documents", {})}
            found.append(pytest.param(merged, id=f"{path.stem}-{index}-{case['name']}"))
    return found


ALL = _load()


def _ask(line: dict[str, Any]) -> dict[str, Any]:
    question = read_question(json.dumps({"id": 1, **line}))
    return result_object(evaluate(question.request, question.policies))


def _statement_both_ways(case: dict[str, Any], statement: dict[str, Any], expected: Any, line: dict[str, Any]) -> None:
    """The statement as the only Allow, and as a Deny beside an Allow of everything."""
    version = case.get("version", "2012-10-17")
    head = {} if version is None else {"Version": version}
    for effect, table in (("Allow", AS_ALLOW), ("Deny", AS_DENY)):
        document = {**head, "Statement": {**statement, "Effect": effect}}
        identity = [document] if effect == "Allow" else [ALLOW_ALL, document]
        line["policies"] = {"identity": identity}
        answer = _ask(line)
        assert answer["decision"] == table[expected], (effect, document)
        if "depends_on" in case:
            assert answer["depends_on"] == case["depends_on"]


def _line(case: dict[str, Any]) -> dict[str, Any]:
    line = {
        "principal": case.get("principal", USER),
        "action": case.get("action", "bedrock-mantle:CreateInference"),
        "resource": ARN,
        "context": case.get("context", {}),
        "unknown": {"context": case.get("unknown", [])},
    }
    return {**line, "issuer": case["issuer"]} if "issuer" in case else line


@pytest.mark.parametrize("case", [case for case in ALL if "condition" in case.values[0]])
def test_condition(case: dict[str, Any]) -> None:
    statement = {"Action": "*", "Resource": "*", "Condition": case["condition"]}
    _statement_both_ways(case, statement, case["holds"], _line(case))


@pytest.mark.parametrize("case", [case for case in ALL if "element" in case.values[0]])
def test_element(case: dict[str, Any]) -> None:
    line = _line(case)
    line["action" if case["element"].endswith("Action") else "resource"] = case["asked"]
    statement = {"Action": "*", "Resource": "*", case["element"]: case["patterns"]}
    if case["element"].startswith("Not"):
        del statement[case["element"].removeprefix("Not")]
    _statement_both_ways(case, statement, case["matches"], line)


@pytest.mark.parametrize("case", [case for case in ALL if "request" in case.values[0]])
def test_request(case: dict[str, Any]) -> None:
    line = {"principal": USER, "action": "bedrock-mantle:CreateInference", "resource": ARN, **case["request"]}
    line["policies"] = _put_documents(line.get("policies", {}), case["documents"])
    answer = _ask(line)
    expect = dict(case["expect"])
    if "determining" in expect:
        answer["determining"] = [_short(ref) for ref in answer["determining"]]
    assert {name: answer[name] for name in expect} == expect


def _put_documents(value: Any, documents: dict[str, Any]) -> Any:
    """``"@name"`` stands for a document of the file."""
    if isinstance(value, str) and value.startswith("@"):
        return documents[value[1:]]
    if isinstance(value, list):
        return [_put_documents(item, documents) for item in value]
    if isinstance(value, dict):
        return {key: _put_documents(item, documents) for key, item in value.items()}
    return value


def _short(ref: dict[str, Any]) -> str:
    level = f"[{ref['level']}]" if "level" in ref else ""
    return f"{ref['policy_type']}{level}/{ref['document']}/{ref['statement']}/{ref['sid']}"


def test_every_point_has_two_cases() -> None:
    count = Counter(str(case.values[0]["point"]) for case in ALL)
    assert not set(count) - set(POINTS), "a case names a point that is not in the table"
    assert [point for point in POINTS if count[point] < 2 and point not in IN_CODE] == []


IN_CODE = {"31", "33", "34"}
"""Points about documents rather than decisions; ``test_grammar.py`` and ``test_validation.py`` hold their cases."""
