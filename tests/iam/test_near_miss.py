"""Near misses: which element of which statement failed, nearest first."""

from __future__ import annotations

from typing import Any

import pytest

from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.near_miss import deny_reasons, near_misses
from mantle_iam.iam.request import AuthorizationRequest, Element, NearMiss, PolicySet, PolicyType

PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
USER = "arn:aws:iam::111122223333:user/ada"
ALLOW = {"Effect": "Allow", "Action": "bedrock-mantle:CreateInference", "Resource": "*"}


def misses(*statements: dict[str, Any], action: str = "bedrock-mantle:CreateInference", **request: Any) -> Any:
    document = parse_policy({"Version": "2012-10-17", "Statement": list(statements)})
    asked = AuthorizationRequest(USER, action, **{"resources": (PROJECT,), **request})
    return near_misses(asked, PolicySet(identity=(document,)))


@pytest.mark.parametrize(
    ("statement", "element", "words"),
    [
        ({"Action": "bedrock:*"}, Element.ACTION, "names the service `bedrock`"),
        ({"Action": "bedrock:CreateInference"}, Element.ACTION, "names the service `bedrock`"),
        ({"Action": "bedrock-mantle:Get*"}, Element.ACTION, "`bedrock-mantle:Get*` named"),
        (
            {"Resource": PROJECT.replace("us-east-1", "us-west-2")},
            Element.RESOURCE,
            "region `us-east-1` is not `us-west-2`",
        ),
        ({"Resource": PROJECT.replace("111122223333", "444455556666")}, Element.RESOURCE, "account `111122223333`"),
        ({"Resource": PROJECT.replace("project/default", "model/*")}, Element.RESOURCE, "resource `project/default`"),
        ({"Condition": {"StringEquals": {"bedrock-mantle:Model": "a"}}}, Element.CONDITION, "no such key"),
    ],
)
def test_one_element_failed(statement: dict[str, Any], element: Element, words: str) -> None:
    (miss,) = misses({**ALLOW, **statement})
    assert (miss.element, miss.failures, miss.unknown) == (element, 1, False)
    assert words in miss.detail


def test_not_elements() -> None:
    (action,) = misses({"Effect": "Allow", "NotAction": "bedrock-mantle:Create*", "Resource": "*"})
    assert (action.element, action.wanted) == (Element.NOT_ACTION, ("bedrock-mantle:Create*",))
    (resource,) = misses({"Effect": "Allow", "Action": "*", "NotResource": "*:project/*"})
    assert (resource.element, resource.wanted) == (Element.NOT_RESOURCE, ("*:project/*",))


def test_foreign_statements_are_no_near_miss() -> None:
    assert misses({**ALLOW, "Action": "s3:*"}, {**ALLOW, "Action": ["iam:List*", "sts:*"]}) == ()


def test_a_condition_names_key_operator_and_values() -> None:
    (miss,) = misses(
        {**ALLOW, "Condition": {"StringEquals": {"bedrock-mantle:Model": ["a", "b"]}}},
        context={"bedrock-mantle:Model": "c"},
    )
    assert (miss.key, miss.operator, miss.wanted, miss.actual) == (
        "bedrock-mantle:Model",
        "StringEquals",
        ("a", "b"),
        "c",
    )


def test_an_unknown_key_is_said_to_be_unknown() -> None:
    (miss,) = misses({**ALLOW, "Condition": {"StringEquals": {"k": "a"}}}, unknown_context=frozenset({"k"}))
    assert (miss.unknown, miss.actual) == (True, None)


def test_the_nearest_comes_first_and_other_actions_last() -> None:
    found = misses(
        {**ALLOW, "Sid": "Other", "Action": "bedrock-mantle:List*"},
        {**ALLOW, "Sid": "Two", "Resource": "arn:aws:s3:::b", "Condition": {"Bool": {"k": "true"}}},
        {**ALLOW, "Sid": "One", "Condition": {"Bool": {"k": "true"}}},
    )
    assert [(miss.statement.sid, miss.failures) for miss in found] == [("One", 1), ("Two", 2), ("Two", 2), ("Other", 1)]


def test_nothing_missed_when_it_is_allowed() -> None:
    assert misses(ALLOW, {**ALLOW, "Resource": "arn:aws:s3:::b"}) == ()


def test_the_layer_that_withheld_it_is_looked_at() -> None:
    full = parse_policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    scp = parse_policy(
        {"Version": "2012-10-17", "Statement": {**ALLOW, "Sid": "Guard", "Condition": {"Bool": {"k": "true"}}}}
    )
    asked = AuthorizationRequest(USER, "bedrock-mantle:CreateInference", (PROJECT,))
    (miss,) = near_misses(asked, PolicySet(identity=(full,), scp=((full,), (scp,))))
    assert (miss.statement.policy_type, miss.statement.level, miss.statement.sid) == (PolicyType.SCP, 1, "Guard")


def test_principals_of_a_resource_based_policy() -> None:
    policy = parse_policy(
        {"Version": "2012-10-17", "Statement": {**ALLOW, "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}}}
    )
    asked = AuthorizationRequest(USER, "bedrock-mantle:CreateInference", (PROJECT,))
    (miss,) = near_misses(asked, PolicySet(resource=(policy,)))
    assert (miss.element, miss.actual) == (Element.PRINCIPAL, USER)


def deny(**extra: Any) -> tuple[NearMiss, ...]:
    document = parse_policy(
        {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", **extra}}
    )
    asked = AuthorizationRequest(
        USER, "bedrock-mantle:CreateInference", (PROJECT,), context={"aws:SourceIp": "10.0.0.1"}
    )
    return deny_reasons(asked, PolicySet(identity=(document,)))


def test_why_a_deny_matched() -> None:
    (reason,) = deny(Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    assert (reason.element, reason.key, reason.actual) == (Element.CONDITION, "aws:SourceIp", "10.0.0.1")
    (reason,) = deny()
    assert reason.element is Element.ACTION
    assert "without a condition" in reason.detail
    assert deny(Condition={"Bool": {"k": "true"}}) == ()


def test_hostile_patterns_are_compared_in_time() -> None:
    assert misses(
        {**ALLOW, "Resource": "arn:aws:bedrock-mantle:us-east-1:1:" + "*a" * 2000}, resources=(PROJECT + "a" * 4000,)
    )
