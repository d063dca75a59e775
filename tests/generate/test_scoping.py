"""Scopes and actions as people write them: what is refused, what is noted, what becomes of it."""

from __future__ import annotations

import pytest

from mantle_iam.errors import InputError
from mantle_iam.generate.actions import permissions_for_actions
from mantle_iam.generate.least_privilege import least_privilege
from mantle_iam.generate.scoping import checked_scope
from mantle_iam.generate.unscoped import unscoped_notes
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.scope import Scope

REFUSED = [
    ({"account": "12345"}, "not an AWS account", "twelve"),
    ({"account": "１１１１２２２２３３３３"}, "not an AWS account", "twelve"),
    ({"regions": ("virginia",)}, "not an AWS region", "us-east-1"),
    ({"regions": ("us-east1",)}, "not an AWS region", "us-east-1"),
    ({"projects": ("my project",)}, "not a project id", "id"),
    ({"projects": ("arn:aws:s3:::bucket",)}, "not the ARN of a Mantle project", "bedrock-mantle"),
    (
        {"account": "111122223333", "projects": ("arn:aws:bedrock-mantle:us-east-1:123456789012:project/default",)},
        "not in account",
        "",
    ),
    ({"projects": ("arn:aws:bedrock-mantle:us-east-1:111122223333:project/",)}, "not the ARN", "project/ID"),
    ({"projects": ('arn:aws:bedrock-mantle:us-east-1:111122223333:project/a b"',)}, "not the ARN", "project/ID"),
    ({"projects": ("arn:aws:bedrock-mantle:us-east-1:11112222333:project/default",)}, "not the ARN", "twelve"),
    ({"projects": ("arn:aws:bedrock-mantle:us-east1:111122223333:project/default",)}, "not the ARN", "us-east-1"),
    ({"projects": ("arn:aws-us-gov:bedrock-mantle:us-east-1:111122223333:project/default",)}, "partition", "aws"),
    ({"projects": ("arn:aws:bedrock-mantle:us-gov-west-1:111122223333:project/default",)}, "partition", "aws-us-gov"),
    (
        {"regions": ("eu-west-1",), "projects": ("arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",)},
        "not in the regions asked for",
        "--region us-east-1",
    ),
    (
        {"regions": ("eu-west-1",), "projects": ("arn:aws:bedrock-mantle:*:111122223333:project/default",)},
        "names its regions by itself",
        "leave --region out",
    ),
    ({"models": ("openai.*",)}, "wildcard", "GET /v1/models"),
    ({"models": ("",)}, "empty", ""),
    ({"models": ('x"${y}',)}, "not a model id", ""),
]


@pytest.mark.parametrize(("given", "words", "advice"), REFUSED)
def test_what_can_match_nothing_is_refused(given, words, advice):
    with pytest.raises(InputError, match=words) as caught:
        checked_scope(**given)
    assert advice in (caught.value.help or "")
    assert "\n" not in str(caught.value)


NOTED = [
    ({"models": ("openai.gpt-oss-120",)}, "openai.gpt-oss-120", "did you mean openai.gpt-oss-120b?"),
    ({"regions": ("us-west-1",)}, "us-west-1", "no Mantle endpoint"),
    ({"regions": ("ap-southeast-4",)}, "ap-southeast-4", "was seen to have one"),
    ({"regions": ("ap-east-1",)}, "ap-east-1", "not among"),
    ({"projects": ("payments",)}, "payments", "names are not ids"),
    ({"models": ("us.anthropic.claude-sonnet-5",)}, "anthropic.claude-sonnet-5", "inference profile"),
    ({"models": ("vendor.new-model",)}, "vendor.new-model", "no family known"),
]


@pytest.mark.parametrize(("given", "kept", "words"), NOTED)
def test_what_is_odd_is_kept_and_noted(given, kept, words):
    found = checked_scope(**given)
    scope = found.scope
    assert kept in (*scope.regions, *scope.projects, *scope.models)
    assert any(words in note for note in found.notes)


