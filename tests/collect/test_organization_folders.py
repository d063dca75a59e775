"""Organizations from files: answers of a real API (moto over HTTP), iam-collect's folder, a tree of documents."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

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


_ROOT, _UNIT, _MEMBER = "r-ab12", "ou-ab12-11111111", "111122223333"
_FULL = {"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Name": "FullAWSAccess"}
_DENY = {"Id": "p-Abcdefgh", "Type": "SERVICE_CONTROL_POLICY", "Name": "deny"}
_ORGANIZATION: dict[str, Any] = {
    "organization.json": {"Organization": {"MasterAccountId": "999999999999", "FeatureSet": "ALL"}},
    "roots.json": {"Roots": [{"Id": _ROOT, "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]},
    f"{_UNIT}.parents.json": {"Parents": [{"Id": _ROOT, "Type": "ROOT"}]},
    f"{_MEMBER}.parents.json": {"Parents": [{"Id": _UNIT, "Type": "ORGANIZATIONAL_UNIT"}]},
    f"{_ROOT}.policies.json": {"Policies": [_FULL]},
    f"{_UNIT}.policies.json": {"Policies": [_FULL, _DENY]},
    f"{_MEMBER}.policies.json": {"Policies": [_FULL]},
    "p-Abcdefgh.json": {"Policy": {"PolicySummary": _DENY, "Content": json.dumps(DENY)}},
}
_WHOLE = [["FullAWSAccess"], ["FullAWSAccess", "deny"], ["FullAWSAccess"]]
_TARGETS = {
    "p-Abcdefgh.targets.json": {"Targets": [{"TargetId": _UNIT}]},
    "p-FullAWSAccess.targets.json": {"Targets": [{"TargetId": one} for one in (_ROOT, _UNIT, _MEMBER)]},
}
_WITHOUT_LISTS = {f"{one}.policies.json": None for one in (_ROOT, _UNIT, _MEMBER)}
_BILLS = {
    "Organization": {"Id": "o-bills00000", "MasterAccountId": "999999999999", "FeatureSet": "CONSOLIDATED_BILLING"}
}
_CHANGES: tuple[tuple[str, dict[str, Any], list[list[str]] | None, bool], ...] = (
    ("as it is", {}, _WHOLE, False),
    ("a level whose policies nobody listed", {f"{_UNIT}.policies.json": None}, [["FullAWSAccess"]] * 2, True),
    ("a link that is missing", {f"{_UNIT}.parents.json": None}, None, True),
    ("a document that is missing", {"p-Abcdefgh.json": None}, [["FullAWSAccess"]] * 2, True),
    # The last policy of a kind that is enabled cannot be detached: an empty list is of another kind.
    ("an empty list", {f"{_MEMBER}.policies.json": {"Policies": []}}, _WHOLE[:2], True),
    ("an empty list of another kind", {f"{_MEMBER}.tags.json": {"Policies": []}}, _WHOLE, False),
    ("policies of another kind", {f"{_MEMBER}.t.json": {"Policies": [{"Id": "p-1", "Type": "TAG_POLICY"}]}}, _WHOLE, False),
    ("a page of more", {f"{_MEMBER}.policies.json": {"Policies": [_FULL], "NextToken": "x"}}, _WHOLE[:2], True),
    ("all policies, in a folder of an account", {f"{_MEMBER}/list-policies.json": {"Policies": [_FULL, _DENY]}}, _WHOLE, False),
    ("a circle", {f"{_UNIT}.parents.json": {"Parents": [{"Id": _UNIT}]}}, None, True),
    ("policies that are not enabled", {"roots.json": {"Roots": [{"Id": _ROOT, "PolicyTypes": []}]}}, None, False),
    ("an organization for bills alone", {**_WITHOUT_LISTS, "roots.json": None, "organization.json": _BILLS}, None, False),
    # What another organization has enabled, or not, says nothing.
    ("another organization for bills alone", {"roots.json": None, "organization.json": _BILLS}, _WHOLE, False),
    ("another one without such policies", {"roots.json": None, "other/roots.json": {"Roots": [
        {"Id": "r-zz99", "PolicyTypes": []}]}}, _WHOLE, False),
    ("another one, and nothing of its own", {**_WITHOUT_LISTS, "roots.json": None, "other/roots.json": {"Roots": [
        {"Id": "r-zz99", "PolicyTypes": []}]}}, None, True),
    ("another one with such policies", {
        "roots.json": {"Roots": [{"Id": _ROOT, "PolicyTypes": []}]}, "other/roots.json": {"Roots": [
        {"Id": "r-zz99", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]}}, None, False),
    ("the management account", {"organization.json": {"Organization": {"MasterAccountId": _MEMBER}}}, None, False),
    ("two organizations", {"other.json": {"Organization": {"MasterAccountId": "888888888888"}}, "another.json": {
        "Organization": {"MasterAccountId": _MEMBER}}}, None, False),
    ("targets of a policy, of which there may be more", {**_WITHOUT_LISTS, **_TARGETS}, None, True),
    ("targets of every policy", {
        **_WITHOUT_LISTS, **_TARGETS, "list-policies.json": {"Policies": [_FULL, _DENY]}}, _WHOLE, False),
)  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "levels", "unknown"), _CHANGES, ids=[row[0] for row in _CHANGES])
def test_what_is_missing_is_unknown_and_no_more(
    name: str, changes: dict[str, Any], levels: list[list[str]] | None, unknown: bool, tmp_path: Path
) -> None:
    for file, value in {**_ORGANIZATION, **changes}.items():
        if value is not None:
            _write(tmp_path / "org" / file, value)
    _write(tmp_path / "dump.json", _dump(_MEMBER))
    found = read_inputs([str(tmp_path / "org"), str(tmp_path / "dump.json")])
    (account,) = found.accounts
    shown = None if account.scps is None else [sorted(policy.name for policy in level) for level in account.scps]
    assert (shown, PolicyType.SCP in account.unknown) == (levels, unknown), found.inputs
    assert [one for one in found.inputs if one.status is InputStatus.FAILED] == []


def test_resource_control_policies_have_levels_of_their_own(tmp_path: Path) -> None:
    full = {"Id": "p-RCPFullAWSAccess", "Type": "RESOURCE_CONTROL_POLICY", "Name": "RCPFullAWSAccess"}
    kinds = [{"Type": name, "Status": "ENABLED"} for name in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")]
    more: dict[str, Any] = {"roots.json": {"Roots": [{"Id": _ROOT, "PolicyTypes": kinds}]}}
    for one in (_ROOT, _UNIT, _MEMBER):
        more[f"{one}.rcps.json"] = {"Policies": [full]}
    for file, value in {**_ORGANIZATION, **more}.items():
        _write(tmp_path / "org" / file, value)
    _write(tmp_path / "dump.json", _dump(_MEMBER))
    (account,) = read_inputs([str(tmp_path)]).accounts
    assert account.unknown == frozenset()
    assert account.rcps is not None
    assert [[policy.name for policy in level] for level in account.rcps] == [["RCPFullAWSAccess"]] * 3
    (tmp_path / "org" / f"{_UNIT}.rcps.json").unlink()
    assert read_inputs([str(tmp_path)]).accounts[0].unknown == {PolicyType.RCP}


def test_what_of_a_folder_is_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node_modules", "closed", "open"):
        _write(tmp_path / name / "policy.json", ALLOW)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    _write(tmp_path / "package.json", {"name": "x", "version": "1.0.0"})
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = read_inputs([str(tmp_path)])
    by_path = {Path(one.path).relative_to(tmp_path).as_posix(): one for one in found.inputs}
    assert sorted(by_path) == [".", "closed", "open/policy.json"]
    assert by_path["."].problems == ("files of other kinds were passed over: `package.json`, `link/`, `node_modules/`",)
    assert by_path["closed"].status is InputStatus.FAILED
    (alone,) = read_inputs([str(tmp_path / "package.json")]).inputs
    assert alone.status is InputStatus.FAILED
