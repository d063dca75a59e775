"""What is wrong with the documents and principals of an audit: the rules of ``lint`` over everything that is read, as it is read.

Composes; no argument line and no printing here.  No more than ``MOST`` findings are held; the others are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mantle_iam.audit.findings import Finding
from mantle_iam.audit.lint.engine import EVERYTHING, Settings, lint_policy, lint_principal
from mantle_iam.audit.lint.guess import guess_purpose
from mantle_iam.audit.lint.registry import BY_ID
from mantle_iam.audit.lint.suppressions import Suppression, read_comments, suppress
from mantle_iam.collect.places import TextError, decode_text
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Principal, Purpose
from mantle_iam.report.findings.document import finding_document
from mantle_iam.report.findings.results import fingerprints, in_order
from mantle_iam.workflow.lint import LARGEST_DOCUMENT, placed, policies_of

MOST: Final = 10_000
"""Findings that are held."""
_COMMENTED: Final = (".tf", ".yaml", ".yml", ".template")
_MOST_TEXT: Final = 64 * 1024 * 1024
"""Characters of files that are held for excerpts; findings in further ones have their lines, and no excerpt."""
_OF_MANY: Final = frozenset((Purpose.SCP, Purpose.RCP, Purpose.VPC_ENDPOINT))
"""What binds many accounts or principals, and is met again with each of them."""

_Pairs = dict[str, list[tuple[Finding, NamedPolicy | None]]]


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of an audit, when all of it was read."""

    findings: tuple[Finding, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    """Of files with findings, where there is text."""
    suppressed: int = 0
    left_out: int = 0
    """Findings that are not held."""


class Findings:
    """Asks the rules of every account as it is read (``audit_inputs.Watcher``)."""

    def __init__(self, settings: Settings = EVERYTHING, suppressions: Iterable[Suppression] = ()) -> None:
        self._settings = settings
        self._given = tuple(suppressions)
        self._found: list[Finding] = []
        self._texts: dict[str, str] = {}
        self._comments: dict[str, tuple[Suppression, ...]] = {}
        self._seen: set[tuple[Purpose, str, Place]] = set()
        self._kept = 0
        self._left_out = 0

    def see(self, accounts: Sequence[Account], policies: Sequence[NamedPolicy]) -> None:
        """As ``Watcher``."""
        by_path: _Pairs = {}
        for policy in policies:
            self._policy(_refined(policy), by_path)
        for account in accounts:
            for policy in dict.fromkeys(policies_of(account)):
                self._policy(policy, by_path)
            for principal in account.principals:
                self._principal(principal, by_path)
        for path, pairs in by_path.items():
            self._file(path, pairs)

    def _policy(self, policy: NamedPolicy, by_path: _Pairs) -> None:
        if policy.purpose in _OF_MANY:
            key = (policy.purpose, policy.name, policy.place)
            if key in self._seen:
                return
            self._seen.add(key)
        found = lint_policy(policy, self._settings)
        if found:
            by_path.setdefault(policy.place.path, []).extend((each, policy) for each in found)
        elif policy.place.path.endswith(_COMMENTED):
            by_path.setdefault(policy.place.path, [])  # its comments may be idle

    def _principal(self, principal: Principal, by_path: _Pairs) -> None:
        found = lint_principal(principal, self._settings)
        if found:
            by_path.setdefault(principal.place.path, []).extend((each, None) for each in found)

    def _file(self, path: str, pairs: list[tuple[Finding, NamedPolicy | None]]) -> None:
        text = self._text(path)
        if path.endswith(_COMMENTED) and path not in self._comments:
            self._comments[path] = read_comments(text, path)
        room = max(MOST - len(self._found), 0)
        self._left_out += len(pairs[room:])
        if pairs[:room]:
            self._found += placed(pairs[:room], text)
            if path not in self._texts and self._kept + len(text) <= _MOST_TEXT:
                self._kept += len(text)
                self._texts[path] = text

    def _text(self, path: str) -> str:
        """The text of a file, for lines and excerpts; empty where there is none."""
        if path in self._texts:
            return self._texts[path]
        try:
            file = Path(path)
            if not path or path.endswith(".gz") or not file.is_file() or file.stat().st_size > LARGEST_DOCUMENT:
                return ""
            return decode_text(file.read_bytes()).text
        except (TextError, OSError, ValueError):
            return ""

    def result(self) -> Found:
        """Everything, once all accounts were taken."""
        comments = tuple(one for many in self._comments.values() for one in many)
        paths = dict.fromkeys((*self._comments, *(one.place.path for one in self._found)))
        result = suppress(
            list(dict.fromkeys(self._found)),
            (*self._given, *comments),
            self._settings.asked,
            frozenset(BY_ID),
            paths,
        )
        with_findings = {one.place.path for one in result.findings}
        texts = {path: text for path, text in self._texts.items() if path in with_findings and text}
        return Found(tuple(result.findings), texts, len(result.suppressed), self._left_out)


def finding_objects(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as the JSON of ``lint`` has them, in their order."""
    ordered = in_order(findings)
    return [finding_document(one, mark) for one, mark in zip(ordered, fingerprints(ordered), strict=True)]


def _refined(policy: NamedPolicy) -> NamedPolicy:
    """A document with principals in a file of its own: which kind of them it is, its content tells."""
    if policy.purpose is not Purpose.RESOURCE or policy.place.address:
        return policy
    return replace(policy, purpose=guess_purpose(policy.document, policy.place.path)[0])
