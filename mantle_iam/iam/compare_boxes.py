"""Statements as boxes (principal x action x resource x conditions), and the regions of one element that tell boxes apart.

What a set of documents allows is a union of boxes less those of its Deny statements.  A region is a pattern; its most general
text lies in as few boxes as any text of it does (``language.py``), so that of each element only the regions need to be looked at
that lie in a smallest set of boxes.  Where that cannot be said exactly a region counts as outside of a box.
Knows no search and no evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.compare_atoms import Atom, Atoms
from mantle_iam.iam.compare_conditions import Budget
from mantle_iam.iam.compare_facts import ACCOUNT, OTHER_ACCOUNT, by_arn
from mantle_iam.iam.compiled import VARIABLES_SINCE
from mantle_iam.iam.language import (
    ONE,
    PatternSet,
    Symbols,
    TooMuchError,
    classes,
    coded,
    fresh_unit,
    has_symbols,
    is_literal,
    meet,
    plain,
)
from mantle_iam.iam.matching import parse_variables
from mantle_iam.iam.policy import Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.principals import Caller, Grant, excepts, grant_of, is_account, read_caller

MOST_REGIONS = 1_500
"""Regions of one element in one question."""
ANY_ACTION = plain("*:*")
ANYTHING = plain("*")


@dataclass(frozen=True, slots=True)
class Element:
    """``Action`` or ``Resource``; ``complement``: ``NotAction`` or ``NotResource``."""

    patterns: PatternSet
    complement: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A statement."""

    statement: Statement
    document: int
    index: int
    actions: Element
    resources: Element | None
    """``None`` for a statement that has neither element."""
    atoms: tuple[Atom, ...]

    @property
    def deny(self) -> bool:
        """Whether it takes away."""
        return self.statement.effect is Effect.DENY

    @property
    def shape(self) -> tuple[object, ...]:
        """Equal for two boxes that hold the same requests, whatever their variables stand for."""
        statement, actions, resources = self.statement, self.actions, self.resources
        return (
            statement.principals,
            statement.not_principals,
            (frozenset(actions.patterns.codes), actions.complement),
            None if resources is None else (frozenset(resources.patterns.codes), resources.complement),
            frozenset(self.atoms),
            # Whom a NotPrincipal excepts is another question in an Allow.
            self.deny and statement.not_principals is not None,
        )

    @property
    def name(self) -> str:
        """How a reader finds it."""
        return f"`{self.statement.sid}`" if self.statement.sid else f"number {self.index}"


def boxes(documents: Sequence[PolicyDocument], atoms: Atoms, symbols: Symbols, *, on_resource: bool) -> tuple[Box, ...]:
    """The boxes of documents that act together.  ``on_resource``: a statement without ``Resource`` means the resource itself."""
    found = []
    for at, document in enumerate(documents):
        variables = document.version == VARIABLES_SINCE
        for index, statement in enumerate(document.statements):
            resources = _resources(statement, variables, symbols)
            if resources is None and on_resource:
                resources = Element(PatternSet((ANYTHING,)))
            asked = statement.conditions if on_resource else map(by_arn, statement.conditions)
            conditions = tuple(dict.fromkeys(atoms.of(condition, variables) for condition in asked))
            found.append(Box(statement, at, index, _actions(statement), resources, conditions))
    return tuple(found)


def _actions(statement: Statement) -> Element:
    named = statement.actions or statement.not_actions
    return Element(PatternSet(plain(pattern.lower()) for pattern in named), complement=not statement.actions)


def _resources(statement: Statement, variables: bool, symbols: Symbols) -> Element | None:
    named = statement.resources or statement.not_resources
    if not named:
        return None
    codes = (
        coded(parse_variables(pattern), symbols) if variables and "${" in pattern else plain(pattern)
        for pattern in named
    )
    return Element(PatternSet(codes), complement=not statement.resources)


class Region(NamedTuple):
    """A pattern and the boxes (bits) in which all of it lies."""

    code: str
    covered: int


Piece = tuple[str, int]
"""A pattern, and the boxes (bits) in which it lies because what it was cut out of does, whatever its variables stand for."""


