"""Findings as GitHub Flavored Markdown, for step summaries and comments.

No name can end a table's cell, begin a heading, make a link, load an image, or mention anybody: what has a meaning is written
as a character reference, which has none (CommonMark 0.31, section 2.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mantle_iam.audit.findings import Finding
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.report.findings.results import Results, count_words, failed, in_order, sound, where
from mantle_iam.report.layout import one_line

# Code spans, emphasis, links, HTML, headings, tables, mathematics; "@" below.
_MEANING = {ord(character): f"&#{ord(character)};" for character in "\\`*_{}[]<>#+!|~&$"}
# GitHub looks for mentions in what was rendered, where a character reference is a character again: hence the word joiner.
_MENTION = {ord("@"): "&#64;&#8288;"}
_SAFE_SCHEMES = ("https://", "http://")
_URL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#@!$&'*+,;=%")


def escaped(text: str) -> str:
    """``text`` from outside in one line, meaning nothing."""
    plain = one_line(sound(text)).translate(_MEANING)
    # Addresses become links without any mark.
    linkless = plain.replace("://", "&#58;//").replace("www.", "www&#46;").replace("WWW.", "WWW&#46;")
    return linkless.translate(_MENTION)


def code(text: str) -> str:
    """``text`` from outside as code; nothing where it is empty."""
    return f"<code>{escaped(text)}</code>" if text.strip() else ""


def prose(text: str) -> str:
    """A sentence of ours that quotes input in backticks: the quotes become code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    # What stood around a quote is cut off by the escaping, and put back.
    return "".join(code(part) or "``" if number % 2 else _spaced(part) for number, part in enumerate(parts))


def _spaced(part: str) -> str:
    if not part.strip():
        return " " if part else ""
    return f"{' ' if part[0].isspace() else ''}{escaped(part)}{' ' if part[-1].isspace() else ''}"


def link(label: str, url: str) -> str:
    """``[label](url)`` where ``url`` is an ordinary web address, else the label alone."""
    if not url.startswith(_SAFE_SCHEMES) or not _URL.issuperset(url):
        return escaped(label)
    return f"[{escaped(label)}](<{url}>)"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table; cells are Markdown already."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def findings_markdown(results: Results, *, limit: int | None = None) -> str:
    """A heading, the counts, a table of findings, and what could not be read.

    ``limit`` is in bytes of UTF-8: what does not fit is left out, and it is said how much.  (A step summary may have 1 MiB.)
    """
    head = ["### mantle-iam", "", f"{count_words(results.findings)}", ""]
    tail = ["", *_unread(results)] if failed(results.inputs) else []
    rows = [_row(one) for one in in_order(results.findings)]
    lines = list(table(("severity", "place", "finding", "what to do"), rows)) if rows else []
    return fitted(head, lines, tail, limit)


def fitted(head: Sequence[str], lines: Sequence[str], tail: Sequence[str], limit: int | None) -> str:
    """The three parts; of the table in the middle as many rows as fit in ``limit`` bytes, of the tail as well."""
    everything = "\n".join((*head, *lines, *tail)) + "\n"
    if limit is None or len(everything.encode()) <= limit:
        return everything
    left = limit - _NOTE_ROOM - sum(_size(line) for line in (*head, *lines[:2]))
    kept, dropped = list(lines[:2]), 0
    for line in (*lines[2:], *tail):
        left -= _size(line)
        if left < 0 or dropped:
            dropped += bool(line)
        else:
            kept.append(line)
    return "\n".join((*head, *kept, "", f"… and {dropped} more lines that did not fit here")) + "\n"


_NOTE_ROOM = 80


def _size(line: str) -> int:
    return len(line.encode()) + 1


def _row(finding: Finding) -> tuple[str, str, str, str]:
    rule = link(finding.rule, finding.reference)
    return (finding.severity.value, code(where(finding)), f"{prose(finding.message)} ({rule})", prose(finding.remedy))


def _unread(results: Results) -> Iterator[str]:
    rows = [
        (
            code(one.path),
            "not read" if one.status is InputStatus.FAILED else "read in part",
            prose("; ".join(one.problems)),
        )
        for one in failed(results.inputs)
    ]
    yield from table(("input", "status", "problems"), rows)
