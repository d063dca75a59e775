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


def _change(kind: str, name: str, /, **after: object) -> dict[str, object]:
    change = {"actions": ["no-op"], "before": after, "after": after, "after_unknown": {}}
    return {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "change": change}


def _policy(effect: str, resource: str, /, **condition: dict[str, str]) -> str:
    statement = {"Effect": effect, "Action": "bedrock-mantle:*", "Resource": resource, "Condition": condition}
    everything = {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement, everything]})


def _role(account: str, name: str, address: str = "") -> dict[str, object]:
    return _change("aws_iam_role", address or name, name=name, arn=f"arn:aws:iam::{account}:role/{name}")


def _inline(role: str, text: str, address: str = "") -> dict[str, object]:
    return _change("aws_iam_role_policy", address or role, name="p", role=role, policy=text)


SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
A_SET = _change("aws_ssoadmin_permission_set", "s", name="Developers", arn=SET)
DENY, OPEN = _policy("Deny", THEIRS), _policy("Allow", "*")
PLACES = {
    # resources; by ARN without its name's number: account, and whether its identity policies are unknown
    "two-accounts": (
        [_role("111122223333", "a"), _role("444455556666", "b"), _inline("a", OPEN), _inline("b", OPEN)],
        {("111122223333", "a"): False, ("444455556666", "b"): False},
    ),
    "one-name-in-two-accounts": (
        [_role("111122223333", "a", "x"), _role("444455556666", "a", "y"), _inline("a", OPEN)],
        {("111122223333", "a"): True, ("444455556666", "a"): True},
    ),
    "a-deny-names-no-home": (
        [_change("aws_iam_role", "a", name="a"), _inline("a", DENY)],
        {(UNKNOWN_ACCOUNT, "a"): True},
    ),
    "nor-does-a-condition": (
        [
            *(_change("aws_iam_role", name, name=name) for name in ("a", "b")),
            _inline("a", _policy("Allow", OURS)),
            _inline("b", _policy("Allow", "*", StringEquals={"aws:ResourceAccount": "444455556666"})),
        ],
        {(UNKNOWN_ACCOUNT, "a"): True, (UNKNOWN_ACCOUNT, "b"): True},
    ),
    "a-permission-set-goes-elsewhere": (
        [
            A_SET,
            _role("999988887777", "here"),
            _change("aws_ssoadmin_permission_set_inline_policy", "i", permission_set_arn=SET, inline_policy=DENY),
        ],
        {("999988887777", "here"): False, ("999988887777", "AWSReservedSSO_Developers_0000000000000000"): True},
    ),
    "a-permission-set-of-any-account": (
        [A_SET, _change("aws_ssoadmin_permission_set_inline_policy", "i", permission_set_arn=SET, inline_policy=OPEN)],
        {(UNKNOWN_ACCOUNT, "AWSReservedSSO_Developers_0000000000000000"): False},
    ),
}


@pytest.mark.parametrize("case", sorted(PLACES))
def test_each_is_where_its_arn_says_and_unknown_where_nothing_does(case: str, tmp_path: Path) -> None:
    resources, expected = PLACES[case]
    plan = {"format_version": "1.2", "planned_values": {}, "resource_changes": resources}
    (tmp_path / "plan.json").write_text(json.dumps(plan), "utf-8")
    found = read_inputs([str(tmp_path / "plan.json")])
    seen = {
        (account.id, one.arn.rpartition("/")[2]): PolicyType.IDENTITY in one.unknown
        for account in found.accounts
        for one in account.principals
    }
    assert seen == expected, found.inputs
    assert all(one.arn.split(":")[4] == account.id for account in found.accounts for one in account.principals)
    assert (found.inputs[0].status is InputStatus.PARTIAL) == any(expected.values())


def test_what_is_named_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "code.json").write_text(json.dumps(_plan([[OURS], [THEIRS]])), "utf-8")
    (problem,) = read_inputs([str(tmp_path / "code.json")]).inputs[0].problems
    assert "111122223333, 444455556666" in problem
    assert "--parameter AWS::AccountId=" in problem
