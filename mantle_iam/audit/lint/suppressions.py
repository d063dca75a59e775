"""Findings that somebody has looked at and lets be: with the rule, the place and the reason.

JSON has no comments and a Sid is no place for notes, so that a file beside the policies says it (``mantle-iam-lint.toml``); in
Terraform and YAML a comment does: ``# mantle-iam: ignore RULE reason`` (in Terraform ``//`` and ``/* … */`` as well), on the line
itself or on the one before (where that opens a block with braces, for all of it).  Without a reason it has no effect and is a
finding, as are one for a rule that does not exist and one that nothing needs.
Reads text that it is given, no file.

Source of the format: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.audit.lint.rule import Rule, one_line
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Place
from mantle_iam.iam.matching import glob

FILE_NAME: Final = "mantle-iam-lint.toml"
MARK: Final = "mantle-iam: ignore"
_COMMENT: Final = re.compile(r"(?:#|//|/\*)[ \t]*mantle-iam[ \t]*:[ \t]*ignore(?=\s|$)")
_KEYS: Final = ("rule", "path", "statement", "principal", "reason")
_LONGEST_BLOCK: Final = 500
_PAGE: Final = "docs/rules.md"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One decision to let findings of a rule be.  Empty or ``None`` stands for any."""

    rule: str
    reason: str
    path: str = ""
    """Pattern of the file's path with ``*``, or its end: ``policies/admin.json``."""
    statement: str = ""
    """Sid, or index from 0."""
    principal: str = ""
    """Pattern of an ARN."""
    lines: tuple[int, ...] = ()
    """Of a comment: the lines that it speaks of."""
    place: Place = field(default_factory=Place)

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of ``finding``."""
        return (
            finding.rule == self.rule
            and self.covers_path(finding.place.path)
            and (not self.statement or self.statement in (finding.sid, str(finding.statement)))
            and (not self.principal or glob(self.principal).matches(finding.principal))
            and (not self.lines or finding.place.line in self.lines)
        )

    def covers_path(self, path: str) -> bool:
        """Whether it speaks of the file ``path``."""
        if not self.path or path == self.path:
            return True
        return not self.lines and (path.endswith("/" + self.path) or glob(self.path).matches(path))


NO_REASON: Final = Rule(
    id="suppression-without-reason",
    title="A suppression without a reason",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(),
    what=f"Finds entries of `{FILE_NAME}` and comments `{MARK} RULE` that give no reason.",
    why="Who reads it a year later has to know whether it still holds. Until there is a reason the findings stay.",
    bad=f"`# {MARK} full-access`",
    instead=f"`# {MARK} full-access break-glass role, reviewed every quarter`",
    reference=_PAGE,
)
NO_RULE: Final = Rule(
    id="suppression-of-unknown-rule",
    title="A suppression of a rule that does not exist",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(),
    what="Finds suppressions whose rule is none of this page.",
    why="It suppresses nothing, very likely by a misspelling.",
    bad=f"`# {MARK} fullaccess break-glass role`",
    instead=f"`# {MARK} full-access break-glass role`",
    reference=_PAGE,
)
UNUSED: Final = Rule(
    id="unused-suppression",
    title="A suppression that nothing needs",
    severity=Severity.INFO,
    confidence=Certainty.HIGH,
    purposes=(),
    what="Finds suppressions of rules that were asked, in files that were read, which no finding needs.",
    why="What it excused is gone, or has moved: the next finding of that rule would be hidden without anybody having "
    "looked at it.",
    bad="an entry for a statement that was taken out",
    instead="no entry",
    reference=_PAGE,
)
RULES: Final = (NO_REASON, NO_RULE, UNUSED)


def read_suppressions(text: str, path: str) -> tuple[Suppression, ...]:
    """The entries ``[[ignore]]`` of a suppression file.

    Raises:
        InputError: it is not TOML, or has something else than such entries.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not TOML: {one_line(str(error))}") from None
    entries = table.get("ignore", [])
    foreign = next((name for name in table if name != "ignore"), None)
    if foreign is not None or not isinstance(entries, list):
        raise InputError(
            f"{path}: `{one_line(foreign or 'ignore')}` is not understood", help="entries begin with [[ignore]]"
        )
    lines = [at for at, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[ignore]]")]
    return tuple(_entry(entry, path, lines[at] if at < len(lines) else None) for at, entry in enumerate(entries))


