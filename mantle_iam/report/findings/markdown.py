"""Findings as GitHub Flavored Markdown, for step summaries and comments.

No name can end a table's cell, begin a heading, make a link, load an image, or mention anybody: what has a meaning is written
as a character reference, which has none (CommonMark 0.31, section 2.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mantle_iam.audit.findings import Finding
from mantle_iam.iam.inventory import Input, InputStatus
from mantle_iam.report.findings.results import Results, count_words, failed, sound, where, worst_first, worth_knowing
from mantle_iam.report.layout import one_line

# Code spans, emphasis, links, HTML, headings, tables, mathematics; "@" below.
_MEANING = {ord(character): f"&#{ord(character)};" for character in "\\`*_{}[]<>#+!|~&$"}
# GitHub looks for mentions in what was rendered, where a character reference is a character again: hence the word joiner.
_MENTION = {ord("@"): "&#64;&#8288;"}
COMMENT: Final = 65_536
"""Characters that GitHub takes in a comment; a step summary may have 1 MiB."""
_NOTE_ROOM: Final = 100

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


def findings_markdown(results: Results, *, limit: int = COMMENT) -> str:
    """A heading, the counts, a table of findings, the worst first, and what could not be read; ``limit`` as for ``fitted``."""
    return fitted((*heading(results), *findings_tables(results)), limit)


def heading(results: Results) -> tuple[str, ...]:
    """What is said first, whatever else fits."""
    unread = len(failed(results.inputs))
    words = f"; {unread} {'input' if unread == 1 else 'inputs'} not wholly read" if unread else ""
    return ("### mantle-iam", "", f"{count_words(results.findings)}{words}")


def findings_tables(results: Results) -> Iterator[str]:
    """Tables as lines, each after an empty one."""
    if results.findings:
        rows = map(_row, worst_first(results.findings))
        yield from ("", *table(("severity", "place", "finding", "what to do"), rows))
    if unread := failed(results.inputs):
        yield from ("", *table(("input", "status", "problems"), map(_unread, unread)))
    if notes := worth_knowing(results.inputs):
        yield from ("", "**Notes**", "", *map(_note, notes))


def fitted(lines: Iterable[str], limit: int) -> str:
    """As many of ``lines`` as fit in ``limit`` bytes of UTF-8; where some do not, it is said how many, and where they are."""
    kept: list[str] = []
    left, dropped = limit - _NOTE_ROOM, 0
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0 or dropped:
            dropped += bool(line)
        else:
            kept.append(line)
    note = ["", f"… and {dropped} more lines, which do not fit in a comment: --output json has all"] if dropped else []
    return "\n".join((*kept, *note)) + "\n"


def _row(finding: Finding) -> tuple[str, str, str, str]:
    rule = link(finding.rule, finding.reference)
    return (finding.severity.value, code(where(finding)), f"{prose(finding.message)} ({rule})", prose(finding.remedy))


def _note(note: tuple[str, str]) -> str:
    path, said = note
    return f"- {code(path)}: {prose(said)}" if path else f"- {prose(said)}"


def _unread(one: Input) -> tuple[str, str, str]:
    status = "not read" if one.status is InputStatus.FAILED else "read in part"
    return code(one.path), status, prose("; ".join(one.problems))
