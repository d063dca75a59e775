"""What is wrong with the documents and principals of an audit: the rules of ``lint`` over everything that is read, as it is read.

Composes; no argument line and no printing here.  No more than ``MOST`` findings are held; the others are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from mantle_iam.audit.findings import Finding, Severity
from mantle_iam.audit.lint.engine import EVERYTHING, Linter, Settings
from mantle_iam.audit.lint.guess import guess_purpose
from mantle_iam.audit.lint.registry import BY_ID
from mantle_iam.audit.lint.suppressions import Suppression, read_comments, suppress
from mantle_iam.collect.openers import Opener
from mantle_iam.collect.places import TextError, decode_text
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Purpose
from mantle_iam.report.findings.document import finding_document
from mantle_iam.report.findings.results import Results, fingerprints, in_order
from mantle_iam.workflow.lint import LARGEST_DOCUMENT, placed, policies_of

MOST: Final = 10_000
"""Findings that are held."""
_COMMENTED: Final = (".tf", ".yaml", ".yml", ".template")
_MOST_TEXT: Final = 64 * 1024 * 1024
"""Characters of files that are held for excerpts; findings in further ones have their lines, and no excerpt."""
_OF_MANY: Final = frozenset((Purpose.SCP, Purpose.RCP, Purpose.VPC_ENDPOINT))
"""What binds many accounts or principals, and is met again with each of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of an audit, when all of it was read."""

    findings: tuple[Finding, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    """Of files with findings, where there is text."""
    suppressed: int = 0
    left_out: int = 0
    """Findings that are not held."""
    beyond: tuple[Finding, ...] = ()
    """Of those one for each severity, since that may decide."""


_Found = dict[str, dict[Finding, NamedPolicy | None]]
"""By path, each once, with its document."""


class Texts:
    """Texts of files, for lines, comments and excerpts; empty where there is none or it is too long."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def __call__(self, path: str) -> str:
        try:
            if not path or path.endswith(".gz") or not 0 < self._opener.size(path) <= LARGEST_DOCUMENT:
                return ""
            return decode_text(self._opener.read(path, LARGEST_DOCUMENT)).text
        except TextError:
            return ""


@dataclass(slots=True)
class Seen:
    """Findings, as many as are held."""

    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0
    beyond: dict[Severity, Finding] = field(default_factory=dict)
    """Of those that are left out, the first of each severity."""
    most: int = MOST

    @property
    def room(self) -> int:
        """How many more are held."""
        return max(self.most - len(self.findings), 0)

    def take(self, findings: Sequence[Finding]) -> None:
        """Findings of one file."""
        room = self.room
        self.findings += findings[:room]
        for finding in findings[room:]:
            self.left_out += 1
            self.beyond.setdefault(finding.severity, finding)


def look(
    accounts: Iterable[Account],
    policies: Iterable[NamedPolicy],
    linter: Linter,
    texts: Texts,
    seen: Seen,
    *,
    shared: bool = True,
) -> None:
    """Ask the rules of accounts and of documents that bind nobody; what they say is added to ``seen``, with its lines.

    ``shared``: also of what binds many accounts, which is read once and met again with each of them.
    """
    by_path: _Found = {}
    met: set[tuple[Purpose, str, Place]] = set()

    def ask(policy: NamedPolicy) -> None:
        if policy.purpose in _OF_MANY:
            key = (policy.purpose, policy.name, policy.place)
            if key in met or not shared:
                return
            met.add(key)
        for finding in linter.policy(policy):
            by_path.setdefault(policy.place.path, {}).setdefault(finding, policy)

    for policy in map(_refined, policies):
        ask(policy)
    for account in accounts:
        # A managed policy is one record for all whom it is attached to; what there is twice all the same has the same findings.
        for policy in {id(policy): policy for policy in policies_of(account)}.values():
            ask(policy)
        for principal in account.principals:
            for finding in linter.principal(principal):
                by_path.setdefault(principal.place.path, {}).setdefault(finding, None)
    for path, found in by_path.items():
        # Those that are not held need no lines.
        room, text = seen.room, texts(path) if seen.room else ""
        seen.take([*placed(list(islice(found.items(), room)), text), *islice(found, room, None)])


class Findings:
    """What the rules say of everything that is read, as it is read."""

    def __init__(self, settings: Settings = EVERYTHING, suppressions: Iterable[Suppression] = ()) -> None:
        self.settings = settings
        self._linter = Linter(settings)
        self._given = tuple(suppressions)
        self._seen = Seen()
        self._texts: dict[str, str] = {}
        self._comments: dict[str, tuple[Suppression, ...]] = {}
        self._kept = 0

    def see(self, accounts: Sequence[Account], policies: Sequence[NamedPolicy], texts: Texts) -> None:
        """What was read here: accounts, and documents that bind nobody by themselves."""
        seen = Seen()
        look(accounts, policies, self._linter, texts, seen)
        found = [policy for account in accounts for policy in policies_of(account)]
        self.take(seen, (policy.place.path for policy in (*policies, *found)), texts)

    @property
    def room(self) -> int:
        """How many more findings are held."""
        return self._seen.room

    def take(self, seen: Seen, paths: Iterable[str], texts: Texts) -> None:
        """What was seen elsewhere in the files ``paths``."""
        held = len(self._seen.findings)
        self._seen.take(seen.findings)
        self._seen.left_out += seen.left_out
        for severity, finding in seen.beyond.items():
            self._seen.beyond.setdefault(severity, finding)
        # Comments may be idle, which is a finding too.
        found = [one.place.path for one in self._seen.findings[held:]]
        for path in dict.fromkeys((*paths, *found)):
            if path.endswith(_COMMENTED) and path not in self._comments:
                self._comments[path] = read_comments(texts(path), path)
        for path in dict.fromkeys(found):
            if path not in self._texts and self._kept < _MOST_TEXT:
                text = texts(path)
                if self._kept + len(text) <= _MOST_TEXT:
                    self._kept += len(text)
                    self._texts[path] = text

    def result(self) -> Found:
        """Everything, once all accounts were taken."""
        comments = tuple(one for many in self._comments.values() for one in many)
        paths = dict.fromkeys((*self._comments, *(one.place.path for one in self._seen.findings)))
        result = suppress(
            list(dict.fromkeys(self._seen.findings)),
            (*self._given, *comments),
            self.settings.asked,
            frozenset(BY_ID),
            paths,
        )
        with_findings = {one.place.path for one in result.findings}
        texts = {path: text for path, text in self._texts.items() if path in with_findings and text}
        return Found(
            tuple(result.findings),
            texts,
            len(result.suppressed),
            self._seen.left_out,
            tuple(self._seen.beyond.values()),
        )


def finding_objects(findings: Iterable[Finding], root: str = "", folder: str = "") -> list[dict[str, Any]]:
    """Findings as the JSON of ``lint`` has them, in their order.  ``root``, ``folder``: as of ``Results``."""
    ordered = in_order(findings)
    marks = fingerprints(ordered, Results((), root=root, folder=folder).path)
    return [finding_document(one, mark) for one, mark in zip(ordered, marks, strict=True)]


def _refined(policy: NamedPolicy) -> NamedPolicy:
    """A document with principals in a file of its own: which kind of them it is, its content tells."""
    if policy.purpose is not Purpose.RESOURCE or policy.place.address:
        return policy
    return replace(policy, purpose=guess_purpose(policy.document, policy.place.path)[0])
