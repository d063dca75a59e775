"""Fixes: the table in ``fixes.json``, and the law that what is offered suffices and holds nothing to spare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.generate.grants import Grant, grants_of
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.exchange import Auth, Exchange, Probe
from mantle_iam.mantle.operations import Permission
from mantle_iam.report.document import fix_document
from mantle_iam.report.proposal import Fix
from mantle_iam.workflow.fix import propose_fix
from tests.workflow.situations import FULL, policy_set, sentence, situation

CASES = json.loads((Path(__file__).parent / "fixes.json").read_text("utf-8"))


def summary(fix: Fix) -> dict[str, Any]:
    """What a case of the table may expect of a fix, in the table's words."""
    statements = [statement for change in fix.changes for statement in change.document.statements]
    first = fix.changes[0] if fix.changes else None
    return {
        "layers": [change.policy_type.value for change in fix.changes],
        "grants": sorted([action, arn] for one in statements for action in one.actions for arn in one.resources),
        "observed": sorted({reason.action for change in fix.changes for reason in change.reasons if reason.observed}),
        "target": [first.target.kind.value, first.target.name] if first and first.target else None,
        "commands": len(first.commands) if first else 0,
        "decision": fix.proof.decision.value if fix.proof else None,
        "depends_on": list(fix.proof.depends_on) if fix.proof else None,
        "managed": fix.managed.name if fix.managed else None,
        "conditions": sorted({(c.operator, c.key, *c.values) for one in statements for c in one.conditions}),
        "with_principal": all(one.principals is not None for one in statements),
        "blocked_by": [
            [blocker.policy_type.value if blocker.policy_type else None, blocker.effect, blocker.policy]
            for blocker in fix.blocked_by
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_table(case: dict[str, Any]) -> None:
    fix = propose_fix(*situation(case))
    expect = case["expect"]
    if expect is None:
        assert fix is None
        return
    assert fix is not None
    found = summary(fix)
    wanted = {"blocked_by": [], **expect}
    note = wanted.pop("note", "")
    wanted["conditions"] = [tuple(condition) for condition in wanted.get("conditions", [])]
    assert {key: found[key] for key in wanted} == wanted
    assert not note or any(note in text for text in fix.notes)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_every_change_explains_each_statement_and_is_deterministic(case: dict[str, Any]) -> None:
    fix = propose_fix(*situation(case))
    assert fix == propose_fix(*situation(case))
    if fix is None:
        return
    for change in fix.changes:
        assert {reason.statement for reason in change.reasons} == set(range(len(change.document.statements)))
        assert all(reason.why for reason in change.reasons)
    assert not (fix.changes and fix.blocked_by)
    json.dumps(fix_document(fix))


def test_the_commands_survive_a_shell() -> None:
    report, case = situation(CASES[1])
    odd = "arn:aws:iam::111122223333:user/-odd+=,.@name"
    fix = propose_fix(
        replace(report, diagnoses=(replace(report.diagnoses[0], principal=odd),)), replace(case, principal=odd)
    )
    assert fix is not None
    ours, aws = fix.changes[0].commands
    assert ours == "mantle-iam attach --policy mantle-iam-policy.json --user=-odd+=,.@name"
    assert aws.startswith("aws iam put-user-policy --user-name=-odd+=,.@name --policy-name mantle-iam-")


@pytest.mark.parametrize(
    "resource", ["arn:aws:s3:::logs/what?*", "arn:aws:s3:::logs/${aws:username}", "arn:aws:s3:::*"]
)
def test_a_wildcard_in_a_refused_arn_never_widens_the_policy(resource: str) -> None:
    case = json.loads(json.dumps(CASES[5]).replace(CASES[5]["diagnoses"][0]["resource"], resource))
    fix = propose_fix(*situation(case))
    assert fix is not None
    other = AuthorizationRequest(case["principal"], "s3:GetObject", ("arn:aws:s3:::logs/whatever",))
    for change in fix.changes:
        assert evaluate(other, PolicySet(identity=(change.document,))).decision is Decision.IMPLICIT_DENY
    assert fix.changes or any("no policy is offered" in note for note in fix.notes)


# -- the law

ACTIONS = [info for info in catalog.actions() if len({use.name for use in info.resource_types}) <= 1]
PRINCIPALS = (
    "arn:aws:iam::111122223333:user/dev",
    "arn:aws:iam::111122223333:role/path/app",
    "arn:aws:sts::111122223333:assumed-role/app/session",
)
BACKGROUND = (
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["bedrock:*", "s3:GetObject"], "Resource": "*"},
    },
    {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}},
)


