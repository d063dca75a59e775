"""What lint says can never be, ``evaluate`` never decides; what never is, lint says: every action in a table of statements."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from lint_tables import lint, statement

from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog

ACTIONS = [info for info in catalog.actions() if not info.preview]
KEYS = {key.lower() for info in ACTIONS for key in catalog.condition_keys(info.name)}
NEVER = {
    "mantle-action-on-model-arn",
    "bearer-token-on-resource",
    "account-action-on-resource",
    "wrong-resource-type",
    "resource-never-matches",
    "missing-second-arn",
    "condition-key-not-carried",
    "unknown-condition-key",
}
WORLDS = (("aws", "us-east-1"), ("aws", "eu-west-1"), ("aws-us-gov", "us-gov-west-1"))
ACCOUNT = "111122223333"
IDS = {"project": ("default", "proj_abc"), "customized-model": ("cm-1",), "reservation": ("r-1",)}
ARN = "arn:aws:bedrock-mantle:"
RESOURCES: list[Any] = [
    "*",
    f"{ARN}*:*:project/*",
    f"{ARN}us-east-1:{ACCOUNT}:project/default",
    f"{ARN}*:*:project/proj_*",
    f"{ARN}*:*:reservation/*",
    f"{ARN}*:*:customized-model/?*",
    [f"{ARN}*:*:project/*", f"{ARN}*:*:reservation/*"],
    [f"{ARN}*:*:project/*", f"{ARN}*:*:customized-model/*"],
    f"{ARN}*",
    f"{ARN}*:*:*",
    "arn:*:bedrock-mantle:*:*:*",
    "arn:aws-us-gov:bedrock-mantle:*:*:project/*",
    "arn:aws:bedrock*:*:*:project/*",
    f"{ARN}*:*:projects/*",
    f"{ARN}us-east-1::project/default",
    "arn:aws:bedrock:*::foundation-model/*",
    ["arn:aws:bedrock:*::foundation-model/*", "arn:aws:s3:::bucket"],
    ["arn:aws:bedrock:*::foundation-model/*", "*"],
    f"!{ARN}*:*:project/*",
    "!arn:aws:bedrock:*::foundation-model/*",
]
OPERATORS = (
    *("StringEquals", "StringNotEquals", "StringLikeIfExists"),
    *("ForAllValues:StringEquals", "ForAnyValue:StringLike"),
)
CONDITIONS: list[dict[str, Any]] = [
    {operator: {key: value}}
    for operator in OPERATORS
    for key, value in (
        ("bedrock-mantle:Model", "openai.gpt-oss-120b"),
        ("bedrock-mantle:BearerTokenType", "SHORT_TERM"),
        ("bedrock-mantle:ServiceTier", "flex"),
        ("aws:ResourceTag/team", "search"),
        ("aws:RequestTag/team", "search"),
        ("bedrock:BearerTokenType", "LONG_TERM"),
        ("bedrock:GuardrailIdentifier", "gr-1"),
        ("bedrock-mantle:ModelId", "openai.gpt-oss-120b"),
    )
] + [
    {"Null": {key: truth}}
    for key in ("bedrock-mantle:Model", "aws:ResourceTag/team", "bedrock:BearerTokenType")
    for truth in ("true", "false")
]


def requests(info: Any) -> Iterator[AuthorizationRequest]:
    """Calls of an action on resources of every type that it works on: the values of its keys unknown, all others absent."""
    required = [use.name for use in info.resource_types if use.required]
    sets = [tuple(required)] if required else [(use.name,) for use in info.resource_types]
    carried = {key.replace("${tagkey}", "team") for key in map(str.lower, catalog.condition_keys(info.name))}
    unknown = frozenset(carried)
    for partition, region in WORLDS:
        caller = f"arn:{partition}:iam::{ACCOUNT}:user/u"
        names = [
            tuple(
                f"arn:{partition}:bedrock-mantle:{region}:{ACCOUNT}:{kind}/{name}"
                for kind, name in zip(kinds, chosen, strict=True)
            )
            for kinds in sets
            for chosen in product(*(IDS[kind] for kind in kinds))
        ]
        for resources in names or [("*",)]:
            yield AuthorizationRequest(caller, info.name, resources, unknown_context=unknown)


def decisions(info: Any, document: dict[str, Any]) -> set[Decision]:
    policies = PolicySet((parse_policy(document),))
    return {evaluate(request, policies).decision for request in requests(info)}


def document(*statements: tuple[Any, ...]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement(*each) for each in statements]}


def said(made: dict[str, Any]) -> set[str]:
    return {each.rule for each in lint(made) if each.severity == "error"}


@pytest.mark.parametrize("info", ACTIONS, ids=lambda info: info.name)
def test_an_allow_that_never_is(info: Any) -> None:
    for resources, conditions in [*((each, None) for each in RESOURCES), *(("*", each) for each in CONDITIONS)]:
        made = document(("Allow", info.name, resources, conditions))
        never = decisions(info, made) == {Decision.IMPLICIT_DENY}
        assert bool(said(made) & NEVER) is never or only_a_stray_arn(made, never), (resources, conditions, said(made))


def only_a_stray_arn(made: dict[str, Any], never: bool) -> bool:
    """An ARN that covers nothing is an error of its own; so is a key that does not exist where the condition always holds."""
    return not never and said(made) & NEVER <= {"resource-never-matches", "unknown-condition-key"}


@pytest.mark.parametrize("info", ACTIONS, ids=lambda info: info.name)
def test_a_deny_that_never_is_or_always(info: Any) -> None:
    for resources, conditions in [*((each, None) for each in RESOURCES), *(("*", each) for each in CONDITIONS)]:
        made = document(("Allow", "*", "*"), ("Deny", info.name, resources, conditions))
        found, made_of = said(made), decisions(info, made)
        never = made_of == {Decision.ALLOWED}
        assert bool(found & (NEVER - {"missing-second-arn"})) is never or only_a_stray_arn(made, never), (
            resources,
            conditions,
        )
        if str(resources).startswith("!"):
            with_others = said(document(("Deny", [info.name, "bedrock-mantle:GetProject"], resources)))
            always = made_of == {Decision.EXPLICIT_DENY} and not info.resource_types
            assert ("not-resource-refuses-key-use" in with_others) is always, resources
        if conditions is not None and "unknown-condition-key" not in found:
            always = made_of == {Decision.EXPLICIT_DENY}
            assert ("negated-condition-missing-key" in found) is always, (conditions, made_of)
