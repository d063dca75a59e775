"""Conditions of a comparison: a request context that meets some conditions and fails, of each of several statements, one.

Every condition on a key is asked of finitely many values of this key (``compare_values.py``), the absent key and several values
at once among them, so that "no context does" is a proof.  What cannot be said for certain (a policy variable, an operator that
nobody knows, too many patterns) counts as possible: the proof stays one, and a context that rests on it is but a guess.
Knows no statement, no action and no resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from mantle_iam.iam.compare_atoms import Atom, Value
from mantle_iam.iam.compare_facts import Keys, has_form, well_formed, words_for
from mantle_iam.iam.compare_values import MOST_MEETINGS, ORDINARY, Family, Looks, Singles, representatives
from mantle_iam.iam.conditions import FOR_ALL_VALUES, FOR_ANY_VALUE
from mantle_iam.iam.kleene import Truth
from mantle_iam.iam.language import TooMuchError, is_literal
from mantle_iam.iam.matching import expand

MOST_NODES = 3_000
"""Partial contexts that one search looks at."""
MOST_VALUES = 1_200
"""Values of one key that are told apart."""
LARGEST_SET = 3
"""Members of a multi-valued key that are put together."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a key, and the boxes (bits) that fail by it.  ``guess``: any value that does so, if there is one."""

    value: Value
    fails: int
    guess: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    """The atoms of one key that read it in one way."""

    key: str
    family: Family
    required: tuple[Atom, ...]
    boxes: tuple[tuple[int, tuple[Atom, ...]], ...]
    """Bit of a box, and its atoms."""

    def atoms(self) -> tuple[Atom, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys([*self.required, *(atom for _, atoms in self.boxes for atom in atoms)]))


@dataclass(slots=True)
class _Found:
    """What a key may hold: all that is possible, and of that what fails most boxes."""

    group: _Group
    choices: list[Choice] = field(default_factory=list)
    pool: list[Value] = field(default_factory=list)


def contexts(
    required: Sequence[Atom], boxes: Sequence[Sequence[Atom]], keys: Keys, budget: Budget
) -> Iterator[dict[str, Value] | None]:
    """Contexts that may meet every atom of ``required`` and fail one of each box; none when it is certain that there is none.

    Keys that are not named in what is yielded are absent.  ``None`` stands for contexts that could not be spelled out.

    Raises:
        TooMuchError: the search is longer than its bounds.
    """
    if any(not box for box in boxes):
        return
    found = [_choices(group, keys, budget) for group in _groups(required, boxes)]
    if any(not one.choices for one in found):
        return
    for assigned in _assignments(found, (1 << len(boxes)) - 1, budget):
        yield _realized(assigned, found, budget)


