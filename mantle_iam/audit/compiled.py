"""Many questions of many principals at once: each distinct document is judged once, and the layers are combined as bit masks.

One bit is one question (an action on a resource in a context).  A statement becomes two masks: where it applies, and where that
is unknown.  Most statements say the same for every principal and account; the others are judged again for each account, or for
each principal, by what they ask.  The outcome is that of ``evaluation.evaluate``, to which everything rare is handed over.
Knows no capability, no report and no file.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mantle_iam.audit.hits import Place, hit, kind_of
from mantle_iam.audit.statements import (
    ACCOUNT,
    ANY_ACCOUNT,
    PARTITION,
    Naming,
    Scale,
    account_named,
    asked_by,
    at_any_account,
    means_everybody,
    scale_of,
)
from mantle_iam.audit.verdict import Hit, LayerHits, Masks, Question, Subject, Verdict
from mantle_iam.iam.action import Action
from mantle_iam.iam.compiled import VARIABLES_SINCE, CompiledStatement
from mantle_iam.iam.context import RequestContext
from mantle_iam.iam.evaluation import account_of, evaluate
from mantle_iam.iam.inventory import UNRESOLVED_KEY
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument, Statement
from mantle_iam.iam.principals import Caller, CallerKind, read_caller
from mantle_iam.iam.request import (
    AuthorizationRequest,
    ContextValue,
    Decision,
    EvaluationResult,
    PolicySet,
    PolicyType,
)
from mantle_iam.iam.services import RCP_SERVICES
from mantle_iam.mantle.call_context import DERIVED

_MOST_STATEMENTS: Final = 16_384
_MOST_OBJECTS: Final = 2048
"""Documents that are kept alive only to be known again; an account has a few hundred."""
_MOST_PATTERNS: Final = 65_536
_ORDINARY: Final = (CallerKind.USER, CallerKind.ROLE, CallerKind.SESSION)
_NOBODY: Final = "arn:aws:iam::000000000000:role/x"
_UNRESOLVED: Final = UNRESOLVED_KEY.lower()
"""Of nobody known, whatever is asked: it stands for what was not known when a document was read."""
_MANAGEMENT_KEY: Final = "aws:principalorgmasteraccountid"


@dataclass(slots=True)
class _Judged:
    """A document: the statements whose masks are settled, and those that are judged for each account or principal."""

    settled: tuple[Hit, ...]
    naming: tuple[Naming, ...]
    by_account: tuple[tuple[CompiledStatement, int], ...]
    by_principal: tuple[tuple[CompiledStatement, int], ...]


_SILENT: Final = _Judged((), (), (), ())
"""Of every document that says nothing about any question."""


class _Context:
    """A request context in which keys that nobody told may be unknown."""

    __slots__ = ("_base", "_given", "_lacks", "_open")

    def __init__(self, base: RequestContext, given: frozenset[str], open_: bool, lacks: tuple[str, ...]) -> None:
        self._base = base
        self._given = given
        self._open = open_
        self._lacks = lacks

    def get(self, key: str, asked_as: str) -> str | tuple[str, ...] | frozenset[str] | None:
        """As ``conditions.Context``."""
        further = self._open and key not in self._given and key not in DERIVED
        if key == _UNRESOLVED or (further and not key.startswith(self._lacks)):
            return frozenset({asked_as})
        return self._base.get(key, asked_as)


class Board:
    """Questions, and every document that was ever judged by them.  One for each partition and set of questions."""

    def __init__(self, questions: Iterable[Question], partition: str = "aws") -> None:
        self.questions = tuple(questions)
        self.partition = partition
        self.full = (1 << len(self.questions)) - 1
        self._by_action: dict[str, int] = {}
        for index, question in enumerate(self.questions):
            name = str(Action.parse(question.action)).lower()
            self._by_action[name] = self._by_action.get(name, 0) | 1 << index
        self._services = {name.partition(":")[0] for name in self._by_action}
        self._patterns: dict[str, int] = {}
        self._silent: set[str] = set()
        """Those of ``_patterns`` that name no question."""
        self._by_id: dict[int, tuple[PolicyDocument, _Judged]] = {}
        self._by_statement: dict[tuple[Statement, int, bool], Hit | None] = {}
        self._anywhere = self.place(_NOBODY, ANY_ACCOUNT)
        self.restricted_by_rcp = any(service in RCP_SERVICES for service in self._services)
        self.asks_for_management = any(
            question.open or _MANAGEMENT_KEY in map(str.lower, (*dict(question.context), *question.unknown))
            for question in self.questions
        )

    def bind(self, account: str) -> Bound:
        """The questions as principals of ``account`` ask them."""
        return Bound(self, account)

    def resource(self, question: int, account: str) -> str:
        """The resource of a question in ``account``."""
        return self.questions[question].resource.replace(PARTITION, self.partition).replace(ACCOUNT, account)

    def place(self, principal: str, account: str, subject: Subject | None = None) -> Place:
        """The questions as ``principal`` asks them."""
        caller = read_caller(principal, subject.issuer if subject else None)
        extra = subject.context if subject else ()
        resources = tuple([self.resource(index, account) for index in range(len(self.questions))])
        contexts = [
            _context(question, extra, caller, resource)
            for question, resource in zip(self.questions, resources, strict=True)
        ]
        kinds = [kind_of(one.action, resource) for one, resource in zip(self.questions, resources, strict=True)]
        return Place(resources, tuple(contexts), tuple(kinds))

    def judged(self, document: PolicyDocument) -> _Judged:
        """The document's masks; the same object is judged once, and the same statement."""
        held = self._by_id.get(id(document))
        if held is not None and held[0] is document:
            return held[1]
        silent = self._silent
        for actions in document.action_patterns():
            if not actions or not silent.issuperset(actions):
                found = self._judge(document)
                break
        else:
            found = _SILENT
        if len(self._by_id) >= _MOST_OBJECTS:
            self._by_id.clear()
        # Under the identity of this very object, which is kept alive with it.
        self._by_id[id(document)] = document, found
        return found

    def names(self, statement: Statement) -> int:
        """The questions whose action the statement names."""
        known, found = self._patterns, 0
        for pattern in statement.actions or statement.not_actions:
            mask = known.get(pattern)
            found |= self._named(pattern) if mask is None else mask
        return found if statement.actions else self.full & ~found

    def _named(self, pattern: str) -> int:
        found = 0
        folded = pattern.lower()
        service = folded.partition(":")[0]
        if service in self._services or "*" in service or "?" in service:
            covers = glob(folded).matches
            for name, mask in self._by_action.items():
                if covers(name):
                    found |= mask
        if len(self._patterns) >= _MOST_PATTERNS:
            self._patterns.clear()
            self._silent.clear()
        self._patterns[pattern] = found
        if not found:
            self._silent.add(pattern)
        return found

    def _judge(self, document: PolicyDocument) -> _Judged:
        variables = document.version == VARIABLES_SINCE
        tiers: dict[Scale, list[tuple[CompiledStatement, int]]] = {scale: [] for scale in Scale}
        settled, naming = [], []
        for index, statement in enumerate(document.statements):
            mask = self.names(statement)
            if not mask:
                continue
            account = account_named(statement)
            scale = scale_of(statement, variables, account)
            if scale is not Scale.ANYWHERE:
                tiers[scale].append((CompiledStatement(statement, index, variables), mask))
            elif account:
                naming.append(Naming(account, statement, at_any_account(statement, account), index, mask))
            elif found := self.settled(statement, index, mask, variables):
                settled.append(found)
        judged = _Judged(tuple(settled), tuple(naming), tuple(tiers[Scale.ACCOUNT]), tuple(tiers[Scale.PRINCIPAL]))
        return _SILENT if judged == _SILENT else judged

    def settled(self, statement: Statement, index: int, mask: int, variables: bool) -> Hit | None:
        """Where it applies, whichever account; the same statement is judged once, whatever else its documents hold."""
        key = (statement, index, variables)
        if key not in self._by_statement:
            if len(self._by_statement) >= _MOST_STATEMENTS:
                self._by_statement.clear()
            self._by_statement[key] = hit(CompiledStatement(statement, index, variables), mask, self._anywhere)
        return self._by_statement[key]


