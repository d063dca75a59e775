"""The endpoint call by call: ``calls.json`` holds requests and what they are answered, with the fact each stands for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.emulator.app import _HANDLERS, _MODEL_HANDLERS, DenialStyle, Settings, WrongPathStyle
from mantle_iam.mantle.models import FAMILIES, Api
from mantle_iam.mantle.operations import operations
from tests.emulator.conftest import Endpoint, body_of

CASES = json.loads((Path(__file__).parent / "calls.json").read_text("utf-8"))


def endpoint_for(case: dict[str, Any]) -> Endpoint:
    style = DenialStyle(case.get("style", "403"))
    endpoint = Endpoint(
        settings=Settings(denial_style=style, wrong_path_style=WrongPathStyle(case.get("wrong_path", "400")))
    )
    if "before" in case:
        target, body = case["before"]
        assert endpoint.call(*target.split(" "), body).status == 200
    statements = case.get("policy")
    if "allow" in case:
        granted = [f"{'' if ':' in name else 'bedrock-mantle:'}{name}" for name in case["allow"]]
        statements = [{"Effect": "Allow", "Action": granted, "Resource": "*"}] if granted else []
    if statements is not None:
        endpoint.grant(*([{"Version": "2012-10-17", "Statement": statements}] if statements else []))
    return endpoint


def content(case: dict[str, Any]) -> Any:
    if "raw" in case:
        return case["raw"].encode()
    if "raw_hex" in case:
        return bytes.fromhex(case["raw_hex"])
    if "nested" in case:
        return b'{"model": ' + b"[" * case["nested"]
    return case.get("body")


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_call(case: dict[str, Any]) -> None:
    method, target = case["call"].split(" ")
    auth = case.get("auth", "long-term")
    answer = endpoint_for(case).call(method, target, content(case), auth=auth, **case.get("headers", {}))
    assert answer.status == case["status"], answer.body
    if case.get("empty"):
        assert answer.body == b""
        return
    document = body_of(answer)
    if "has" in case:
        assert {key: document.get(key) for key in case["has"]} == case["has"]
    error = document.get("error") or {}
    assert case.get("says", "") in error.get("message", "")
    for name in ("code", "type", "param"):
        if name in case:
            assert error.get(name) == case[name]
    assert (answer.status >= 400) == bool(error)
    assert target.startswith("/anthropic/") == (document.get("type") == "error") or not error


def test_every_operation_is_served() -> None:
    for operation in operations():
        served = operation.name in _HANDLERS or operation.name in _MODEL_HANDLERS
        assert served != (operation.preview or operation.api is Api.EMBEDDINGS), operation.name


def test_no_model_serves_embeddings() -> None:
    """When one does, the emulator needs a handler for them."""
    assert not any(Api.EMBEDDINGS in family.apis for family in FAMILIES)


@pytest.mark.parametrize("operation", operations(), ids=lambda each: each.name)
def test_nothing_is_served_without_permission(operation: Any) -> None:
    """Whatever the path and body: an operation whose action is not granted is refused, in the action's name."""
    endpoint = Endpoint()
    endpoint.grant()
    path = operation.path.replace("{id}", "default").replace("{model}", "openai.gpt-oss-20b")
    answer = endpoint.call(operation.method, path, {"model": "openai.gpt-oss-20b", "input": "x"}, auth="sigv4")
    assert answer.status == 403
    assert f"perform: {operation.action} on" in body_of(answer)["error"]["message"]


def test_answers_carry_a_request_id() -> None:
    endpoint = Endpoint()
    ids = [dict(endpoint.call("GET", "/v1/models").headers)["x-request-id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert all(each.startswith("req_") for each in ids)
    answer = endpoint.call("POST", "/anthropic/v1/messages", auth="none")
    assert body_of(answer)["request_id"] == dict(answer.headers)["request-id"]
