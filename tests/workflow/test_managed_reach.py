"""What each managed policy gives, against a table written by hand from the documents; differences; made-up documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.errors import InputError
from mantle_iam.generate.presets import PURPOSES
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import Decision, PolicySet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.managed_policies import CAPABILITIES, KNOWN, known_policy, newest_first
from mantle_iam.mantle.operations import Source
from mantle_iam.report.managed_records import ManagedPolicy, Reach
from mantle_iam.workflow.managed import current_policies, find_policy, managed_policies, read_name, shipped, versions_of
from mantle_iam.workflow.managed_reach import (
    action_reach,
    capabilities_asked,
    counted,
    covered_purposes,
    difference,
    history,
    report,
)

EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "managed_expected.json").read_text("utf-8"))
NEWEST = {policy.name: policy.version for policy in current_policies()}


def key(policy: ManagedPolicy) -> str:
    return policy.name if NEWEST[policy.name] == policy.version else f"{policy.name}-{policy.version}"


def full_names(words: list[str]) -> set[str]:
    """The actions of a list of names and group words."""
    names = [name for word in words for name in EXPECTED["groups"].get(word, [word])]
    return {name if ":" in name else f"bedrock-mantle:{name}" for name in names}


def policy(*statements: dict[str, Any]) -> ManagedPolicy:
    document = parse_policy({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})
    return ManagedPolicy("example", "arn:aws:iam::111122223333:policy/example", "v1", "", document)


def test_the_table_is_complete() -> None:
    assert {key(policy) for policy in shipped()} == set(EXPECTED["policies"])
    assert {purpose.name for purpose in PURPOSES} == set(EXPECTED["purposes"]), "say which policies cover the new one"
    asked = {action for capability in capabilities_asked() for action in capability.actions}
    named = full_names(list(EXPECTED["groups"]))
    assert asked - named == {"bedrock-websearch:ExternalWebAccess"}  # which no managed policy gives
    assert named <= asked


@pytest.mark.parametrize("policy", shipped(), ids=key)
def test_what_a_policy_gives(policy: ManagedPolicy) -> None:
    expected = EXPECTED["policies"][key(policy)]
    found: dict[Reach, set[str]] = {reach: set() for reach in Reach}
    for action in report(policy).actions:
        found[action.reach].add(action.action)
    assert found[Reach.ALL] == full_names(expected["all"])
    assert found[Reach.SOME] == full_names(expected["part"])
    assert found[Reach.CONDITIONAL] == set()


@pytest.mark.parametrize("policy", shipped(), ids=key)
def test_which_purposes_a_policy_covers(policy: ManagedPolicy) -> None:
    covers = covered_purposes(policy.document)
    assert {one.name for one in covers if not one.missing} == set(EXPECTED["policies"][key(policy)]["covers"])
    assert [one.name for one in covers] == [purpose.name for purpose in PURPOSES]


def test_what_is_lacking_is_named() -> None:
    missing = {one.name: one.missing for one in covered_purposes(find_policy("inference").document)}
    assert missing["claude-code"] == ("bedrock-mantle:CountTokens",)
    assert set(missing["responses"]) == {"bedrock-mantle:CancelInference", "bedrock-mantle:DeleteInference"}
    assert set(missing["data-retention"]) == {
        "bedrock-mantle:GetAccountDataRetention",
        "bedrock-mantle:PutAccountDataRetention",
    }


def test_marketplace_rights_by_way_of_mantle_are_not_in_bedrock_full_access() -> None:
    document = find_policy("AmazonBedrockFullAccess").document
    found = action_reach(document, "aws-marketplace:Subscribe")
    assert found.reach is Reach.NONE
    assert found.why == (
        "MarketplaceOperationsFromBedrockFor3pModels gives it only where aws:CalledViaLast is bedrock.amazonaws.com"
    )
    missing = {one.name: one.missing for one in covered_purposes(document)}
    assert missing["claude-code"] == ("aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions")


def test_an_action_that_a_statement_names_on_other_resources_is_an_inference() -> None:
    document = find_policy("inference").document
    for action, takes in (
        ("GetAccountDataRetention", "it takes only `*`"),
        ("ListReservations", "it works on a reservation"),
        ("GetCustomizedModel", "it works on a customized-model"),
    ):
        found = action_reach(document, f"bedrock-mantle:{action}")
        assert (found.reach, found.source) == (Reach.NONE, Source.INF)
        assert found.why.startswith("BedrockMantleInference names it on arn:aws:bedrock-mantle:*:*:project/*")
        assert found.why.endswith(takes)
    # One that no statement names is no inference.
    count = action_reach(document, "bedrock-mantle:CountTokens")
    assert (count.reach, count.why, count.source) == (Reach.NONE, "", Source.DOC)


def test_where_and_under_which_conditions() -> None:
    document = find_policy("inference").document
    subscribe = action_reach(document, "aws-marketplace:Subscribe")
    assert subscribe.resources == ("*",)
    assert [(c.operator, c.key, c.values) for c in subscribe.conditions] == [
        ("StringEquals", "aws:CalledViaLast", ("bedrock-mantle.amazonaws.com",))
    ]
    assert action_reach(document, "bedrock-mantle:GetFile").resources == ("arn:aws:bedrock-mantle:*:*:project/*",)
    tags = action_reach(document, "bedrock-mantle:ListTagsForResource")
    assert (tags.reach, set(tags.lacking)) == (Reach.SOME, {"customized-model", "reservation"})


MADE_UP: dict[str, tuple[dict[str, Any], Reach]] = {
    # what the statement says: (statement, how far it gives ListModels)
    "one project by id": (
        {"Action": "bedrock-mantle:ListModels", "Resource": "arn:aws:bedrock-mantle:us-west-2:111122223333:project/p1"},
        Reach.SOME,
    ),
    "another service's resource": (
        {"Action": "bedrock-mantle:ListModels", "Resource": "arn:aws:s3:::bucket/*"},
        Reach.NONE,
    ),
    "a tag that only a request has": (
        {
            "Action": "bedrock-mantle:ListModels",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}},
        },
        Reach.CONDITIONAL,
    ),
    "own account": (
        {
            "Action": "bedrock-mantle:ListModels",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
        },
        Reach.ALL,
    ),
    "a key that the action does not carry": (
        {
            "Action": "bedrock-mantle:ListModels",
            "Resource": "*",
            "Condition": {"StringEquals": {"bedrock-mantle:Model": "m"}},
        },
        Reach.NONE,
    ),
    "everything but": ({"NotAction": "iam:*", "Resource": "*"}, Reach.ALL),
    "a denied one": ({"Effect": "Deny", "Action": "*", "Resource": "*"}, Reach.NONE),
    "another region": (
        {"Action": "bedrock-mantle:*", "Resource": "arn:aws:bedrock-mantle:eu-west-1:*:project/*"},
        Reach.SOME,
    ),
    "every case": ({"Action": "BEDROCK-Mantle:LISTmodels", "Resource": "*"}, Reach.ALL),
}


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up_documents(name: str) -> None:
    statement, expected = MADE_UP[name]
    assert action_reach(policy(statement).document, "bedrock-mantle:ListModels").reach is expected


def test_an_action_on_two_resource_types_needs_both() -> None:
    project = {"Action": "bedrock-mantle:CreateReservation", "Resource": "arn:aws:bedrock-mantle:*:*:project/*"}
    both = {**project, "Resource": ["arn:aws:bedrock-mantle:*:*:project/*", "arn:aws:bedrock-mantle:*:*:reservation/*"]}
    assert action_reach(policy(project).document, "bedrock-mantle:CreateReservation").reach is Reach.NONE
    assert action_reach(policy(both).document, "bedrock-mantle:CreateReservation").reach is Reach.ALL


def test_a_hostile_document_is_read_in_time_and_whole() -> None:
    stars = "bedrock-mantle:" + "*a" * 2000 + "*"
    found = report(policy({"Action": [stars, "bedrock-mantle:List\x1b[31m*"], "Resource": "*" * 5000}))
    assert all(action.reach is Reach.NONE for action in found.actions)


@pytest.mark.parametrize("change", EXPECTED["changes"], ids=lambda c: f"{c['name']} {c['old']}-{c['new']}")
def test_differences(change: dict[str, Any]) -> None:
    old, new = find_policy(change["name"], change["old"]), find_policy(change["name"], change["new"])
    found = difference(old, new)
    assert {one.action for one in found.gained} == full_names(change["gained"])
    assert found.lost == ()
    assert found.same_text is change.get("same_text", False)
    assert found.relation == change["relation"]
    assert found.patterns_removed == ()
    if "patterns_added" in change:
        assert len(found.patterns_added) == change["patterns_added"]
    back = difference(new, old)
    assert {one.action for one in back.lost} == full_names(change["gained"])
    assert back.gained == ()
    assert back.relation == {"wider": "narrower"}.get(change["relation"], change["relation"])
    if found.witness is not None:
        assert evaluate(found.witness, PolicySet(identity=(new.document,))).decision is Decision.ALLOWED
        assert evaluate(found.witness, PolicySet(identity=(old.document,))).decision is not Decision.ALLOWED


def test_history_names_versions_without_a_text() -> None:
    entries = history(versions_of("AmazonBedrockLimitedAccess"))
    assert [entry.version for entry in entries] == ["v9", "v8", "v7", "v6", "v5", "v4", "v3", "v2", "v1"]
    assert {entry.version for entry in entries if entry.source is None} == {"v3", "v4", "v5", "v8"}
    changes = {entry.version: entry.change.old.version for entry in entries if entry.change}
    assert changes == {"v9": "v7", "v7": "v6", "v6": "v2", "v2": "v1"}


def test_dates_agree_with_what_is_known_of_the_versions() -> None:
    for one in shipped():
        known = known_policy(one.name)
        assert known is not None, one.name
        assert (one.version, one.date) in known.versions, f"{one.name} {one.version}"


def test_every_action_has_a_capability_of_its_own() -> None:
    told = [action for capability in CAPABILITIES for action in capability.actions]
    assert len(told) == len(set(told))
    assert {info.name for info in catalog.actions()} <= set(told)
    assert all(catalog.known_action(action) for action in told)
    assert counted() == 38


def test_known_policies_and_their_texts_are_the_same() -> None:
    assert {known.name for known in KNOWN} == {one.name for one in shipped()}
    assert [one.short_name for one in managed_policies()] == ["read-only", "inference", "full"]


NAMES = {
    "inference": "AmazonBedrockMantleInferenceAccess",
    " Full ": "AmazonBedrockMantleFullAccess",
    "amazonbedrocklimitedaccess": "AmazonBedrockLimitedAccess",
    "arn:aws:iam::aws:policy/AmazonBedrockReadOnly": "AmazonBedrockReadOnly",
}


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    assert find_policy(text).name == NAMES[text]


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        ("AmazonBedrockMantelFullAccess", "no text of", "did you mean AmazonBedrockMantleFullAccess?"),
        ("ReadOnlyAccess", "no text of `ReadOnlyAccess` is shipped", "--refresh reads it"),
        ("arn:aws:iam::111122223333:policy/mine", "a policy of your own", "--refresh reads it"),
        ("arn:aws:iam::111122223333:role/mine", "is not the ARN of a policy", None),
        ("arn:aws:iam", "arn:aws:iam", None),
        ("a b", "is not the name of a policy", None),
        ("x" * 1_000_000, "is not the name of a policy", None),
        ("", "is not the name of a policy", None),
    ],
)
def test_names_that_are_none(text: str, message: str, help_: str | None) -> None:
    with pytest.raises(InputError) as caught:
        find_policy(text)
    assert message in caught.value.message
    assert help_ is None or help_ in (caught.value.help or "")


def test_versions_that_are_not_at_hand() -> None:
    assert find_policy("inference", "4").version == find_policy("inference", "V4").version == "v4"
    with pytest.raises(InputError, match="v3") as caught:
        find_policy("full", "v3")
    assert caught.value.help == "versions at hand: v5, v4, v2, v1"


def test_other_partitions() -> None:
    for arn in ("arn:aws-us-gov:iam::aws:policy/AmazonBedrockMantleInferenceAccess", "inference"):
        there = find_policy(arn, partition="aws-us-gov")
        assert there.arn == "arn:aws-us-gov:iam::aws:policy/AmazonBedrockMantleInferenceAccess"
        found = report(there, "aws-us-gov")
        reach = {action.action: action for action in found.actions}
        assert reach["bedrock-mantle:GetFile"].resources == ("arn:aws-us-gov:bedrock-mantle:*:*:project/*",)
        assert reach["bedrock-mantle:GetFile"].reach is Reach.ALL
        assert any("[INF]" in note for note in found.notes)
        assert "inference" in {one.name for one in found.purposes if not one.missing}
    # The text of one partition gives nothing on the ARNs of another.
    home = action_reach(find_policy("inference").document, "bedrock-mantle:GetFile", "aws-us-gov")
    assert home.reach is Reach.NONE
    assert read_name("arn:aws-cn:iam::aws:policy/X") == ("X", "arn:aws-cn:iam::aws:policy/X")


def test_versions_sort_by_number() -> None:
    assert sorted(["v9", "v11", "v1", "odd", "v10"], key=newest_first) == ["v11", "v10", "v9", "v1", "odd"]
