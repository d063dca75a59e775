"""Requirements as code: reading them, judging by them, and what they offer."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from audit_world import FULL_ACCESS, MANTLE, account, allow, deny, policy, role, user

from mantle_iam import bundled
from mantle_iam.audit.capabilities import CAPABILITIES
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.requirements import read_rules
from mantle_iam.errors import InputError
from mantle_iam.generate.scoping import checked_scope
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import Principal, Purpose
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.workflow.audit import audit
from mantle_iam.workflow.audit_inputs import read_requirements

ANY = "*"


def rule(must: str, **more: Any) -> dict[str, Any]:
    return {"must": must, "principals": ANY, **more}


def judged(value: dict[str, Any], *principals: Principal, **more: Any) -> tuple[dict[str, Any], int]:
    file = {"version": 1, "rules": [value]}
    jsonschema.validate(file, bundled.schema("access"))
    made = audit(Plan(rules=read_rules(file)), [account(*principals, **more)])
    assert len(list(made.rows)) == len(principals)
    requirements = made.requirements()
    return requirements[0], made.exit_code(requirements)


def test_what_is_allowed_passes_and_what_is_missing_is_offered_and_works() -> None:
    value = rule("allow", capabilities="infer", auth="short-term-key", models="openai.gpt-oss-120b")
    assert judged(value, user("ada", MANTLE)) == (
        {
            "name": "rule 1", "must": "allow", "reason": "", "principals": ["*"], "result": "passed",
            "matched": 1, "failed": 0, "undecided": 0, "unmatched": [], "shortfalls": [],
        },
        0,
    )  # fmt: skip
    bob = user("bob", policy("p", allow("bedrock-mantle:CallWithBearerToken")))
    found, code = judged(value, bob)
    assert (found["result"], code) == ("failed", 1)
    (short,) = found["shortfalls"]
    assert "identity does not allow bedrock-mantle:CreateInference" in short["reason"]
    offered = parse_policy(json.dumps(short["fix"]["policy"]))
    assert [statement.actions for statement in offered.statements] == [("bedrock-mantle:CreateInference",)]
    # The offer ends what was refused.
    ended, code = judged(value, user("bob", *bob.identity, policy("offer", *short["fix"]["policy"]["Statement"])))
    assert (ended["result"], code) == ("passed", 0)
    request = AuthorizationRequest(bob.arn, "bedrock-mantle:ListModels", ("*",))
    assert evaluate(request, PolicySet(identity=(offered,))).decision is Decision.IMPLICIT_DENY


def test_what_must_not_be_allowed_names_the_statement_and_the_denial() -> None:
    found, code = judged(rule("not-allow", capabilities="infer", auth="long-term-key"), user("ada", MANTLE))
    assert (found["result"], code) == ("failed", 1)
    (short,) = found["shortfalls"]
    assert short["reason"] == "infer with long-term-key is allowed by identity policy `mantle` statement 0"
    assert short["fix"] == {
        "remove": ["identity policy `mantle` statement 0"],
        "command": "mantle-iam generate --deny long-term-keys",
    }


def test_an_explicit_deny_is_to_be_removed_and_no_policy_is_offered() -> None:
    scp = policy("scp", {**deny("bedrock-mantle:*"), "Sid": "No"}, purpose=Purpose.SCP)
    found, _ = judged(rule("allow", capabilities="list-models"), user("ada", MANTLE), scps=((FULL_ACCESS, scp),))
    (short,) = found["shortfalls"]
    assert short["fix"] == {"remove": ["scp policy `scp` statement `No`"], "command": None}


def test_an_scp_that_does_not_allow_is_no_matter_of_identity() -> None:
    scp = policy("scp", allow("s3:*"), purpose=Purpose.SCP)
    found, _ = judged(rule("allow", capabilities="list-models"), user("ada", MANTLE), scps=((scp,),))
    assert found["shortfalls"][0]["fix"] is None
    assert "scp does not allow" in found["shortfalls"][0]["reason"]


@pytest.mark.parametrize("must", ["allow", "not-allow"])
def test_unknown_is_neither_met_nor_failed(must: str) -> None:
    value = rule(must, capabilities="infer", auth="sigv4")
    found, code = judged(value, user("ada", MANTLE, unknown=frozenset({PolicyType.IDENTITY})))
    assert (found["result"], found["undecided"], code) == ("unknown", 1, 3)
    assert found["shortfalls"][0]["depends_on"] == ["identity"]


def test_a_failure_counts_more_than_what_is_unknown() -> None:
    value = rule("allow", capabilities="infer", auth="sigv4")
    found, code = judged(value, user("ada", unknown=frozenset({PolicyType.IDENTITY})), user("bob"))
    assert (found["result"], found["failed"], found["undecided"], code) == ("failed", 1, 1, 1)


def test_a_pattern_that_matches_nobody_is_said() -> None:
    found, code = judged({**rule("allow", capabilities="infer"), "principals": "*:role/none"}, user("ada"))
    assert (found["result"], code) == ("unmatched", 3)
    found, code = judged({**rule("not-allow", capabilities="infer"), "principals": "*:role/none"}, user("ada"))
    assert (found["result"], code) == ("unmatched", 0)


def test_exceptions_actions_projects_and_patterns_of_actions() -> None:
    value = rule("not-allow", actions="bedrock-mantle:Delete*", projects="proj_a", **{"except": "*:role/admin"})
    only_a = policy("p", allow("bedrock-mantle:DeleteFile", "arn:aws:bedrock-mantle:*:*:project/proj_a"))
    found, _ = judged(value, role("admin", MANTLE), role("a", only_a), role("b"))
    assert (found["matched"], found["failed"]) == (2, 1)
    assert found["shortfalls"][0]["action"] == "bedrock-mantle:DeleteFile"


def test_a_role_has_no_long_term_key_whatever_its_policies_say() -> None:
    value = rule("allow", capabilities="infer", auth="long-term-key")
    assert judged(value, user("ada", MANTLE))[0]["result"] == "passed"
    found, _ = judged(value, role("app", MANTLE))
    assert found["shortfalls"][0]["reason"] == "long-term keys belong to IAM users; a role has none"
    value = rule("not-allow", capabilities="infer", auth="long-term-key")
    assert judged(value, role("app", MANTLE))[0]["result"] == "passed"


def test_the_schema_names_the_capabilities_that_there_are() -> None:
    properties = bundled.schema("access")["$defs"]["rule"]["properties"]
    assert properties["capabilities"]["anyOf"][0]["enum"] == [one.name for one in CAPABILITIES]


def test_a_member_that_is_there_twice_is_refused_rather_than_its_last_one_taken() -> None:
    twice = (
        '{"version": 1, "rules": [{"must": "not-allow", "must": "allow", "principals": "*", "capabilities": "infer"}]}'
    )
    yaml = "version: 1\nrules:\n  - {must: not-allow, principals: '*', capabilities: infer, must: allow}\n"
    for text in (twice, yaml):
        with pytest.raises(InputError, match="at `/rules/0/must`: is there twice"):
            read_requirements(text, "access")


def test_a_second_document_of_yaml_is_not_dropped_in_silence() -> None:
    one = "version: 1\nrules:\n  - {must: allow, principals: '*', capabilities: infer}\n"
    assert len(read_requirements(one, "access.yaml")) == 1
    with pytest.raises(InputError, match="2 documents"):
        read_requirements(f"{one}---\n{one}", "access.yaml")


def test_names_that_nothing_can_have_are_refused() -> None:
    for member, text, message in (
        ("models", "openai gpt", "is not a model id"),
        ("regions", "us_east_1", "is not an AWS region"),
        ("projects", "my project", "is not a project id"),
    ):
        file = {"version": 1, "rules": [rule("not-allow", capabilities="infer", **{member: text})]}
        with pytest.raises(InputError, match=message):
            read_requirements(json.dumps(file), "access.json")


def test_a_model_is_asked_about_by_the_id_that_the_service_takes() -> None:
    file = {"version": 1, "rules": [rule("allow", capabilities="infer", models="us.openai.gpt-oss-120b-1:0")]}
    (read,) = read_requirements(json.dumps(file), "access.json")
    assert read.wanted.models == checked_scope(models=("us.openai.gpt-oss-120b-1:0",)).scope.models


def test_a_region_that_is_not_documented_is_said_and_asked() -> None:
    notes: list[str] = []
    file = {"version": 1, "rules": [rule("allow", capabilities="infer", regions="us-esat-1")]}
    (read,) = read_requirements(json.dumps(file), "access.json", notes)
    assert read.wanted.regions == ("us-esat-1",)
    assert notes[0].startswith("requirement `rule 1`: us-esat-1 is not among the regions")


def test_more_combinations_than_anybody_means_are_refused_at_once() -> None:
    many = [f"proj_{index}" for index in range(400)]
    file = {"version": 1, "rules": [rule("not-allow", actions="bedrock-mantle:*", projects=many)]}
    with pytest.raises(InputError, match="more than 10,000 combinations"):
        audit(Plan(rules=read_rules(file)), [])


@pytest.mark.parametrize(
    "deep",
    ["[" * 60_000, "- " * 60_000 + "x", "? " * 60_000 + "x", "{a: " * 60_000, "!!seq [" * 60_000, "&a [" * 60_000],
)
def test_yaml_that_is_nested_without_end_is_an_error_and_no_crash(deep: str) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        read_requirements(f"version: 1\nrules:\n  {deep}", "access.yaml")


def test_a_role_is_asked_for_the_ways_of_authenticating_that_it_can_have() -> None:
    assert judged(rule("allow", capabilities="infer"), role("app", MANTLE))[0]["result"] == "passed"
    assert (
        judged(rule("allow", capabilities="infer"), role("app", policy("p", allow("bedrock-mantle:CreateInference"))))[
            1
        ]
        == 1
    )


ELSEWHERE = (
    ("bedrock-mantle:CreateInference", "arn:aws:bedrock-mantle:*:*:project/proj_a", {}, "proj_a", "us-east-1"),
    ("bedrock-mantle:Create*", "arn:aws:bedrock-mantle:eu-west-1:111122223333:project/*", {}, "default", "eu-west-1"),
    ("*", "arn:aws:bedrock-mantle:eu-west-1:*:project/proj_b*", {"regions": "eu-west-1"}, "proj_b*", "eu-west-1"),
    (
        "*",
        "arn:aws:bedrock-mantle:*:*:project/proj_c",
        {"projects": "proj_c", "regions": "us-east-1"},
        "proj_c",
        "us-east-1",
    ),
)


@pytest.mark.parametrize(("action", "resource", "more", "project", "region"), ELSEWHERE)
def test_what_nobody_may_is_asked_wherever_a_policy_grants_it(
    action: str, resource: str, more: dict[str, Any], project: str, region: str
) -> None:
    value = rule("not-allow", capabilities="infer", auth="sigv4", **more)
    granted = policy("p", allow(action, resource))
    found, code = judged(value, role("app", granted), role("other"))
    assert (found["result"], found["failed"], code) == ("failed", 1, 1)
    (short,) = found["shortfalls"]
    assert (short["project"], short["region"]) == (project, region)
    assert "identity policy `p` statement 0" in short["reason"]
    denied = role("app", granted, policy("d", deny("bedrock-mantle:CreateInference")))
    assert judged(value, denied)[0]["result"] == "passed"


def test_what_is_granted_where_a_rule_does_not_ask_is_none_of_its_business() -> None:
    granted = policy("p", allow("*", "arn:aws:bedrock-mantle:eu-west-1:*:project/proj_a"))
    for more in ({"regions": "us-east-1"}, {"projects": "default"}, {"capabilities": "read-retention"}):
        value = rule("not-allow", **{"capabilities": "infer", "auth": "sigv4", **more})
        assert judged(value, role("app", granted))[0]["result"] == "passed"


def test_of_several_patterns_the_one_that_matches_nobody_is_said() -> None:
    value = {**rule("not-allow", capabilities="infer"), "principals": ["*:role/app", "*:role/apq"]}
    found, _ = judged(value, role("app"))
    assert (found["result"], found["unmatched"]) == ("passed", ["*:role/apq"])


GOOD = {"must": "allow", "principals": "*", "capabilities": "infer"}
WRONG: tuple[tuple[Any, str], ...] = (
    ([], "at `/`"),
    ({"version": 2, "rules": [GOOD]}, "at `/version`"),
    ({"version": 1, "rules": []}, "at `/rules`"),
    ({"version": 1, "rules": [GOOD], "rule": 1}, "at `/rule`"),
    ({"version": 1, "rules": ["x"]}, "at `/rules/0`"),
    ({"version": 1, "rules": [{**GOOD, "must": "permit"}]}, "at `/rules/0/must`"),
    ({"version": 1, "rules": [{**GOOD, "principal": "*"}]}, "at `/rules/0/principal`"),
    ({"version": 1, "rules": [{**GOOD, "principals": []}]}, "at `/rules/0/principals`"),
    ({"version": 1, "rules": [{**GOOD, "principals": [5]}]}, "at `/rules/0/principals`"),
    ({"version": 1, "rules": [{"must": "allow", "principals": "*"}]}, "neither capabilities nor actions"),
    ({"version": 1, "rules": [{**GOOD, "auth": "password"}]}, "at `/rules/0/auth`"),
    (
        {"version": 1, "rules": [{**GOOD, "actions": "bedrock-mantle:ListTagsForResources"}]},
        "actions`: `bedrock-mantle:ListTagsForResources` is not an action",
    ),
    ({"version": 1, "rules": [{**GOOD, "actions": "bedrock-mantle:Nope*"}]}, "covers no action"),
    ({"version": 1, "rules": [{**GOOD, "name": "a"}, {**GOOD, "name": "a"}]}, "are called `a`"),
    ({"version": 1, "rules": [{**GOOD, "principals": "role/app-*"}]}, "matches no ARN"),
    ({"version": 1, "rules": [{**GOOD, "except": ["app"]}]}, "at `/rules/0/except`"),
    ({"version": 1, "rules": [{**GOOD, "capabilities": "inferr"}]}, "at `/rules/0/capabilities`: has `inferr`"),
    ({"version": 1, "rules": [{**GOOD, "models": "openai.*"}]}, "the pattern `openai.*`"),
    ({"version": 1, "rules": [{**GOOD, "regions": "us-*"}]}, "the pattern `us-*`"),
    ({"version": 1, "rules": [{**GOOD, "must": "not-allow", "projects": "proj_*"}]}, "the pattern `proj_*`"),
)


@pytest.mark.parametrize(("value", "message"), WRONG)
def test_what_is_no_requirement_is_refused_by_program_and_schema(value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rules(value)
    assert message in caught.value.message
    # What a schema cannot know: names that are given twice, and which actions there are.
    if "actions" not in json.dumps(value) and "are called" not in message:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, bundled.schema("access"))


@pytest.mark.parametrize(
    ("value", "help_"),
    [
        ({**GOOD, "principal": "*"}, "did you mean principals?"),
        ({**GOOD, "capabilities": "count-token"}, "did you mean count-tokens?"),
        ({**GOOD, "auth": "long-term"}, "did you mean long-term-key?"),
        ({**GOOD, "zzz": 1}, "there are: name, must, principals"),
    ],
)
def test_what_is_misspelt_is_told_the_nearest_right_name(value: dict[str, Any], help_: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rules({"version": 1, "rules": [value]})
    assert (caught.value.help or "").startswith(help_)


FORBIDDEN = {"name": "b", "must": "not-allow", "principals": "*", "capabilities": ["infer", "write-files"]}


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ({}, {}, True),
        ({"principals": "*:role/app"}, {}, True),
        ({"auth": "sigv4", "models": "m", "regions": "us-east-1"}, {"auth": ["sigv4", "long-term-key"]}, True),
        ({}, {"auth": "long-term-key"}, False),
        ({}, {"except": "*:role/app"}, False),
        ({"except": "*:role/x"}, {}, True),
        ({"principals": "*:role/app"}, {"principals": "*:role/other"}, False),
        ({"capabilities": "list-models"}, {}, False),
    ],
)
def test_rules_of_which_nobody_can_meet_both_are_refused(
    one: dict[str, Any], other: dict[str, Any], contradict: bool
) -> None:
    file = {"version": 1, "rules": [{"name": "a", **GOOD, **one}, {**FORBIDDEN, **other}]}
    if not contradict:
        assert len(read_rules(file)) == 2
        return
    with pytest.raises(InputError, match="the rules `a` and `b` contradict each other on infer"):
        read_rules(file)


def test_an_editor_is_told_the_schema_and_the_program_takes_that() -> None:
    line = "# yaml-language-server: $schema=access.schema.json\n"
    yaml = f"{line}version: 1\nrules:\n  - {{must: allow, principals: '*', capabilities: infer}}\n"
    assert len(read_requirements(yaml, "access.yaml")) == 1
    assert len(read_rules({"$schema": "access.schema.json", "version": 1, "rules": [GOOD]})) == 1


def test_every_member_of_the_schema_says_what_it_is_and_its_examples_hold() -> None:
    schema = bundled.schema("access")
    properties = schema["$defs"]["rule"]["properties"]
    assert all(one.get("description") for one in (*schema["properties"].values(), *properties.values()))
    for example in schema["examples"]:
        jsonschema.validate(example, schema)
        assert read_rules(example)
    for name, member in properties.items():
        for example in member.get("examples", ()):
            value = {**GOOD, name: example}
            jsonschema.validate({"version": 1, "rules": [value]}, schema)
            assert read_rules({"version": 1, "rules": [value]})
