"""Infrastructure code: plans, plain Terraform, CloudFormation, SAM and CDK, with what is not known yet marked and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.locator import located, within
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import UNRESOLVED_KEY, InputStatus, Principal, Purpose
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}]}


def _change(address: str, kind: str, after: Any, unknown: Any = None, **more: Any) -> dict[str, Any]:
    change = {"actions": more.pop("actions", ["create"]), "after": after, "after_unknown": unknown or {}}
    name = address.split("[")[0].rpartition(".")[2] if not more.get("module_address") else more.pop("name")
    return {
        "address": address,
        "mode": more.pop("mode", "managed"),
        "type": kind,
        "name": name,
        "change": change,
        **more,
    }


def _configured(kind: str, name: str, mode: str = "managed", **references: list[str]) -> dict[str, Any]:
    expressions = {key: {"references": value} for key, value in references.items()}
    return {"mode": mode, "type": kind, "name": name, "expressions": expressions}


def _plan(**more: Any) -> dict[str, Any]:
    module = 'module.m["x.y"]'
    statement = {"sid": "A", "effect": None, "actions": ["bedrock-mantle:CreateInference"], "resources": ["x", None]}
    role = {"name": "app", "path": "/", "assume_role_policy": TRUST}
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {}},
        "resource_changes": [
            _change(
                f"{module}.aws_iam_role.r[0]",
                "aws_iam_role",
                role,
                {"arn": True, "inline_policy": True, "managed_policy_arns": True},
                module_address=module,
                name="r",
                index=0,
            ),
            _change("aws_iam_policy.p", "aws_iam_policy", {"name": "p"}, {"arn": True, "policy": True}),
            _change(
                "data.aws_iam_policy_document.d",
                "aws_iam_policy_document",
                {"statement": [statement]},
                {"json": True, "statement": [{"resources": [False, True]}]},
                mode="data",
            ),
            _change(
                "aws_iam_role_policy_attachment.a",
                "aws_iam_role_policy_attachment",
                {"role": "app"},
                {"policy_arn": True},
            ),
            _change("aws_iam_role.gone", "aws_iam_role", None, actions=["delete"]),
            _change(
                "aws_organizations_policy.o", "aws_organizations_policy", {"name": "o", "content": json.dumps(ALLOW)}
            ),
        ],
        "configuration": {
            "root_module": {
                "resources": [
                    _configured("aws_iam_policy", "p", policy=["data.aws_iam_policy_document.d.json"]),
                    _configured(
                        "aws_iam_role_policy_attachment",
                        "a",
                        role=['module.m["x.y"].name', "module.m"],
                        policy_arn=["aws_iam_policy.p.arn", "aws_iam_policy.p"],
                    ),
                ],
                "module_calls": {
                    "m": {
                        "module": {
                            "outputs": {"name": {"expression": {"references": ["aws_iam_role.r[0].name"]}}},
                            "resources": [_configured("aws_iam_role", "r")],
                        }
                    }
                },
            }
        },
        **more,
    }


def _only(value: Any, path: Path, **options: Any) -> Any:
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1), "utf-8")
    return read_inputs([str(path)], **options)


def _decided(principal: Principal, resource: str, action: str = "bedrock-mantle:CreateInference") -> Decision:
    request = AuthorizationRequest(
        principal.arn, action, (resource,), unknown_context=frozenset({UNRESOLVED_KEY}), context={}
    )
    policies = PolicySet(identity=tuple(p.document for p in principal.identity), unknown=principal.unknown)
    return evaluate(request, policies).decision


def test_a_plan_is_followed_through_modules_and_documents(tmp_path: Path) -> None:
    found = _only(_plan(), tmp_path / "plan.json")
    assert [(i.kind, i.status) for i in found.inputs] == [("terraform-plan", InputStatus.READ)]
    (account,) = found.accounts
    (role,) = account.principals  # the one to be deleted is not there
    assert role.arn.endswith(":role/app")
    (policy,) = role.identity
    assert policy.unresolved == ("/Statement/0/Resource/1",)
    assert role.unknown == frozenset()
    assert [(p.name, p.purpose) for p in found.policies] == [("o", Purpose.SCP)]


def test_what_is_known_after_apply_is_unknown_and_the_rest_is_not(tmp_path: Path) -> None:
    (role,) = _only(_plan(), tmp_path / "plan.json").accounts[0].principals
    assert _decided(role, "x") is Decision.ALLOWED
    assert _decided(role, "y") is Decision.UNKNOWN
    assert _decided(role, "y", "bedrock-mantle:GetModel") is Decision.IMPLICIT_DENY


def test_an_attachment_to_a_role_outside_of_the_plan(tmp_path: Path) -> None:
    plan = _plan()
    plan["resource_changes"][3]["change"]["after"]["role"] = "elsewhere"
    principals = {p.arn.rpartition("/")[2]: p for p in _only(plan, tmp_path / "p.json").accounts[0].principals}
    assert PolicyType.IDENTITY in principals["elsewhere"].unknown
    assert principals["app"].identity == ()


def test_a_plan_of_an_unfinished_run_is_partial(tmp_path: Path) -> None:
    assert _only(_plan(errored=True), tmp_path / "p.json").inputs[0].status is InputStatus.PARTIAL


CODE = """
locals {
  actions = concat(["bedrock-mantle:CreateInference"], ["bedrock-mantle:Get*"])
  account = data.aws_caller_identity.current.account_id
}
variable "region" {}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = local.actions
    resources = ["arn:aws:bedrock-mantle:us-east-1:${local.account}:project/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalTag/a"
      values   = ["&{aws:username}"]
    }
  }
  statement {
    actions   = ["bedrock-mantle:ListModels"]
    resources = ["arn:aws:bedrock-mantle:${var.region}:1:project/*"]
  }
}
resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}
resource "aws_iam_policy" "p" {
  policy = data.aws_iam_policy_document.d.json
}
resource "aws_iam_role_policy_attachment" "a" {
  role       = aws_iam_role.r.name
  policy_arn = aws_iam_policy.p.arn
}
resource "aws_iam_role_policy" "h" {
  role   = aws_iam_role.r.id
  policy = <<-EOT
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]}
  EOT
}
"""


def test_plain_code_is_read_with_lines(tmp_path: Path) -> None:
    found = _only(CODE, tmp_path / "main.tf", parameters={"AWS::AccountId": "111122223333"})
    assert found.inputs[0].status is InputStatus.READ, found.inputs
    (role,) = found.accounts[0].principals
    assert role.arn == "arn:aws:iam::111122223333:role/r"
    by_effect = {p.document.statements[0].effect.value: p for p in role.identity}
    policy = by_effect["Allow"]
    first = policy.document.statements[0]
    assert first.actions == ("bedrock-mantle:CreateInference", "bedrock-mantle:Get*")
    assert first.resources == ("arn:aws:bedrock-mantle:us-east-1:111122223333:project/*",)
    assert first.conditions[0].values == ("${aws:username}",)
    assert policy.unresolved == ("/Statement/1/Resource/0",)
    lines = CODE.split("\n")
    assert lines[(within(policy, "/Statement/1/Action").line or 0) - 1].strip().startswith("actions   = [")
    assert lines[(within(policy, "/Statement/1/Effect").line or 0) - 1].strip() == "statement {"
    assert lines[(by_effect["Deny"].place.line or 0) - 1].strip() == "policy = <<-EOT"
    given = _only(CODE, tmp_path / "main.tf", parameters={"region": "eu-west-1"})
    assert all(p.unresolved == () for p in given.accounts[0].principals[0].identity)


def test_code_that_runs_in_a_circle_is_unknown(tmp_path: Path) -> None:
    code = 'locals {\n  a = local.b\n  b = local.a\n}\nresource "aws_iam_policy" "p" {\n  policy = local.a\n}\n'
    found = _only(code, tmp_path / "main.tf")
    assert found.inputs[0].status is InputStatus.PARTIAL


def test_a_file_outside_of_the_module_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(ALLOW), "utf-8")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "own.json").write_text(json.dumps(ALLOW), "utf-8")
    code = 'resource "aws_iam_policy" "p" {\n  policy = file("%s")\n}\n'
    own = _only(code % "${path.module}/own.json", tmp_path / "m" / "main.tf")
    assert [p.document.statements[0].actions for p in own.policies] == [("bedrock-mantle:*",)]
    assert _only(code % "../secret.json", tmp_path / "m" / "main.tf").policies == ()


TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Model: {Type: String, Default: openai.gpt-oss-120b}
  Env: {Type: String}
Conditions:
  Prod: !Equals [!Ref Env, prod]
Resources:
  App:
    Type: AWS::IAM::Role
    Properties:
      RoleName: app
      ManagedPolicyArns: [!Ref Managed]
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - Effect: Allow
                Action: bedrock-mantle:CreateInference
                Resource: !Sub "arn:${AWS::Partition}:bedrock-mantle:${AWS::Region}:${AWS::AccountId}:project/*"
                Condition: {StringEquals: {"bedrock-mantle:Model": !Ref Model}}
              - !If [Prod, {Effect: Deny, Action: "iam:*", Resource: "*"}, !Ref AWS::NoValue]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Version: '2012-10-17', Statement: {Effect: Allow, Action: 'bedrock-mantle:Get*', Resource: '*'}}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement: [{Effect: Allow, Action: 'bedrock-mantle:CallWithBearerToken', Resource: '*'}]
"""
GIVEN = {"AWS::Region": "us-east-1", "AWS::AccountId": "111122223333", "Env": "prod"}


