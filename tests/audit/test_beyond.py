"""A ``no`` where policies speak of other projects, regions or models is told from one that holds everywhere."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import ELSEWHERE
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import NamedPolicy, Principal
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from tests.audit.audit_world import FULL_ACCESS, ID, account, allow, deny, policy, role, user

ARN = "arn:aws:bedrock-mantle"
INFER = "bedrock-mantle:CreateInference"
A, DEFAULT = f"{ARN}:*:*:project/proj_a", f"{ARN}:*:*:project/default"


def cells(who: Principal, plan: Plan | None = None, **more: Any) -> dict[str, list[str]]:
    """The other places of every cell of one principal that has any, by label."""
    result = audit_account(plan or Plan(), account(who, **more))
    shape = result.shapes[result.rows[0][1]]
    told = json.loads(f"{{{shape.body}}}")["capabilities"]
    assert [letter == ELSEWHERE for letter in shape.answers] == ["elsewhere" in one for one in told]
    assert all(one["answer"] == "no" for one in told if "elsewhere" in one)
    return {f"{one['capability']} {one['auth']}": one["elsewhere"] for one in told if "elsewhere" in one}


CASES: dict[str, tuple[Principal, list[str]]] = {
    "another project": (role("x", policy("p", allow(INFER, A))), [A]),
    "another region": (
        role("x", policy("p", allow(INFER, f"{ARN}:eu-west-1:*:project/default"))),
        [f"{ARN}:eu-west-1:*:project/default"],
    ),
    "several, each once": (role("x", policy("p", allow(INFER, [A, A])), policy("q", allow(INFER, A))), [A]),
    "all but the default one": (role("x", policy("p", allow(INFER), deny(INFER, DEFAULT))), ["*"]),
    "a boundary decides": (
        role("x", policy("p", allow(INFER)), boundary=policy("b", allow(INFER, A))),
        [A],
    ),
    "everything but": (
        role("x", policy("p", {"Effect": "Allow", "Action": INFER, "NotResource": DEFAULT})),
        ["*"],
    ),
    "allowed here": (role("x", policy("p", allow(INFER, [DEFAULT, A]))), []),
    "nothing at all": (role("x"), []),
    "denied everywhere": (role("x", policy("p", allow(INFER, A), deny(INFER))), []),
    "allowed here alone, and denied here": (role("x", policy("p", allow(INFER, DEFAULT), deny(INFER, DEFAULT))), []),
    "another account's": (role("x", policy("p", allow(INFER, f"{ARN}:*:444455556666:project/a"))), []),
    "no resource of the action": (role("x", policy("p", allow(INFER, "arn:aws:bedrock:*::foundation-model/*"))), []),
    "a condition that no call meets": (
        role("x", policy("p", allow(INFER, A, Condition={"Null": {"bedrock-mantle:BearerTokenType": "false"}}))),
        [],
    ),
    "a boundary without it": (role("x", policy("p", allow(INFER, A)), boundary=policy("b", allow("s3:*"))), []),
}


@pytest.mark.parametrize("name", CASES)
def test_other_places(name: str) -> None:
    who, places = CASES[name]
    assert cells(who).get("infer sigv4", []) == places


SAME = [
    ("models", [allow(INFER, Condition={"StringEquals": {"bedrock-mantle:Model": f"vendor.{n}"}}) for n in "abcd"], {}),
    ("projects", [allow(INFER, f"{ARN}:*:*:project/proj_{n}") for n in "abcd"], {}),
    ("denials", [allow(INFER, [A, f"{ARN}:*:*:project/proj_b"])] * 4, {2: f"{ARN}:*:*:project/proj_b", 3: A}),
]


@pytest.mark.parametrize(("body", "denied"), [one[1:] for one in SAME], ids=[one[0] for one in SAME])
def test_nobody_is_told_the_places_of_another(body: list[dict[str, Any]], denied: dict[int, str]) -> None:
    def holder(number: int) -> Principal:
        own = [body[number], *([deny(INFER, denied[number])] if number in denied else [])]
        return role(f"r{number}", policy("p", *own))

    plan = Plan(Wanted(capabilities=("infer",), models=("openai.gpt-oss-120b",)))
    everybody = [holder(number) for number in range(4)]
    alone = [audit_account(plan, account(one)) for one in everybody]
    together = audit_account(plan, account(*everybody))
    assert [together.shapes[shape].body for _, shape in together.rows] == [one.shapes[0].body for one in alone]


def test_what_has_no_place_or_needs_every_project_is_not_elsewhere() -> None:
    managed = policy("p", allow(["bedrock-mantle:Get*", "bedrock-mantle:List*"], f"{ARN}:*:*:project/*"))
    assert cells(role("x", managed)) == {}
    one = policy("p", allow(["bedrock-mantle:Get*", "bedrock-mantle:List*"], A))
    assert {label.split()[0] for label in cells(role("x", one))} == {"list-models", "read-files", "read-fine-tuning"}


def test_a_key_needs_its_own_permission_everywhere() -> None:
    keyed = policy("p", allow(INFER, A), allow("bedrock-mantle:CallWithBearerToken"))
    assert [*cells(user("x", keyed))] == ["infer sigv4", "infer short-term-key", "infer long-term-key"]
    assert [*cells(role("x", keyed))] == ["infer sigv4", "infer short-term-key"]
    assert [*cells(user("x", policy("p", allow(INFER, A))))] == ["infer sigv4"]


def test_one_s_own_key() -> None:
    own = policy("p", allow("iam:CreateServiceSpecificCredential", "arn:aws:iam::*:user/${aws:username}"))
    assert cells(user("x", own)) == {"create-keys sigv4": ["arn:aws:iam::*:user/${aws:username}"]}
    # A role has no user name.
    assert cells(role("x", own)) == {}


def test_another_model() -> None:
    narrow = policy("p", allow(INFER, Condition={"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-20b"}}))
    plan = Plan(Wanted(("infer",), models=("openai.gpt-oss-120b",)))
    assert cells(role("x", narrow), plan)["infer sigv4"] == ["bedrock-mantle:Model: openai.gpt-oss-20b"]
    assert cells(role("x", narrow), Plan(Wanted(("infer",), models=("openai.gpt-oss-20b",)))) == {}


def test_places_are_not_those_of_another_principal_with_the_same_answers() -> None:
    roles = [role(f"r{n}", policy(f"p{n}", allow(INFER, f"{ARN}:*:*:project/proj_{n}"))) for n in range(4)]
    result = audit_account(Plan(Wanted(("infer",))), account(*roles))
    for number, (_, shape) in enumerate(result.rows):
        assert f'"elsewhere": ["{ARN}:*:*:project/proj_{number}"]' in result.shapes[shape].body


REGIONS, PROJECTS = ("us-east-1", "eu-west-1"), ("default", "proj_a", "proj_b")
_patterns = st.sampled_from([
    "*", f"{ARN}:*:*:project/*", f"{ARN}:*:{ID}:project/default", A, f"{ARN}:us-east-1:*:project/proj_b",
    f"{ARN}:eu-*:*:project/*", f"{ARN}:*:444455556666:project/*", f"{ARN}:*:*:project/proj_?", "arn:aws:s3:::*",
    f"{ARN}:*", "arn:*:project/default", f"{ARN}:eu-west-1:{ID}:project/default", f"{ARN}:*:*:reservation/*",
])  # fmt: skip
_statements = st.builds(
    lambda effect, element, patterns: {"Effect": effect, "Action": INFER, element: patterns},
    st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]),
    st.lists(_patterns, min_size=1, max_size=2),
)
_policies = st.lists(_statements, min_size=1, max_size=3).map(lambda found: policy("p", *found))


def _allowed_somewhere(who: Principal, levels: tuple[tuple[NamedPolicy, ...], ...]) -> bool:
    policies = PolicySet(
        tuple(one.document for one in who.identity),
        None if who.boundary is None else (who.boundary.document,),
        scp=tuple(tuple(one.document for one in level) for level in levels),
    )
    return any(
        evaluate(
            AuthorizationRequest(
                who.arn, INFER, (f"{ARN}:{region}:{ID}:project/{project}",), management_account="none"
            ),
            policies,
        ).decision
        is Decision.ALLOWED
        for region, project in product(REGIONS, PROJECTS)
    )


@given(identity=_policies, boundary=st.none() | _policies, scp=st.none() | _policies)
@settings(max_examples=150)
def test_a_no_without_the_mark_holds_everywhere(
    identity: NamedPolicy, boundary: NamedPolicy | None, scp: NamedPolicy | None
) -> None:
    who = role("x", identity, boundary=boundary)
    levels = ((FULL_ACCESS,), (scp,)) if scp is not None else ((FULL_ACCESS,),)
    result = audit_account(Plan(Wanted(("infer",))), account(who, scps=levels))
    letter = result.shapes[0].answers[0]
    somewhere = _allowed_somewhere(who, levels)
    assert letter in "yn*"
    if letter != "n":
        # With one policy that denies nothing the mark is also true.
        sure = (
            boundary is None and scp is None and all(str(one.effect) == "Allow" for one in identity.document.statements)
        )
        assert somewhere or not sure
    else:
        assert not somewhere


def test_places_are_those_of_the_account() -> None:
    for id_ in (f"10000000000{number}" for number in range(4)):
        for named, places in (
            (id_, [f"{ARN}:*:{id_}:project/a"]),
            ("100000000002", [f"{ARN}:*:100000000002:project/a"]),
        ):
            mine = role("r", policy("p", allow(INFER, f"{ARN}:*:{named}:project/a")), account=id_)
            assert cells(mine, id_=id_).get("infer sigv4", []) == (places if named == id_ else [])
