"""A proxy in front of an AWS API that goes wrong on order, between two calls or in the middle of one.

It knows the query protocol (``Action=`` in a form) and JSON (``X-Amz-Target``), records every operation, and answers a fault
before the call reaches the service, or after it took effect.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# What AWS answers: status, and whether trying again may help.
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
STATUS = {
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "Throttling": 400,
    "ThrottlingException": 400,
    "EntityTemporarilyUnmodifiable": 409,
    "ConcurrentModification": 409,
    "ConflictException": 400,
    "LimitExceeded": 409,
    "ServiceQuotaExceededException": 400,
    "ServiceFailure": 500,
    "InternalServerException": 500,
    "ExpiredToken": 403,
    "ExpiredTokenException": 400,
    "MalformedPolicyDocument": 400,
}
DROP = "drop"
"""The connection is closed without an answer."""
WAIT = "wait"
"""Nothing goes wrong but the time: see ``between``."""


@dataclass
class Fault:
    """What goes wrong with ``operation``."""

    operation: str
    what: str
    """A code of ``STATUS``, or ``DROP``, or ``WAIT``."""
    times: int = 1
    """How often; below 0 for always."""
    skip: int = 0
    """So many calls of it go well before."""
    after: bool = False
    """Whether the call takes effect first."""
    between: Callable[[], object] | None = None
    """Runs before it: somebody else's doing, or a sleep."""
    met: int = field(default=0, init=False)


@dataclass
class Faulty:
    """A running proxy."""

    url: str
    service_url: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Every operation that was asked for, in order."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, operation: str, what: str, **more: Any) -> Fault:
        """Order a fault."""
        fault = Fault(operation, what, **more)
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """No more faults; forget the calls."""
        self.faults.clear()
        self.calls.clear()

    def fault_for(self, operation: str) -> Fault | None:
        """The fault that meets this call of ``operation``, which is counted."""
        with self._lock:
            self.calls.append(operation)
            for fault in self.faults:
                if fault.operation != operation or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                fault.met += 1
                return fault
        return None


@contextmanager
def faulty(service_url: str) -> Iterator[Faulty]:
    """A proxy in front of ``service_url`` for the length of a ``with`` block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    host, port = server.server_address[:2]
    server.proxy = Faulty(f"http://{host!s}:{port}", service_url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Faulty

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the proxy's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer leave together: apart, the second waits for the acknowledgement of the first.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        """One connection to the service for each one to the proxy."""
        super().setup()
        self._service = http.client.HTTPConnection(urlsplit(self.server.proxy.service_url).netloc, timeout=30)

    def finish(self) -> None:
        """The client is done."""
        self._service.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        operation = target.rpartition(".")[2] if target else parse_qs(body.decode()).get("Action", [""])[0]
        fault = self.server.proxy.fault_for(operation)
        if fault is not None and fault.between is not None:
            fault.between()
        if fault is None or fault.what == WAIT:
            self._answer(*self._forward(body))
            return
        if fault.after:
            self._forward(body)
        if fault.what == DROP:
            self.close_connection = True
            return
        self._answer(*_error(fault.what, json_protocol=target is not None))

    def _forward(self, body: bytes) -> tuple[int, str, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        self._service.request("POST", self.path, body, headers)
        response = self._service.getresponse()
        return response.status, response.headers.get("Content-Type", "text/xml"), response.read()

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        """Say nothing."""


def _error(code: str, *, json_protocol: bool) -> tuple[int, str, bytes]:
    message = f"{code} on order"
    if json_protocol:
        return STATUS[code], "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    text = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
    return STATUS[code], "text/xml", text.encode()