def test_what_is_usual_is_taken_without_a_word():
    found = checked_scope(
        account="1111-2222-3333",
        regions=("us-east-1", "US-EAST-1"),
        projects=("project/default", "proj_abc", "*"),
        models=("openai.gpt-oss-120b",),
    )
    assert found.notes == ()
    assert found.scope == Scope(
        account="111122223333",
        regions=("us-east-1",),
        projects=("default", "proj_abc", "*"),
        models=("openai.gpt-oss-120b",),
    )


@pytest.mark.parametrize(
    "project",
    [
        "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_abc",
        "arn:aws:bedrock-mantle:*:*:project/*",
        "arn:aws-us-gov:bedrock-mantle:us-gov-west-1:111122223333:project/default",
        "arn:aws:bedrock-mantle:us-*:111122223333:project/${aws:PrincipalTag/project}",
    ],
)
def test_the_arn_of_a_project_is_kept_to_the_letter(project):
    assert checked_scope(projects=(project,)).scope.projects == (project,)


def test_the_account_that_is_asked_for_stands_in_an_arn_of_any_account():
    found = checked_scope(account="111122223333", projects=("arn:aws:bedrock-mantle:us-east-1:*:project/default",))
    assert found.scope.projects == ("arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",)


def test_a_region_without_a_project_of_its_own_is_noted():
    regions, arn = ("us-east-1", "eu-west-1"), "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
    notes = checked_scope(regions=regions, projects=(arn,)).notes
    assert any("eu-west-1" in note and "grants nothing there" in note for note in notes)
    assert checked_scope(regions=regions, projects=(arn, "proj_abc")).notes == ()
    assert checked_scope(regions=("us-east-1",), projects=(arn,)).notes == ()


def granted(*actions: str, auth: AuthMethod = AuthMethod.SIGV4, scope: Scope | None = None) -> list[tuple[str, str]]:
    asked = permissions_for_actions(actions, auth, scope or Scope())
    return [(p.action, p.resource) for p in asked.permissions]


def test_an_action_goes_on_its_own_resource_type():
    assert granted("bedrock-mantle:GetReservation") == [
        ("bedrock-mantle:GetReservation", "arn:aws:bedrock-mantle:*:*:reservation/*")
    ]
    assert granted("bedrock-mantle:getaccountdataretention") == [("bedrock-mantle:GetAccountDataRetention", "*")]


def test_an_action_on_two_resource_types_is_granted_on_both():
    assert granted("bedrock-mantle:CreateReservation") == [
        ("bedrock-mantle:CreateReservation", "arn:aws:bedrock-mantle:*:*:project/*"),
        ("bedrock-mantle:CreateReservation", "arn:aws:bedrock-mantle:*:*:reservation/*"),
    ]


def test_an_action_that_lists_or_makes_projects_goes_on_every_project():
    """No single project's ARN was seen to cover it; the purposes know that, and so must the action by name."""
    scope = Scope(projects=("proj_abc",))
    every, one = "arn:aws:bedrock-mantle:*:*:project/*", "arn:aws:bedrock-mantle:*:*:project/proj_abc"
    assert granted("bedrock-mantle:ListProjects", scope=scope) == [("bedrock-mantle:ListProjects", every)]
    assert granted("bedrock-mantle:CreateProject", scope=scope) == [("bedrock-mantle:CreateProject", every)]
    assert granted("bedrock-mantle:GetProject", scope=scope) == [("bedrock-mantle:GetProject", one)]


def test_an_action_that_works_on_any_of_several_types_keeps_to_the_projects_that_are_named():
    assert granted("bedrock-mantle:TagResource", scope=Scope(projects=("proj_abc",))) == [
        ("bedrock-mantle:TagResource", "arn:aws:bedrock-mantle:*:*:project/proj_abc")
    ]
    assert len(granted("bedrock-mantle:TagResource")) == 3


def test_a_key_for_bedrock_itself_needs_the_bearer_action_of_bedrock():
    names = [action for action, _ in granted("bedrock:InvokeModel", auth=AuthMethod.SHORT_TERM_KEY)]
    assert names == ["bedrock:InvokeModel", "bedrock:CallWithBearerToken"]
    assert [action for action, _ in granted("bedrock:InvokeModel")] == ["bedrock:InvokeModel"]


