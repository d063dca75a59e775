"""Proof of documents that limit: beside an identity that may do everything they let through what was asked for, and no more.

For permissions boundaries, session policies and VPC endpoint policies.  Judged by ``iam.evaluation.evaluate`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mantle_iam.errors import UndeterminedError
from mantle_iam.generate.kinds.deny_proof import EVERYTHING
from mantle_iam.generate.witness import against, requests_for
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import Permission
from mantle_iam.mantle.scope import Scope

_SCOPE = Scope(account="111122223333", regions=("us-east-1",))
_FOREIGN_ACCOUNT = "999900001111"


def prove_layer(
    document: PolicyDocument,
    permissions: tuple[Permission, ...],
    layer: PolicyType,
    callers: tuple[Condition, ...] = (),
    *,
    reference: PolicyDocument,
    open_services: tuple[str, ...] = (),
) -> str:
    """Try ``document`` as ``layer`` beside an identity that is allowed everything; what was tried, in one sentence.

    ``reference``: the identity policy for ``permissions``; what it does not allow is not let through.
    ``callers``: conditions on the principal that every statement has.  ``open_services``: actions of services that the document
    leaves as they are.

    Raises:
        UndeterminedError: something was decided otherwise.
    """
    right = {condition.key: condition.values[0] for condition in callers}
    wanted = [
        replace(request, context={**request.context, **right}) for p in permissions for request in requests_for(p)
    ]
    for request in (*wanted, *_of(open_services, right)):
        if not _allowed(request, document, layer):
            raise _failed(f"does not let {request.action} on {request.resources[0]} through")
    refused = 0
    amiss = [one for one in (*_unasked(right), *_unfulfilled(permissions, right)) if not _grants(reference, one)]
    for request in (*_strangers(wanted, callers), *amiss):
        refused += 1
        if _allowed(request, document, layer):
            raise _failed(f"lets {request.action} on {request.resources[0]} through, which was not asked for")
    removals = 0
    for index, statement in enumerate(document.statements):
        if statement.effect is Effect.DENY or not wanted:
            continue  # what a narrowed policy denies is not there to let anything through
        removals += 1
        less = replace(document, statements=(*document.statements[:index], *document.statements[index + 1 :]))
        if all(_allowed(request, less, layer) for request in (*wanted, *_of(open_services, right))):
            raise _failed(f"does not need the statement {statement.sid or index}")
    return (
        f"proven beside full access with {len(wanted) + len(open_services)} requests let through, {refused} refused and "
        f"{removals} removals that refused one"
    )


def _failed(what: str) -> UndeterminedError:
    return UndeterminedError(
        f"the document could not be proven: it {what}", help="ask for permissions whose patterns do not overlap"
    )


def _allowed(request: AuthorizationRequest, document: PolicyDocument, layer: PolicyType) -> bool:
    own = (document,)
    policies = PolicySet(
        identity=(EVERYTHING,),
        permissions_boundary=own if layer is PolicyType.PERMISSIONS_BOUNDARY else None,
        session=own if layer is PolicyType.SESSION else None,
        vpc_endpoint=own if layer is PolicyType.VPC_ENDPOINT else None,
    )
    return evaluate(request, policies).decision is Decision.ALLOWED


def _strangers(wanted: list[AuthorizationRequest], callers: tuple[Condition, ...]) -> Iterator[AuthorizationRequest]:
    """The same requests by principals of another account or organization, and by some of none."""
    for request in wanted:
        for condition in callers:
            yield replace(request, context={**request.context, condition.key: _FOREIGN_ACCOUNT})
            yield replace(request, context={**request.context, condition.key: None})


def _unasked(right: dict[str, str]) -> Iterator[AuthorizationRequest]:
    """Every action of Mantle, and what its calls need of other services."""
    names = [info.name for info in catalog.actions()]
    for action in (
        *names,
        "aws-marketplace:Subscribe",
        "aws-marketplace:ViewSubscriptions",
        "bedrock-websearch:InvokeSearch",
    ):
        for arn in catalog.resource_arns(action, _SCOPE):
            yield _request(action, arn.replace("/*", "/x7q4"), right)


def _unfulfilled(permissions: tuple[Permission, ...], right: dict[str, str]) -> Iterator[AuthorizationRequest]:
    """Requests for what was asked for, in a context that does not fulfil a permission's conditions."""
    for permission in permissions:
        for request in requests_for(permission) if permission.conditions else ():
            bare = replace(request, context=dict(right))
            yield bare
            yield against(bare, (), permission.conditions)


def _grants(reference: PolicyDocument, request: AuthorizationRequest) -> bool:
    return evaluate(request, PolicySet(identity=(reference,))).decision is Decision.ALLOWED


def _of(actions: tuple[str, ...], right: dict[str, str]) -> Iterator[AuthorizationRequest]:
    for action in actions:
        yield _request(action, "*", right)


def _request(action: str, resource: str, context: dict[str, str]) -> AuthorizationRequest:
    principal = "arn:aws:iam::111122223333:role/example"
    return AuthorizationRequest(principal, action, (resource,), resource_account="111122223333", context=dict(context))
