"""Into which account code goes that does not say so: no answer is `no` because of an account that nobody told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.iam.request import PolicyType

PROJECT = "arn:{}:bedrock-mantle:{}:{}:project/default"
OURS = PROJECT.format("aws", "us-east-1", "111122223333")
THEIRS = PROJECT.format("aws", "us-east-1", "444455556666")
ANY = PROJECT.format("aws", "us-east-1", "*")
GOV = PROJECT.format("aws-us-gov", "us-gov-west-1", "111122223333")
OPEN_GOV = PROJECT.format("aws-us-gov", "us-gov-west-1", "*")
PSEUDO = {"Fn::Sub": "arn:aws:bedrock-mantle:us-east-1:${AWS::AccountId}:project/default"}

CASES = {
    # resources of two roles; parameters; partition, account, roles whose identity policies are unknown, partial
    "one": ([[OURS], [OURS, "*"]], {}, ("aws", "111122223333", (), False)),
    "one-beside-wildcards": ([[OURS, ANY], [ANY]], {}, ("aws", "111122223333", (), False)),
    "none": ([["*"], [ANY]], {}, ("aws", UNKNOWN_ACCOUNT, (), False)),
    "another-services": (
        [["arn:aws:s3:::b", "arn:aws:iam::444455556666:role/x"], [OURS]],
        {},
        ("aws", "111122223333", (), False),
    ),
    "several": ([[OURS], [THEIRS]], {}, ("aws", UNKNOWN_ACCOUNT, (0, 1), True)),
    "several-of-one": ([[OURS, THEIRS], ["*"]], {}, ("aws", UNKNOWN_ACCOUNT, (0,), True)),
    "told": ([[OURS], [THEIRS]], {"AWS::AccountId": "444455556666"}, ("aws", "444455556666", (), False)),
    "the-stacks-own": ([[PSEUDO], [PSEUDO]], {}, ("aws", UNKNOWN_ACCOUNT, (), False)),
    "beside-the-stacks-own": ([[PSEUDO], [OURS]], {}, ("aws", UNKNOWN_ACCOUNT, (1,), True)),
    "another-partition": ([[GOV], ["*"]], {}, ("aws-us-gov", "111122223333", (), False)),
    "another-partition-alone": ([[OPEN_GOV], ["*"]], {}, ("aws-us-gov", UNKNOWN_ACCOUNT, (), False)),
}


def _document(resources: list[object]) -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": "bedrock-mantle:CreateInference", "Resource": resources}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _template(roles: list[list[object]]) -> dict[str, object]:
    def role(number: int, resources: list[object]) -> dict[str, object]:
        policy = {"PolicyName": "p", "PolicyDocument": _document(resources)}
        trust = {
            "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "x.amazonaws.com"}}
        }
        properties = {"RoleName": f"role-{number}", "AssumeRolePolicyDocument": trust, "Policies": [policy]}
        return {"Type": "AWS::IAM::Role", "Properties": properties}

    return {"Resources": {f"Role{number}": role(number, one) for number, one in enumerate(roles)}}


def _plan(roles: list[list[object]]) -> dict[str, object]:
    def change(kind: str, name: str, after: dict[str, object]) -> dict[str, object]:
        address = f"{kind}.{name}"
        given = {"actions": ["create"], "before": None, "after": after, "after_unknown": {}}
        return {"address": address, "mode": "managed", "type": kind, "name": name, "change": given}

    changes = []
    for number, resources in enumerate(roles):
        name = f"role-{number}"
        changes.append(change("aws_iam_role", name, {"name": name}))
        text = json.dumps(_document(resources))
        changes.append(change("aws_iam_role_policy", name, {"name": "p", "role": name, "policy": text}))
    return {"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": {}, "resource_changes": changes}


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("make", [_template, _plan])
def test_where_it_goes(make, case: str, tmp_path: Path) -> None:
    roles, parameters, expected = CASES[case]
    if make is _plan and PSEUDO in roles[0]:
        pytest.skip("a plan has no pseudo parameters")
    path = tmp_path / "code.json"
    path.write_text(json.dumps(make(roles)), "utf-8")
    found = read_inputs([str(path)], parameters=parameters)
    (account,) = found.accounts
    unknown = tuple(n for n, one in enumerate(account.principals) if PolicyType.IDENTITY in one.unknown)
    partial = found.inputs[0].status is InputStatus.PARTIAL
    assert (account.partition, account.id, unknown, partial) == expected, found.inputs
    assert {one.arn.split(":")[1] for one in account.principals} == {account.partition}
    assert {one.arn.split(":")[4] for one in account.principals} == {account.id}


def test_what_is_named_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "code.json").write_text(json.dumps(_plan([[OURS], [THEIRS]])), "utf-8")
    (problem,) = read_inputs([str(tmp_path / "code.json")]).inputs[0].problems
    assert "111122223333, 444455556666" in problem
    assert "--parameter AWS::AccountId=" in problem
