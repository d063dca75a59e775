"""Plans: what would become allowed, what would not and why, and whom a name means."""

from __future__ import annotations

from typing import Any

import pytest
from attach_world import INFERENCE, document

from mantle_iam.attach.apply import apply, read_target, target_name
from mantle_iam.attach.plan import Bound, Gain, InlineChange, ManagedChange, Plan, State, Target, TargetKind
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import PolicySet
from mantle_iam.workflow import attach as module
from mantle_iam.workflow.attach import Binding, managed_change, plan_attachment, prepare


def gains(plan: Any, gain: Gain) -> set[str]:
    return {g.action.partition(":")[2] for g in plan.gains if g.gain is gain}


def test_gains_count_only_what_is_new(iam, alice):
    iam.put_user_policy(UserName=alice, PolicyName="models", PolicyDocument=document("bedrock-mantle:ListModels"))
    plan = prepare(iam, TargetKind.USER, alice, "inference")
    assert "ListModels" not in gains(plan, Gain.ALLOWED)
    assert "bedrock-mantle:ListModels" in plan.already
    assert {"CreateInference", "GetModel", "CallWithBearerToken", "ListTagsForResource"} <= gains(plan, Gain.ALLOWED)
    assert "CountTokens" not in {g.action.partition(":")[2] for g in plan.gains}
    assert "aws-marketplace:Subscribe" in plan.others


def test_a_boundary_withholds_and_is_named(iam):
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=document("bedrock-mantle:ListModels"))["Policy"]["Arn"]
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=document("sts:AssumeRole"), PermissionsBoundary=arn)
    plan = prepare(iam, TargetKind.ROLE, "app", "inference")
    assert gains(plan, Gain.ALLOWED) == {"ListModels"}
    withheld = {g.action: g.depends_on for g in plan.gains if g.gain is Gain.WITHHELD}
    assert withheld["bedrock-mantle:CreateInference"] == ("permissions-boundary",)


def test_an_explicit_deny_withholds(iam, alice):
    iam.put_user_policy(
        UserName=alice, PolicyName="no", PolicyDocument=document("bedrock-mantle:CreateInference", effect="Deny")
    )
    plan = prepare(iam, TargetKind.USER, alice, "inference")
    assert gains(plan, Gain.WITHHELD) == {"CreateInference"}


def test_a_condition_makes_it_conditional(iam, alice):
    conditioned = parse_policy(
        document("bedrock-mantle:CreateInference", Condition={"StringEquals": {"bedrock-mantle:Model": "a"}})
    )
    plan = prepare(iam, TargetKind.USER, alice, InlineChange("m", conditioned))
    (gain,) = plan.gains
    assert (gain.gain, gain.depends_on) == (Gain.CONDITIONAL, ("bedrock-mantle:Model",))
    assert gain.where == (("bedrock-mantle:Model", ("a",)),)
    tagged = parse_policy(
        document("bedrock-mantle:CreateInference", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}})
    )
    (gain,) = prepare(iam, TargetKind.USER, alice, InlineChange("m", tagged)).gains
    assert (gain.gain, gain.depends_on) == (Gain.CONDITIONAL, ("aws:ResourceTag/team",))
    assert gain.where == (("aws:ResourceTag/team", ("a",)),)


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        ({"StringEquals": {"bedrock-mantle:Model": ["a", "b"]}}, (("bedrock-mantle:Model", ("a", "b")),)),
        ({"StringLike": {"bedrock-mantle:Model": "openai.*"}}, ()),
        ({"StringNotEquals": {"bedrock-mantle:Model": "a"}}, ()),
        ({"StringEquals": {"bedrock-mantle:Model": "a", "bedrock-mantle:ServiceTier": "flex"}}, None),
    ],
)
def test_the_values_of_a_condition_are_named_only_where_they_are_enough(iam, alice, condition, where):
    conditioned = parse_policy(document("bedrock-mantle:CreateInference", Condition=condition))
    (gain,) = prepare(iam, TargetKind.USER, alice, InlineChange("m", conditioned)).gains
    assert gain.gain is Gain.CONDITIONAL
    expected = (("bedrock-mantle:Model", ("a",)), ("bedrock-mantle:ServiceTier", ("flex",)))
    assert gain.where == (expected if where is None else where)


def test_a_group_of_the_user_counts(iam, alice):
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=document("bedrock-mantle:*"))
    iam.add_user_to_group(GroupName="team", UserName=alice)
    plan = prepare(iam, TargetKind.USER, alice, "inference")
    assert plan.gains == ()
    assert plan.needed, "the policy is not there, though it would change nothing"


def test_replacing_a_policy_tells_what_is_lost(iam, alice):
    iam.put_user_policy(UserName=alice, PolicyName="m", PolicyDocument=document("bedrock-mantle:*"))
    models = InlineChange("m", parse_policy(document("bedrock-mantle:ListModels")))
    plan = prepare(iam, TargetKind.USER, alice, models)
    assert plan.needed
    assert plan.gains == ()
    assert plan.already == ("bedrock-mantle:ListModels",)
    assert "bedrock-mantle:CreateInference" in plan.losses
    assert "bedrock-mantle:ListModels" not in plan.losses


def test_replacing_a_deny_counts_without_it(iam, alice):
    iam.put_user_policy(UserName=alice, PolicyName="m", PolicyDocument=document("bedrock-mantle:*", effect="Deny"))
    plan = prepare(iam, TargetKind.USER, alice, InlineChange("m", parse_policy(document("bedrock-mantle:ListModels"))))
    assert gains(plan, Gain.ALLOWED) == {"ListModels"}
    assert plan.losses == ()


