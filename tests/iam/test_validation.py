"""What AWS would refuse to store: points 33 and 34, and the elements that each kind of policy takes."""

from __future__ import annotations

from typing import Any

import pytest

from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs, policy_problems, policy_size

STATEMENT = {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}
IDENTITY, RESOURCE, SCP, RCP = PolicyType.IDENTITY, PolicyType.RESOURCE, PolicyType.SCP, PolicyType.RCP


def problems(statement: dict[str, Any], kind: PolicyType = IDENTITY, **top: Any) -> list[str]:
    document = parse_policy({"Version": "2012-10-17", "Statement": [statement], **top})
    return [f"{problem.pointer}: {problem.message}" for problem in policy_problems(document, kind)]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"Condition": {"IpAddress": {"aws:SourceIp": "300.0.0.0/8"}}}, IDENTITY, "CIDR"),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "2001:db8::1/32"}}}, IDENTITY, "CIDR"),
        ({"Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}, IDENTITY, "a date"),
        ({"Condition": {"ArnLike": {"aws:PrincipalArn": "role/x"}}}, IDENTITY, "an ARN"),
        ({"Condition": {"NumericLessThan": {"k": "ten"}}}, IDENTITY, "a number"),
        ({"Condition": {"Bool": {"k": "yes"}}}, IDENTITY, "true or false"),
        ({"Condition": {"Null": {"k": "maybe"}}}, IDENTITY, "true or false"),
        ({"Condition": {"StringMatches": {"k": "v"}}}, IDENTITY, "not a condition operator"),
        ({"Condition": {"NullIfExists": {"k": "true"}}}, IDENTITY, "not a condition operator"),
        ({"Action": "ListModels"}, IDENTITY, "service:Name"),
        ({"Action": "bedrock mantle:ListModels"}, IDENTITY, "service prefix"),
        ({"Action": "bedrock-mantle:List Models"}, IDENTITY, "white space"),
        ({"Resource": "project/default"}, IDENTITY, "neither an ARN"),
        ({"Resource": "arn:aws:s3:${aws:PrincipalTag/r}::b"}, IDENTITY, "after the fifth colon"),
        ({"Principal": "*"}, IDENTITY, "cannot have `Principal`"),
        ({}, RESOURCE, "needs `Principal`"),
        ({}, PolicyType.VPC_ENDPOINT, "needs `Principal`"),
        ({"Sid": "has space"}, IDENTITY, "other characters"),
        ({"Sid": "\u00e9"}, IDENTITY, "other characters"),
        ({"Principal": "*", "Action": "s3:*"}, RCP, "can only deny"),
        ({"Principal": "*", "Effect": "Deny"}, RCP, "supports resource control policies"),
        ({"Principal": {"AWS": "111122223333"}, "Effect": "Deny", "Action": "s3:*"}, RCP, "only `*` as `Principal`"),
        ({"Resource": "arn:aws:s3:::\u20ac"}, IDENTITY, "U+20AC"),
    ],
)
def test_refused(change: dict[str, Any], kind: PolicyType, words: str) -> None:
    found = problems({**STATEMENT, **change}, kind)
    assert any(words in message for message in found), found


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (STATEMENT, IDENTITY),
        # Since September 2025 control policies have the whole language (AWS Security Blog, "full IAM language").
        ({**STATEMENT, "Resource": "arn:aws:s3:::b"}, SCP),
        ({"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::b"}, SCP),
        ({**STATEMENT, "Sid": "A1", "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.1/8", "::1"]}}}, IDENTITY),
        (
            {**STATEMENT, "Condition": {"ArnLike": {"k": ["arn:aws:iam::*:role/*", "*", "${aws:PrincipalArn}"]}}},
            IDENTITY,
        ),
        ({**STATEMENT, "Condition": {"DateLessThanIfExists": {"k": ["2026-01-01T00:00:00Z", "1767225600"]}}}, IDENTITY),
        ({**STATEMENT, "Resource": "arn:aws:bedrock-mantle:*"}, IDENTITY),
        ({**STATEMENT, "Principal": {"AWS": "111122223333"}, "Sid": "with space"}, RESOURCE),
        ({"Effect": "Deny", "Action": ["s3:*", "kms:*"], "Principal": "*", "Resource": "*"}, RCP),
        ({"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b"}, SCP),
    ],
)
def test_stored(statement: dict[str, Any], kind: PolicyType) -> None:
    assert problems(statement, kind) == []


def test_sids_are_unique_in_a_document() -> None:
    document = parse_policy({"Version": "2012-10-17", "Statement": [{**STATEMENT, "Sid": "A"}] * 2})
    assert [problem.pointer for problem in policy_problems(document)] == ["/Statement/1/Sid"]


def test_not_principal_without_its_account() -> None:
    user, root = "arn:aws:iam::111122223333:user/a", "arn:aws:iam::111122223333:root"
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert "without its account" in problems({**deny, "NotPrincipal": {"AWS": user}}, RESOURCE)[0]
    assert problems({**deny, "NotPrincipal": {"AWS": [user, root]}}, RESOURCE) == []


@pytest.mark.parametrize("stored_as", list(StoredAs))
def test_point_33_sizes_are_counted_without_white_space(stored_as: StoredAs) -> None:
    limit = MAX_CHARACTERS[stored_as]

    def document(padding: int) -> Any:
        return parse_policy({"Version": "2012-10-17", "Id": "x" * padding, "Statement": [STATEMENT]})

    room = limit - policy_size(document(0))
    assert policy_problems(document(room), stored_as=stored_as) == ()
    assert str(limit) in policy_problems(document(room + 1), stored_as=stored_as)[0].message


def test_point_34_evaluation_tolerates_what_storing_refuses() -> None:
    bad = {**STATEMENT, "Effect": "Deny", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}}
    document = parse_policy({"Version": "2012-10-17", "Statement": [STATEMENT, bad]})
    assert policy_problems(document)
    request = AuthorizationRequest(
        "arn:aws:iam::111122223333:user/a", "bedrock-mantle:ListModels", context={"aws:SourceIp": "10.0.0.1"}
    )
    assert evaluate(request, PolicySet(identity=(document,))).decision is Decision.ALLOWED
