"""Files of other tools beside policies: no error in a folder, told in its input, refused where they are named."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from mantle_iam.cli.main import cli
from mantle_iam.collect.fields import holds_policy
from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.locator import located, within
from mantle_iam.iam.inventory import InputStatus

ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}]}
OTHERS: tuple[tuple[str, Any, str], ...] = (
    ("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "Kubernetes"),
    ("w.yml", "on: push\njobs: {a: {runs-on: x}}\n", "GitHub workflow"),
    ("p.json", [{"ParameterKey": "Env", "ParameterValue": "prod"}], "--parameter"),
    ("api.json", {"openapi": "3.1.0", "paths": {}}, "OpenAPI"),
)


@pytest.mark.parametrize(("name", "content", "says"), OTHERS)
def test_another_tools_file(name: str, content: Any, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    (tmp_path / "policy.json").write_text(json.dumps(ALLOW), "utf-8")
    found = read_inputs([str(tmp_path)])
    by_name = {Path(one.path).name: one for one in found.inputs}
    assert by_name[name].status is InputStatus.READ, by_name[name]
    assert says in " ".join(by_name[name].problems)
    assert len(found.policies) == 1
    (alone,) = read_inputs([str(tmp_path / name)]).inputs
    assert alone.status is InputStatus.FAILED
    assert says in " ".join(alone.problems)


@pytest.mark.parametrize(
    "misspelt", [{"Version": "2012-10-17", "Statment": []}, {"kind": "x", "apiVersion": "v1", "Statement": 7}]
)
def test_what_may_be_a_policy_is_an_error_all_the_same(misspelt: Any, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(misspelt), "utf-8")
    assert [one.status for one in read_inputs([str(tmp_path)]).inputs] == [InputStatus.FAILED]


TEXT = json.dumps(ALLOW)
HOLDING: tuple[tuple[str, Any, str], ...] = (
    ("iam.services.k8s.aws/v1alpha1", {"kind": "Policy", "spec": {"policyDocument": TEXT}}, "Kubernetes controller"),
    ("iam.aws.crossplane.io/v1beta1", {"kind": "Policy", "spec": {"document": TEXT}}, "Kubernetes controller"),
    ("iam.aws.upbound.io/v1beta1", {"kind": "RolePolicyAttachment", "spec": {}}, "Kubernetes controller"),
    ("v1", {"kind": "ConfigMap", "data": {"p.json": TEXT}}, "a Kubernetes manifest that holds a policy"),
    ("v1", {"kind": "List", "items": [{"data": [json.dumps(TEXT)]}]}, "that holds a policy"),
    ("", {"services": {}, "Policy": ALLOW}, "a Compose file that holds a policy"),
    ("", {"version": "1", "rules": [{"must": "allow"}], "Policy": ALLOW}, "none of the kinds"),
    ("", {"version": "1", "rules": [ALLOW]}, "none of the kinds"),
    ("", {"version": "2.1.0", "runs": [], "Policy": {"x": quote(TEXT)}}, "none of the kinds"),
    ("", {"schema_version": "1", "findings": [], "inputs": [], "extra": ALLOW}, "none of the kinds"),
)


@pytest.mark.parametrize(("version", "content", "says"), HOLDING)
def test_a_policy_in_what_would_be_passed_over_is_not_lost(
    version: str, content: Any, says: str, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"apiVersion": version, **content} if version else content), "utf-8")
    (tmp_path / "q.json").write_text(TEXT, "utf-8")
    first = next(one for one in read_inputs([str(tmp_path)]).inputs if one.path.endswith("p.json"))
    assert first.status is InputStatus.FAILED
    assert says in first.problems[0]
    found = CliRunner().invoke(cli, ["lint", str(tmp_path)], standalone_mode=False)
    assert (found.return_value == 3) is ("spec" not in content or bool(content["spec"])), found.output


def test_iam_of_another_cloud_is_another_tools_file(tmp_path: Path) -> None:
    manifest = {"apiVersion": "iam.cnrm.cloud.google.com/v1beta1", "kind": "IAMServiceAccount"}
    (tmp_path / "p.json").write_text(json.dumps(manifest), "utf-8")
    assert [one.status for one in read_inputs([str(tmp_path)]).inputs] == [InputStatus.READ]


@pytest.mark.parametrize("wide", [True, False])
def test_looking_for_policies_is_quick(wide: bool) -> None:
    value: Any = [{"a": ["x" * 100]}] * 300_000 if wide else "x"
    for _ in range(0 if wide else 100_000):
        value = [value]
    began = time.monotonic()
    assert not holds_policy(value)
    assert holds_policy([value, {"b": [ALLOW]}])
    assert time.monotonic() - began < 10


TEMPLATE = """\
Conditions: {C: !Equals [!Ref E, x]}
Resources:
  P:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - !Ref AWS::NoValue
          - !If [C, {Effect: Deny, Action: a:b, Resource: '*'}, {Effect: Deny, Action: a:c, Resource: '*'}]
          - Effect: Allow
            Action: a:d
            Resource: '*'
"""


def test_statements_that_are_not_there_move_no_other(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TEMPLATE, "utf-8")
    (policy,) = read_inputs([str(tmp_path / "t.yaml")]).policies
    assert [one.actions for one in policy.document.statements] == [("a:b",), ("a:c",), ("a:d",)]
    places = [within(policy, f"/Statement/{index}/Action") for index in range(3)]
    assert [located([place])[place].line for place in places] == [10, 10, 12]


def test_a_stage_whose_manifest_is_missing_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}}
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "A.template.json", "stackName": "real"}}
    (folder / "manifest.json").write_text(
        json.dumps({"version": "55.0.0", "artifacts": {"Prod": stage, "A": stack}}), "utf-8"
    )
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Ref": "AWS::StackName"}}}
    (folder / "A.template.json").write_text(json.dumps({"Resources": {"R": role}}), "utf-8")
    found = read_inputs([str(folder)])
    assert [one.status for one in found.inputs] == [InputStatus.PARTIAL]
    assert "assembly-Prod" in " ".join(found.inputs[0].problems)
    assert [one.arn.rpartition("/")[2] for one in found.accounts[0].principals] == ["real"]