def test_a_template_with_its_parameters(tmp_path: Path) -> None:
    found = _only(TEMPLATE, tmp_path / "t.yaml", parameters=GIVEN)
    assert [(i.kind, i.status) for i in found.inputs] == [("cloudformation", InputStatus.READ)]
    app, function = found.accounts[0].principals
    assert app.arn == "arn:aws:iam::111122223333:role/app"
    inline, managed = app.identity
    allow, deny = inline.document.statements
    assert allow.resources == ("arn:aws:bedrock-mantle:us-east-1:111122223333:project/*",)
    assert allow.conditions[0].values == ("openai.gpt-oss-120b",)
    assert deny.effect.value == "Deny"
    assert inline.unresolved == ()
    assert managed.document.statements[0].actions == ("bedrock-mantle:Get*",)
    assert function.arn.endswith("role/FnRole")
    place = within(inline, "/Statement/0/Action")
    line = located([place])[place].line or 0
    assert TEMPLATE.split("\n")[line - 1].strip() == "Action: bedrock-mantle:CreateInference"


def test_a_template_without_them_is_unknown_where_it_must_be(tmp_path: Path) -> None:
    app = _only(TEMPLATE, tmp_path / "t.yaml").accounts[0].principals[0]
    assert [pointer[:12] for pointer in app.identity[0].unresolved] == ["/Statement/0", "/Statement/1"]
    assert app.unknown == frozenset()
    assert _decided(app, "*", "iam:GetRole") is Decision.IMPLICIT_DENY  # whether there is a Deny besides or not
    assert _decided(app, "*", "bedrock-mantle:GetModel") is Decision.ALLOWED
    other = _only(TEMPLATE, tmp_path / "t.yaml", parameters={**GIVEN, "Env": "test"}).accounts[0].principals[0]
    assert other.unknown == frozenset()
    assert len(other.identity[0].document.statements) == 1


def test_a_cdk_assembly_gives_its_environment(tmp_path: Path) -> None:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    resource = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyName": "p", "Roles": ["old"], "PolicyDocument": ALLOW},
    }
    (folder / "App.template.json").write_text(json.dumps({"Resources": {"P": resource}}), "utf-8")
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://111122223333/us-east-1",
        "properties": {"templateFile": "App.template.json"},
    }
    hostile = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "../secret.json"}}
    manifest = {"version": "36.0.0", "artifacts": {"App": stack, "Evil": hostile}}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "cdk.out").write_text("{}", "utf-8")
    found = read_inputs([str(tmp_path)])
    assert found.accounts[0].principals[0].arn == "arn:aws:iam::111122223333:role/old"
    assert [(i.kind, i.status) for i in found.inputs] == [("cdk-assembly", InputStatus.PARTIAL)]
    assert "Evil" in " ".join(found.inputs[0].problems)
