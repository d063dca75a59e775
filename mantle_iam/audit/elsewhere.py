"""Where else than asked a policy grants something: the projects and regions that its own statements name.

That nobody may do a thing is asked of a project and a region; a statement for another one would be missed.  So what allows
anything in any layer tells where to ask again.  Decides nothing itself: ``evaluate`` says whether the place is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from mantle_iam.audit.capabilities import Cell, Sheet, Wanted
from mantle_iam.audit.compiled import Bound
from mantle_iam.audit.tally import Known, Short, distinct, worst_of
from mantle_iam.audit.verdict import Subject
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import Decision, EvaluationResult, PolicySet, StatementRef
from mantle_iam.mantle import overlay

_PROJECT: Final = "project/"
_MOST_PLACES: Final = 64
"""That are asked about for one principal and cell; a policy that names more projects grants something in one of these."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A project and a region; either may be a pattern, which reads as something that only patterns like it cover."""

    project: str
    region: str

    def resource(self, partition: str, account: str) -> str:
        """The project's ARN."""
        return f"arn:{partition}:{overlay.SERVICE}:{self.region}:{account}:{_PROJECT}{self.project}"


@dataclass(frozen=True, slots=True)
class Seeker:
    """One principal, asked again elsewhere."""

    bound: Bound
    sheet: Sheet
    partition: str
    subject: Subject
    policies: PolicySet
    named: Callable[[StatementRef, str], dict[str, Any]]
    """A statement as the report has it, and the action that it decides on."""

    def seek(
        self, documents: Iterable[PolicyDocument], cells: Iterable[Cell], known: Known, wanted: Wanted
    ) -> Iterator[Short]:
        """Of ``cells``, which are all refused where they were asked about: those that are not refused everywhere."""
        documents = tuple(documents)
        for cell in cells:
            moved = tuple(need for need in cell.needs if self._is_project(need))
            rest = [need for need in cell.needs if need not in moved]
            if moved and not _refused(known.decisions[need] for need in rest):
                points = tuple(dict.fromkeys(self.sheet.needs[need].points[0] for need in moved))
                mask = sum(1 << point for point in points)
                found = (
                    self._asked(cell, place, points, [known.told[need] for need in rest], known, rest)
                    for place in places(documents, self.bound.board.names, mask, cell, wanted)
                )
                yield from (one for one in [next(filter(None, found), None)] if one is not None)

    def _is_project(self, need: int) -> bool:
        resource = self.sheet.questions[self.sheet.needs[need].points[0]].resource
        return f":{overlay.SERVICE}:" in resource and f":{_PROJECT}" in resource

    def _asked(
        self,
        cell: Cell,
        place: Elsewhere,
        points: tuple[int, ...],
        told: list[dict[str, Any]],
        known: Known,
        rest: list[int],
    ) -> Short | None:
        resource = place.resource(self.partition, self.bound.account)
        results = [(self.sheet.questions[point].action, self._evaluated(point, resource)) for point in points]
        worst = worst_of([*(result.decision for _, result in results), *(known.decisions[need] for need in rest)])
        if _refused((worst,)):
            return None
        deciding = [(action, result) for action, result in results if result.decision is worst]
        others = [one for need, one in zip(rest, told, strict=True) if known.decisions[need] is worst]
        depends = {key for _, result in deciding for key in result.depends_on}
        statements = (
            self.named(ref, action)
            for action, result in deciding
            for ref in result.determining or result.undecided
        )  # fmt: skip
        return (
            replace(cell, project=place.project, region=place.region),
            worst,
            {
                "depends_on": sorted(depends.union(*(one["depends_on"] for one in others))),
                "decided_by": distinct([*(item for one in others for item in one["decided_by"]), *statements]),
                "permissions": [],
            },
        )

    def _evaluated(self, point: int, resource: str) -> EvaluationResult:
        request = self.bound.request(point, self.subject, self.policies)
        return evaluate(replace(request, resources=(resource,)), self.policies)


def _refused(decisions: Iterable[Decision]) -> bool:
    return worst_of(decisions) in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY)


def places(
    documents: Iterable[PolicyDocument], names: Callable[[Statement], int], questions: int, cell: Cell, wanted: Wanted
) -> tuple[Elsewhere, ...]:
    """Where Allow statements that name one of ``questions`` (a mask) reach, other than the cell's own place."""
    found: dict[Elsewhere, None] = {}
    for document in documents:
        for statement in document.statements:
            if statement.effect is Effect.ALLOW and names(statement) & questions:
                for pattern in statement.resources or ("*",):
                    found |= dict.fromkeys(_reached(pattern, cell, wanted))
    found.pop(Elsewhere(cell.project, cell.region), None)
    return tuple(found)[:_MOST_PLACES]


def _reached(pattern: str, cell: Cell, wanted: Wanted) -> Iterator[Elsewhere]:
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        region, name = "*", "*"
    else:
        if not glob(parts[2]).matches(overlay.SERVICE):
            return
        region, name = parts[3], parts[5].removeprefix(_PROJECT)
        if name == parts[5]:
            if not name.startswith("*"):
                return
            name = "*"
    in_region, in_project = glob(region).matches(cell.region), glob(name).matches(cell.project)
    if (wanted.regions and not in_region) or (wanted.projects and not in_project):
        return
    yield Elsewhere(cell.project if in_project else name, cell.region if in_region else region)
    # A Deny of the place that was asked about says nothing of the others.
    yield Elsewhere(cell.project if wanted.projects else name, cell.region if wanted.regions else region)
