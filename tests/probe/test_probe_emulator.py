"""A whole probe against the emulator: real policies behind IAM, every way of authenticating, judged by ``evaluate``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.iam.request import Decision
from mantle_iam.mantle.exchange import Auth
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.workflow.emulator import Ready, Running, make_ready, running
from mantle_iam.workflow.probe import ProbeResult, run_probe
from mantle_iam.workflow.probe_setup import ProbeOptions

pytestmark = pytest.mark.slow


def policy(*actions: str, resource: str = "*", **more: object) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with running() as started:
        yield started


def environ(emulator: Running, ready: Ready, *, keys: bool = True, signing: bool = True) -> dict[str, str]:
    every = ready.environment | emulator.environment
    return {
        name: value
        for name, value in every.items()
        if (keys or name not in ("AWS_BEARER_TOKEN_BEDROCK", "OPENAI_API_KEY"))
        and (signing or name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    }


def probe(emulator: Running, given: dict[str, str], **options: object) -> ProbeResult:
    chosen = ProbeOptions(base_url=f"{emulator.url}/v1", pause=0.1, **options)  # type: ignore[arg-type]
    return run_probe(chosen, given, datetime.now(UTC))


def first(result: ProbeResult) -> Diagnosis:
    return result.result.diagnoses()[0][1]


def test_a_long_term_key_whose_policy_knows_nothing_of_mantle(emulator: Running) -> None:
    ready = make_ready(emulator, (policy("bedrock:*"),), "old-policy")
    result = probe(emulator, environ(emulator, ready))
    found = first(result)
    assert (result.exit_code, found.code, found.confidence) == (1, "missing-permission", Confidence.CONCLUSIVE)
    assert found.principal == ready.user
    (part,) = result.result.parts
    assert part.case.auth is AuthMethod.LONG_TERM_KEY
    assert part.case.policies is not None
    fix = result.result.fix
    assert fix is not None
    assert fix.proof is not None
    assert fix.proof.policies_read
    assert fix.proof.decision in (Decision.ALLOWED, Decision.UNKNOWN)
    # The policy that is offered, put where it is offered for, ends the refusal.
    from mantle_iam.iam.grammar import policy_json

    emulator.client("iam").put_user_policy(
        UserName="old-policy", PolicyName="fix", PolicyDocument=policy_json(fix.changes[0].document)
    )
    again = probe(emulator, environ(emulator, ready))
    assert (again.exit_code, first(again).code) == (0, "allowed")


def test_without_aws_credentials_the_refusal_alone_speaks(emulator: Running) -> None:
    ready = make_ready(emulator, (policy("bedrock:*"),), "no-credentials")
    result = probe(emulator, environ(emulator, ready, signing=False))
    assert (result.exit_code, first(result).code) == (1, "missing-permission")
    assert result.result.parts[0].case.policies is None
    assert any("policies were not read: no AWS credentials" in note for note in result.result.notes)
    assert result.result.fix is not None
    assert result.result.fix.changes


def test_signed_requests(emulator: Running) -> None:
    ready = make_ready(emulator, (policy("bedrock-mantle:ListModels", "bedrock-mantle:GetModel"),), "signer")
    result = probe(emulator, environ(emulator, ready, keys=False))
    missing = {action for _, found in result.result.diagnoses() for action in found.actions if found.code != "allowed"}
    assert result.exit_code == 1
    assert missing == {"bedrock-mantle:CreateInference"}, "a signed request needs no CallWithBearerToken"
    assert all(one.auth is not Auth.BEARER for one in result.result.parts[0].case.exchanges[:5])


def test_a_role_that_is_assumed(emulator: Running) -> None:
    ready = make_ready(emulator, (policy("sts:AssumeRole"),), "assumer")
    trust = {"Effect": "Allow", "Principal": {"AWS": ready.user}, "Action": "sts:AssumeRole"}
    iam = emulator.client("iam")
    role = iam.create_role(
        RoleName="app", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    given = environ(emulator, ready)
    refused = probe(emulator, given, role_arn=role)
    assert refused.exit_code == 1
    assert "assumed-role/app/" in str(first(refused).principal)
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=policy("bedrock-mantle:*"))
    assert probe(emulator, given, role_arn=role).exit_code == 0


def test_a_short_term_key_of_the_same_credentials(emulator: Running) -> None:
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore.credentials import Credentials

    ready = make_ready(emulator, (policy("bedrock-mantle:List*", "bedrock-mantle:Get*"),), "minter")
    key = BedrockTokenGenerator().get_token(Credentials(ready.access_key_id, ready.secret_access_key), emulator.region)
    given = environ(emulator, ready, keys=False) | {"AWS_BEARER_TOKEN_BEDROCK": key}
    result = probe(emulator, given)
    assert result.exit_code == 1
    (part,) = result.result.parts
    assert part.case.auth is AuthMethod.SHORT_TERM_KEY
    assert part.case.principal == ready.user
    assert part.case.policies is not None
    missing = {action for _, found in result.result.diagnoses() for action in found.actions if found.code != "allowed"}
    assert "bedrock-mantle:CallWithBearerToken" in missing


def test_a_condition_on_the_model(emulator: Running) -> None:
    condition = {"StringEquals": {"bedrock-mantle:Model": "qwen.qwen3-32b"}}
    ready = make_ready(
        emulator,
        (
            policy("bedrock-mantle:List*", "bedrock-mantle:Get*", "bedrock-mantle:CallWithBearerToken"),
            policy("bedrock-mantle:CreateInference", Condition=condition),
        ),
        "one-model",
    )
    result = probe(emulator, environ(emulator, ready, signing=False), model="openai.gpt-oss-20b")
    assert (result.exit_code, first(result).code) == (1, "condition-not-met")
    assert probe(emulator, environ(emulator, ready), model="qwen.qwen3-32b").exit_code == 0


def test_the_billed_call_is_answered(emulator: Running) -> None:
    ready = make_ready(emulator, (policy("bedrock-mantle:*"),), "spender")
    result = probe(emulator, environ(emulator, ready), spend=True)
    assert result.exit_code == 0
    spent = [one for one in result.result.parts[0].case.exchanges if one.probe == "infer"]
    assert [one.status for one in spent] == [200]
