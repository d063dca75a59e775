"""That nobody may do a thing is said only where it is refused everywhere: against every request of a small world, one by one."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
from audit_world import FULL_ACCESS, ID, MANTLE, account, allow, deny, policy, role, user
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.elsewhere import TOO_MANY
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.requirements import RuleResult, read_rules
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import Account, NamedPolicy, Principal, Purpose
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType

ARN = "arn:aws:bedrock-mantle"
REGIONS = ("us-east-1", "eu-west-1", "eu-west-2")
PROJECTS = ("default", "proj_a", "proj_ab", "proj_b", "ml")
MODELS = ("openai.gpt-oss-120b", "qwen.qwen3-32b", "m")
RULES: tuple[dict[str, Any], ...] = (
    {"capabilities": "infer", "auth": "sigv4"},
    {"capabilities": "infer", "auth": "short-term-key"},
    {"capabilities": "write-files"},
    {"capabilities": "infer", "auth": "sigv4", "regions": "eu-west-1"},
    {"capabilities": "infer", "auth": "sigv4", "projects": "proj_a"},
    {"capabilities": "infer", "auth": "sigv4", "models": "openai.gpt-oss-120b"},
    {"actions": "bedrock-mantle:CreateInference"},
)
NEEDS = {"infer": (("CreateInference",),), "write-files": (("CreateFile",), ("DeleteFile",))}


def judged(value: dict[str, Any], found: Account) -> RuleResult:
    file = {"version": 1, "rules": [{"must": "not-allow", "principals": "*", **value}]}
    result = audit_account(Plan(rules=read_rules(file)), found)
    assert not result.problems
    return result.rules[0]


PATTERNS = (
    "*", f"{ARN}:*:*:project/*", f"{ARN}:eu-*:{ID}:project/*", f"{ARN}:*:*:project/proj_a", f"{ARN}:*:*:project/proj_?",
    f"{ARN}:*-1:*:project/*a*", f"{ARN}:eu-west-?:*:project/proj_*", f"{ARN}:*:*:project/${{aws:PrincipalTag/team}}",
    f"{ARN}:us-east-1:*:*", "arn:*:project/default", f"{ARN}:*:*:project/${{aws:username}}*", "*b", f"{ARN}:*:*:*/???*",
    f"{ARN}:*:999999999999:project/*", "arn:aws:s3:::x",
)  # fmt: skip
ACTIONS = ("*", "bedrock-mantle:*", "bedrock-mantle:Create*", "bedrock-mantle:CallWithBearerToken", "s3:*")
CONDITIONS: tuple[dict[str, Any], ...] = (
    {}, {}, {},
    {"StringEquals": {"bedrock-mantle:Model": ["m", "qwen.qwen3-32b"]}},
    {"StringNotLike": {"bedrock-mantle:Model": "openai.*"}},
    {"StringEquals": {"aws:ResourceTag/team": "a"}},
    {"StringEquals": {"aws:PrincipalTag/team": "ml"}},
    {"Null": {"aws:ResourceTag/team": "true"}},
)  # fmt: skip


@st.composite
def statement(draw: st.DrawFn) -> dict[str, Any]:
    made = allow(draw(st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=2)))
    patterns = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2))
    made["Effect"] = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
    element = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
    del made["Resource"]
    made[element] = patterns
    condition = draw(st.sampled_from(CONDITIONS))
    return {**made, "Condition": condition} if condition else made


def policies(purpose: Purpose = Purpose.IDENTITY) -> st.SearchStrategy[NamedPolicy]:
    return st.lists(statement(), min_size=1, max_size=3).map(lambda found: policy("p", *found, purpose=purpose))


LEVEL = st.lists(policies(Purpose.SCP) | st.just(FULL_ACCESS), min_size=1, max_size=2).map(tuple)
WHO = st.builds(
    Principal,
    st.sampled_from([f"arn:aws:iam::{ID}:user/ml", f"arn:aws:iam::{ID}:role/app"]),
    st.lists(policies() | st.just(MANTLE), min_size=1, max_size=2).map(tuple),
    boundary=st.none() | st.none() | policies(Purpose.BOUNDARY),
    tags=st.sampled_from([(), (("team", "proj_a"),)]),
)


def requests(who: Principal, value: dict[str, Any]) -> list[list[AuthorizationRequest]]:
    """Every call of the small world that the rule is about, each as the requests that it comes to."""
    found = []
    key = value.get("auth", "sigv4") != "sigv4"
    tag = {f"aws:PrincipalTag/{name}": text for name, text in who.tags}
    name = "infer" if "actions" in value else value["capabilities"]
    places = itertools.product(
        [value["regions"]] if "regions" in value else REGIONS,
        [value["projects"]] if "projects" in value else PROJECTS,
        [value["models"]] if "models" in value else MODELS,
        (None, "a", "b"),
        NEEDS[name],
    )
    for region, project, model, team, actions in places:
        resource = f"{ARN}:{region}:{ID}:project/{project}"
        call = []
        for action in actions:
            context: dict[str, Any] = dict(tag)
            if name == "infer":
                context["bedrock-mantle:Model"] = model
            if team:
                context["aws:ResourceTag/team"] = team
            call.append(AuthorizationRequest(who.arn, f"bedrock-mantle:{action}", (resource,), context=context))
        if key:
            context = {**tag, "bedrock-mantle:BearerTokenType": "SHORT_TERM"}
            call.append(AuthorizationRequest(who.arn, "bedrock-mantle:CallWithBearerToken", ("*",), context=context))
        found.append(call)
    return found


@settings(max_examples=300, deadline=None)
@given(WHO, st.none() | st.lists(LEVEL, min_size=1, max_size=2).map(tuple), st.sampled_from(RULES))
def test_what_is_allowed_anywhere_is_never_met(who: Principal, scps: Any, value: dict[str, Any]) -> None:
    found = judged(value, account(who, scps=scps))
    binding = PolicySet(
        tuple(one.document for one in who.identity),
        None if who.boundary is None else (who.boundary.document,),
        scp=None if scps is None else tuple(tuple(one.document for one in level) for level in scps),
    )
    granted = any(
        all(evaluate(one, binding).decision is Decision.ALLOWED for one in call) for call in requests(who, value)
    )
    if granted:
        assert found.failed + found.undecided == 1
    if found.failed:
        # What is said to be allowed is, there, whatever else the request carries.
        (short,) = [one for one in found.shortfalls if one.result == Decision.ALLOWED]
        resource = f"{ARN}:{short.region}:{ID}:project/{short.project}"
        context: dict[str, Any] = {f"aws:PrincipalTag/{name}": text for name, text in who.tags}
        context |= {"bedrock-mantle:Model": short.model} if short.model else {}
        unknown = {"aws:ResourceTag/team"}
        unknown |= set() if "aws:PrincipalTag/team" in context or ":user/" in who.arn else {"aws:PrincipalTag/team"}
        if not short.model and value.get("capabilities") != "write-files":
            unknown.add("bedrock-mantle:Model")
        action = "bedrock-mantle:CreateFile" if value.get("capabilities") == "write-files" else None
        for name in [action, "bedrock-mantle:DeleteFile"] if action else ["bedrock-mantle:CreateInference"]:
            request = AuthorizationRequest(
                who.arn, str(name), (resource,), context=context, unknown_context=frozenset(unknown)
            )
            if evaluate(request, binding).decision is Decision.ALLOWED:
                break
        else:
            pytest.fail(f"not allowed at {short}")


def test_what_an_scp_takes_away_elsewhere_is_not_what_is_granted() -> None:
    """An identity pattern and an SCP pattern that each leave something open, and together nothing."""
    scp = policy("scp", deny("*", f"{ARN}:*:*:project/proj_a*"), purpose=Purpose.SCP)
    app = role("app", policy("p", allow("*", f"{ARN}:*:*:project/proj_ab*")))
    value = {"capabilities": "infer", "auth": "sigv4"}
    assert judged(value, account(app, scps=((FULL_ACCESS, scp),))).failed == 0
    # And one that they leave open between them, which neither names.
    scp = policy("scp", deny("*", [f"{ARN}:*:*:project/*a", f"{ARN}:*:*:project/d*"]), purpose=Purpose.SCP)
    found = judged(value, account(role("app", MANTLE), scps=((FULL_ACCESS, scp),)))
    assert (found.failed, found.undecided) == (1, 0)
    (short,) = found.shortfalls
    assert not short.project.startswith("d")
    assert not short.project.endswith("a")


def test_more_projects_than_anybody_asks_one_by_one() -> None:
    names = [f"proj_{number:04d}" for number in range(300)]
    denied = policy("d", deny("*", [f"{ARN}:*:*:project/{name}" for name in (*names[:-1], "default")]))
    granted = policy("p", allow("bedrock-mantle:*", [f"{ARN}:*:*:project/{name}" for name in names]))
    found = judged({"capabilities": "infer", "auth": "sigv4"}, account(role("app", granted, denied)))
    assert (found.failed, found.shortfalls[0].project) == (1, "proj_0299")


def test_patterns_that_cannot_be_told_apart_are_unknown_and_never_met() -> None:
    """Each ``*x*`` doubles what there is to tell apart."""
    many = [f"{ARN}:*:*:project/*{letter}{other}*" for letter, other in itertools.product("abcdefg", "tuvwxyz")]
    hard = [deny("*", pattern) for pattern in many]
    exact = policy("d", *hard, deny("*", [f"{ARN}:*:*:project/default", f"{ARN}:*:*:project/?"]))
    began = time.perf_counter()
    granted = policy("p", allow("bedrock-mantle:*", f"{ARN}:*:*:project/*z"))
    found = judged({"capabilities": "infer", "auth": "sigv4"}, account(role("app", granted, exact)))
    assert time.perf_counter() - began < 5
    assert found.failed + found.undecided == 1
    if found.undecided:
        assert json.loads(found.shortfalls[0].told)["depends_on"] == [TOO_MANY]


def test_a_policy_of_any_size_is_answered_in_time() -> None:
    names = [f"{ARN}:*:*:project/proj_{number}*x" for number in range(10_000)]
    began = time.perf_counter()
    here = deny("*", f"{ARN}:*:*:project/default")
    found = judged(
        {"capabilities": "infer", "auth": "sigv4"}, account(role("app", policy("p", allow("*", names), here)))
    )
    assert found.failed + found.undecided == 1
    found = judged(
        {"capabilities": "infer", "auth": "sigv4"}, account(role("app", MANTLE, policy("d", deny("*", names))))
    )
    assert found.failed == 1
    assert time.perf_counter() - began < 10


def test_a_capability_is_not_met_by_who_can_do_half_of_it() -> None:
    only_delete = role("app", policy("p", {**allow("bedrock-mantle:DeleteFile"), "Sid": "D"}))
    found = judged({"capabilities": "write-files"}, account(only_delete))
    assert found.failed == 1
    both = role("app", policy("p", allow("bedrock-mantle:CreateFile"), allow("bedrock-mantle:DeleteFile")))
    found = judged({"capabilities": "write-files"}, account(both))
    assert len(found.shortfalls) == 1
    # All that would have to go is named at once.
    decided = json.loads(found.shortfalls[0].told)["decided_by"]
    assert [one["statement"] for one in decided] == [0, 1]


@pytest.mark.parametrize(
    ("value", "action", "resource"),
    [
        ({"capabilities": "create-keys"}, "iam:*", f"arn:aws:iam::{ID}:user/ada"),
        ({"capabilities": "create-keys"}, "iam:CreateServiceSpecificCredential", "arn:aws:iam::*:user/${aws:username}"),
        ({"actions": "iam:CreateServiceSpecificCredential"}, "iam:*", "arn:aws:iam::*:user/team/*"),
        ({"actions": "bedrock-mantle:DeleteCustomizedModel"}, "*", f"{ARN}:*:*:customized-model/one"),
        ({"actions": "bedrock-mantle:GetReservation"}, "*", f"{ARN}:eu-west-1:*:reservation/abc"),
        ({"actions": "bedrock-mantle:TagResource"}, "*", f"{ARN}:*:*:reservation/*"),
        ({"actions": "bedrock:InvokeModel"}, "bedrock:*", "arn:aws:bedrock:*::foundation-model/openai.*"),
        ({"capabilities": "read-projects"}, "bedrock-mantle:*Project*", f"{ARN}:*:*:project/proj_a"),
        ({"capabilities": "set-retention"}, "bedrock-mantle:Put*", "*"),
    ],
)
def test_other_resources_than_projects_are_sought_too(value: dict[str, Any], action: str, resource: str) -> None:
    ada = user("ada", policy("p", allow(action, resource)))
    assert judged(value, account(ada)).failed == 1
    assert judged(value, account(user("ada", policy("p", allow(action, "arn:aws:s3:::x"))))).failed == 0


def test_a_reservation_needs_its_project_too() -> None:
    only = role("app", policy("p", allow("*", f"{ARN}:*:*:reservation/*")))
    value = {"actions": "bedrock-mantle:CreateReservation"}
    assert judged(value, account(only)).failed == 0
    both = role("app", policy("p", allow("*", [f"{ARN}:*:*:reservation/r", f"{ARN}:*:*:project/p"])))
    assert judged(value, account(both)).failed == 1
    # Of two regions there is no such reservation.
    apart = role("app", policy("p", allow("*", [f"{ARN}:eu-west-1:*:reservation/r", f"{ARN}:us-east-1:*:project/p"])))
    found = judged(value, account(apart))
    assert (found.failed, found.undecided) == (0, 1)


@pytest.mark.parametrize("key", ["bedrock-mantle:Model", "Bedrock-Mantle:model"])
def test_a_model_that_a_policy_names_is_a_model_that_can_be_called(key: str) -> None:
    only = {"StringEquals": {key: "openai.gpt-oss-120b"}}
    found = judged(
        {"capabilities": "infer", "auth": "sigv4"}, account(role("app", policy("p", allow("*", Condition=only))))
    )
    assert (found.failed, found.undecided, found.shortfalls[0].model) == (1, 0, "openai.gpt-oss-120b")


def test_principals_are_told_apart_where_a_policy_asks_who_they_are() -> None:
    own = policy("p", allow("*", f"{ARN}:*:*:project/${{aws:username}}"))
    scp = policy("scp", deny("*", f"{ARN}:*:*:project/bob"), purpose=Purpose.SCP)
    found = judged(
        {"capabilities": "infer", "auth": "sigv4"},
        account(user("ada", own), user("bob", own), scps=((FULL_ACCESS, scp),)),
    )
    assert [(one.principal.rpartition("/")[2], one.project) for one in found.shortfalls] == [("ada", "ada")]


def test_what_is_denied_here_is_not_known_there_where_a_layer_could_not_be_read() -> None:
    here = policy("d", deny("*", f"{ARN}:*:*:project/default"))
    found = judged(
        {"capabilities": "infer", "auth": "sigv4"},
        account(role("app", here, unknown=frozenset({PolicyType.IDENTITY}))),
    )
    assert (found.failed, found.undecided) == (0, 1)


def test_an_endpoint_decides_elsewhere_as_it_does_here() -> None:
    endpoint = policy("vpce-1", {**allow("s3:*"), "Principal": "*"}, purpose=Purpose.VPC_ENDPOINT)
    granted = role("app", policy("p", allow("*", f"{ARN}:*:*:project/proj_a")))
    found = judged({"capabilities": "infer", "auth": "sigv4"}, account(granted, endpoints=(endpoint,)))
    assert (found.failed, found.undecided) == (0, 1)
    assert json.loads(found.shortfalls[0].told)["depends_on"] == ["vpc-endpoint"]


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals"])
def test_what_only_an_endpoint_asks_for_is_not_known_elsewhere_either(operator: str) -> None:
    vpc = {operator: {"aws:SourceVpc": "vpc-1"}}
    statements = [{**allow("*"), "Principal": "*"}, {**deny("*", Condition=vpc), "Principal": "*"}]
    endpoint = policy("vpce-1", *statements, purpose=Purpose.VPC_ENDPOINT)
    granted = role("app", policy("p", allow("bedrock-mantle:*")))
    found = judged({"capabilities": "infer", "auth": "sigv4"}, account(granted, endpoints=(endpoint,)))
    assert (found.failed, found.undecided) == (0, 1)


def test_an_action_on_every_project_is_asked_of_every_project_whatever_the_rule_names() -> None:
    value = {"actions": "bedrock-mantle:CreateProject", "projects": "default"}
    held = policy(
        "p",
        allow("bedrock-mantle:*"),
        deny("*", f"{ARN}:us-east-1:*:project/*"),
        deny("*", f"{ARN}:*:*:project/default"),
    )
    assert judged(value, account(role("app", held))).failed == 1


def test_a_project_given_by_its_arn_leaves_the_others_open() -> None:
    value = {"actions": "bedrock-mantle:CreateFile", "projects": ["proj_a", f"{ARN}:us-east-1:{ID}:project/proj_b"]}
    granted = role("app", policy("p", allow("*", f"{ARN}:eu-west-1:*:project/proj_a")))
    assert judged(value, account(granted)).failed == 1
    granted = role("app", policy("p", allow("*", f"{ARN}:eu-west-1:*:project/proj_b")))
    assert judged(value, account(granted)).failed == 0
