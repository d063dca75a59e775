"""Pasted text -> exchanges: terminals, tracebacks, logs, JSON, CloudTrail.

Decides what was one request and its answer, and where it stood.  What an answer means is not known here.  Nothing is invented:
what the text does not tell stays ``None``.

Theory of operation: finders, exact ones first, each mark the part of the text that they read; a later finder leaves that part
alone.  What was found is then put in order, joined with what stands around it (traceback, command line, log line of the same
call), and identical repetitions collapse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from mantle_iam.mantle.denial import find_denials
from mantle_iam.mantle.error_body import Envelope, read_error_body
from mantle_iam.mantle.exchange import Exchange
from mantle_iam.mantle.literal import read_literal
from mantle_iam.mantle.transcript.context import with_traceback
from mantle_iam.mantle.transcript.events import read_value
from mantle_iam.mantle.transcript.found import Finder, Found, Spans, compiled, line_end, line_start, numbered, places
from mantle_iam.mantle.transcript.messages import find_messages
from mantle_iam.mantle.transcript.sentences import find_sentences
from mantle_iam.mantle.transcript.transport import find_failures

MAX_EXCHANGES = 1_000
"""More different exchanges than this are not read out of one text."""
MAX_FOUND = 20_000
"""Nor more places that tell one, repetitions included; a log that long has told its story."""
_DEPTH = 4
"""How many strings inside strings are opened."""
_JOIN = 4_000
"""Characters within which a log line and an error of the same status are the same call."""

_NEXT = 3
"""Characters (a line break, blanks) between a client's own word for a failure and the answer that it quotes."""

_PHRASES = (
    "Invalid bearer token",
    "security token included in the request",
    "Signature expired",
    "Signature not yet current",
    "Credential should be scoped",
    "request signature we calculated",
    "is not available for this account",
    "is not enabled for this account",
    "supported on this route",
    "does not support the '",
    "Invalid API Key format",
    "Authorization header is missing",
    "Missing 'authorization'",
    "UnknownOperationException",
    "filled out the required use-case",
    "provided model identifier is invalid",
    "under data retention mode",
    "data retention mode '",
    "currently being verified",
    "INVALID_PAYMENT_INSTRUMENT",
    "Failed to deserialize the JSON body",
)
_GAP = r"[\s│|#*/\\n\"'`+]{1,80}"
_NOT_AUTHORIZED = (
    rf"(?i)\bnot{_GAP}authori[sz]ed{_GAP}to{_GAP}(?:perform|access{_GAP}this{_GAP}resource)"
    rf"|n['\u2019]t{_GAP}have{_GAP}permissions?{_GAP}to{_GAP}(?:call|perform){_GAP}[a-z0-9-]{{1,63}}:[a-z]"
)
_FRAGMENT = (
    r"(?i)\b[a-z][a-z0-9-]{1,62}:[a-z]\w{1,126}\s{1,8}on\s{1,8}resource\b|"
    r"\bbecause\s{1,8}no\s{1,8}[a-z][a-z -]{3,60}\sallows\s{1,8}the\s{1,8}[a-z0-9-]{2,63}:\w{2,126}\s{1,8}action"
)
_DOES_NOT_EXIST = (
    r"(?i)\b(?:model|project|response) [`'\"\u2018][\w.:/@-]{1,200}[`'\"\u2019] (?:does not exist|not found)|"
    r"Response not found"
)


def read_transcript(text: str) -> tuple[Exchange, ...]:
    """The exchanges in ``text``, in order, without repetition; ``()`` when there is nothing recognisable.

    Never raises; linear in the length of ``text``.  Each exchange tells its ``source`` (``line 12``, ``CloudTrail record 3``).
    """
    return _read(_plain(text), _DEPTH)[:MAX_EXCHANGES]


