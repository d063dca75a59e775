"""Does one set of policy documents allow anything that another does not?  A proof, or a request that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import ContextValue


class Inclusion(StrEnum):
    """Whether everything that one set of documents allows is allowed by another."""

    HOLDS = "holds"
    """Proven."""
    FAILS = "fails"
    """A witness shows it: ``evaluate`` allows it by the one and not by the other."""
    UNKNOWN = "unknown"
    """Neither a proof nor a witness was found."""


class Relation(StrEnum):
    """What NEW allows beside what OLD allows."""

    EQUAL = "equal"
    NARROWER = "narrower"
    WIDER = "wider"
    INCOMPARABLE = "incomparable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that one set of documents allows and another does not."""

    action: str
    resource: str
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    principal: str = ""
    """ARN; empty where the documents do not depend on it."""


@dataclass(frozen=True, slots=True)
class Included:
    """The answer of ``allows_no_more``."""

    result: Inclusion
    witness: Witness | None = None
    reason: str = ""
    """One sentence without a full stop: what was treated as opaque, which statement allows the witness."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of ``compare``."""

    relation: Relation
    more: Included
    """Whether NEW allows nothing that OLD does not."""
    less: Included
    """Whether OLD allows nothing that NEW does not."""


def allows_no_more(
    new: tuple[PolicyDocument, ...], old: tuple[PolicyDocument, ...], *, actions: tuple[str, ...] = ()
) -> Included:
    """Whether all that ``new`` allows is allowed by ``old``; the documents of each side act together, as identity policies do.

    ``actions``: actions that exist, of which witnesses are taken where they can be; the proof is over all strings.
    """
    raise NotImplementedError


def compare(
    old: tuple[PolicyDocument, ...], new: tuple[PolicyDocument, ...], *, actions: tuple[str, ...] = ()
) -> Comparison:
    """How ``new`` relates to ``old``, in both directions."""
    raise NotImplementedError
