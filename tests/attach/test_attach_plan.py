"""Plans: what would become allowed, what would not and why, and whom a name means."""

from __future__ import annotations

from typing import Any

import pytest
from attach_world import INFERENCE, document

from mantle_iam.attach.apply import Clients, apply
from mantle_iam.attach.plan import Bound, Gain, InlineChange, ManagedChange, State, Target, TargetKind
from mantle_iam.attach.read import read_target
from mantle_iam.attach.steps import steps_for
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import PolicySet
from mantle_iam.workflow import attach as module
from mantle_iam.workflow.attach import Wanted, managed_change, plan_attachment
from mantle_iam.workflow.attach import prepare as prepare_
from mantle_iam.workflow.attach_effects import Binding


def prepare(iam: Any, kind: TargetKind, name: str, wanted: str | InlineChange) -> Any:
    """The plan, of an account without an organization."""
    what = Wanted(managed=wanted) if isinstance(wanted, str) else Wanted(documents=(wanted,))
    import boto3

    organizations = boto3.client("organizations", endpoint_url=iam.meta.endpoint_url, region_name="us-east-1")
    return prepare_(Clients(iam, iam, organizations), kind, name, what).plan


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
    assert plan_attachment(state, (change,), binding) == plan_attachment(state, (change,), binding)


def test_nothing_needed_is_nothing_sent():
    class Never:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was called")

    change = ManagedChange("P", INFERENCE, parse_policy(document("a:b")), "v1")
    target = Target(TargetKind.USER, "alice", "arn:aws:iam::1:user/alice", "1", "aws")
    steps = steps_for(State(target, (Bound("P", INFERENCE),)), (change,))
    applied = apply(Clients(Never(), Never()), target, steps)
    assert (applied.done, applied.failed, applied.error) == ((), None, None)


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
    plan = plan_attachment(state, (change,), Binding(PolicySet(), state.target.arn))
    assert "CreateInference" in gains(plan, Gain.ALLOWED)
    govcloud.delete_role(RoleName="gov")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document("bedrock-mantle:ListTagsForResources"), "did you mean bedrock-mantle:ListTagsForResource?"),
        (document("bedrock-mantle:ListModels", Comment="x"), "Comment"),
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


# -- what a document may hold ---------------------------------------------------------------------------------------------


def tagged(value: str) -> str:
    """A policy for those with a tag of this value, as JSON escapes."""
    return document("bedrock-mantle:ListModels", Condition={"StringEquals": {"aws:PrincipalTag/team": value}})


def test_what_iam_does_not_take_is_sent_as_escapes(run_json, iam, alice):
    """PolicyDocument is ``[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+``."""
    code, done = run_json("--policy", "-", "--name", "new", "--user", alice, "--yes", stdin=tagged("café 日本😀"))
    assert code == 0, done
    (step,) = done["steps"]
    assert max(step["command"]) <= "\xff"
    assert "café \\u65e5\\u672c\\ud83d\\ude00" in step["command"]
    stored = iam.get_user_policy(UserName=alice, PolicyName="new")["PolicyDocument"]
    assert stored["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalTag/team"] == "café 日本😀"
    code, again = run_json("--policy", "-", "--name", "new", "--user", alice, "--yes", stdin=tagged("café 日本😀"))
    assert again["outcome"]["status"] == "nothing-to-do"


@pytest.mark.parametrize("output", ["text", "json"])
def test_half_a_character_is_refused(run, alice, output):
    ran = run("attach", "--policy", "-", "--user", alice, "--dry-run", "--output", output, stdin=tagged("\ud800"))
    assert (ran.code, ran.out) == (2, "")
    assert "surrogate" in ran.err


def test_a_policy_that_gives_nothing_as_things_are_says_so(run, alice):
    ran = run("attach", "--policy", "-", "--user", alice, "--dry-run", stdin=tagged("x"))
    assert "nothing that was not allowed, as the target is now" in " ".join(ran.out.split())
    assert "nothing that was" not in run("attach", "--managed", "inference", "--user", alice, "--dry-run").out


def test_what_is_there_is_not_said_to_be_replaced(run, alice):
    text = document("bedrock-mantle:ListModels")
    assert run("attach", "--policy", "-", "--user", alice, "--yes", stdin=text).code == 0
    again = run("attach", "--policy", "-", "--user", alice, "--yes", stdin=text).out
    assert "replace" not in again
    assert "there    inline policy" in again or "there  inline policy" in again
