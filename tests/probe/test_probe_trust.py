"""Where a credential may go, and that every request which can be planned is safe."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.errors import InputError
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth, Probe
from mantle_iam.mantle.models import SEEN, known_model
from mantle_iam.mantle.operations import match_operation, operations
from mantle_iam.mantle.recipes import MAX_OUTPUT_TOKENS
from mantle_iam.probe.plan import Cost, ProbeRequest, Target, plan, plan_operation, plan_reads
from mantle_iam.probe.trust import TrustedHost, check_trust

HOST = "https://bedrock-mantle.us-east-1.api.aws"
TARGET = Target(HOST, "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/v1/models",
        f"{HOST}:443/v1",
        "https://bedrock-mantle.us-gov-west-1.api.aws/v1",
        "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1/models",
        "http://127.0.0.1:8080/v1",
        "http://127.8.9.10/v1",
        "http://[::1]:8080/v1",
        "http://localhost:1/v1",
        "https://localhost/v1",
    ],
)
def test_trusted(url: str) -> None:
    check_trust(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://attacker.example/v1",
        "https://api.openai.com/v1",
        "http://bedrock-mantle.us-east-1.api.aws/v1",
        "https://bedrock-mantle.us-east-1.api.aws:8443/v1",
        "https://bedrock-mantle.us-east-1.api.aws.attacker.example/v1",
        "https://bedrock-mantle.us-east-1.api.aws@attacker.example/v1",
        "https://user:pass@bedrock-mantle.us-east-1.api.aws/v1",
        "https://attacker.example/bedrock-mantle.us-east-1.api.aws",
        "https://attacker.example#bedrock-mantle.us-east-1.api.aws",
        "https://attacker.example\\.bedrock-mantle.us-east-1.api.aws/v1",
        "https://bedrock-mantle.evil.us-east-1.api.aws/v1",
        "https://bedrock-mantle.${AWS_REGION}.api.aws/v1",
        "https://xbedrock-mantle.us-east-1.api.aws/v1",
        "https://bedrock-mantle.us-east-1.api.aws\n.attacker.example/v1",
        "http://127.0.0.1.attacker.example/v1",
        "http://127.0.0.1@attacker.example/v1",
        "http://localhost.attacker.example/v1",
        "http://0x7f000001.attacker.example/",
        "http://10.0.0.1/v1",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/v1",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://host:port/v1",
        "",
    ],
)
def test_not_trusted(url: str) -> None:
    with pytest.raises(InputError):
        check_trust(url)


@pytest.mark.parametrize(
    ("host", "url", "allowed"),
    [
        ("gateway.example", "https://gateway.example/v1", True),
        ("gateway.example", "https://gateway.example:8443/v1", True),
        ("GATEWAY.example", "https://gateway.example/v1", True),
        ("gateway.example:8443", "https://gateway.example:8443/v1", True),
        ("gateway.example:8443", "https://gateway.example/v1", False),
        ("https://gateway.example", "https://gateway.example/v1", True),
        ("gateway.example", "http://gateway.example/v1", False),
        ("http://gateway.example:4000", "http://gateway.example:4000/v1", True),
        ("http://gateway.example:4000", "http://gateway.example/v1", False),
        ("gateway.example", "https://evil.gateway.example/v1", False),
        ("gateway.example", "https://gateway.example.evil/v1", False),
        ("gateway.example", "https://u:p@gateway.example/v1", False),
    ],
)
def test_a_host_named_twice(host: str, url: str, allowed: bool) -> None:
    trusted = (TrustedHost.parse(host),)
    if allowed:
        check_trust(url, trusted)
    else:
        with pytest.raises(InputError):
            check_trust(url, trusted)


@pytest.mark.parametrize("text", ["", "https://", "a/b", "user@host", "https://host/path", "host:port", "a b", "*"])
def test_what_is_no_host_to_trust(text: str) -> None:
    if text == "*":
        # A star is taken as a name that no URL has, never as a wildcard.
        with pytest.raises(InputError):
            check_trust("https://gateway.example", (TrustedHost.parse(text),))
        return
    with pytest.raises(InputError):
        TrustedHost.parse(text)


@given(st.text(max_size=60))
def test_no_url_made_of_anything_is_trusted_by_accident(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}.api.aws/v1", f"http://{text}@example.com/"):
        try:
            check_trust(url)
        except InputError:
            continue
        host = (urlsplit(url).hostname or "").rstrip(".")
        assert host in ("localhost", "::1") or host.startswith(("127.", "bedrock-")) or host.endswith(".localhost")


# -- safety of every plan


def every_request() -> list[ProbeRequest]:
    found: list[ProbeRequest] = []
    for model in (*SEEN, "vendor.unheard-of", "us.anthropic.claude-sonnet-5", "a/../../b?x=1"):
        for project in (None, "proj_1"):
            for base in ("/v1", "/openai/v1", "/anthropic/v1", ""):
                target = replace(TARGET, model=model, project=project, base_path=base)
                found += [request for probe in Probe for request in plan(probe, target)]
                found += plan_reads(target)
                found += [request for each in operations() for request in plan_operation(each, target)]
    return found


def test_no_planned_request_creates_changes_deletes_or_bills() -> None:
    requests = every_request()
    assert {request.probe for request in requests} >= set(Probe) - {
        Probe.OFFLINE,
        Probe.DNS,
        Probe.TLS,
        Probe.READ_POLICIES,
        Probe.INFER,
        Probe.PASTED,
    }
    for request in requests:
        assert request.cost is Cost.FREE
        operation = match_operation(request.method, urlsplit(request.url).path)
        if request.method == "GET":
            assert operation is None or operation.safe
            assert not request.body
            continue
        assert request.method == "POST"
        assert operation is not None
        assert operation.api is not None
        if operation.safe:
            continue
        # An inference goes out only to where it is known to be turned down, and even then with the least of tokens.
        known = known_model(request.model or "")
        assert known is not None
        assert operation.api not in known.apis or not operation.path.startswith(known.base_path + "/")
        body = json.loads(request.body)
        assert {body.get("max_output_tokens"), body.get("max_tokens")} <= {MAX_OUTPUT_TOKENS, None}
        assert body.get("store", False) is False
        assert not body.get("background")


def test_the_billed_call_needs_leave_and_stays_small() -> None:
    for model in SEEN:
        target = replace(TARGET, model=model)
        assert plan(Probe.INFER, target) == ()
        (request,) = plan(Probe.INFER, target, spend=True)
        body = json.loads(request.body)
        assert request.cost is Cost.BILLED
        assert body.get("max_output_tokens", body.get("max_tokens")) == MAX_OUTPUT_TOKENS == 16


@pytest.mark.parametrize(
    ("method", "path", "probe", "cost", "body"),
    [
        ("POST", "/v1/files", Probe.OPERATION, Cost.FREE, b"{}"),
        ("DELETE", "/v1/files/x", Probe.OPERATION, Cost.FREE, b""),
        ("PUT", "/v1/data_retention", Probe.OPERATION, Cost.FREE, b"{}"),
        ("POST", "/v1/organization/projects", Probe.INFER_FREE, Cost.FREE, b"{}"),
        ("POST", "/v1/responses/x/cancel", Probe.INFER, Cost.BILLED, b"{}"),
        ("POST", "/nowhere", Probe.INFER_FREE, Cost.FREE, b"{}"),
        ("POST", "/v1/chat/completions", Probe.INFER_FREE, Cost.FREE, b'{"max_tokens": 16}'),
        ("POST", "/v1/chat/completions", Probe.INFER, Cost.FREE, b'{"max_tokens": 16}'),
        ("POST", "/v1/chat/completions", Probe.INFER, Cost.BILLED, b'{"max_tokens": 17}'),
        ("POST", "/v1/chat/completions", Probe.INFER, Cost.BILLED, b"{}"),
        ("POST", "/openai/v1/responses", Probe.INFER_FREE, Cost.FREE, b'{"max_output_tokens": 4096}'),
    ],
)
def test_an_unsafe_request_cannot_even_be_made(method: str, path: str, probe: Probe, cost: Cost, body: bytes) -> None:
    with pytest.raises(AssertionError):
        ProbeRequest(
            probe, method, HOST + path, Auth.BEARER, "us-east-1", body=body, model="openai.gpt-oss-20b", cost=cost
        )


def test_every_planned_request_is_one_that_a_credential_may_travel_with() -> None:
    for url in {request.url for request in every_request()}:
        check_trust(url)


def test_what_applies_to_the_public_host_alone() -> None:
    local = replace(TARGET, origin="http://127.0.0.1:1", kind=EndpointKind.LOOPBACK)
    assert plan(Probe.OTHER_REGION, local) == plan(Probe.RUNTIME, local) == ()
    (other,) = plan(Probe.OTHER_REGION, TARGET)
    assert other.region != "us-east-1"
    assert other.region in other.url
    (runtime,) = plan(Probe.RUNTIME, TARGET)
    assert runtime.signing_service == "bedrock"


@pytest.mark.parametrize(
    ("base", "listed", "others"),
    [
        ("/v1", "/v1/models", {"/openai/v1/models", "/anthropic/v1/models"}),
        ("/openai/v1", "/openai/v1/models", {"/v1/models", "/anthropic/v1/models"}),
        ("", "/models", {"/v1/models", "/openai/v1/models", "/anthropic/v1/models"}),
        ("/anthropic", "/v1/models", {"/openai/v1/models", "/anthropic/v1/models"}),
    ],
)
def test_the_list_is_asked_where_the_application_would_ask(base: str, listed: str, others: set[str]) -> None:
    target = replace(TARGET, base_path=base)
    (request,) = plan(Probe.LIST, target)
    (bare,) = plan(Probe.BARE, target)
    assert request.url == bare.url == HOST + listed
    assert (request.auth, bare.auth) == (Auth.BEARER, Auth.NONE)
    assert {urlsplit(one.url).path for one in plan(Probe.OTHER_PATH, target)} == others


def test_the_project_travels_in_the_header_of_the_surface() -> None:
    target = replace(TARGET, project="proj_1", model="anthropic.claude-haiku-4-5")
    assert ("openai-project", "proj_1") in plan(Probe.LIST, target)[0].headers
    counting = next(one for one in plan_reads(target) if one.operation == "count-tokens")
    assert ("anthropic-workspace", "proj_1") in counting.headers
    assert plan(Probe.NO_PROJECT, target)[0].headers == ()
    assert plan(Probe.NO_PROJECT, TARGET) == ()
