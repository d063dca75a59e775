"""What is learned from one account changes nothing that is said of the next: names, accounts, layers above, hostile texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from audit_world import FULL_ACCESS, account, allow, deny, policy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantle_iam.audit import matrix
from mantle_iam.audit.blanks import Blanks
from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.compiled import Board
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import AccountResult
from mantle_iam.audit.verdict import Question, Subject
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Principal
from mantle_iam.iam.request import PolicySet, PolicyType

IDS = ("111122223333", "123456789012", "210987654321")
EDGE = "\ue0b1"
ANY = "\ue000" * 12
PLAN = Plan(Wanted(capabilities=("infer", "list-models", "write-files"), projects=("default", "proj_abc")))
CALL = allow(["bedrock-mantle:CallWithBearerToken", "bedrock-mantle:Get*", "bedrock-mantle:List*"])


def project(region: str, id_: str, name: str) -> str:
    return f"arn:aws:bedrock-mantle:{region}:{id_}:project/{name}"


NO_SCP = ((FULL_ACCESS,),)
SPARED = {"StringNotEquals": {"aws:PrincipalAccount": IDS[0]}}
OF_ONE = ((FULL_ACCESS, policy("spares one account", deny("bedrock-mantle:*", Condition=SPARED))),)

WHERE = [
    "*",
    f"arn:aws:bedrock-mantle:*:{ANY}:project/*",
    "arn:aws:bedrock-mantle:us-east-1:1111*:project/*",
    "arn:*:project/${aws:userid}",
    project("us-east-1", "OWN", ":OWN:"),
    *(
        project(region, id_, name)
        for region in ("us-east-1", "*")
        for id_ in ("OWN", "*", *IDS[:2])
        for name in ("*", "default")
    ),
]
resources = st.sampled_from(WHERE)
conditions = st.sampled_from(
    [{}] * 5
    + [
        {"Condition": {"StringEquals": {"aws:PrincipalAccount": IDS[0]}}},
        {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}},
        {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
        {"Sid": f"{EDGE}1{EDGE}"},
        {"Sid": "A"},
    ]
)
statements = st.builds(
    lambda effect, resource, more: {**effect(["bedrock-mantle:*"], resource), **more},
    st.sampled_from([allow, allow, deny]),
    st.lists(resources, min_size=1, max_size=2),
    conditions,
)
bodies = st.lists(st.one_of(st.just(CALL), st.just(allow("s3:*")), statements), min_size=1, max_size=2)
names = st.sampled_from(["n", "m", f"{EDGE}0{EDGE}", 'a"b'])


def own(value: Any, id_: str) -> Any:
    """The statements of a document as one of the account has them."""
    if isinstance(value, dict):
        return {key: own(item, id_) for key, item in value.items()}
    return [own(item, id_) for item in value] if isinstance(value, list) else value.replace("OWN", id_)


@st.composite
def organizations(draw: st.DrawFn) -> list[Account]:
    kinds = [(draw(bodies), draw(names)) for _ in range(draw(st.integers(1, 2)))]
    above = [
        None,
        NO_SCP,
        ((FULL_ACCESS, policy(f"{EDGE}2{EDGE}", deny("bedrock-mantle:Create*"))),),
        OF_ONE,
        ((FULL_ACCESS, policy("scp", deny("bedrock-mantle:*", project("*", IDS[1], "*")))),),
    ]
    found = []
    for number in range(draw(st.integers(3, 6))):
        id_ = draw(st.sampled_from(IDS))
        principals = []
        for index in range(draw(st.integers(1, 3))):
            held = [
                replace(
                    policy(name, *own(body, id_)), place=Place(f"{number}.json", None, None, f"a-{index}", f"/p/{at}")
                )
                for at, (body, name) in enumerate(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2)))
            ]
            arn = draw(
                st.sampled_from([f"arn:aws:iam::{id_}:role/r{index}", f"arn:aws:iam::{id_}:user/u{index}", "nonsense"])
            )
            unknown = draw(st.sampled_from([frozenset(), frozenset(), frozenset({PolicyType.IDENTITY})]))
            boundary = draw(st.sampled_from([None, None, held[0]]))
            principals.append(Principal(arn, tuple(held), boundary, unknown=unknown))
        found.append(account(*principals, id_=id_, scps=draw(st.sampled_from(above)), management=draw(st.booleans())))
    return found


def alone(found: Account) -> AccountResult:
    matrix.sheet_of.cache_clear()
    matrix.across.cache_clear()
    return audit_account(PLAN, found)


@settings(max_examples=60, deadline=None)
@given(organizations())
def test_an_account_is_told_of_as_if_it_were_the_only_one(accounts: list[Account]) -> None:
    expected = [alone(one) for one in accounts]
    matrix.sheet_of.cache_clear()
    matrix.across.cache_clear()
    assert [audit_account(PLAN, one) for one in accounts] == expected


BROAD = [allow("bedrock-mantle:*"), CALL]
NARROW = [allow("bedrock-mantle:*", project("*", "OWN", "other")), CALL]
DENIES = ((FULL_ACCESS, policy("denies", deny("bedrock-mantle:*"))),)


def holding(body: list[dict[str, Any]], id_: str, arn: str = "", **more: Any) -> Account:
    return account(Principal(arn or f"arn:aws:iam::{id_}:user/u", (policy("n", *own(body, id_)),)), id_=id_, **more)


@pytest.mark.parametrize(
    ("scps", "last"),
    [
        (DENIES, holding(BROAD, IDS[0], "nonsense", scps=DENIES)),
        (NO_SCP, holding(BROAD, IDS[0], f"arn:aws:iam::{IDS[1]}:user/u", scps=NO_SCP)),
        (NO_SCP, holding(BROAD, IDS[0], f"arn:aws:iam::{IDS[0]}:role/u", scps=NO_SCP)),
        (DENIES, holding(BROAD, IDS[0], scps=DENIES, management=True)),
        (DENIES, holding(BROAD, IDS[0], scps=NO_SCP)),
        (DENIES, holding(BROAD, IDS[0])),
        (NO_SCP, holding(BROAD, IDS[0], scps=NO_SCP, unknown=frozenset({PolicyType.SCP}))),
        (NO_SCP, holding(NARROW, IDS[0], scps=NO_SCP)),
        (OF_ONE, holding(BROAD, IDS[1], scps=OF_ONE)),
    ],
    ids=[
        "nobody",
        "from elsewhere",
        "a role",
        "management",
        "other SCPs",
        "no SCPs",
        "unknown SCPs",
        "narrow",
        "SCPs of accounts",
    ],
)
def test_what_differs_in_one_thing_is_not_told_alike(scps: Any, last: Account) -> None:
    accounts = [*(holding(BROAD, id_, scps=scps) for id_ in (*IDS, *IDS)), last]
    expected = [alone(one) for one in accounts]
    matrix.across.cache_clear()
    assert [audit_account(PLAN, one) for one in accounts] == expected
    assert expected[-1].problems or expected[-1].shapes != expected[0].shapes


def test_other_places_are_told_of_each_account() -> None:
    accounts = [holding(NARROW, id_) for id_ in (*IDS, *IDS)]
    expected = [alone(one) for one in accounts]
    matrix.across.cache_clear()
    assert [audit_account(PLAN, one) for one in accounts] == expected
    assert all(f":{id_}:project/other" in one.shapes[0].body for id_, one in zip((*IDS, *IDS), expected, strict=True))


def test_what_is_alike_in_three_accounts_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = []
    original = Blanks.filled

    def counted(self: Blanks, policies: Any, id_: str) -> str:
        filled.append(id_)
        return original(self, policies, id_)

    accounts = []
    for id_ in IDS:
        held = policy("n", allow("bedrock-mantle:*", project("*", id_, "*")), CALL)
        accounts.append(account(Principal(f"arn:aws:iam::{id_}:role/r", (held,)), id_=id_))
    expected = [alone(one) for one in accounts]
    matrix.across.cache_clear()
    monkeypatch.setattr(Blanks, "filled", counted)
    assert [audit_account(PLAN, one) for one in accounts] == expected
    assert filled == [IDS[2]]
    assert IDS[2] in expected[2].shapes[0].body
    assert IDS[0] not in expected[2].shapes[0].body


QUESTIONS = [
    Question("bedrock-mantle:CreateInference", resource)
    for resource in ("*", *(project("us-east-1", "${Account}", name) for name in ("default", IDS[0], f":{IDS[1]}:")))
]


@settings(max_examples=150, deadline=None)
@example([allow("bedrock-mantle:*", project("us-east-1", "OWN", ":OWN:"))], [IDS[1], IDS[0], IDS[2]])
@given(st.lists(statements, min_size=1, max_size=3), st.permutations(IDS))
def test_a_statement_that_names_an_account_says_in_each_what_evaluate_says(
    body: list[dict[str, Any]], ids: list[str]
) -> None:
    board = Board(QUESTIONS)
    for id_ in (*ids, *ids):
        held: NamedPolicy = policy("n", *own(body, ids[0]))
        bound = board.bind(id_)
        subject, policies = (
            Subject(f"arn:aws:iam::{id_}:role/x", management_account="none"),
            PolicySet((held.document,)),
        )
        verdict = bound.decide(subject, policies)
        for index in range(len(QUESTIONS)):
            assert verdict.decision(index) is bound.explain(index, subject, policies).decision, (id_, index)
