"""Whether what was refused where it was asked is granted anywhere else: on another project, in another region, for one model.

That nobody may do a thing is a statement about every place.  The patterns of all layers divide the places into finitely many
classes, of which every one is asked; where these are too many to be told apart the answer is unknown, never no.
Decides nothing itself: ``evaluate`` says what is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice, product
from typing import Any, Final

from mantle_iam.audit.capabilities import Cell, Need, Sheet, Wanted
from mantle_iam.audit.compiled import Bound
from mantle_iam.audit.reach import NAME, REGION, TEXT, WIDEST, Patterns
from mantle_iam.audit.tally import Known, Short, distinct, refused, worst_of
from mantle_iam.audit.verdict import Subject
from mantle_iam.iam.compiled import VARIABLES_SINCE
from mantle_iam.iam.conditions import Context
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.language import Symbols, coded, plain
from mantle_iam.iam.matching import Part, Variable, expand, parse_variables
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import (
    AuthorizationRequest,
    Decision,
    EvaluationResult,
    PolicySet,
    PolicyType,
    StatementRef,
)
from mantle_iam.mantle import overlay
from mantle_iam.mantle.endpoint import known_regions, partition_of
from mantle_iam.mantle.models import SEEN

TOO_MANY: Final = "the resource, of which the policies name more than are told apart"
_MOST_MODELS: Final = 256
_MOST_TRIED: Final = 16
_MOST_SHOWN: Final = 500
"""Places that are tried for one that reads well; none of them decides anything."""


def kind_of(need: Need, cell: Cell, wanted: Wanted) -> str:
    """The resources that stand for that of ``need`` (in its account) where a rule leaves them open; empty where it does not."""
    parts = need.resource.split(":", 5)
    if len(parts) < 6 or need.resource == cell.project:
        return ""
    _, _, service, region, _, name = parts
    type_, slash, _ = name.partition("/")
    if service == overlay.SERVICE and type_ == "project" and wanted.projects:
        name = name if "*" in name else f"project/{cell.project}"
    else:
        anything = NAME if service == overlay.SERVICE else TEXT
        name = f"{type_}/{anything}" if slash and service in (overlay.SERVICE, "iam") else name.replace("*", anything)
    if region and not wanted.regions:
        region = REGION
    found = ":".join([*parts[:3], region, parts[4], name])
    return "" if found == need.resource else found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the actions of one cell come to in one class of places."""

    decision: Decision
    place: str
    results: tuple[tuple[str, EvaluationResult], ...]
    """By action; of those that decide."""
    depends_on: frozenset[str]
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Seeker:
    """One principal, asked everywhere."""

    bound: Bound
    sheet: Sheet
    needs: tuple[Need, ...]
    """Those of the sheet, in the account."""
    subject: Subject
    policies: PolicySet
    routes: tuple[PolicySet, ...]
    """The same with the policy of each endpoint that a call may go through."""
    named: Callable[[StatementRef, str], dict[str, Any]]
    """A statement as the report has it, and the action that it decides on."""
    _requests: dict[tuple[int, int], AuthorizationRequest] = field(default_factory=dict)
    _contexts: list[Context] = field(default_factory=list)
    """By question; made when a pattern has a variable."""

    def seek(self, cells: Iterable[tuple[int, Cell]], known: Known, wanted: Wanted) -> Iterator[tuple[int, Short]]:
        """Of ``cells``, which are not surely granted where they were asked about: what is granted elsewhere, or may be."""
        for index, cell in cells:
            kinds: dict[str, list[int]] = {}
            for need in cell.needs:
                kinds.setdefault(kind_of(self.needs[need], cell, wanted), []).append(need)
            fixed = kinds.pop("", [])
            if not kinds or refused(known.decisions[need] for need in fixed):
                continue
            asked = self._together(kinds, cell)
            here = worst_of(known.decisions[need] for need in cell.needs)
            there = worst_of([one.decision for one in asked] + [known.decisions[need] for need in fixed])
            if there is Decision.ALLOWED or (refused((here,)) and not refused((there,))):
                yield index, self._short(cell, there, asked, [(known.told[one], known.decisions[one]) for one in fixed])

    def _together(self, kinds: dict[str, list[int]], cell: Cell) -> list[_Asked]:
        """What comes nearest to a grant on one resource of each kind; where there are several, all in one region."""
        asked = [self._best(kind, needs, cell) for kind, needs in kinds.items()]
        regions = dict.fromkeys(one.place.split(":", 4)[3] for one in asked if one.place)
        if len(regions) < 2:
            return asked
        for region in regions:
            again = [self._best(kind.replace(REGION, region), needs, cell) for kind, needs in kinds.items()]
            if all(one.decision is Decision.ALLOWED for one in again):
                return again
        return [replace(one, decision=Decision.UNKNOWN, depends_on=frozenset({"the region"})) for one in asked]

    def _best(self, kind: str, needs: list[int], cell: Cell) -> _Asked:
        """What comes nearest to a grant of all of ``needs`` on one resource of ``kind``."""
        points = tuple(dict.fromkeys(self.sheet.needs[need].points[0] for need in needs))
        nowhere = _Asked(Decision.IMPLICIT_DENY, "", (), frozenset())
        if not all(map(self._may_be_granted, points)):
            return nowhere
        statements = [*self._naming(points)]
        codes = tuple(dict.fromkeys(code for one in statements for code in self._codes(*one, points, kind)))
        patterns, classes = _told_apart(codes, kind)
        if patterns is None:
            # Too many for all of them; one that is granted is told all the same.
            classes = self._places(kind, cell, statements)[:_MOST_TRIED]
            nowhere = replace(nowhere, decision=Decision.UNKNOWN, depends_on=frozenset({TOO_MANY}))
        found = [self._ask(points, place) for place in classes]
        worst = {one.decision for one in found}
        if Decision.ALLOWED not in worst and Decision.UNKNOWN in worst and cell.model is None:
            found += self._by_model(points, found, [statement for _, statement in statements])
        for decision in (Decision.ALLOWED, Decision.UNKNOWN):
            best = [one for one in found if one.decision is decision]
            if best:
                results = tuple(pair for one in best for pair in one.results)
                depends = frozenset[str]().union(*(one.depends_on for one in best))
                place = best[0].place
                if patterns is not None:
                    place = _shown(place, self._places(kind, cell, statements), patterns)
                return replace(best[0], place=place, results=results, depends_on=depends)
        return nowhere

    def _may_be_granted(self, point: int) -> bool:
        """Whether an identity policy names the action in an Allow at all; that it does not is what most of them come to."""
        return PolicyType.IDENTITY in self.policies.unknown or any(
            statement.effect is Effect.ALLOW and self.bound.board.names(statement) >> point & 1
            for document in self.policies.identity
            for statement in document.statements
        )

    def _naming(self, points: tuple[int, ...]) -> Iterator[tuple[bool, Statement]]:
        """The statements of all layers that speak of the points, each with whether it has variables."""
        mask = sum(1 << point for point in points)
        documents: dict[int, PolicyDocument] = {
            id(document): document
            for policies in (self.policies, *self.routes)
            for _, layer in policies.layers()
            for document in layer
        }
        for document in documents.values():
            for statement in document.statements:
                if self.bound.board.names(statement) & mask:
                    yield document.version == VARIABLES_SINCE, statement

    def _codes(self, variables: bool, statement: Statement, points: tuple[int, ...], kind: str) -> Iterator[str]:
        """The patterns of a statement that can tell resources of ``kind`` apart."""
        service = kind.split(":", 3)[2]
        for pattern in (*statement.resources, *statement.not_resources):
            fields = pattern.split(":", 3)
            if pattern == "*" or (len(fields) > 3 and not any(map(_open, fields[:3])) and fields[2] != service):
                continue
            if variables and "${" in pattern:
                yield from (coded(parts, Symbols()) for point in points for parts in self._filled(pattern, point))
            else:
                yield plain(pattern)

    def _filled(self, pattern: str, point: int) -> Iterator[tuple[Part, ...]]:
        """A pattern with its variables' values, and with anything for what is not known; none where a value is absent."""
        if not self._contexts:
            place = self.bound.board.place(self.subject.principal, self.bound.account, self.subject)
            self._contexts.extend(place.contexts)
        context = self._contexts[point]
        parts = parse_variables(pattern)

        def lookup(key: str) -> str | frozenset[str] | None:
            value = context.get(key.lower(), key)
            return None if isinstance(value, tuple) else value

        tokens = expand(parts, lookup)
        if isinstance(tokens, list):
            yield tuple(tokens)
        elif tokens is not None:
            yield tuple((True, "*") if isinstance(part, Variable) else part for part in parts)

    def _ask(self, points: tuple[int, ...], place: str, model: str | None = None) -> _Asked:
        results = []
        for point in points:
            action = self.sheet.questions[point].action
            result = self._evaluated(point, place, self.policies, model)
            through = [self._evaluated(point, place, one, model).decision for one in self.routes]
            if result.decision is Decision.ALLOWED and any(one is not Decision.ALLOWED for one in through):
                # A caller may or may not go through the endpoint, and that decides.
                result = replace(result, decision=Decision.UNKNOWN, depends_on=(PolicyType.VPC_ENDPOINT.value,))
            results.append((action, result))
        worst = worst_of(result.decision for _, result in results)
        deciding = tuple(pair for pair in results if pair[1].decision is worst)
        depends = frozenset(key for _, result in deciding for key in result.depends_on)
        return _Asked(worst, place, deciding, depends, model)

    def _evaluated(self, point: int, place: str, policies: PolicySet, model: str | None) -> EvaluationResult:
        # Each set of layers asks for keys of its own.
        request = self._requests.get((point, id(policies)))
        if request is None:
            request = self.bound.request(point, self.subject, policies)
            self._requests[point, id(policies)] = request
        if model is not None:
            unknown = frozenset(key for key in request.unknown_context if key.lower() != overlay.MODEL_KEY.lower())
            request = replace(
                request, context={**request.context, overlay.MODEL_KEY: model}, unknown_context=unknown
            )  # fmt: skip
        return evaluate(replace(request, resources=(place,)), policies)

    def _by_model(self, points: tuple[int, ...], found: list[_Asked], statements: list[Statement]) -> Iterator[_Asked]:
        """What hangs on the model alone is granted where a model is."""
        hanging = [one.place for one in found if {key.lower() for key in one.depends_on} == {overlay.MODEL_KEY.lower()}]
        for model in _models(statements) if hanging else ():
            for place in hanging:
                asked = self._ask(points, place, model)
                if asked.decision is Decision.ALLOWED:
                    yield asked
                    return

    def _places(self, kind: str, cell: Cell, statements: list[tuple[bool, Statement]]) -> tuple[str, ...]:
        """Resources of ``kind`` as a reader would name them: what was asked about, and what policies name."""
        fields = [pattern.split(":", 5) for _, one in statements for pattern in (*one.resources, *one.not_resources)]
        named = [(parts[3], parts[5].partition("/")[2] or parts[5]) for parts in fields if len(parts) == 6]
        regions = dict.fromkeys([cell.region, *(region for region, _ in named)])
        names = dict.fromkeys([cell.project, *(name for _, name in named)])
        pairs = chain(
            ((cell.region, name) for name in names),
            ((region, cell.project) for region in regions),
            named,
            product([*regions, *_regions_beside(cell.region)], names),
        )
        own = kind.replace(REGION, cell.region).replace(NAME, cell.project).replace(TEXT, cell.project)
        found = (
            kind.replace(REGION, region).replace(NAME, name).replace(TEXT, name)
            for region, name in pairs
            if region and name
        )
        return tuple(islice(dict.fromkeys([own, *found]), _MOST_SHOWN))

    def _short(
        self, cell: Cell, decision: Decision, asked: list[_Asked], fixed: list[tuple[dict[str, Any], Decision]]
    ) -> Short:
        deciding = [one for one in asked if one.decision is decision]
        told = [one for one, its in fixed if its is decision]
        statements = (
            self.named(ref, action)
            for one in deciding
            for action, result in one.results
            for ref in result.determining or result.undecided
        )  # fmt: skip
        depends = frozenset[str]().union(*(one.depends_on for one in deciding), *(one["depends_on"] for one in told))
        if decision is Decision.ALLOWED:
            depends = frozenset()
        for one in asked:
            cell = _moved(cell, one)
        return (
            cell,
            decision,
            {
                "depends_on": sorted(depends),
                "decided_by": distinct([*(item for one in told for item in one["decided_by"]), *statements]),
                "permissions": [],
            },
        )


