"""Terraform plans as files: forms and versions, what is given by mistake, and size."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from mantle_iam.collect.aws_managed import managed_policy
from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.collect.files import read_inputs
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.iam.request import AuthorizationRequest, PolicySet, PolicyType
from mantle_iam.mantle.catalog import actions
from mantle_iam.workflow.audit_inputs import managed_documents

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}]})
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": "*"}]})


def change(address: str, kind: str, after: Any, *actions: str, **more: Any) -> dict[str, Any]:
    name = more.pop("name", address.rpartition(".")[2])
    unknown = more.pop("unknown", {})
    details = {"actions": list(actions) or ["create"], "after": after, "after_unknown": unknown}
    return {"address": address, "mode": "managed", "type": kind, "name": name, "change": details, **more}


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "planned_values": {"root_module": {}}, "resource_changes": list(changes), **more}


ROLE = change("aws_iam_role.r", "aws_iam_role", {"name": "r", "path": "/", "assume_role_policy": TRUST})


def read(folder: Path, value: Any) -> Gathered:
    path = folder / "plan.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return read_inputs([str(path)])


def names(found: Gathered) -> list[str]:
    return [each.arn.rpartition("/")[2] for account in found.accounts for each in account.principals]


STATE = {
    "format_version": "1.0",
    "values": {"root_module": {"resources": [{**ROLE, "values": ROLE["change"]["after"]}]}},
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        *((plan(ROLE, format_version=version), ["r"]) for version in ("0.1", "0.2", "1.0", "1.2", "1.99")),
        (STATE, ["r"]),
        ({"format_version": "1.0", "terraform_version": "1.11.4"}, []),
        (plan({**ROLE, "change": {"actions": ["delete"], "after": None}}), []),
        (plan({**ROLE, "change": {"actions": ["forget"], "after": None}}), []),
        (plan({**ROLE, "deposed": "1234abcd"}), []),
        (plan({**ROLE, "previous_address": "aws_iam_role.old", "change": {**ROLE["change"], "importing": {}}}), ["r"]),
        (plan({**ROLE, "change": {**ROLE["change"], "actions": ["delete", "create"]}}), ["r"]),
        (plan(resource_drift=[ROLE]), []),
        (plan(ROLE, opentofu_version="1.9"), ["r"]),
    ],
)
def test_forms_of_plans(value: Any, found: list[str], tmp_path: Path) -> None:
    gathered = read(tmp_path, value)
    assert gathered.inputs[0].status is InputStatus.READ, gathered.inputs
    assert names(gathered) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (plan(ROLE, format_version="2.0"), "of format `2.0`"),
        (
            '{"@level":"info","@message":"x","type":"version"}\n{"@level":"info","@message":"y","type":"z"}\n',
            "PLANFILE",
        ),
        ({"version": 4, "terraform_version": "1.9.0", "lineage": "x"}, "terraform show -json"),
        ("Terraform will perform the following actions:\n\n  # aws_iam_role.r will be created\n", ""),
        (json.dumps(plan(ROLE))[:-3], "not complete"),
    ],
)
def test_what_is_given_by_mistake_is_told(value: Any, message: str, tmp_path: Path) -> None:
    (given,) = read(tmp_path, value).inputs
    assert given.status is InputStatus.FAILED
    assert message in given.problems[0]


@pytest.mark.parametrize("name", ["condition", "principals"])
def test_a_block_that_is_not_known_is_not_dropped(name: str, tmp_path: Path) -> None:
    block = {
        "condition": {"test": "StringEquals", "variable": "aws:x", "values": ["1"]},
        "principals": {"type": "AWS", "identifiers": ["*"]},
    }[name]
    statement = {"actions": ["sts:AssumeRole"], "resources": [], name: [block, None]}
    document = change(
        "data.aws_iam_policy_document.d",
        "aws_iam_policy_document",
        {"statement": [statement]},
        unknown={"json": True, "statement": [{name: [{}, True]}]},
        name="d",
    )
    document["mode"] = "data"
    role = change("aws_iam_role.r", "aws_iam_role", {"name": "r"}, unknown={"assume_role_policy": True})
    reference = {"references": ["data.aws_iam_policy_document.d.json"]}
    written = {"mode": "managed", "type": "aws_iam_role", "name": "r"}
    written["expressions"] = {"assume_role_policy": reference}  # type: ignore[assignment]
    found = read(tmp_path, plan(role, document, configuration={"root_module": {"resources": [written]}}))
    trust = found.accounts[0].principals[0].trust
    assert trust is not None
    assert any(pointer.startswith(f"/Statement/0/{name[0].upper()}") for pointer in trust.unresolved)


def test_instances_find_their_own(tmp_path: Path) -> None:
    """By key, through a module's output and an only nested block."""
    changes, written = [], []
    for number in range(300):
        module = f'module.m["k{number}"]'
        role = {"name": f"r{number}", "assume_role_policy": TRUST}
        changes.append(change(f"{module}.aws_iam_role.r", "aws_iam_role", role, name="r", module_address=module))
        address = f"aws_iam_role_policy.p{number}"
        changes.append(change(address, "aws_iam_role_policy", {"name": "p", "policy": ALLOW}, unknown={"role": True}))
        reference = {"references": [f"{module}.name", "module.m"]}
        written.append(
            {"mode": "managed", "type": "aws_iam_role_policy", "name": f"p{number}", "expressions": {"role": reference}}
        )
    outputs = {"name": {"expression": {"references": ["aws_iam_role.r.name", "aws_iam_role.r"]}}}
    root = {"resources": written, "module_calls": {"m": {"module": {"outputs": outputs}}}}
    started = process_time()
    found = read(tmp_path, plan(*changes, configuration={"root_module": root}))
    assert process_time() - started < 5
    assert {each.place.address: len(each.identity) for each in found.accounts[0].principals} == {
        f'module.m["k{number}"].aws_iam_role.r': 1 for number in range(300)
    }


