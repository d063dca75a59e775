"""The quick way says what the slow one says: of what is held ordinary no rule has a word, and what is remembered is the same.

The corpus: every table of this folder, the documents of AWS's managed policies, and random ones with something odd put in.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_tables import cases, named_documents

from mantle_iam.audit.lint.engine import Linter, Settings, lint_policy
from mantle_iam.audit.lint.ordinary import Look, look_at
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import NamedPolicy, Place, Purpose
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Problem, Statement
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import MISTAKEN_SERVICES

LINTERS = [Linter(), Linter(Settings(AuthMethod.LONG_TERM_KEY))]
CORPUS = (*cases(), *named_documents("clean.json"))


def ordinary(policy: NamedPolicy) -> bool:
    return look_at(policy) is Look.ORDINARY


def disagreement(policy: NamedPolicy) -> list[Any]:
    """Where the quick way says something else than all rules together."""
    pairs = ((linter.hits(policy), linter.every_hit(policy)) for linter in LINTERS)
    return [(quick, slow) for quick, slow in pairs if quick != slow]


def test_nothing_with_a_finding_is_ordinary() -> None:
    for case in CORPUS:
        document = parse_policy(case.document)
        # A document may be used for another purpose than its table says.
        for purpose in Purpose:
            policy = NamedPolicy("p", document, purpose)
            assert disagreement(policy) == [], (str(case), purpose)


def test_every_managed_policy_of_aws() -> None:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    found: Counter[bool] = Counter()
    for name, entry in json.loads(aws_managed_policies_data).items():
        document = parse_policy(entry["Document"])
        for purpose in (Purpose.IDENTITY, Purpose.SESSION):
            policy = NamedPolicy(name, document, purpose)
            found[ordinary(policy)] += 1
            assert disagreement(policy) == [], name
    assert found[True] > 2 * found[False], found


PATTERNS = (
    *("s3:Get*", "ec2:Describe*", "sts:AssumeRole", "iam:PassRole", "aws-marketplace:Subscribe", "*", "*:*"),
    *("bedrock:InvokeModel", "bedrock-mantle:Get*", "BEDROCK-mantle:X", " bedrock:*", "mantle:CreateInference"),
    *("bed*:*", "s3", "s3:", ":Get", "s3:Get Object", "s_3:x", "bedroc\u212a:x", "s3:\x00", "s3:\x85", "b?drock:*"),
    *(f"{service}:CreateInference" for service in MISTAKEN_SERVICES),
    *("-:x", "s3:\u0142", "s3:Get\t", 's3:"', "s3:\\", "", "mycompany:thing"),
)
RESOURCES = (
    *("*", "arn:aws:s3:::bucket/${aws:username}/*", "arn:aws:iam::111122223333:role/x", "arn:aws:s3*", "arn:*", ""),
    *("arn:aws:bedrock-mantle:us-east-1:111122223333:workspace/x", "arn:aws:Bedrock-Mantle:::x", "s3", "${x}"),
    *("arn:${aws:Partition}:s3:::x", "arn:aws:s3:::a\tb", 'arn:aws:s3:::"', "arn:aws:s3:::\u0142", "a:b:c:d:e:f"),
    *(
        "arn:aws:s3:${aws:region}::x",
        "*:aws:s3:::x",
        "arn:aws:s3::x",
        "arn:aws:s*:::x",
        "ARN:aws:s3:::x",
        "arn:aws:s3:::\\",
    ),
)
CONDITIONS = tuple(
    Condition(operator, key, values)
    for operator in (
        *("StringEquals", "StringLikeIfExists", "ForAllValues:StringNotEquals", "Bool", "Null", "NumericGreaterThan"),
        *("ArnLike", "IpAddress", "DateLessThan", "StringEqual", "forallvalues:null", "BinaryEquals"),
    )
    for key in (
        *("aws:SourceVpc", "aws:CalledVia", "aws:calledvia", "iam:ServiceSpecificCredentialAgeDays", "aws:TagKeys"),
        *("bedrock-mantle:Model", "bedrock:BearerTokenType", "Bedrock-Mantle:Nope", "aws:RequestedRegion", "x\n"),
    )
    for values in (
        (),
        ("true",),
        ("90", "LONG_TERM"),
        ("${aws:username}",),
        ("",),
        ("10.0.0.0/8",),
        ("\u0142",),
        ("\\",),
    )
)
TRUSTED = (
    "ec2.amazonaws.com",
    "bedrock-mantle.amazonaws.com",
    "Bedrock-Mantle.amazonaws.com",
    "*",
    "arn:aws:iam::1:root",
)
PRINCIPALS = tuple(Principals(((kind, (one,)),)) for kind in ("AWS", "Service", "Federated") for one in TRUSTED)
SIDS = (None, "A", "B", "a b", "\u00e9", "", "\u0142", "C")


def some(of: tuple[Any, ...], least: int = 0) -> Any:
    return st.lists(st.sampled_from(of), min_size=least, max_size=2).map(tuple)


STATEMENTS = st.builds(
    Statement,
    st.sampled_from(Effect),
    actions=some(PATTERNS, 1) | some(PATTERNS),
    not_actions=st.just(()) | some(PATTERNS),
    resources=some(RESOURCES, 1) | some(RESOURCES),
    not_resources=st.just(()) | some(RESOURCES),
    principals=st.none() | st.sampled_from(PRINCIPALS),
    not_principals=st.none() | st.none() | st.sampled_from(PRINCIPALS),
    conditions=some(CONDITIONS),
    sid=st.sampled_from(SIDS),
)
DOCUMENTS = st.builds(
    PolicyDocument,
    st.lists(STATEMENTS, max_size=3).map(tuple),
    st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17", None, "2012-10-18"]),
    st.sampled_from([None, "id", "\u0142"]),
)
PLAIN = parse_policy(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "A", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::x"},
            {
                "Effect": "Deny",
                "Action": "sqs:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
)


@settings(max_examples=600)
@given(DOCUMENTS, st.sampled_from(Purpose))
def test_random_documents(document: PolicyDocument, purpose: Purpose) -> None:
    assert disagreement(NamedPolicy("p", document, purpose)) == []


def test_a_plain_document_with_one_thing_replaced() -> None:
    """Most random documents have much wrong with them, and would not be held ordinary for any of it."""
    plain, second = PLAIN.statements
    trusting = replace(plain, resources=(), principals=Principals((("Service", ("ec2.amazonaws.com",)),)))
    odd: dict[str, tuple[Any, ...]] = {
        "actions": ((), *((each,) for each in PATTERNS)),
        "not_actions": (("s3:Get*",),),
        "resources": ((), *((each,) for each in RESOURCES)),
        "not_resources": (("*",), ("arn:aws:s3:::x",)),
        "conditions": tuple((each,) for each in CONDITIONS),
        "principals": (None, *PRINCIPALS),
        "not_principals": PRINCIPALS,
        "sid": SIDS,
    }
    everything = replace(plain, actions=("*",))
    documents = ((plain, "2012-10-17"), (plain, None), (everything, "2012-10-17"), (trusting, "2008-10-17"))
    held: Counter[str] = Counter()
    for field, values in odd.items():
        for value in values:
            for first, version in documents:
                many = (replace(first, **{field: value}), replace(trusting, sid="C") if first is trusting else second)
                purpose = Purpose.TRUST if first is trusting else Purpose.IDENTITY
                policy = NamedPolicy("p", PolicyDocument(many, version), purpose)
                assert disagreement(policy) == [], (field, value, purpose, version)
                held[field] += ordinary(policy)
    assert all(held[field] for field in ("actions", "resources", "conditions", "principals", "sid")), held


def test_a_plain_document_that_is_odd_as_a_whole() -> None:
    problem = Problem("/X", "not an element")
    odds: tuple[dict[str, Any], ...] = (
        *({"version": version} for version in ("2012-10-18", "", None)),
        *({"id": one} for one in ("id", "", "\u0142", '"')),
        *({"problems": (problem,)}, {"statements": ()}),
    )
    for odd in odds:
        assert disagreement(NamedPolicy("p", replace(PLAIN, **odd))) == [], odd


def grown(shape: str, count: int) -> PolicyDocument:
    """A document whose size grows with ``count``."""
    plain = PLAIN.statements[0]
    if shape == "statements":
        return PolicyDocument((replace(plain, sid=None),) * count)
    one: dict[str, dict[str, Any]] = {
        "resources": {"resources": ("arn:aws:s3:::x",) * count},
        "actions": {"actions": ("s3:*",) * count},
        "conditions": {"conditions": tuple(Condition("Null", f"{at}", ("true",)) for at in range(count))},
        "values": {"conditions": (Condition("StringEquals", "x", ("",) * count),)},
    }
    return PolicyDocument((replace(plain, **one.get(shape, {"resources": (f"arn:aws:s3:::{shape * count}",)})),))


@pytest.mark.parametrize("purpose", [Purpose.IDENTITY, Purpose.SESSION])
@pytest.mark.parametrize(
    "shape", ["resources", "actions", "conditions", "values", "statements", "x", "\x01", '"', "\\", "\u00e9"]
)
def test_the_size_is_never_missed(purpose: Purpose, shape: str) -> None:
    """Up to the least count at which the rules say something, none of them was overlooked."""
    fits, beyond = 1, 10_000
    while fits + 1 < beyond:
        middle = (fits + beyond) // 2
        policy = NamedPolicy("p", grown(shape, middle), purpose)
        assert disagreement(policy) == []
        fits, beyond = (fits, middle) if LINTERS[0].hits(policy) else (middle, beyond)
    assert disagreement(NamedPolicy("p", grown(shape, beyond), purpose)) == []
    assert 10 < beyond < 10_000


def test_it_is_quick_where_it_counts() -> None:
    """Plain documents are known as such, so that the laws above are about something."""
    assert ordinary(NamedPolicy("p", PLAIN))
    assert ordinary(NamedPolicy("p", replace(PLAIN, version=None), Purpose.BOUNDARY))
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = parse_policy({"Version": "2008-10-17", "Statement": trust})
    assert ordinary(NamedPolicy("p", document, Purpose.TRUST))
    assert not ordinary(NamedPolicy("p", document))
    full = {"Effect": "Allow", "Action": ["bedrock-mantle:*", "bed*:X"], "Resource": "*"}
    sound = NamedPolicy("p", parse_policy({"Version": "2012-10-17", "Statement": full}))
    assert look_at(sound) is Look.SOUND
    assert look_at(replace(sound, purpose=Purpose.SCP)) is Look.ODD
    assert not ordinary(NamedPolicy("p", PLAIN, unresolved=("/Statement/0/Resource",)))


def test_what_is_remembered_is_put_in_its_own_place() -> None:
    document = parse_policy(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}}
    )
    linter = Linter()
    first = linter.policy(NamedPolicy("one", document, place=Place("a.json")))
    second = linter.policy(NamedPolicy("two", document, place=Place("b.json", pointer="/x")))
    assert [(each.rule, each.policy, each.place.path, each.place.pointer) for each in (*first, *second)] == [
        ("full-access", "one", "a.json", "/Statement/0/Action/0"),
        ("full-access", "two", "b.json", "/x/Statement/0/Action/0"),
    ]
    # What is not the same is not taken for it: AWS's own, another kind, something unknown.
    owned = "arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess"
    assert linter.policy(NamedPolicy("AmazonBedrockMantleFullAccess", document, arn=owned)) == ()
    assert [each.rule for each in linter.policy(NamedPolicy("p", document, Purpose.SCP))] == ["allow-in-control-policy"]
    assert linter.policy(NamedPolicy("p", document, unresolved=("/Statement",))) == ()


def test_one_linter_for_all_is_one_for_each() -> None:
    kept = Linter()
    for case in CORPUS:
        policy = NamedPolicy("p", parse_policy(case.document), Purpose(case.kind))
        assert kept.policy(policy) == kept.policy(policy) == lint_policy(policy), str(case)
