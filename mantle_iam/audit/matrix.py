"""Principals against capabilities: yes, no, or what it depends on, and the statement or layer that decides.

A pure function of one account.  Principals with the same policies share one answer (a ``Shape``); most roles of an account have
nothing to do with the service and share a single one.  Reads and writes the answers' JSON; knows no file and no process.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from mantle_iam.audit.blanks import BLANK_ACCOUNT, Blanks, blank, is_free, outline
from mantle_iam.audit.capabilities import Cell, Sheet, Wanted, in_account, make_sheet
from mantle_iam.audit.compiled import Board, Bound
from mantle_iam.audit.elsewhere import Seeker
from mantle_iam.audit.requirements import Must, Rule
from mantle_iam.audit.results import ELSEWHERE, LETTERS, AccountResult, Answer, Shape
from mantle_iam.audit.results import principal_json as principal_json
from mantle_iam.audit.tally import Known, RuleTally, Short, distinct, worst_of
from mantle_iam.audit.told import Asked, Setting, Told, as_json
from mantle_iam.audit.verdict import Subject, Verdict
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account, NamedPolicy, Principal
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import ContextValue, Decision, PolicySet, PolicyType

_OTHER_ACCOUNT: Final = "none"
"""A management account that is nobody's: says that this one is not, which is known."""
_NOT_OURS: Final = frozenset((PolicyType.RESOURCE, PolicyType.SESSION))
"""Layers of which an audit of users and roles knows that they do not take part: the service has no resource-based policies, and a
session policy belongs to a session."""

_MOST_BINDINGS: Final = 256
_MOST_TEXTS: Final = 4096
_UNDECIDED: Final = Verdict(0, 0, 0, 0)


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


_Texts = dict[tuple[Any, ...], "tuple[_Written, Blanks] | None"]
"""Answers with blanks, by what they follow from; ``None`` where one was given and no text was kept yet."""


@dataclass(slots=True)
class _Across:
    """What accounts have in common that the same documents bind from above."""

    bound_by: tuple[object, ...]
    """These, kept alive since their identity stands for them."""
    texts: _Texts = field(default_factory=dict)


