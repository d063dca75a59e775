"""The sender over real HTTP on loopback, against servers that misbehave."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scripted_server import Script, Server, answer, broken_off, drip, endless, fixed, reset, routed, serve, silent

from mantle_iam.errors import InputError
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth, Exchange, Probe, TransportFailureKind
from mantle_iam.probe.auth import AwsCredentials
from mantle_iam.probe.client import MAX_BODY_BYTES, Keyring, Sender, is_proxied, resolve
from mantle_iam.probe.plan import ProbeRequest, Target, plan
from mantle_iam.probe.secret import Secret

KEY = "ABSK" + "c2VjcmV0LXZhbHVl" * 6
KEYS = Keyring(
    bearer=Secret(KEY),
    aws=AwsCredentials("ASIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMIsecret"), Secret("session-token-value-1234")),
    junk=Secret("ABSKanVuaw=="),
)


def target(server: Server, *, auth: Auth = Auth.BEARER, project: str | None = None) -> Target:
    return Target(server.url, "/v1", "us-east-1", auth, "openai.gpt-oss-20b", project, EndpointKind.LOOPBACK)


def send(script: Script, *, timeout: float = 5.0, probe: Probe = Probe.LIST, auth: Auth = Auth.BEARER) -> Exchange:
    with serve(script) as server, Sender(KEYS, timeout=timeout) as sender:
        (exchange,) = sender.send(plan(probe, target(server, auth=auth)))
        return exchange


def test_an_answer_becomes_an_exchange() -> None:
    before = datetime.now(UTC)
    exchange = send(fixed(answer(200, '{"data": []}', {"X-Request-Id": "req_1"})))
    assert (exchange.status, exchange.body, exchange.header("x-request-id")) == (200, '{"data": []}', "req_1")
    assert (exchange.probe, exchange.auth, exchange.method, exchange.peer) == (
        Probe.LIST,
        Auth.BEARER,
        "GET",
        "127.0.0.1",
    )
    assert exchange.sent_at is not None
    assert before <= exchange.sent_at <= datetime.now(UTC)
    assert exchange.failure is None
    assert not exchange.truncated
    assert exchange.elapsed is not None
    assert 0 < exchange.elapsed < 5


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (Auth.BEARER, f"Bearer {KEY}"),
        (Auth.JUNK, "Bearer ABSKanVuaw=="),
        (Auth.NONE, None),
    ],
)
def test_what_is_sent_by_way_of_authenticating(auth: Auth, expected: str | None) -> None:
    probe = {Auth.BEARER: Probe.LIST, Auth.JUNK: Probe.JUNK, Auth.NONE: Probe.BARE}[auth]
    with serve(fixed(answer(200, "{}"))) as server, Sender(KEYS, timeout=5) as sender:
        sender.send(plan(probe, target(server)))
    assert server.received[0].headers.get("authorization") == expected
    assert "x-amz-security-token" not in server.received[0].headers


def test_a_signed_request_verifies() -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    with serve(fixed(answer(400, "{}"))) as server, Sender(KEYS, timeout=5) as sender:
        (exchange,) = sender.send(plan(Probe.INFER_FREE, target(server, auth=Auth.SIGV4, project="proj_1")))
    assert (exchange.signing_service, exchange.signing_region) == ("bedrock-mantle", "us-east-1")
    got = server.received[0]
    scope = got.headers["authorization"].split("Credential=")[1].split(",")[0]
    assert scope.endswith("/us-east-1/bedrock-mantle/aws4_request")
    assert got.headers["x-amz-security-token"] == "session-token-value-1234"
    signed = got.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "content-type", "openai-project"} <= set(signed)
    # Sign again what arrived: the same signature must come out.
    again = AWSRequest(
        got.method, server.url + got.path, {name: got.headers[name] for name in signed if name in got.headers}, got.body
    )
    again.context["timestamp"] = got.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIsecret"), "bedrock-mantle", "us-east-1")
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert got.headers["authorization"].endswith(f"Signature={signature}")


def test_a_redirect_is_an_answer_and_no_order() -> None:
    with (
        serve(fixed(answer(200, "{}"))) as elsewhere,
        serve(fixed(answer(307, "", {"location": f"{elsewhere.url}/v1/models"}))) as server,
        Sender(KEYS, timeout=5) as sender,
    ):
        (exchange,) = sender.send(plan(Probe.LIST, target(server)))
    assert exchange.status == 307
    assert elsewhere.received == []


def test_cookies_are_not_sent_back() -> None:
    script = fixed(answer(200, "{}", {"set-cookie": "sid=stolen; Path=/"}))
    with serve(script) as server, Sender(KEYS, timeout=5) as sender:
        for _ in range(3):
            sender.send(plan(Probe.LIST, target(server)))
    assert all("cookie" not in request.headers for request in server.received)


def test_connections_are_kept() -> None:
    with serve(fixed(answer(200, "{}"))) as server, Sender(KEYS, timeout=5) as sender:
        for _ in range(4):
            sender.send(plan(Probe.LIST, target(server)))
    assert len({request.connection for request in server.received}) < 4


def test_independent_requests_run_together() -> None:
    """Every answer waits until all requests have arrived: a sender that sends one after the other gets a time-out."""
    together = threading.Barrier(5)

    def script(_request: object, connection: object, _server: object) -> bool:
        together.wait(5)
        connection.sendall(answer(200, "{}"))  # type: ignore[attr-defined]
        return True

    with serve(script) as server, Sender(KEYS, timeout=6) as sender:
        requests = [request for _ in range(5) for request in plan(Probe.LIST, target(server))]
        exchanges = sender.send(requests)
    assert [exchange.status for exchange in exchanges] == [200] * 5


def test_answers_keep_the_order_of_the_requests() -> None:
    def by_path(request: object) -> bytes:
        time.sleep(0.2 if request.path == "/v1/models" else 0)  # type: ignore[attr-defined]
        return answer(200, json.dumps(request.path))  # type: ignore[attr-defined]

    with serve(routed(by_path)) as server, Sender(KEYS, timeout=5) as sender:
        goal = target(server)
        exchanges = sender.send(plan(Probe.LIST, goal) + plan(Probe.GET, goal))
    assert [json.loads(exchange.body) for exchange in exchanges] == ["/v1/models", "/v1/models/openai.gpt-oss-20b"]


# -- servers that misbehave

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (reset, TransportFailureKind.CONNECT),
        (broken_off(b"SSH-2.0-OpenSSH_9.6\r\n"), TransportFailureKind.PROTOCOL),
        (broken_off(HEAD + b"content-length: 100\r\n\r\nhalf"), TransportFailureKind.PROTOCOL),
        (silent, TransportFailureKind.TIMEOUT),
        (drip(b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 400), TransportFailureKind.TIMEOUT),
        (drip(HEAD + b"\r\n" + b"x" * 4000), TransportFailureKind.TIMEOUT),
        (fixed(answer(200, b"not gzip", {"content-encoding": "gzip"})), TransportFailureKind.PROTOCOL),
    ],
    ids=["reset", "not-http", "cut", "silent", "slow-headers", "slow-body", "bad-gzip"],
)
def test_a_failure_is_an_exchange_within_the_limit(script: Script, kind: TransportFailureKind) -> None:
    started = time.monotonic()
    exchange = send(script, timeout=1.0)
    assert time.monotonic() - started < 4
    assert exchange.failure is not None
    assert exchange.status is None
    assert exchange.body == ""
    assert exchange.failure.kind is kind


def test_a_slow_body_on_a_kept_connection_is_cut_too() -> None:
    def script(request: object, connection: object, server: Server) -> bool:
        if len(server.received) == 1:
            connection.sendall(answer(200, "{}"))  # type: ignore[attr-defined]
            return True
        return drip(HEAD + b"\r\n" + b"x" * 4000)(request, connection, server)  # type: ignore[arg-type]

    with serve(script) as server, Sender(KEYS, timeout=1.0) as sender:
        (first,) = sender.send(plan(Probe.LIST, target(server)))
        (second,) = sender.send(plan(Probe.LIST, target(server)))
    assert first.status == 200
    assert second.failure is not None
    assert second.failure.kind is TransportFailureKind.TIMEOUT
    assert second.elapsed is not None
    assert second.elapsed < 3


def test_an_interruption_ends_what_is_under_way() -> None:
    with serve(silent) as server, Sender(KEYS, timeout=15) as sender:
        stop = threading.Timer(0.3, sender.abort)
        stop.start()
        started = time.monotonic()
        exchanges = sender.send(plan(Probe.LIST, target(server)) * 3)
        stop.join()
    assert time.monotonic() - started < 5
    assert all(exchange.failure is not None for exchange in exchanges)


def test_an_endless_body_is_cut_at_the_bound() -> None:
    exchange = send(endless)
    assert exchange.status == 200
    assert exchange.truncated
    assert len(exchange.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_decompression_bomb_is_bounded(coding: str) -> None:
    huge = b"0" * (64 * MAX_BODY_BYTES)
    packed = gzip.compress(huge) if coding == "gzip" else zlib.compress(huge)
    exchange = send(fixed(answer(200, packed, {"content-encoding": coding})))
    assert exchange.truncated
    assert len(exchange.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip"])
def test_a_compressed_answer_is_read_although_nobody_asked_for_it(coding: str) -> None:
    data = b'{"data": "' + b"a" * 5000 + b'"}'
    packed = zlib.compress(data) if coding == "deflate" else gzip.compress(data)
    exchange = send(fixed(answer(200, packed, {"content-encoding": coding})))
    assert json.loads(exchange.body)["data"] == "a" * 5000
    assert not exchange.truncated


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"\xff\xfe{}", "application/json", "��{}"),
        ("ü".encode("latin-1"), "text/html; charset=ISO-8859-1", "ü"),
        ("ü".encode(), "text/html; charset=no-such-charset", "ü"),
        (b"<html>", "text/html", "<html>"),
        (b"\x89PNG", "image/png", "�PNG"),
    ],
)
def test_any_content_type_and_any_bytes_become_text(body: bytes, content_type: str, text: str) -> None:
    assert send(fixed(answer(200, body, content_type=content_type))).body == text


def test_tls_with_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    context = _self_signed(tmp_path)
    with serve(fixed(answer(200, "{}")), tls=context) as server, Sender(KEYS, timeout=5) as sender:
        goal = Target(f"https://127.0.0.1:{server.port}", "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")
        (exchange,) = sender.send(plan(Probe.LIST, goal))
    assert exchange.failure is not None
    assert exchange.failure.kind is TransportFailureKind.TLS
    assert "certificate" in exchange.failure.detail.lower()
    assert server.received == []


def test_plain_http_where_tls_is_expected() -> None:
    with serve(broken_off(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server, Sender(KEYS, timeout=1) as sender:
        goal = Target(f"https://127.0.0.1:{server.port}", "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")
        (exchange,) = sender.send(plan(Probe.LIST, goal))
    assert exchange.failure is not None


def test_nobody_listens() -> None:
    with serve(silent) as server:
        gone = server.url
    with Sender(KEYS, timeout=5) as sender:
        (exchange,) = sender.send(plan(Probe.LIST, Target(gone, "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")))
    assert exchange.failure is not None
    assert exchange.failure.kind is TransportFailureKind.CONNECT


def test_a_proxy_of_the_environment_is_used_and_its_refusal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(fixed(answer(407, "no"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        goal = Target("https://bedrock-mantle.us-east-1.api.aws", "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")
        assert is_proxied(goal.origin)
        with Sender(KEYS, timeout=5) as sender:
            (exchange,) = sender.send(plan(Probe.LIST, goal))
    assert exchange.failure is not None
    assert exchange.failure.kind is TransportFailureKind.PROXY
    assert [request.method for request in proxy.received] == ["CONNECT"]
    assert "authorization" not in proxy.received[0].headers


def test_an_unreachable_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(silent) as server:
        gone = server.url
    monkeypatch.setenv("HTTPS_PROXY", gone)
    goal = Target("https://bedrock-mantle.us-east-1.api.aws", "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")
    with Sender(KEYS, timeout=5) as sender:
        (exchange,) = sender.send(plan(Probe.LIST, goal))
    assert exchange.failure is not None
    assert exchange.failure.kind is TransportFailureKind.PROXY


@pytest.mark.parametrize(
    ("name", "value", "kind", "says"),
    [
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", TransportFailureKind.PROXY, "socks"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:9", TransportFailureKind.PROXY, "proxy"),
        ("HTTPS_PROXY", "http://[::1", TransportFailureKind.PROXY, "proxy"),
        ("SSL_CERT_FILE", "no-such-file.pem", TransportFailureKind.TLS, "no-such-file.pem"),
    ],
)
def test_settings_that_no_client_can_use_are_no_answer_of_the_service(
    name: str, value: str, kind: TransportFailureKind, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    goal = Target("https://bedrock-mantle.us-east-1.api.aws", "/v1", "us-east-1", Auth.BEARER, "openai.gpt-oss-20b")
    with Sender(KEYS, timeout=5) as sender:
        (exchange,) = sender.send(plan(Probe.LIST, goal))
    assert exchange.failure is not None
    assert exchange.failure.kind is kind
    assert says in exchange.failure.detail.lower()


def test_names_are_resolved_within_a_limit() -> None:
    assert resolve("http://localhost:1", 5).peer in ("127.0.0.1", "::1")
    failed = resolve("https://bedrock-mantle.us-nowhere-1.invalid", 5)
    assert failed.failure is not None
    assert failed.failure.kind in (TransportFailureKind.DNS, TransportFailureKind.TIMEOUT)
    assert (failed.probe, failed.status) == (Probe.DNS, None)


# -- secrets


@pytest.mark.parametrize(
    "echo",
    [
        lambda request: answer(400, json.dumps(dict(request.headers))),
        lambda request: answer(400, "{}", {"x-echo": request.headers.get("authorization", "")}),
        lambda request: answer(500, f"<pre>{request.headers}</pre>", content_type="text/html"),
        lambda request: f"HTTP/1.1 {request.headers.get('authorization')}\r\n\r\n".encode(),
        lambda request: f"{request.headers}".encode() + b"\r\n\r\n",
    ],
    ids=["json", "header", "html", "status-line", "not-http"],
)
@pytest.mark.parametrize("auth", [Auth.BEARER, Auth.SIGV4])
def test_an_echo_shows_no_secret(echo: object, auth: Auth) -> None:
    odd = Keyring(
        bearer=Secret("a-key-of-no-known-shape-0123456789"),
        aws=AwsCredentials("ASIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMIsecret"), Secret("session-token-value-1234")),
    )
    with serve(routed(echo)) as server, Sender(odd, timeout=3) as sender:  # type: ignore[arg-type]
        (exchange,) = sender.send(plan(Probe.LIST, target(server, auth=auth)))
    shown = repr(exchange)
    assert server.received, "the server must have seen the secret, or the test shows nothing"
    assert "a-key-of-no-known-shape" not in shown
    assert "session-token-value" not in shown
    assert "wJalrXUtnFEMI" not in shown


def test_a_key_that_no_header_can_hold_is_not_sent_and_not_shown() -> None:
    for bad in ("ABSKabc\r\nX-Evil: 1", "ABSK abc", "ABSKäöü", "ABSK\x00"):
        with serve(fixed(answer(200, "{}"))) as server, Sender(Keyring(Secret(bad)), timeout=3) as sender:
            with pytest.raises(InputError) as caught:
                sender.send(plan(Probe.LIST, target(server)))
            assert server.received == []
        assert bad not in repr(caught.value) + str(caught.value.help)


def test_nothing_at_all_is_sent_when_one_of_the_requests_may_not_go() -> None:
    with serve(fixed(answer(200, "{}"))) as server, Sender(KEYS, timeout=3) as sender:
        good = plan(Probe.LIST, target(server))
        bad = (ProbeRequest(Probe.LIST, "GET", "https://attacker.example/v1/models", Auth.BEARER, "us-east-1"),)
        with pytest.raises(InputError, match="attacker"):
            sender.send(good + bad)
        assert server.received == []


def _self_signed(folder: Path) -> ssl.SSLContext:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
