"""When nothing is done, and why: a deny elsewhere, nothing new, quotas, somebody else at the same time, missing rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attach_world import ACCOUNT, INFERENCE, document

from mantle_iam.attach.apply import Clients
from mantle_iam.attach.plan import Gain, TargetKind
from mantle_iam.workflow.attach import Wanted, prepare, refusal

CHAT = document("bedrock-mantle:CreateInference")
MANTLE_DENIED = document("bedrock-mantle:*", effect="Deny")


def attached(iam: Any, user: str = "alice") -> list[str]:
    return [p["PolicyArn"] for p in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]]


def chat(text: str = CHAT) -> tuple[str, str]:
    Path("chat.json").write_text(text, "utf-8")
    return "--policy", "chat.json"


def boundary(iam: Any, text: str) -> tuple[str, str]:
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=text)["Policy"]["Arn"]
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=document("sts:AssumeRole"), PermissionsBoundary=arn)
    return "--role", "app"


def deny_of_group(iam: Any, text: str) -> tuple[str, str]:
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="stop", PolicyDocument=text)
    iam.add_user_to_group(GroupName="team", UserName="alice")
    return "--user", "alice"


FUTILE = [
    (lambda iam: boundary(iam, document("s3:*")), "by the permissions boundary", "`edge`"),
    (lambda iam: deny_of_group(iam, MANTLE_DENIED), "by the identity policies", "inline policy `stop` of group/team"),
]


@pytest.mark.parametrize(("hinder", "words", "name"), FUTILE, ids=["boundary", "deny"])
def test_where_all_of_it_would_still_be_refused_nothing_is_done(run, run_json, iam, alice, hinder, words, name):
    target = hinder(iam)
    ran = run("attach", "--managed", "inference", *target, "--yes")
    assert ran.code == 1
    assert words in ran.err
    assert name in ran.err
    assert "nothing was changed; --force" in ran.err
    assert not list(Path().glob("*.undo.json"))
    code, found = run_json("--managed", "inference", *target, "--yes")
    assert (code, found["outcome"]["status"]) == (1, "futile")
    assert {gain["gain"] for gain in found["gains"]} == {"withheld"}
    assert INFERENCE not in [policy["arn"] for policy in found["before"]]
    code, found = run_json("--managed", "inference", *target, "--yes", "--force")
    assert (code, found["outcome"]["status"]) == (0, "done")


def test_where_a_part_is_withheld_the_rest_is_done(run, iam, alice):
    deny_of_group(iam, document("bedrock-mantle:CreateInference", effect="Deny"))
    ran = run("attach", "--managed", "inference", "--user", alice, "--yes")
    assert ran.code == 0, ran.err
    assert "refused CreateInference: still withheld by the identity policies" in " ".join(ran.out.split())
    assert attached(iam) == [INFERENCE]


def test_what_other_policies_allow_already_is_not_attached_again(run, iam, alice):
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=document("bedrock-mantle:*"))
    iam.add_user_to_group(GroupName="team", UserName=alice)
    ran = run("attach", *chat(), "--user", alice, "--yes")
    assert ran.code == 0
    assert "nothing to do" in ran.out
    assert iam.list_user_policies(UserName=alice)["PolicyNames"] == ["old"]
    assert run("attach", *chat(), "--user", alice, "--yes", "--force").code == 0
    assert len(iam.list_user_policies(UserName=alice)["PolicyNames"]) == 2


def test_a_wider_resource_is_not_there_already(run, iam, alice):
    """One project of a kind is allowed; the policy allows all of them."""
    one = "arn:aws:bedrock-mantle:us-east-1:123456789012:project/default"
    iam.put_user_policy(
        UserName=alice, PolicyName="one", PolicyDocument=document("bedrock-mantle:CreateInference", resource=one)
    )
    ran = run("attach", *chat(), "--name", "all", "--user", alice, "--yes")
    assert ran.code == 0, ran.err
    assert "all" in iam.list_user_policies(UserName=alice)["PolicyNames"]


# -- quotas -----------------------------------------------------------------------------------------------------------------


def test_the_eleventh_managed_policy_is_refused_with_numbers(run, run_json, iam, alice):
    for n in range(10):
        arn = iam.create_policy(PolicyName=f"p{n}", PolicyDocument=document(f"s3:Get{n}"))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=alice, PolicyArn=arn)
    ran = run("attach", "--managed", "inference", "--user", alice, "--yes")
    assert ran.code == 1
    assert "11 managed policies attached to a user, of which 10 may be" in ran.err
    assert INFERENCE not in attached(iam)
    code, found = run_json("--managed", "inference", "--user", alice, "--dry-run", "--force")
    assert (code, found["outcome"]["status"]) == (1, "over-quota")
    (quota,) = [one for one in found["quotas"] if one["over"]]
    assert (quota["used"], quota["now"], quota["limit"], quota["limit_known"]) == (11, 10, 10, True)


LONG = document(*(f"bedrock-mantle:Get{'x' * 90}{n}" for n in range(12)))
LIMITS = [("user", 2048), ("group", 5120), ("role", 10240)]


@pytest.mark.parametrize(("kind", "limit"), LIMITS)
def test_all_inline_policies_together_count(run, iam, kind, limit):
    fits = limit // sum(not c.isspace() for c in LONG)
    more = {"AssumeRolePolicyDocument": document("sts:AssumeRole")} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**{f"{kind.title()}Name": "x"}, **more)
    for n in range(fits):
        getattr(iam, f"put_{kind}_policy")(
            **{f"{kind.title()}Name": "x"}, PolicyName=f"p{n}", PolicyDocument=LONG.replace("xx", "yy")
        )
    ran = run("attach", *chat(LONG), f"--{kind}", "x", "--yes", "--force")
    assert ran.code == 1, ran.out
    assert f"characters in all inline policies of a {kind}, of which {limit} may be" in ran.err
    replaced = run("attach", *chat(LONG), "--name", "p0", f"--{kind}", "x", "--dry-run", "--force")
    assert replaced.code == 0, replaced.err


def test_a_managed_policy_has_a_size(run, iam, alice):
    big = document(*(f"bedrock-mantle:Get{'x' * 90}{n}" for n in range(60)))
    ran = run("attach", *chat(big), "--as", "managed", "--user", alice, "--yes")
    assert ran.code == 1
    assert "of which 6144 may be" in ran.err
    assert iam.list_policies(Scope="Local")["Policies"] == []


# -- somebody else, between the plan and the change ---------------------------------------------------------------------------

MEANWHILE = [
    lambda iam: iam.put_user_policy(UserName="alice", PolicyName="old", PolicyDocument=CHAT),
    lambda iam: iam.attach_user_policy(UserName="alice", PolicyArn=INFERENCE),
    lambda iam: iam.delete_user_policy(UserName="alice", PolicyName="old"),
]


@pytest.mark.parametrize("change", MEANWHILE, ids=["text", "attached", "removed"])
def test_what_was_changed_while_the_question_was_open_stops_it(run, iam, alice, monkeypatch, change):
    """The plan is shown, somebody changes the user, and only then is the question answered."""
    from mantle_iam.cli import attach as module

    def slowly(_: object) -> bool:
        change(iam)
        return True

    monkeypatch.setattr(module, "_agreed", slowly)
    ran = run("attach", "--managed", "full", "--user", alice, "--yes")
    assert ran.code == 1
    assert "meanwhile" in ran.err
    assert "AmazonBedrockMantleFullAccess" not in str(attached(iam))
    assert not list(Path().glob("*.undo.json"))


def test_the_same_for_taking_back(run, iam, alice, monkeypatch):
    from mantle_iam.cli import attach as module

    assert run("attach", "--managed", "full", "--user", alice, "--yes").code == 0
    (file,) = Path().glob("*.undo.json")
    monkeypatch.setattr(module, "_agreed", lambda _: bool(MEANWHILE[0](iam)) or True)
    ran = run("attach", "--undo", str(file), "--yes")
    assert ran.code == 1
    assert "meanwhile" in ran.err
    assert "AmazonBedrockMantleFullAccess" in str(attached(iam))


# -- service control policies -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def member(iam_url: str) -> Any:
    """A member account of an organization: its IAM, its id, and Organizations as its management account has it."""
    import boto3

    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "example"}
    where = {"endpoint_url": iam_url, "region_name": "us-east-1"}
    organizations = boto3.client("organizations", **where, **keys)
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    account = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]["AccountId"]
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    session = boto3.client("sts", **where, **keys).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    own = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    iam = boto3.client("iam", **where, **own)
    iam.create_user(UserName="bob")
    iam.create_group(GroupName="team")
    yield iam, account, organizations, own
    organizations.close_account(AccountId=account)
    for child in organizations.list_children(ParentId=root, ChildType="ACCOUNT")["Children"]:
        if child["Id"] not in (account, ACCOUNT):
            organizations.remove_account_from_organization(AccountId=child["Id"])


@pytest.mark.parametrize(("kind", "name"), [(TargetKind.USER, "bob"), (TargetKind.GROUP, "team")])
def test_a_service_control_policy_that_denies_is_seen_and_named(member, kind, name):
    iam, account, organizations, _ = member
    content = document("bedrock-mantle:*", effect="Deny")
    made = organizations.create_policy(
        Name=f"no-mantle-{name}", Description="x", Type="SERVICE_CONTROL_POLICY", Content=content
    )["Policy"]["PolicySummary"]["Id"]
    clients = Clients(iam, iam, organizations)
    before = prepare(clients, kind, name, Wanted(managed="inference")).plan
    assert {gain.gain for gain in before.gains} == {Gain.ALLOWED}
    organizations.attach_policy(PolicyId=made, TargetId=account)
    try:
        plan = prepare(clients, kind, name, Wanted(managed="inference")).plan
        assert {(gain.gain, gain.depends_on) for gain in plan.gains} == {(Gain.WITHHELD, ("scp",))}
        refused = refusal(plan)
        assert refused is not None
        assert f"policy `no-mantle-{name}` of {account}" in refused.reason
    finally:
        organizations.detach_policy(PolicyId=made, TargetId=account)


def test_service_control_policies_that_cannot_be_read_leave_it_open(run, run_json, member, aws, monkeypatch):
    """A member account may not read them, which is the rule."""
    _, account, _, keys = member
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)
    code, found = run_json("--managed", "inference", "--user", "bob", "--dry-run")
    assert code == 0
    assert found["target"]["account"] == account
    assert {(gain["gain"], tuple(gain["depends_on"])) for gain in found["gains"]} == {("unknown", ("scp",))}
    ran = run("attach", "--managed", "inference", "--user", "bob", "--dry-run")
    words = " ".join(ran.out.split())
    assert "unless the service control policies, which could not be read, refuse it" in words


# -- missing rights -----------------------------------------------------------------------------------------------------------


def test_needs_prints_a_policy_and_calls_nobody(run, monkeypatch, closed_port):
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", closed_port)
    ran = run("attach", "--managed", "inference", "--user", "alice", "--needs")
    assert ran.code == 0, ran.err
    statements = json.loads(ran.out)["Statement"]
    actions = {a for s in statements for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert {"iam:AttachUserPolicy", "iam:DetachUserPolicy", "iam:GetUser"} <= actions
    assert not {"iam:PutUserPolicy", "iam:AttachRolePolicy", "iam:*"} & actions


@pytest.mark.parametrize(
    ("options", "action"),
    [
        ((*("--policy", "chat.json"), "--role", "app"), "iam:PutRolePolicy"),
        ((*("--policy", "chat.json"), "--as", "managed", "--group", "g"), "iam:CreatePolicyVersion"),
        ((*("--policy", "chat.json"), "--permission-set", "Dev"), "sso:ProvisionPermissionSet"),
        (("--managed", "full", "--role", "x", "--region", "cn-north-1"), "arn:aws-cn:iam::aws:policy/"),
    ],
)
def test_needs_for_other_targets(run, tmp_path, options, action):
    (tmp_path / "chat.json").write_text(CHAT, "utf-8")
    ran = run("attach", *options, "--needs")
    assert ran.code == 0, ran.err
    assert action in ran.out
