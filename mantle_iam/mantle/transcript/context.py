"""What stands around an error: the call in a traceback, the command line, the model, the way of authenticating.

Nothing is invented: a URL is put together only from a base URL and a call that both stand in the text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.transcript.found import compiled

_WINDOW = 16_384
"""Characters before an error in which its traceback is looked for."""

# The client's call -> method and path below the base URL, as the OpenAI and Anthropic SDKs send them.
_CALLS: dict[str, tuple[str, str]] = {
    "models.list": ("GET", "/models"),
    "models.retrieve": ("GET", "/models/{id}"),
    "responses.create": ("POST", "/responses"),
    "responses.stream": ("POST", "/responses"),
    "responses.parse": ("POST", "/responses"),
    "responses.retrieve": ("GET", "/responses/{id}"),
    "responses.cancel": ("POST", "/responses/{id}/cancel"),
    "responses.delete": ("DELETE", "/responses/{id}"),
    "chat.completions.create": ("POST", "/chat/completions"),
    "chat.completions.stream": ("POST", "/chat/completions"),
    "chat.completions.parse": ("POST", "/chat/completions"),
    "beta.chat.completions.parse": ("POST", "/chat/completions"),
    "embeddings.create": ("POST", "/embeddings"),
    "messages.create": ("POST", "/messages"),
    "messages.stream": ("POST", "/messages"),
    "messages.count_tokens": ("POST", "/messages/count_tokens"),
    "messages.countTokens": ("POST", "/messages/count_tokens"),
    "files.list": ("GET", "/files"),
    "files.create": ("POST", "/files"),
    "files.retrieve": ("GET", "/files/{id}"),
    "files.content": ("GET", "/files/{id}/content"),
    "files.delete": ("DELETE", "/files/{id}"),
    "fine_tuning.jobs.list": ("GET", "/fine_tuning/jobs"),
    "fine_tuning.jobs.create": ("POST", "/fine_tuning/jobs"),
    "fine_tuning.jobs.retrieve": ("GET", "/fine_tuning/jobs/{id}"),
}
_CALL = (
    r"\b((?:beta\.)?(?:chat\.completions|fine_tuning\.jobs|models|responses|embeddings|messages|files)"
    r"\.(?:with_raw_response\.|with_streaming_response\.)?[a-zA-Z_]{3,16})\s?\("
)
_BASE = (
    r"""(?i)(?:base_?url|api_?base|OPENAI_BASE_URL|BEDROCK_MANTLE_API_BASE|AWS_BEDROCK_BASE_URL|"""
    r"""ANTHROPIC_BEDROCK_MANTLE_BASE_URL|endpoint)["']?\s{0,4}[:=]\s{0,4}["']?(https?://[^\s"'`,)}\]<>]{4,400})"""
)
_MODEL = r"""\bmodel(?:_?[iI]d)?\\?["']?\s{0,3}[:=]\s{0,3}\\?["']([A-Za-z0-9][\w.:/@-]{1,127})\\?["']"""
_PROJECT = r"""(?i)\b(?:OpenAI-Project|anthropic-workspace)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{1,80})"""
_REFUSED_MODEL = r"""(?i)\bmodels?:? [`'"\u2018]([A-Za-z0-9][\w.:/@-]{1,127})[`'"\u2019]"""
_SIGV4_SCOPE = r"""Credential=[A-Z0-9]{4,128}/[0-9]{8}/([a-z0-9-]{1,40})/([a-z0-9-]{1,40})/aws4_request"""
_SIGV4_OPTION = r"""--aws-sigv4[ =]["']?aws:amz(?::([a-z0-9-]{1,40}))?(?::([a-z0-9-]{1,40}))?"""
_BEARER = r"""(?i)\b(?:authorization["']?\s{0,3}[:=,]\s{0,3}b?["']?bearer\b|x-api-key["']?\s{0,3}[:=])"""


@dataclass(frozen=True, slots=True)
class Request:
    """What the text tells of one request."""

    method: str | None = None
    url: str | None = None
    auth: Auth = Auth.UNKNOWN
    model: str | None = None
    project: str | None = None
    signing_region: str | None = None
    signing_service: str | None = None


def with_request(exchange: Exchange, request: Request) -> Exchange:
    """``exchange`` with what ``request`` tells and the exchange does not."""
    return replace(
        exchange,
        method=exchange.method or request.method,
        url=exchange.url or request.url,
        auth=request.auth if exchange.auth is Auth.UNKNOWN else exchange.auth,
        model=exchange.model or request.model,
        project=exchange.project or request.project,
        signing_region=exchange.signing_region or request.signing_region,
        signing_service=exchange.signing_service or request.signing_service,
    )


def request_of_head(text: str) -> Request:
    """What headers and a body (of a request, or of a command line) tell."""
    auth, region, service = Auth.UNKNOWN, None, None
    option = compiled(_SIGV4_OPTION).search(text)
    scope = compiled(_SIGV4_SCOPE).search(text)
    if option or scope:
        auth = Auth.SIGV4
        region, service = option.groups() if option else scope.groups() if scope else (None, None)
    elif compiled(_BEARER).search(text):
        auth = Auth.BEARER
    model = compiled(_MODEL).search(text)
    project = compiled(_PROJECT).search(text)
    return Request(
        auth=auth,
        model=model[1] if model else None,
        project=project[1] if project else None,
        signing_region=region,
        signing_service=service,
    )


def request_of_command(text: str) -> Request | None:
    """The last ``curl`` (or ``awscurl``, ``wget``, ``http``) command in ``text``; ``None`` when there is none."""
    starts = [
        match.start() for match in compiled(r"(?m)(?:^|[$%#>;|&]\s{0,3}|\s)(?:aws)?curl\s|\bwget\s").finditer(text)
    ]
    if not starts:
        return None
    command = _logical_line(text[starts[-1] :].lstrip())
    url = compiled(r"""https?://[^\s"'`\\<>]{4,2000}""").search(command)
    told = request_of_head(command)
    method = compiled(r"""(?:-X|--request)[ =]?["']?([A-Z]{3,7})\b""").search(command)
    sends = compiled(r"""\s(?:-d|--data(?:-raw|-binary|-urlencode|-ascii)?|--json|-F|--form)[\s='"@]""").search(command)
    heads = compiled(r"\s(?:-I|--head)\b").search(command)
    name = method[1] if method else "POST" if sends else "HEAD" if heads else "GET"
    return replace(told, method=name, url=url[0] if url else None)


def _logical_line(text: str) -> str:
    """The command at the start of ``text``: to the end of its line, continued behind backslashes and in open quotes."""
    lines: list[str] = []
    for line in text.split("\n", 64)[:64]:
        lines.append(line)
        whole = "\n".join(lines)
        if not line.rstrip().endswith(("\\", "`", "^")) and whole.count("'") % 2 == 0:
            return whole
    return lines[0] if lines else ""


def with_traceback(exchange: Exchange, text: str, start: int, floor: int) -> Exchange:
    """``exchange`` with the call, the model and the base URL that stand before it (back to ``floor``)."""
    if exchange.method and exchange.url and exchange.model:
        return exchange
    window = text[max(floor, start - _WINDOW) : start]
    calls = compiled(_CALL).findall(window)
    names = [name.replace("with_raw_response.", "").replace("with_streaming_response.", "") for name in calls]
    name = next((name for name in reversed(names) if name in _CALLS), None)
    method, path = _CALLS[name] if name else (None, None)
    url = exchange.url
    if url is None and path and "{" not in path:
        bases = {base.rstrip("/") for base in compiled(_BASE).findall(window)}
        url = bases.pop() + path if len(bases) == 1 else None
    models = set(compiled(_MODEL).findall(window))
    refused = compiled(_REFUSED_MODEL).search(exchange.body[:4096])
    model = refused[1] if refused else models.pop() if len(models) == 1 and method != "GET" else None
    if exchange.url and name and not _serves(exchange.url, path):
        name, method = None, None
    told = {
        "method": exchange.method or method,
        "url": url,
        "model": exchange.model or model,
        "hint_operation": exchange.hint_operation or name,
    }
    # Making an exchange costs a redaction; most have nothing new to be told.
    changed = any(getattr(exchange, field) != value for field, value in told.items())
    return replace(exchange, **told) if changed else exchange  # type: ignore[arg-type]


def _serves(url: str, path: str | None) -> bool:
    """Whether ``url`` is one that the call with this path was sent to."""
    tail = (path or "").split("/{", 1)[0]
    return tail in url
