"""Policy documents as records.  Reading and writing them is ``grammar.py``'s; judging by them ``evaluation.py``'s.

Elements are kept as they were written (patterns, variables, case).  An element that a statement does not have is an empty
tuple; AWS accepts no empty element, so nothing is lost.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Effect(StrEnum):
    """What a statement does to a request that it applies to."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator, one context key, its values (any of which may match)."""

    operator: str
    """As written, with qualifier and suffix: ``ForAnyValue:StringLikeIfExists``."""
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Principals:
    """The ``Principal`` or ``NotPrincipal`` element: identifiers by type.

    Types are ``AWS``, ``Service``, ``Federated`` and ``CanonicalUser``.

    ``"*"`` and ``{"AWS": "*"}`` are the same: ``AWS`` with ``*``.
    """

    by_type: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.  Exactly one of ``actions`` and ``not_actions`` is filled in a valid document."""

    effect: Effect
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: Principals | None = None
    not_principals: Principals | None = None
    conditions: tuple[Condition, ...] = ()
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a document that was kept but not understood, or that AWS would refuse to store."""

    pointer: str
    """JSON pointer (RFC 6901) into the document as it was given."""
    message: str
    element: str | None = None
    """JSON text of an element that was not understood; ``write_policy`` puts it back where ``pointer`` says."""


class UnreadStatements(Protocol):
    """Statements that are known to be whole, in the form in which they were decoded."""

    def statements(self) -> tuple[Statement, ...]:
        """The records."""

    def action_patterns(self) -> Sequence[Sequence[str]]:
        """Of every statement its ``actions``."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy document.

    ``version`` is ``None`` when left out, which AWS reads as ``2008-10-17`` (no policy variables).
    """

    statements: tuple[Statement, ...]
    version: str | None = "2012-10-17"
    id: str | None = None
    problems: tuple[Problem, ...] = ()

    def action_patterns(self) -> Sequence[Sequence[str]]:
        """Of every statement its ``actions``."""
        return [one.actions for one in self.statements]


class UnreadDocument(PolicyDocument):
    """A document whose statements are made when they are asked for: hardly anybody looks into most of an organization's."""

    __slots__ = ("_unread",)
    _unread: UnreadStatements | None

    @classmethod
    def of(cls, unread: UnreadStatements, version: str | None, id_: str | None) -> UnreadDocument:
        """The document of these statements."""
        made, put = cls.__new__(cls), object.__setattr__
        put(made, "_unread", unread)
        put(made, "version", version)
        put(made, "id", id_)
        put(made, "problems", ())
        return made

    def __getattr__(self, name: str) -> tuple[Statement, ...] | None:
        # Only what is not there is looked up here.
        if name == "_unread":
            return None
        if name != "statements" or self._unread is None:
            raise AttributeError(name)
        found = self._unread.statements()
        object.__setattr__(self, "statements", found)
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PolicyDocument):
            return NotImplemented
        mine = (self.statements, self.version, self.id, self.problems)
        return mine == (other.statements, other.version, other.id, other.problems)

    __hash__ = PolicyDocument.__hash__

    def __reduce__(self) -> tuple[type[PolicyDocument], tuple[object, ...]]:
        return PolicyDocument, (self.statements, self.version, self.id, self.problems)

    def action_patterns(self) -> Sequence[Sequence[str]]:
        """As of any document, without making the statements."""
        return super().action_patterns() if self._unread is None else self._unread.action_patterns()
