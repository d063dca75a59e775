"""Grants: permissions taken apart into the smallest pieces that a policy can give or withhold, and put together again.

A grant is one action on one resource pattern under conditions of one value each.  Two permissions overlap exactly when they
share grants, so dropping the covered ones and joining the rest loses nothing and repeats nothing.  Whether a policy really
gives a grant is ``proof.py``'s to say.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from mantle_iam.errors import InputError
from mantle_iam.generate.patterns import covers, has_wildcard
from mantle_iam.iam.policy import Condition
from mantle_iam.mantle.operations import Permission

Conditions = tuple[Condition, ...]
Mark = tuple[str, str]

MAX_GRANTS = 20_000
"""More than this fits no policy; a mistake in the input rather than a wish."""

# Operators whose values are alternatives: `StringEquals k [a, b]` grants exactly what two statements with one value each do.
# ForAllValues is not among them (it also accepts a and b together), nor are the negated ones (all values must differ).
_ALTERNATIVES = frozenset(
    {
        "arnequals",
        "arnlike",
        "binaryequals",
        "bool",
        "dateequals",
        "ipaddress",
        "numericequals",
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Operator:
    """A condition operator, taken apart; all in lower case."""

    qualifier: str
    """``forallvalues``, ``foranyvalue`` or empty."""
    base: str
    if_exists: bool

    @classmethod
    def parse(cls, text: str) -> Operator:
        """Read ``ForAnyValue:StringLikeIfExists``."""
        qualifier, colon, base = text.lower().rpartition(":")
        stem = base.removesuffix("ifexists")
        return cls(qualifier if colon else "", stem, stem != base)

    @property
    def alternatives(self) -> bool:
        """Whether its values are alternatives, each of which could stand in a statement of its own."""
        return self.qualifier != "forallvalues" and self.base in _ALTERNATIVES


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource pattern, under conditions sorted by key and operator."""

    action: str
    resource: str
    conditions: Conditions = ()


def _condition_key(condition: Condition) -> tuple[str, str]:
    return condition.key.lower(), condition.operator.lower()


def normal_conditions(conditions: Iterable[Condition]) -> Conditions:
    """The conditions sorted, each operator and key once, values sorted without repetition.

    Raises:
        InputError: one operator asks for two things of one key, which JSON cannot say, or they exclude each other.
    """
    merged: dict[tuple[str, str], Condition] = {}
    for condition in sorted(conditions, key=lambda c: (_condition_key(c), c.values)):
        values = tuple(sorted(set(condition.values)))
        earlier = merged.get(_condition_key(condition))
        if earlier is not None and earlier.values != values:
            both = tuple(value for value in earlier.values if value in values)
            if Operator.parse(condition.operator).base != "stringequals" or not both:
                raise InputError(
                    f"a permission asks `{condition.operator}` of `{condition.key}` twice, with different values",
                    help="give the values that are allowed in one condition",
                )
            values = both
        if not values:
            raise InputError(f"the condition `{condition.operator}` on `{condition.key}` has no value")
        merged[_condition_key(condition)] = Condition(condition.operator, condition.key, values)
    return tuple(merged[key] for key in sorted(merged))


def grants_of(permission: Permission) -> tuple[Grant, ...]:
    """The grants that make up ``permission``.

    Raises:
        InputError: its conditions cannot be written, or it has more than ``MAX_GRANTS`` combinations of values.
    """
    choices: list[list[Condition]] = []
    size = 1
    for condition in normal_conditions(permission.conditions):
        if Operator.parse(condition.operator).alternatives:
            choices.append([Condition(condition.operator, condition.key, (value,)) for value in condition.values])
        else:
            choices.append([condition])
        size *= len(choices[-1])
        if size > MAX_GRANTS:
            raise InputError(f"the conditions of `{permission.action}` combine more than {MAX_GRANTS} values")
    return tuple(Grant(permission.action, permission.resource, combo) for combo in itertools.product(*choices))


def _value_covers(wide: Operator, value: str, narrow: Operator, other: str) -> bool:
    if wide.base == "stringequalsignorecase":
        plain = narrow.base in ("stringequalsignorecase", "stringequals") or (
            narrow.base == "stringlike" and not has_wildcard(other)
        )
        return plain and value.lower() == other.lower()
    if wide.base == "ipaddress":
        return narrow.base == "ipaddress" and _network_covers(value, other)
    if wide.base == "stringlike" and narrow.base == "stringequals":
        # A literal `*` is one character like any other; `?` covers it and is covered by nothing narrower.
        return covers(value, other.replace("*", "?"))
    same = wide.base == narrow.base or {wide.base, narrow.base} == {"arnlike", "arnequals"}
    if not same:
        return False
    if wide.base == "stringlike":
        return covers(value, other)
    # In an ARN a wildcard does not cross a colon, so only equal patterns are compared.
    return value == other