@st.composite
def missing(draw: st.DrawFn) -> dict[str, Any]:
    info = draw(st.sampled_from(ACTIONS))
    kind = info.resource_types[0].name if info.resource_types else None
    name = draw(st.sampled_from(["default", "proj_5d5ykleja6cwpirysbb7", "x"]))
    region = draw(st.sampled_from(["us-east-1", "eu-west-1"]))
    resource = f"arn:aws:bedrock-mantle:{region}:111122223333:{kind}/{name}" if kind else "*"
    principal = draw(st.sampled_from(PRINCIPALS))
    layers: dict[str, Any] = {"identity": [draw(st.sampled_from(BACKGROUND))]}
    if draw(st.booleans()):
        layers["permissions-boundary"] = [FULL]
    if draw(st.booleans()):
        layers["scp"] = [[FULL]] * draw(st.integers(1, 3))
    return {
        "auth": "sigv4",
        "principal": principal,
        "exchanges": [{"refused": info.name, "resource": resource}],
        "diagnoses": [{"policy_type": "identity", "actions": [info.name], "resource": resource}],
        "policies": layers,
    }


def smaller(document: PolicyDocument) -> Iterator[PolicyDocument]:
    """The document without one statement, action, resource, or condition value."""
    for index, statement in enumerate(document.statements):
        others = document.statements[:index] + document.statements[index + 1 :]
        yield replace(document, statements=others)
        variants: list[Statement] = []
        if len(statement.actions) > 1:
            variants += [
                replace(statement, actions=tuple(a for a in statement.actions if a != x)) for x in statement.actions
            ]
        if len(statement.resources) > 1:
            variants += [
                replace(statement, resources=tuple(r for r in statement.resources if r != x))
                for x in statement.resources
            ]
        yield from (replace(document, statements=(*others, variant)) for variant in variants)


@given(missing())
@settings(max_examples=60)
def test_what_is_offered_suffices_and_nothing_less_does(value: dict[str, Any]) -> None:
    report, case = situation(value)
    assert case.policies is not None
    principal, (refused,) = value["principal"], value["exchanges"]
    request = AuthorizationRequest(principal, refused["refused"], (refused["resource"],))
    assert evaluate(request, case.policies).decision is Decision.IMPLICIT_DENY

    fix = propose_fix(report, case)
    assert fix is not None
    assert fix.proof is not None
    assert fix.proof.decision is Decision.ALLOWED
    (change,) = fix.changes

    def together(document: PolicyDocument) -> PolicySet:
        assert case.policies is not None
        return replace(case.policies, identity=(*case.policies.identity, document))

    assert evaluate(request, together(change.document)).decision is Decision.ALLOWED
    wanted = [
        AuthorizationRequest(
            principal, reason.action, (reason.resource.replace("*", "default") if ":" in reason.resource else "*",)
        )
        for reason in change.reasons
    ]
    for document in smaller(change.document):
        assert any(evaluate(one, together(document)).decision is not Decision.ALLOWED for one in wanted)


@given(missing(), st.sampled_from(["permissions-boundary", "scp", "session", "vpc-endpoint"]))
@settings(max_examples=30)
def test_a_deny_elsewhere_leaves_no_policy_to_offer(value: dict[str, Any], layer: str) -> None:
    statement = {"Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": "*"}
    if layer == "vpc-endpoint":
        statement["Principal"] = "*"
    deny = {"Version": "2012-10-17", "Statement": statement}
    value["policies"][layer] = [[FULL, deny]] if layer == "scp" else [FULL, deny]
    fix = propose_fix(*situation(value))
    assert fix is not None
    assert not fix.changes
    assert layer in {blocker.policy_type.value for blocker in fix.blocked_by if blocker.policy_type}


def test_grants_of_a_fix_are_those_that_its_reasons_name() -> None:
    for case in CASES:
        fix = propose_fix(*situation(case))
        for change in fix.changes if fix else ():
            given_: set[Grant] = {
                grant
                for s in change.document.statements
                for action in s.actions
                for resource in s.resources
                for grant in grants_of(Permission(action, resource))
            }
            named = {Grant(reason.action, reason.resource) for reason in change.reasons}
            assert given_ == named


def test_the_hand_made_sentence_and_policies_are_real() -> None:
    assert "is not authorized to perform: a:B on resource: *" in sentence("arn:aws:iam::1:user/x", "a:B", "*")
    assert policy_set({"identity": [FULL]}).permissions_boundary is None


def test_nothing_is_granted_on_a_project_that_does_not_exist() -> None:
    project = "arn:aws:bedrock-mantle:us-west-2:111122223333:project/proj_nope"
    refusal = (
        f"User: arn:aws:sts::111122223333:assumed-role/app/s is not authorized to perform: bedrock-mantle:CreateInference on "
        f"resource: {project} because no identity-based policy allows the bedrock-mantle:CreateInference action"
    )

    def answered(status: int, code: str, message: str, path: str) -> Exchange:
        body = json.dumps({"error": {"code": code, "message": message, "param": None, "type": "invalid_request_error"}})
        url = f"https://bedrock-mantle.us-west-2.api.aws{path}"
        return Exchange(Probe.OPERATION, "POST", url, Auth.SIGV4, project="proj_nope", status=status, body=body)

    refused = answered(403, "access_denied", refusal, "/v1/responses")
    case = Case((refused,), project="proj_nope", region="us-west-2")
    assert propose_fix(diagnose(case), case) is not None
    missing = answered(404, "not_found_error", f"Project {project} not found.", "/v1/chat/completions")
    case = Case((missing, refused), project="proj_nope", region="us-west-2")
    assert propose_fix(diagnose(case), case) is None
