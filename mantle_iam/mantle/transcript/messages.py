"""HTTP messages as ``curl -i``, ``curl -v``, ``wget -S`` and HTTPie print them.

Knows the form of messages (RFC 9112) and of curl's frames (``>``, ``<``, ``*``), nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.literal import read_literal
from mantle_iam.mantle.transcript.context import Request, request_of_command, request_of_head, with_request
from mantle_iam.mantle.transcript.found import Found, compiled, line_end

_STATUS = r"(?m)^(?:<[ ]|[ ]{2})?HTTP/[0-9](?:\.[0-9])?[ ]([1-5][0-9]{2})(?:[ ]([^\n\"{}]{0,80}))?$"
_HEADER = r"[<]?[ ]{0,2}([A-Za-z0-9][A-Za-z0-9_-]{0,63}):[ \t]{0,8}([^\n]{0,8192})"
_REQUEST_LINE = r"(?m)^>[ ]([A-Z]{3,7})[ ](\S{1,4000})[ ]HTTP/[0-9.]{1,3}$"
_HTTP2_PSEUDO = (
    r"(?m)^\*[ ](?:\[HTTP/[23]\][ ]\[[0-9]+\][ ]|h2h3[ ])\[:(method|scheme|authority|path):[ ]([^\]\n]{0,4000})\]$"
)
_PROMPT = r"(?m)^(?:[^\s{}\"<]{0,60}[ ]?[$%][ ]|\$[ ]|(?:aws)?curl[ ]|>>>[ ]|\*[ ]|[{}][ ]\[[0-9]+[ ]bytes[ ]data\])"
_MAX_BODY = 1024 * 1024


def find_messages(text: str) -> Iterable[Found]:
    """Every answer that stands in ``text`` as an HTTP message, with its request where that stands before it."""
    if "HTTP/" not in text:
        return
    answers = [match for match in compiled(_STATUS).finditer(text) if not _is_interim(match[1], match[2])]
    floor = 0
    for index, match in enumerate(answers):
        ceiling = answers[index + 1].start() if index + 1 < len(answers) else len(text)
        framed = match[0].startswith("< ")
        headers, at = _headers(text, match.end() + 1)
        request_start, request = _request(text, floor, match.start(), framed=framed)
        ceiling = min(ceiling, _next_request(text, at, ceiling))
        body, end = _body(text, at, ceiling, headers)
        exchange = Exchange(status=int(match[1]), headers=tuple(headers), body=body, truncated=end - at >= _MAX_BODY)
        yield Found(request_start, max(end, at), with_request(exchange, request))
        floor = max(end, at)


def _is_interim(status: str, reason: str | None) -> bool:
    """An interim answer (RFC 9110 section 15.2), or that of a proxy to CONNECT."""
    return status.startswith("1") or (reason or "").strip().lower() in ("connection established", "tunnel established")


def _headers(text: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """The header fields from ``at`` on, and the index behind the empty line that ends them."""
    found: list[tuple[str, str]] = []
    while at < len(text) and len(found) < 200:
        end = line_end(text, at)
        line = text[at:end]
        field = compiled(_HEADER).fullmatch(line.rstrip())
        if field is None:
            if not line.strip(" <"):
                return found, end + 1
            if line.startswith("* "):
                at = end + 1
                continue
            break
        found.append((field[1].lower(), field[2].strip()))
        at = end + 1
    return found, min(at, len(text))


def _next_request(text: str, at: int, ceiling: int) -> int:
    """Where what belongs to the next command begins, at the latest at ``ceiling``."""
    match = compiled(_PROMPT).search(text, at, min(ceiling, at + _MAX_BODY))
    return match.start() if match else ceiling


def _body(text: str, at: int, ceiling: int, headers: list[tuple[str, str]]) -> tuple[str, int]:
    if at >= ceiling or ("content-length", "0") in headers:
        return "", min(at, ceiling)
    body = text[at : min(ceiling, at + _MAX_BODY)]
    begins = len(body) - len(body.lstrip())
    if body[begins : begins + 1] in ("{", "["):
        literal = read_literal(body, begins)
        if literal is not None:
            # curl ends no line: a prompt may follow the body at once.
            return body[begins : literal[1]], at + literal[1]
    return body.strip(), at + len(body)


def _request(text: str, floor: int, start: int, *, framed: bool) -> tuple[int, Request]:
    """The request before the answer at ``start``: lines of ``curl -v``, or the command itself."""
    floor = max(floor, start - 65_536)
    before = text[floor:start]
    command = request_of_command(before) or Request()
    sent = list(compiled(_REQUEST_LINE).finditer(before)) if framed else []
    if not sent:
        return start, _with_pseudo_headers(command, before)
    line = sent[-1]
    fields = dict(_sent_fields(before, line.end() + 1))
    head = request_of_head("\n".join(f"{name}: {value}" for name, value in fields.items()))
    # curl -v shows every header that it sent: without one of these, nobody authenticated.
    auth = head.auth if head.auth is not Auth.UNKNOWN else Auth.NONE
    host = fields.get("host")
    scheme = "https" if compiled(r"(?i)\b(?:TLS|SSL|ALPN|h2)\b").search(before) or "HTTP/2" in line[0] else "http"
    if host and ":" not in host and "port 443" in before:
        scheme = "https"
    url = (f"{scheme}://{host}{line[2]}" if host else None) or command.url
    told = replace(head, method=line[1], url=url, auth=auth, model=head.model or command.model)
    return floor + line.start(), told


def _sent_fields(text: str, at: int) -> Iterator[tuple[str, str]]:
    for line in text[at:].split("\n")[:200]:
        name, colon, value = line.removeprefix("> ").partition(":")
        if not line.startswith("> ") or not colon:
            return
        yield name.lower(), value.strip()


def _with_pseudo_headers(command: Request, before: str) -> Request:
    found = dict(compiled(_HTTP2_PSEUDO).findall(before))
    if "authority" not in found:
        return command
    url = f"{found.get('scheme', 'https')}://{found['authority']}{found.get('path', '/')}"
    return replace(command, url=command.url or url, method=found.get("method") or command.method)
