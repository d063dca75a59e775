"""One exchange, read once: its envelope, its denial sentences, its route, its words.  Rules judge; nothing is judged here.

Must not know what an answer means: that is for ``rules`` and ``differential``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from mantle_iam.errors import InputError
from mantle_iam.mantle.denial import Denial, find_denials
from mantle_iam.mantle.endpoint import Endpoint, parse_call_url
from mantle_iam.mantle.error_body import Envelope, ErrorBody, read_error_body
from mantle_iam.mantle.exchange import Auth, Exchange, Probe
from mantle_iam.mantle.operations import Operation, match_operation, operation_named, operations_needing

_WORDS = 32_768
"""Characters of an answer that are searched for known wordings; the service's own errors have a few hundred."""
_QUOTE = 480
"""Longest quotation in a piece of evidence."""


_SDK_CALLS: Final[dict[str, str]] = {
    "models.list": "list-models",
    "models.retrieve": "get-model",
    "responses.create": "create-response",
    "responses.stream": "create-response",
    "responses.parse": "create-response",
    "responses.retrieve": "get-response",
    "responses.cancel": "cancel-response",
    "responses.delete": "delete-response",
    "chat.completions.create": "create-chat-completion",
    "chat.completions.stream": "create-chat-completion",
    "chat.completions.parse": "create-chat-completion",
    "beta.chat.completions.parse": "create-chat-completion",
    "embeddings.create": "create-embedding",
    "messages.create": "create-message",
    "messages.stream": "create-message",
    "messages.count_tokens": "count-tokens",
    "messages.countTokens": "count-tokens",
    "files.list": "list-files",
    "files.create": "create-file",
    "files.retrieve": "get-file",
    "files.content": "get-file-content",
    "files.delete": "delete-file",
    "fine_tuning.jobs.list": "list-fine-tuning-jobs",
    "fine_tuning.jobs.create": "create-fine-tuning-job",
    "fine_tuning.jobs.retrieve": "get-fine-tuning-job",
}
"""Calls of the OpenAI and Anthropic SDKs, as a traceback shows them, and the operation that they mean."""


class Answered(StrEnum):
    """What came back, as coarsely as the differential table needs it."""

    RESULT = "result"
    AFTER_AUTHORIZATION = "refused after authorisation"
    """A 400 of which is known that it comes after authorisation."""
    DENIED = "denied, and the sentence says what"
    HIDDEN = "denied, without a sentence"
    BARE_404 = "404 without an error object"
    NOT_FOUND = "404 that names a thing"
    AUTHENTICATION_REQUIRED = "authentication required"
    INVALID_CREDENTIAL = "credential refused"
    CREDENTIAL_PROBLEM = "credential refused, and the words say why"
    WRONG_ROUTE = "wrong route, in words"
    UNAVAILABLE_TO_ACCOUNT = "not available to the account"
    REJECTED = "request refused"
    THROTTLED = "throttled"
    FAILED = "service failure"
    TIMED_OUT = "no answer in time"
    NO_ANSWER = "no answer"
    OTHER_SERVICE = "something else answered"
    UNREADABLE = "not understood"
    LISTED = "the list holds the model"
    BARE_ID_LISTED = "the list holds the model under its bare id"
    NOT_LISTED = "the list does not hold the model"


CONTROLS = frozenset((Probe.BARE, Probe.JUNK))
"""Probes that are meant to be refused: they say something about the others, nothing about the principal."""

FREE_INFERENCE = frozenset((Probe.INFER_FREE, Probe.INFER_FREE_2))


