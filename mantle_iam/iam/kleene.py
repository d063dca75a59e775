"""Kleene's three-valued logic, where the third value says what it depends on.

A ``Truth`` is ``True``, ``False``, or the non-empty set of names (context keys, layers) that would have to be known.
Source: https://en.wikipedia.org/wiki/Three-valued_logic#Kleene_and_Priest_logics
"""

from __future__ import annotations

from collections.abc import Iterable

Truth = bool | frozenset[str]


def all_of(values: Iterable[Truth]) -> Truth:
    """Conjunction: one ``False`` decides; ``True`` when empty."""
    pending: frozenset[str] | None = None
    for value in values:
        if value is False:
            return False
        if value is not True:
            pending = value if pending is None else pending | value
    return True if pending is None else pending


def any_of(values: Iterable[Truth]) -> Truth:
    """Disjunction: one ``True`` decides; ``False`` when empty."""
    pending: frozenset[str] | None = None
    for value in values:
        if value is True:
            return True
        if value is not False:
            pending = value if pending is None else pending | value
    return False if pending is None else pending


def negate(value: Truth) -> Truth:
    """Negation; the unknown stays unknown."""
    return not value if value is True or value is False else value
