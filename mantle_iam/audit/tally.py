"""One requirement in one account: which principals meet it, which do not, and of which it is not known.

Knows answers, and no policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mantle_iam.audit.capabilities import Cell, Sheet
from mantle_iam.audit.requirements import Must, Rule, RuleResult, Shortfall
from mantle_iam.iam.matching import glob
from mantle_iam.iam.request import Decision
from mantle_iam.mantle.operations import AuthMethod

ROLE_HAS_NO_KEY: Final = "long-term keys belong to IAM users; a role has none"
_MOST_SHORTFALLS: Final = 200
"""Of one rule in one account that are told one by one; all are counted."""
_RANK: Final = (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY, Decision.UNKNOWN, Decision.ALLOWED)


Short = tuple[Cell, Decision, dict[str, Any]]
"""A cell that a principal does not meet, the decision, and what decides."""


@dataclass(slots=True)
class Known:
    """Answers of one shape, with what a rule needs of them."""

    index: int
    decisions: tuple[Decision, ...]
    """By need."""
    told: tuple[dict[str, Any], ...] = field(default=())
    """By need."""
    role: bool = False
    elsewhere: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Other places that policies name, by index of a cell that is refused."""


class RuleTally:
    """One rule, principal by principal."""

    def __init__(self, rule: Rule, sheet: Sheet, part: tuple[int, ...]) -> None:
        self.rule = rule
        self.cells = tuple(sheet.cells[index] for index in part)
        self._part = part
        self.matched = self.failed = self.undecided = 0
        self.shortfalls: list[Shortfall] = []
        self._unmet = dict(enumerate(map(glob, rule.principals)))
        """Patterns of principals that matched nobody so far, by index."""
        self._by_shape: dict[int, dict[int, Short]] = {}

    def unsettled(self, known: Known) -> tuple[tuple[int, Cell], ...]:
        """What must not be allowed, is not where it was asked about, and may be elsewhere; by index."""
        if self.rule.must is Must.ALLOW:
            return ()
        return tuple(
            (index, cell)
            for index, cell in enumerate(self.cells)
            if not (known.role and cell.auth is AuthMethod.LONG_TERM_KEY)
            and worst_of(known.decisions[need] for need in cell.needs) is not Decision.ALLOWED
        )

    def add(self, arn: str, known: Known, elsewhere: Mapping[int, Short]) -> None:
        """Ask it of one principal.  ``elsewhere``: what is granted where it was not asked about, by index of the cell."""
        self.matched += 1
        for index in [index for index, pattern in self._unmet.items() if pattern.matches(arn)]:
            del self._unmet[index]
        found = self._by_shape.get(known.index)
        if found is None:
            found = dict(self._shortfalls(known))
            self._by_shape[known.index] = found
        if not found and not elsewhere:
            return
        shorts = self._joined({**found, **elsewhere})
        unsure = all(decision is Decision.UNKNOWN for _, decision, _ in shorts)
        self.undecided += unsure
        self.failed += not unsure
        for cell, decision, told in shorts:
            if len(self.shortfalls) < _MOST_SHORTFALLS:
                self.shortfalls.append(
                    Shortfall(
                        arn,
                        cell.name,
                        cell.auth.value,
                        cell.project,
                        cell.model,
                        cell.region,
                        decision.value,
                        json.dumps(told, ensure_ascii=False),
                    )
                )

    def _joined(self, found: Mapping[int, Short]) -> list[Short]:
        """One for each thing that was asked: of its several operations those that are allowed, else those of which it is not
        known."""
        by_cell: dict[Cell, list[Short]] = {}
        for index in sorted(found):
            by_cell.setdefault(replace(self.cells[index], needs=()), []).append(found[index])
        return [_merged(shorts) for shorts in by_cell.values()]

    def _shortfalls(self, known: Known) -> Iterator[tuple[int, Short]]:
        for index, cell in enumerate(self.cells):
            worst = worst_of(known.decisions[need] for need in cell.needs)
            if known.role and cell.auth is AuthMethod.LONG_TERM_KEY:
                # Whatever the policies say: there is no such key.  Asked for by name it is missing; among every way of
                # authenticating it is none of a role's.
                if self.rule.must is Must.ALLOW and self.rule.wanted.auths:
                    yield index, (cell, Decision.IMPLICIT_DENY, no_key())
                continue
            if worst is Decision.ALLOWED if self.rule.must is Must.ALLOW else refused((worst,)):
                continue
            deciding = [known.told[need] for need in cell.needs if known.decisions[need] is worst]
            yield index, (cell, worst, {
                "depends_on": sorted({name for one in deciding for name in one["depends_on"]}),
                "decided_by": distinct(item for one in deciding for item in one["decided_by"]),
                "permissions": [[one["action"], one["resource"], one["model"]] for one in deciding if _by_itself(one)],
                "elsewhere": list(known.elsewhere.get(self._part[index], ())),
            })  # fmt: skip

    def result(self) -> RuleResult:
        """The tally of this account."""
        return RuleResult(self.matched, self.failed, self.undecided, tuple(self.shortfalls), self._met())

    def _met(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.rule.principals)) if index not in self._unmet)


def _merged(shorts: list[Short]) -> Short:
    if len(shorts) == 1:
        return shorts[0]
    best = next(decision for decision in reversed(_RANK) if any(one[1] is decision for one in shorts))
    same = [one for one in shorts if one[1] is best]
    told = [one[2] for one in same]
    return same[0][0], best, {
        "depends_on": sorted({name for one in told for name in one["depends_on"]}),
        "decided_by": distinct(item for one in told for item in one["decided_by"]),
        "permissions": [],
    }  # fmt: skip


def refused(decisions: Iterable[Decision]) -> bool:
    """Whether permissions that are all needed are surely not all there."""
    return worst_of(decisions) in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY)


def no_key() -> dict[str, Any]:
    """Why a role cannot call with a long-term key."""
    return {"depends_on": [], "decided_by": [{"layer": "credential", "reason": ROLE_HAS_NO_KEY}], "permissions": []}


def worst_of(decisions: Iterable[Decision]) -> Decision:
    """Of several permissions that are all needed: the decision on all of them together."""
    found = list(decisions)
    for decision in _RANK:
        # By identity: hashing a member of an enumeration costs more than the rest of an answer.
        for one in found:
            if one is decision:
                return decision
    return Decision.ALLOWED


def _by_itself(told: dict[str, Any]) -> bool:
    """Whether the permission's own action decides, and not the use of the key, which is a permission of its own."""
    return any(item.get("action") == told["action"] for item in told["decided_by"])


def distinct(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items without repetitions, in their order."""
    found: list[dict[str, Any]] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
