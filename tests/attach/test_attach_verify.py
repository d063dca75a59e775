"""After the change: the emulated service is asked with the user's own key until it lets it in, or the time is up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from attach_world import document

from mantle_iam.workflow.emulator import ADMIN_KEY, Running, running


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def key(service: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The long-term key of a user who may do nothing, in the file ``key.txt``, and an environment that leads to the emulator."""
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ADMIN_KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ADMIN_KEY[1])
    iam = service.client("iam")
    iam.create_user(UserName="dev")
    made = iam.create_service_specific_credential(UserName="dev", ServiceName="bedrock.amazonaws.com")
    yield made["ServiceSpecificCredential"]["ServiceCredentialSecret"]
    for policy in iam.list_attached_user_policies(UserName="dev")["AttachedPolicies"]:
        iam.detach_user_policy(UserName="dev", PolicyArn=policy["PolicyArn"])
    for name in iam.list_user_policies(UserName="dev")["PolicyNames"]:
        iam.delete_user_policy(UserName="dev", PolicyName=name)
    made = iam.list_service_specific_credentials(UserName="dev")["ServiceSpecificCredentials"]
    for one in made:
        iam.delete_service_specific_credential(
            UserName="dev", ServiceSpecificCredentialId=one["ServiceSpecificCredentialId"]
        )
    iam.delete_user(UserName="dev")


def late(service: Running, monkeypatch: pytest.MonkeyPatch, calls: int) -> list[str]:
    """IAM is eventually consistent: the service sees what was there before for so many more calls with a key."""
    from mantle_iam.iam.request import PolicySet

    endpoint: Any = service._endpoint
    real = endpoint._policies_of if hasattr(endpoint, "_policies_of") else None
    name = "_policies_of" if real is not None else "policies_of"
    real = getattr(endpoint, name)
    seen: list[str] = []

    def policies_of(caller: Any) -> PolicySet:
        seen.append(caller.principal)
        return PolicySet() if len(seen) <= calls else real(caller)

    monkeypatch.setattr(endpoint, name, policies_of)
    return seen


def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and not made; the clock moves by them."""
    from mantle_iam.workflow import attach_verify

    slept: list[float] = []
    real = attach_verify.Waiting

    def waiting(now: Any, **more: Any) -> Any:
        return real(lambda: datetime.now(UTC), lambda: sum(slept), slept.append, more["progress"])

    monkeypatch.setattr(attach_verify, "Waiting", waiting)
    return slept


def test_it_asks_until_the_refusal_is_gone(run, run_json, service, key, monkeypatch, tmp_path):
    (tmp_path / "key.txt").write_text(key + "\n")
    slept = no_pauses(monkeypatch)
    seen = late(service, monkeypatch, 3)
    code, found = run_json(
        "--managed", "inference", "--api-key-file", "key.txt", "--base-url", f"{service.url}/v1", "--yes"
    )
    assert code == 0
    verified = found["outcome"]["verification"]
    assert verified["result"] == "gone"
    assert verified["attempts"] == len(slept) + 1 > 1
    assert slept == sorted(slept)
    assert len(seen) > 3
    assert key not in json.dumps(found)


def test_it_says_when_it_is_still_refused_and_leaves_the_undo_file(run, service, key, monkeypatch, tmp_path):
    slept = no_pauses(monkeypatch)
    late(service, monkeypatch, 10_000)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    options = ("--base-url", f"{service.url}/v1", "--verify-timeout", "20", "--yes")
    ran = run("attach", "--managed", "inference", *options)
    assert ran.code == 3
    words = " ".join(ran.out.split())
    assert "it is still refused after" in words
    assert "the last answer was 40" in words
    assert list(tmp_path.glob("*.undo.json"))
    assert 10 < sum(slept) <= 20
    assert key not in ran.out + ran.err
    iam = service.client("iam")
    assert len(iam.list_attached_user_policies(UserName="dev")["AttachedPolicies"]) == 1


def test_the_named_user_of_the_key_is_verified_too(run_json, service, key, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    (tmp_path / "p.json").write_text(
        document("bedrock-mantle:CreateInference", "bedrock-mantle:CallWithBearerToken"), "utf-8"
    )
    where = ("--base-url", f"{service.url}/v1", "--yes", "--verify-timeout", "0")
    code, found = run_json("--policy", "p.json", "--user", "dev", *where)
    assert (code, found["outcome"]["verification"]["result"]) == (0, "gone")
    assert "CreateInference" in found["outcome"]["verification"]["reason"]


NOT_TRIED = [
    (("--user", "dev"), None, "no key of the target"),
    (("--user", "dev"), "other", "no key of this user"),
    (("--user", "dev"), "own without a base URL", "--base-url"),
    (("--user", "dev", "--no-verify"), None, None),
]


@pytest.mark.parametrize(("options", "which", "words"), NOT_TRIED, ids=[str(c[2]) for c in NOT_TRIED])
def test_where_it_cannot_be_tried_it_says_so(run_json, service, key, monkeypatch, options, which, words):
    if which is not None:
        import base64

        other = "ABSK" + base64.b64encode(f"other-at-{service.account}:{'x' * 44}".encode()).decode()
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", other if which == "other" else key)
    code, found = run_json("--managed", "inference", *options, "--yes")
    assert code == 0
    verification = found["outcome"]["verification"]
    assert (verification is None) is (words is None)
    if words is not None:
        assert verification["result"] == "not-tried"
        assert words in verification["reason"]


def test_a_host_that_is_not_trusted_does_not_get_the_key(run_json, service, key, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    code, found = run_json("--managed", "inference", "--base-url", "https://mantle.example.com/v1", "--yes")
    assert code == 0
    assert found["outcome"]["verification"]["result"] == "not-tried"
    assert "mantle.example.com" in found["outcome"]["verification"]["reason"]


def test_nothing_that_can_be_tried(run_json, service, key, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    (tmp_path / "p.json").write_text(document("bedrock-mantle:DeleteFile"), "utf-8")
    code, found = run_json("--policy", "p.json", "--base-url", f"{service.url}/v1", "--yes")
    assert (code, found["outcome"]["verification"]["result"]) == (0, "not-tried")
    assert "safe call" in found["outcome"]["verification"]["reason"]
