"""What a rule is: one record that documents itself, and one function that checks a document.

Knows no rule and no file.  The doc page is made from the records alone (``page.py``), so that it cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.view import View
from mantle_iam.iam.inventory import UNRESOLVED, Principal, Purpose
from mantle_iam.mantle.sources import Source

GRANTING = (Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.VPC_ENDPOINT)
"""Documents whose Allow is needed for a call."""
LIMITING = (Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.SCP, Purpose.VPC_ENDPOINT, Purpose.RESOURCE)
"""Documents whose Deny can refuse a call to the service."""
MANTLE = LIMITING
"""Documents that can say something about the service's actions at all."""
EVERY = tuple(Purpose)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.  Texts are Markdown; ``bad`` and ``instead`` are JSON, or prose in backticks."""

    id: str
    """Kebab-case words; never changes its meaning."""
    title: str
    severity: Severity
    confidence: Certainty
    purposes: tuple[Purpose, ...]
    """Kinds of document that it is asked about; empty for a rule about principals or suppressions."""
    what: str
    why: str
    bad: str
    instead: str
    reference: str
    """URL."""
    source: Source = Source.DOC
    own: bool = False
    """Only about documents that the reader can change: an AWS managed policy is as wide as AWS wants it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule's check found something."""

    message: str
    """One sentence without a full stop."""
    pointer: str = ""
    """Within the document, ``Statement`` always a list."""
    statement: int | None = None
    remedy: str = ""
    severity: Severity | None = None
    """Where it differs from the rule's."""
    confidence: Certainty | None = None


Check = Callable[[View], Iterator[Hit]]
PrincipalCheck = Callable[[Principal], Iterator[Hit]]


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """A rule and the function that checks one document."""

    rule: Rule
    check: Check


@dataclass(frozen=True, slots=True)
class PrincipalRule:
    """A rule and the function that checks one principal."""

    rule: Rule
    check: PrincipalCheck


def some(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """Names in backticks, with how many more there are."""
    shown = ", ".join(f"`{one_line(name)}`" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def one_line(text: str, most: int = 120) -> str:
    """``text`` as part of a message: on one line, without control characters, not too long."""
    if len(text) <= most and text.isprintable() and UNRESOLVED not in text:
        return text
    text = text[: most * 4].replace(UNRESOLVED, "…")
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: most + 1])
    return clean[:most] + "…" if len(clean) > most else clean
