"""Random SAM templates, valid by construction, about what their functions may do with the service."""

from __future__ import annotations

from random import Random
from typing import Any

from agreement import ACTIONS, MODELS, PROJECTS

_ARN = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/"
_MANAGED = (
    "AmazonBedrockMantleInferenceAccess",
    "ReadOnlyAccess",
    "AWSLambdaRole",
    "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly",
    {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonBedrockMantleFullAccess"},
)
_ACTIONS = (*(f"bedrock-mantle:{name}" for name in (*ACTIONS, "Get*", "*")), "*", "s3:GetObject")


def sam_template(random: Random) -> dict[str, Any]:
    """One template."""
    resources: dict[str, Any] = {
        "Shared": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"ManagedPolicyName": "shared", "PolicyDocument": _document(random)},
        },
        "Own": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "own", "AssumeRolePolicyDocument": _document(random)},
        },
    }
    for number in range(random.randint(1, 3)):
        resources[f"F{number}"] = _function(random)
    if random.random() < 0.3:
        resources["More"] = {
            "Type": "AWS::IAM::RolePolicy",
            "Properties": {"PolicyName": "more", "RoleName": {"Ref": "F0Role"}, "PolicyDocument": _document(random)},
        }
        resources["F0"]["Properties"].pop("Role", None)
    template: dict[str, Any] = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {
            "Stage": {"Type": "String", "Default": random.choice(("prod", "dev"))},
            "Told": {"Type": "String"},
            "Project": {"Type": "String", "Default": random.choice(PROJECTS)},
        },
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
            "Vague": {"Fn::Equals": [{"Ref": "Told"}, "x"]},
        },
        "Resources": resources,
    }
    if random.random() < 0.6:
        template["Globals"] = {"Function": _common(random)}
    return template


def _condition(random: Random) -> str:
    return random.choice(("Prod", "NotProd", "Vague"))


def _common(random: Random) -> dict[str, Any]:
    every = {
        "Tracing": random.choice(("Active", "PassThrough", "Disabled")),
        "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]},
        "PermissionsBoundary": random.choice(({"Ref": "Shared"}, "arn:aws:iam::aws:policy/ReadOnlyAccess")),
        "RolePath": "/x/",
        "Tags": {"a": "1"},
    }
    return {name: every[name] for name in random.sample(sorted(every), random.randint(0, 2))}


def _function(random: Random) -> dict[str, Any]:
    properties: dict[str, Any] = {"Handler": "a.b", "Runtime": "python3.13", **_common(random)}
    if random.random() < 0.1:
        properties["Role"] = {"Fn::GetAtt": ["Own", "Arn"]}
    if random.random() < 0.85:
        many = [_policy(random) for _ in range(random.randint(1, 3))]
        properties["Policies"] = many[0] if len(many) == 1 and random.random() < 0.5 else many
    function: dict[str, Any] = {"Type": "AWS::Serverless::Function", "Properties": properties}
    if random.random() < 0.2:
        function["Condition"] = _condition(random)
    return function


def _policy(random: Random) -> Any:
    kind = random.randrange(8)
    if kind < 3:
        return random.choice(_MANAGED)
    if kind == 3:
        return {"SQSPollerPolicy": {"QueueName": "q"}}
    if kind == 4:
        return {"Fn::If": [_condition(random), random.choice(_MANAGED), {"Ref": "AWS::NoValue"}]}
    if kind == 5:
        return {"Ref": "Shared"}
    if kind == 6:
        return {"Statement": _statement(random)}
    return _document(random)


def _document(random: Random) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [_maybe(random) for _ in range(random.randint(1, 2))]}


def _maybe(random: Random) -> Any:
    if random.random() < 0.2:
        return {"Fn::If": [_condition(random), _statement(random), {"Ref": "AWS::NoValue"}]}
    return _statement(random)


def _statement(random: Random) -> dict[str, Any]:
    effect: Any = random.choice(("Allow", "Allow", "Deny"))
    if random.random() < 0.1:
        effect = {"Fn::If": [_condition(random), "Allow", "Deny"]}
    found: dict[str, Any] = {
        "Effect": effect,
        random.choice(("Action", "Action", "Action", "NotAction")): random.sample(_ACTIONS, 2),
        "Resource": [_resource(random) for _ in range(random.randint(1, 2))],
    }
    if random.random() < 0.3:
        found["Condition"] = {"StringEquals": {"bedrock-mantle:Model": random.choice((MODELS[0], {"Ref": "Told"}))}}
    return found


def _resource(random: Random) -> Any:
    return random.choice(
        (
            "*",
            f"{_ARN}{random.choice(PROJECTS)}",
            {"Fn::Sub": f"{_ARN}${{Project}}"},
            {"Fn::Sub": [f"{_ARN}${{P}}", {"P": {"Ref": random.choice(("Project", "Told"))}}]},
            {"Fn::Join": ["", [_ARN, {"Fn::If": [_condition(random), "prod", "one"]}]]},
        )
    )