@lru_cache(maxsize=8)
def across(plan: Plan, partition: str) -> dict[tuple[Any, ...], _Across]:
    """Of what ``plan`` asks in ``partition``, by those documents."""
    return {}


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
class _Written:
    """The answers for one principal: letters, JSON text, and what a rule needs of them."""

    answers: str
    body: str
    decisions: tuple[Decision, ...]
    told: tuple[dict[str, Any], ...]
    elsewhere: dict[int, tuple[str, ...]]
    """Of the cells of rules."""


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
        self.cells: dict[tuple[Any, ...], tuple[str, str]] = {}
        self.blanks: dict[tuple[Any, ...], tuple[_Written, Blanks]] = {}
        self.once: dict[tuple[Any, ...], bool] = {}
        """What was written for one principal so far, and whether that may be written with blanks."""
        self.shared = self._shared()
        self.chosen = tuple(glob(pattern) for pattern in plan.principals)
        self.shown = tuple(dict.fromkeys(need for index in sheet.parts[0] for need in sheet.cells[index].needs))
        self.needs = tuple([in_account(need, account.partition, account.id) for need in sheet.needs])
        points = tuple([sum(1 << point for point in set(need.points)) for need in sheet.needs])
        self.setting = Setting(account, sheet, self.bound, self.needs, points)
        blank_needs = tuple([in_account(need, account.partition, BLANK_ACCOUNT) for need in sheet.needs])
        self.any_account = Setting(account, sheet, self.bound, blank_needs, points)
        self.texts = self._texts()
        self.elsewhere: dict[tuple[Any, ...], dict[int, Short]] = {}

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

    def _elsewhere(self, tally: RuleTally, principal: Principal, known: Known) -> dict[int, Short]:
        """What must not be allowed and is, elsewhere than was asked, by index of the rule's cell."""
        if tally.rule.must is Must.ALLOW:
            return {}
        own = (*principal.identity, principal.boundary) if principal.boundary is not None else principal.identity
        # Also those that say nothing of the places that were asked about.
        own = tuple([one for one in own if any(map(self.board.names, one.document.statements))])
        key = (id(tally), known.index, *map(id, own), *self._particulars(principal, own))
        found = self.elsewhere.get(key)
        if found is None:
            policies = self._policies(principal, principal.identity)
            subject = self._subject(principal)
            asked = Asked(self.setting, subject, policies, _UNDECIDED, (), principal.boundary, principal.identity)
            routes = tuple(replace(policies, vpc_endpoint=(policy.document,)) for policy in self.shared.endpoints)
            seeker = Seeker(self.bound, self.sheet, self.needs, subject, policies, routes, asked.statement)
            found = dict(seeker.seek(tally.unsettled(known), known, tally.rule.wanted))
            self.elsewhere[key] = found
        return found

    def _particulars(self, principal: Principal, own: tuple[NamedPolicy, ...]) -> tuple[bool, bool, str | None]:
        """What tells principals with the same policies apart: a role, a service-linked one, and which, if a policy asks."""
        particular = self.shared.by_principal or any(self.bound.by_principal(one.document) for one in own)
        linked = "AWSServiceRoleFor" in principal.arn or ":role/aws-service-role/" in principal.arn
        return ":role/" in principal.arn, linked, principal.arn if particular else None

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
        particulars = self._particulars(principal, own)
        particular = particulars[-1] is not None
        key = (tuple(map(id, own)), boundary is None, unknown, *particulars)
        found = self.quick.get(key)
        if found is None:
            alike = None if particular else self._follows_from(principal, own, unknown, particulars[:2])
            found = self._as_elsewhere(own, alike, particulars[0])
            if found is None:
                found = self._asked(principal, speaking, self._policies(principal, speaking), particular, alike)
            if not particular:
                self.quick[key] = found
        return found

    def _texts(self) -> _Texts | None:
        account = self.account
        if account.endpoints or self.plan.rules or not self.bound.own_resources or self.bound.in_question:
            return None
        levels = (*(account.scps or ()), (), *(account.rcps or ()))
        # Where their statements apply may differ from account to account.
        above = [tuple([(id(one), self.bound.hits(one.document)) for one in level]) for level in levels]
        key = (account.scps is None, account.rcps is None, account.management, *above)
        known = across(self.plan, account.partition)
        if key not in known:
            if len(known) >= _MOST_BINDINGS:
                known.clear()
            known[key] = _Across((account.scps, account.rcps))
        return known[key].texts

    def _follows_from(
        self, principal: Principal, own: tuple[NamedPolicy, ...], *more: object
    ) -> tuple[Any, ...] | None:
        """What the answers follow from apart from names and places, in every account that the same documents bind."""
        alike = None if self.texts is None else outline(own)
        if alike is None or not self.bound.is_ordinary(principal.arn):
            return None
        return tuple([self.bound.hits(one.document) for one in own]), alike, principal.boundary is None, *more

    def _as_elsewhere(self, own: tuple[NamedPolicy, ...], alike: tuple[Any, ...] | None, role: bool) -> Known | None:
        """The answers of another principal, perhaps of another account, with the names of this one."""
        kept = self.texts.get(alike) if self.texts and alike else None
        if kept is None:
            return None
        written, blanks = kept
        self.shapes.append(Shape(written.answers, blanks.filled(own, self.account.id)))
        return Known(len(self.shapes) - 1, written.decisions, written.told, role, written.elsewhere)

    def _keep(self, alike: tuple[Any, ...], asked: Asked, own: tuple[NamedPolicy, ...], body: str) -> None:
        """Keep the answers for others, once it is seen that there are any."""
        verdict = asked.verdict
        if verdict.unknown or verdict.elsewhere or not verdict.layers or self.texts is None or not is_free(body):
            return
        if alike in self.texts:
            self.texts[alike] = self._with_blanks(replace(asked, setting=self.any_account), own)
        else:
            if len(self.texts) >= _MOST_TEXTS:
                self.texts.clear()
            self.texts[alike] = None

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
        self,
        principal: Principal,
        speaking: tuple[NamedPolicy, ...],
        policies: PolicySet,
        particular: bool,
        alike: tuple[Any, ...] | None,
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
            asked = Asked(self.setting, subject, policies, verdict, tuple(through), principal.boundary, speaking)
            found = self._shape(asked, role)
            self.known[key] = found
            if alike is not None:
                own = speaking if principal.boundary is None else (*speaking, principal.boundary)
                self._keep(alike, asked, own, self.shapes[found.index].body)
        return found

    def _shape(self, asked: Asked, role: bool) -> Known:
        """The answers, written anew or filled in where those of other principals differ by names and places alone."""
        own = asked.speaking if asked.boundary is None else (*asked.speaking, asked.boundary)
        key = self._alike(asked, own, role)
        found = self.blanks.get(key) if key else None
        if key and found is None and self.once.get(key):
            found = self.blanks[key] = self._with_blanks(asked, own)
        if found is None:
            written = self._written(asked)
            body = written.body
            if key:
                self.once[key] = is_free(body)
        else:
            written, blanks = found
            body = blanks.filled(own, self.account.id)
        self.shapes.append(Shape(written.answers, body))
        return Known(len(self.shapes) - 1, written.decisions, written.told, role, written.elsewhere)

    def _alike(self, asked: Asked, own: tuple[NamedPolicy, ...], role: bool) -> tuple[Any, ...] | None:
        """What principals have in common whose answers differ by names and places alone; ``None`` where that is not known."""
        verdict = asked.verdict
        # A rule is told by name what a policy lacks; what is unknown is explained from the very request.
        if not own or self.plan.rules or asked.through or verdict.unknown or not verdict.layers:
            return None
        alike = outline(own)
        return None if alike is None else (verdict, role, asked.boundary is None, alike, asked.places_named())

    def _with_blanks(self, asked: Asked, own: tuple[NamedPolicy, ...]) -> tuple[_Written, Blanks]:
        blanks = [blank(policy, number) for number, policy in enumerate(own)]
        boundary = blanks.pop() if asked.boundary is not None else None
        written = self._written(replace(asked, speaking=tuple(blanks), boundary=boundary))
        return written, Blanks(written.body)

    def _written(self, asked: Asked) -> _Written:
        needs = [asked.told(index) for index in range(len(self.needs))]
        told = tuple([need.value for need in needs])
        decisions = tuple([need.decision for need in needs])
        cells = [self._told_cell(index, asked, needs, decisions) for index in self.sheet.parts[0]]
        body = (
            f'"capabilities": [{", ".join([text for text, _ in cells])}], '
            f'"permissions": [{", ".join([needs[index].text for index in self.shown])}]'
        )
        ruled = {index for part in self.sheet.parts[1:] for index in part} if asked.verdict.elsewhere else ()
        elsewhere = {index: asked.elsewhere(self.sheet.cells[index], decisions) for index in ruled}
        return _Written("".join([letter for _, letter in cells]), body, decisions, told, elsewhere)

    def _told_cell(
        self, index: int, asked: Asked, needs: list[Told], decisions: tuple[Decision, ...]
    ) -> tuple[str, str]:
        """A cell as JSON text, and its letter."""
        cell = self.sheet.cells[index]
        own = [needs[need] for need in cell.needs]
        elsewhere = asked.elsewhere(cell, decisions) if asked.verdict.elsewhere else ()
        # What is refused is kept for the account's whole time, so its identity stands for it.
        key = (index, *map(id, own), *elsewhere) if all(need.kept for need in own) else None
        found = self.cells.get(key) if key else None
        if found is None:
            value = self._cell(cell, tuple([need.value for need in needs]), decisions)
            if elsewhere:
                value["elsewhere"] = elsewhere
            found = as_json(value), ELSEWHERE if elsewhere else LETTERS[Answer(value["answer"])]
            if key:
                self.cells[key] = found
        return found

    def _cell(self, cell: Cell, told: tuple[dict[str, Any], ...], decisions: tuple[Decision, ...]) -> dict[str, Any]:
        worst = worst_of(decisions[need] for need in cell.needs)
        answer = {Decision.ALLOWED: Answer.YES, Decision.UNKNOWN: Answer.DEPENDS}.get(worst, Answer.NO)
        deciding = [told[need] for need in cell.needs if decisions[need] is worst]
        depends = sorted({name for one in deciding for name in one["depends_on"]})
        decided = distinct(item for one in deciding for item in one["decided_by"])
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


def _documents(
    levels: tuple[tuple[NamedPolicy, ...], ...] | None,
) -> tuple[tuple[PolicyDocument, ...], ...] | None:
    return None if levels is None else tuple(tuple(policy.document for policy in level) for level in levels)
