"""What a failed rule offers ends the failure: applied to the inventory, and audited again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from audit_world import account, allow, deny, policy, user
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.requirements import read_rules
from mantle_iam.iam.inventory import NamedPolicy, Principal
from mantle_iam.workflow.audit import audit

ARN = "arn:aws:bedrock-mantle"
STATEMENTS = st.builds(
    lambda make, actions, resource, condition: make(
        actions, resource, **({"Condition": condition} if condition else {})
    ),
    st.sampled_from([allow, allow, deny]),
    st.sampled_from(
        ["bedrock-mantle:*", "bedrock-mantle:Create*", "bedrock-mantle:List*", "bedrock-mantle:CallWith*", "*"]
    ),
    st.sampled_from(["*", f"{ARN}:*:*:project/*", f"{ARN}:eu-*:*:project/proj_a", f"{ARN}:*:*:project/default"]),
    st.sampled_from([None, None, {"StringEquals": {"bedrock-mantle:Model": "m"}}, {"Null": {"aws:SourceIp": "false"}}]),
)
POLICIES = st.lists(st.lists(STATEMENTS, min_size=1, max_size=3), max_size=2).map(
    lambda found: tuple(policy(f"p{index}", *one) for index, one in enumerate(found))
)
RULES = st.fixed_dictionaries(
    {"capabilities": st.sampled_from(["infer", "list-models", "write-files", "read-projects", "set-retention"])},
    optional={
        "auth": st.sampled_from(["sigv4", "short-term-key", "long-term-key"]),
        "projects": st.sampled_from(["proj_a", ["default", "proj_b"], "proj_*"]),
        "models": st.sampled_from(["openai.gpt-oss-120b", ["m", "n"]]),
        "regions": st.sampled_from(["eu-west-1", ["us-east-1", "us-west-2"]]),
    },
)


def judged(must: str, value: dict[str, Any], who: Principal) -> dict[str, Any]:
    rules = read_rules({"version": 1, "rules": [{"must": must, "principals": "*", **value}]})
    made = audit(Plan(rules=rules), [account(who)])
    assert len(list(made.rows)) == 1
    (found,) = made.requirements()
    return found


def without(policies: tuple[NamedPolicy, ...], named: list[dict[str, Any]]) -> tuple[NamedPolicy, ...]:
    """The policies without the statements that are named as deciding."""
    gone = {(one["policy"], one["statement"]) for one in named if "statement" in one}
    return tuple(
        replace(
            one,
            document=replace(
                one.document,
                statements=tuple(
                    each for index, each in enumerate(one.document.statements) if (one.name, index) not in gone
                ),
            ),
        )
        for one in policies
    )


@settings(max_examples=120, deadline=None)
@given(POLICIES, RULES)
def test_what_is_missing_is_granted_and_what_denies_removed_until_the_rule_is_met(
    policies: tuple[NamedPolicy, ...], value: dict[str, Any]
) -> None:
    who = user("ada", *policies)
    for _ in range(3):
        found = judged("allow", value, who)
        if found["result"] != "failed":
            break
        held, offers = who.identity, []
        for index, short in enumerate(found["shortfalls"]):
            if short["fix"] is None:
                assert short["result"] == "unknown"
            elif "policy" in short["fix"]:
                offers.append(policy(f"offer{len(who.identity)}-{index}", *short["fix"]["policy"]["Statement"]))
            else:
                assert short["fix"]["remove"]
                held = without(held, short["decided_by"])
        who = user("ada", *held, *offers)
    assert judged("allow", value, who)["result"] in ("passed", "unknown")


@settings(max_examples=120, deadline=None)
@given(POLICIES, RULES.filter(lambda value: value.get("projects") != "proj_*"))
def test_what_allows_is_named_until_nothing_does(policies: tuple[NamedPolicy, ...], value: dict[str, Any]) -> None:
    """Each round names at least one statement that is there, so that the end is reached."""
    held = policies
    for _ in range(sum(len(one.document.statements) for one in policies) + 1):
        found = judged("not-allow", value, user("ada", *held))
        if found["result"] != "failed":
            break
        shorts = [short for short in found["shortfalls"] if short["result"] == "allowed"]
        assert all(short["fix"]["remove"] for short in shorts)
        less = without(held, [one for short in shorts for one in short["decided_by"]])
        assert less != held
        held = less
    assert judged("not-allow", value, user("ada", *held))["result"] in ("passed", "unknown")
