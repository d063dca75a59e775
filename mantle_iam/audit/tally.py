"""One requirement in one account: which principals meet it, which do not, and of which it is not known.

Knows answers, and no policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
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


class RuleTally:
    """One rule, principal by principal."""

    def __init__(self, rule: Rule, sheet: Sheet, part: tuple[int, ...]) -> None:
        self.rule = rule
        self.cells = tuple(sheet.cells[index] for index in part)
        self.matched = self.failed = self.undecided = 0
        self.shortfalls: list[Shortfall] = []
        self._unmet = dict(enumerate(map(glob, rule.principals)))
        """Patterns of principals that matched nobody so far, by index."""
        wanted = rule.wanted
        somewhere = (wanted.projects and wanted.regions) or any(one.startswith("arn:") for one in wanted.projects)
        self._everywhere = rule.must is Must.NOT_ALLOW and not somewhere
        """Whether the rule leaves the project or the region to the policies."""
        self._by_shape: dict[int, tuple[Short, ...]] = {}

    def refused(self, known: Known) -> tuple[Cell, ...]:
        """What is refused where it was asked about, and may be granted elsewhere."""
        if not self._everywhere:
            return ()
        return tuple(
            cell
            for cell in self.cells
            if not (known.role and cell.auth is AuthMethod.LONG_TERM_KEY and cell.is_capability)
            and worst_of(known.decisions[need] for need in cell.needs)
            in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY)
        )

    def add(self, arn: str, known: Known, elsewhere: Iterable[Short] = ()) -> None:
        """Ask it of one principal.  ``elsewhere``: what is granted where it was not asked about."""
        self.matched += 1
        for index in [index for index, pattern in self._unmet.items() if pattern.matches(arn)]:
            del self._unmet[index]
        found = self._by_shape.get(known.index)
        if found is None:
            found = tuple(self._shortfalls(known))
            self._by_shape[known.index] = found
        found = (*found, *elsewhere)
        if not found:
            return
        unsure = all(decision is Decision.UNKNOWN for _, decision, _ in found)
        self.undecided += unsure
        self.failed += not unsure
        for cell, decision, told in found:
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

    def _shortfalls(self, known: Known) -> Iterable[Short]:
        for cell in self.cells:
            worst = worst_of(known.decisions[need] for need in cell.needs)
            if known.role and cell.auth is AuthMethod.LONG_TERM_KEY and cell.is_capability:
                # Whatever the policies say: there is no such key.  An action by its name is judged by the policies.
                # Asked for by name it is missing; among every way of authenticating it is none of a role's.
                if self.rule.must is Must.ALLOW and self.rule.wanted.auths:
                    yield cell, Decision.IMPLICIT_DENY, no_key()
                continue
            met = Decision.ALLOWED if self.rule.must is Must.ALLOW else None
            if worst is met or (met is None and worst in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY)):
                continue
            deciding = [known.told[need] for need in cell.needs if known.decisions[need] is worst]
            yield cell, worst, {
                "depends_on": sorted({name for one in deciding for name in one["depends_on"]}),
                "decided_by": distinct(item for one in deciding for item in one["decided_by"]),
                "permissions": [[one["action"], one["resource"], one["model"]] for one in deciding if _by_itself(one)],
            }  # fmt: skip

    def result(self) -> RuleResult:
        """The tally of this account."""
        return RuleResult(self.matched, self.failed, self.undecided, tuple(self.shortfalls), self._met())

    def _met(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.rule.principals)) if index not in self._unmet)


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
