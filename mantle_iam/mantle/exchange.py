"""One request and its answer, or the failure to get one.  What the answer means is not known here.

Exchanges come from probes, pasted text, recordings.  Secrets are taken out when a record is made (``redaction.py``), so that
no later reader can print one.  Words: RFC 9110.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mantle_iam.mantle.literal import without_surrogates
from mantle_iam.mantle.redaction import redact


class Auth(StrEnum):
    """How a request was authenticated."""

    NONE = "none"
    BEARER = "bearer"
    SIGV4 = "sigv4"
    JUNK = "junk"
    """A well-formed, certainly invalid bearer token, sent as a control."""
    UNKNOWN = "unknown"


class Probe(StrEnum):
    """The probes of the differential table; ``PASTED`` and ``OPERATION`` for what did not come from one of them."""

    OFFLINE = "offline"
    DNS = "dns"
    TLS = "tls"
    BARE = "bare"
    JUNK = "junk"
    LIST = "list"
    GET = "get"
    OTHER_PATH = "other-path"
    NO_PROJECT = "no-project"
    INFER_FREE = "infer-free"
    INFER_FREE_2 = "infer-free-2"
    SIGV4 = "sigv4"
    BEARER = "bearer"
    OTHER_REGION = "other-region"
    RUNTIME = "runtime"
    AGAIN = "again"
    READ_POLICIES = "read-policies"
    INFER = "infer"
    OPERATION = "operation"
    PASTED = "pasted"


class TransportFailureKind(StrEnum):
    """Why no answer came."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROXY = "proxy"
    PROTOCOL = "protocol"
    """What came back was not HTTP, or broke off."""


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """A request that got no (whole) answer.  ``detail`` is the client's own text."""

    kind: TransportFailureKind
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", redact(self.detail))


_SECRET_FIELDS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-amz-security-token"}
)


def _field(name: str, value: str) -> str:
    """A header's value without its secret; the name tells what the value alone does not."""
    redacted = redact(f"{name}: {value}").removeprefix(f"{name}: ")
    if name.lower() in _SECRET_FIELDS and "…" not in redacted and "AWS4-HMAC" not in value:
        return "…"
    return redacted


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    What is not known (a pasted body has no URL) is ``None``; ``status`` is ``None`` exactly when there was no answer or it is
    not known.  Header names are lower-case.  ``body`` is decoded text, cut at a bound (``truncated``).
    """

    probe: Probe = Probe.PASTED
    method: str | None = None
    url: str | None = None
    """Full URL without credentials."""
    auth: Auth = Auth.UNKNOWN
    model: str | None = None
    """Model id that the request named, exactly as sent."""
    project: str | None = None
    """Project that the request's header named; ``None`` means the default project."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    truncated: bool = False
    failure: TransportFailure | None = None
    elapsed: float | None = None
    """Seconds from sending to the end of the answer."""
    sent_at: datetime | None = None
    """Our clock, with a time zone."""
    signing_region: str | None = None
    signing_service: str | None = None
    """The SigV4 scope that was signed, for ``Auth.SIGV4``."""
    peer: str | None = None
    """IP address that answered."""
    source: str | None = None
    """Where a pasted exchange stood: ``line 12``, ``CloudTrail record 3``."""
    hint_operation: str | None = None
    """The client's call where no URL is visible: ``models.list`` of a traceback, ``CreateInference`` of a CloudTrail record."""
    region: str | None = None
    """Region where it is told otherwise than by the URL or the signing scope."""
    principal: str | None = None
    """ARN of the caller where the source tells it (CloudTrail's ``userIdentity``)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", redact(self.url) if self.url else self.url)
        object.__setattr__(self, "body", redact(without_surrogates(self.body)))
        object.__setattr__(self, "headers", tuple((name.lower(), _field(name, value)) for name, value in self.headers))

    def header(self, name: str) -> str | None:
        """The first answer header ``name``, or ``None``."""
        return next((value for key, value in self.headers if key == name.lower()), None)