@dataclass(frozen=True, slots=True)
class Observation:
    """An exchange and what is read from it without judging."""

    index: int
    exchange: Exchange
    error: ErrorBody
    denials: tuple[Denial, ...]
    endpoint: Endpoint | None
    path: str | None
    """Path of the URL, without a query."""
    operation: Operation | None
    words: str
    """Everything that was said, folded for comparison: lower case, straight apostrophes, single spaces."""

    @property
    def label(self) -> str:
        """How evidence names this exchange: ``GET /v1/models -> 404``."""
        exchange = self.exchange
        if exchange.failure is not None:
            answer = exchange.failure.kind.value
        else:
            answer = str(exchange.status) if exchange.status is not None else "answer"
        if self.path is None or (self.path == "/" and exchange.method is None):
            name = self.host or exchange.source or "the pasted text"
            return name if exchange.status is None and exchange.failure is None else f"{name}: {answer}"
        how = {Auth.NONE: " without a credential", Auth.JUNK: " with an invalid key"}.get(exchange.auth, "")
        return f"{exchange.method or 'request'} {self.path}{how} -> {answer}"

    @property
    def quote(self) -> str:
        """The words received, fit for a quotation."""
        exchange = self.exchange
        if exchange.failure is not None:
            return shorten(exchange.failure.detail) or f"no answer ({exchange.failure.kind.value})"
        if self.denials:
            return shorten(self.denials[0].text)
        if self.error.message:
            return shorten(self.error.message)
        if self.error.envelope is Envelope.EMPTY:
            return "no error object"
        return shorten(exchange.body) or "an empty body"

    @property
    def success(self) -> bool:
        """A 2xx answer (or a pasted result) without an error in it."""
        if self.exchange.failure is not None or self.error.envelope is Envelope.HTML:
            return False
        status = self.exchange.status
        if self.error.envelope in {Envelope.RESULT, Envelope.EMPTY, Envelope.TEXT}:
            if status is None:
                return self.error.envelope is Envelope.RESULT
            return 200 <= status < 300
        return False

    @property
    def control(self) -> bool:
        """Sent without a credential or with an invalid one on purpose."""
        return self.exchange.probe in CONTROLS or self.exchange.auth is Auth.JUNK

    @property
    def host(self) -> str | None:
        """Host of the URL."""
        return self.endpoint.host if self.endpoint else None

    @property
    def region(self) -> str | None:
        """Region that the request went to, by its host or else by its signature."""
        if self.endpoint and self.endpoint.region:
            return self.endpoint.region
        return self.exchange.signing_region or self.exchange.region


def observe(index: int, exchange: Exchange) -> Observation:
    """Read ``exchange``.  Never raises."""
    endpoint, path = _place(exchange.url)
    error = read_error_body(exchange.body, exchange.header("content-type"))
    observation = Observation(
        index=index,
        exchange=exchange,
        error=error,
        denials=(),
        endpoint=endpoint,
        path=path,
        operation=_operation(exchange, path),
        words="",
    )
    if observation.success:
        # What a model answered may hold any words; they are not the service's.
        return observation
    text = _said(exchange)
    denials = find_denials(text) if _may_deny(text) else ()
    return Observation(
        index, exchange, error, denials, endpoint, path, observation.operation, fold(_searched(exchange, error))
    )


def fold(text: str) -> str:
    """``text`` as wordings are compared: lower case, straight apostrophes and quotation marks, single spaces."""
    plain = text[:_WORDS].replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"')
    return " ".join(plain.lower().split())


def shorten(text: str, limit: int = _QUOTE) -> str:
    """``text`` in one line, cut at ``limit`` characters."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _place(url: str | None) -> tuple[Endpoint | None, str | None]:
    if not url:
        return None, None
    if url.startswith("/"):
        return None, url.partition("?")[0]
    try:
        endpoint = parse_call_url(url)
        return endpoint, urlsplit(url).path or "/"
    except (InputError, ValueError):
        return None, None


def _operation(exchange: Exchange, path: str | None) -> Operation | None:
    if path is not None:
        return match_operation(exchange.method or "GET", path)
    hint = exchange.hint_operation
    if not hint:
        return None
    named = operation_named(_SDK_CALLS.get(hint, hint))
    # CloudTrail's event name is the action's name.
    return named or next(iter(operations_needing(f"bedrock-mantle:{hint}")), None)


def _said(exchange: Exchange) -> str:
    parts = [exchange.body]
    if exchange.failure is not None:
        parts.append(exchange.failure.detail)
    return "\n".join(part for part in parts if part)


def _searched(exchange: Exchange, error: ErrorBody) -> str:
    parts = [error.code, error.type, error.message]
    # Only where the envelope was not understood is the raw text searched: an understood one has said what it says.
    if error.message is None or error.envelope in {Envelope.TEXT, Envelope.HTML}:
        parts.append(exchange.body[:_WORDS])
    if exchange.failure is not None:
        parts.append(exchange.failure.detail)
    parts.extend(value for name, value in exchange.headers if name in {"www-authenticate", "x-amzn-errortype"})
    return "\n".join(part for part in parts if part)


def _may_deny(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in ("authorized", "authorised", "explicit deny", "permission", "allows the"))
