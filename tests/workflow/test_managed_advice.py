"""Which managed policy fits a purpose: the narrowest, what more it gives by a witness, and the smallest one of one's own."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from mantle_iam.cli.main import run
from mantle_iam.errors import InputError
from mantle_iam.generate.presets import PURPOSES
from mantle_iam.generate.scoping import checked_scope
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import Decision, PolicySet
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.report.managed_records import Advice
from mantle_iam.workflow.managed import find_policy
from mantle_iam.workflow.managed_advice import Wish, advise

INFERENCE, READ_ONLY, FULL = (f"AmazonBedrockMantle{name}" for name in ("InferenceAccess", "ReadOnly", "FullAccess"))
LIMITED, BEDROCK = "AmazonBedrockLimitedAccess", "AmazonBedrockFullAccess"

# Written by hand: the narrowest, and all that cover.
NARROWEST = {
    "models": (READ_ONLY, {READ_ONLY, INFERENCE, FULL, LIMITED, BEDROCK}),
    "inference": (INFERENCE, {INFERENCE, FULL, LIMITED, BEDROCK}),
    "chat": (INFERENCE, {INFERENCE, FULL, LIMITED, BEDROCK}),
    "responses": (FULL, {FULL, BEDROCK}),
    "messages": (FULL, {FULL}),
    "claude-code": (FULL, {FULL}),
    "codex": (FULL, {FULL, BEDROCK}),
    # FullAccess gives more in Mantle, LimitedAccess more in all.
    "read-only": (FULL, {FULL, LIMITED, BEDROCK}),
    "data-retention": (FULL, {FULL, BEDROCK}),
    "managed-agents": (None, set()),
}


def ask(*purposes: str, auth: str | None = None, **scope: Any) -> Advice:
    return advise(Wish(purposes, AuthMethod(auth) if auth else None, checked_scope(**scope)))


@pytest.mark.parametrize("purpose", NARROWEST)
def test_the_narrowest(purpose: str) -> None:
    advice = ask(purpose)
    narrowest, covering = NARROWEST[purpose]
    assert {one.policy.name for one in advice.candidates} == covering
    assert (advice.candidates[0].policy.name if advice.candidates else None) == narrowest
    wider = [len(one.beyond) + sum(number for _, number in one.elsewhere) for one in advice.candidates]
    assert wider == sorted(wider)


@pytest.mark.parametrize("purpose", [purpose.name for purpose in PURPOSES])
def test_what_is_said_holds_by_evaluation(purpose: str) -> None:
    advice = ask(purpose)
    own = PolicySet(identity=(advice.own.document,))
    for one in advice.candidates:
        managed = PolicySet(identity=(one.policy.document,))
        assert one.witness is not None
        assert evaluate(one.witness, managed).decision is Decision.ALLOWED
        assert evaluate(one.witness, own).decision is not Decision.ALLOWED
    assert advice.candidates or advice.nearest
    assert all(near.missing for near in advice.nearest)


def test_what_more_it_gives() -> None:
    first = ask("inference").candidates[0]
    assert {action.partition(":")[2] for action in first.beyond} == {
        "GetFile",
        "GetFineTuningJob",
        "GetInference",
        "GetProject",
        "ListFiles",
        "ListFineTuningJobs",
        "ListProjects",
        "ListTagsForResource",
    }
    assert first.elsewhere == (("aws-marketplace", 2), ("bedrock-websearch", 2))


def test_signed_calls_need_no_key_and_so_the_key_is_more() -> None:
    beyond = ask("inference", auth="sigv4").candidates[0].beyond
    assert "bedrock-mantle:CallWithBearerToken" in beyond


def test_the_nearest_is_said_with_what_it_lacks() -> None:
    nearest = ask("claude-code").nearest
    assert (nearest[0].policy.name, nearest[0].missing) == (INFERENCE, ("bedrock-mantle:CountTokens",))
    agents = ask("managed-agents")
    assert (agents.nearest[0].policy.name, agents.nearest[0].missing) == (FULL, ("iam:PassRole",))


def test_a_scope_of_models_shows_in_the_witness() -> None:
    advice = ask(
        "embeddings", auth="sigv4", models=("openai.gpt-oss-120b",), projects=("proj_a",), account="111122223333"
    )
    assert advice.candidates[0].policy.name == INFERENCE
    only = advise(
        Wish(("embeddings",), AuthMethod.SIGV4, checked_scope(models=("openai.gpt-oss-120b",))),
        [find_policy("inference")],
    )
    witness = only.candidates[0].witness
    assert witness is not None
    assert evaluate(witness, PolicySet(identity=(only.own.document,))).decision is not Decision.ALLOWED


def test_one_policy_may_be_asked_about() -> None:
    for name, covers in (("inference", True), ("read-only", False)):
        advice = advise(Wish(("chat",)), [find_policy(name)])
        assert advice.chosen
        assert bool(advice.candidates) is covers
        assert bool(advice.nearest) is not covers


@pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("us-east-1", "aws")])
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    advice = ask("inference", regions=(region,))
    assert advice.candidates[0].policy.arn == f"arn:{partition}:iam::aws:policy/{INFERENCE}"
    assert any("[INF]" in note for note in advice.notes) is (partition != "aws")


@pytest.mark.parametrize(
    "wish",
    [
        Wish(("inference",)),
        Wish(("chat", "files"), AuthMethod.SIGV4),
        Wish(("models",), None, checked_scope(partition="aws-us-gov")),
        Wish(("models",), None, checked_scope(regions=("us-gov-west-1",))),
        Wish(("chat",), None, checked_scope(models=("openai.gpt-oss-120b",), regions=("us-east-1",))),
        Wish(("claude-code",), None, checked_scope(account="111122223333", projects=("proj_1", "proj_2")), False),
    ],
    ids=["plain", "two", "partition", "its Region", "scoped", "more"],
)
def test_the_command_line_writes_the_own_policy(wish: Wish, capsys: pytest.CaptureFixture[str]) -> None:
    advice = advise(wish)
    words = shlex.split(advice.own.command)
    assert words[:2] == ["mantle-iam", "generate"]
    assert run([*words[1:], "--quiet"]) == 0
    assert parse_policy(capsys.readouterr().out) == advice.own.document


def test_wishes_that_are_none() -> None:
    with pytest.raises(InputError, match="no purpose `infrence`"):
        ask("infrence")
    with pytest.raises(InputError, match="no purpose is named"):
        ask()
