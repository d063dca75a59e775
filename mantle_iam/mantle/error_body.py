"""The error envelopes of the service and of what stands before it: reader and writer.

OpenAI surface ``{"error": {...}}``, Anthropic surface ``{"type": "error", ...}``, Coral ``{"__type": ...}`` or
``{"Message": ...}``, empty, HTML.  What the error means is not known here.

Sources: https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors,
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization,
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from mantle_iam.mantle.literal import Value, read_literal, without_surrogates


class Envelope(StrEnum):
    """The shape of an answer's body."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    CORAL = "coral"
    EMPTY = "empty"
    """No body, or an object without an error (``{}``)."""
    HTML = "html"
    TEXT = "text"
    RESULT = "result"
    """JSON that is no error: a model list, a response …"""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the service wrote it; ``None`` where it says nothing."""

    envelope: Envelope
    message: str | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None


_EMPTY = ErrorBody(Envelope.EMPTY)
_RESULT = ErrorBody(Envelope.RESULT)
_WRAPPINGS = 4
"""How many strings, lists and objects around an envelope are opened."""
_MAX_MESSAGE = 65_536


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


# --- reading ---------------------------------------------------------------------------------------------------------------


def read_error_body(body: str, content_type: str | None = None) -> ErrorBody:
    """Read an answer's body.  Never raises: what is not understood is ``TEXT``."""
    return _read(body.lstrip("\ufeff"), (content_type or "").lower(), _WRAPPINGS)


def _read(body: str, content_type: str, depth: int) -> ErrorBody:
    text = body.strip()
    if not text:
        return _EMPTY
    opening = text[:512].lower()
    if opening.startswith("<"):
        return _read_xml(text) if _is_aws_xml(opening) else _read_html(text, content_type)
    if "event-stream" in content_type or _compiled(r"(?:event|data|id|retry):|:[ \n]").match(opening):
        return _read_sse(text, depth)
    if text[0] in "{[\"'" or text[:2] in ("b'", 'b"'):
        literal = _literal(text)
        if literal is not None:
            return _read_value(literal[0], depth) or _text(text)
    return _text(text)


def _literal(text: str) -> tuple[Value, int] | None:
    """The literal that ``text`` is, cut short or not; not one that more text follows."""
    literal = read_literal(text)
    return literal if literal and not text[literal[1] :].strip(" \t\r\n;.") else None


def _text(text: str) -> ErrorBody:
    return ErrorBody(Envelope.TEXT, message=text[:_MAX_MESSAGE])


def _read_value(value: Value, depth: int) -> ErrorBody | None:
    if value is None or value in ({}, [], ""):
        return _EMPTY if value != [] else _RESULT
    if isinstance(value, str):
        return _read(value, "", depth - 1) if depth else _text(value)
    if isinstance(value, list):
        if len(value) and isinstance(value[0], dict) and depth:
            first = _read_object(value[0], depth - 1)
            return first if first.envelope is not Envelope.EMPTY else _RESULT
        return _RESULT
    if isinstance(value, dict):
        return _read_object(value, depth)
    return None


def _read_object(found: dict[str, Value], depth: int) -> ErrorBody:
    request_id = _string(found.get("request_id") or found.get("requestId") or found.get("RequestId"))
    for wrapper in ("Output", "response", "body"):
        inside = found.get(wrapper)
        if isinstance(inside, dict) and depth and ("__type" in inside or isinstance(inside.get("error"), dict)):
            inner = _read_object(inside, depth - 1)
            return inner if inner.request_id else replace(inner, request_id=request_id)
    error = found.get("error", found.get("Error"))
    if isinstance(error, dict):
        return _read_error(found, error, request_id, depth)
    if isinstance(error, str) and error:
        said = found.get("message") or found.get("error_description") or found.get("detail")
        if isinstance(said, str) and said:
            return ErrorBody(Envelope.OPENAI, said, code=error, request_id=request_id)
        written = _read(error, "", depth - 1) if depth and error.lstrip()[:1] == "{" else _RESULT
        if written.envelope not in (Envelope.TEXT, Envelope.RESULT, Envelope.EMPTY):
            return written if written.request_id else replace(written, request_id=request_id)
        return ErrorBody(Envelope.OPENAI, error, code=_string(found.get("code")), request_id=request_id)
    return _read_flat(found, request_id, depth)


def _read_error(found: dict[str, Value], error: dict[str, Value], request_id: str | None, depth: int) -> ErrorBody:
    """``{"error": {...}}`` of either surface."""
    request_id = request_id or _string(error.get("request_id") or error.get("requestId"))
    nested = error.get("error")
    if isinstance(nested, dict) and depth:
        inner = _read_error(error, nested, request_id, depth - 1)
        return inner if error.get("type") == "error" else replace(inner, envelope=_surface(found))
    message = error.get("message", error.get("Message"))
    if isinstance(message, str) and message.lstrip()[:1] in ("{", "[") and depth:
        inner = _read(message, "", depth - 1)
        if inner.envelope in (Envelope.OPENAI, Envelope.ANTHROPIC, Envelope.CORAL):
            return inner if inner.request_id else replace(inner, request_id=request_id)
    return ErrorBody(
        _surface(found),
        message=_message(message),
        code=_string(error.get("code", error.get("Code", error.get("__type")))),
        type=_string(error.get("type", error.get("status"))),
        param=_string(error.get("param")),
        request_id=request_id,
    )


