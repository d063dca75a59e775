"""The policy of a VPC endpoint: what may be called through it, and by whom.

It grants nothing; the caller's own policies still have to.  Knows nothing of the endpoint itself.
Sources: https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/vpc-interface-endpoints.html.
"""

from __future__ import annotations

from dataclasses import replace

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.kinds.denial import PRINCIPAL
from mantle_iam.generate.kinds.layer_proof import prove_layer
from mantle_iam.generate.kinds.limits import (
    LIMITS,
    checked_account,
    checked_endpoint,
    checked_name,
    checked_organization,
    fitted,
    merged,
    white_space_notes,
)
from mantle_iam.generate.kinds.wish import Made, Wish
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Condition, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet, PolicyType
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_TYPE_KEY, SERVICE


def make_endpoint(wish: Wish) -> Made:
    """The endpoint policy that lets what ``wish.documents`` allow through, for the principals who are named.

    Raises:
        InputError: nothing of it goes through a Mantle endpoint, or an id is none.
        UndeterminedError: it could not be proven.
    """
    callers = _callers(wish)
    whole = merged(wish.documents)
    statements = tuple(_through(statement, callers) for statement in whole.statements if _ours(statement))
    if not statements:
        raise InputError(
            "none of the permissions is for a call through a Mantle endpoint",
            help="name a purpose (--for chat) or an action of bedrock-mantle",
        )
    document = PolicyDocument(statements)
    permissions = tuple(one for one in wish.permissions if _is_ours(one.action))
    proven = prove_layer(document, permissions, PolicyType.VPC_ENDPOINT, callers, reference=whole)
    fitted(document, LIMITS[Kind.VPC_ENDPOINT])
    artifact = Artifact(
        (document,),
        kind=Kind.VPC_ENDPOINT,
        name=checked_name(Kind.VPC_ENDPOINT, wish.name),
        description=wish.description,
        partition=wish.own_partition,
        endpoint=checked_endpoint(wish.endpoint),
    )
    return Made(artifact, tuple(_notes(wish, whole, document)), proven)


def _callers(wish: Wish) -> tuple[Condition, ...]:
    found: list[Condition] = []
    if wish.own_account:
        account = checked_account(wish.own_account, "aws:PrincipalAccount")
        found.append(Condition("StringEquals", "aws:PrincipalAccount", (account,)))
    if wish.organization:
        found.append(Condition("StringEquals", "aws:PrincipalOrgID", (checked_organization(wish.organization),)))
    return tuple(found)


def _is_ours(action: str) -> bool:
    """Whether the pattern ``action`` may mean an action of Mantle."""
    return action == "*" or glob(action.partition(":")[0].lower()).matches(SERVICE)


def _ours(statement: Statement) -> bool:
    return bool(statement.not_actions) or any(map(_is_ours, statement.actions))


def _through(statement: Statement, callers: tuple[Condition, ...]) -> Statement:
    conditions = sorted((*callers, *statement.conditions), key=lambda one: (one.operator, one.key))
    return replace(
        statement,
        actions=tuple(filter(_is_ours, statement.actions)),
        principals=Principals((("AWS", ("*",)),)),
        conditions=tuple(conditions),
    )


def _notes(wish: Wish, whole: PolicyDocument, document: PolicyDocument) -> list[str]:
    notes = ["it grants nothing: the caller's own policies have to allow the call as well"]
    others = sorted(
        {action for one in whole.statements for action in one.actions if not _is_ours(action)}, key=str.lower
    )
    if others:
        notes.append(
            f"{', '.join(others)} do not go through a Mantle endpoint and are left out (an inference, not seen)"
        )
    keys = (
        AuthorizationRequest(PRINCIPAL, BEARER_ACTION, context={BEARER_TYPE_KEY: token})
        for token in ("SHORT_TERM", "LONG_TERM")
    )
    if not any(evaluate(call, PolicySet(identity=(whole,))).decision is Decision.ALLOWED for call in keys):
        notes.append(
            f"calls with a key are refused through this endpoint, since {BEARER_ACTION} is not let through; by IAM's rules that "
            "also goes for AWS's example, which allows CreateInference alone (an inference, not seen)"
        )
    if not wish.own_account and not wish.organization:
        notes.append("principals of every account may use the endpoint: --account or --organization limits them")
    return notes + white_space_notes((document,), LIMITS[Kind.VPC_ENDPOINT])