def test_what_the_same_call_needs_is_noted_unless_it_is_asked_for_too():
    alone = permissions_for_actions(("bedrock-mantle:ListProjects",), AuthMethod.SIGV4, Scope()).notes
    assert any("needs bedrock-mantle:ListTagsForResource as well" in note for note in alone)
    both = ("bedrock-mantle:ListProjects", "bedrock-mantle:ListTagsForResource")
    assert permissions_for_actions(both, AuthMethod.SIGV4, Scope()).notes == ()


def test_a_key_adds_the_bearer_permission_once():
    names = [action for action, _ in granted("bedrock-mantle:ListModels", auth=AuthMethod.SHORT_TERM_KEY)]
    assert names == ["bedrock-mantle:ListModels", "bedrock-mantle:CallWithBearerToken"]
    names = [action for action, _ in granted("bedrock-mantle:CallWithBearerToken", auth=AuthMethod.SHORT_TERM_KEY)]
    assert names == ["bedrock-mantle:CallWithBearerToken"]
    assert [a for a, _ in granted("s3:GetObject", auth=AuthMethod.SHORT_TERM_KEY)] == ["s3:GetObject"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("bedrock-mantle:ListTagsForResources", "did you mean bedrock-mantle:ListTagsForResource?"),
        ("bedrock-mantle:FooBarBaz", "not in the data of 20"),
        ("bedrock-mantle:CreateAgentSession", "preview"),
        ("bedrock-mantle:Get*", "actions that it matches"),
        ("bedrock-mantle:Zzz*", "matches no action"),
        ("bedrock:CreateInference", "did you mean bedrock-mantle:CreateInference?"),
        ("s3:GetObject", "narrow them by hand"),
    ],
)
def test_an_odd_action_is_granted_and_noted(action, words):
    asked = permissions_for_actions((action,), AuthMethod.SIGV4, Scope())
    assert any(words in note for note in asked.notes)
    assert least_privilege(asked.permissions).proof.holds


def test_marketplace_by_name_keeps_its_condition():
    (permission,) = permissions_for_actions(("aws-marketplace:Subscribe",), AuthMethod.SIGV4, Scope()).permissions
    assert [c.key for c in permission.conditions] == ["aws:CalledViaLast"]


@pytest.mark.parametrize(
    "text", ["ListModels", "bedrock-mantle:List Models", "s3:${x}", 'a"b:c', "bedrock-mantle:Lïst", "*:*:*", "a:b\nc"]
)
def test_what_is_no_action_is_refused(text):
    with pytest.raises(InputError, match="not an action"):
        permissions_for_actions((text,), AuthMethod.SIGV4, Scope())


LIMITED = [
    # What is asked for, an action, the conditions that it gets.
    ({"project_tags": ("team=a",)}, "CreateInference", {"aws:ResourceTag/team": ("a",)}),
    (
        {"project_tags": ("team=a", "team=b", "cost=1")},
        "GetFile",
        {"aws:ResourceTag/team": ("a", "b"), "aws:ResourceTag/cost": ("1",)},
    ),
    (
        {"project_tags": ("team=${aws:PrincipalTag/team}",)},
        "ArchiveProject",
        {"aws:ResourceTag/team": ("${aws:PrincipalTag/team}",)},
    ),
    ({"project_tags": ("team=a",)}, "CreateProject", {"aws:RequestTag/team": ("a",)}),
    ({"project_tags": ("team=a",)}, "ListProjects", {}),
    ({"project_tags": ("team=a",)}, "CallWithBearerToken", {}),
    ({"project_tags": ("team=a",)}, "GetReservation", {}),
    ({"tiers": ("flex", "default")}, "CreateInference", {"bedrock-mantle:ServiceTier": ("default", "flex")}),
    ({"tiers": ("flex",)}, "CountTokens", {}),
    ({"models": ("zai.glm-5",)}, "CountTokens", {"bedrock-mantle:Model": ("zai.glm-5",)}),
    ({"models": ("zai.glm-5",)}, "GetModel", {}),
    ({"token_type": "SHORT_TERM"}, "CallWithBearerToken", {"bedrock-mantle:BearerTokenType": ("SHORT_TERM",)}),
    ({"token_type": "SHORT_TERM"}, "CreateInference", {}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "action", "conditions"), LIMITED)
