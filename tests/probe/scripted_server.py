"""A server on loopback that does whatever a script says, down to the bytes, and remembers what it was sent."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Server:
    """A running server.  ``received`` grows in the order of arrival."""

    port: int
    received: list[Received] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Script = Callable[[Received, socket.socket, Server], bool]
"""Answers one request; true keeps the connection."""


def answer(
    status: int,
    body: bytes | str = b"",
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> bytes:
    """A whole, honest HTTP/1.1 answer."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"content-type": content_type, "content-length": str(len(data))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + data


def fixed(data: bytes) -> Script:
    """Always the same bytes."""

    def script(_request: Received, connection: socket.socket, _server: Server) -> bool:
        connection.sendall(data)
        return True

    return script


def broken_off(data: bytes) -> Script:
    """These bytes, then the end of the connection."""

    def script(_request: Received, connection: socket.socket, _server: Server) -> bool:
        connection.sendall(data)
        return False

    return script


def routed(routes: Callable[[Received], bytes]) -> Script:
    """An answer by request."""

    def script(request: Received, connection: socket.socket, _server: Server) -> bool:
        connection.sendall(routes(request))
        return True

    return script


def error(status: int, code: str, message: str, kind: str = "permission_denied_error") -> bytes:
    """An error in the OpenAI envelope."""
    return answer(status, json.dumps({"error": {"code": code, "message": message, "param": None, "type": kind}}))


def reset(_request: Received, connection: socket.socket, _server: Server) -> bool:
    """RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def drip(data: bytes, pause: float = 0.05) -> Script:
    """One byte at a time: every read is quick, the whole never ends."""

    def script(_request: Received, connection: socket.socket, server: Server) -> bool:
        for position in range(len(data)):
            if server.stop.wait(pause):
                return False
            connection.sendall(data[position : position + 1])
        return False

    return script


def endless(_request: Received, connection: socket.socket, server: Server) -> bool:
    """A body without end, as fast as it goes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    while not server.stop.is_set():
        connection.sendall(b"x" * 65536)
    return False


def silent(_request: Received, _connection: socket.socket, server: Server) -> bool:
    """No answer at all."""
    server.stop.wait(20)
    return False


@contextmanager
def serve(script: Script, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run ``script`` on a port of its own until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            thread = threading.Thread(target=_converse, args=(connection, script, server, number, tls), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(2)
        for thread in threads:
            thread.join(2)


def _converse(
    connection: socket.socket, script: Script, server: Server, number: int, tls: ssl.SSLContext | None
) -> None:
    with connection:
        connection.settimeout(20)
        try:
            stream = tls.wrap_socket(connection, server_side=True) if tls else connection
            with stream:
                while (request := _read(stream, number)) is not None:
                    server.received.append(request)
                    if not script(request, stream, server):
                        return
        except OSError:
            return


def _read(connection: socket.socket, number: int) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Received(method, path, headers, body, number)
