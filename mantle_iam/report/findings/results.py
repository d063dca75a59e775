"""What every format of findings is given, and what all of them must agree on: order, counts, fingerprints, names of places.

Knows no format.  A fingerprint is the same after lines were added above or statements before, since a tool that tracks
findings over time takes another fingerprint for another finding.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from mantle_iam.audit.findings import Finding, Severity
from mantle_iam.audit.lint.rule import Rule
from mantle_iam.iam.inventory import Input, InputStatus, Place
from mantle_iam.report.layout import clean

TOOL: Final = "mantle-iam"
SEVERITIES: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)
"""The worst first."""
REQUIREMENT: Final = "requirement/"
"""Before the name of a requirement that is not met, so that it is not taken for a rule of ``lint``."""
NOWHERE: Final = "mantle-iam"
"""Folder of the stand-in for a file, where a format insists on one and the finding has none."""
_MOST_SAID: Final = 10
_MOST_PROBLEMS: Final = 5
_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Results:
    """Findings, what was read, and what is needed to show them."""

    findings: tuple[Finding, ...]
    inputs: tuple[Input, ...] = ()
    rules: tuple[Rule, ...] = ()
    """Records of the rules that were asked, for formats that describe them; rules without one are named by their id."""
    texts: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)
    """Texts of files by ``Place.path``, for excerpts; may lack any."""
    version: str = ""
    """Of the program."""
    fail_on: Severity | None = Severity.WARNING
    """The least severity that makes the command fail; ``None`` where none does."""
    root: str = ""
    """Folder of the checkout, absolute, as a URI writes it; empty where it is not known."""
    folder: str = ""
    """The working directory, in the same way: what relative paths begin at."""

    def fails(self, finding: Finding) -> bool:
        """Whether ``finding`` is severe enough to make the command fail; a requirement that is not met always is."""
        if finding.rule.startswith(REQUIREMENT):
            return finding.severity is not Severity.INFO
        return self.fail_on is not None and SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.fail_on)

    def path(self, path: str) -> str:
        """``path`` as services name a file: from the root of the checkout, where it is below that."""
        if not self.root or not has_file(Place(path)):
            return relative(path)
        drive = self.folder[1:2] == ":"
        named = path.replace("\\", "/") if drive else path
        whole = named if drive and named[1:2] == ":" else posixpath.join(self.folder, named)
        whole = posixpath.normpath(whole)
        return whole.removeprefix(f"{self.root.rstrip('/')}/")

    def uri(self, place: Place) -> str:
        """``file_uri`` of the same."""
        return file_uri(place, self.path)


def worth_knowing(inputs: Iterable[Input]) -> list[tuple[str, str]]:
    """What is to be said of inputs of which nothing is missing, such as what was passed over: path and sentences, not clean.

    Of the first ones alone; how many more there are comes last, without a path.
    """
    said = [one for one in inputs if one.status is InputStatus.READ and one.problems]
    lines = []
    for one in said[:_MOST_SAID]:
        rest = len(one.problems) - _MOST_PROBLEMS
        more = [f"and {rest} more"] if rest > 0 else []
        path = "standard input" if one.path == "-" else one.path
        lines.append((path, "; ".join([*one.problems[:_MOST_PROBLEMS], *more])))
    rest = len(said) - _MOST_SAID
    if rest > 0:
        lines.append(("", f"and {rest:,} more {'input' if rest == 1 else 'inputs'} (--output json lists them)"))
    return lines


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By file, line and column, then by what is said, whatever order they were found in."""
    return sorted(findings, key=_order)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, requirements before what else is as severe, then in order: for those who do not read to the end."""
    ordered = in_order(findings)
    return sorted(ordered, key=lambda one: (SEVERITIES.index(one.severity), not one.rule.startswith(REQUIREMENT)))


def _order(finding: Finding) -> tuple[str | int, ...]:
    place = finding.place
    where = (place.path, place.line or 0, place.column or 0, place.address, finding.policy)
    which = (-1 if finding.statement is None else finding.statement, place.pointer)
    what = (SEVERITIES.index(finding.severity), finding.rule, finding.principal, finding.message)
    # The rest decides nothing that anybody looks for, but makes the order one.
    rest = (finding.sid is not None, finding.sid or "", finding.confidence.value, finding.remedy, finding.reference)
    return (*where, *which, *what, *rest)


def count_words(findings: Iterable[Finding]) -> str:
    """``2 errors, 1 warning``; ``no findings``."""
    counts = Counter(finding.severity for finding in findings)
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [f"{counts[one]} {words[one]}{'' if counts[one] == 1 else 's'}" for one in SEVERITIES if counts[one]]
    return ", ".join(parts) or "no findings"


def failed(inputs: Iterable[Input]) -> list[Input]:
    """The inputs of which something could not be read."""
    return [one for one in inputs if one.status is not InputStatus.READ]


def sound(text: str) -> str:
    """``text`` as it can be encoded: a lone surrogate, which JSON can hold and UTF-8 cannot, becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def relative(path: str) -> str:
    """``path`` without the ``./`` at its beginning, which formats that compare paths with a repository's do not want."""
    while path.startswith("./") and path.strip("./"):
        path = path[2:].lstrip("/")
    return path


