"""Every call of the collector refused in turn: no answer that the missing layer could change; and the rights that it needs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mantle_iam.collect.needs import collecting_policy
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.workflow.audit_live import Live, read_live
from tests.collect.live_world import AWS_OWN, TRUST, aws_own, document, organization, read, role_in
from tests.collect.moto_account import ACCOUNT, Account, Call


@pytest.fixture
def member(world: Account) -> str:
    """A member account below an SCP against inference; its role `app` may infer, and list models by AWS's own policy alone."""
    from moto.iam.models import iam_backends

    number = organization(world, denied="bedrock-mantle:CreateInference")
    role_in(world, number)
    aws_own(number, "bedrock-mantle:*Model*")
    backend = iam_backends[number]["aws"]
    backend.create_role("app", TRUST, "/", None, "", [], "3600")
    backend.put_role_policy("app", "in", document("bedrock-mantle:CreateInference", "bedrock-mantle:GetFile"))
    backend.attach_role_policy(AWS_OWN, "app")
    world.calls.clear()
    return number


def roles(member: str) -> tuple[str, ...]:
    return (f"arn:aws:iam::{member}:role/audit",)


def answers(folder: Path, member: str) -> dict[str, str]:
    """What an audit of a folder says of `app`: answers by capability, with what they depend on."""
    from mantle_iam.cli.audit import command

    asked = [word for one in ("list-models", "infer") for word in ("--capability", one)]
    call = [str(folder), *asked, "--auth", "sigv4", "--principal", f"arn:aws:iam::{member}:role/app", "-o", "json"]
    found = CliRunner().invoke(command, call, standalone_mode=False)
    assert found.exception is None, found.exception
    cells = [cell for one in json.loads(found.stdout)["principals"] for cell in one["capabilities"]]
    return {cell["capability"]: " ".join([cell["answer"], *sorted(cell["depends_on"])]) for cell in cells}


# What an audit may say with a call refused.  The truth: no SCP binds ListModels, one denies inference.
TRUTH = {"list-models": "yes", "infer": "no"}
SCP = {"list-models": "depends scp", "infer": "depends scp"}
REFUSED: list[tuple[str, str, dict[str, str]]] = [
    ("sts:AssumeRole", "AccessDenied", {}),
    ("iam:GetAccountAuthorizationDetails", "AccessDenied", {}),
    ("iam:GetPolicy", "AccessDenied", {"list-models": "depends identity", "infer": "no"}),
    ("iam:GetPolicyVersion", "NoSuchEntity", {"list-models": "depends identity", "infer": "no"}),
    ("iam:ListServiceSpecificCredentials", "AccessDenied", TRUTH),
    ("ec2:DescribeVpcEndpoints", "UnauthorizedOperation", {"list-models": "depends vpc-endpoint", "infer": "no"}),
    ("ec2:DescribeVpcEndpoints", "AuthFailure", {"list-models": "depends vpc-endpoint", "infer": "no"}),
    ("organizations:DescribeOrganization", "AccessDeniedException", SCP),
    ("organizations:ListRoots", "AccessDeniedException", SCP),
    ("organizations:ListParents", "AccessDeniedException", SCP),
    ("organizations:ListPoliciesForTarget", "TooManyRequestsException", SCP),
    ("organizations:DescribePolicy", "AccessDeniedException", SCP),
]


def test_the_truth_where_everything_is_read(world: Account, member: str, tmp_path: Path) -> None:
    read_live(Live(roles=roles(member), endpoint_url=world.url, attempts=1), tmp_path)
    assert answers(tmp_path, member) == TRUTH


@pytest.mark.parametrize(("action", "code", "expected"), REFUSED, ids=[f"{one[0]}-{one[1]}" for one in REFUSED])
def test_no_answer_that_the_refused_layer_could_change(
    world: Account, member: str, tmp_path: Path, action: str, code: str, expected: dict[str, str]
) -> None:
    world.refuse = lambda call: (403, code) if call.action == action else None
    _, inputs = read(world, tmp_path, *roles(member), attempts=1)
    assert answers(tmp_path, member) == expected
    assert [one.status for one in inputs] != [InputStatus.READ]
    assert action in " ".join(problem for one in inputs for problem in one.problems)


# -- throttling


THROTTLED = [(400, "Throttling"), (429, "TooManyRequestsException"), (503, "RequestLimitExceeded"), (503, "SlowDown")]