def regions(
    inside: Sequence[Element], others: Sequence[tuple[int, Element]], domain: str, budget: Budget
) -> list[Region]:
    """Regions of what lies in every element of ``inside``, each in a smallest set of the ``others`` (given with their bits)."""
    positive = [(bit, other.patterns) for bit, other in others if not other.complement]
    pieces, outside = _common(inside, domain, positive, budget)
    cut = _apart(pieces, [(bit, other.patterns) for bit, other in others if other.complement], positive, budget)
    cut = _counted(cut, others, outside, budget)
    found: dict[int, Region] = {}
    budget.spend(len(cut) * (len(others) + len(outside) + 1))
    for (code, sure), missing in cut.items():
        if any(patterns.covers(code) for patterns in outside):
            continue
        covered = sure
        for bit, other in others:
            if not missing & bit and other.patterns.covers(code) is not other.complement:
                covered |= bit
        found.setdefault(covered, Region(code, covered))
    return smallest(found.values(), budget)


def smallest(found: Iterable[Region], budget: Budget) -> list[Region]:
    """The regions of which no other lies in fewer of the same boxes."""
    ordered = sorted(found, key=lambda region: region.covered.bit_count())
    kept: list[Region] = []
    for region in ordered:
        budget.spend(len(kept) // 8 + 1)
        if not any(less.covered & region.covered == less.covered for less in kept):
            kept.append(region)
    return kept


def covered_by(code: str, others: Iterable[tuple[int, Element]]) -> int:
    """The bits of the elements in which a text lies."""
    found = 0
    for bit, other in others:
        if other.patterns.covers(code) is not other.complement:
            found |= bit
    return found


_Positive = Sequence[tuple[int, PatternSet]]


def _lying_in(code: str, positive: _Positive) -> int:
    """The boxes in which a pattern with variables lies; others are found again from any part of it."""
    if not has_symbols(code):
        return 0
    return sum(bit for bit, patterns in positive if patterns.covers(code))


def _common(
    inside: Sequence[Element], domain: str, positive: _Positive, budget: Budget
) -> tuple[list[Piece], list[PatternSet]]:
    """What lies in all of them, and what is to be taken out of that."""
    pieces: dict[Piece, None] = {(domain, 0): None}
    for element in inside:
        if element.complement:
            continue
        budget.spend(len(pieces) * len(element.patterns.codes) * 2)
        narrower: dict[Piece, None] = {}
        for code, sure in pieces:
            for other in element.patterns.codes:
                found, exact = meet(code, other)
                known = sure if exact else sure | _lying_in(code, positive) | _lying_in(other, positive)
                narrower.update(dict.fromkeys((common, known) for common in found))
        if len(narrower) > MOST_REGIONS:
            raise TooMuchError
        pieces = narrower
    return list(pieces), [element.patterns for element in inside if element.complement]


def _apart(
    pieces: Iterable[Piece], complements: Sequence[tuple[int, PatternSet]], positive: _Positive, budget: Budget
) -> dict[Piece, int]:
    """``pieces`` and what of them lies in the patterns of a Not element: there its box (the bit) does not apply."""
    found = dict.fromkeys(pieces, 0)
    for bit, patterns in complements:
        for (code, sure), missing in list(found.items()):
            if patterns.covers(code):
                continue
            budget.spend(len(patterns.codes) * 2)
            for pattern in patterns.codes:
                parts, exact = meet(code, pattern)
                known = sure if exact else sure | _lying_in(code, positive) | _lying_in(pattern, positive)
                for common in parts:
                    found[common, known] = found.get((common, known), 0) | missing | bit
        if len(found) > MOST_REGIONS:
            raise TooMuchError
    return found


def _counted(
    found: dict[Piece, int], others: Sequence[tuple[int, Element]], outside: Sequence[PatternSet], budget: Budget
) -> dict[Piece, int]:
    """``found``, where ``?`` counts units replaced by one text for each set of patterns that a text of it lies in."""
    sets = [*(other.patterns for _, other in others), *outside]
    if not any(patterns.counting for patterns in sets):
        return found
    every = tuple(dict.fromkeys(code for patterns in sets for code in patterns.codes))
    fresh = fresh_unit((*every, *(code for code, _ in found)))
    split: dict[Piece, int] = {}
    for (code, sure), missing in found.items():
        if is_literal(code) or has_symbols(code):
            split[code, sure] = split.get((code, sure), 0) | missing
            continue
        budget.spend(len(every) * 4)
        near = tuple(pattern for pattern in every if meet(code, pattern)[0])
        apart = None
        if any(ONE in pattern for pattern in near):
            budget.spend(2_000)
            apart = classes(code, tuple(pattern for pattern in near if not has_symbols(pattern)), fresh)
        if apart is None and any(ONE in pattern for pattern in near):
            # Too much to tell apart: outside of whatever counts.
            missing |= sum(bit for bit, other in others if other.complement and other.patterns.counting)
        for text in apart if apart is not None else (code,):
            split[text, sure] = split.get((text, sure), 0) | missing
    return split


# Principals


@dataclass(frozen=True, slots=True)
class Someone:
    """A principal to try: as ``evaluate`` takes it, or (``caller`` is ``None``) one that it does not know."""

    text: str
    issuer: str | None = None
    caller: Caller | None = None
    listed_as: tuple[str, str] = ("", "")


def has_principals(documents: Iterable[PolicyDocument]) -> bool:
    """Whether a statement names principals."""
    return any(
        statement.principals is not None or statement.not_principals is not None
        for document in documents
        for statement in document.statements
    )


def everyone(documents: Iterable[PolicyDocument]) -> tuple[Someone, ...]:
    """Principals of which each other one is meant by the same ``Principal`` elements as one of them."""
    listed: dict[tuple[str, str], None] = {}
    for document in documents:
        for statement in document.statements:
            for principals in (statement.principals, statement.not_principals):
                for kind, identifiers in principals.by_type if principals is not None else ():
                    listed.update(dict.fromkeys((kind, identifier) for identifier in identifiers))
    if len(listed) > MOST_REGIONS:
        raise TooMuchError
    names = [identifier for kind, identifier in listed if kind == "AWS"]
    arns = [arn for arn in map(Arn.try_parse, names) if arn is not None]
    accounts = dict.fromkeys([*filter(is_account, names), *(arn.account for arn in arns if is_account(arn.account))])
    fresh = next(
        found
        for found in (OTHER_ACCOUNT, ACCOUNT, *(f"9{n:011}" for n in range(len(accounts) + 1)))
        if found not in accounts
    )
    tried: list[tuple[str, str | None]] = []
    for name in names:
        tried.append((name, None))
        tried.extend(_behind(name, names))
    for account in (*accounts, fresh):
        tried.extend((text.replace("ACCOUNT", account), None) for text in _OF_AN_ACCOUNT)
    tried.append(("*", None))
    tried.extend((name, None) for kind, name in listed if kind == "Service")
    tried.append(("unlisted.amazonaws.com", None))
    found: dict[tuple[str, str | None], Someone] = {}
    for text, issuer in tried:
        someone = read_someone(text, issuer)
        if someone is not None:
            found.setdefault((text, issuer), someone)
    others = [Someone(name, listed_as=(kind, name)) for kind, name in listed if kind not in ("AWS", "Service")]
    return (*found.values(), *others)


_OF_AN_ACCOUNT = (
    "arn:aws:iam::ACCOUNT:user/example",
    "arn:aws:sts::ACCOUNT:assumed-role/example/session",
    "arn:aws:iam::ACCOUNT:role/example",
    "arn:aws:sts::ACCOUNT:federated-user/example",
    "arn:aws:iam::ACCOUNT:root",
)


def _behind(name: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Sessions of a listed role; a listed session with each listed role that may stand behind it."""
    arn = Arn.try_parse(name)
    if arn is None:
        return []
    kind, _, rest = arn.resource.partition("/")
    if kind == "role":
        session = f"arn:{arn.partition}:sts::{arn.account}:assumed-role/{rest.rpartition('/')[2]}/session"
        return [(session, name), (session, None)]
    if kind == "assumed-role":
        role = rest.partition("/")[0]
        return [(name, other) for other in names if ":role/" in other and other.rpartition("/")[2] == role]
    return []


def read_someone(text: str, issuer: str | None) -> Someone | None:
    """A principal as ``evaluate`` takes it; ``None`` for a text that is none."""
    from mantle_iam.errors import InputError

    try:
        return Someone(text, issuer, read_caller(text, issuer))
    except InputError:
        return None  # an identifier that means nobody


def means(statement: Statement, someone: Someone) -> bool:
    """Whether ``Principal`` or ``NotPrincipal`` means this principal, as ``evaluation.py`` has it without a boundary."""
    if statement.principals is not None:
        return _lists(statement.principals, someone)
    if statement.not_principals is None:
        return False
    if someone.caller is None:
        return not _lists(statement.not_principals, someone)
    return not excepts(statement.not_principals, someone.caller)


def _lists(principals: Principals, someone: Someone) -> bool:
    if someone.caller is not None:
        return grant_of(principals, someone.caller) is not Grant.NONE
    return any(
        (kind, identifier) == someone.listed_as or (kind, identifier) == ("AWS", "*")
        for kind, identifiers in principals.by_type
        for identifier in identifiers
    )