def test_the_text_of_a_managed_policy_is_the_one_in_force(iam):
    change, notes = managed_change("inference", "aws", iam)
    assert notes == ()
    assert change.version == "v5"
    shipped, _ = managed_change("inference", "aws")
    assert shipped.document.statements == change.document.statements


def test_another_partition_has_its_own_arn(iam):
    change, _ = managed_change("full", "aws-us-gov")
    assert change.arn == "arn:aws-us-gov:iam::aws:policy/AmazonBedrockMantleFullAccess"


def test_where_iam_has_no_such_managed_policy_it_is_said(iam):
    with pytest.raises(InputError, match="AmazonBedrockMantleFullAccess"):
        managed_change("full", "aws-us-gov", iam)


def test_planning_is_pure_and_the_same_twice(iam, alice):
    state = read_target(iam, TargetKind.USER, alice)
    change = managed_change("full", "aws")[0]
    binding = Binding(PolicySet(), state.target.arn)
    assert plan_attachment(state, change, binding) == plan_attachment(state, change, binding)


def test_nothing_needed_is_nothing_sent():
    class Never:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was called")

    change = ManagedChange("P", INFERENCE, parse_policy(document("a:b")), "v1")
    target = Target(TargetKind.USER, "alice", "arn:aws:iam::1:user/alice", "1", "aws")
    apply(Never(), Plan(State(target, (Bound("P", INFERENCE),)), change, needed=False))


@pytest.mark.parametrize(
    ("kind", "text", "name", "account"),
    [
        (TargetKind.USER, "alice", "alice", None),
        (TargetKind.USER, "/team/alice", "alice", None),
        (TargetKind.USER, "team/alice", "alice", None),
        (TargetKind.USER, "arn:aws:iam::123456789012:user/team/alice", "alice", "123456789012"),
        (TargetKind.ROLE, "arn:aws-us-gov:iam::123456789012:role/a/b", "b", "123456789012"),
        (TargetKind.ROLE, "arn:aws:sts::123456789012:assumed-role/app/session", "app", "123456789012"),
        (TargetKind.USER, "a+b=c,d.e@f_g-h", "a+b=c,d.e@f_g-h", None),
    ],
)
def test_names_as_people_write_them(kind, text, name, account):
    assert target_name(kind, text) == (name, account)


def test_a_read_that_is_not_allowed_makes_the_plan_say_so(iam, alice, monkeypatch):
    def refuse(*_: object) -> Any:
        raise UndeterminedError("these AWS credentials may not call iam:GetPolicy on policy")

    monkeypatch.setattr(module, "default_version", refuse)
    change, notes = managed_change("inference", "aws", iam)
    assert change.version == "v5"
    assert "iam:GetPolicy" in notes[0]


def test_another_partition_from_the_target(iam, monkeypatch):
    import boto3

    govcloud = boto3.client("iam", endpoint_url=iam.meta.endpoint_url, region_name="us-gov-west-1")
    govcloud.create_role(RoleName="gov", AssumeRolePolicyDocument=document("sts:AssumeRole"))
    state = read_target(govcloud, TargetKind.ROLE, "gov")
    assert state.target.partition == "aws-us-gov"
    change, _ = managed_change("inference", state.target.partition)
    plan = plan_attachment(state, change, Binding(PolicySet(), state.target.arn))
    assert "CreateInference" in gains(plan, Gain.ALLOWED)
    govcloud.delete_role(RoleName="gov")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document("bedrock-mantle:ListTagsForResources"), "did you mean bedrock-mantle:ListTagsForResource?"),
        (document("bedrock-mantle:ListModels", Comment="x"), "Comment"),
        (document(*(f"bedrock-mantle:Get{'x' * 90}{n}" for n in range(30))), "may have 2048"),
    ],
)
def test_what_is_odd_about_a_document_is_noted(iam, alice, text, words):
    plan = prepare(iam, TargetKind.USER, alice, InlineChange("m", parse_policy(text)))
    assert any(words in note for note in plan.notes), plan.notes


def test_a_group_counts_its_own_policies(iam):
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=document("bedrock-mantle:ListModels"))
    iam.attach_group_policy(GroupName="team", PolicyArn=INFERENCE.replace("InferenceAccess", "ReadOnly"))
    plan = prepare(iam, TargetKind.GROUP, "team", "inference")
    assert [(b.name, b.arn is None) for b in plan.state.policies] == [
        ("AmazonBedrockMantleReadOnly", False),
        ("p", True),
    ]
    assert "CreateInference" in gains(plan, Gain.ALLOWED)
    assert "bedrock-mantle:GetModel" in plan.already
    assert any("members" in note for note in plan.notes)


def test_policies_that_cannot_be_read_make_the_gain_unknown(iam, monkeypatch):
    iam.create_group(GroupName="team")

    def refuse(*_: object) -> Any:
        raise UndeterminedError("these AWS credentials may not call iam:GetGroupPolicy on policy `p`")

    monkeypatch.setattr(module, "read_documents", refuse)
    plan = prepare(
        iam, TargetKind.GROUP, "team", InlineChange("m", parse_policy(document("bedrock-mantle:ListModels")))
    )
    (gain,) = plan.gains
    assert (gain.gain, gain.depends_on) == (Gain.UNKNOWN, ("identity",))
    assert any("iam:GetGroupPolicy" in note for note in plan.notes)


def test_a_service_linked_role_is_not_touched():
    class Iam:
        def get_role(self, **_: str) -> Any:
            arn = "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"
            return {"Role": {"Arn": arn, "RoleName": "AWSServiceRoleForX"}}

    with pytest.raises(InputError, match="service-linked"):
        read_target(Iam(), TargetKind.ROLE, "AWSServiceRoleForX")