def fingerprints(findings: Iterable[Finding], path: Callable[[str], str] = relative) -> list[str]:
    """A hexadecimal SHA-256 for each of ``findings``, no two alike.

    Made of the rule, the file, the resource, the policy, the principal, the statement's Sid, the element within the
    statement and the message, but of no line, column or index.  Those that agree in all of it are numbered in their order.
    ``path`` makes the file's name the same wherever the checkout is.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    made = []
    for finding in findings:
        place = finding.place
        names = (finding.rule, path(place.path), place.address, finding.policy, finding.principal, finding.sid or "")
        identity = tuple(map(sound, (*names, _element(place.pointer), finding.message)))
        # Lengths before the parts, so that no two lists of parts are written alike.
        written = "".join(f"{len(part)}:{part}" for part in (*identity, str(seen[identity])))
        made.append(hashlib.sha256(written.encode()).hexdigest())
        seen[identity] += 1
    return made


def _element(pointer: str) -> str:
    """``pointer`` without its indices: ``/Statement/3/Action/0`` is ``/Statement/Action``."""
    return "/".join(part for part in pointer.split("/") if not (part.isascii() and part.isdigit()))


def has_file(place: Place) -> bool:
    """Whether ``place`` is in a file: not in a live account, and not in standard input."""
    return place.path not in ("", "-") and not place.path.startswith("aws:")


def file_uri(place: Place, named: Callable[[str], str] = relative) -> str:
    """``place``'s file as a URI reference (RFC 3986): relative for a relative path, ``file:`` for an absolute one.

    Where there is no file, a relative reference that stands for the account or standard input.  ``named`` is as for
    ``fingerprints``.
    """
    path = sound(place.path)
    if has_file(place):
        path = named(path)
    else:
        name = "account" if path.startswith("aws:") else "standard-input" if path == "-" else "findings"
        return "/".join((NOWHERE, name, *([quote(path[4:], safe="")] if path.startswith("aws:") else [])))
    drive = len(path) > 2 and path[0].isascii() and path[0].isalpha() and path[1] == ":" and path[2] in "\\/"
    if drive:
        return f"file:///{path[0]}:{quote(path[2:].replace(chr(92), '/'))}"
    written = quote(path)
    # Two slashes at the beginning would name a host.
    return f"file:///{written.lstrip('/')}" if written.startswith("/") else written


def where(finding: Finding) -> str:
    """The place in one line, clean: ``file:line:column``, the resource's address where there is one, or the principal."""
    place = finding.place
    path = "standard input" if place.path == "-" else place.path
    spot = ":".join(str(part) for part in (path, place.line, place.column if place.line else None) if part)
    address = f" ({place.address})" if place.address and spot else place.address
    return clean(spot + address) or clean(finding.principal or finding.policy) or TOOL


def subject(finding: Finding) -> str:
    """Whom or what it is about besides the place, clean: the policy, the statement, the principal."""
    parts = []
    if finding.policy:
        parts.append(f"policy {finding.policy}")
    if finding.sid is not None:
        parts.append(f"statement {finding.sid}")
    elif finding.statement is not None:
        parts.append(f"statement {finding.statement}")
    if finding.principal:
        parts.append(finding.principal)
    return clean(", ".join(parts))
