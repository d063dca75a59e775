"""The search for a request that one set of documents allows and another does not, or the proof that there is none.

NEW allows more than OLD when a request lies in an Allow of NEW and in no Deny of NEW, and either in a Deny of OLD or in no Allow
of OLD.  Each such question is: a point inside of one or two boxes and outside of others.  Actions, resources and principals are
reduced to few regions (``compare_boxes.py``), then the conditions are searched (``compare_conditions.py``).  Every step may take
more for possible than is, never less: a search that finds nothing is a proof.  What it finds is a guess until ``evaluate`` says
so of the very request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mantle_iam.iam.compare_atoms import Atom, Atoms, Value, variables_of
from mantle_iam.iam.compare_boxes import (
    ANY_ACTION,
    ANYTHING,
    Box,
    Region,
    Someone,
    boxes,
    covered_by,
    everyone,
    has_principals,
    means,
    regions,
    smallest,
)
from mantle_iam.iam.compare_conditions import Budget, contexts
from mantle_iam.iam.compare_facts import ALWAYS_PRESENT, OF_EVERY_REQUEST, RESOURCE_ACCOUNT, Keys
from mantle_iam.iam.compare_values import ORDINARY
from mantle_iam.iam.compare_witness import Judge, Request, owner_of, readable
from mantle_iam.iam.language import (
    ONE,
    STAR,
    Symbols,
    filled,
    fresh_unit,
    has_symbols,
    literal,
    plain,
    text_of,
)
from mantle_iam.iam.policy import PolicyDocument

MOST_WORK = 6_000_000
"""Steps of one direction (a step is about a microsecond at most); then the answer is ``unknown``."""
MOST_GUESSES = 24
"""Requests tried for one pair of regions before it is left undecided."""
MOST_UNDECIDED = 12
"""Undecided pairs of regions after which nothing more is tried."""


@dataclass(slots=True)
class Search:
    """One direction of a comparison.  ``run`` answers a request, or ``None``: then ``undecided`` says whether that is a proof."""

    new: tuple[PolicyDocument, ...]
    old: tuple[PolicyDocument, ...]
    actions: tuple[str, ...] = ()
    single_valued: frozenset[str] = frozenset()
    undecided: dict[str, None] = field(default_factory=dict)
    """Why, where neither a request was found nor the proof is whole."""
    budget: Budget = field(default_factory=lambda: Budget(MOST_WORK))
    _symbols: Symbols = field(default_factory=Symbols)
    _on_resource: bool = False
    _keys: Keys = field(default_factory=Keys)
    _spelling: dict[str, str] = field(default_factory=dict)
    _all: tuple[Box, ...] = ()
    _judge: Judge | None = None
    _shapes: dict[int, int] = field(default_factory=dict)
    _failures: int = 0

    def run(self) -> Request | None:
        """Search.

        Raises:
            TooMuchError: there is more to do than the bounds allow.
        """
        self._on_resource = has_principals((*self.new, *self.old))
        atoms = Atoms()
        new = boxes(self.new, atoms, self._symbols, on_resource=self._on_resource)
        old = boxes(self.old, atoms, self._symbols, on_resource=self._on_resource)
        self._all = (*new, *old)
        self._judge = self._prepare()
        denied = tuple(box for box in new if box.deny)
        allowed = tuple(box for box in old if not box.deny)
        denying = [box for box in old if box.deny and box.resources is not None]
        if self._written_alike(new, old):
            return None
        for box in new:
            if box.deny or box.resources is None:
                continue
            for inside in ((box,), *((box, deny) for deny in denying)):
                others = denied if len(inside) == 2 else (*denied, *allowed)
                found = self._outside(inside, others)
                if found is not None:
                    return found
                if self._failures >= MOST_UNDECIDED:
                    return None
        return None

    def _prepare(self) -> Judge:
        self._keys = Keys(OF_EVERY_REQUEST if self._on_resource else ALWAYS_PRESENT, self.single_valued)
        numbers: dict[tuple[object, ...], int] = {}
        for box in self._all:
            self._shapes[id(box)] = numbers.setdefault(box.shape, len(numbers))
            for condition in box.statement.conditions:
                self._spelling.setdefault(condition.key.lower(), condition.key)
        for variable in self._symbols.by_variable:
            self._spelling.setdefault(variable.key, variable.key)
        for key in variables_of(atom for box in self._all for atom in box.atoms):
            self._spelling.setdefault(key, key)
        return Judge(self.new, self.old, self._spelling, on_resource=self._on_resource)

    def _written_alike(self, new: Iterable[Box], old: Iterable[Box]) -> bool:
        """Whether each Allow of ``new`` is one of ``old``, and each Deny of ``old`` one of ``new``: that is a proof."""
        ours, theirs = ({(box.deny, self._shapes[id(box)]) for box in side} for side in (new, old))
        return all((deny, shape) in (ours if deny else theirs) for deny, shape in ours ^ theirs)

    def _outside(self, inside: tuple[Box, ...], others: Sequence[Box]) -> Request | None:
        """A request inside of all of ``inside`` and outside of all of ``others``."""
        self.budget.spend(len(others) // 2)
        same = {self._shapes[id(box)] for box in inside}
        if any(self._shapes[id(box)] in same for box in others):
            return None
        for someone in self._callers(inside, others):
            near = tuple(
                box
                for box in others
                if box.resources is not None and (someone is None or means(box.statement, someone))
            )
            for region in self._action_regions(inside, near):
                found = self._on_resources(inside, _in(near, region.covered), region, someone)
                if found is not None or self._failures >= MOST_UNDECIDED:
                    return found
        return None

    def _callers(self, inside: tuple[Box, ...], others: Sequence[Box]) -> list[Someone | None]:
        """Of the principals that ``inside`` means, those that the fewest of ``others`` mean."""
        if not self._on_resource:
            return [None]
        found: dict[int, Someone] = {}
        for someone in everyone((*self.new, *self.old)):
            self.budget.spend(len(others) + 1)
            if all(means(box.statement, someone) for box in inside):
                meant = sum(1 << index for index, box in enumerate(others) if means(box.statement, someone))
                # One that ``evaluate`` knows is better than one that it does not.
                if meant not in found or (found[meant].caller is None and someone.caller is not None):
                    found[meant] = someone
        kept = smallest((Region("", meant) for meant in found), self.budget)
        return [found[region.covered] for region in kept]

    def _action_regions(self, inside: tuple[Box, ...], near: Sequence[Box]) -> Iterator[Region]:
        """Regions of actions; first among them actions that exist."""
        others = [(1 << index, box.actions) for index, box in enumerate(near)]
        existing: dict[int, Region] = {}
        if self.actions:
            self.budget.spend(len(self.actions))
            for name in self.actions:
                code = literal(name.lower())
                if all(box.actions.patterns.covers(code) is not box.actions.complement for box in inside):
                    self.budget.spend(len(others) // 2 + 1)
                    covered = covered_by(code, others)
                    existing.setdefault(covered, Region(name, covered))
        yield from smallest(existing.values(), self.budget)
        yield from regions([box.actions for box in inside], others, ANY_ACTION, self.budget)

    def _on_resources(
        self, inside: tuple[Box, ...], near: tuple[Box, ...], action: Region, someone: Someone | None
    ) -> Request | None:
        others = [(1 << index, box.resources) for index, box in enumerate(near) if box.resources is not None]
        elements = [box.resources for box in inside if box.resources is not None]
        for resource in regions(elements, others, ANYTHING, self.budget):
            left = _in(near, resource.covered)
            found = self._with_context(inside, left, (action.code, resource.code), someone)
            if found is not None or self._failures >= MOST_UNDECIDED:
                return found
        return None

    def _with_context(
        self, inside: tuple[Box, ...], left: tuple[Box, ...], names: tuple[str, str], someone: Someone | None
    ) -> Request | None:
        required = tuple(dict.fromkeys(atom for box in inside for atom in box.atoms))
        failing = _loosest(box.atoms for box in left)
        guesses = 0
        owner = owner_of(names[1])
        keys = self._keys if owner is None else replace(self._keys, fixed={RESOURCE_ACCOUNT: owner})
        judge = self._judge
        assert judge is not None  # noqa: S101 - ``run`` has made it
        for context in contexts(required, failing, keys, self.budget):
            guesses += 1
            for action, resource, complete in self._requests(inside, names, context) if context is not None else ():
                self.budget.spend(150)
                found = judge.confirmed(action, resource, complete, someone)
                if found is not None:
                    return found
                guesses += 1
            if guesses >= MOST_GUESSES:
                break
        else:
            if not guesses:
                return None
        self._failures += 1
        self._note(inside, left, someone, judge.contradicted)
        return None

    # Requests

    def _requests(
        self, inside: tuple[Box, ...], names: tuple[str, str], context: Mapping[str, Value]
    ) -> Iterator[tuple[str, str, Mapping[str, Value]]]:
        """Texts for a pair of regions, with values for the policy variables that take part."""
        action, resource = names
        seen = set()
        for values in self._variables(inside, resource, context):
            code = self._expanded(resource, values)
            for one in self._action_texts(action):
                for other in self._resource_texts(code, one, context.get(RESOURCE_ACCOUNT)):
                    key = (one, other, tuple(sorted((name, str(value)) for name, value in values.items())))
                    if key not in seen:
                        seen.add(key)
                        yield one, other, values
                if len(seen) >= MOST_GUESSES:
                    return

    def _action_texts(self, code: str) -> Iterator[str]:
        if STAR not in code and ONE not in code:
            yield self._as_written(code)
            return
        fresh = fresh_unit(pattern for box in self._all for pattern in box.actions.patterns.codes)
        written = self._pattern_as_written(code)
        for pattern, star in ((written, ORDINARY.title()), (code, fresh)):
            text = text_of(filled(pattern, star, fresh))
            if text is not None:
                yield text

    def _pattern_as_written(self, code: str) -> str:
        for box in self._all:
            for pattern in (*box.statement.actions, *box.statement.not_actions):
                if plain(pattern.lower()) == code:
                    return plain(pattern)
        return ANY_ACTION.replace(STAR, ORDINARY, 1) if code == ANY_ACTION else code

    def _as_written(self, code: str) -> str:
        """An action as somebody wrote it, since patterns are compared in lower case."""
        text = text_of(code) or code
        if text != text.lower():
            return text
        for box in self._all:
            for name in (*box.statement.actions, *box.statement.not_actions):
                if name.lower() == text:
                    return name
        return text

    def _resource_texts(self, code: str, action: str, owner: Value) -> Iterator[str]:
        if STAR not in code and ONE not in code:
            text = text_of(code)
            if text is not None:
                yield text
            return
        fresh = fresh_unit(
            [pattern for box in self._all if box.resources is not None for pattern in box.resources.patterns.codes]
        )
        service = action.partition(":")[0]
        for candidate in (
            readable(code, service, fresh, owner),
            filled(code, ORDINARY, fresh),
            filled(code, fresh, fresh),
        ):
            text = text_of(candidate)
            if text is not None:
                yield text

    def _variables(
        self, inside: tuple[Box, ...], resource: str, context: Mapping[str, Value]
    ) -> Iterator[Mapping[str, Value]]:
        """``context`` with values for the keys of policy variables: none but those needed, then others."""
        codes = [
            code
            for box in self._all
            if box.resources is not None
            for code in box.resources.patterns.codes
            if has_symbols(code)
        ]
        in_atoms = variables_of(atom for box in self._all for atom in box.atoms)
        if not codes and not in_atoms:
            yield context
            return
        needed = {self._symbols.variables[char].key for box in inside for char in self._marks(box)}
        needed.update(self._symbols.variables[char].key for char in resource if char in self._symbols.variables)
        asked = needed.union(variables_of(atom for box in inside for atom in box.atoms))
        every = [variable.key for variable in self._symbols.by_variable] + list(in_atoms)
        for names in dict.fromkeys(map(frozenset, (needed, asked, every))):
            yield {**dict.fromkeys(sorted(names), ORDINARY), **context}
        for key, value in self._captured(codes, resource):
            yield {**dict.fromkeys(every, ORDINARY), **context, key: value}

    def _marks(self, box: Box) -> set[str]:
        codes = box.resources.patterns.codes if box.resources is not None else ()
        return {char for code in codes for char in code if char in self._symbols.variables}

    def _captured(self, codes: Iterable[str], resource: str) -> Iterator[tuple[str, str]]:
        """What a variable would have to be for a pattern that has it to match ``resource``."""
        whole = filled("".join(STAR if char in self._symbols.variables else char for char in resource), ORDINARY)
        for code in list(codes)[:MOST_GUESSES]:
            at = next((index for index, char in enumerate(code) if char in self._symbols.variables), None)
            if at is None or not whole.startswith(code[:at]):
                continue
            rest, after = whole[at:], code[at + 1 :]
            stop = next((index for index, char in enumerate(after) if char > "\uffff"), len(after))
            end = rest.find(after[:stop]) if stop else len(rest)
            value = text_of(rest[:end]) if end >= 0 else None
            if value:
                yield self._symbols.variables[code[at]].key, value

    def _expanded(self, code: str, values: Mapping[str, Value]) -> str:
        if not has_symbols(code):
            return code
        out = []
        for char in code:
            variable = self._symbols.variables.get(char)
            if variable is None:
                out.append(char)
                continue
            value = values.get(variable.key)
            out.append(literal(value if isinstance(value, str) else variable.default or ORDINARY))
        return "".join(out)

    def _note(
        self, inside: tuple[Box, ...], left: tuple[Box, ...], someone: Someone | None, contradicted: str | None
    ) -> None:
        """Why a pair of regions is undecided."""
        taking_part = [atom for box in (*inside, *left) for atom in box.atoms]
        strange = [atom.condition.operator for atom in taking_part if atom.opaque and not atom.parts]
        variables = [*variables_of(taking_part)]
        variables += [self._symbols.variables[char].key for box in (*inside, *left) for char in self._marks(box)]
        if strange:
            why = f"the condition operator `{strange[0]}` is not known"
        elif variables:
            why = f"it hangs on the policy variable `${{{self._spelling.get(variables[0], variables[0])}}}`"
        elif contradicted:
            why = f"only requests were found in which `{contradicted}` contradicts the rest"
        elif someone is not None and someone.caller is None:
            why = f"no request of the principal `{someone.text}` shows it"
        else:
            why = "conditions or patterns could not be told apart exactly"
        self.undecided.setdefault(f"{why} (statement {inside[0].name})")


def _in(found: Sequence[Box], bits: int) -> tuple[Box, ...]:
    return tuple(box for index, box in enumerate(found) if bits >> index & 1)


def _loosest(many: Iterable[tuple[Atom, ...]]) -> list[tuple[Atom, ...]]:
    """Without those that ask for all that another asks for: whatever fails that one fails them."""
    kept: list[frozenset[Atom]] = []
    for atoms in sorted(set(map(frozenset, many)), key=len):
        if not any(less <= atoms for less in kept):
            kept.append(atoms)
    return [tuple(atoms) for atoms in kept]
