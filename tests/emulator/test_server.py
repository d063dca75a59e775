"""The sockets: loopback only, bounds, delays, streams that come apart, a clean end."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mantle_iam.emulator.app import Emulator, Settings
from mantle_iam.emulator.loopback import loopback_socket
from mantle_iam.emulator.server import MAX_BODY, Server
from mantle_iam.errors import InputError
from tests.emulator.conftest import LONG_TERM, Endpoint, directory

BEARER = {"authorization": f"Bearer {LONG_TERM}"}


def server_of(**options: Any) -> Server:
    policies = Endpoint().policies
    emulator = Emulator(Settings(), directory(), lambda _: policies, lambda: datetime.now(UTC))
    return Server(emulator, **options)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = server_of()
    started.start()
    yield started
    started.stop()


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)


def test_a_call_over_a_socket(server: Server) -> None:
    connection = connect(server)
    connection.request("GET", "/v1/models?limit=3", headers=BEARER)
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["object"] == "list"
    connection.close()


def test_streams_are_chunked(server: Server) -> None:
    connection = connect(server)
    body = json.dumps({"model": "openai.gpt-oss-20b", "input": "Hi", "stream": True})
    connection.request("POST", "/v1/responses", body, BEARER)
    answer = connection.getresponse()
    assert answer.getheader("transfer-encoding") == "chunked"
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    assert answer.read().count(b"event: response.output_text.delta") > 5
    connection.close()


def test_head_options_and_odd_paths(server: Server) -> None:
    for method, path in (
        ("HEAD", "/v1/models"),
        ("OPTIONS", "/"),
        ("GET", "//v1/models"),
        ("GET", "/v1/models/%2e%2e/%ff"),
    ):
        connection = connect(server)
        connection.request(method, path, headers=BEARER)
        assert connection.getresponse().status == 404
        connection.close()


def test_a_body_without_end_is_cut(server: Server) -> None:
    connection = connect(server)
    connection.putrequest("POST", "/v1/responses")
    connection.putheader("authorization", f"Bearer {LONG_TERM}")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    piece = b"x" * 65536
    sent = 0
    try:
        while sent <= 4 * MAX_BODY:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += len(piece)
        status = connection.getresponse().status
    except OSError:
        # The server has answered and closed.
        status = 413
    assert status == 413
    # What the two ends had buffered on the way comes on top of the bound.
    assert sent < 3 * MAX_BODY
    connection.close()


def test_what_is_no_http_gets_an_answer_or_an_end(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
        assert sock.recv(1000).startswith((b"HTTP/1.1 400", b""))


def test_latency() -> None:
    slow = server_of(latency=0.2)
    slow.start()
    try:
        connection = connect(slow)
        begun = time.monotonic()
        connection.request("GET", "/v1/models", headers=BEARER)
        assert connection.getresponse().status == 200
        assert time.monotonic() - begun >= 0.2
        connection.close()
    finally:
        slow.stop()


def test_the_port_is_free_again_after_stop() -> None:
    first = server_of()
    port = int(first.url.rpartition(":")[2])
    first.start()
    connection = connect(first)
    connection.request("GET", "/v1/models", headers=BEARER)
    assert connection.getresponse().status == 200
    connection.close()
    first.stop()
    loopback_socket(port).close()


def test_a_taken_port_is_told() -> None:
    with loopback_socket(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on port `{port}`"):
            server_of(port=port)


def test_only_loopback() -> None:
    with loopback_socket(0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
    with pytest.raises(InputError, match="is not a port"):
        loopback_socket(70000)