@pytest.mark.parametrize(
    ("arn", "known", "documents"),
    [
        ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", True, 0),
        ("arn:aws:iam::aws:policy/AdministratorAccess", True, 1),
        ("arn:aws-us-gov:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", True, 0),
        ("arn:aws-us-gov:iam::aws:policy/AdministratorAccess", True, 1),
        ("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole", False, 0),  # not its path
        ("arn:aws:iam::aws:policy/SomethingNew", False, 0),
        ("arn:aws:iam::111122223333:policy/AdministratorAccess", False, 0),
    ],
)
def test_a_managed_policy_of_aws_that_only_its_arn_names(arn: str, known: bool, documents: int, tmp_path: Path) -> None:
    values = {"role": "r", "policy_arn": arn}
    attached = change("aws_iam_role_policy_attachment.a", "aws_iam_role_policy_attachment", values)
    found = read(tmp_path, plan(ROLE, attached))
    (role,) = found.accounts[0].principals
    assert (PolicyType.IDENTITY not in role.unknown) is known
    assert (found.inputs[0].status is InputStatus.READ) is known
    assert len(role.identity) == documents
    assert not known or "they were on 20" in found.inputs[0].problems[0]


@pytest.mark.parametrize("arn", sorted(managed_documents()))
def test_the_table_of_managed_policies_says_what_the_shipped_texts_say(arn: str) -> None:
    known = managed_policy(arn)
    assert known is not None
    shipped = managed_documents()[arn]
    for action in actions():
        request = AuthorizationRequest("arn:aws:iam::111122223333:role/any", action.name, ("*",))
        said = [evaluate(request, PolicySet(identity=(document,))).decision for document in (known.document, shipped)]
        assert said[0] is said[1], action.name


def test_the_table_of_managed_policies_is_that_of_the_day() -> None:
    """Fails when a new moto brings newer policies: ``python tests/collect/aws_managed_table.py`` renews the table."""
    from aws_managed_table import FILE, table

    assert FILE.read_text("utf-8") == table()


def test_references_that_double_take_no_more_time_than_others(tmp_path: Path) -> None:
    """Modules in modules, each of whose arguments names both arguments of the one around it."""
    both = {name: {"references": ["var.a", "var.b"]} for name in "ab"}
    policy = {
        "mode": "managed",
        "type": "aws_iam_role_policy",
        "name": "p",
        "expressions": {"role": both["a"], "policy": both["b"]},
    }
    module: dict[str, Any] = {"resources": [policy]}
    for _ in range(18):
        module = {"module_calls": {"m": {"expressions": both, "module": module}}}
    address = ".".join(["module.m"] * 18)
    unknown = {"role": True, "policy": True}
    inner = change(
        f"{address}.aws_iam_role_policy.p", "aws_iam_role_policy", {}, unknown=unknown, module_address=address
    )
    began = process_time()
    (given,) = read(tmp_path, plan(ROLE, inner, configuration={"root_module": module})).inputs
    assert process_time() - began < 2
    assert given.status is InputStatus.PARTIAL