@lru_cache(maxsize=512)
def _told_apart(codes: tuple[str, ...], kind: str) -> tuple[Patterns | None, tuple[str, ...]]:
    """The classes of ``kind``, the same for most cells of a rule; no patterns where these are too many."""
    patterns = Patterns(codes) if sum(map(len, codes)) + len(codes) < WIDEST else None
    found = patterns.classes(kind) if patterns is not None else None
    return (None, ()) if found is None else (patterns, tuple(found.values()))


@lru_cache(maxsize=16)
def _regions_beside(region: str) -> tuple[str, ...]:
    """Known regions of the same partition."""
    partition = partition_of(region)
    return tuple(one for one in known_regions() if partition_of(one) == partition)


def _open(field_: str) -> bool:
    return "*" in field_ or "?" in field_ or "$" in field_


def _moved(cell: Cell, asked: _Asked) -> Cell:
    """``cell`` where ``asked`` found it."""
    parts = asked.place.split(":", 5)
    if len(parts) < 6:
        return cell
    type_, _, name = parts[5].partition("/")
    project = name if type_ == "project" and parts[2] == overlay.SERVICE else cell.project
    return replace(cell, project=project, region=parts[3] or cell.region, model=asked.model or cell.model)


def _shown(place: str, places: tuple[str, ...], patterns: Patterns) -> str:
    """One that reads well and lies in the same patterns, where there is one."""
    bits = patterns.matched(place)
    return next((text for text in places if patterns.matched(text) == bits), place)


def _models(statements: list[Statement]) -> tuple[str, ...]:
    """Models that policies name, and known ones that their patterns may mean."""
    named = [
        value
        for statement in statements
        for condition in statement.conditions
        if condition.key.lower() == overlay.MODEL_KEY.lower()
        for value in condition.values
    ]
    literal = [value for value in named if not _open(value)]
    return tuple(dict.fromkeys((*literal, *SEEN)))[:_MOST_MODELS]
