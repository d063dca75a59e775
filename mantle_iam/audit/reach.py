"""Which resources of one kind policies tell apart: for every set of patterns that some ARN matches, one such ARN.

Decides that nothing is granted anywhere can only who looks everywhere, and two ARNs that lie in the same patterns are judged
alike.  So one of each class is enough, and the classes are found by a walk through the subset automaton of all patterns, along
ARNs alone: a region has no colon in it.  Bounded; ``None`` says that the patterns are too many to be told apart.
Knows strings only.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html; of wildcards
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Final

from mantle_iam.iam.language import ONE, STAR

REGION: Final = "\ue000"
"""In a kind of resource: any region (one or more of its characters)."""
NAME: Final = "\ue001"
"""In a kind of resource: any name of this service's (one or more characters)."""
TEXT: Final = "\ue002"
"""In a kind of resource: anything of one or more characters of ASCII, but for space and wildcards."""
_RUNS: Final = {
    REGION: string.ascii_lowercase + string.digits + "-",
    NAME: string.ascii_letters + string.digits + "-_.",
    TEXT: string.ascii_letters + string.digits + string.punctuation.replace("*", "").replace("?", ""),
}
_MOST_STATES: Final = 6_000
WIDEST: Final = 30_000
"""Units of all patterns together, which is how long a step takes; wider automata are not for making."""


class Patterns:
    """Patterns (coded as ``language.py`` codes them) side by side as one bit-parallel automaton."""

    __slots__ = ("_finals", "_masks", "_ones", "_stars", "_start")

    def __init__(self, codes: Sequence[str]) -> None:
        self._masks: dict[str, int] = {}
        self._stars = self._ones = start = 0
        finals, offset = [], 0
        for code in codes:
            for index, char in enumerate(code, offset):
                bit = 1 << index
                if char == STAR:
                    self._stars |= bit
                elif char == ONE:
                    self._ones |= bit
                else:
                    self._masks[char] = self._masks.get(char, 0) | bit
            start |= 1 << offset
            offset += len(code) + 1
            finals.append(1 << (offset - 1))
        self._start = start | (start & self._stars) << 1
        self._finals = tuple(finals)

    def matched(self, text: str) -> int:
        """The patterns (bits, by index) that cover ``text``, in which ``*`` and ``?`` are ordinary characters."""
        state = self._start
        for char in text:
            state = self._step(state, char)
        return self._accepted(state)

    def classes(self, kind: str) -> dict[int, str] | None:
        """For every set of patterns (bits) that a resource of ``kind`` lies in, a shortest such resource."""
        runs = {mark: self._told_apart(chars) for mark, chars in _RUNS.items()}
        layer, seen = [(0, False, self._start, "")], {(0, False, self._start)}
        found: dict[int, str] = {}
        while layer:
            following = []
            for at, begun, state, text in layer:
                if at == len(kind):
                    found.setdefault(self._accepted(state), text)
                    continue
                for further, within, char in self._moves(runs.get(kind[at]), kind[at], begun, state):
                    reached = (at + further, within, self._step(state, char) if char else state)
                    if reached not in seen:
                        seen.add(reached)
                        following.append((*reached, text + char))
            if len(seen) > _MOST_STATES:
                return None
            layer = following
        return found

    def _told_apart(self, chars: str) -> tuple[str, str]:
        """Of a run's characters those that some pattern names, and one that none does (empty where there is none)."""
        named = "".join(char for char in chars if char in self._masks)
        return named, next((char for char in chars if char not in self._masks), "")

    def _moves(
        self, run: tuple[str, str] | None, literal: str, begun: bool, state: int
    ) -> Iterator[tuple[int, bool, str]]:
        """How the walk goes on: how far, whether within a run, and by which character; the empty one leaves a run."""
        if run is None:
            yield 1, False, literal
            return
        if begun:
            yield 1, False, ""
        named, other = run
        for char in named:
            if self._masks[char] & state:
                yield 0, True, char
            elif not other:
                other = char
        # All characters that no pattern waits for here are alike.
        if other:
            yield 0, True, other

    def _step(self, state: int, char: str) -> int:
        following = state & self._stars | (state & (self._masks.get(char, 0) | self._ones)) << 1
        return following | (following & self._stars) << 1

    def _accepted(self, state: int) -> int:
        return sum(1 << index for index, final in enumerate(self._finals) if state & final)
