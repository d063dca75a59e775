"""JSON that holds exchanges: CloudTrail records, status documents, log records, bodies.

Knows the fields of CloudTrail (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html)
and of common log writers, not what an error means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from mantle_iam.mantle.error_body import Envelope, read_error_body
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.literal import Value

ReadText = Callable[[str], tuple[Exchange, ...]]
"""The transcript reader itself, for the strings inside."""

Object = dict[str, Value]

_MAX_STRINGS = 2_000
_ERRORS = (Envelope.OPENAI, Envelope.ANTHROPIC, Envelope.CORAL)
_LOG_FIELDS = frozenset(
    {
        "level",
        "severity",
        "timestamp",
        "time",
        "ts",
        "@timestamp",
        "logger",
        "log",
        "event",
        "exc_info",
        "caller",
        "stream",
    }
)
_STATUS_FIELDS = ("status", "statusCode", "status_code", "http_status", "httpStatusCode", "http.status_code", "code")
_URL_FIELDS = ("url", "request_url", "requestUrl", "uri", "http.url")
_METHOD_FIELDS = ("method", "http_method", "requestMethod", "http.method")
_BODY_FIELDS = ("body", "response", "responseBody", "response_body", "error")


def read_value(value: Value, source: str, read_text: ReadText) -> tuple[Exchange, ...]:
    """The exchanges in a JSON document; ``source`` is its text."""
    records = list(_cloudtrail(value))
    if records:
        many = len(records) > 1
        found = (
            _record(item, f"CloudTrail record {n}" if many else "CloudTrail record")
            for n, item in enumerate(records, 1)
        )
        return tuple(exchange for exchange in found if exchange is not None)
    if isinstance(value, dict):
        archive = value.get("log")
        if isinstance(archive, dict) and isinstance(archive.get("entries"), list):
            return tuple(
                _entry(entry) for entry in archive["entries"] if isinstance(entry, dict) and "response" in entry
            )
        log = _LOG_FIELDS.intersection(value) or any(isinstance(value.get(name), str) for name in _URL_FIELDS)
        if not log and read_error_body(source).envelope in _ERRORS:
            return (Exchange(body=source, status=_status(value)),)
        if log:
            return _log_record(value, read_text)
    inside = [exchange for text in _strings(value) for exchange in read_text(text)]
    if inside:
        return tuple(dict.fromkeys(inside))
    error = read_error_body(source)
    empty = error.envelope is Envelope.EMPTY and value == {}
    return (Exchange(body=source),) if error.envelope in _ERRORS or empty else ()


def _strings(value: Value) -> Iterator[str]:
    """Every string in ``value``, in order; bounded."""
    waiting: list[Value] = [value]
    count = 0
    while waiting and count < _MAX_STRINGS:
        item = waiting.pop()
        if isinstance(item, str):
            # A single word tells nothing that its object does not.
            if not re.fullmatch(r"[\w.:/-]{0,200}", item):
                count += 1
                yield item
        elif isinstance(item, dict):
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


# --- log records -----------------------------------------------------------------------------------------------------------


def _log_record(value: Object, read_text: ReadText) -> tuple[Exchange, ...]:
    status = _status(value)
    url = _first(value, _URL_FIELDS)
    method = _first(value, _METHOD_FIELDS)
    method = method if method and re.fullmatch(r"[A-Z]{3,7}", method) else None
    url = url if url and url.startswith(("http://", "https://")) else None
    body = next((_text(value[name]) for name in _BODY_FIELDS if value.get(name) not in (None, "")), None)
    if body is not None and read_error_body(body).envelope in _ERRORS:
        return (Exchange(method=method, url=url, status=status, body=body),)
    inside = tuple(dict.fromkeys(exchange for text in _strings(value) for exchange in read_text(text)))
    if inside:
        return tuple(
            exchange
            if exchange.failure
            else replace(
                exchange,
                method=exchange.method or method,
                url=exchange.url or url,
                status=exchange.status if exchange.status is not None else status,
            )
            for exchange in inside
        )
    if status is not None and (url is not None or status >= 400):
        return (Exchange(method=method, url=url, status=status, body=body or _first(value, ("message", "msg")) or ""),)
    return ()


def _status(value: Object) -> int | None:
    for name in _STATUS_FIELDS:
        status = value.get(name)
        if isinstance(status, str) and re.fullmatch(r"[1-5][0-9]{2}", status):
            return int(status)
        if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
            return status
    return None


def _first(value: Object, names: tuple[str, ...]) -> str | None:
    return next((found for name in names if isinstance(found := value.get(name), str) and found), None)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _entry(entry: Object) -> Exchange:
    """One entry of an HTTP archive (HAR 1.2)."""
    request, response = entry.get("request"), entry.get("response")
    request = request if isinstance(request, dict) else {}
    response = response if isinstance(response, dict) else {}
    content = response.get("content")
    sent = {name.lower(): text for name, text in _pairs(request.get("headers"))}
    bearer = "x-api-key" in sent or sent.get("authorization", "").lower().startswith("bearer")
    signed = sent.get("authorization", "").startswith("AWS4-")
    return Exchange(
        method=_first(request, ("method",)),
        url=_first(request, ("url",)),
        auth=Auth.BEARER if bearer else Auth.SIGV4 if signed else Auth.NONE if sent else Auth.UNKNOWN,
        project=sent.get("openai-project") or sent.get("anthropic-workspace"),
        status=_status(response),
        headers=tuple(_pairs(response.get("headers"))),
        body=(_first(content, ("text",)) or "") if isinstance(content, dict) else "",
    )


def _pairs(value: Value) -> Iterator[tuple[str, str]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str):
            yield item["name"], item["value"]


# --- CloudTrail ------------------------------------------------------------------------------------------------------------


def _cloudtrail(value: Value) -> Iterator[Object]:
    """The records in a log file, a ``lookup-events`` answer, an EventBridge event, a list, or alone."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _cloudtrail(item)
        return
    if not isinstance(value, dict):
        return
    if isinstance(value.get("eventSource"), str) and isinstance(value.get("eventName"), str):
        yield value
        return
    for name in ("Records", "Events", "events"):
        if isinstance(value.get(name), list):
            yield from _cloudtrail(value[name])
    detail = value.get("detail")
    if isinstance(detail, dict) and "eventName" in detail:
        yield from _cloudtrail(detail)
    written = value.get("CloudTrailEvent", value.get("message") if "logStreamName" in value else None)
    if isinstance(written, str) and written.lstrip().startswith("{"):
        try:
            yield from _cloudtrail(json.loads(written))
        except (ValueError, RecursionError):
            return


