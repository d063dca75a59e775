"""Errors as SDKs, command lines and log writers put them into a sentence.

A table of forms: each knows where the status, the URL, the request id and the body stand.  What the error means is not known
here.  Forms are read off the printed output of the clients that they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mantle_iam.mantle.exchange import Exchange
from mantle_iam.mantle.literal import Value, read_literal
from mantle_iam.mantle.transcript.found import Found, compiled, line_end, line_start

_STATUS_OF_CLASS = {
    "BadRequest": 400,
    "Authentication": 401,
    "PermissionDenied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "UnprocessableEntity": 422,
    "RateLimit": 429,
}
_URL = r"(?P<url>https?://[^\s\"'`<>)}\],]{4,2000})"
_MAX_BODY = 65_536
_MAX_MESSAGE = 8_192


@dataclass(frozen=True, slots=True)
class _Form:
    """One form of sentence.  Tried only where one of ``hints`` is in the text."""

    hints: tuple[str, ...]
    pattern: str
    body: str = "after"
    """``after`` the match, ``before`` it, ``coral`` (named groups ``code`` and ``message``) …: a key of ``_READERS``."""
    weak: bool = False


# The first form that reads a part of the text keeps it: exact forms come before loose ones.
_FORMS: tuple[_Form, ...] = (
    # httpx, as openai and anthropic log it
    _Form(
        ("HTTP Request: ",),
        rf'HTTP Request: (?P<method>[A-Z]{{3,7}}) {_URL} "HTTP/[0-9.]{{1,3}} (?P<status>[1-5][0-9]{{2}})[^"\n]{{0,60}}"',
        body="none",
    ),
    # urllib3's debug line
    _Form(
        ('HTTP/1.1" ',),
        r'(?P<url>https?://[^\s"]{4,300}) "(?P<method>[A-Z]{3,7}) (?P<path>/\S{0,1000}) HTTP/1\.[01]" '
        r"(?P<status>[1-5][0-9]{2}) (?:[0-9]{1,12}|None)",
        body="none",
    ),
    # openai and anthropic (Python), also inside litellm and LangChain
    _Form(("Error code: ",), r"(?:(?:\w{1,40}\.){0,6}\w{1,60}: )?Error code: (?P<status>[1-5][0-9]{2})(?: - )?"),
    # notes of a trial: the request, and behind an arrow the answer
    _Form(
        ("\u2192 ", "-> ", "=> "),
        r"(?P<method>GET|POST|PUT|DELETE|PATCH) (?P<url>(?:https?://|/|(?=[\w.-]{1,80}\.api\.aws/))[^\s\"'`<>)}\],]{3,2000})"
        r"(?:[ \t]{0,12}|[ \t][^\n]{0,300}?|[^\n]{0,300}+\n(?:[^\n]{0,300}+\n)?[ \t]{0,8})(?:\u2192|->|=>) "
        r"(?:HTTP )?(?P<status>[1-5][0-9]{2})\b",
    ),
    # codex
    _Form(("unexpected status ",), r"unexpected status (?P<status>[1-5][0-9]{2})(?: [A-Z][A-Za-z -]{2,40}?)?(?:: |, )"),
    # Claude Code
    _Form(("API Error",), r"API Error(?:: | \()(?P<status>[1-5][0-9]{2})\)?:? ?"),
    # botocore, the AWS CLI, boto3
    _Form(
        ("An error occurred (",),
        r"An error occurred \((?P<code>[\w.:-]{1,80})\) when calling the (?P<op>\w{1,80}) operation"
        r"(?: \([^()\n]{0,80}\))?: (?P<message>[^\n]{0,8192}(?:\n(?![ \t]*\n|Traceback|  File |\[|\$ )[^\n]{1,400}){0,12})",
        body="coral",
    ),
    # AWS SDK for Go
    _Form(
        ("operation error ",),
        r"operation error (?P<service>[\w ]{1,60}): (?P<op>\w{1,80}), https response error StatusCode: (?P<status>[0-9]{1,3}), "
        r"RequestID: (?P<request_id>[\w-]{0,80}), (?:api error )?(?P<code>\w{1,80}): (?P<message>[^\n]{0,8192})",
        body="coral",
    ),
    # AWS SDK for Java, also as CloudFormation and AgentCore pass it on
    _Form(
        ("(Service: ",),
        r"\(Service: (?P<service>[^,;()\n]{1,80})[,;] Status Code: (?P<status>[0-9]{3})"
        r"(?:[,;] Error Code: (?P<code>[\w.]{1,80}))?"
        r"(?:[,;] (?:Request ID|RequestID): (?P<request_id>[\w-]{0,80}))?[^()\n]{0,200}+\)",
        body="before",
    ),
    # openai-go
    _Form(
        ('": 4', '": 5'),
        rf'(?P<method>GET|POST|PUT|DELETE|PATCH) "{_URL}": (?P<status>[45][0-9]{{2}}) (?:[A-Z][A-Za-z ]{{2,40}})?',
    ),
    # httpx, requests, reqwest, aiohttp
    _Form(
        ("error '",),
        rf"(?:Client|Server) error '(?P<status>[45][0-9]{{2}})[^'\n]{{0,60}}' for url '{_URL}'",
        body="none",
    ),
    _Form(
        ("for url: ",),
        rf"(?P<status>[45][0-9]{{2}}) (?:Client|Server) Error: [^\n]{{0,80}}? ?for url: {_URL}",
        body="none",
    ),
    _Form(
        ("HTTP status ",),
        rf"HTTP status (?:client|server) error \((?P<status>[45][0-9]{{2}})[^()\n]{{0,60}}\) for url \({_URL}\)",
        body="none",
    ),
    _Form(
        ("message='",),
        rf"(?P<status>[45][0-9]{{2}}), message='[^'\n]{{0,200}}', url=(?:URL\()?'{_URL}'\)?",
        body="none",
    ),
    # Vercel AI SDK
    _Form(("responseBody",), r"(?P<klass>AI_APICallError|APICallError)\b(?![^\n]{0,300}APICallError)", body="inspect"),
    # openai and anthropic (JavaScript): `PermissionDeniedError: 403 message`, then an inspected object
    _Form(
        ("Error: 4", "Error: 5"),
        r"(?P<klass>\w{0,40}Error): (?P<status>[45][0-9]{2})(?: status code \(no body\))?(?=[ \n\r{]|\Z)",
        body="inspect",
    ),
    # axios, Kotlin, urllib and others
    _Form(
        ("status code ",),
        r"(?i)(?:request failed with|failed with|returned|got|unexpected) status code:? (?P<status>[45][0-9]{2})",
    ),
    _Form(("HTTP Error ",), r"HTTP Error (?P<status>[45][0-9]{2}): (?P<reason>[^\n]{0,80})", body="none"),
    # the class of an SDK's exception when the answer was no JSON
    _Form(
        ("Error: ",),
        r"\b(?:openai|anthropic|litellm)(?:\.\w{1,40}){0,3}\.(?P<class>BadRequest|Authentication|PermissionDenied|NotFound|Conflict|"
        r"UnprocessableEntity|RateLimit|InternalServer|APIStatus)Error: "
        r"(?:[\w.]{1,60}(?:Error|Exception): |\w{1,40}Exception - ){0,4}",
    ),
    # whatever writes a status next to a reason or a name
    _Form(
        ("40", "41", "42", "43", "50", "52"),
        r"(?<![0-9.:/-])(?P<status>[45][0-9]{2}) (?:Unauthorized|Forbidden|Not Found|Bad Request|Too Many Requests|"
        r"Method Not Allowed|"
        r"Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)\b[:,.]?",
        body="object",
        weak=True,
    ),
    _Form(
        ("tatus", "TATUS", "HTTP", "http"),
        r"(?i)\b(?:http(?:/[0-9.]{1,3})?|http[ _-]?status|status(?:[ _-]?code)?)\\?[\"']?\s{0,2}[:=]?\s{0,2}"
        r"(?P<status>[45][0-9]{2})\b(?![.:/-][0-9])[)\]:,.]?",
        body="object",
        weak=True,
    ),
    # a status and a body, and nothing else
    _Form(("{", "<"), r"(?m)^[ \t]{0,8}(?P<status>[45][0-9]{2})[ \t:-]{1,3}(?=[{<])", body="object", weak=True),
)

_ADVICE = (
    r"\s{1,4}(?:\u00b7|\u2022)\s{1,4}(?:Please run|Try|Check|Run)[^\n]{0,120}\Z|"
    r",\s{0,2}(?:url|request id|cf-ray|x-request-id): \S{1,400}"
)


def find_sentences(text: str) -> Iterable[Found]:
    """Every error that a client put into words, exact forms first."""
    for form in _FORMS:
        if any(hint in text for hint in form.hints):
            end = 0
            for match in compiled(form.pattern).finditer(text):
                # What a body has swallowed is not read again: a literal that never ends would cost its length each time.
                found = _READERS[form.body](text, match, end) if match.start() >= end else None
                if found is not None:
                    end = found.end
                    yield replace(found, weak=form.weak and not found.exchange.body)


def _exchange(match: re.Match[str], body: str = "", **known: str | int | None) -> Exchange:
    groups = match.groupdict()
    status: str | int | None = groups.get("status") or known.get("status")
    name = groups.get("class")
    if name:
        status = _STATUS_OF_CLASS.get(name)
    url = groups.get("url") or known.get("url")
    if groups.get("path"):
        url = f"{url}{groups['path']}"
    request_id = groups.get("request_id") or known.get("request_id")
    if url and not str(url).startswith(("http", "/")):
        url = f"https://{url}"
    return Exchange(
        method=groups.get("method"),
        url=str(url).rstrip(".,;:") if url else None,
        status=int(status) if status is not None and 100 <= int(status) <= 599 else None,
        body=body,
        headers=(("x-request-id", str(request_id)),) if request_id else (),
        hint_operation=groups.get("op"),
    )


def _none(text: str, match: re.Match[str], floor: int) -> Found:
    return Found(match.start(), match.end(), _exchange(match))


def _after(text: str, match: re.Match[str], floor: int) -> Found:
    """The body follows: an object, or words to the end of the line."""
    at = match.end()
    body, end = _body_at(text, at)
    rest = text[end : min(line_end(text, end), end + 600)]
    url = compiled(rf"\burl: {_URL}").search(rest) or compiled(rf", url: {_URL}").search(text[at:end])
    request_id = compiled(r"(?i)request[ _-]?id: ([\w-]{4,80})").search(rest)
    exchange = _exchange(match, body, url=url["url"] if url else None, request_id=request_id[1] if request_id else None)
    return Found(match.start(), end, exchange)


def _object(text: str, match: re.Match[str], floor: int) -> Found:
    """A body follows only if it is an object, a page, or stands behind a colon or dash."""
    following = text[match.end() : match.end() + 8].lstrip(" \t-:")
    behind = text[match.end() - 1 : match.end() + 2]
    if not following.startswith(("{", "[", "<")) and behind[:1] != ":" and behind[1:] not in ("- ", ": ", " -"):
        return Found(match.start(), match.end(), _exchange(match))
    body, end = _body_at(text, match.end())
    return Found(match.start(), end, _exchange(match, body))


def _body_at(text: str, at: int) -> tuple[str, int]:
    start = at
    while start < len(text) and start - at < 40 and text[start] in " \t\r\n-:\u2013\u00b7":
        start += 1
    newline = "\n" in text[at:start]
    if text[start : start + 1] in ("{", "[") or text[start : start + 2] in ("b'", 'b"'):
        literal = read_literal(text, start)
        if literal is not None and literal[0] not in ([], None) and not _is_time(literal[0]):
            return _as_json(text[start : literal[1]], literal[0]), literal[1]
    if text[start : start + 1] == "<" and text[start : start + 9].lower().startswith(("<!doctype", "<html")):
        end = text.find("</html>", start, start + _MAX_BODY)
        end = end + 7 if end >= 0 else min(len(text), start + _MAX_MESSAGE)
        return text[start:end], end
    if newline:
        return "", at
    end = min(line_end(text, at), at + _MAX_MESSAGE)
    end = _sentence_end(text, at, end)
    words = compiled(_ADVICE).sub("", text[at:end]).strip(" \t\r:-\u2013")
    return words.strip("\"'") if len(words) > 1 else "", end


def _sentence_end(text: str, at: int, end: int) -> int:
    """``end`` of the line, or where the AccessDenied sentence that begins in it ends behind breaks of a terminal or a log."""
    more = compiled(
        r"(?:\n(?![ \t│|]*(?:\n|at |File |Traceback|\$|>|\[|\{|#|[A-Za-z_.]{1,60}(?:Error|Exception)\b))[^\n]{1,400}){0,8}"
    ).match(text, end)
    return more.end() if more and ("not authorized" in text[at:end] or "not authori" in more[0]) else end


def _is_time(value: Value) -> bool:
    """``[12:01:02]`` and such are no body."""
    return isinstance(value, list) and not any(isinstance(item, dict) for item in value)


def _as_json(source: str, value: Value) -> str:
    """The object as the service sent it: its own text when that is JSON, else rewritten."""
    if source.startswith(("{", "[")) and compiled(r"[{\[]\s*(?:\"|\]|\}|\{)").match(source):
        return source
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _coral(text: str, match: re.Match[str], floor: int) -> Found:
    start, end, line = match.start("message"), match.end(), match["message"]
    named_next = line.endswith(":") and " deny in a" in line
    if named_next or not (" allows the " in line or " deny in a" in line):
        end = _sentence_end(text, start, end)
    message = compiled(r"(?i)\s{0,4}\((?:RequestToken|HandlerErrorCode): .{0,300}\Z").sub("", text[start:end].strip())
    body = json.dumps({"__type": match["code"], "message": message.rstrip("\\\"'")}, ensure_ascii=False)
    return Found(match.start(), end, _exchange(match, body))


def _before(text: str, match: re.Match[str], floor: int) -> Found:
    """The message stands before the parenthesis: from a quote, an exception's name, or the beginning of the line."""
    floor = max(floor, match.start() - _MAX_MESSAGE)
    floor = max(floor, text.rfind("\n\n", floor, match.start()))
    start = max(floor, line_start(text, match.start()))
    head = text[start : match.start()]
    if "not authorized" not in head:
        wider = text[max(floor, match.start() - 1500) : match.start()]
        begins = wider.rfind("User: ")
        if begins >= 0 and "not authorized" in wider[begins:]:
            start = match.start() - len(wider) + begins
            head = wider[begins:]
    named = compiled(r"([A-Za-z]{3,80}Exception): ").search(head)
    code = match["code"] or (named[1] if named else None)
    quoted = max(head.rfind(': "'), head.rfind(': \\"'))
    message = head[named.end() :] if named else head[quoted + 3 :] if quoted >= 0 else head
    body = json.dumps({**({"__type": code} if code else {}), "message": message.strip(" \"'\\")}, ensure_ascii=False)
    return Found(start, match.end(), _exchange(match, body))