def test_throttling_of_every_call_is_sat_out(
    world: Account, member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each action is throttled the first time, each in another way."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    met: dict[str, int] = {}

    def once(call: Call) -> tuple[int, str] | None:
        met[call.action] = met.get(call.action, 0) + 1
        return THROTTLED[len(met) % len(THROTTLED)] if met[call.action] == 1 else None

    world.refuse = once
    _, inputs = read(world, tmp_path, *roles(member), attempts=3)
    assert {one.status for one in inputs} == {InputStatus.READ}
    assert answers(tmp_path, member) == TRUTH
    needed = collecting_policy("aws", roles(member))
    assert set(met) == {action for statement in needed.statements for action in statement.actions}
    assert min(met.values()) >= 2


# -- the rights that it needs


def resource_of(call: Call, member: str) -> tuple[str, dict[str, str]]:
    """What IAM would compare a call with: the ARN and the context key of the service authorization reference."""
    fields = call.fields
    above = f"arn:aws:organizations::{ACCOUNT}"
    named = {
        "sts:AssumeRole": fields.get("RoleArn", ""),
        "iam:GetPolicy": fields.get("PolicyArn", ""),
        "iam:GetPolicyVersion": fields.get("PolicyArn", ""),
        "iam:ListServiceSpecificCredentials": f"arn:aws:iam::{member}:user/somebody",
    }
    context: dict[str, str] = {}
    id_ = fields.get("ChildId") or fields.get("TargetId") or ""
    if id_:
        kind = "account" if id_.isdigit() else "root" if id_.startswith("r-") else "ou"
        named[call.action] = f"{above}:{kind}/o-exampleorgid/{id_}"
    if "PolicyId" in fields:
        owner = "arn:aws:organizations::aws" if fields["PolicyId"].startswith("p-FullAWS") else above
        middle = "" if owner.endswith("aws") else "o-exampleorgid/"
        named[call.action] = f"{owner}:policy/{middle}service_control_policy/{fields['PolicyId']}"
    if "Filter" in fields or "PolicyId" in fields:
        context["organizations:PolicyType"] = fields.get("Filter") or "SERVICE_CONTROL_POLICY"
    return named.get(call.action, "*"), context


def authorizing(policy: PolicyDocument, member: str) -> Any:
    """IAM itself, for the collector: a call that ``policy`` does not allow is refused.  Roles trust everybody."""
    trust = (parse_policy(TRUST.replace('"Service": "ec2.amazonaws.com"', '"AWS": "*"')),)

    def refuse(call: Call) -> tuple[int, str] | None:
        resource, context = resource_of(call, member)
        account = ACCOUNT if call.key == os.environ["AWS_ACCESS_KEY_ID"] else member
        request = AuthorizationRequest(f"arn:aws:iam::{account}:user/me", call.action, (resource,), context=context)
        of_resource = trust if call.action == "sts:AssumeRole" else None
        allowed = evaluate(request, PolicySet(identity=(policy,), resource=of_resource)).decision is Decision.ALLOWED
        return None if allowed else (403, "AccessDenied")

    return refuse


def test_the_policy_of_needs_is_enough(world: Account, member: str, tmp_path: Path) -> None:
    world.refuse = authorizing(collecting_policy("aws", roles(member)), member)
    _, inputs = read(world, tmp_path, *roles(member), attempts=1)
    assert [one.problems for one in inputs if one.status is not InputStatus.READ] == []
    assert answers(tmp_path, member) == TRUTH


def without_each() -> Iterator[tuple[str, PolicyDocument]]:
    """The policy without one of its actions, for each of them."""
    from dataclasses import replace

    policy = collecting_policy("aws", ("arn:aws:iam::*:role/audit",))
    for statement in policy.statements:
        for action in statement.actions:
            rest = tuple(one for one in statement.actions if one != action)
            others = tuple(one for one in policy.statements if one is not statement)
            yield action, PolicyDocument((*others, *([replace(statement, actions=rest)] if rest else [])))


@pytest.mark.parametrize(
    ("action", "policy"), list(without_each()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_the_policy_of_needs_has_no_action_too_many(
    world: Account, member: str, tmp_path: Path, action: str, policy: PolicyDocument
) -> None:
    world.refuse = authorizing(policy, member)
    _, inputs = read(world, tmp_path, *roles(member), attempts=1)
    assert action in " ".join(problem for one in inputs for problem in one.problems)
