"""Principals against capabilities: yes, no, or what it depends on, and the statement or layer that decides.

A pure function of one account.  Principals with the same policies share one answer (a ``Shape``); most roles of an account have
nothing to do with the service and share a single one.  Reads and writes the answers' JSON; knows no file and no process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from mantle_iam.audit.blanks import Blanks, blank, is_free, outline
from mantle_iam.audit.capabilities import Cell, Need, Sheet, Wanted, in_account, make_sheet
from mantle_iam.audit.compiled import Board, Bound
from mantle_iam.audit.elsewhere import Seeker
from mantle_iam.audit.requirements import Rule
from mantle_iam.audit.results import LETTERS, AccountResult, Answer, Shape
from mantle_iam.audit.results import principal_json as principal_json
from mantle_iam.audit.tally import Known, RuleTally, Short, distinct, no_key, worst_of
from mantle_iam.audit.verdict import Subject, Verdict
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account, NamedPolicy, Principal
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import ContextValue, Decision, PolicySet, PolicyType, StatementRef
from mantle_iam.mantle.operations import AuthMethod

_OTHER_ACCOUNT: Final = "none"
"""A management account that is nobody's: says that this one is not, which is known."""
_NOT_OURS: Final = frozenset((PolicyType.RESOURCE, PolicyType.SESSION))
"""Layers of which an audit of users and roles knows that they do not take part: the service has no resource-based policies, and a
session policy belongs to a session."""

_UNDECIDED: Final = Verdict(0, 0, 0, 0)