_INSPECTED = {
    "status": r"\b(?:status|statusCode): (?P<status>[1-5][0-9]{2})\b",
    "url": rf"\b(?:url|requestUrl): ['\"`]{_URL}",
    "request_id": r"\b(?:requestID|request_id|requestId): ['\"`](?P<id>[\w-]{4,80})",
}


def _inspect(text: str, match: re.Match[str], floor: int) -> Found | None:
    """JavaScript: the message, a stack, and an inspected object with ``status``, ``error`` or ``responseBody``."""
    message_end = min(line_end(text, match.end()), match.end() + _MAX_MESSAGE)
    message = text[match.end() : message_end].strip().removesuffix("{").strip()
    block_end = min(len(text), match.end() + 20_000)
    following = compiled(r"(?:\n\w{1,40}Error: [45][0-9]{2}|\n[^\n]{0,40}APICallError|\n\$ )\b").search(
        text, message_end, block_end
    )
    block_end = following.start() if following else block_end
    told: dict[str, str] = {}
    for name in _INSPECTED:
        found = compiled(_INSPECTED[name]).search(text, match.end(), block_end)
        if found:
            told[name] = found[1]
    body, end = "", message_end
    if message.startswith(("{", "[")):
        body, end = _body_at(text, match.end())
    elif "status" in told or match["klass"].startswith("AI_"):
        body, end = _inspected_body(text, match.end(), block_end)
    status = match.groupdict().get("status") or told.get("status")
    if status is None:
        return None
    exchange = _exchange(match, body or message, status=status, url=told.get("url"), request_id=told.get("request_id"))
    return Found(match.start(), max(end, message_end), exchange)


def _inspected_body(text: str, start: int, end: int) -> tuple[str, int]:
    field = compiled(r"\b(?P<name>error|responseBody): (?=[{'\"`])").search(text, start, end)
    literal = read_literal(text, field.end()) if field else None
    if field is None or literal is None:
        return "", start
    close = text.find("\n}", literal[1], end)
    stop = close + 2 if close >= 0 else literal[1]
    if isinstance(literal[0], str):
        return literal[0], stop
    # The OpenAI SDK keeps what stood under `error`; Anthropic's keeps the whole body.
    inner = literal[0] if isinstance(literal[0], dict) and "error" in literal[0] else {"error": literal[0]}
    return json.dumps(inner, ensure_ascii=False), stop


_READERS = {"none": _none, "after": _after, "object": _object, "coral": _coral, "before": _before, "inspect": _inspect}
