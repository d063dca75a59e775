"""Languages of wildcard patterns: does one pattern cover another, what have two in common, which texts tell them apart.

Knows strings only.  A pattern is coded as a ``str`` of UTF-16 code units in which characters beyond U+FFFF are marks: ``STAR``,
``ONE`` and a symbol for each policy variable, of which nothing is known but that it stands for the same text everywhere.

Two facts carry the whole.  Let ``h`` be a pattern without ``?``.  (1) ``g`` lies in ``h`` just when ``h`` matches ``g`` read as a
text in which ``*`` is a character of its own: a character that no pattern names can only be swallowed by a ``*`` of ``h``, which
swallows anything else as well.  (2) So ``g`` lies in a union of such patterns only when it lies in one of them: no text decides
more than the most general one of ``g``.  With ``?``, which counts, (1) is still a proof, and (2) is decided by ``classes``, a
search through the subset automaton of all patterns (bounded, hence the answer ``None``).
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html (wildcards).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mantle_iam.iam.matching import Part, Variable, utf16_units

STAR = "\U00010000"
ONE = "\U00010001"
_FIRST_SYMBOL = 0x10100
_MOST_SYMBOLS = 0x10000

MOST_STATES = 4_000
"""States of a subset automaton that are visited before it is given up."""
MOST_MEETS = 48
"""Patterns of which an intersection of two may consist."""
LONGEST_MEET = 256
"""Units (of both patterns together, what they share at their ends left out) that an intersection is computed for."""


class TooMuchError(Exception):
    """More work than the bounds allow; the comparison ends with ``unknown``."""


class Symbols:
    """The symbols of one comparison: the same variable with the same default is the same symbol."""

    def __init__(self) -> None:
        self.by_variable: dict[Variable, str] = {}
        self.variables: dict[str, Variable] = {}

    def of(self, variable: Variable) -> str:
        """The symbol of a variable.  Raises ``TooMuchError`` beyond a number that no honest policy has."""
        folded = Variable(variable.key.lower(), variable.default)
        found = self.by_variable.get(folded)
        if found is None:
            if len(self.by_variable) >= _MOST_SYMBOLS:
                raise TooMuchError
            found = chr(_FIRST_SYMBOL + len(self.by_variable))
            self.by_variable[folded] = found
            self.variables[found] = folded
        return found


@lru_cache(maxsize=8192)
def plain(pattern: str) -> str:
    """The code of a pattern without variables."""
    return _tidy(utf16_units(pattern).replace("*", STAR).replace("?", ONE))


def literal(text: str) -> str:
    """The code of a text in which ``*`` and ``?`` stand for themselves."""
    return utf16_units(text)


def coded(parts: Iterable[Part], symbols: Symbols) -> str:
    """The code of a pattern that is split at its variables."""
    return _tidy(
        "".join(
            symbols.of(part)
            if isinstance(part, Variable)
            else utf16_units(part[1]).replace("*", STAR).replace("?", ONE)
            if part[0]
            else utf16_units(part[1])
            for part in parts
        )
    )


def _tidy(code: str) -> str:
    """``**`` is ``*``, and ``*?`` is ``?*``."""
    if STAR + STAR not in code and STAR + ONE not in code:
        return code
    out: list[str] = []
    ones, starred = 0, False
    for char in code:
        if char == STAR:
            starred = True
        elif char == ONE:
            ones += 1
        else:
            out.append(ONE * ones + (STAR if starred else "") + char)
            ones, starred = 0, False
    return "".join(out) + ONE * ones + (STAR if starred else "")


def is_literal(code: str) -> bool:
    """Whether it is one text: neither wildcard nor variable."""
    return code.isascii() or max(code, default="") <= "\uffff"


def has_symbols(code: str) -> bool:
    """Whether there is a variable in it."""
    return not code.isascii() and any(char > ONE for char in code)


def loosened(code: str) -> str:
    """The pattern with ``*`` for every variable: whatever their values, it covers what the pattern covers."""
    return _tidy("".join(STAR if char > ONE else char for char in code)) if has_symbols(code) else code


def covers(pattern: str, code: str) -> bool:
    """Whether every text of ``code`` is one of ``pattern``: a proof when true; exact when ``pattern`` has no ``?``."""
    head, star, rest = pattern.partition(STAR)
    if ONE in pattern:
        return _covers_with_ones(pattern, code)
    if not star:
        return code == pattern
    if not code.startswith(head):
        return False
    *middle, last = rest.split(STAR)
    position, end = len(head), len(code) - len(last)
    if end < position or not code.endswith(last):
        return False
    for piece in middle:
        position = code.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def _covers_with_ones(pattern: str, code: str) -> bool:
    """The same by a bit-parallel automaton: ``?`` takes a unit or a ``?``, and neither a ``*`` nor a variable."""
    automaton = _Automaton((pattern,))
    state = automaton.start
    for char in code:
        state = automaton.step(state, char)
        if not state:
            return False
    return bool(state & automaton.finals[0])


class _Automaton:
    """Several patterns side by side as one bit-parallel nondeterministic automaton."""

    __slots__ = ("_masks", "_ones", "_stars", "finals", "owned", "start")

    def __init__(self, patterns: Iterable[str]) -> None:
        masks: dict[str, int] = {}
        self._stars = self._ones = self.start = 0
        finals, owned, offset = [], [], 0
        for pattern in patterns:
            for index, char in enumerate(pattern):
                bit = 1 << (offset + index)
                if char == STAR:
                    self._stars |= bit
                elif char == ONE:
                    self._ones |= bit
                else:
                    masks[char] = masks.get(char, 0) | bit
            self.start |= 1 << offset
            finals.append(1 << (offset + len(pattern)))
            owned.append(((1 << (len(pattern) + 1)) - 1) << offset)
            offset += len(pattern) + 1
        self._masks = {char: mask | self._ones if char <= "\uffff" else mask for char, mask in masks.items()}
        self._masks.setdefault(ONE, self._ones)
        self._masks.setdefault(STAR, 0)
        self.finals, self.owned = tuple(finals), tuple(owned)
        self.start |= (self.start & self._stars) << 1

    def step(self, state: int, char: str) -> int:
        """The states after one more unit."""
        default = self._ones if char <= "\uffff" else 0
        following = (state & self._stars) | ((state & self._masks.get(char, default)) << 1)
        return following | ((following & self._stars) << 1)

    def alphabet(self) -> list[str]:
        """The units that are told apart; all others are alike."""
        return sorted(char for char in self._masks if char <= "\uffff")


_HIGH, _LOW, _SURROGATES_END = "\ud800", "\udc00", "\ue000"


def _with_others(named: list[str], fresh: str) -> list[str]:
    """``named`` and for all other units ``fresh``; where halves of characters are named, another half of either kind too."""
    halves = {char for char in named if _HIGH <= char < _SURROGATES_END}
    if not halves:
        return [fresh, *named]
    others = (
        next((char for char in map(chr, range(ord(first), ord(end))) if char not in halves), first)
        for first, end in ((_HIGH, _LOW), (_LOW, _SURROGATES_END))
    )
    return [fresh, *named, *others]


def classes(code: str, patterns: tuple[str, ...], fresh: str) -> tuple[str, ...] | None:
    """For every set of ``patterns`` that some text of ``code`` matches, one such text; ``None`` when there is too much to visit.

    ``code`` has no variable; ``fresh`` is a unit that neither it nor the patterns name.  Texts hold whole characters only.
    """
    automaton = _Automaton((code, *patterns))
    final, *others = automaton.finals
    ours = automaton.owned[0]
    alphabet = _with_others(automaton.alphabet(), fresh)
    found: dict[int, str] = {}
    every = 0
    for bit in others:
        every |= bit
    seen = {(automaton.start, False)}
    layer = [(automaton.start, "")]
    while layer:
        following: list[tuple[int, str]] = []
        for state, text in layer:
            half = _HIGH <= text[-1:] < _LOW
            if state & final and not half:
                found.setdefault(state & every, text)
            for char in alphabet:
                if (_LOW <= char < _SURROGATES_END) is not half:
                    continue
                after = automaton.step(state, char)
                reached = after, _HIGH <= char < _LOW
                if after & ours and reached not in seen:
                    seen.add(reached)
                    following.append((after, text + char))
        if len(seen) > MOST_STATES or len(seen) * len(alphabet) > 60 * MOST_STATES:
            return None
        layer = following
    return tuple(found.values())


def meet(one: str, other: str) -> tuple[tuple[str, ...], bool]:
    """Patterns that together are what two have in common, and whether they are exactly that (else they may be more)."""
    if covers(other, one):
        return (one,), True
    if covers(one, other):
        return (other,), True
    if has_symbols(one) or has_symbols(other):
        # A variable may stand for what the other pattern spells out, so that nothing narrower can be said.
        found, _ = meet(loosened(one), loosened(other))
        return found, False
    if ONE not in one and ONE not in other and (is_literal(one) or is_literal(other)):
        return (), True
    start, left, right, end = _trimmed(one, other)
    if left is None or right is None:
        return (), True
    if len(left) + len(right) > LONGEST_MEET:
        return (one,), False
    middle = _Meet(left, right).run()
    if middle is None:
        return (one,), False
    return _without_covered({_tidy(start + code + end) for code in middle}), True


def _trimmed(one: str, other: str) -> tuple[str, str | None, str | None, str]:
    """What both spell alike at their beginnings and ends, and what is left; ``None`` when they contradict each other."""
    start = 0
    least = min(len(one), len(other))
    while start < least and one[start] == other[start] and one[start] != STAR:
        start += 1
    if start < least and STAR not in (one[start], other[start]) and ONE not in (one[start], other[start]):
        return "", None, None, ""
    end = 0
    while end < least - start and one[-1 - end] == other[-1 - end] and one[-1 - end] != STAR:
        end += 1
    if end < least - start:
        tails = (one[-1 - end], other[-1 - end])
        if STAR not in tails and ONE not in tails:
            return "", None, None, ""
    return one[:start], one[start : len(one) - end], other[start : len(other) - end], one[len(one) - end :]


class _Meet:
    """The intersection of two patterns, from their ends to their beginnings."""

    def __init__(self, one: str, other: str) -> None:
        self._one, self._other = one, other
        self._known: dict[tuple[int, int], frozenset[str]] = {}

    def run(self) -> frozenset[str] | None:
        """All of it; ``None`` when it is too many."""
        for i in range(len(self._one), -1, -1):
            for j in range(len(self._other), -1, -1):
                found = self._at(i, j)
                if len(found) > MOST_MEETS:
                    return None
                if found:
                    self._known[i, j] = found
        return self._known.get((0, 0), frozenset())

    def _at(self, i: int, j: int) -> frozenset[str]:
        one = self._one[i] if i < len(self._one) else ""
        other = self._other[j] if j < len(self._other) else ""
        known, nothing = self._known, frozenset[str]()
        if not one and not other:
            return frozenset({""})
        if one == STAR and other == STAR:
            return _before(STAR, known.get((i + 1, j), nothing) | known.get((i, j + 1), nothing))
        if one == STAR:
            longer = known.get((i, j + 1), nothing) if other else nothing
            return known.get((i + 1, j), nothing) | _before(other, longer)
        if other == STAR:
            longer = known.get((i + 1, j), nothing) if one else nothing
            return known.get((i, j + 1), nothing) | _before(one, longer)
        if not one or not other or (one != other and ONE not in (one, other)):
            return nothing
        return _before(other if one == ONE else one, known.get((i + 1, j + 1), nothing))


def _before(head: str, tails: frozenset[str]) -> frozenset[str]:
    return frozenset(_tidy(head + tail) for tail in tails)


def _without_covered(codes: set[str]) -> tuple[str, ...]:
    ordered = sorted(codes, key=lambda code: (len(code), code))
    return tuple(
        code
        for index, code in enumerate(ordered)
        if not any(
            covers(other, code) and (not covers(code, other) or at < index)
            for at, other in enumerate(ordered)
            if at != index
        )
    )


class PatternSet:
    """The patterns of one element: texts by hash, prefixes in one call, then the rest."""

    __slots__ = ("_exact", "_prefixes", "_rest", "codes", "counting", "wild")

    def __init__(self, codes: Iterable[str]) -> None:
        self.codes = tuple(dict.fromkeys(codes))
        exact, prefixes, rest = set(), [], []
        for code in self.codes:
            if is_literal(code):
                exact.add(code)
            elif code.endswith(STAR) and is_literal(code[:-1]):
                prefixes.append(code[:-1])
            else:
                rest.append(code)
        self._exact, self._prefixes, self._rest = frozenset(exact), tuple(prefixes), tuple(rest)
        self.wild = tuple(code for code in self.codes if code not in exact)
        """Those that are more than one text."""
        self.counting = tuple(code for code in rest if ONE in code)
        """Those with ``?``."""

    def covers(self, code: str) -> bool:
        """Whether one of them covers ``code``."""
        return (
            code in self._exact
            or (bool(self._prefixes) and code.startswith(self._prefixes))
            or any(covers(pattern, code) for pattern in self._rest)
        )


def fresh_unit(codes: Iterable[str]) -> str:
    """A unit that none of ``codes`` names; a letter where one is left."""
    named: set[str] = set()
    for code in codes:
        named.update(code)
    for char in "xzqjkvw":
        if char not in named:
            return char
    return next(char for char in map(chr, range(0x4E00, 0xD7FF)) if char not in named)


def filled(code: str, star: str, one: str = "x") -> str:
    """A text of ``code`` (without variables): ``star`` for every ``*``, ``one`` for every ``?``."""
    return code.replace(STAR, star).replace(ONE, one)


def text_of(units: str) -> str | None:
    """Units as text again; ``None`` when they hold half of a surrogate pair, which no request can carry."""
    if units.isascii():
        return units
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None
