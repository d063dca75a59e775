"""CloudFormation and SAM, as a table: what a template is read as, and what of it stays unknown.

``doc:Get*`` in a case stands for a document that allows ``bedrock-mantle:Get*``; ``null`` for a policy whose text is let be.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.locator import located
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import UNRESOLVED_KEY, InputStatus, NamedPolicy, Place, Principal
from mantle_iam.iam.policy import Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.workflow.audit_inputs import managed_documents

TABLE = json.loads((Path(__file__).parent / "template_cases.json").read_text("utf-8"))
CASES = [pytest.param(case, id=f"{group}-{case['id']}") for group, cases in TABLE.items() for case in cases]


def _written(value: Any) -> str:
    """A text (as lines) or a value of the table, with its documents written out."""
    text = "\n".join(value) if isinstance(value, list) else json.dumps(value, indent=1)
    for quote in ("'", '"'):
        head, *rest = text.split(f"{quote}doc:")
        for part in rest:
            action, _, after = part.partition(quote)
            statement = {"Effect": "Allow", "Action": f"bedrock-mantle:{action}", "Resource": "*"}
            head += json.dumps({"Version": "2012-10-17", "Statement": [statement]}) + after
        text = head
    return text


def _put(case: dict[str, Any], folder: Path) -> Path:
    for name, content in case.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_written(content), "utf-8")
    path = folder / str(case.get("name") or ("t.yaml" if "yaml" in case else "t.json"))
    path.write_text(_written(case.get("yaml") or case["template"]), "utf-8")
    return path


def _statement(one: Statement) -> str:
    conditions = "".join(f" if {c.operator} {c.key} {','.join(c.values)}" for c in one.conditions)
    return f"{one.effect.value} {','.join(one.actions)} on {','.join(one.resources)}{conditions}"


def _policy(policy: NamedPolicy) -> list[str]:
    return [_statement(one) for one in policy.document.statements]


def _principal(principal: Principal) -> dict[str, Any]:
    found: dict[str, Any] = {policy.name: _policy(policy) for policy in principal.identity}
    assert len(found) == len(principal.identity)
    if principal.boundary is not None:
        found["boundary"] = _policy(principal.boundary)
    if principal.unknown:
        found["?"] = sorted(kind.value for kind in principal.unknown)
    if principal.tags:
        found["tags"] = [f"{key}={value}" for key, value in principal.tags]
    return found


def _shown(found: Gathered) -> dict[str, Any]:
    return {
        principal.arn.partition(":role/")[2].removeprefix("aws-reserved/sso.amazonaws.com/").removeprefix("app/")
        or principal.arn.partition(":user/")[2]: _principal(principal)
        for account in found.accounts
        for principal in account.principals
    }


@pytest.mark.parametrize("case", CASES)
def test_what_a_template_is_read_as(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "outside.yaml").write_text(_written({"Resources": {"Secret": {"Type": "AWS::IAM::Role"}}}), "utf-8")
    path = _put(case, tmp_path / "in")
    found = read_inputs([str(path)], parameters=case.get("parameters", {}), managed=managed_documents())
    (given,) = found.inputs
    shown = _shown(found)
    for name, policies in case["principals"].items():
        for policy in [policy for policy, text in policies.items() if text is None]:
            assert shown[name].pop(policy)
    wanted = {
        name: {policy: text for policy, text in policies.items() if text is not None}
        for name, policies in case["principals"].items()
    }
    assert shown == wanted, given
    assert sorted(policy.name for policy in found.policies) == sorted(case.get("loose", []))
    assert given.status is InputStatus(case.get("status", "read")), given
    assert given.documents_read is case.get("documents_read", given.documents_read)
    assert [part for part in case.get("says", ()) if part not in " ".join(given.problems)] == [], given
    assert [policy.name for account in found.accounts for policy in account.endpoints] == case.get("endpoints", [])
    assert [kind.value for account in found.accounts for kind in account.unknown] == case.get("unknown", [])
    _check_places(case.get("places", {}), found, tmp_path / "in")


def _check_places(wanted: dict[str, str], found: Gathered, folder: Path) -> None:
    policies = [p for account in found.accounts for principal in account.principals for p in principal.identity]
    places = located(policy.place for policy in policies)
    shown = {policy.name: places[policy.place] for policy in policies}
    assert {name: _at(shown[name], folder) for name in wanted} == wanted


def _at(place: Place, folder: Path) -> str:
    return f"{Path(place.path).relative_to(folder).as_posix()}:{place.line}:{place.column}"


def test_every_document_has_a_place(tmp_path: Path) -> None:
    """Wherever a policy was found, its place is its own text, not its owner's."""
    for number, case in enumerate(case for cases in TABLE.values() for case in cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = read_inputs([str(_put(case, folder))], parameters=case.get("parameters", {}))
        for policy in (p for a in found.accounts for principal in a.principals for p in principal.identity):
            if policy.place.path and "TemplateBody" not in policy.place.pointer:
                place = located([policy.place])[policy.place]
                text = Path(place.path).read_text("utf-8").split("\n")[(place.line or 0) - 1][(place.column or 0) - 1 :]
                assert text[:1] in "{&V", (case["id"], policy.name, text)


@pytest.mark.parametrize(
    ("perhaps", "decision"), [("Deny", Decision.UNKNOWN), ("Allow", Decision.ALLOWED), (None, Decision.ALLOWED)]
)
def test_a_statement_that_may_not_be_there_makes_nothing_else_unknown(
    perhaps: str | None, decision: Decision, tmp_path: Path
) -> None:
    statements: list[Any] = [{"Effect": "Allow", "Action": "bedrock-mantle:Get*", "Resource": "*"}]
    if perhaps is not None:
        other = {"Effect": perhaps, "Action": "bedrock-mantle:GetModel", "Resource": "*"}
        statements.append({"Fn::If": ["C", other, {"Ref": "AWS::NoValue"}]})
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
    conditions = {"C": {"Fn::Equals": [{"Ref": "E"}, "x"]}}
    template = {"Parameters": {"E": {"Type": "String"}}, "Conditions": conditions, "Resources": {"R": role}}
    (tmp_path / "t.json").write_text(json.dumps(template), "utf-8")
    (found,) = read_inputs([str(tmp_path / "t.json")]).accounts[0].principals
    policies = PolicySet(tuple(one.document for one in found.identity), unknown=found.unknown)

    def decided(action: str) -> Decision:
        unknown = frozenset({UNRESOLVED_KEY})
        return evaluate(AuthorizationRequest(found.arn, action, ("x",), unknown_context=unknown), policies).decision

    assert decided("bedrock-mantle:GetModel") is decision
    assert decided("bedrock-mantle:GetProject") is Decision.ALLOWED
    assert decided("bedrock-mantle:DeleteProject") is Decision.IMPLICIT_DENY


@pytest.mark.parametrize("names", [("a.yaml", "z.json"), ("z.yaml", "a.json")])
def test_a_nested_template_in_a_folder_is_read_once(names: tuple[str, str], tmp_path: Path) -> None:
    inner, outer = names
    (tmp_path / inner).write_text("Resources: {R: {Type: AWS::IAM::Role}}\n", "utf-8")
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": f"./{inner}"}}
    (tmp_path / outer).write_text(json.dumps({"Resources": {"Child": stack}}), "utf-8")
    found = read_inputs([str(tmp_path)])
    assert [one.arn.rpartition(":role/")[2] for account in found.accounts for one in account.principals] == ["Child/R"]
    assert {one.status for one in found.inputs} == {InputStatus.READ}


def _hostile(name: str) -> dict[str, Any]:
    role = {"Type": "AWS::IAM::Role", "Properties": {}}
    if name == "names of names":
        names = {
            f"R{n}": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Fn::Sub": f"${{R{n + 1}}}" * 9}}}
            for n in range(300)
        }
        return {"Resources": {**names, "R300": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x" * 60}}}}
    if name == "conditions of conditions":
        conditions: dict[str, Any] = {f"C{n}": {"Fn::And": [{"Condition": f"C{n + 1}"}] * 9} for n in range(100)}
        return {"Conditions": conditions, "Resources": {"R": {**role, "Condition": "C0"}}}
    if name == "loops in loops":
        body: Any = {"R&{A0}&{A1}&{A2}&{A3}": role}
        for n in range(4):
            body = {f"Fn::ForEach::L{n}": [f"A{n}", [str(item) for item in range(100)], body]}
        return {"Transform": "AWS::LanguageExtensions", "Resources": body}
    if name == "long texts":
        statement = {"Effect": "Allow", "Action": "a:b", "Resource": {"Fn::Sub": "${P}" * 20_000}}
        policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement] * 50}}
        role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
        return {"Parameters": {"P": {"Default": "x" * 100_000}}, "Resources": {"R": role}}
    text: Any = "x"
    for _ in range(60):
        text = {"Fn::Join": ["", [text]]}
    return {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": text}}}}


@pytest.mark.parametrize(
    "name", ["names of names", "conditions of conditions", "loops in loops", "long texts", "deep functions"]
)
def test_a_hostile_template_takes_no_more_time_than_another(name: str, tmp_path: Path) -> None:
    began = time.monotonic()
    (tmp_path / "t.json").write_text(json.dumps(_hostile(name)), "utf-8")
    (given,) = read_inputs([str(tmp_path / "t.json")]).inputs
    assert time.monotonic() - began < 10
    assert given.kind == "cloudformation", given
