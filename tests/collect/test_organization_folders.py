"""Organizations from files: answers of a real API (moto over HTTP), iam-collect's folder, a tree of documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mantle_iam.collect.files import read_inputs
from mantle_iam.iam.inventory import InputStatus, Purpose
from mantle_iam.iam.request import PolicyType

DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": "*"}]}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def _dump(account: str) -> dict[str, Any]:
    role = {
        "RoleName": "r",
        "Arn": f"arn:aws:iam::{account}:role/r",
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
    }
    return {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": []}


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, default=str), "utf-8")


def _answers(organizations: Any, folder: Path) -> tuple[str, str]:
    """Saves what the commands print; answers the management account and a member."""
    management = organizations.create_organization(FeatureSet="ALL")["Organization"]["MasterAccountId"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = organizations.create_organizational_unit(ParentId=root, Name="ml")["OrganizationalUnit"]["Id"]
    member = organizations.create_account(AccountName="m", Email="m@example.com")["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    created = organizations.create_policy(
        Content=json.dumps(DENY), Description="d", Name="deny", Type="SERVICE_CONTROL_POLICY"
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=created, TargetId=unit)
    _write(folder / "organization.json", organizations.describe_organization())
    _write(folder / "roots.json", organizations.list_roots())
    _write(folder / root / "units.json", organizations.list_organizational_units_for_parent(ParentId=root))
    _write(folder / f"accounts-{unit}.json", organizations.list_accounts_for_parent(ParentId=unit))
    _write(folder / created / "policy.json", organizations.describe_policy(PolicyId=created))
    for target in (root, unit, member):
        listed = organizations.list_policies_for_target(TargetId=target, Filter="SERVICE_CONTROL_POLICY")
        _write(folder / f"policies.{target}.json", listed)
    return management, member


def test_answers_of_the_api_give_the_levels(account: Any, tmp_path: Path) -> None:
    management, member = _answers(account.client("organizations"), tmp_path / "org")
    for id_ in (management, member, "999999999999"):
        _write(tmp_path / "dumps" / f"{id_}.json", _dump(id_))
    found = read_inputs([str(tmp_path / "dumps"), str(tmp_path / "org")])
    assert {i.status for i in found.inputs} == {InputStatus.READ}, found.inputs
    accounts = {a.id: a for a in found.accounts}
    scps = accounts[member].scps
    assert scps is not None
    assert [sorted(p.name for p in level) for level in scps] == [
        ["FullAWSAccess"],
        ["FullAWSAccess", "deny"],
        ["FullAWSAccess"],
    ]
    assert accounts[member].unknown == frozenset()
    assert accounts[management].management
    assert accounts[management].scps is None
    assert PolicyType.SCP not in accounts[management].unknown
    assert PolicyType.SCP in accounts["999999999999"].unknown


def test_a_missing_answer_is_unknown_not_absent(account: Any, tmp_path: Path) -> None:
    _, member = _answers(account.client("organizations"), tmp_path / "org")
    next((tmp_path / "org").glob("p-*/policy.json")).unlink()
    _write(tmp_path / "dump.json", _dump(member))
    (found,) = read_inputs([str(tmp_path)]).accounts
    assert found.unknown == {PolicyType.SCP}


def test_a_tree_of_documents(tmp_path: Path) -> None:
    _write(tmp_path / "root" / "base.json", ALLOW)
    _write(tmp_path / "root" / "ml" / "111122223333" / "deny.json", DENY)
    _write(tmp_path / "dump.json", _dump("111122223333"))
    _write(tmp_path / "other.json", _dump("123456789012"))
    accounts = {a.id: a for a in read_inputs([str(tmp_path)], kinds={str(tmp_path): Purpose.SCP}).accounts}
    scps = accounts["111122223333"].scps
    assert scps is not None
    assert [sorted(p.name for p in level) for level in scps] == [["base"], ["FullAWSAccess"], ["FullAWSAccess", "deny"]]
    assert accounts["123456789012"].unknown == {PolicyType.SCP}  # in which unit it is, nobody said


def test_a_flat_folder_given_as_scps_binds_every_account(tmp_path: Path) -> None:
    _write(tmp_path / "scp" / "deny.json", DENY)
    _write(tmp_path / "dump.json", _dump("123456789012"))
    found = read_inputs(
        [str(tmp_path / "dump.json"), str(tmp_path / "scp")], kinds={str(tmp_path / "scp"): Purpose.SCP}
    )
    (account,) = found.accounts
    assert account.unknown == frozenset()
    assert account.scps is not None
    assert [sorted(p.name for p in level) for level in account.scps] == [["FullAWSAccess", "deny"], ["FullAWSAccess"]]
    assert [p.name for p in found.policies] == ["deny"]


def test_iam_collects_folder(tmp_path: Path) -> None:
    top = tmp_path / "aws" / "aws"
    role = top / "accounts" / "111122223333" / "iam" / "role" / "app"
    arn = "arn:aws:iam::111122223333:policy/Mine"
    _write(
        role / "metadata.json", {"arn": "arn:aws:iam::111122223333:role/App", "name": "App", "permissionBoundary": arn}
    )
    _write(role / "managed-policies.json", [arn])
    _write(role / "inline-policies.json", [{"PolicyName": "i", "PolicyDocument": DENY}])
    _write(role / "tags.json", {"team": "ml"})
    policy = top / "accounts" / "111122223333" / "iam" / "policy" / "mine"
    _write(policy / "metadata.json", {"arn": arn, "name": "Mine"})
    _write(policy / "current-policy.json", ALLOW)
    organization = top / "organizations" / "o-1"
    features = {"SERVICE_CONTROL_POLICY": True}
    _write(organization / "metadata.json", {"rootAccountId": "999999999999", "features": features})
    scp = "arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-Abcdefgh"
    full = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    _write(organization / "ous.json", {"r-ab12": {"scps": [full], "rcps": []}})
    _write(organization / "accounts.json", {"111122223333": {"ou": "r-ab12", "scps": [full, scp], "rcps": []}})
    _write(organization / "scps" / "p-abcdefgh" / "metadata.json", {"arn": scp, "name": "deny"})
    _write(organization / "scps" / "p-abcdefgh" / "policy.json", DENY)
    found = read_inputs([str(tmp_path)])
    assert {i.status for i in found.inputs} == {InputStatus.READ}, found.inputs
    (account,) = found.accounts
    (principal,) = account.principals
    assert sorted(p.name for p in principal.identity) == ["Mine", "i"]
    assert principal.boundary is not None
    assert principal.unknown == frozenset()
    assert principal.tags == (("team", "ml"),)
    assert account.scps is not None
    assert [[p.name for p in level] for level in account.scps] == [["FullAWSAccess"], ["FullAWSAccess", "deny"]]
    assert all(not p.place.pointer for p in principal.identity)
