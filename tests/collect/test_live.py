"""Policies read from an account over HTTP: nothing that binds is missed, nothing unreadable passes for absent."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from mantle_iam.collect.live import Collected, collect_policies, identity_of
from mantle_iam.errors import InputError
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicyType, StatementRef
from tests.collect.moto_account import ACCOUNT, Account

USER = f"arn:aws:iam::{ACCOUNT}:user/team/dev"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session@host"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def managed(iam: Any, name: str, *actions: str) -> str:
    arn: str = iam.create_policy(PolicyName=name, PolicyDocument=allow(*actions))["Policy"]["Arn"]
    return arn


def actions(collected: Collected) -> set[str]:
    return {a for document in collected.policies.identity for s in document.statements for a in s.actions}


@pytest.fixture
def user(account: Account) -> Any:
    """A user with every kind of policy that IAM knows."""
    iam = account.client("iam")
    iam.create_user(UserName="dev", Path="/team/", Tags=[{"Key": "team", "Value": "blue"}])
    iam.put_user_policy(UserName="dev", PolicyName="own", PolicyDocument=allow("bedrock-mantle:ListModels"))
    iam.attach_user_policy(UserName="dev", PolicyArn=managed(iam, "direct", "bedrock-mantle:GetModel"))
    iam.create_group(GroupName="builders")
    iam.add_user_to_group(GroupName="builders", UserName="dev")
    iam.put_group_policy(GroupName="builders", PolicyName="shared", PolicyDocument=allow("bedrock-mantle:ListFiles"))
    iam.attach_group_policy(GroupName="builders", PolicyArn=managed(iam, "team", "bedrock-mantle:GetFile"))
    boundary = managed(iam, "limits", "bedrock-mantle:List*")
    iam.put_user_permissions_boundary(UserName="dev", PermissionsBoundary=boundary)
    return iam


def test_every_policy_of_a_user(account: Account, user: Any) -> None:
    collected = collect_policies(user, USER)
    wanted = {"ListModels", "GetModel", "ListFiles", "GetFile"}
    assert actions(collected) == {f"bedrock-mantle:{name}" for name in wanted}
    boundary = collected.policies.permissions_boundary
    assert boundary is not None
    assert boundary[0].statements[0].actions == ("bedrock-mantle:List*",)
    assert collected.policies.session is None
    assert collected.policies.unknown == {PolicyType.SCP}
    assert collected.tags == (("team", "blue"),)


def test_documents_are_named(account: Account, user: Any) -> None:
    collected = collect_policies(user, USER)
    named = {}
    for index in range(len(collected.policies.identity)):
        source = collected.source_of(StatementRef(PolicyType.IDENTITY, index, 0))
        assert source is not None
        named[collected.policies.identity[index].statements[0].actions[0]] = str(source)
    assert named == {
        "bedrock-mantle:ListModels": "inline policy `own` of user/dev",
        "bedrock-mantle:GetModel": "policy `direct` of user/dev",
        "bedrock-mantle:ListFiles": "inline policy `shared` of group/builders",
        "bedrock-mantle:GetFile": "policy `team` of group/builders",
    }
    boundary = collected.source_of(StatementRef(PolicyType.PERMISSIONS_BOUNDARY, 0, 0))
    assert boundary is not None
    assert boundary.arn == f"arn:aws:iam::{ACCOUNT}:policy/limits"


def test_only_the_default_version_counts(account: Account, user: Any) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/direct"
    user.create_policy_version(PolicyArn=arn, PolicyDocument=allow("bedrock-mantle:CreateFile"), SetAsDefault=True)
    user.create_policy_version(PolicyArn=arn, PolicyDocument=allow("bedrock-mantle:DeleteFile"), SetAsDefault=False)
    collected = collect_policies(user, USER)
    assert "bedrock-mantle:CreateFile" in actions(collected)
    assert not {"bedrock-mantle:GetModel", "bedrock-mantle:DeleteFile"} & actions(collected)
    assert {source.version for source in collected.sources if source.name == "direct"} == {"v2"}


def test_pages_are_followed(account: Account, user: Any) -> None:
    for number in range(120):
        user.put_user_policy(UserName="dev", PolicyName=f"p{number}", PolicyDocument=allow(f"s3:Get{number}"))
    assert {f"s3:Get{number}" for number in range(120)} <= actions(collect_policies(user, USER))


def test_aws_managed_policies_are_read(aws_managed: None, account: Account, user: Any) -> None:
    user.attach_user_policy(UserName="dev", PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockMantleInferenceAccess")
    assert "bedrock-mantle:CallWithBearerToken" in actions(collect_policies(user, USER))


@pytest.mark.parametrize("principal", [ROLE, SESSION])
def test_role_and_its_session(account: Account, principal: str) -> None:
    iam = account.client("iam")
    boundary = managed(iam, "limits", "bedrock-mantle:*")
    iam.create_role(RoleName="app", Path="/service/", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=allow("bedrock-mantle:CreateInference"))
    collected = collect_policies(iam, principal)
    assert actions(collected) == {"bedrock-mantle:CreateInference"}
    assert collected.policies.permissions_boundary is not None
    # No API tells whether a session was given a policy.
    assert (PolicyType.SESSION in collected.policies.unknown) == (principal == SESSION)


def test_a_known_session_policy_is_in_force(account: Account) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    document = parse_policy(allow("bedrock-mantle:ListModels"))
    assert collect_policies(iam, SESSION, session=(document,)).policies.session == (document,)
    none = collect_policies(iam, SESSION, session=None).policies
    assert none.session is None
    assert PolicyType.SESSION not in none.unknown


FAILURES = [
    # operation that fails, layers that are then unknown besides the SCPs
    ("ListUserPolicies", {PolicyType.IDENTITY}),
    ("ListAttachedUserPolicies", {PolicyType.IDENTITY}),
    ("ListGroupsForUser", {PolicyType.IDENTITY}),
    ("ListGroupPolicies", {PolicyType.IDENTITY}),
    ("GetUserPolicy", {PolicyType.IDENTITY}),
    ("GetGroupPolicy", {PolicyType.IDENTITY}),
    ("GetPolicy", {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}),
    ("GetPolicyVersion", {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}),
    ("GetUser", {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}),
]


@pytest.mark.parametrize(("operation", "layers"), FAILURES, ids=[name for name, _ in FAILURES])
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(403, "AccessDenied", "is not allowed"), (400, "Throttling", "was throttled"), (500, "ServiceFailure", "failed")],
)
def test_what_cannot_be_read_is_unknown(
    account: Account, user: Any, operation: str, layers: set[PolicyType], status: int, code: str, words: str
) -> None:
    account.failing[operation] = (status, code)
    collected = collect_policies(user, USER)
    assert collected.policies.unknown == layers | {PolicyType.SCP}
    assert any(operation in note and words in note for note in collected.notes), collected.notes
    request = AuthorizationRequest(USER, "bedrock-mantle:ListReservations")
    assert evaluate(request, collected.policies).decision is Decision.UNKNOWN


def test_what_was_read_is_kept_beside_what_was_not(account: Account, user: Any) -> None:
    account.failing["GetPolicyVersion"] = (403, "AccessDenied")
    assert actions(collect_policies(user, USER)) == {"bedrock-mantle:ListModels", "bedrock-mantle:ListFiles"}


def test_a_user_that_is_not_there(account: Account) -> None:
    collected = collect_policies(account.client("iam"), USER)
    assert {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY} <= collected.policies.unknown
    assert len([note for note in collected.notes if "does not exist" in note]) == 1, "once is enough"


def test_a_user_of_the_same_name_in_another_account(account: Account, user: Any) -> None:
    collected = collect_policies(user, "arn:aws:iam::999999999999:user/team/dev")
    assert PolicyType.IDENTITY in collected.policies.unknown
    assert collected.policies.identity == (), "a namesake's policies are not this user's"
    assert any("account 123456789012" in note and "999999999999" in note for note in collected.notes)


def test_no_network(account: Account) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    collected = collect_policies(account.client("iam", url), USER)
    assert {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY, PolicyType.SCP} == collected.policies.unknown
    assert any("Could not connect" in note for note in collected.notes)


def test_root_has_no_identity_policies(account: Account) -> None:
    collected = collect_policies(account.client("iam"), f"arn:aws:iam::{ACCOUNT}:root")
    assert collected.policies.identity == ()
    assert collected.policies.unknown == {PolicyType.SCP}


@pytest.mark.parametrize(
    "principal",
    ["dev", f"arn:aws:iam::{ACCOUNT}:group/g", f"arn:aws:sts::{ACCOUNT}:federated-user/f", "arn:aws:s3:::b"],
)
def test_not_a_principal(account: Account, principal: str) -> None:
    with pytest.raises(InputError):
        collect_policies(account.client("iam"), principal)


def test_identity_of_keeps_only_the_name() -> None:
    found = identity_of("arn:aws-us-gov:iam::123456789012:user/a/b/c")
    assert found is not None
    assert (found.kind, found.name, found.partition) == ("user", "c", "aws-us-gov")


class TestOrganization:
    """SCPs, root first."""

    def test_levels(self, account: Account, user: Any) -> None:
        organizations, member = self._member(account)
        self._attach(organizations, member, "leaf", allow("bedrock-mantle:*"))
        levels = collect_policies(user, f"arn:aws:iam::{member}:root", organizations=organizations).policies
        assert levels.scp is not None
        assert len(levels.scp) == 3
        first = [document.statements[0].actions for document in levels.scp[2]]
        assert ("bedrock-mantle:*",) in first
        assert PolicyType.SCP not in levels.unknown

    def test_documents_are_named(self, account: Account, user: Any) -> None:
        organizations, member = self._member(account)
        self._attach(organizations, member, "leaf", allow("bedrock-mantle:*"))
        collected = collect_policies(user, f"arn:aws:iam::{member}:root", organizations=organizations)
        names = [(s.level, s.document, s.name) for s in collected.sources]
        assert (2, 1, "leaf") in names
        assert (0, 0, "FullAWSAccess") in names

    def test_management_account_is_exempt(self, account: Account, user: Any) -> None:
        organizations, _ = self._member(account)
        collected = collect_policies(user, USER, organizations=organizations)
        assert collected.policies.scp is None
        assert PolicyType.SCP not in collected.policies.unknown
        assert any("management account" in note for note in collected.notes)

    def test_an_organization_says_nothing_about_an_account_of_another(self, account: Account, user: Any) -> None:
        organizations = account.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        collected = collect_policies(user, "arn:aws:iam::999988887777:root", organizations=organizations)
        assert PolicyType.SCP in collected.policies.unknown

    @pytest.mark.parametrize("parents", ["[]", '[{"Id": "ou-aaaa-bbbbbbbb", "Type": "ORGANIZATIONAL_UNIT"}]'])
    def test_a_way_that_does_not_end_at_a_root(self, account: Account, user: Any, parents: str) -> None:
        organizations, member = self._member(account)
        account.instead["ListParents"] = lambda _: f'{{"Parents": {parents}}}'
        collected = collect_policies(user, f"arn:aws:iam::{member}:root", organizations=organizations)
        assert PolicyType.SCP in collected.policies.unknown
        assert account.calls.count("organizations:ListParents") < 20

    def test_no_organization(self, account: Account, user: Any) -> None:
        collected = collect_policies(user, USER, organizations=account.client("organizations"))
        assert collected.policies.scp is None
        assert PolicyType.SCP not in collected.policies.unknown

    @pytest.mark.parametrize("operation", ["DescribeOrganization", "ListParents", "DescribePolicy", "ListRoots"])
    def test_unreadable(self, account: Account, user: Any, operation: str) -> None:
        organizations, member = self._member(account)
        account.failing[operation] = (400, "AccessDeniedException")
        collected = collect_policies(user, f"arn:aws:iam::{member}:root", organizations=organizations)
        assert PolicyType.SCP in collected.policies.unknown
        assert any(operation in note for note in collected.notes)

    def _member(self, account: Account) -> tuple[Any, str]:
        """An organization with the member account in an OU under the root."""
        organizations = account.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        root = organizations.list_roots()["Roots"][0]["Id"]
        organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
        unit = organizations.create_organizational_unit(ParentId=root, Name="unit")["OrganizationalUnit"]["Id"]
        member = organizations.create_account(Email="a@example.com", AccountName="m")["CreateAccountStatus"][
            "AccountId"
        ]
        organizations.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
        return organizations, member

    def _attach(self, organizations: Any, target: str, name: str, document: str) -> None:
        made = organizations.create_policy(Content=document, Description="", Name=name, Type="SERVICE_CONTROL_POLICY")
        organizations.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=target)
