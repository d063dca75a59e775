"""Sends planned requests and brings back exchanges, whatever the other side does.  The only module that imports httpx.

Decides nothing about meaning.  Rules: no redirect is followed, no cookie is kept, TLS is verified, proxies of the environment
are honoured, an answer is read up to a bound of bytes and up to a bound of seconds, and a request that fails is an exchange too.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mantle_iam.mantle.exchange import Auth, Exchange, Probe, TransportFailure, TransportFailureKind
from mantle_iam.probe.auth import AwsCredentials, bearer_headers, sigv4_headers
from mantle_iam.probe.plan import ProbeRequest
from mantle_iam.probe.secret import Secret, scrub
from mantle_iam.probe.trust import TrustedHost, check_trust

if TYPE_CHECKING:
    import httpx

MAX_WORKERS = 16
MAX_BODY_BYTES = 1024 * 1024
"""A model list is a few ten thousand bytes; what is longer is cut, and said to be."""
CONNECT_SECONDS = 5.0
"""A host that takes longer to accept a connection is not reachable in any sense that matters to an application."""

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_CHARSETS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252", "utf-16"})


@dataclass(frozen=True, slots=True)
class Keyring:
    """What may be sent, by way of authenticating; all parts wrapped."""

    bearer: Secret | None = None
    aws: AwsCredentials | None = None
    junk: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every value that no text may hold."""
        bearers = tuple(secret for secret in (self.bearer, self.junk) if secret)
        return bearers + (self.aws.secrets if self.aws else ())


