"""The matrix: who can do what, what decides, and what it depends on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from audit_world import ALL, FULL_ACCESS, ID, MANTLE, account, allow, deny, policy, role, user

from mantle_iam.audit.capabilities import CAPABILITIES, Wanted
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import read_result, result_object
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account, Principal, Purpose
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.operations import AuthMethod, operation_named

INFER = Plan(Wanted(capabilities=("infer",)))
PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ID}:project/"


def rows(found: Account, plan: Plan) -> dict[str, dict[str, Any]]:
    result = audit_account(plan, found)
    assert not result.problems
    shapes = [json.loads(f"{{{shape.body}}}") for shape in result.shapes]
    return {arn.rpartition("/")[2]: shapes[index] for arn, index in result.rows}


def answers(principal: Principal, plan: Plan = INFER, **more: Any) -> list[str]:
    (found,) = rows(account(principal, **more), plan).values()
    return [cell["answer"] for cell in found["capabilities"]]


def one(principal: Principal, plan: Plan = INFER, **more: Any) -> dict[str, Any]:
    (found,) = rows(account(principal, **more), plan).values()
    cell: dict[str, Any] = found["capabilities"][0]
    return cell


def test_every_capability_is_made_of_known_operations() -> None:
    for capability in CAPABILITIES:
        assert all(operation_named(name) is not None for name in capability.operations), capability.name


def test_an_administrator_can_do_everything_but_use_a_long_term_key_as_a_role() -> None:
    everything = Plan()
    assert set(answers(user("root-like", ALL), everything)) == {"yes"}
    found = rows(account(role("admin", ALL)), everything)["admin"]["capabilities"]
    no = [cell for cell in found if cell["answer"] == "no"]
    assert [(cell["capability"], cell["auth"]) for cell in no] == [("infer", "long-term-key")]
    assert no[0]["decided_by"] == [
        {"layer": "credential", "reason": "long-term keys belong to IAM users; a role has none"}
    ]
    by_key = [
        one for one in rows(account(role("admin", ALL)), everything)["admin"]["permissions"] if "long" in one["auth"]
    ]
    assert {one["result"] for one in by_key} == {"implicitDeny"}
    assert all(one["decided_by"] == no[0]["decided_by"] for one in by_key)


CASES: tuple[tuple[str, dict[str, Any] | list[dict[str, Any]], list[str]], ...] = (
    ("nothing", allow("s3:*"), ["no", "no", "no"]),
    ("signed alone", allow("bedrock-mantle:CreateInference"), ["yes", "no", "no"]),
    ("another project", allow("bedrock-mantle:*", PROJECT + "proj_x"), ["no", "no", "no"]),
    ("any key", allow("bedrock-mantle:C*"), ["yes", "yes", "yes"]),
    (
        "one model",
        allow("bedrock-mantle:*", Condition={"StringEquals": {"bedrock-mantle:Model": "m"}}),
        ["depends", "no", "no"],
    ),
    (
        "an address",
        allow("bedrock-mantle:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        ["depends", "depends", "depends"],
    ),
    (
        "TLS, which every call has",
        allow("bedrock-mantle:*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        ["yes", "yes", "yes"],
    ),
    (
        "a tag of the project, which the use of a key has not",
        allow("bedrock-mantle:*", Condition={"StringEquals": {"aws:ResourceTag/team": "ml"}}),
        ["depends", "no", "no"],
    ),
    (
        "a tag in the request, which inference has not",
        allow("bedrock-mantle:*", Condition={"StringEquals": {"aws:RequestTag/team": "ml"}}),
        ["no", "no", "no"],
    ),
    (
        "no such tag, which is so of the use of a key",
        [
            allow("bedrock-mantle:CreateInference"),
            allow("bedrock-mantle:CallWithBearerToken", Condition={"Null": {"aws:ResourceTag/team": "true"}}),
        ],
        ["yes", "yes", "yes"],
    ),
    (
        "the twin endpoint's key",
        allow("bedrock-mantle:*", Condition={"StringEquals": {"bedrock:BearerTokenType": "SHORT_TERM"}}),
        ["no", "no", "no"],
    ),
)


@pytest.mark.parametrize(("statement", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_inference_by_signature_and_by_both_keys(
    statement: dict[str, Any] | list[dict[str, Any]], expected: list[str]
) -> None:
    statements = statement if isinstance(statement, list) else [statement]
    assert answers(user("ada", policy("p", *statements))) == expected


def test_a_tag_that_was_told_is_known_of_every_call() -> None:
    tagged = allow("bedrock-mantle:*", Condition={"StringEquals": {"aws:ResourceTag/team": "ml"}})
    plan = replace(INFER, context=(("aws:ResourceTag/team", "ml"),))
    # The use of a key is on no resource, whatever is told.
    assert answers(user("ada", policy("p", tagged)), plan) == ["yes", "no", "no"]


def test_short_term_keys_alone() -> None:
    only_short = {"StringEquals": {"bedrock-mantle:BearerTokenType": "SHORT_TERM"}}
    statements = (
        allow("bedrock-mantle:CreateInference"),
        allow("bedrock-mantle:CallWithBearerToken", Condition=only_short),
    )
    assert answers(user("ada", policy("p", *statements))) == ["yes", "yes", "no"]


def test_a_named_model_settles_what_depended_on_it() -> None:
    condition = {"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}
    ada = user("ada", policy("p", allow("bedrock-mantle:CreateInference", Condition=condition)))
    wanted = Wanted(("infer",), auths=(AuthMethod.SIGV4,), models=("openai.gpt-oss-120b", "qwen.qwen3-32b"))
    assert answers(ada, Plan(wanted)) == ["yes", "no"]


def test_the_layer_and_the_statement_that_decide() -> None:
    scp = policy("no-keys", {**deny("bedrock-mantle:CallWithBearerToken"), "Sid": "NoKeys"}, purpose=Purpose.SCP)
    found = rows(account(user("ada", MANTLE), scps=((FULL_ACCESS,), (FULL_ACCESS, scp))), INFER)["ada"]
    signed, short, _ = found["capabilities"]
    assert (signed["answer"], short["answer"]) == ("yes", "no")
    assert short["decided_by"] == [
        {
            "layer": "scp",
            "action": "bedrock-mantle:CallWithBearerToken",
            "policy": "no-keys",
            "statement": 0,
            "sid": "NoKeys",
            "level": 1,
        }
    ]
    by_auth = {(one["action"], one["auth"]): one["result"] for one in found["permissions"]}
    assert by_auth["bedrock-mantle:CreateInference", "sigv4"] == "allowed"
    assert by_auth["bedrock-mantle:CreateInference", "short-term-key"] == "explicitDeny"
    assert by_auth["bedrock-mantle:CallWithBearerToken", "short-term-key"] == "explicitDeny"


def test_no_scp_binds_the_management_account_or_a_service_linked_role() -> None:
    nothing = policy("nothing", allow("s3:*"), purpose=Purpose.SCP)
    ada = user("ada", MANTLE)
    assert answers(ada, scps=((nothing,),)) == ["no"] * 3
    assert answers(ada, scps=((nothing,),), management=True) == ["yes"] * 3
    linked = replace(
        role("x", MANTLE), arn=f"arn:aws:iam::{ID}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"
    )
    assert answers(linked, scps=((nothing,),))[:2] == ["yes", "yes"]


def test_what_could_not_be_read_is_unknown_and_named() -> None:
    found = one(user("ada", policy("p", allow("s3:*")), unknown=frozenset({PolicyType.IDENTITY})))
    assert (found["answer"], found["depends_on"]) == ("depends", ["identity"])
    found = one(user("ada", MANTLE), unknown=frozenset({PolicyType.SCP}))
    assert (found["answer"], found["depends_on"]) == ("depends", ["scp"])
    # What is surely refused stays so, whatever else there is.
    boundary = policy("b", deny("bedrock-mantle:*"), purpose=Purpose.BOUNDARY)
    found = one(user("ada", MANTLE, boundary=boundary), unknown=frozenset({PolicyType.SCP}))
    assert found["answer"] == "no"


def test_an_endpoint_that_a_caller_may_or_may_not_use() -> None:
    def endpoint(*statements: dict[str, Any]) -> tuple[Any, ...]:
        return (policy("vpce-1", *({**one, "Principal": "*"} for one in statements), purpose=Purpose.VPC_ENDPOINT),)

    ada = user("ada", MANTLE)
    assert answers(ada, endpoints=endpoint(allow("*"))) == ["yes"] * 3
    found = one(ada, endpoints=endpoint(allow("bedrock-mantle:ListModels")))
    assert (found["answer"], found["depends_on"]) == ("depends", ["vpc-endpoint"])
    assert answers(user("bob"), endpoints=endpoint(allow("*"))) == ["no"] * 3


def test_statements_about_the_principal_are_judged_for_each() -> None:
    scp = policy(
        "only-app",
        deny("bedrock-mantle:*", Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}}),
        purpose=Purpose.SCP,
    )
    found = rows(account(role("app", MANTLE), role("other", MANTLE), scps=((FULL_ACCESS, scp),)), INFER)
    assert [found[name]["capabilities"][0]["answer"] for name in ("app", "other")] == ["yes", "no"]


def test_tags_of_a_principal() -> None:
    tagged = allow("bedrock-mantle:CreateInference", Condition={"StringEquals": {"aws:PrincipalTag/team": "ml"}})
    statement = policy("p", tagged)
    assert answers(user("ada", statement, tags=(("team", "ml"),)))[0] == "yes"
    assert answers(user("bob", statement, tags=(("team", "web"),)))[0] == "no"
    # A session may have been given tags that the role has not.
    assert answers(role("app", statement))[0] == "depends"


def test_principals_with_equal_documents_keep_their_own_policies() -> None:
    """Equal text, two policies: each principal is told of its own."""
    found = rows(account(role("a", policy("one", allow("*"))), role("b", policy("two", allow("*")))), INFER)
    told = {name: found[name]["capabilities"][0]["decided_by"][0]["policy"] for name in ("a", "b")}
    assert told == {"a": "one", "b": "two"}


def test_principals_without_anything_share_one_answer() -> None:
    many = [role(f"r{number}", policy(f"p{number}", allow("s3:*", f"arn:aws:s3:::{number}"))) for number in range(50)]
    assert len(audit_account(INFER, account(*many)).shapes) == 1


def test_patterns_choose_principals() -> None:
    found = rows(account(role("app"), user("ada")), replace(INFER, principals=("*:user/*",)))
    assert set(found) == {"ada"}


def test_another_partition_is_asked_in_its_own_region() -> None:
    gov = Account(ID, "aws-us-gov", (replace(user("ada", MANTLE), arn=f"arn:aws-us-gov:iam::{ID}:user/ada"),))
    (found,) = rows(gov, INFER).values()
    resources = {one["resource"] for one in found["permissions"]}
    assert f"arn:aws-us-gov:bedrock-mantle:us-gov-west-1:{ID}:project/default" in resources


def test_regions_of_another_partition_are_said_and_guard_nothing() -> None:
    plan = Plan(Wanted(("infer",), regions=("us-gov-west-1",)))
    result = audit_account(plan, account(user("ada", MANTLE)))
    assert (result.rows, len(result.problems)) == ((), 1)
    with pytest.raises(InputError, match="several partitions"):
        audit_account(Plan(Wanted(regions=("us-gov-west-1", "us-east-1"))), account())


def test_a_principal_that_is_none_is_a_problem_and_the_rest_goes_on() -> None:
    result = audit_account(INFER, account(Principal("nonsense"), user("ada", MANTLE)))
    assert (len(result.rows), len(result.problems)) == (1, 1)


def test_a_result_is_read_back_as_it_was_written() -> None:
    result = audit_account(Plan(), account(user("ada", MANTLE), role("\ud800\x1b[31m")))
    assert read_result(json.loads(json.dumps(result_object(result)))) == result


def test_a_capability_that_there_is_not() -> None:
    with pytest.raises(InputError, match="no capability `inferr`") as caught:
        audit_account(Plan(Wanted(("inferr",))), account())
    assert caught.value.help == "did you mean infer?"
