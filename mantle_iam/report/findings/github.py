"""Findings as annotations: workflow commands that a runner of GitHub Actions reads from standard output.  Writer and reader.

A step shows ten annotations of a level, and a job fifty, so the worst come first; the step summary (``markdown``) has all.
Source: GitHub Docs, "Workflow commands for GitHub Actions"; the escapes are those of ``actions/toolkit``, ``command.ts``.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from mantle_iam.audit.findings import Finding, Severity
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.report.findings.results import Results, failed, has_file, sound, where, worst_first
from mantle_iam.report.findings.text import sentence
from mantle_iam.report.layout import clean, one_line

SHOWN: Final = 10
"""Annotations of a level that a step shows."""

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
# "%" first when writing, last when reading.
_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


@dataclass(frozen=True, slots=True)
class Annotation:
    """One workflow command."""

    command: str
    properties: tuple[tuple[str, str], ...]
    message: str


def annotations(results: Results) -> str:
    """One line for each finding, the worst first, then one for each input that could not be read; what is not shown is said."""
    made = [_annotation(one, results) for one in worst_first(results.findings)]
    for one in failed(results.inputs):
        word = "was not read" if one.status is InputStatus.FAILED else "was read in part"
        problems = one_line(sound("; ".join(one.problems))) or "no reason given"
        made.append(Annotation("error", (("title", "input"),), f"{clean(sound(one.path))} {word}: {problems}"))
    lines = [written(one) for one in made]
    if max(Counter(one.command for one in made).values(), default=0) > SHOWN:
        lines.append(f"{len(made)} annotations, of which a step shows {SHOWN} of each level: the worst are first")
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: Finding, results: Results) -> Annotation:
    place = finding.place
    title = ("title", clean(sound(finding.rule)))
    if not has_file(place):
        return Annotation(_COMMANDS[finding.severity], (title,), sound(f"{where(finding)}: {sentence(finding)}"))
    spot = (("line", place.line), ("col", place.column if place.line else None))
    properties = (
        ("file", sound(results.path(place.path))),
        *((name, str(value)) for name, value in spot if value),
        title,
    )
    about = f" ({finding.place.address})" if finding.place.address else ""
    return Annotation(_COMMANDS[finding.severity], properties, sentence(finding) + clean(sound(about)))


def written(annotation: Annotation) -> str:
    """The command as the runner reads it, without a line end."""
    properties = ",".join(f"{name}={_escape(value, _PROPERTY)}" for name, value in annotation.properties)
    return f"::{annotation.command}{' ' if properties else ''}{properties}::{_escape(annotation.message, _DATA)}"


def read(line: str) -> Annotation:
    """What the runner makes of ``line``.  Raises ``ValueError`` where it is no command."""
    if not line.startswith("::") or "::" not in line[2:]:
        raise ValueError("not a workflow command")
    head, _, message = line[2:].partition("::")
    command, _, properties = head.partition(" ")
    pairs = (pair.partition("=") for pair in properties.split(",") if pair)
    return Annotation(
        command, tuple((name, _unescape(value, _PROPERTY)) for name, _, value in pairs), _unescape(message, _DATA)
    )


def _escape(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for character, code in table:
        text = text.replace(character, code)
    return text


def _unescape(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for character, code in reversed(table):
        text = text.replace(code, character)
    return text