def _plain(text: str) -> str:
    """``text`` without what terminals and editors put in: escapes, carriage returns, NUL, a byte order mark."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    if "\x1b" in text:
        text = compiled(r"\x1b(?:\[[0-9;?:]{0,64}[A-Za-z]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\))").sub("", text)
    return text.replace("\u00a0", " ")


def _read(text: str, depth: int) -> tuple[Exchange, ...]:
    stripped = text.strip()
    if not stripped or depth == 0:
        return ()
    if stripped[0] in "{[\"'":
        whole = read_literal(stripped)
        if whole is not None and whole[1] == len(stripped) and not isinstance(whole[0], str):
            return _of_value(whole[0], stripped, depth)
    if stripped[0] == "<" and read_error_body(stripped).envelope is Envelope.HTML:
        return (Exchange(body=stripped),)
    found = _find(text, depth)
    if found:
        return _finish(text, found)
    error = read_error_body(stripped)
    if error.envelope in (Envelope.OPENAI, Envelope.ANTHROPIC, Envelope.CORAL, Envelope.HTML):
        return (Exchange(body=stripped),)
    return ()


def _of_value(value: object, source: str, depth: int) -> tuple[Exchange, ...]:
    source = (
        source if compiled(r"[{\[]\s*[\"{}\[\]]").match(source) else json.dumps(value, ensure_ascii=False, default=str)
    )
    return read_value(value, source, lambda inner: _read(inner, depth - 1))


def _find(text: str, depth: int) -> list[Found]:
    spans, found = Spans(), []
    sentences = list(find_sentences(text))
    finders: tuple[Finder, ...] = (
        find_messages,
        lambda part: _find_lines(part, depth),
        lambda part: (item for item in sentences if not item.weak),
        lambda part: _find_objects(part, depth),
        find_failures,
        _find_denials,
        # A mere status does not break a sentence in two that says more.
        _find_phrases,
        lambda part: (item for item in sentences if item.weak),
    )
    inside: list[Found] = []
    for finder in finders:
        for item in finder(text):
            if spans.add(item.start, item.end):
                found.append(item)
                if len(found) >= MAX_FOUND:
                    return sorted(found, key=lambda item: item.start)
            elif item.weak:
                inside.append(item)
    return _with_status(sorted(found, key=lambda item: item.start), inside)


def _with_status(found: list[Found], inside: list[Found]) -> list[Found]:
    """``found`` (sorted), each answer without a status given the one that stands inside of it."""
    statuses = sorted((item.start, item.exchange.status) for item in inside if item.exchange.status)
    result, at = [], 0
    for item in found:
        while at < len(statuses) and statuses[at][0] < item.start:
            at += 1
        bare = item.exchange.status is None and item.exchange.failure is None and item.exchange.body
        if bare and at < len(statuses) and statuses[at][0] < item.end:
            item = replace(item, exchange=replace(item.exchange, status=statuses[at][1]))
        result.append(item)
    return result


# --- finders over any text ---------------------------------------------------------------------------------------------------


def _find_lines(text: str, depth: int) -> Iterable[Found]:
    """JSON log lines: an object from its brace to the end of the line, perhaps behind a time or a container's name."""
    for match in compiled(r"(?m)^(?:[^\n{}\[\]\"']{0,80}[|\s])?(\{\"[^\n]*\})[ \t]*$").finditer(text):
        try:
            value = json.loads(match[1])
        except (ValueError, RecursionError):
            continue
        if match.start() == match.start(1) or "error" not in match[1][:12]:
            for exchange in _of_value(value, match[1], depth):
                yield Found(match.start(), match.end(), exchange)
                break