class Budget:
    """How much work is left, in steps of about a microsecond."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take ``steps``.  Raises ``TooMuchError`` when there are not so many."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchError


def _groups(required: Sequence[Atom], boxes: Sequence[Sequence[Atom]]) -> list[_Group]:
    families: dict[str, dict[Family, None]] = {}
    for atom in [*required, *(atom for box in boxes for atom in box)]:
        families.setdefault(atom.key, {}).setdefault(atom.family)
    groups = []
    for key, named in families.items():
        # ``Null`` goes with each of the others, so that they agree about presence.
        looking: list[Family] = [name for name in named if name is not Family.PRESENCE]
        for family in looking or [Family.PRESENCE]:
            mine = (family, Family.PRESENCE)
            of_boxes = [
                (index, tuple(atom for atom in box if atom.key == key and atom.family in mine))
                for index, box in enumerate(boxes)
            ]
            groups.append(
                _Group(
                    key,
                    family,
                    tuple(atom for atom in required if atom.key == key and atom.family in mine),
                    tuple((1 << index, atoms) for index, atoms in of_boxes if atoms),
                )
            )
    return groups


def _choices(group: _Group, keys: Keys, budget: Budget) -> _Found:
    atoms = group.atoms()
    values, complete = _values(group, atoms, keys, budget)
    budget.spend(len(values) * (len(atoms) + 1))
    found = _Found(group)
    best: dict[int, Choice] = {}
    everything = 0
    fixed = set(group.required)
    for value in values:
        if any(atom.at(value) is False for atom in group.required):
            continue
        fails = 0
        for bit, of_box in group.boxes:
            if any(atom not in fixed and atom.at(value) is not True for atom in of_box):
                fails |= bit
        found.pool.append(value)
        best.setdefault(fails, Choice(value, fails))
    if not complete:
        for bit, of_box in group.boxes:
            if any(atom not in fixed for atom in of_box):
                everything |= bit
        best.setdefault(everything, Choice(ORDINARY, everything, guess=True))
    budget.spend(len(best) * len(best))
    # What fails a part of the boxes that something else fails is not needed.
    found.choices = [
        choice
        for choice in best.values()
        if not any(choice.fails != more and choice.fails & more == choice.fails for more in best)
    ]
    return found


def _values(group: _Group, atoms: tuple[Atom, ...], keys: Keys, budget: Budget) -> tuple[list[Value], bool]:
    """Values of the key, the plainest first, and whether all others are like one of them."""
    if group.key in keys.fixed:
        return [keys.fixed[group.key], *([] if group.key in keys.always else [None])], True
    patterns = tuple(dict.fromkeys(code for atom in atoms for code in atom.patterns))
    within = tuple(codes for atom in group.required if (codes := atom.excludes()) is not None)
    qualified = [atom for atom in atoms if atom.qualifier is not None]
    if qualified and group.family is Family.STRING:
        patterns = (*patterns, "")  # ForAllValues takes an empty text for no value: it stands for no other text
    wide = sum(not is_literal(pattern) for pattern in patterns)
    budget.spend(len(patterns) * 4 + 4 * min(wide * len(patterns), MOST_MEETINGS))
    singles = representatives(group.family, patterns, within, _looks(group.key))
    if has_form(group.key) and group.family not in (Family.STRING, Family.FOLDED, Family.PRESENCE):
        # Of a family that reads values as the key's form does, what it cannot read does not occur.
        formed = tuple(text for text in singles.found if text != ORDINARY or well_formed(group.key, text))
        singles = Singles(formed, singles.complete)
    several, all_sets = _sets(group, qualified, singles.found, keys)
    empty = ("",) if qualified and "" not in singles.found else ()
    if len(singles.found) + len(several) > MOST_VALUES:
        raise TooMuchError
    absent: tuple[None, ...] = () if group.key in keys.always else (None,)
    return [*singles.found, *empty, *absent, *several], singles.complete and all_sets


def _looks(key: str) -> Looks:
    return Looks(words_for(key), partial(well_formed, key))


def _sets(
    group: _Group, qualified: Sequence[Atom], members: tuple[str, ...], keys: Keys
) -> tuple[list[tuple[str, ...]], bool]:
    """Several values at once, and whether all others are like one of them."""
    if any(atom.plain for atom in group.required) or not keys.may_hold_several(group.key):
        return [], True
    if not qualified:
        return [(ORDINARY, "other")], True
    # One member for each thing that has to be there: what a ForAnyValue asks, and what breaks a ForAllValues.
    asked = sum(atom.qualifier == FOR_ANY_VALUE for atom in group.required)
    broken = {atom for _, atoms in group.boxes for atom in atoms if atom.qualifier == FOR_ALL_VALUES}
    size = max(asked + len(broken), 1)
    found: list[tuple[str, ...]] = [()]
    for count in range(1, min(size, len(members), LARGEST_SET) + 1):
        found.extend(combinations(members, count))
        if len(found) > MOST_VALUES:
            return found[:MOST_VALUES], False
    return found, size <= LARGEST_SET or len(members) <= LARGEST_SET


_Assigned = dict[int, Choice]


def _assignments(found: list[_Found], boxes: int, budget: Budget) -> Iterator[_Assigned]:
    """Choices, by the index of their key, by which all boxes fail."""
    nodes = 0
    stack: list[tuple[int, _Assigned]] = [(boxes, {})]
    while stack:
        nodes += 1
        if nodes > MOST_NODES:
            raise TooMuchError
        left, assigned = stack.pop()
        if not left:
            yield assigned
            continue
        budget.spend(len(found) * 4)
        box, options = _scarcest(found, left, assigned)
        if not options:
            continue
        for index, choice in sorted(options, key=lambda option: (option[1].fails & left).bit_count()):
            stack.append((left & ~choice.fails, {**assigned, index: choice}))
        del box


def _scarcest(found: list[_Found], left: int, assigned: _Assigned) -> tuple[int, list[tuple[int, Choice]]]:
    """The box that fewest choices fail, and those."""
    best: tuple[int, list[tuple[int, Choice]]] | None = None
    bits = left
    while bits:
        bit = bits & -bits
        bits ^= bit
        options = [
            (index, choice)
            for index, one in enumerate(found)
            if index not in assigned
            for choice in one.choices
            if choice.fails & bit
        ]
        if best is None or len(options) < len(best[1]):
            best = bit, options
            if len(options) < 2:
                break
    return best or (0, [])


def _realized(assigned: _Assigned, found: list[_Found], budget: Budget) -> dict[str, Value] | None:
    """One value for each key, where its groups agree on one; absent keys are left out."""
    wanted: dict[str, int] = {}
    for index, choice in assigned.items():
        key = found[index].group.key
        wanted[key] = wanted.get(key, 0) | choice.fails
    context: dict[str, Value] = {}
    by_key: dict[str, list[int]] = {}
    for index, one in enumerate(found):
        by_key.setdefault(one.group.key, []).append(index)
    # Keys that hang on others come last.
    order = sorted(
        by_key, key=lambda key: any(atom.parts for index in by_key[key] for atom in found[index].group.atoms())
    )
    for key in order:
        groups = [found[index] for index in by_key[key]]
        chosen = [assigned[index].value for index in by_key[key] if index in assigned]
        value = _agreed(key, groups, chosen, wanted.get(key, 0), context, budget)
        if value is _NOTHING:
            return None
        if value is not None:
            context[key] = value  # type: ignore[assignment]
    return context


_NOTHING = object()
_UNLIKE = ("other", "another")
"""Where ``ORDINARY`` is what a policy variable stands for."""


def _agreed(
    key: str, groups: list[_Found], chosen: list[Value], wanted: int, context: Mapping[str, Value], budget: Budget
) -> object:
    """A value that meets all that is required of the key and fails the boxes ``wanted``; ``_NOTHING`` when none is known."""
    pools = [value for group in groups for value in group.pool]
    atoms = [atom for group in groups for atom in group.group.atoms()]
    expanded = [text for atom in atoms for text in _expanded(atom, context)]
    # Nothing is asked of the key: leave it out where that may be.
    absent = [None] if None in pools and not wanted else []
    pool = [*chosen, *absent, *expanded, *pools, *(_UNLIKE if any(atom.parts for atom in atoms) else ())]
    budget.spend(len(pool) * (len(atoms) + 1))
    asked = _Filled(key, context)
    for value in dict.fromkeys(pool):
        asked.value = value
        if all(_sure(atom, asked) is not False for group in groups for atom in group.group.required) and not (
            wanted & ~_failed(groups, asked)
        ):
            return value
    return _NOTHING


def _failed(groups: list[_Found], asked: _Filled) -> int:
    fails = 0
    for group in groups:
        for bit, atoms in group.group.boxes:
            if any(_sure(atom, asked) is not True for atom in atoms):
                fails |= bit
    return fails


class _Filled:
    """A context in which what is not said is ordinary."""

    __slots__ = ("_context", "_key", "value")

    def __init__(self, key: str, context: Mapping[str, Value]) -> None:
        self._key, self._context = key, context
        self.value: Value = None

    def get(self, key: str, asked_as: str) -> Value | frozenset[str]:
        return self.value if key == self._key else self._context.get(key, ORDINARY)


def _sure(atom: Atom, asked: _Filled) -> Truth:
    return atom.within(asked) if atom.parts else atom.at(asked.value)


def _expanded(atom: Atom, context: Mapping[str, Value]) -> Iterator[str]:
    """Values that the atom's own values stand for when the variables in them are what ``context`` says."""

    def lookup(key: str) -> str | frozenset[str] | None:
        value = context.get(key.lower(), ORDINARY)
        return value if isinstance(value, str) else None

    for parts in atom.parts:
        tokens = expand(parts, lookup)
        if isinstance(tokens, list):
            yield "".join(text.replace("*", ORDINARY).replace("?", "x") if wild else text for wild, text in tokens)
