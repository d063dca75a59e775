"""Findings for people at a terminal: place, severity, rule, sentence; the lines in question; what to do; the source.

The form is that of compilers (GNU Coding Standards, "Formatting Error Messages"), so that editors find the place.
"""

from __future__ import annotations

from collections.abc import Iterator

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.findings.results import Results, count_words, failed, in_order, subject, where
from mantle_iam.report.layout import cells, clean, facts, one_line, paragraph

_STYLES = {
    Severity.ERROR: (Style.BOLD, Style.RED),
    Severity.WARNING: (Style.BOLD, Style.YELLOW),
    Severity.INFO: (Style.BOLD, Style.CYAN),
}
_AROUND = 1
_LONGEST_EXCERPT = 160
_UNCERTAIN = {Certainty.MEDIUM: " (confidence: medium)", Certainty.LOW: " (confidence: low)"}


def text(results: Results, *, width: int = 100, ansi: Ansi = PLAIN) -> str:
    """Everything, ending with a line of counts; ``width`` in columns."""
    return "\n".join(text_lines(results, width=width, ansi=ansi)) + "\n"


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
        yield from paragraph(
            f"{_guarded(one.path)}: {word}: {'; '.join(one.problems) or 'no reason given'}", width, hang=2
        )
    yield count_words(results.findings)


def _guarded(path: str) -> str:
    """A path that a runner of GitHub Actions does not take for one of its commands, which begin with two colons."""
    return f"./{path}" if path.lstrip().startswith("::") else path


def _one(finding: Finding, lines: list[str], *, width: int, ansi: Ansi) -> Iterator[str]:
    place = ansi.paint(_guarded(where(finding)), Style.BOLD)
    severity = ansi.paint(finding.severity.value, *_STYLES[finding.severity])
    yield f"{place}: {severity}[{clean(finding.rule)}]{_UNCERTAIN.get(finding.confidence, '')}"
    yield from paragraph(finding.message, width, indent=2)
    yield from _excerpt(lines, finding.place.line, finding.place.column, ansi)
    rows = [("in", subject(finding)), ("help", finding.remedy), ("source", finding.reference)]
    yield from facts([(label, value) for label, value in rows if value], width=width, ansi=ansi)


def _excerpt(lines: list[str], line: int | None, column: int | None, ansi: Ansi) -> Iterator[str]:
    """The line itself with those around it, and a mark under its column."""
    if line is None or not 1 <= line <= len(lines):
        return
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    gutter = len(str(last))
    for number in range(first, last + 1):
        # Tabs are four columns wherever they stand: a mark below them must find its place.
        shown = clean(lines[number - 1][: _LONGEST_EXCERPT * 2].replace("\t", "    ").rstrip())
        cut = shown if len(shown) <= _LONGEST_EXCERPT else shown[: _LONGEST_EXCERPT - 1] + "…"
        yield "  " + ansi.paint(f"{number:>{gutter}} |", Style.DIM) + (f" {cut}" if cut else "")
        if number == line and column is not None:
            before = lines[number - 1][: column - 1].replace("\t", "    ")
            # A column behind the line's end, or one that is not shown, has no mark.
            if 0 < column <= len(lines[number - 1]) + 1 and len(clean(before)) < _LONGEST_EXCERPT:
                mark = ansi.paint("^", Style.BOLD, Style.RED)
                yield "  " + ansi.paint(f"{'':>{gutter}} |", Style.DIM) + " " * (cells(clean(before)) + 1) + mark


def sentence(finding: Finding) -> str:
    """Message and remedy as one clean text, for formats with one field for both."""
    remedy = f". Help: {one_line(finding.remedy)}" if finding.remedy else ""
    return one_line(finding.message) + remedy
