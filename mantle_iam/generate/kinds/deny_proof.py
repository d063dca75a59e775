"""Proof that statements deny what they should, nothing else, and need every part.  Judged by ``iam.evaluation.evaluate`` alone.

Everything is allowed beside them (as FullAWSAccess does beside an SCP), so that what is refused is refused by them.

- *Denied*: every request that must be denied is, in either case of its action, with the key absent, for the twin action.
- *Kept*: every request that must stay allowed does; so do all actions that the statements do not name, other services' too.
- *Exempt*: what is denied is not denied to an exempt principal.
- *Minimal*: without any one statement, action, condition or value one of these changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mantle_iam.generate.kinds.denial import PRINCIPAL, Built, Requests
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle import catalog
from mantle_iam.mantle.scope import Scope

EVERYTHING = PolicyDocument((Statement(Effect.ALLOW, actions=("*",), resources=("*",)),))
_SCOPE = Scope(account="111122223333", regions=("us-east-1",))
_OTHERS = (
    ("aws-marketplace:Subscribe", "*"),
    ("bedrock-websearch:InvokeSearch", "arn:aws:bedrock-websearch:us-east-1:111122223333:tool/x7q4"),
    ("bedrock:CallWithBearerToken", "*"),
    ("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/x7q4"),
    ("iam:CreateServiceSpecificCredential", "arn:aws:iam::111122223333:user/example"),
    ("iam:CreateUser", "arn:aws:iam::111122223333:user/example"),
    ("s3:GetObject", "arn:aws:s3:::example/x7q4"),
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/example"),
)


@dataclass(frozen=True, slots=True)
class DenyProof:
    """What was tried, and what did not hold, each in one phrase."""

    denied: int
    kept: int
    removals: int
    failures: tuple[str, ...] = ()


def prove_denial(built: Built, exempt: Requests, *, as_scp: bool) -> DenyProof:
    """Try the statements of ``built`` by themselves.

    ``exempt``: the requests of ``built.denied`` as exempt principals make them.  ``as_scp``: in an SCP, else in an identity
    policy.
    """
    kept = (*built.kept, *exempt, *_not_named(built.statements))
    whole = _beside_everything(built.statements, as_scp)
    failures = [f"does not deny {_text(one)}" for one in built.denied if not _is_denied(one, whole)]
    failures += [f"denies {_text(one)}" for one in kept if not _is_allowed(one, whole)]
    removals = 0
    for removal in _removals(built.statements):
        removals += 1
        less = _beside_everything(removal.rest, as_scp)
        if all(_is_allowed(one, less) for one in _likely_first(kept, removal)) and all(
            _is_denied(one, less) for one in _likely_first(built.denied, removal)
        ):
            failures.append(f"does not need {removal.what}")
    return DenyProof(len(built.denied), len(kept), removals, tuple(dict.fromkeys(failures)))


def all_denied(requests: Requests, statements: tuple[Statement, ...], *, as_scp: bool) -> bool:
    """Whether ``statements`` deny every one of ``requests``."""
    whole = _beside_everything(statements, as_scp)
    return all(_is_denied(request, whole) for request in requests)


def _beside_everything(statements: tuple[Statement, ...], as_scp: bool) -> PolicySet:
    document = PolicyDocument(statements)
    if as_scp:
        return PolicySet(identity=(EVERYTHING,), scp=((EVERYTHING, document),))
    return PolicySet(identity=(EVERYTHING, document))


def _is_denied(request: AuthorizationRequest, policies: PolicySet) -> bool:
    return evaluate(request, policies).decision is Decision.EXPLICIT_DENY


def _is_allowed(request: AuthorizationRequest, policies: PolicySet) -> bool:
    return evaluate(request, policies).decision is Decision.ALLOWED


def _not_named(statements: tuple[Statement, ...]) -> Iterator[AuthorizationRequest]:
    named = {action.lower() for statement in statements for action in statement.actions}
    calls = [(info.name, arn) for info in catalog.actions() for arn in catalog.resource_arns(info.name, _SCOPE)]
    for action, resource in (*calls, *_OTHERS):
        if action.lower() not in named:
            place = resource.replace("/*", "/x7q4")
            yield AuthorizationRequest(PRINCIPAL, action, (place,), resource_account="111122223333")


@dataclass(frozen=True, slots=True)
class _Removal:
    """What is gone, and the rest."""

    what: str
    rest: tuple[Statement, ...]
    action: str = ""
    """In lower case, where an action is gone: requests of other actions cannot change."""
    value: str = ""
    """Where a value is gone: requests with it in their context are the likeliest to change."""


def _likely_first(requests: Requests, removal: _Removal) -> Iterator[AuthorizationRequest]:
    """The requests that ``removal`` may change, so that the search for one that does is short."""
    if removal.action:
        yield from (one for one in requests if one.action.lower() == removal.action)
        return
    if removal.value:
        yield from (one for one in requests if removal.value in one.context.values())
    yield from requests


def _removals(statements: tuple[Statement, ...]) -> Iterator[_Removal]:
    for index, statement in enumerate(statements):
        before, after = statements[:index], statements[index + 1 :]
        name = f"statement {statement.sid}"
        yield _Removal(name, (*before, *after))
        for part in _smaller(statement):
            yield replace(part, what=f"{part.what} in {name}", rest=(*before, *part.rest, *after))


def _smaller(statement: Statement) -> Iterator[_Removal]:
    if len(statement.actions) > 1:
        for action in statement.actions:
            less = replace(statement, actions=tuple(a for a in statement.actions if a != action))
            yield _Removal(action, (less,), action=action.lower())
    if len(statement.not_resources) > 1:
        for arn in statement.not_resources:
            left = tuple(other for other in statement.not_resources if other != arn)
            yield _Removal(arn, (replace(statement, not_resources=left),))
    for position, condition in enumerate(statement.conditions):
        others = (*statement.conditions[:position], *statement.conditions[position + 1 :])
        yield _Removal(f"the condition on {condition.key}", (replace(statement, conditions=others),))
        for value in condition.values if len(condition.values) > 1 else ():
            fewer = Condition(condition.operator, condition.key, tuple(v for v in condition.values if v != value))
            less = replace(statement, conditions=(*others, fewer))
            yield _Removal(f"`{value}` for {condition.key}", (less,), value=value)


def _text(request: AuthorizationRequest) -> str:
    context = ", ".join(f"{key} = {value}" for key, value in request.context.items())
    return f"{request.action} on {request.resources[0]}{f' ({context})' if context else ''}"