class Sender:
    """Sends requests concurrently over kept-alive connections.  Use it as a context manager.

    Each worker thread has a client with a single connection, so that the connection which a late request holds is known and
    can be cut when its time is up: a time limit per read, which is all that the client offers, lets a slow drip go on forever.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        trusted: tuple[TrustedHost, ...] = (),
        timeout: float = 15.0,
        user_agent: str = "mantle-iam",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``timeout``: seconds for one whole exchange.  ``clock``: our time, for ``Exchange.sent_at``."""
        self._keyring = keyring
        self._trusted = trusted
        self._timeout = timeout
        self._user_agent = user_agent
        self._clock = clock
        self._pool = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="probe")
        self._local = threading.local()
        self._clients: list[httpx.Client] = []
        self._workers: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for client in self._clients:
            client.close()

    def use(self, keyring: Keyring) -> None:
        """Send with ``keyring`` from now on; not while :meth:`send` runs."""
        self._keyring = keyring

    def send(self, requests: Sequence[ProbeRequest]) -> tuple[Exchange, ...]:
        """The exchanges of ``requests``, in their order.

        Raises:
            InputError: one of them would take a credential where it may not go, or the key cannot be sent in a header;
                then none of them is sent.
        """
        for request in requests:
            check_trust(request.url, self._trusted)
            self._check_sendable(request)
        return tuple(self._pool.map(self._exchange, requests))

    def abort(self) -> None:
        """Cut every connection, so that a :meth:`send` on another thread ends now.  Nothing can be sent afterwards."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            workers = tuple(self._workers)
        for worker in workers:
            _cut_connection(worker)

    def _check_sendable(self, request: ProbeRequest) -> None:
        key = self._bearer_of(request)
        if key is not None:
            bearer_headers(key)

    def _bearer_of(self, request: ProbeRequest) -> Secret | None:
        if request.auth is Auth.JUNK:
            return self._keyring.junk or Secret("")
        if request.auth is Auth.BEARER:
            return self._keyring.bearer or Secret("")
        return None

    def _exchange(self, request: ProbeRequest) -> Exchange:
        sent_at, started = self._clock(), time.monotonic()
        answer = _Answer()
        try:
            self._fetch(request, answer, started + self._timeout)
        except Exception as error:  # noqa: BLE001, RUF100 - whatever a hostile answer sets off is a failed exchange
            answer.failure = _failure(error, late=answer.late, proxied=is_proxied(request.url))
        return self._record(request, answer, sent_at, time.monotonic() - started)

    def _fetch(self, request: ProbeRequest, answer: _Answer, deadline: float) -> None:
        import httpx

        wire = httpx.Request(
            request.method,
            request.url,
            headers=self._headers(request),
            content=request.body,
            extensions={"timeout": self._limits(), "trace": self._remember_socket},
        )
        watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), self._cut, (answer, self._local.__dict__))
        watchdog.daemon = True
        watchdog.start()
        try:
            response = self._client().send(wire, auth=None, stream=True, follow_redirects=False)
            try:
                answer.status = response.status_code
                answer.headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
                answer.peer = _peer(response)
                _read_body(response.iter_raw(), answer)
            finally:
                response.close()
        finally:
            watchdog.cancel()
        if answer.late:
            raise TimeoutError

    def _cut(self, answer: _Answer, worker: Mapping[str, Any]) -> None:
        answer.late = True
        _cut_connection(worker)

    def _remember_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._local.socket = info["return_value"].get_extra_info("socket")

    def _limits(self) -> dict[str, float]:
        wait = self._timeout
        return {"connect": min(CONNECT_SECONDS, wait), "read": wait, "write": wait, "pool": wait}

    def _client(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._new_client()
            self._local.client = client
            with self._lock:
                self._clients.append(client)
                self._workers.append(self._local.__dict__)
        # An answer's cookies are not ours to keep; `httpx.Request` is built without them, and here they go.
        client.cookies.clear()
        return client

    def _new_client(self) -> httpx.Client:
        """Raises ``_SettingsError`` where the environment names certificates or a proxy that cannot be used."""
        import httpx

        with self._lock:
            if self._context is None:
                try:
                    self._context = httpx.create_ssl_context()
                except OSError as error:
                    names = [f"{name}={os.environ[name]}" for name in _CERTIFICATE_VARIABLES if os.environ.get(name)]
                    detail = f"the certificates cannot be read ({', '.join(names)}): {error}"
                    raise _SettingsError(TransportFailureKind.TLS, detail) from error
        try:
            return httpx.Client(verify=self._context, limits=httpx.Limits(max_connections=1))
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            detail = f"the proxy setting of the environment cannot be used: {error}"
            raise _SettingsError(TransportFailureKind.PROXY, detail) from error

    def _headers(self, request: ProbeRequest) -> dict[str, str]:
        headers = dict(request.headers)
        key = self._bearer_of(request)
        if key is not None:
            headers |= bearer_headers(key)
        elif request.auth is Auth.SIGV4:
            if self._keyring.aws is None:
                raise AssertionError("a signed request was planned without AWS credentials")
            headers = sigv4_headers(
                self._keyring.aws,
                request.method,
                request.url,
                headers,
                request.body,
                request.region,
                request.signing_service,
            )
        # Not signed: proxies alter these.
        return headers | {"accept": "*/*", "accept-encoding": "identity", "user-agent": self._user_agent}

    def _record(self, request: ProbeRequest, answer: _Answer, sent_at: datetime, elapsed: float) -> Exchange:
        secrets = self._keyring.secrets
        signed = request.auth is Auth.SIGV4
        failure = answer.failure
        return Exchange(
            probe=request.probe,
            method=request.method,
            url=request.url,
            auth=request.auth,
            model=request.model,
            project=request.project,
            status=answer.status if failure is None else None,
            headers=tuple((name, scrub(value, secrets)) for name, value in answer.headers) if failure is None else (),
            body=scrub(answer.text(), secrets) if failure is None else "",
            truncated=answer.truncated,
            failure=TransportFailure(failure.kind, scrub(failure.detail, secrets)) if failure else None,
            elapsed=elapsed,
            sent_at=sent_at,
            signing_region=request.region if signed else None,
            signing_service=request.signing_service if signed else None,
            peer=answer.peer,
        )


class _SettingsError(Exception):
    """The environment holds settings with which nothing can be sent."""

    def __init__(self, kind: TransportFailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class _Answer:
    """An answer while it is being read."""

    __slots__ = ("body", "failure", "headers", "late", "peer", "status", "truncated")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.truncated = False
        self.late = False
        self.peer: str | None = None
        self.failure: TransportFailure | None = None

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def text(self) -> str:
        charset = self.header("content-type").lower().partition("charset=")[2].split(";")[0].strip(" \"'")
        return self.body.decode(charset if charset in _CHARSETS else "utf-8", errors="replace")


def _read_body(chunks: Iterator[bytes], answer: _Answer) -> None:
    """Read, decompress and bound the body.  A compressed body is bounded on both sides: a bomb is small before, huge after."""
    coding = answer.header("content-encoding").strip().lower()
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in ("gzip", "x-gzip", "deflate") else None
    parts: list[bytes] = []
    room, raw = MAX_BODY_BYTES, 0
    for chunk in chunks:
        raw += len(chunk)
        piece = inflate.decompress(chunk, room + 1) if inflate else chunk
        parts.append(piece[:room])
        if len(piece) > room or raw > MAX_BODY_BYTES:
            answer.truncated = True
            break
        room -= len(piece)
    answer.body = b"".join(parts)


def _cut_connection(worker: Mapping[str, Any]) -> None:
    """Wake the thread that waits on its connection: closing would not, shutting down does."""
    connection = worker.get("socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _peer(response: httpx.Response) -> str | None:
    stream = response.extensions.get("network_stream")
    address = stream.get_extra_info("server_addr") if stream is not None else None
    return str(address[0]) if isinstance(address, tuple) and address else None


def _failure(error: Exception, *, late: bool, proxied: bool) -> TransportFailure:
    """Which kind of failure ``error`` is, from its type and from what caused it."""
    import httpx

    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    causes = tuple(_causes(error))
    if isinstance(error, _SettingsError):
        return TransportFailure(error.kind, str(error))
    if late or isinstance(error, httpx.TimeoutException | TimeoutError):
        return TransportFailure(TransportFailureKind.TIMEOUT, "no whole answer in time")
    if isinstance(error, httpx.ProxyError) or (proxied and isinstance(error, httpx.ConnectError)):
        return TransportFailure(TransportFailureKind.PROXY, detail)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return TransportFailure(TransportFailureKind.TLS, detail)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return TransportFailure(TransportFailureKind.DNS, detail)
    if isinstance(error, httpx.ConnectError) or any(isinstance(cause, ConnectionError) for cause in causes):
        return TransportFailure(TransportFailureKind.CONNECT, detail)
    return TransportFailure(TransportFailureKind.PROTOCOL, detail)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def is_proxied(url: str) -> bool:
    """Whether the environment sends ``url`` through a proxy, so that its name is not resolved here."""
    split = urlsplit(url)
    proxies = getproxies()
    host = split.hostname or ""
    return bool(proxies.get(split.scheme) or proxies.get("all")) and not proxy_bypass(host)


def resolve(origin: str, timeout: float = CONNECT_SECONDS) -> Exchange:
    """The DNS probe: the address that ``origin``'s host has here, in ``Exchange.peer``.

    A private address means an interface VPC endpoint or a hosts file.  The system's resolver knows no time limit, so it is
    asked on a thread that may be left behind.
    """
    split = urlsplit(origin)
    host, port = split.hostname or "", split.port or (80 if split.scheme == "http" else 443)
    found: list[str] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError(str(error)))

    started = time.monotonic()
    thread = threading.Thread(target=ask, daemon=True, name="probe-dns")
    thread.start()
    thread.join(timeout)
    elapsed = time.monotonic() - started
    if found:
        return Exchange(Probe.DNS, url=origin, auth=Auth.NONE, peer=found[0], elapsed=elapsed)
    kind = TransportFailureKind.DNS if failed else TransportFailureKind.TIMEOUT
    detail = str(failed[0]) if failed else f"no address for {host} in {timeout:g} s"
    return Exchange(Probe.DNS, url=origin, auth=Auth.NONE, failure=TransportFailure(kind, detail), elapsed=elapsed)