_json: Final = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of every account; small, and the same for all of them."""

    matrix: Wanted = field(default_factory=Wanted)
    rules: tuple[Rule, ...] = ()
    context: tuple[tuple[str, ContextValue | None], ...] = ()
    principals: tuple[str, ...] = ()
    """Patterns of ARNs; empty for everybody."""


@lru_cache(maxsize=8)
def sheet_of(plan: Plan, partition: str) -> tuple[Sheet, Board]:
    """What ``plan`` asks in ``partition``: the matrix first, then every rule."""
    sheet = make_sheet((plan.matrix, *(rule.wanted for rule in plan.rules)), partition, plan.context)
    return sheet, Board(sheet.questions, partition)


def audit_account(plan: Plan, account: Account) -> AccountResult:
    """Everything that ``plan`` asks of the principals of one account.

    Raises:
        InputError: the plan asks for what there is not.
    """
    sheet, board = sheet_of(plan, account.partition)
    return _Audit(plan, sheet, board, account).run()


@dataclass(slots=True)
class _Shared:
    """What binds every principal of the account."""

    scp: tuple[tuple[PolicyDocument, ...], ...] | None
    rcp: tuple[tuple[PolicyDocument, ...], ...] | None
    endpoints: tuple[NamedPolicy, ...]
    by_principal: bool
    management: str


@dataclass(frozen=True, slots=True)
class _Told:
    """A permission as the report has it, and the same as JSON text."""

    value: dict[str, Any]
    text: str
    kept: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Written:
    """The answers for one principal: letters, JSON text, and what a rule needs of them."""

    answers: str
    body: str
    decisions: tuple[Decision, ...]
    told: tuple[dict[str, Any], ...]


class _Audit:
    def __init__(self, plan: Plan, sheet: Sheet, board: Board, account: Account) -> None:
        self.plan = plan
        self.sheet = sheet
        self.board = board
        self.account = account
        self.bound: Bound = board.bind(account.id)
        self.shapes: list[Shape] = []
        self.known: dict[tuple[Any, ...], Known] = {}
        self.quick: dict[tuple[Any, ...], Known] = {}
        self.refused: dict[tuple[Any, ...], _Told] = {}
        """Permissions that layers withhold, by need and layers: the same for most principals, and written once."""
        self.cells: dict[tuple[Any, ...], tuple[str, str]] = {}
        self.blanks: dict[tuple[Any, ...], tuple[_Written, Blanks]] = {}
        self.once: dict[tuple[Any, ...], bool] = {}
        """What was written for one principal so far, and whether that may be written with blanks."""
        self.shared = self._shared()
        self.chosen = tuple(glob(pattern) for pattern in plan.principals)
        self.shown = tuple(dict.fromkeys(need for index in sheet.parts[0] for need in sheet.cells[index].needs))
        self.points = [sum(1 << point for point in set(need.points)) for need in sheet.needs]
        self.needs = [in_account(need, account.partition, account.id) for need in sheet.needs]

    def run(self) -> AccountResult:
        rows: list[tuple[str, int]] = []
        problems: list[str] = []
        rules = [
            RuleTally(rule, self.sheet, part) for rule, part in zip(self.plan.rules, self.sheet.parts[1:], strict=True)
        ]
        columns = self.sheet.parts[0]
        if not columns:
            problems.append(
                f"account {self.account.id} is in {self.account.partition}, which has none of the regions asked for"
            )
        for principal in self.account.principals:
            arn = principal.arn
            wanted = bool(columns) and (not self.chosen or any(pattern.matches(arn) for pattern in self.chosen))
            ruling = [tally for tally in rules if tally.cells and tally.rule.means(arn)]
            if not wanted and not ruling:
                continue
            try:
                known = self._answers(principal)
            except InputError as error:
                problems.append(error.message)
                continue
            if wanted:
                rows.append((arn, known.index))
            for tally in ruling:
                tally.add(arn, known, self._elsewhere(tally, principal, known))
        return AccountResult(
            self.account.id,
            self.account.partition,
            tuple(self.shapes),
            tuple(rows),
            tuple(tally.result() for tally in rules),
            tuple(problems),
        )

    def _elsewhere(self, tally: RuleTally, principal: Principal, known: Known) -> Iterable[Short]:
        """What nobody may and this principal may elsewhere than was asked."""
        refused = tally.refused(known)
        if not refused:
            return ()
        own = [principal.boundary] if principal.boundary is not None else []
        documents = [policy.document for policy in (*principal.identity, *own)]
        documents += [document for level in self.shared.scp or () for document in level]
        policies = self._policies(principal, principal.identity)
        subject = self._subject(principal)
        asked = _Asked(self, subject, policies, _UNDECIDED, (), principal.boundary, principal.identity)
        seeker = Seeker(self.bound, self.sheet, self.account.partition, subject, policies, asked.statement)
        return seeker.seek(documents, refused, known, tally.rule.wanted)

    def _shared(self) -> _Shared:
        account = self.account
        scp, rcp = _documents(account.scps), _documents(account.rcps)
        documents = [document for level in scp or () for document in level]
        documents += [policy.document for policy in account.endpoints]
        return _Shared(
            scp,
            rcp if self.board.restricted_by_rcp else None,
            account.endpoints,
            any(self.bound.by_principal(document) for document in documents),
            account.id if account.management else _OTHER_ACCOUNT,
        )

    def _answers(self, principal: Principal) -> Known:
        """The answers for one principal; the same policies are asked once."""
        speaking = tuple([one for one in principal.identity if self.bound.says_something(one.document)])
        boundary = principal.boundary
        own = (*speaking, boundary) if boundary is not None else speaking
        unknown = self._unknown(principal)
        role = ":role/" in principal.arn
        linked = "AWSServiceRoleFor" in principal.arn or ":role/aws-service-role/" in principal.arn
        particular = self.shared.by_principal or any(self.bound.by_principal(one.document) for one in own)
        key = (tuple(map(id, own)), boundary is None, unknown, role, linked, principal.arn if particular else None)
        found = self.quick.get(key)
        if found is None:
            found = self._asked(principal, speaking, self._policies(principal, speaking), particular)
            if not particular:
                self.quick[key] = found
        return found

    def _unknown(self, principal: Principal) -> frozenset[PolicyType]:
        return (principal.unknown | self.account.unknown) - _NOT_OURS

    def _policies(self, principal: Principal, identity: tuple[NamedPolicy, ...]) -> PolicySet:
        return PolicySet(
            tuple(one.document for one in identity),
            None if principal.boundary is None else (principal.boundary.document,),
            scp=self.shared.scp,
            rcp=self.shared.rcp,
            unknown=self._unknown(principal),
        )

    def _subject(self, principal: Principal) -> Subject:
        tags = tuple((f"aws:PrincipalTag/{name}", value) for name, value in principal.tags)
        return Subject(principal.arn, context=tags, management_account=self.shared.management)

    def _asked(
        self, principal: Principal, speaking: tuple[NamedPolicy, ...], policies: PolicySet, particular: bool
    ) -> Known:
        subject = self._subject(principal)
        verdict = self.bound.decide(subject, policies)
        through = [
            self.bound.decide(subject, replace(policies, vpc_endpoint=(policy.document,)))
            for policy in self.shared.endpoints
        ]
        role = ":role/" in principal.arn
        # Whose statements they are counts too: equal documents may stand in two policies.
        owners = tuple(map(id, speaking)), id(principal.boundary)
        routes = tuple((one.allowed, one.unknown) for one in through)
        hangs = principal.arn if verdict.unknown and particular else None
        key = (verdict, owners, role, policies.unknown, routes, hangs)
        found = self.known.get(key)
        if found is None:
            asked = _Asked(self, subject, policies, verdict, tuple(through), principal.boundary, speaking)
            found = self._shape(asked, role)
            self.known[key] = found
        return found

    def _shape(self, asked: _Asked, role: bool) -> Known:
        """The answers, written anew or filled in where those of other principals differ by names and places alone."""
        own = asked.speaking if asked.boundary is None else (*asked.speaking, asked.boundary)
        key = self._alike(asked, own, role)
        found = self.blanks.get(key) if key else None
        if key and found is None and self.once.get(key):
            found = self.blanks[key] = self._with_blanks(asked, own, role)
        if found is None:
            written = self._written(asked, role)
            body = written.body
            if key:
                self.once[key] = is_free(body)
        else:
            written, blanks = found
            body = blanks.filled(own)
        self.shapes.append(Shape(written.answers, body))
        return Known(len(self.shapes) - 1, written.decisions, written.told, role)

    def _alike(self, asked: _Asked, own: tuple[NamedPolicy, ...], role: bool) -> tuple[Any, ...] | None:
        """What principals have in common whose answers differ by names and places alone; ``None`` where that is not known."""
        verdict = asked.verdict
        # A rule is told by name what a policy lacks; what is unknown is explained from the very request.
        if not own or self.plan.rules or asked.through or verdict.unknown or not verdict.layers:
            return None
        alike = outline(own)
        return None if alike is None else (verdict, role, asked.boundary is None, alike)

    def _with_blanks(self, asked: _Asked, own: tuple[NamedPolicy, ...], role: bool) -> tuple[_Written, Blanks]:
        blanks = [blank(policy, number) for number, policy in enumerate(own)]
        boundary = blanks.pop() if asked.boundary is not None else None
        written = self._written(replace(asked, speaking=tuple(blanks), boundary=boundary), role)
        return written, Blanks(written.body)

    def _written(self, asked: _Asked, role: bool) -> _Written:
        needs = [asked.told(index) for index in range(len(self.needs))]
        told = tuple([need.value for need in needs])
        decisions = tuple([need.decision for need in needs])
        cells = [self._told_cell(index, needs, decisions, role) for index in self.sheet.parts[0]]
        body = (
            f'"capabilities": [{", ".join([text for text, _ in cells])}], '
            f'"permissions": [{", ".join([needs[index].text for index in self.shown])}]'
        )
        return _Written("".join([letter for _, letter in cells]), body, decisions, told)

    def _told_cell(
        self, index: int, needs: list[_Told], decisions: tuple[Decision, ...], role: bool
    ) -> tuple[str, str]:
        """A cell as JSON text, and its letter."""
        cell = self.sheet.cells[index]
        asked = [needs[need] for need in cell.needs]
        # What is refused is kept for the account's whole time, so its identity stands for it.
        key = (index, role, *map(id, asked)) if all(need.kept for need in asked) else None
        found = self.cells.get(key) if key else None
        if found is None:
            value = self._cell(cell, tuple([need.value for need in needs]), decisions, role)
            found = _json(value), LETTERS[Answer(value["answer"])]
            if key:
                self.cells[key] = found
        return found

    def _cell(
        self, cell: Cell, told: tuple[dict[str, Any], ...], decisions: tuple[Decision, ...], role: bool
    ) -> dict[str, Any]:
        worst = worst_of(decisions[need] for need in cell.needs)
        answer = {Decision.ALLOWED: Answer.YES, Decision.UNKNOWN: Answer.DEPENDS}.get(worst, Answer.NO)
        deciding = [told[need] for need in cell.needs if decisions[need] is worst]
        depends = sorted({name for one in deciding for name in one["depends_on"]})
        decided = distinct(item for one in deciding for item in one["decided_by"])
        if role and cell.auth is AuthMethod.LONG_TERM_KEY and answer is not Answer.NO:
            answer, depends = Answer.NO, []
            decided = no_key()["decided_by"]
        return {
            "capability": cell.name,
            "auth": cell.auth.value,
            "project": cell.project,
            "model": cell.model,
            "region": cell.region,
            "answer": answer.value,
            "depends_on": depends,
            "decided_by": decided,
        }


@dataclass(slots=True)
class _Asked:
    """One principal's verdict, and whose the statements are."""

    audit: _Audit
    subject: Subject
    policies: PolicySet
    verdict: Verdict
    through: tuple[Verdict, ...]
    boundary: NamedPolicy | None
    speaking: tuple[NamedPolicy, ...]
    points: dict[int, tuple[Decision, list[str], list[dict[str, Any]]]] = field(init=False, default_factory=dict)
    withheld: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.withheld = self.verdict.withheld()

    def told(self, index: int) -> _Told:
        """What is said of one permission."""
        need, points = self.audit.needs[index], self.audit.points[index]
        key = None
        if self.withheld and not self.verdict.explicit_deny & points:
            layers = [points & withheld for withheld in self.withheld]
            key = (index, *layers) if any(layers) else None
        found = self.audit.refused.get(key) if key else None
        if found is None:
            value, decision = self._need(need)
            found = _Told(value, _json(value), key is not None, decision)
            if key is not None:
                self.audit.refused[key] = found
        return found

    def _need(self, need: Need) -> tuple[dict[str, Any], Decision]:
        points = [self._point(index) for index in need.points]
        worst = worst_of(decision for decision, _, _ in points)
        deciding = [point for point in points if point[0] is worst]
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
        action = self.audit.sheet.questions[index].action
        decision = self.verdict.decision(index)
        if decision is Decision.UNKNOWN or not self.verdict.layers:
            why = self.audit.bound.explain(index, self.subject, self.policies)
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
                for endpoint, one in zip(self.audit.shared.endpoints, self.through, strict=True)
                if one.decision(index) is not Decision.ALLOWED
            ]  # fmt: skip
        return decision, depends, decided

    def statement(self, ref: StatementRef, action: str) -> dict[str, Any]:
        """A statement that decides, as the report has it."""
        told: dict[str, Any] = {"layer": ref.policy_type.value, "action": action}
        policy = self._policy(ref)
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

    def _policy(self, ref: StatementRef) -> NamedPolicy | None:
        account = self.audit.account
        if ref.policy_type is PolicyType.IDENTITY:
            return self.speaking[ref.document]
        if ref.policy_type is PolicyType.PERMISSIONS_BOUNDARY:
            return self.boundary
        levels = {PolicyType.SCP: account.scps, PolicyType.RCP: account.rcps}.get(ref.policy_type)
        return levels[ref.level or 0][ref.document] if levels else None


def _documents(
    levels: tuple[tuple[NamedPolicy, ...], ...] | None,
) -> tuple[tuple[PolicyDocument, ...], ...] | None:
    return None if levels is None else tuple(tuple(policy.document for policy in level) for level in levels)
