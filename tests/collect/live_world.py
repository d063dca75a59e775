"""Accounts in moto that are read live: fixtures and helpers of the tests that do."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.iam.inventory import Account as Read
from mantle_iam.iam.inventory import Input, Principal
from mantle_iam.workflow.audit_inputs import Accounts
from mantle_iam.workflow.audit_live import Live, read_live
from tests.collect.moto_account import ACCOUNT, Account

OTHER = "444455556666"
THIRD = "777788889999"
AWS_OWN = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


def document(*actions: str, effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": [*actions], "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@cache
def _loader() -> Any:
    """The descriptions of services, which every session would parse anew."""
    from botocore.loaders import Loader

    return Loader()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("botocore.session.create_loader", lambda _: _loader())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture
def world(account: Account, credentials: None) -> Account:
    """A user in a group with a boundary and a key, a role, an endpoint with a policy."""
    from moto.ec2.models import ec2_backends
    from moto.iam.models import iam_backends

    from mantle_iam.emulator.service_credentials import STORE

    for number in (OTHER, THIRD):
        iam_backends.pop(number, None)
    for number in (ACCOUNT, OTHER):
        STORE.clear(number)
    if not _MADE:
        ec2_backends.pop(ACCOUNT, None)
        _make(account)
        _MADE.extend((deepcopy(iam_backends[ACCOUNT]["aws"]), deepcopy(ec2_backends[ACCOUNT]["us-east-1"])))
    iam_backends[ACCOUNT]["aws"], ec2_backends[ACCOUNT]["us-east-1"] = map(deepcopy, _MADE)
    account.client("iam").create_service_specific_credential(
        UserName="dev", ServiceName="bedrock.amazonaws.com", CredentialAgeDays=30
    )
    account.calls.clear()
    return account


_MADE: list[Any] = []
"""The world, once it was made over HTTP: a copy takes less time than making it again."""


def _make(account: Account) -> None:
    aws_own(ACCOUNT)
    iam = account.client("iam")
    limits = iam.create_policy(PolicyName="limits", PolicyDocument=document("bedrock-mantle:*"))["Policy"]["Arn"]
    iam.create_user(UserName="dev", PermissionsBoundary=limits)
    iam.put_user_policy(UserName="dev", PolicyName="own", PolicyDocument=document("bedrock-mantle:ListModels"))
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="shared", PolicyDocument=document("bedrock-mantle:GetModel"))
    iam.attach_group_policy(GroupName="team", PolicyArn=AWS_OWN)
    iam.add_user_to_group(UserName="dev", GroupName="team")
    iam.create_user(UserName="idle")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="app", PolicyName="in", PolicyDocument=document("bedrock-mantle:CreateInference"))
    _endpoint(account)


def aws_own(number: str, action: str = "sqs:ListQueues") -> None:
    """One of AWS's own policies, as moto has it; all of them take a second."""
    from moto.iam.models import AWSManagedPolicy, iam_backends

    backend = iam_backends[number]["aws"]
    data = {
        "Arn": AWS_OWN,
        "Path": "/",
        "CreateDate": "2015-02-06T18:41:27+00:00",
        "UpdateDate": "2015-02-06T18:41:27+00:00",
        "DefaultVersionId": "v1",
        "Document": json.loads(document(action)),
    }
    made = AWSManagedPolicy.from_data("AmazonSQSReadOnlyAccess", number, "us-east-1", data)
    backend.aws_managed_policies = [made]
    backend.managed_policies[AWS_OWN] = made


def _endpoint(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for service, action in (("bedrock-mantle", "bedrock-mantle:CreateInference"), ("s3", "s3:GetObject")):
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            VpcEndpointType="Interface",
            ServiceName=f"com.amazonaws.us-east-1.{service}",
            PolicyDocument=document(action, Principal="*"),
        )


def organization(account: Account, *, denied: str = "bedrock-mantle:*") -> str:
    """An organization managed by the account itself, with one member; answers the member's id."""
    client = account.client("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    client.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = client.create_organizational_unit(ParentId=root, Name="prod")["OrganizationalUnit"]["Id"]
    member = str(client.create_account(AccountName="m", Email="m@example.com")["CreateAccountStatus"]["AccountId"])
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    made = client.create_policy(
        Name="no-mantle",
        Description="",
        Type="SERVICE_CONTROL_POLICY",
        Content=document(denied, effect="Deny"),
    )
    client.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=unit)
    account.calls.clear()
    return member


def role_in(account: Account, number: str) -> str:
    """A role in another account, by which it is read; answers its ARN."""
    from moto.iam.models import iam_backends

    backend = iam_backends[number]["aws"]
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"] = {"AWS": "*"}
    backend.create_role("audit", json.dumps(trust), "/", None, "", [], "3600")
    aws_own(number)
    backend.put_role_policy("audit", "in", document("bedrock-mantle:GetFile"))
    account.calls.clear()
    return f"arn:aws:iam::{number}:role/audit"


def read(account: Account, folder: Path, *roles: str, attempts: int = 1) -> tuple[dict[str, Read], list[Input]]:
    """Read live, then from the files."""
    read_live(Live(roles=roles, endpoint_url=account.url, attempts=attempts), folder)
    return read_saved(folder)


def read_saved(folder: Path) -> tuple[dict[str, Read], list[Input]]:
    """What a folder holds."""
    accounts = Accounts((str(folder),), live=str(folder))
    found = {one.id: one for one in accounts}
    return found, accounts.inputs


def named(found: Read, name: str) -> Principal:
    return next(one for one in found.principals if one.arn.endswith(f"/{name}"))


def actions(principal: Principal) -> set[str]:
    return {
        action for one in principal.identity for statement in one.document.statements for action in statement.actions
    }


def attach_in(number: str) -> None:
    """AWS's own policy for the role that ``role_in`` makes."""
    from moto.iam.models import iam_backends

    iam_backends[number]["aws"].attach_role_policy(AWS_OWN, "audit")
