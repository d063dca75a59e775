"""Is a guess a witness?  ``evaluate`` answers, and the request has to be one that can be made.

Keys that were left open get plain values that fit the others; a request whose keys contradict each other is refused.  Knows
requests, no regions and no search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mantle_iam.errors import InputError
from mantle_iam.iam.compare_atoms import Value
from mantle_iam.iam.compare_boxes import Someone, means, read_someone
from mantle_iam.iam.compare_facts import (
    ACCOUNT,
    ALWAYS_PRESENT,
    OF_EVERY_REQUEST,
    PRINCIPAL_ACCOUNT,
    PRINCIPAL_ARN,
    RESOURCE_ACCOUNT,
    USERNAME,
    account_in,
    contradictory,
    words_for,
)
from mantle_iam.iam.compare_values import ORDINARY
from mantle_iam.iam.evaluation import account_of, evaluate
from mantle_iam.iam.language import STAR, filled, is_literal
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, ContextValue, Decision, EvaluationResult, PolicySet, PolicyType

PRINCIPAL = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ORDINARY}/session"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ORDINARY}"
_ELSEWHERE = "999999999999"
_EVERYTHING = (PolicyDocument((Statement(Effect.ALLOW, ("*",), resources=("*",)),)),)
_USUALLY_PRESENT = ALWAYS_PRESENT | {"aws:requestedregion"}

Documents = tuple[PolicyDocument, ...]
Sides = tuple[PolicySet, PolicySet]


@dataclass(frozen=True, slots=True)
class Request:
    """A request of which ``evaluate`` says that the one side allows it and the other does not."""

    action: str
    resource: str
    context: Mapping[str, ContextValue]
    absent: tuple[str, ...]
    principal: str
    issuer: str | None
    by_new: EvaluationResult
    by_old: EvaluationResult


class Judge:
    """Tries requests on the two sides of a comparison."""

    __slots__ = ("_documents", "_odd", "_of_strangers", "_on_resource", "_sides", "_spelling", "contradicted")

    def __init__(self, new: Documents, old: Documents, spelling: Mapping[str, str], *, on_resource: bool) -> None:
        self._documents = (new, old)
        self._on_resource = on_resource
        self._spelling = spelling
        """Context keys of the documents: lower case to usual spelling."""
        self._odd: str | None = None
        self.contradicted: str | None = None
        """The key by which a request that ``evaluate`` would have taken could not be made."""
        self._of_strangers: dict[Someone, Sides] = {}
        one, other = (
            PolicySet(identity=_EVERYTHING, resource=side) if on_resource else PolicySet(identity=side)
            for side in self._documents
        )
        self._sides: Sides = (one, other)

    def confirmed(
        self, action: str, resource: str, context: Mapping[str, Value], someone: Someone | None
    ) -> Request | None:
        """The request, if it can be made and ``evaluate`` agrees; else with a value that fits the others in place of one."""
        found = self._confirmed(action, resource, context, someone)
        if found is None and self._odd is not None:
            self.contradicted = self._spelling.get(self._odd, self._odd)
            for key in (PRINCIPAL_ARN, self._odd):
                others = {name: value for name, value in context.items() if name != key}
                found = found or self._confirmed(action, resource, others, someone)
        return found

    def _confirmed(
        self, action: str, resource: str, context: Mapping[str, Value], someone: Someone | None
    ) -> Request | None:
        self._odd = None
        someone = self._matching(someone, context)
        given: dict[str, ContextValue | None] = {}
        for key, spelled in self._spelling.items():
            value = context.get(key)
            given[spelled] = self._plain(key, context, resource, someone) if value is None else value
        judged = self._judged(action, resource, given, someone)
        if judged is None:
            return None
        present = {key: value for key, value in given.items() if value is not None}
        folded = {key.lower(): value for key, value in present.items()}
        self._odd = contradictory(folded, account_of(resource)) or _unlike(folded, someone)
        if self._odd is not None:
            return None
        absent = tuple(key for key, value in given.items() if value is None and key.lower() in _USUALLY_PRESENT)
        principal, issuer = ("", None) if someone is None else (someone.text, someone.issuer)
        return Request(action, resource, present, absent, principal, issuer, *judged)

    def _plain(
        self, key: str, context: Mapping[str, Value], resource: str, someone: Someone | None
    ) -> ContextValue | None:
        """What a key holds that is in every request and that nothing was asked of."""
        if key in OF_EVERY_REQUEST:
            return words_for(key)[0]
        if key == RESOURCE_ACCOUNT and not self._on_resource:
            return account_of(resource) or ACCOUNT
        if someone is not None:
            return _of_caller(key, someone)
        if key == PRINCIPAL_ACCOUNT:
            return account_in(context.get(PRINCIPAL_ARN)) or ACCOUNT
        if key == PRINCIPAL_ARN:
            account, user = context.get(PRINCIPAL_ACCOUNT), context.get(USERNAME)
            arn = f"arn:aws:iam::{ACCOUNT}:user/{user}" if isinstance(user, str) else ROLE
            return arn.replace(ACCOUNT, account) if isinstance(account, str) else arn
        if key == "aws:principalisawsservice":
            return "false"
        return words_for(key)[0] if key in ALWAYS_PRESENT else None

    def _matching(self, someone: Someone | None, context: Mapping[str, Value]) -> Someone | None:
        """``someone``, or in his place whom the context says that he is."""
        if someone is None or someone.caller is None:
            return someone
        arn, account = context.get(PRINCIPAL_ARN), context.get(PRINCIPAL_ACCOUNT)
        other = None
        if isinstance(arn, str) and arn != someone.caller.principal_arn and account_in(arn) is not None:
            other = read_someone(arn, None)
        elif isinstance(account, str) and arn is None and account != someone.caller.account:
            other = read_someone(ROLE.replace(ACCOUNT, account), None)
        if other is None or not self._meant_alike(someone, other):
            return someone
        return other

    def _meant_alike(self, one: Someone, other: Someone) -> bool:
        return all(
            means(statement, one) == means(statement, other)
            for side in self._documents
            for document in side
            for statement in document.statements
        )

    def _judged(
        self, action: str, resource: str, given: Mapping[str, ContextValue | None], someone: Someone | None
    ) -> tuple[EvaluationResult, EvaluationResult] | None:
        stranger = someone is not None and someone.caller is None
        new, old = self._for(someone) if someone is not None and stranger else self._sides
        known = someone is not None and not stranger
        request = AuthorizationRequest(
            someone.text if someone is not None and known else PRINCIPAL,
            action,
            (resource,),
            _ELSEWHERE if known else ACCOUNT,
            given,
            issuer=someone.issuer if someone is not None and known else ROLE,
        )
        try:
            by_new = evaluate(request, new)
            if by_new.decision is not Decision.ALLOWED:
                return None
            by_old = evaluate(request, old)
        except InputError:
            return None
        if by_old.decision not in (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY):
            return None
        return (_on_resource(by_new), _on_resource(by_old)) if self._on_resource else (by_new, by_old)

    def _for(self, someone: Someone) -> Sides:
        """For a principal that ``evaluate`` does not know (of an identity provider): what the statements that mean it say."""
        found = self._of_strangers.get(someone)
        if found is None:
            one, other = (
                PolicySet(identity=tuple(_said_to(someone, document) for document in side)) for side in self._documents
            )
            found = self._of_strangers[someone] = (one, other)
        return found


def _said_to(someone: Someone, document: PolicyDocument) -> PolicyDocument:
    """A document as an identity policy of ``someone``, its statements in their places."""
    said = []
    for statement in document.statements:
        nobody = replace(statement, principals=None, not_principals=None, resources=(), not_resources=())
        if not means(statement, someone):
            said.append(nobody)
        elif statement.resources or statement.not_resources:
            said.append(replace(statement, principals=None, not_principals=None))
        else:
            said.append(replace(nobody, resources=("*",)))
    return replace(document, statements=tuple(said))


def _on_resource(result: EvaluationResult) -> EvaluationResult:
    """The statements of the documents alone, which are policies on the resource, however they were asked."""
    refs = result.determining
    theirs = [ref for ref in refs if ref.policy_type is PolicyType.RESOURCE] or refs
    return replace(result, determining=tuple(replace(ref, policy_type=PolicyType.RESOURCE) for ref in theirs))


def _of_caller(key: str, someone: Someone) -> str | None:
    """``aws:PrincipalArn`` and ``aws:PrincipalAccount`` of a principal, where they are known."""
    if someone.caller is None or someone.caller.account is None:
        return None
    return {PRINCIPAL_ARN: someone.caller.principal_arn, PRINCIPAL_ACCOUNT: someone.caller.account}.get(key)


def _unlike(context: Mapping[str, object], someone: Someone | None) -> str | None:
    """The key that says something else than the principal does."""
    if someone is None or someone.caller is None:
        return None
    for key in (PRINCIPAL_ARN, PRINCIPAL_ACCOUNT):
        value = _of_caller(key, someone)
        if key in context and context[key] != value:
            return key
    return None


_SEGMENTS = ("arn", "aws", "", "us-east-1", ACCOUNT, ORDINARY)


def readable(code: str, service: str, fresh: str, account: object = None) -> str:
    """A resource that reads like one; ``account``: whose it is to be."""
    owner = account if isinstance(account, str) and ":" not in account and account else ACCOUNT
    usual = (*_SEGMENTS[:4], owner, ORDINARY)
    if code == STAR:
        return f"arn:aws:{service}:us-east-1:{owner}:{ORDINARY}"
    segments = code.split(":", 5)
    if len(segments) < 6 or segments[0] != "arn":
        if code.startswith("arn:") and code.endswith(STAR):
            words = [word or service for word in usual[len(segments) - 1 :]]
            segments = [*segments[:-1], segments[-1].removesuffix(STAR) + words[0], *words[1:]]
            return filled(":".join(segments), ORDINARY, fresh)
        return filled(code, ORDINARY, fresh)
    return ":".join(filled(part, word or service, fresh) for part, word in zip(segments, usual, strict=True))


def owner_of(code: str) -> str | None:
    """The account of every resource of a pattern, where its first five segments are spelled out."""
    *head, rest = code.split(":", 5)
    return account_of(code) if len(head) == 5 and rest and is_literal("".join(head)) else None
