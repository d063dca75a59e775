"""What is asked of many principals at once, and the answer: sets of questions as bit masks, one bit for each question.

Records only; ``compiled.py`` fills them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mantle_iam.iam.request import ContextValue, Decision, PolicyType, StatementRef


@dataclass(frozen=True, slots=True)
class Question:
    """One action on one resource, in the context of one kind of call."""

    action: str
    resource: str = "*"
    """An ARN or ``*``; ``${Account}`` and ``${Partition}`` stand for those of the account that is asked about."""
    context: tuple[tuple[str, ContextValue | None], ...] = ()
    unknown: frozenset[str] = frozenset()
    open: bool = False
    """Whether every further key, unless it follows from the principal or the resource, is unknown rather than absent."""
    lacks: tuple[str, ...] = ()
    """Beginnings, in lower case, of keys that no such request carries (``aws:resourcetag/`` where there is no resource)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks."""

    principal: str
    issuer: str | None = None
    context: tuple[tuple[str, ContextValue | None], ...] = ()
    """Keys about the principal alone (``aws:PrincipalTag/...``); any other belongs to a question."""
    management_account: str | None = None


class Hit(NamedTuple):
    """Where one statement applies (``sure``) or may apply (``maybe``), and where it is ``wider`` than what is asked: an Allow
    lets the action pass in another place, a Deny leaves one alone."""

    at: int
    sid: str | None
    deny: bool
    sure: int
    maybe: int
    wider: int = 0


class Masks(NamedTuple):
    """What a layer says: four sets of questions; those of one effect do not overlap."""

    deny: int = 0
    maybe_deny: int = 0
    allow: int = 0
    maybe_allow: int = 0
    wider: int = 0
    """Of which an Allow names other places than were asked about, and no Deny surely holds in all of them."""


class LayerHits(NamedTuple):
    """The statements of one document of one layer."""

    kind: PolicyType
    level: int | None
    document: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decisions on all questions; every question is in exactly one of the four."""

    allowed: int
    explicit_deny: int
    implicit_deny: int
    unknown: int
    layers: tuple[tuple[PolicyType, Masks], ...] = ()
    """Empty where ``evaluate`` decided."""
    statements: tuple[LayerHits, ...] = ()
    elsewhere: int = 0
    """Of what is denied: what every layer may allow in other places."""

    def decision(self, question: int) -> Decision:
        """The decision on the question with that index."""
        bit = 1 << question
        if self.allowed & bit:
            return Decision.ALLOWED
        if self.explicit_deny & bit:
            return Decision.EXPLICIT_DENY
        return Decision.IMPLICIT_DENY if self.implicit_deny & bit else Decision.UNKNOWN

    def determining(self, question: int) -> tuple[StatementRef, ...]:
        """The Deny statements that met the question, or the Allow statements that let it through."""
        bit = 1 << question
        if not (self.allowed | self.explicit_deny) & bit:
            return ()
        deny = bool(self.explicit_deny & bit)
        return tuple(
            StatementRef(kind, document, hit.at, hit.sid, level)
            for kind, level, document, hits in self.statements
            for hit in hits
            if hit.deny is deny and hit.sure & bit
        )

    def withheld_by(self, question: int) -> tuple[PolicyType, ...]:
        """The layers that deny, or that should allow and do not, in the order of ``PolicyType``."""
        bit = 1 << question
        if not (self.explicit_deny | self.implicit_deny) & bit:
            return ()
        return tuple(
            kind for kind, masks in self.layers if masks.deny & bit or not (masks.allow | masks.maybe_allow) & bit
        )

    def withheld(self) -> tuple[int, ...]:
        """For each of ``layers`` the questions of which ``withheld_by`` names it."""
        refused = self.explicit_deny | self.implicit_deny
        return tuple([refused & (masks.deny | ~(masks.allow | masks.maybe_allow)) for _, masks in self.layers])