def _find_objects(text: str, depth: int) -> Iterable[Found]:
    """Objects that begin a line or follow a sign, wherever a word in them says that they hold an error."""
    if not any(word in text for word in ("rror", "__type", "essage", "Reason", "detail", "Records")):
        return
    at, budget = 0, 4 * len(text) + 10_000
    for match in compiled(
        r"(?:(?<=\n)|(?<=[\s:=\-(>])|\A)[ \t]{0,16}[{\[](?=\s{0,8}[\"'{]|\s{0,8}\w{1,40}:|\})"
    ).finditer(text):
        start = match.end() - 1
        if start < at or budget <= 0:
            continue
        literal = read_literal(text, start)
        if literal is None:
            budget -= 512
            continue
        budget -= literal[1] - start
        if not isinstance(literal[0], dict | list) or literal[0] in ({}, []):
            continue
        exchanges = _of_value(literal[0], text[start : literal[1]], depth)
        if exchanges:
            at = literal[1]
            step = max(1, (literal[1] - start) // len(exchanges))
            for index, exchange in enumerate(exchanges[:step]):
                yield Found(start + index * step, start + (index + 1) * step, exchange)


def _find_denials(text: str) -> Iterable[Found]:
    """The paragraph around an AccessDenied sentence that stands in nothing else."""
    end, pattern = 0, compiled(_NOT_AUTHORIZED)
    if not pattern.search(text):
        if not find_denials(text):
            return
        pattern = compiled(_FRAGMENT)
    for match in pattern.finditer(text):
        if match.start() < end:
            continue
        start = max(end, match.start() - 1_024, 0)
        blank_before = text.rfind("\n\n", start, match.start())
        start = blank_before + 2 if blank_before >= 0 else start
        user = text.rfind("User", start, match.start())
        start = user if user >= 0 else max(start, line_start(text, match.start()))
        blank = compiled(r"\n[ \t│|#*]{0,8}\n").search(text, match.end(), match.end() + 4_096)
        end = blank.start() if blank else min(len(text), match.end() + 4_096)
        # EC2 says "You are not authorized to perform this operation." and then who and what.
        general = compiled(r"\s{1,4}this operation\.\s{1,4}(?=User: )").match(text, match.end())
        following = compiled(r"\bUser: ").search(text, general.end() + 1 if general else match.end(), end)
        end = following.start() if following else end
        yield Found(start, end, Exchange(body=text[start:end].strip()))


def _find_phrases(text: str) -> Iterable[Found]:
    """Lines that hold the service's own words and nothing else that could be read."""
    straight = text.replace("\u2019", "'")
    spots = [spot for phrase in _PHRASES for spot in places(straight, phrase)]
    if "exist" in text or "ound" in text:
        spots += [match.start() for match in compiled(_DOES_NOT_EXIST).finditer(text)]
    for spot in sorted(spots):
        start, end = max(line_start(text, spot), spot - 2_000), min(line_end(text, spot), spot + 4_000)
        yield Found(start, end, Exchange(body=text[start:end].strip()))


# --- putting together ----------------------------------------------------------------------------------------------------


def _finish(text: str, found: list[Found]) -> tuple[Exchange, ...]:
    if any(not item.weak for item in found):
        found = [item for item in found if not item.weak] or found
    lines = numbered(text, found)
    placed: list[tuple[Found, int]] = []
    floor = 0
    for item, line in zip(found, lines, strict=True):
        exchange = item.exchange if item.exchange.failure else with_traceback(item.exchange, text, item.start, floor)
        placed.append((replace(item, exchange=exchange), line))
        floor = item.end
    unique: dict[Exchange, Exchange] = {}
    for item, line in _join(placed):
        exchange = item.exchange
        unsourced = replace(exchange, source=None) if exchange.source else exchange
        if unsourced not in unique:
            unique[unsourced] = exchange if exchange.source else replace(exchange, source=f"line {line}")
    return tuple(unique.values())


def _join(placed: list[tuple[Found, int]]) -> list[tuple[Found, int]]:
    """One call told twice (a log line with its URL, then the error; an error, then its body) as one exchange."""
    joined: list[tuple[Found, int]] = []
    for item, line in placed:
        if joined and item.start - joined[-1][0].end <= _JOIN:
            last, at = joined[-1]
            if last.exchange.failure and item.exchange.body and item.start - last.end <= _NEXT:
                # LiteLLM calls a refusal a broken connection, and then quotes the answer.
                joined[-1] = (Found(last.start, item.end, item.exchange), at)
                continue
            both = _both(last.exchange, item.exchange)
            if both is not None:
                joined[-1] = (Found(last.start, item.end, both), at)
                continue
        joined.append((item, line))
    return joined


def _both(first: Exchange, second: Exchange) -> Exchange | None:
    """``first`` and ``second`` as one, when the first is only a line about a call and the second only its answer."""
    if first.failure or second.failure or first.body or second.url not in (None, first.url):
        return None
    if first.status is None or second.status not in (None, first.status):
        return None
    same_call = first.method is None or second.method in (None, first.method)
    if not same_call or (second.url is None and second.status is None and not second.body):
        return None
    if first == replace(second, source=first.source) and not second.body:
        return first
    if first.url is None and second.status is not None:
        return None
    return replace(
        second,
        method=first.method or second.method,
        url=first.url or second.url,
        status=first.status,
        auth=second.auth if second.auth.value != "unknown" else first.auth,
        model=second.model or first.model,
        project=second.project or first.project,
        headers=second.headers or first.headers,
        hint_operation=second.hint_operation or first.hint_operation,
    )
