"""Findings for people at a terminal: place, severity, rule, sentence; the lines in question; what to do; the source.

The form is that of compilers (GNU Coding Standards, "Formatting Error Messages"), so that editors find the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.findings.results import Results, count_words, failed, in_order, subject, where, worth_knowing
from mantle_iam.report.layout import cells, clean, facts, one_line, paragraph

_STYLES = {
    Severity.ERROR: (Style.BOLD, Style.RED),
    Severity.WARNING: (Style.BOLD, Style.YELLOW),
    Severity.INFO: (Style.BOLD, Style.CYAN),
}
_ANYWHERE = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)
_BEGINNING = re.compile(r"^([ \t]*)::", re.MULTILINE)
_AROUND = 1
_UNCERTAIN = {Certainty.MEDIUM: " (confidence: medium)", Certainty.LOW: " (confidence: low)"}


def text(results: Results, *, width: int = 100, ansi: Ansi = PLAIN) -> str:
    """Everything, ending with a line of counts; ``width`` in columns."""
    return inert("\n".join(text_lines(results, width=width, ansi=ansi)) + "\n")


def text_lines(results: Results, *, width: int = 100, ansi: Ansi = PLAIN) -> Iterator[str]:
    """The same, line by line, so that thousands of findings need not be held as one text."""
    lines: dict[str, list[str]] = {}
    for finding in in_order(results.findings):
        path = finding.place.path
        if path not in lines:
            lines = {path: results.texts.get(path, "").splitlines()}
        yield from _one(finding, lines[path], width=width, ansi=ansi)
        yield ""
    for one in failed(results.inputs):
        word = "not read" if one.status is InputStatus.FAILED else "read in part"
        yield from paragraph(f"{one.path}: {word}: {'; '.join(one.problems) or 'no reason given'}", width, hang=2)
    if notes := worth_knowing(results.inputs):
        yield "Notes"
        for note in notes:
            yield from paragraph(f"- {': '.join(filter(None, note))}", width, 2, 2)
        yield ""
    yield _summary(results)


def _summary(results: Results) -> str:
    """The last line, which must not call clean what nobody looked at."""
    unread = len(failed(results.inputs))
    if not unread:
        return count_words(results.findings)
    if not results.findings and all(one.status is InputStatus.FAILED for one in results.inputs):
        return "nothing was judged: no input could be read"
    words = f"{unread} {'input was' if unread == 1 else 'inputs were'} not wholly read"
    return f"{count_words(results.findings)} in what was read; {words}"


def inert(text: str) -> str:
    """``text`` with nothing that a runner of GitHub Actions or Azure Pipelines obeys when it is in a job's log.

    Sources: the runner's ``ActionCommand`` (``::…::`` where a line begins, ``##[…]`` anywhere); Azure's logging commands.
    """
    return _BEGINNING.sub(r"\1: :", _ANYWHERE.sub("# #", text))


def _one(finding: Finding, lines: list[str], *, width: int, ansi: Ansi) -> Iterator[str]:
    place = ansi.paint(where(finding), Style.BOLD)
    severity = ansi.paint(finding.severity.value, *_STYLES[finding.severity])
    yield f"{place}: {severity}[{clean(finding.rule)}]{_UNCERTAIN.get(finding.confidence, '')}"
    yield from paragraph(finding.message, width, indent=2)
    yield from _excerpt(lines, finding.place.line, finding.place.column, width, ansi)
    rows = [("in", subject(finding)), ("help", finding.remedy), ("source", finding.reference)]
    yield from facts([(label, value) for label, value in rows if value], width=width, ansi=ansi)


def _excerpt(lines: list[str], line: int | None, column: int | None, width: int, ansi: Ansi) -> Iterator[str]:
    """The line itself with those around it, cut to fit, and a mark under its column."""
    if line is None or not 1 <= line <= len(lines):
        return
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    gutter = len(str(last))
    room = width - gutter - 5
    for number in range(first, last + 1):
        # A column behind the line's end has no mark.
        marked = number == line and column is not None and 0 < column <= len(lines[number - 1]) + 1
        before, after = _around(lines[number - 1], column if marked and column else 1, room)
        shown = before + after
        yield "  " + ansi.paint(f"{number:>{gutter}} |", Style.DIM) + (f" {shown}" if shown else "")
        if marked:
            mark = ansi.paint("^", Style.BOLD, Style.RED)
            yield "  " + ansi.paint(f"{'':>{gutter}} |", Style.DIM) + " " * (cells(before) + 1) + mark


def _around(line: str, column: int, room: int) -> tuple[str, str]:
    """What stands before ``column`` and what from there on, cut to ``room`` cells; of a long line the part around the column."""
    start = max(0, column - 1 - room)
    before, after = _shown(line[start : column - 1]), _shown(line[column - 1 : column - 1 + room].rstrip())
    if start or cells(before) > room * 2 // 3:
        while cells(before) > room // 3:
            before = before[1:]
        before = f"…{before}"
    left = room - cells(before)
    if cells(after) > left or len(line) > column - 1 + room:
        while cells(after) > left - 1:
            after = after[:-1]
        after = f"{after}…"
    return before, after


def _shown(text: str) -> str:
    # Tabs are four columns wherever they stand: a mark below them must find its place.
    return inert(clean(text.replace("\t", "    ")))


def sentence(finding: Finding) -> str:
    """Message and remedy as one clean text, for formats with one field for both."""
    remedy = f". Help: {one_line(finding.remedy)}" if finding.remedy else ""
    return one_line(finding.message) + remedy
