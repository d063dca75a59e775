"""Policy documents as records.  Reading and writing them is ``grammar.py``'s; judging by them ``evaluation.py``'s.

Elements are kept as they were written (patterns, variables, case).  An element that a statement does not have is an empty
tuple; AWS accepts no empty element, so nothing is lost.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy document.

    ``version`` is ``None`` when left out, which AWS reads as ``2008-10-17`` (no policy variables).
    """

    statements: tuple[Statement, ...]
    version: str | None = "2012-10-17"
    id: str | None = None
    problems: tuple[Problem, ...] = ()