def _context(
    question: Question, extra: tuple[tuple[str, ContextValue | None], ...], caller: Caller, resource: str
) -> _Context:
    given = dict((*question.context, *extra))
    owner = account_of(resource) or caller.account
    service = question.action.partition(":")[0].lower()
    return _Context(
        RequestContext(given, question.unknown, caller, service, owner),
        frozenset(key.lower() for key in (*given, *question.unknown)),
        question.open,
        question.lacks,
    )


@dataclass(slots=True)
class Bound:
    """The questions within one account."""

    board: Board
    account: str
    own_resources: bool = field(init=False)
    """Whether every question is about a resource of the account itself."""
    in_question: bool = field(init=False)
    """Whether a question names the account, so that it stands in a resource more than once."""
    _place: Place | None = None
    _documents: dict[int, tuple[PolicyDocument, tuple[Hit, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owners = (account_of(self.board.resource(index, self.account)) for index in range(len(self.board.questions)))
        self.in_question = any(self.account in question.resource for question in self.board.questions)
        self.own_resources = all(owner is None or owner == self.account for owner in owners)

    def says_something(self, document: PolicyDocument) -> bool:
        """Whether a statement of it names the action of any question."""
        return self.board.judged(document) is not _SILENT

    def by_principal(self, document: PolicyDocument) -> bool:
        """Whether what it says differs from principal to principal."""
        return bool(self.board.judged(document).by_principal)

    def is_ordinary(self, principal: str) -> bool:
        """Whether it is a user, role or session of this account.

        Raises:
            InputError: it is no principal.
        """
        return self._is_ours(read_caller(principal))

    def _is_ours(self, caller: Caller) -> bool:
        return caller.kind in _ORDINARY and caller.account == self.account

    def decide(self, subject: Subject, policies: PolicySet) -> Verdict:
        """Every question for one principal.

        Raises:
            InputError: ``subject.principal`` is no principal.
        """
        caller = read_caller(subject.principal, subject.issuer)
        if self._is_rare(caller, subject, policies):
            return self._evaluated(subject, policies)
        return _Decision(self, caller, subject, policies).run()

    def request(self, question: int, subject: Subject, policies: PolicySet) -> AuthorizationRequest:
        """The question as ``evaluate`` takes it."""
        asked = self.board.questions[question]
        context = dict((*asked.context, *subject.context))
        unknown = set(asked.unknown)
        documents = [document for _, documents in policies.layers() for document in documents]
        keys = {key.lower(): key for document in documents for key in asked_by(document)}
        if _UNRESOLVED in keys:
            unknown.add(UNRESOLVED_KEY)
        if asked.open:
            given = {key.lower() for key in context} | {key.lower() for key in unknown} | DERIVED
            further = {folded: key for folded, key in keys.items() if not folded.startswith(asked.lacks)}
            unknown |= {key for folded, key in further.items() if folded not in given}
        return AuthorizationRequest(
            subject.principal,
            asked.action,
            (self.board.resource(question, self.account),),
            context=context,
            unknown_context=frozenset(unknown),
            issuer=subject.issuer,
            management_account=subject.management_account,
        )

    def explain(self, question: int, subject: Subject, policies: PolicySet) -> EvaluationResult:
        """The decision on one question with everything that ``evaluate`` says of it."""
        return evaluate(self.request(question, subject, policies), policies)

    def hits(self, document: PolicyDocument) -> tuple[Hit, ...]:
        """The statements of a document as far as they do not depend on the principal."""
        judged = self.board.judged(document)
        if not (judged.by_account or judged.naming):
            return judged.settled
        found = self._documents.get(id(document))
        if found is None or found[0] is not document:
            variables = document.version == VARIABLES_SINCE
            more = [hit(statement, mask, self._own_place()) for statement, mask in judged.by_account]
            more += [self._named(one, variables) for one in judged.naming]
            found = (document, tuple(sorted((*judged.settled, *filter(None, more)), key=lambda one: one.at)))
            self._documents[id(document)] = found
        return found[1]

    def _named(self, one: Naming, variables: bool) -> Hit | None:
        if one.account != self.account:
            return self.board.settled(one.statement, one.index, one.mask, variables)
        if self.in_question:
            return hit(CompiledStatement(one.statement, one.index, variables), one.mask, self._own_place())
        return self.board.settled(one.general, one.index, one.mask, variables)

    def _own_place(self) -> Place:
        if self._place is None:
            self._place = self.board.place(f"arn:{self.board.partition}:iam::{self.account}:role/x", self.account)
        return self._place

    def _is_rare(self, caller: Caller, subject: Subject, policies: PolicySet) -> bool:
        """Whether ``evaluate`` decides: what the masks do not hold, and what hardly any audit meets."""
        unknown = policies.unknown
        return (
            not self._is_ours(caller)
            or not self.own_resources
            or policies.resource is not None
            or PolicyType.RESOURCE in unknown
            or (self.board.restricted_by_rcp and (policies.rcp is not None or PolicyType.RCP in unknown))
            or not all(map(means_everybody, policies.vpc_endpoint or ()))
            or (subject.management_account is None and self.board.asks_for_management)
        )

    def _evaluated(self, subject: Subject, policies: PolicySet) -> Verdict:
        found = dict.fromkeys(Decision, 0)
        for index in range(len(self.board.questions)):
            found[self.explain(index, subject, policies).decision] |= 1 << index
        return Verdict(
            found[Decision.ALLOWED],
            found[Decision.EXPLICIT_DENY],
            found[Decision.IMPLICIT_DENY],
            found[Decision.UNKNOWN],
        )


class _Decision:
    """One principal: every layer, then all together; reads as ``evaluation.SingleEvaluation`` does."""

    def __init__(self, bound: Bound, caller: Caller, subject: Subject, policies: PolicySet) -> None:
        self.bound = bound
        self.full = bound.board.full
        self.caller = caller
        self.subject = subject
        self.policies = policies
        self.place: Place | None = None
        self.statements: list[LayerHits] = []

    def run(self) -> Verdict:
        policies, full = self.policies, self.full
        identity = self._blurred(self._level(PolicyType.IDENTITY, policies.identity), PolicyType.IDENTITY)
        boundary = self._restricting(PolicyType.PERMISSIONS_BOUNDARY, policies.permissions_boundary)
        session = self._restricting(PolicyType.SESSION, policies.session)
        scp = self._service_control()
        endpoint = self._restricting(PolicyType.VPC_ENDPOINT, policies.vpc_endpoint)
        layers = (
            (PolicyType.IDENTITY, identity),
            (PolicyType.PERMISSIONS_BOUNDARY, boundary),
            (PolicyType.SESSION, session),
            (PolicyType.SCP, scp),
            (PolicyType.VPC_ENDPOINT, endpoint),
        )
        deny = maybe_deny = 0
        allow = possible = wider = full
        for _, masks in layers:
            wider &= masks.wider
            deny |= masks.deny
            maybe_deny |= masks.maybe_deny
            allow &= masks.allow
            possible &= masks.allow | masks.maybe_allow
        implicit = full & ~deny & ~possible
        allowed = allow & ~deny & ~maybe_deny
        unknown, elsewhere = full & ~(deny | implicit | allowed), (deny | implicit) & wider
        return Verdict(allowed, deny, implicit, unknown, layers, tuple(self.statements), elsewhere)

    def _service_control(self) -> Masks:
        management = self.subject.management_account
        if self.caller.service_linked or (management is not None and management == self.caller.account):
            return Masks(allow=self.full, wider=self.full)
        found = Masks(allow=self.full, wider=self.full)
        if self.policies.scp is not None:
            levels = [self._level(PolicyType.SCP, level, at) for at, level in enumerate(self.policies.scp)]
            deny = maybe = 0
            allow = possible = wider = self.full
            for one in levels:
                wider &= one.wider
                deny |= one.deny
                maybe |= one.maybe_deny
                allow &= one.allow
                possible &= one.allow | one.maybe_allow
            found = Masks(deny, maybe & ~deny, allow, possible & ~allow, wider)
        if PolicyType.SCP in self.policies.unknown:
            return Masks(found.deny, self.full & ~found.deny, 0, self.full, found.wider)
        return found

    def _restricting(self, kind: PolicyType, documents: tuple[PolicyDocument, ...] | None) -> Masks:
        if documents is None:
            unknown = kind in self.policies.unknown
            return Masks(0, self.full, 0, self.full, self.full) if unknown else Masks(allow=self.full, wider=self.full)
        return self._blurred(self._level(kind, documents), kind)

    def _blurred(self, masks: Masks, kind: PolicyType) -> Masks:
        if kind not in self.policies.unknown:
            return masks
        return Masks(masks.deny, self.full & ~masks.deny, masks.allow, self.full & ~masks.allow, masks.wider)

    def _level(self, kind: PolicyType, documents: tuple[PolicyDocument, ...], level: int | None = None) -> Masks:
        deny = maybe_deny = allow = maybe_allow = wider = pinned = 0
        for at, document in enumerate(documents):
            hits = self.bound.hits(document)
            by_principal = self.bound.board.judged(document).by_principal
            if by_principal:
                place = self._own_place()
                more = [one for statement, mask in by_principal if (one := hit(statement, mask, place))]
                hits = tuple(sorted((*hits, *more), key=lambda one: one.at))
            for one in hits:
                if one.deny:
                    deny |= one.sure
                    pinned |= one.sure & ~one.wider
                    maybe_deny |= one.maybe
                else:
                    wider |= one.wider
                    allow |= one.sure
                    maybe_allow |= one.maybe
            if hits:
                self.statements.append(LayerHits(kind, level, at, hits))
        return Masks(deny, maybe_deny & ~deny, allow, maybe_allow & ~allow, wider & ~pinned)

    def _own_place(self) -> Place:
        if self.place is None:
            self.place = self.bound.board.place(self.subject.principal, self.bound.account, self.subject)
        return self.place
