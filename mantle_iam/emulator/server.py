"""The emulated endpoint on a loopback socket: starlette in front of ``app.py``, uvicorn in a thread.

Bounds what is read, delays answers when asked to, turns a stream of events into chunks.  Decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse
from starlette.routing import Route

from mantle_iam.emulator.app import Emulator
from mantle_iam.emulator.http import Request, Response
from mantle_iam.emulator.loopback import loopback_socket

MAX_BODY = 16 * 1024 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Server:
    """A running endpoint."""

    def __init__(self, emulator: Emulator, *, port: int = 0, latency: float = 0.0) -> None:
        """``latency``: seconds that every answer waits.  Raises ``InputError`` when ``port`` is taken."""
        self._emulator = emulator
        self._latency = latency
        self._socket = loopback_socket(port)
        app = Starlette(routes=[Route("/{path:path}", self._serve, methods=METHODS)])
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = Thread(target=self._run, name="emulator", daemon=True)

    @property
    def url(self) -> str:
        """Origin of the endpoint."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to serve; requests sent from now on wait in the socket until the loop runs."""
        self._thread.start()

    def stop(self) -> None:
        """End serving and close the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    async def _serve(self, http: HttpRequest) -> HttpResponse:
        try:
            request = await _read(http)
        except ClientDisconnect:
            return HttpResponse(status_code=400)
        if request is None:
            # Otherwise the rest would be read to its end, if it has one.
            return HttpResponse(status_code=413, headers={"connection": "close"})
        if self._latency:
            await asyncio.sleep(self._latency)
        return _answer(await run_in_threadpool(self._emulator.handle, request))


async def _read(http: HttpRequest) -> Request | None:
    """The request as it was sent; ``None`` when it is too large."""
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    scope: Any = http.scope
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return Request(http.method, path, query, headers, bytes(body))


def _answer(response: Response) -> HttpResponse:
    headers = dict(response.headers)
    if response.events is None:
        return HttpResponse(response.body, response.status, headers)
    return StreamingResponse(_chunks(response.events), response.status, headers)


async def _chunks(events: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in events:
        yield chunk
        # So that a client sees one event after the other, as from a model.
        await asyncio.sleep(0)
