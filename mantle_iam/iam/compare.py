"""Does one set of policy documents allow anything that another does not?  A proof, or a request that shows it.

Requests are all there can be: any action, resource and context, not those of a catalogue.  The proof rests on the languages of
patterns (``language.py``) and on representative values of the context keys (``compare_values.py``), the same operators as
``evaluate``'s; a witness is one only if ``evaluate`` says so.  Knows no service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.iam.compare_boxes import has_principals
from mantle_iam.iam.compare_search import MOST_WORK, Search
from mantle_iam.iam.language import TooMuchError
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import ContextValue, Decision, EvaluationResult, StatementRef


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
    absent: tuple[str, ...] = ()
    """Context keys that the request must not have, though requests usually do."""
    issuer: str | None = None
    """Of a session in ``principal``: the role behind it, where that matters."""


@dataclass(frozen=True, slots=True)
class Included:
    """The answer of ``allows_no_more``."""

    result: Inclusion
    witness: Witness | None = None
    reason: str = ""
    """One sentence without a full stop: what was treated as opaque, which statement allows the witness."""
    allowed_by: tuple[StatementRef, ...] = ()
    """The statements that allow the witness."""
    denied_by: tuple[StatementRef, ...] = ()
    """The Deny statements of the other side that match it; none where no Allow does."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of ``compare``."""

    relation: Relation
    more: Included
    """Whether NEW allows nothing that OLD does not."""
    less: Included
    """Whether OLD allows nothing that NEW does not."""


def allows_no_more(
    new: tuple[PolicyDocument, ...],
    old: tuple[PolicyDocument, ...],
    *,
    actions: tuple[str, ...] = (),
    single_valued: frozenset[str] = frozenset(),
) -> Included:
    """Whether all that ``new`` allows is allowed by ``old``; the documents of each side act together, as identity policies do.

    ``actions``: actions that exist, of which witnesses are taken where they can be; the proof is over all strings.
    ``single_valued``: context keys of which no request carries several values, beside the global ones.  Context keys count as
    independent of each other, but for the few of which it is known how they hang together
    (``compare_facts.py``).  Where the documents name principals they are taken as policies on the resource; where some do and
    others do not, nothing can be said.
    """
    if _of_two_kinds((*new, *old)):
        return Included(Inclusion.UNKNOWN, reason=_TWO_KINDS)
    search = Search(new, old, actions, frozenset(key.lower() for key in single_valued))
    try:
        found = search.run()
    except TooMuchError:
        bound = f"the documents are too intricate for {MOST_WORK:,} steps"
        return Included(Inclusion.UNKNOWN, reason=bound)
    if found is not None:
        witness = Witness(found.action, found.resource, found.context, found.principal, found.absent, found.issuer)
        return Included(
            Inclusion.FAILS,
            witness,
            _reason(found.by_new, found.by_old),
            found.by_new.determining,
            _denies(found.by_old),
        )
    if search.undecided:
        return Included(Inclusion.UNKNOWN, reason="; ".join(list(search.undecided)[:3]))
    return Included(Inclusion.HOLDS, reason="no request is allowed by the one and not by the other")


_TWO_KINDS = (
    "some of the documents name principals, as policies on a resource do, and others do not, as identity policies: "
    "what they allow cannot be compared"
)


def _of_two_kinds(documents: tuple[PolicyDocument, ...]) -> bool:
    return len({has_principals((document,)) for document in documents if document.statements}) > 1


def _denies(result: EvaluationResult) -> tuple[StatementRef, ...]:
    return result.determining if result.decision is Decision.EXPLICIT_DENY else ()


def _reason(allowing: EvaluationResult, refusing: EvaluationResult) -> str:
    by = " and ".join(_named(ref) for ref in allowing.determining)
    denies = _denies(refusing)
    other = f"{_named(denies[0])} of the other denies it" if denies else "no statement of the other does"
    return f"{by} allows it; {other}"


def _named(ref: StatementRef) -> str:
    document = f" of document {ref.document}" if ref.document else ""
    return f"statement `{ref.sid}`{document}" if ref.sid else f"statement {ref.statement}{document}"


def compare(
    old: tuple[PolicyDocument, ...],
    new: tuple[PolicyDocument, ...],
    *,
    actions: tuple[str, ...] = (),
    single_valued: frozenset[str] = frozenset(),
) -> Comparison:
    """How ``new`` relates to ``old``, in both directions; the arguments are those of ``allows_no_more``."""
    more = allows_no_more(new, old, actions=actions, single_valued=single_valued)
    less = allows_no_more(old, new, actions=actions, single_valued=single_valued)
    relation = _RELATIONS.get((more.result, less.result), Relation.UNKNOWN)
    return Comparison(relation, more, less)


_RELATIONS = {
    (Inclusion.HOLDS, Inclusion.HOLDS): Relation.EQUAL,
    (Inclusion.HOLDS, Inclusion.FAILS): Relation.NARROWER,
    (Inclusion.FAILS, Inclusion.HOLDS): Relation.WIDER,
    (Inclusion.FAILS, Inclusion.FAILS): Relation.INCOMPARABLE,
}