def _surface(found: dict[str, Value]) -> Envelope:
    return Envelope.ANTHROPIC if found.get("type") == "error" else Envelope.OPENAI


def _read_flat(found: dict[str, Value], request_id: str | None, depth: int) -> ErrorBody:
    """Objects without ``error``: Coral, events of a stream, frameworks' own."""
    name = _string(found.get("__type"))
    message = found.get("message", found.get("Message", found.get("errorMessage")))
    if name is not None:
        short = name.rpartition("#")[2].partition(":")[0]
        return ErrorBody(
            Envelope.CORAL, _message(message), short, name if name != short else None, request_id=request_id
        )
    if found.get("type") == "error" and message is not None:
        code, param = _string(found.get("code")), _string(found.get("param"))
        return ErrorBody(Envelope.OPENAI, _message(message), code, "error", param, request_id)
    if any(key in found for key in ("object", "id", "choices", "data", "output", "content", "models", "input_tokens")):
        return _RESULT
    if isinstance(message, str):
        inner = _read(message, "", depth - 1) if depth and message.lstrip()[:1] == "{" else None
        if inner and inner.envelope in (Envelope.OPENAI, Envelope.ANTHROPIC, Envelope.CORAL):
            return inner
        code = _string(found.get("code", found.get("Code", found.get("errorType", found.get("errorCode")))))
        return ErrorBody(Envelope.CORAL, message, code, request_id=request_id)
    for key in ("detail", "errors", "title", "reason"):
        if found.get(key):
            return ErrorBody(Envelope.TEXT, _message(found[key]), request_id=request_id)
    return _RESULT


def _message(value: Value) -> str | None:
    """A message that may be a string, a structure that holds one, or any other structure."""
    for _ in range(_WRAPPINGS):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, dict):
            inside = next((value[key] for key in ("message", "msg", "text", "detail", "error") if value.get(key)), None)
            if inside is None:
                break
            value = inside
    return _string(value)


def _string(value: Value) -> str | None:
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return without_surrogates(text[:_MAX_MESSAGE])


def _read_sse(text: str, depth: int) -> ErrorBody:
    """The first error event of a stream; ``RESULT`` when there is none."""
    event, data = "", []
    for line in [*text.splitlines(), ""]:
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if colon and name == "event":
            event = value.strip()
        elif colon and name == "data":
            data.append(value)
        elif not line.strip():
            error = _read_event(event, "\n".join(data), depth)
            if error is not None:
                return error
            event, data = "", []
    return _RESULT


def _read_event(event: str, data: str, depth: int) -> ErrorBody | None:
    if not data or data.strip() == "[DONE]" or not ("error" in data or "__type" in data or event == "error"):
        return None
    error = _read(data, "", depth - 1) if depth else _text(data)
    return error if event == "error" or error.envelope not in (Envelope.RESULT, Envelope.EMPTY, Envelope.TEXT) else None


def _is_aws_xml(opening: str) -> bool:
    return any(tag in opening for tag in ("<errorresponse", "<error>", "<response><errors>")) and "<html" not in opening


def _read_xml(text: str) -> ErrorBody:
    """The error of the query protocol (IAM, STS) and of S3."""

    def element(name: str) -> str | None:
        match = _compiled(rf"<{name}>([^<]{{1,8192}})</{name}>").search(text)
        return _unescaped(match[1]) if match else None

    return ErrorBody(
        Envelope.TEXT, element("Message"), element("Code"), request_id=element("RequestId") or element("RequestID")
    )


def _read_html(text: str, content_type: str) -> ErrorBody:
    lowered = text[:2048].lower()
    if "html" not in content_type and not any(
        tag in lowered for tag in ("<!doctype html", "<html", "<head", "<body", "<title")
    ):
        return _text(text)
    found = (
        _compiled(rf"(?i)<{tag}(?:\s[^<>]{{0,500}})?>([^<]{{1,500}})").search(text) for tag in ("title", "h1", "p")
    )
    parts = [" ".join(_unescaped(match[1]).split()) for match in found if match]
    return ErrorBody(Envelope.HTML, " - ".join(dict.fromkeys(part for part in parts if part)) or None)


def _unescaped(text: str) -> str:
    for entity, sign in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, sign)
    return text


# --- writing ---------------------------------------------------------------------------------------------------------------


def write_error_body(error: ErrorBody) -> str:
    """The body as the service writes it.

    Raises:
        ValueError: ``error`` is a ``RESULT``, which is no error.
    """
    if error.envelope is Envelope.RESULT:
        raise ValueError("a result is no error")
    if error.envelope is Envelope.EMPTY:
        return ""
    if error.envelope is Envelope.TEXT:
        return error.message or ""
    if error.envelope is Envelope.HTML:
        title = (error.message or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body></body></html>\n"
    return json.dumps(_object(error), ensure_ascii=False)


def _object(error: ErrorBody) -> dict[str, Value]:
    request_id: dict[str, Value] = {"request_id": error.request_id} if error.request_id is not None else {}
    if error.envelope is Envelope.OPENAI:
        inside = {"code": error.code, "message": error.message, "param": error.param, "type": error.type}
        return {"error": inside, **request_id}
    if error.envelope is Envelope.ANTHROPIC:
        more = {key: value for key, value in (("code", error.code), ("param", error.param)) if value is not None}
        return {"type": "error", **request_id, "error": {"type": error.type, "message": error.message, **more}}
    name = error.type or error.code
    return {**({"__type": name} if name else {}), "message": error.message, **request_id}