def _network_covers(value: str, other: str) -> bool:
    try:
        wide, narrow = ipaddress.ip_network(value, strict=False), ipaddress.ip_network(other, strict=False)
    except ValueError:
        return value == other
    if isinstance(wide, ipaddress.IPv4Network):
        return isinstance(narrow, ipaddress.IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, ipaddress.IPv6Network) and narrow.subnet_of(wide)


def _implied(condition: Condition, given: Conditions) -> bool:
    """Whether ``condition`` holds wherever all of ``given`` hold."""
    wide = Operator.parse(condition.operator)
    for other in given:
        if other.key.lower() != condition.key.lower():
            continue
        narrow = Operator.parse(other.operator)
        # Where the key has to be there and fulfils the condition, it also does where it need not be there.
        if narrow.qualifier != wide.qualifier or (narrow.if_exists and not wide.if_exists):
            continue
        if other.values == condition.values and wide.base == narrow.base:
            return True
        # Also of ForAllValues: who sends only what the shorter list has, sends only what the longer list has.
        if wide.base not in _ALTERNATIVES:
            continue
        if all(any(_value_covers(wide, v, narrow, w) for v in condition.values) for w in other.values):
            return True
    return False


def grant_covers(wide: Grant, narrow: Grant) -> bool:
    """Whether whoever has ``wide`` surely has ``narrow``.  Sound, not complete."""
    return (
        covers(wide.action.lower(), narrow.action.lower())
        and covers(wide.resource, narrow.resource)
        and all(_implied(condition, narrow.conditions) for condition in wide.conditions)
    )


def _grant_key(grant: Grant) -> tuple[str, str, tuple[tuple[str, str, tuple[str, ...]], ...]]:
    return (
        grant.action.lower(),
        grant.resource,
        tuple((c.key.lower(), c.operator.lower(), c.values) for c in grant.conditions),
    )


def _marks(conditions: Conditions) -> list[Mark]:
    """Key and value of every condition that is fulfilled by one value alone."""
    return [
        (condition.key.lower(), condition.values[0])
        for condition in conditions
        if len(condition.values) == 1 and condition.operator.lower() in ("stringequals", "stringequalsifexists")
    ]


def _place(grant: Grant) -> tuple[str, str, Mark | None]:
    """Where a grant stands among those that may cover others: nowhere else can it cover anything.

    Without a wildcard it covers its own resource alone, and with conditions of one value each only what has the first of them.
    """
    marks = _marks(grant.conditions)
    exact = len(marks) == len(grant.conditions) and bool(marks)
    return grant.action.lower(), "" if has_wildcard(grant.resource) else grant.resource, marks[0] if exact else None


def independent(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The grants without those that another one covers, sorted.  Does not depend on their order."""
    # Of grants that differ in the case of action or key only, the first in code point order stays.
    unique: dict[object, Grant] = {}
    for grant in sorted(grants, key=lambda g: (_grant_key(g), g.action, g.conditions and g.conditions[0].key)):
        unique.setdefault(_grant_key(grant), grant)
    index: dict[tuple[str, str, Mark | None], list[Grant]] = {}
    for grant in unique.values():
        index.setdefault(_place(grant), []).append(grant)
    wide_actions = dict.fromkeys(action for action, _, _ in index if has_wildcard(action))

    def covered(grant: Grant) -> bool:
        places = itertools.product(
            dict.fromkeys((grant.action.lower(), *wide_actions)),
            (grant.resource, ""),
            (None, *_marks(grant.conditions)),
        )
        for rival in itertools.chain.from_iterable(index.get(place, ()) for place in places):
            # Of two that cover each other (`10.0.0.1` and `10.0.0.1/32`) the first in order stays.
            if (
                rival is not grant
                and grant_covers(rival, grant)
                and (not grant_covers(grant, rival) or _grant_key(rival) < _grant_key(grant))
            ):
                return True
        return False

    return tuple(grant for grant in unique.values() if not covered(grant))


def join_values(conditions: Iterable[Conditions]) -> tuple[Conditions, ...]:
    """Alternative sets of conditions with their values joined where that grants exactly the same.

    One operator and key after another, sets that differ in its values alone become one: a union of disjoint boxes, so
    every value stays needed.
    """
    boxes = set(conditions)
    for dimension in sorted({_condition_key(c) for box in boxes for c in box}):
        groups: dict[Conditions, list[Condition]] = {}
        joined: set[Conditions] = set()
        for box in sorted(boxes, key=str):
            own = next((c for c in box if _condition_key(c) == dimension), None)
            if own is None or not Operator.parse(own.operator).alternatives:
                joined.add(box)
            else:
                groups.setdefault(tuple(c for c in box if c is not own), []).append(own)
        for rest, found in groups.items():
            values = tuple(sorted({value for condition in found for value in condition.values}))
            whole = Condition(found[0].operator, found[0].key, values)
            joined.add(tuple(sorted((*rest, whole), key=_condition_key)))
        boxes = joined
    return tuple(sorted(boxes, key=str))
