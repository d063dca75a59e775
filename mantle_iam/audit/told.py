"""What is said of one principal's permissions: the decision, what it depends on, the statements that decide, other places.

Words for what ``compiled`` decided; decides nothing but that a role has no long-term key.  Knows no file and no report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.audit.capabilities import Cell, Need, Sheet
from mantle_iam.audit.compiled import Bound
from mantle_iam.audit.hits import places
from mantle_iam.audit.tally import distinct, no_key, refused, worst_of
from mantle_iam.audit.verdict import Subject, Verdict
from mantle_iam.iam.inventory import Account, NamedPolicy
from mantle_iam.iam.policy import Statement
from mantle_iam.iam.request import Decision, PolicySet, PolicyType, StatementRef
from mantle_iam.mantle.operations import AuthMethod

_MOST_PLACES: Final = 8
"""Of other places that are told for one cell."""

as_json: Final = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Told:
    """A permission as the report has it, and the same as JSON text."""

    value: dict[str, Any]
    text: str
    kept: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class Setting:
    """One account, and what is asked in it."""

    account: Account
    sheet: Sheet
    bound: Bound
    needs: tuple[Need, ...]
    """Those of the sheet, in the account."""
    points: tuple[int, ...]
    """By need, as masks."""
    refused: dict[tuple[Any, ...], Told] = field(default_factory=dict)
    """Permissions that layers withhold, by need and layers: the same for most principals, and written once."""


@dataclass(slots=True)
class Asked:
    """One principal's verdict, and whose the statements are."""

    setting: Setting
    subject: Subject
    policies: PolicySet
    verdict: Verdict
    through: tuple[Verdict, ...]
    boundary: NamedPolicy | None
    speaking: tuple[NamedPolicy, ...]
    keyless: bool = field(init=False)
    """Whether it is a role, of which there are no long-term keys."""
    points: dict[int, tuple[Decision, list[str], list[dict[str, Any]]]] = field(init=False, default_factory=dict)
    withheld: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.withheld = self.verdict.withheld()
        self.keyless = ":role/" in self.subject.principal

    def elsewhere(self, cell: Cell, decisions: tuple[Decision, ...]) -> tuple[str, ...]:
        """The other places that Allow statements name for a cell; none where it is allowed, or is refused in all places."""
        if self.keyless and cell.auth is AuthMethod.LONG_TERM_KEY:
            return ()
        found: dict[str, None] = {}
        for need in [self.setting.needs[at] for at in cell.needs if refused((decisions[at],))]:
            for point in need.points:
                if self.verdict.elsewhere >> point & 1:
                    action = self.setting.sheet.questions[point].action
                    denied = [*self._statements(1 << point, deny=True)]
                    allowed = self._statements(1 << point, self.verdict.withheld_by(point))
                    named = [
                        place for one in allowed for place in places(one, action, need.resource, cell.model, denied)
                    ]
                    if not named:
                        return ()
                    found |= dict.fromkeys(named)
                elif not self.verdict.allowed >> point & 1:
                    return ()
        return tuple(found)[:_MOST_PLACES]

    def _statements(
        self, points: int, layers: tuple[PolicyType, ...] = tuple(PolicyType), *, deny: bool = False
    ) -> Iterator[Statement]:
        """The Allow statements that are wider than what is asked, or the Deny statements that meet it."""
        for layer in self.verdict.statements:
            policy = self._policy(layer.kind, layer.document, layer.level) if layer.kind in layers else None
            if policy is not None:
                hits = (one for one in layer.hits if one.deny is deny and (one.sure if deny else one.wider) & points)
                yield from (policy.document.statements[one.at] for one in hits)

    def places_named(self) -> tuple[tuple[object, ...], ...]:
        """What tells answers apart that name other places."""
        points = self.verdict.elsewhere
        if not points:
            return ()
        named = (*self._statements(points), *self._statements(points, deny=True))
        return tuple([(one.resources, one.not_resources, one.conditions) for one in named])

    def told(self, index: int) -> Told:
        """What is said of one permission."""
        need, points = self.setting.needs[index], self.setting.points[index]
        key = None
        if self.withheld and not self.verdict.explicit_deny & points:
            layers = [points & withheld for withheld in self.withheld]
            key = (index, *layers) if any(layers) else None
        found = self.setting.refused.get(key) if key else None
        if found is None:
            value, decision = self._need(need)
            found = Told(value, as_json(value), key is not None, decision)
            if key is not None:
                self.setting.refused[key] = found
        return found

    def _need(self, need: Need) -> tuple[dict[str, Any], Decision]:
        points = [self._point(index) for index in need.points]
        worst = worst_of(decision for decision, _, _ in points)
        deciding = [point for point in points if point[0] is worst]
        if need.auth is AuthMethod.LONG_TERM_KEY and self.keyless and not refused((worst,)):
            # Whatever the policies say: there is no such key.
            worst = Decision.IMPLICIT_DENY
            deciding = [(worst, [], no_key()["decided_by"])]
        told = {
            "action": need.action,
            "resource": need.resource,
            "auth": need.auth.value,
            "model": need.model,
            "region": need.region,
            "result": worst.value,
            "depends_on": sorted({name for _, depends, _ in deciding for name in depends}),
            "decided_by": distinct(item for _, _, decided in deciding for item in decided),
        }
        return told, worst

    def _point(self, index: int) -> tuple[Decision, list[str], list[dict[str, Any]]]:
        found = self.points.get(index)
        if found is None:
            found = self._judge(index)
            self.points[index] = found
        return found

    def _judge(self, index: int) -> tuple[Decision, list[str], list[dict[str, Any]]]:
        action = self.setting.sheet.questions[index].action
        decision = self.verdict.decision(index)
        if decision is Decision.UNKNOWN or not self.verdict.layers:
            why = self.setting.bound.explain(index, self.subject, self.policies)
            refs, layers = why.determining or why.undecided, why.withheld_by
            depends = list(why.depends_on)
        else:
            refs, layers = self.verdict.determining(index), self.verdict.withheld_by(index)
            depends = []
        decided = [self.statement(ref, action) for ref in refs]
        if decision is Decision.IMPLICIT_DENY:
            decided = [{"layer": kind.value, "action": action} for kind in layers]
        elif decision is Decision.ALLOWED and any(one.decision(index) is not Decision.ALLOWED for one in self.through):
            # A caller may or may not go through the endpoint, and that decides.
            return Decision.UNKNOWN, [PolicyType.VPC_ENDPOINT.value], [
                {"layer": PolicyType.VPC_ENDPOINT.value, "action": action, "policy": endpoint.arn or endpoint.name}
                for endpoint, one in zip(self.setting.account.endpoints, self.through, strict=True)
                if one.decision(index) is not Decision.ALLOWED
            ]  # fmt: skip
        return decision, depends, decided

    def statement(self, ref: StatementRef, action: str) -> dict[str, Any]:
        """A statement that decides, as the report has it."""
        told: dict[str, Any] = {"layer": ref.policy_type.value, "action": action}
        policy = self._policy(ref.policy_type, ref.document, ref.level)
        if policy is not None:
            told["policy"] = policy.arn or policy.name
            told |= {
                name: value
                for name, value in (
                    ("file", policy.place.path),
                    ("line", policy.place.line),
                    ("pointer", policy.place.pointer),
                    ("address", policy.place.address),
                )
                if value
            }
        told["statement"] = ref.statement
        told["sid"] = ref.sid
        if ref.level is not None:
            told["level"] = ref.level
        return told

    def _policy(self, kind: PolicyType, document: int, level: int | None) -> NamedPolicy | None:
        if kind is PolicyType.IDENTITY:
            return self.speaking[document]
        if kind is PolicyType.PERMISSIONS_BOUNDARY:
            return self.boundary
        account = self.setting.account
        levels = {PolicyType.SCP: account.scps, PolicyType.RCP: account.rcps}.get(kind)
        return levels[level or 0][document] if levels else None