def _entry(entry: Any, path: str, line: int | None) -> Suppression:
    where = path if line is None else f"{path}:{line}"
    if not isinstance(entry, dict):
        raise InputError(f"{where}: an entry of `ignore` is a table", help="entries begin with [[ignore]]")
    foreign = next((name for name in entry if name not in _KEYS), None)
    if foreign is not None:
        raise InputError(f"{where}: `{one_line(foreign)}` is not understood", help=f"an entry has {', '.join(_KEYS)}")
    wrong = next(
        (name for name in entry if not isinstance(entry[name], str | (int if name == "statement" else str))), None
    )
    if wrong is not None or isinstance(entry.get("statement"), bool):
        raise InputError(f"{where}: `{wrong or 'statement'}` is not a text")
    if "rule" not in entry:
        raise InputError(f"{where}: an entry needs `rule`")
    return Suppression(
        rule=entry["rule"].strip(),
        reason=entry.get("reason", "").strip(),
        path=entry.get("path", ""),
        statement=str(entry.get("statement", "")),
        principal=entry.get("principal", ""),
        place=Place(path, line),
    )


def read_comments(text: str, path: str) -> tuple[Suppression, ...]:
    """The comments ``mantle-iam: ignore RULE reason`` of a Terraform or YAML file."""
    if not _COMMENT.search(text):
        return ()
    lines = text.splitlines()
    found: list[Suppression] = []
    about: tuple[int, ...] = ()
    follows = len(lines)
    # From the end, so that what follows many comments is looked for once.
    for at in range(len(lines) - 1, -1, -1):
        alone = _is_comment(lines[at])
        if lines[at].strip() and not alone:
            follows, about = at, ()
        if mark := _COMMENT.search(lines[at]):
            about = about or tuple(range(follows + 1, _end(lines, follows) + 1))
            rule, _, reason = lines[at][mark.end() :].partition("*/")[0].strip().partition(" ")
            covered = (at + 1, *about) if alone else (at + 1,)
            place = Place(path, at + 1, mark.start() + 1)
            found.append(Suppression(rule, reason.strip(" :-"), path=path, lines=covered, place=place))
    return tuple(reversed(found))


def _is_comment(line: str) -> bool:
    """Whether there is a comment on the line and nothing else."""
    text = line.strip()
    return text.startswith(("#", "//")) or (text.startswith("/*") and not text.partition("*/")[2])


def _end(lines: list[str], first: int) -> int:
    """Number of the last line of the block that ``lines[first]`` opens; its own where it opens none."""
    depth = 0
    for at in range(first, min(len(lines), first + _LONGEST_BLOCK)):
        depth += lines[at].count("{") - lines[at].count("}")
        if depth <= 0:
            return at + 1
    return first + 1


@dataclass(frozen=True, slots=True)
class Sorted:
    """Findings after suppressions: those that stay (with what is wrong with suppressions), and those that were let be."""

    findings: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...] = ()


def suppress(
    findings: Iterable[Finding],
    suppressions: Iterable[Suppression],
    asked: frozenset[str],
    known: frozenset[str],
    read: Iterable[str],
) -> Sorted:
    """Take out what is suppressed.

    ``asked``: ids of the rules that were run; ``known``: of all; ``read``: paths of the files that were read.
    """
    given = tuple(dict.fromkeys(suppressions))
    working = [each for each in given if each.reason and each.rule in known]
    used: set[int] = set()
    kept: list[Finding] = []
    gone: list[tuple[Finding, Suppression]] = []
    for finding in findings:
        at = next((at for at, each in enumerate(working) if each.covers(finding)), None)
        if at is None:
            kept.append(finding)
        else:
            used.add(at)
            gone.append((finding, working[at]))
    paths = tuple(read)
    idle = [
        each
        for at, each in enumerate(working)
        if at not in used and each.rule in asked and any(each.covers_path(path) for path in paths)
    ]
    return Sorted((*kept, *(each for each in _about(given, idle, known) if each.rule in asked)), tuple(gone))


def _about(given: tuple[Suppression, ...], idle: list[Suppression], known: frozenset[str]) -> Iterator[Finding]:
    for each in given:
        name = one_line(each.rule) or "?"
        if each.rule not in known:
            from difflib import get_close_matches

            near = get_close_matches(each.rule[:100], sorted(known), n=1)
            remedy = f"write `{near[0]}`" if near else "see `mantle-iam lint --list-rules`"
            yield _finding(NO_RULE, f"`{name}` is no rule", each.place, remedy)
        elif not each.reason:
            yield _finding(
                NO_REASON, f"`{name}` is to be ignored without a reason", each.place, "write the reason after the rule"
            )
    for each in idle:
        yield _finding(UNUSED, f"no finding of `{one_line(each.rule)}` needs this", each.place, "take it out")


def _finding(rule: Rule, message: str, place: Place, remedy: str) -> Finding:
    return Finding(rule.id, rule.severity, rule.confidence, message, place, remedy=remedy, reference=rule.reference)
