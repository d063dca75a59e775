"""A whole probe over real HTTP on loopback: a scripted service, and what is concluded from it, sent to it, kept from it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from scripted_server import Received, Script, Server, answer, error, fixed, reset, routed, serve, silent

from mantle_iam.diagnose.case import Answer
from mantle_iam.mantle.exchange import Probe
from mantle_iam.mantle.operations import match_operation
from mantle_iam.workflow.probe import ProbeResult, plan_probe, run_probe
from mantle_iam.workflow.probe_setup import ProbeOptions

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USER = "arn:aws:iam::111122223333:user/BedrockAPIKey-abcd"
KEY = "ABSK" + base64.b64encode(b"BedrockAPIKey-abcd-at-111122223333:" + b"s3cr3t" * 10).decode()
OPENAI = "sk-proj-" + "a1B2" * 12
PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
MODELS = ("openai.gpt-oss-20b", "openai.gpt-oss-120b", "qwen.qwen3-32b")


def denied(action: str, status: int = 403) -> bytes:
    resource = "*" if action in ("CallWithBearerToken", "GetAccountDataRetention") else PROJECT
    return error(
        status,
        "access_denied",
        f"User: {USER} is not authorized to perform: bedrock-mantle:{action} on resource: {resource} "
        f"because no identity-based policy allows the bedrock-mantle:{action} action",
    )


def service(
    allowed: Callable[[str, str | None], bool] = lambda _action, _model: True,
    *,
    bare_404: bool = False,
    models: tuple[str, ...] = MODELS,
) -> Script:
    """The service as the facts describe it: routing, then authentication, then authorisation, then the model."""

    def respond(request: Received) -> bytes:
        path = urlsplit(request.path).path
        operation = match_operation(request.method, path)
        if operation is None:
            return answer(404, "")
        bearer = request.headers.get("authorization", "")
        if not bearer:
            return error(401, "invalid_api_key", "Missing 'authorization' or 'x-api-key' header")
        if bearer != f"Bearer {KEY}":
            return error(401, "invalid_api_key", "Invalid bearer token")
        named = json.loads(request.body).get("model") if request.body else None
        action = operation.action.partition(":")[2]
        if not allowed(action, named):
            return answer(404, "") if bare_404 else denied(action)
        if operation.name == "list-models":
            return answer(200, json.dumps({"object": "list", "data": [{"id": name} for name in models]}))
        if operation.name == "get-model" and path.rpartition("/")[2] not in models:
            return error(404, "not_found_error", f"The model '{path.rpartition('/')[2]}' does not exist")
        if operation.api is not None and not operation.safe:
            if named not in models:
                return error(404, "not_found_error", f"The model '{named}' does not exist", "invalid_request_error")
            if json.loads(request.body).get("max_output_tokens") and path == "/v1/responses" and "oss" in str(named):
                return answer(200, json.dumps({"id": "resp_1", "object": "response", "output": []}))
            text = f"The model '{named}' does not support the '{path}' API"
            return error(400, "validation_error", text, "invalid_request_error")
        return answer(200, json.dumps({"object": "list", "data": []}))

    return routed(respond)


def probe(
    script: Script, options: ProbeOptions | None = None, path: str = "/v1", **environ: str
) -> tuple[ProbeResult, Server]:
    given = {"AWS_REGION": "us-east-1", "AWS_BEARER_TOKEN_BEDROCK": KEY} | environ
    with serve(script) as server:
        from dataclasses import replace

        options = replace(options or ProbeOptions(timeout=5), base_url=server.url + path)
        result = run_probe(options, given, NOW)
    for request in server.received:
        operation = match_operation(request.method, urlsplit(request.path).path)
        assert request.method in ("GET", "POST")
        assert request.method == "GET" or (operation is not None and operation.api is not None)
    assert KEY not in repr(result)
    return result, server


def codes(result: ProbeResult) -> list[str]:
    return [diagnosis.code for _, diagnosis in result.result.diagnoses()]


def test_everything_is_allowed() -> None:
    result, server = probe(service())
    assert (result.exit_code, codes(result)[0]) == (0, "allowed")
    assert result.result.fix is None
    assert result.sent == len(server.received)
    outcomes = {one.operation: one.answer for one in result.result.parts[0].report.outcomes}
    assert {"list-models", "get-model", "list-files", "list-projects", "get-data-retention", "count-tokens"} <= set(
        outcomes
    )
    assert outcomes["list-files"] == Answer.ALLOWED
    sent = [(request.method, request.path, request.headers.get("authorization")) for request in server.received]
    assert len(sent) == len(set(sent)), "nothing is asked twice"


def test_nothing_is_allowed() -> None:
    result, _ = probe(service(lambda *_: False))
    assert result.exit_code == 1
    diagnoses = [diagnosis for _, diagnosis in result.result.diagnoses()]
    missing = {action for one in diagnoses if one.code == "missing-permission" for action in one.actions}
    assert "bedrock-mantle:ListModels" in missing
    assert result.result.fix is not None
    assert result.result.fix.changes
    granted = {action for statement in result.result.fix.changes[0].document.statements for action in statement.actions}
    assert {
        "bedrock-mantle:ListModels",
        "bedrock-mantle:CreateInference",
        "bedrock-mantle:CallWithBearerToken",
    } <= granted
    assert "bedrock-mantle:ListFiles" not in granted, "nobody asked for it"


def test_operations_that_nobody_asked_for_do_not_fail_the_run() -> None:
    def allowed(action: str, _model: str | None) -> bool:
        return action in ("ListModels", "GetModel", "CreateInference")

    result, _ = probe(service(allowed))
    assert (result.exit_code, codes(result)[0]) == (0, "allowed")
    assert any("list-files" in note for note in result.result.notes)
    asked, _ = probe(service(allowed), ProbeOptions(timeout=5, operations=("list-files",)))
    assert asked.exit_code == 1
    assert "missing-permission" in codes(asked)
    actions = {action for _, one in asked.result.diagnoses() for action in one.actions}
    assert "bedrock-mantle:ListFiles" in actions


def test_a_bare_404_with_the_key_alone_is_no_missing_route() -> None:
    """The article: without a credential the same path says 401, so that the route exists."""
    result, _ = probe(service(lambda *_: False, bare_404=True))
    assert result.exit_code == 1
    assert "missing-permission" in codes(result)
    assert "route-not-found" not in codes(result)


@pytest.mark.parametrize("path", ["/openai/v1", ""])
def test_a_wrong_base_path(path: str) -> None:
    result, server = probe(service(), path=path)
    assert result.exit_code == 1
    assert set(codes(result)) & {"wrong-base-path", "route-not-found"}
    assert f"{path}/models" in {request.path for request in server.received}
    assert "/v1/models" in {request.path for request in server.received}
    assert result.result.fix is None or not result.result.fix.changes


def test_a_condition_on_the_model_is_told_from_a_missing_action() -> None:
    def allowed(action: str, model: str | None) -> bool:
        return action != "CreateInference" or model == "qwen.qwen3-32b"

    result, server = probe(service(allowed), ProbeOptions(timeout=5, model="openai.gpt-oss-20b"))
    assert result.exit_code == 1
    assert "condition-not-met" in codes(result)
    asked = {json.loads(request.body)["model"] for request in server.received if request.body}
    assert {"openai.gpt-oss-20b", "qwen.qwen3-32b"} <= asked


def test_an_invalid_key() -> None:
    def respond(request: Received) -> bytes:
        return error(
            401, "invalid_api_key", "Invalid bearer token" if "authorization" in request.headers else "Missing"
        )

    result, _ = probe(routed(respond))
    assert (result.exit_code, codes(result)[0]) == (1, "bearer-token-invalid")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (OPENAI, "wrong-kind-of-key"),
        ("$AWS_BEARER_TOKEN_BEDROCK", "credential-missing"),
        (KEY[:60], "bearer-token-malformed"),
        ("AKIAIOSFODNN7EXAMPLE", "wrong-kind-of-key"),
        ("", "credential-missing"),
    ],
)
def test_what_the_key_alone_decides_is_said_and_nothing_is_sent(key: str, code: str) -> None:
    result, server = probe(service(), AWS_BEARER_TOKEN_BEDROCK=key)
    assert server.received == []
    assert result.exit_code == 1
    assert code in codes(result)


@pytest.mark.parametrize("text", [f'"{KEY}"', f"Bearer {KEY}", f"{KEY}\n"])
def test_a_key_that_works_only_when_it_is_mended_is_no_good_key(text: str) -> None:
    result, server = probe(service(), AWS_BEARER_TOKEN_BEDROCK=text)
    assert server.received, "what is around the key is left out, so that the permissions are found out as well"
    assert result.exit_code == 1
    assert codes(result)[0] == "bearer-token-malformed"
    assert "allowed" in codes(result)
    assert any("as it stands" in note for note in result.result.notes)


def test_a_refused_key_says_nothing_of_other_operations() -> None:
    def respond(request: Received) -> bytes:
        return error(401, "invalid_api_key", "Invalid bearer token", "permission_denied_error")

    result, _ = probe(routed(respond))
    assert not any("also refused" in note for note in result.result.notes)


@pytest.mark.parametrize("name", ["us.openai.gpt-oss-120b", "bedrock/openai.gpt-oss-120b"])
def test_a_prefixed_model_id_is_asked_for_as_the_application_writes_it(name: str) -> None:
    result, _ = probe(service(), ProbeOptions(timeout=5, model=name))
    assert (result.exit_code, codes(result)[0]) == (1, "model-id-prefixed")


def test_an_expired_key_is_known_before_the_service_says_so() -> None:
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore.credentials import Credentials

    key = BedrockTokenGenerator().get_token(Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI"), "us-east-1")
    late = datetime.now(UTC) + timedelta(days=2)
    with serve(fixed(error(401, "invalid_api_key", "Invalid bearer token"))) as server:
        options = ProbeOptions(timeout=5, base_url=f"{server.url}/v1")
        result = run_probe(options, {"AWS_BEARER_TOKEN_BEDROCK": key, "AWS_REGION": "us-east-1"}, late)
    assert (result.exit_code, codes(result)[0]) == (1, "bearer-token-expired")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (reset, "endpoint-unreachable"),
        (silent, "timeout"),
        (fixed(answer(503, '{"error": {"message": "overloaded"}}')), "service-unavailable"),
        (fixed(answer(429, '{"error": {"message": "slow down", "code": "rate_limit"}}')), "throttled"),
        (fixed(answer(200, "<html>Sign in to the guest network</html>", content_type="text/html")), "not-the-service"),
    ],
    ids=["reset", "silent", "503", "429", "portal"],
)
def test_trouble_of_the_world_is_no_refusal(script: Script, code: str) -> None:
    result, _ = probe(script, ProbeOptions(timeout=0.7, pause=0))
    assert result.exit_code in ((1, 3) if code == "not-the-service" else (3,))
    assert code in codes(result) or "inconclusive" in codes(result)
    assert "allowed" not in codes(result)
    assert "missing-permission" not in codes(result)


def test_a_host_without_a_name() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": KEY}
    options = ProbeOptions(timeout=3, base_url="https://gateway.invalid/v1", trust_hosts=("gateway.invalid",))
    result = run_probe(options, environ, NOW)
    assert result.sent == 0
    assert result.exit_code == 3
    assert codes(result)


def test_the_billed_call_is_made_once_and_only_with_leave() -> None:
    def served(server: Server) -> list[Received]:
        return [
            request for request in server.received if request.path == "/v1/responses" and b"gpt-oss" in request.body
        ]

    _, without = probe(service())
    assert served(without) == []
    result, spent = probe(service(), ProbeOptions(timeout=5, spend=True))
    (billed,) = served(spent)
    body = json.loads(billed.body)
    assert (body["max_output_tokens"], body["store"]) == (16, False)
    assert result.exit_code == 0


def test_a_sample_model_that_is_not_served_here_is_replaced() -> None:
    result, server = probe(service(models=("qwen.qwen3-32b",)))
    assert (result.exit_code, codes(result)[0]) == (0, "allowed")
    assert "/v1/models/qwen.qwen3-32b" in {request.path for request in server.received}
    assert not {code for code in codes(result) if code.startswith("model-")}
    assert any("qwen.qwen3-32b" in note for note in result.result.notes)


def test_a_model_that_was_named_and_is_not_served_is_a_finding() -> None:
    result, _ = probe(service(), ProbeOptions(timeout=5, model="openai.gpt-oss-9b"))
    assert result.exit_code == 1
    assert {code for code in codes(result) if code.startswith("model-")}


def test_an_operation_that_changes_something_is_not_called() -> None:
    result, server = probe(service(), ProbeOptions(timeout=5, operations=("create-file", "delete-response")))
    assert result.exit_code == 3
    assert {request.method for request in server.received} <= {"GET", "POST"}
    assert any("create-file, delete-response" in note for note in result.result.notes)


def test_an_inference_operation_is_asked_about_for_free() -> None:
    result, _ = probe(service(), ProbeOptions(timeout=5, operations=("create-chat-completion",)))
    assert result.exit_code == 0


def test_several_regions_each_have_their_part() -> None:
    result, _ = probe(service(), ProbeOptions(timeout=5, regions=("us-east-1", "eu-west-1")))
    assert [part.case.region for part in result.result.parts] == ["us-east-1", "eu-west-1"]
    assert all(part.report.outcomes for part in result.result.parts)


def test_the_same_answers_give_the_same_diagnoses() -> None:
    def told(result: ProbeResult) -> list[tuple[str, str, str, tuple[str, ...]]]:
        return [(d.code, d.confidence, d.title, d.actions) for _, d in result.result.diagnoses()]

    assert told(probe(service(lambda *_: False))[0]) == told(probe(service(lambda *_: False))[0])


def test_a_plan_sends_nothing_and_names_what_would_be_sent_first() -> None:
    with serve(service()) as server:
        options = ProbeOptions(base_url=f"{server.url}/v1")
        planned = plan_probe(options, {"AWS_BEARER_TOKEN_BEDROCK": KEY, "AWS_REGION": "us-east-1"})
        assert server.received == []
    assert [request.probe for request in planned[:2]] == [Probe.LIST, Probe.BARE]
    assert KEY not in repr(planned)


def test_a_key_hides_the_aws_credentials_beside_it() -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9",
    }
    result, _ = probe(service(), **environ)
    assert any("AWS_BEARER_TOKEN_BEDROCK wins" in note for note in result.result.notes)
    assert {found.where for found in result.result.parts[0].case.found} == {
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_ACCESS_KEY_ID",
    }
    assert any("could not be read" in note for note in result.result.notes), (
        "unreadable is told, never taken for absent"
    )


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        "[" * 100_000,
        '{"data": null}',
        '{"data": [1, {"id": 5}, {}]}',
        '{"data": [{"id": "\\ud800"}]}',
        '{"error": "\\u001b[31mred\\u0000"}',
        '{"error": {"message": ["a", {"b": 1}], "code": 7, "type": {}}}',
        "9" * 10_000,
        "\x00\x1b]0;title\x07",
        "",
    ],
    ids=range(11),
)
@pytest.mark.parametrize("status", [200, 403, 404, 500])
def test_hostile_answers_are_survived_and_never_allowed_by_error(body: str, status: int) -> None:
    from mantle_iam.report.document import document
    from mantle_iam.report.text import render

    result, _ = probe(fixed(answer(status, body)), ProbeOptions(timeout=5, pause=0))
    assert result.exit_code in (1, 3)
    assert json.dumps(document(result.result, version="0"))
    assert "\x1b" not in render(result.result, width=80)