def test_a_condition_goes_only_where_its_key_is(given, action, conditions):
    scope = checked_scope(**given).scope
    asked = permissions_for_actions((f"bedrock-mantle:{action}",), AuthMethod.SIGV4, scope)
    assert asked.permissions
    for permission in asked.permissions:
        assert {c.key: c.values for c in permission.conditions} == conditions
        assert all(c.operator == "StringEquals" for c in permission.conditions)
        for key in conditions:
            stem = "aws:" if key.startswith("aws:") else key
            assert any(name.startswith(stem) for name in catalog.condition_keys(permission.action))


def test_the_twin_action_of_the_runtime_has_its_own_key():
    scope = Scope(token_type="SHORT_TERM")
    found = permissions_for_actions(("bedrock:InvokeModel",), AuthMethod.SHORT_TERM_KEY, scope).permissions
    assert {(p.action, c.key) for p in found for c in p.conditions} == {
        ("bedrock:CallWithBearerToken", "bedrock:BearerTokenType")
    }


@pytest.mark.parametrize(
    ("given", "partition"),
    [
        ({}, "aws"),
        ({"partition": "AWS-CN"}, "aws-cn"),
        ({"regions": ("us-gov-west-1",)}, "aws-us-gov"),
        ({"projects": ("arn:aws-us-gov:bedrock-mantle:us-gov-west-1:111122223333:project/default",)}, "aws-us-gov"),
        ({"partition": "aws-us-gov", "regions": ("us-gov-west-1",)}, "aws-us-gov"),
        ({"regions": ("us-gov-west-1", "us-east-1")}, "aws"),
    ],
)
def test_the_partition_follows_from_what_is_named(given, partition):
    assert checked_scope(**given).scope.partition == partition


UNSCOPED = [
    (("CallWithBearerToken",), {"account": "111122223333"}, "take no ARN that account could limit"),
    (("PutAccountDataRetention",), {"regions": ("us-east-1",)}, "aws:RequestedRegion is not used"),
    (("ListProjects",), {"projects": ("proj_abc",)}, "on every project"),
    (("CreateReservation",), {"projects": ("proj_abc",)}, "belong to no project"),
    (("GetModel", "CreateInference"), {"models": ("zai.glm-5",)}, "GetModel: for every model"),
    (("ListModels",), {"models": ("zai.glm-5",)}, "--model has no effect"),
    (("CreateInference",), {"tiers": ("flex",)}, "is untested"),
    (("ListModels",), {"tiers": ("flex",)}, "--tier has no effect"),
    (("CreateProject",), {"project_tags": ("a=b",)}, "aws:RequestTag"),
    (("GetFile", "ListProjects"), {"project_tags": ("a=b",)}, "ListProjects: on projects with any tags"),
    (("ListReservations",), {"project_tags": ("a=b",)}, "--project-tag has no effect"),
]


@pytest.mark.parametrize(("names", "given", "words"), UNSCOPED)
def test_what_cannot_be_limited_is_said(names, given, words):
    scope = checked_scope(**given).scope
    actions = tuple(f"bedrock-mantle:{name}" for name in names)
    permissions = permissions_for_actions(actions, AuthMethod.SIGV4, scope).permissions
    notes = unscoped_notes(permissions, scope)
    assert any(words in note for note in notes), notes
    assert unscoped_notes(permissions, Scope()) == ()


WRONG = [
    ({"partition": "aws-mars"}, "not a partition"),
    ({"partition": "aws-us-gov", "regions": ("us-east-1",)}, "is in the partition `aws`"),
    ({"project_tags": ("team",)}, "not a tag"),
    ({"project_tags": ("=x",)}, "not a tag"),
    ({"project_tags": ("team=",)}, "not a tag"),
    ({"project_tags": ("AWS:createdBy=x",)}, "AWS's own"),
    ({"project_tags": (f"team={'x' * 257}",)}, "not a tag that AWS takes"),
    ({"project_tags": ('team=${aws:username}"',)}, "not a tag that AWS takes"),
    ({"project_tags": ("te*m=x",)}, "not a tag that AWS takes"),
    ({"tiers": ("",)}, "not a service tier"),
    ({"tiers": ("fl*x",)}, "not a service tier"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_partitions_tags_and_tiers_that_match_nothing_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        checked_scope(**given)
