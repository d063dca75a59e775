"""Dumps as a real IAM answers them (moto over HTTP), apart and together, packed and encoded, and what is missing from them."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mantle_iam.collect.files import read_inputs, stream_inputs
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import InputStatus, Purpose
from mantle_iam.iam.request import PolicyType

ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}]}
DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def _plain(value: Any) -> str:
    return json.dumps(value, default=lambda item: item.isoformat() if isinstance(item, datetime) else str(item))


@pytest.fixture
def dump(account: Any) -> dict[str, Any]:
    """A role with everything, a user in a group, a policy of two versions."""
    iam = account.client("iam")
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=json.dumps(DENY))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW), SetAsDefault=True)
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(ALLOW))["Policy"]["Arn"]
    iam.create_role(
        RoleName="app", Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST), PermissionsBoundary=limit
    )
    iam.attach_role_policy(RoleName="app", PolicyArn=arn)
    iam.put_role_policy(RoleName="app", PolicyName="inline", PolicyDocument=json.dumps(DENY))
    iam.tag_role(RoleName="app", Tags=[{"Key": "team", "Value": "ml"}])
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="of-group", PolicyDocument=json.dumps(ALLOW))
    iam.create_user(UserName="ann")
    iam.add_user_to_group(GroupName="readers", UserName="ann")
    answer = iam.get_account_authorization_details()
    answer.pop("ResponseMetadata")
    found: dict[str, Any] = json.loads(_plain(answer))
    return found


def test_a_real_dump_gives_every_layer(dump: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "gaad.json"
    file.write_text(_plain(dump), "utf-8")
    found = read_inputs([str(file)])
    assert [(i.status, i.kind) for i in found.inputs] == [(InputStatus.READ, "authorization-details")]
    (account,) = found.accounts
    assert account.id == "123456789012"
    principals = {principal.arn.rpartition("/")[2]: principal for principal in account.principals}
    role = principals["app"]
    assert role.arn == "arn:aws:iam::123456789012:role/team/app"
    assert {(p.name, p.document.statements[0].effect.value) for p in role.identity} == {
        ("managed", "Allow"),  # the default version, not the first
        ("inline", "Deny"),
    }
    assert role.boundary is not None
    assert (role.boundary.name, role.boundary.purpose) == ("limit", Purpose.BOUNDARY)
    assert role.trust is not None
    assert role.tags == (("team", "ml"),)
    assert role.unknown == frozenset()
    assert [p.name for p in principals["ann"].identity] == ["of-group"]
    for policy in role.identity:
        value: Any = dump
        for token in policy.place.pointer.split("/")[1:]:
            value = value[int(token)] if isinstance(value, list) else value[token]
        assert parse_policy(value) == policy.document


def _encoded(value: Any) -> Any:
    """The dump as the raw API answers: documents as URL-encoded texts."""
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    if isinstance(value, dict):
        return {
            key: quote(json.dumps(item), safe="")
            if key.endswith("Document") and isinstance(item, dict)
            else _encoded(item)
            for key, item in value.items()
        }
    return value


def _halves(dump: dict[str, Any]) -> list[dict[str, Any]]:
    first = {key: dump[key] for key in ("UserDetailList", "RoleDetailList")} | {"IsTruncated": True, "Marker": "m"}
    return [first, {key: dump[key] for key in ("GroupDetailList", "Policies")} | {"IsTruncated": False}]


def _sorted_halves(dump: dict[str, Any]) -> list[dict[str, Any]]:
    """Pages whose mark of truncation is far from either end, as with sorted keys."""
    first, last = _halves(dump)
    return [{"GroupDetailList": [], "A": "x" * 9000, **first, "Z": "x" * 9000}, last]


FORMS = {
    "encoded": lambda dump: [("a.json", _plain(_encoded(dump)).encode())],
    "gzip": lambda dump: [("a.json.gz", gzip.compress(_plain(dump).encode()))],
    "no-suffix": lambda dump: [("a", _plain(dump).encode())],
    "utf-16": lambda dump: [("a.json", _plain(dump).encode("utf-16"))],
    "mark": lambda dump: [("a.json", b"\xef\xbb\xbf" + _plain(dump).encode())],
    "pages-together": lambda dump: [("a.json", "\n".join(json.dumps(p, indent=1) for p in _halves(dump)).encode())],
    "pages-as-lines": lambda dump: [("a.jsonl", "\n".join(map(_plain, _halves(dump))).encode())],
    "pages-in-a-list": lambda dump: [("a.json", _plain(_halves(dump)).encode())],
    "pages-apart": lambda dump: [(f"a{n}.json", _plain(p).encode()) for n, p in enumerate(_halves(dump))],
    "pages-apart-sorted": lambda dump: [(f"a{n}.json", _plain(p).encode()) for n, p in enumerate(_sorted_halves(dump))],
    "pages-apart-sorted-gzip": lambda dump: [
        (f"a{n}.gz", gzip.compress(_plain(p).encode())) for n, p in enumerate(_sorted_halves(dump))
    ],
    "pages-apart-sorted-utf-16": lambda dump: [
        (f"a{n}.json", _plain(p).encode("utf-16")) for n, p in enumerate(_sorted_halves(dump))
    ],
    "policies-first": lambda dump: [("a.json", _plain({"X": "x" * 5000} | dump).encode())],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str, dump: dict[str, Any], tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    plain.write_text(_plain(dump), "utf-8")
    expected = _meaning(read_inputs([str(plain)]))
    paths = []
    folder = tmp_path / "form"
    folder.mkdir()
    for name, data in FORMS[form](dump):
        (folder / name).write_bytes(data)
        paths.append(str(folder / name))
    found = read_inputs(paths)
    assert [given.status for given in found.inputs] == [InputStatus.READ] * len(paths), found.inputs
    assert _meaning(found) == expected


def _meaning(found: Any) -> Any:
    return [
        (
            a.id,
            [
                (p.arn, [q.document for q in p.identity], p.boundary and p.boundary.document, p.unknown)
                for p in a.principals
            ],
        )
        for a in found.accounts
    ]


def test_missing_documents_are_unknown_and_named(dump: dict[str, Any], tmp_path: Path) -> None:
    aws = "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"
    dump["RoleDetailList"][0]["AttachedManagedPolicies"].append({"PolicyName": "x", "PolicyArn": aws})
    dump["RoleDetailList"][0]["PermissionsBoundary"]["PermissionsBoundaryArn"] = "arn:aws:iam::123456789012:policy/gone"
    dump["UserDetailList"][0]["GroupList"].append("gone")
    file = tmp_path / "gaad.json"
    file.write_text(_plain(dump), "utf-8")
    found = read_inputs([str(file)])
    assert found.inputs[0].status is InputStatus.PARTIAL
    assert any(aws in problem for problem in found.inputs[0].problems)
    principals = {principal.arn.rpartition("/")[2]: principal for principal in found.accounts[0].principals}
    assert principals["app"].unknown == {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}
    assert principals["ann"].unknown == {PolicyType.IDENTITY}
    known = read_inputs([str(file)], managed={aws: parse_policy(ALLOW)})
    role = next(p for p in known.accounts[0].principals if p.arn.endswith("app"))
    assert any(policy.arn == aws for policy in role.identity)
    assert role.unknown == {PolicyType.PERMISSIONS_BOUNDARY}


def test_truncation_without_a_next_page_is_told(dump: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "gaad.json"
    file.write_text(_plain(dump | {"IsTruncated": True}), "utf-8")
    found = read_inputs([str(file)])
    assert found.inputs[0].status is InputStatus.PARTIAL
    assert "IsTruncated" in found.inputs[0].problems[0]
    assert found.accounts


def test_a_dump_that_breaks_off_fails_alone(dump: dict[str, Any], tmp_path: Path) -> None:
    whole = _plain(dump)
    (tmp_path / "a.json").write_text(whole[: len(whole) // 2], "utf-8")
    (tmp_path / "b.json").write_text(whole, "utf-8")
    found = read_inputs([str(tmp_path)])
    assert {Path(i.path).name: i.status for i in found.inputs} == {
        "a.json": InputStatus.FAILED,
        "b.json": InputStatus.READ,
    }
    assert "not complete" in next(i for i in found.inputs if i.status is InputStatus.FAILED).problems[0]
    assert len(found.accounts) == 1


def test_dumps_come_one_by_one(dump: dict[str, Any], tmp_path: Path) -> None:
    other = json.loads(_plain(dump).replace("123456789012", "111122223333"))
    (tmp_path / "all.jsonl").write_text(f"{_plain(dump)}\n{_plain(other)}\n", "utf-8")
    chunks = [chunk for chunk in stream_inputs([str(tmp_path)]) if chunk.accounts]
    assert [[account.id for account in chunk.accounts] for chunk in chunks] == [["123456789012"], ["111122223333"]]


def test_keys_and_endpoints_find_their_account(dump: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "123456789012"
    folder.mkdir()
    (folder / "gaad.json").write_text(_plain(dump), "utf-8")
    key = {
        "UserName": "ann",
        "ServiceSpecificCredentialId": "ACCAEXAMPLE",
        "ServiceName": "bedrock.amazonaws.com",
        "CreateDate": "2026-01-02T03:04:05+00:00",
        "Status": "Active",
    }
    (folder / "keys.json").write_text(json.dumps({"ServiceSpecificCredentials": [key]}), "utf-8")
    endpoint = {
        "VpcEndpointId": "vpce-1",
        "ServiceName": "com.amazonaws.us-east-1.bedrock-mantle",
        "OwnerId": "123456789012",
        "PolicyDocument": json.dumps(ALLOW),
    }
    (folder / "vpce.json").write_text(json.dumps({"VpcEndpoints": [endpoint]}), "utf-8")
    (account,) = read_inputs([str(tmp_path)]).accounts
    ann = next(p for p in account.principals if p.arn.endswith("ann"))
    assert ann.keys is not None
    assert [(k.id, k.expires, k.expiry_known, k.created and k.created.year) for k in ann.keys] == [
        ("ACCAEXAMPLE", None, True, 2026)
    ]
    assert [e.name for e in account.endpoints] == ["vpce-1"]
