"""Documents that limit and grant nothing by themselves: permissions boundaries, session policies, service control policies.

Each is the whole of what is let through, or of what is denied; what it withholds besides is said.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html.
"""

from __future__ import annotations

from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.kinds.denials import denial_names
from mantle_iam.generate.kinds.deny import denied
from mantle_iam.generate.kinds.layer_proof import prove_layer
from mantle_iam.generate.kinds.limits import (
    LIMITS,
    checked_name,
    checked_target,
    fitted,
    merged,
    white_space_notes,
)
from mantle_iam.generate.kinds.wish import Made, Wish
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import CALL_CONDITIONS, SERVICE

_OWN: Final = (f"{SERVICE}:*", "bedrock-websearch:*")
"""Of these services nothing is let through but what was asked for."""
_OWN_CALLS: Final = tuple(action for action in CALL_CONDITIONS if action.startswith("aws-marketplace:"))
_NO_ACTIONS: Final[tuple[str, ...]] = ()
_OTHERS: Final = (
    # One action of some other services, with which it is tried that they stay as they are.
    "s3:GetObject",
    "bedrock:InvokeModel",
    "ec2:DescribeInstances",
    "logs:PutLogEvents",
    "aws-marketplace:ListEntities",
)


def make_boundary(wish: Wish) -> Made:
    """A permissions boundary that lets through what ``wish.documents`` allow; the other services too, where that is wished.

    Raises:
        InputError: nothing is asked for, or one policy cannot hold it.
        UndeterminedError: it could not be proven.
    """
    reference = merged(_documents(wish))
    document, others = reference, _NO_ACTIONS
    if wish.keep_other_services:
        limited = {action for statement in reference.statements for action in statement.actions}
        kept_in = {*_OWN, *_OWN_CALLS, *(a for a in limited if not any(glob(own).matches(a.lower()) for own in _OWN))}
        except_these = tuple(sorted(kept_in, key=lambda action: (action.lower(), action)))
        rest = Statement(Effect.ALLOW, not_actions=except_these, resources=("*",), sid="OtherServices")
        document = merged((reference, PolicyDocument((rest,))))
        others = tuple(action for action in _OTHERS if action not in limited)
    proven = prove_layer(
        document, wish.permissions, PolicyType.PERMISSIONS_BOUNDARY, reference=reference, open_services=others
    )
    fitted(document, LIMITS[Kind.BOUNDARY])
    artifact = Artifact(
        (document,),
        kind=Kind.BOUNDARY,
        name=checked_name(Kind.BOUNDARY, wish.name),
        description=wish.description,
        partition=wish.own_partition,
        roles=wish.roles,
        users=wish.users,
    )
    return Made(artifact, tuple(_boundary_notes(wish, document)), proven)


def _boundary_notes(wish: Wish, document: PolicyDocument) -> list[str]:
    notes = ["it grants nothing: the role's or user's own policies have to allow the same"]
    if not wish.keep_other_services:
        notes.append(
            "it withholds every other service from whoever has it; --keep-other-services leaves those as they are"
        )
        return notes
    named = ", ".join(action for one in document.statements for action in one.not_actions)
    notes += [
        f"every service stays as it is but for {named}, of which only what was asked for is let through",
        "bedrock-runtime (bedrock:*) is another service and stays open",
        "whoever may change IAM can take the boundary off or make principals without it: deny "
        "iam:DeleteRolePermissionsBoundary, iam:DeleteUserPermissionsBoundary and the like where that matters",
    ]
    return notes


def make_session(wish: Wish) -> Made:
    """A session policy that lets through what ``wish.documents`` allow.

    Raises:
        InputError: nothing is asked for, or it is too large to be passed.
        UndeterminedError: it could not be proven.
    """
    document = merged(_documents(wish))
    proven = prove_layer(document, wish.permissions, PolicyType.SESSION, reference=document)
    limit = LIMITS[Kind.SESSION]
    fitted(document, limit)
    notes = [
        "it grants nothing: the role's own policies have to allow the same, and AWS stores it nowhere",
        "whoever assumes the role passes it (Policy of AssumeRole, AssumeRoleWithWebIdentity, AssumeRoleWithSAML or "
        "GetFederationToken); a profile in a configuration file cannot",
        "AWS also packs session policies and tags, with a limit of its own; PackedPolicySize of the answer says how near it is",
    ]
    if wish.auth is not AuthMethod.SIGV4:
        notes.append(
            "a short-term key made in the session is limited by it; a long-term key belongs to a user and is not"
        )
    notes += white_space_notes((document,), limit)
    artifact = Artifact(
        (document,),
        kind=Kind.SESSION,
        name=checked_name(Kind.SESSION, wish.name),
        description=wish.description,
        partition=wish.own_partition,
        roles=wish.roles,
    )
    return Made(artifact, tuple(notes), proven)


def make_scp(wish: Wish) -> Made:
    """A service control policy of the denials that are wished; FullAWSAccess beside it goes on allowing the rest.

    Raises:
        InputError: nothing is to be denied, or a denial lacks what it needs.
        UndeterminedError: a denial could not be proven.
    """
    if not wish.denials:
        raise InputError(
            "a service control policy grants nothing, and it is not said what it denies",
            help=f"--deny {', '.join(denial_names())}",
        )
    limit = LIMITS[Kind.SCP]
    found = denied(wish, limit, as_scp=True)
    documents = fitted(PolicyDocument(found.statements), limit)
    notes = [
        *found.notes,
        "it binds users, roles and root of member accounts, not the management account and not service-linked roles",
        "it allows nothing: FullAWSAccess, or what stands in for it, stays attached beside it",
    ]
    if wish.documents:
        notes.append("a service control policy grants nothing, so the permissions that were asked for are not in it")
    notes += white_space_notes(documents, limit)
    if len(documents) > 1:
        notes.append(
            f"it is {len(documents)} documents, all of which are needed: {limit.what} takes {limit.characters} characters "
            f"({limit.reported})"
        )
    artifact = Artifact(
        documents,
        kind=Kind.SCP,
        name=checked_name(Kind.SCP, wish.name),
        description=wish.description,
        partition=wish.own_partition,
        targets=tuple(map(checked_target, wish.targets)),
    )
    return Made(artifact, tuple(notes), found.proven, found.reasons)


def _documents(wish: Wish) -> tuple[PolicyDocument, ...]:
    if not wish.documents:
        raise InputError(
            "nothing is asked for", help="name a purpose (--for chat) or an action (--action bedrock-mantle:ListModels)"
        )
    return wish.documents