def _record(record: Object, source: str) -> Exchange | None:
    """One record as an exchange; ``None`` for a success of a service that is not Bedrock."""
    service = _first(record, ("eventSource",)) or ""
    code, message = _first(record, ("errorCode",)), _first(record, ("errorMessage",))
    if code is None and not service.startswith("bedrock-mantle"):
        return None
    found = record.get("requestParameters")
    parameters = found if isinstance(found, dict) else {}
    more = record.get("additionalEventData")
    bearer = parameters.get("callWithBearerToken", more.get("callWithBearerToken") if isinstance(more, dict) else None)
    identity = record.get("userIdentity")
    request_id = _first(record, ("requestID",))
    body = json.dumps({"__type": code, **({"message": message} if message else {})}, ensure_ascii=False) if code else ""
    return Exchange(
        auth=Auth.BEARER if bearer in (True, "true") else Auth.SIGV4 if bearer in (False, "false") else Auth.UNKNOWN,
        model=_first(parameters, ("model", "modelId", "model_id")),
        project=_first(parameters, ("project_id", "projectId", "project")),
        # A record without an error code is that of a call that succeeded; CloudTrail keeps no status.
        status=None if code else 200,
        headers=(("x-request-id", request_id),) if request_id else (),
        body=body,
        sent_at=_time(_first(record, ("eventTime",))),
        source=source,
        hint_operation=_first(record, ("eventName",)),
        region=_first(record, ("awsRegion",)),
        principal=_first(identity, ("arn",)) if isinstance(identity, dict) else None,
    )


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None
