"""Documents that grant: managed and inline policies, permission sets, and the user behind a long-term key.

What they allow comes proven from ``least_privilege``; here denials are put beside it, and it is made sure that nothing that was
asked for is denied by them.  Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetcustom.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.kinds.limits import (
    LIMITS,
    Limit,
    checked_age,
    checked_instance,
    checked_name,
    fitted,
    inline_limit,
    merged,
    size_of,
)
from mantle_iam.generate.kinds.wish import Made, Wish
from mantle_iam.generate.witness import requests_for
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_TYPE_KEY

DEFAULT_KEY_AGE_DAYS: Final = 90
"""Where none is said.  AWS's example of a limit: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html"""

_TOKEN_TYPES: Final = {AuthMethod.LONG_TERM_KEY: "LONG_TERM", AuthMethod.SHORT_TERM_KEY: "SHORT_TERM"}


def make_identity(wish: Wish) -> Made:
    """A customer managed policy; several where one would be too large.

    Raises:
        InputError: nothing is asked for, or a denial takes back what is granted.
        UndeterminedError: a denial could not be proven.
    """
    found = _with_denials(wish, LIMITS[Kind.IDENTITY])
    return Made(_with_holders(wish, found.documents), found.notes, found.proven, found.reasons)


def make_inline(wish: Wish) -> Made:
    """An inline policy of the roles, users and groups that are named.

    Raises:
        InputError: nothing is asked for, a denial takes back what is granted, or the narrowest of them cannot hold it.
        UndeterminedError: a denial could not be proven.
    """
    limit = inline_limit(wish)
    found = _with_denials(wish, limit)
    size = size_of(found.documents[0])
    more = [
        f"it has {size} of the {limit.characters} characters that all inline policies of {limit.what.rpartition(' of ')[2]} may "
        "have together"
    ]
    if not (wish.roles or wish.users or wish.groups):
        room = {
            kind: MAX_CHARACTERS[kind] for kind in (StoredAs.ROLE_INLINE, StoredAs.GROUP_INLINE, StoredAs.USER_INLINE)
        }
        holders = [kind.value.removesuffix("-inline") for kind, characters in room.items() if size <= characters]
        more = [f"with {size} characters it fits into the inline policies of a {', a '.join(holders)}"]
    return Made(_with_holders(wish, found.documents), (*found.notes, *more), found.proven, found.reasons)


def make_permission_set(wish: Wish) -> Made:
    """The inline policy of an Identity Center permission set.

    Raises:
        InputError: nothing is asked for, a denial takes back what is granted, or the name or instance is none.
        UndeterminedError: a denial could not be proven.
    """
    found = _with_denials(wish, LIMITS[Kind.PERMISSION_SET])
    artifact = replace(_artifact(wish, found.documents), instance=checked_instance(wish.instance))
    more = (
        "a permission set has one inline policy; what is to be the same in several can be a managed policy of that name in "
        "every account instead (--kind identity)",
        "accounts get a change when the permission set is provisioned to them again",
    )
    return Made(artifact, (*found.notes, *more), found.proven, found.reasons)


def make_long_term_key(wish: Wish) -> Made:
    """A user with this policy and a key that expires.

    Raises:
        InputError: nothing is asked for, a key may not be used with it, or the age is none.
        UndeterminedError: a denial could not be proven.
    """
    found = _with_denials(wish, LIMITS[Kind.LONG_TERM_KEY])
    call = AuthorizationRequest(
        "arn:aws:iam::111122223333:user/example", BEARER_ACTION, context={BEARER_TYPE_KEY: "LONG_TERM"}
    )
    if evaluate(call, PolicySet(identity=found.documents)).decision is not Decision.ALLOWED:
        raise InputError(
            f"the policy does not allow calls with a long-term key: they need {BEARER_ACTION}",
            help="--auth long-term-key",
        )
    days = checked_age(wish.max_key_age_days)
    more = [
        "a long-term key is a password that works from anywhere until it expires: short-term keys and roles are safer, and AWS "
        "recommends them for everything but trying things out",
        "the key's secret is shown once, when it is made; a user has at most two of them",
        "a long-term key works in every region",
    ]
    if days is None:
        more.append(f"the key expires after {DEFAULT_KEY_AGE_DAYS} days, since no other age is said (--max-key-age)")
    size = sum(size_of(document) for document in found.documents)
    room = MAX_CHARACTERS[StoredAs.USER_INLINE]
    if size > room:
        more.append(
            f"with {size} characters it does not fit into a user's inline policies ({room}): attach a managed one"
        )
    artifact = replace(
        _artifact(wish, found.documents), key_age_days=days or DEFAULT_KEY_AGE_DAYS, users=(), roles=(), groups=()
    )
    return Made(artifact, (*found.notes, *more), found.proven, found.reasons)


def _artifact(wish: Wish, documents: tuple[PolicyDocument, ...]) -> Artifact:
    return Artifact(
        documents,
        kind=wish.kind,
        name=checked_name(wish.kind, wish.name),
        description=wish.description,
        partition=wish.own_partition,
    )


def _with_holders(wish: Wish, documents: tuple[PolicyDocument, ...]) -> Artifact:
    return replace(_artifact(wish, documents), roles=wish.roles, users=wish.users, groups=wish.groups)


@dataclass(frozen=True, slots=True)
class _Filled:
    """The documents with the denials, what to say about those, and what was tried of them."""

    documents: tuple[PolicyDocument, ...]
    notes: tuple[str, ...] = ()
    proven: str = ""
    reasons: tuple[str, ...] = ()


def _with_denials(wish: Wish, limit: Limit) -> _Filled:
    if not wish.documents and not wish.denials:
        raise InputError(
            "nothing is asked for",
            help="name a purpose (--for chat), an action (--action bedrock-mantle:ListModels) or something to deny (--deny)",
        )
    if not wish.denials:
        together = merged(wish.documents)
        if size_of(together) > limit.characters and limit.parts:
            return _Filled(wish.documents)
        return _Filled(fitted(together, limit))
    # Imported here, since most policies deny nothing.
    from mantle_iam.generate.kinds.deny import denied

    found = denied(wish, limit, as_scp=False)
    own = PolicyDocument(found.statements)
    together = merged((*wish.documents, own))
    notes = list(found.notes)
    if not wish.documents:
        notes.append("it only denies: what is to be allowed has to come from another policy")
    if size_of(together) <= limit.characters or not limit.parts:
        documents = fitted(together, limit)
    else:
        documents = (*wish.documents, *fitted(own, limit))
    _still_granted(wish, documents)
    return _Filled(documents, tuple(notes), found.proven, found.reasons)


def _still_granted(wish: Wish, documents: tuple[PolicyDocument, ...]) -> None:
    """What was asked for is allowed in spite of the denials, with the kind of key that is used."""
    from mantle_iam.generate.kinds.key_denials import RUNTIME_BEARER_TYPE_KEY

    token = _TOKEN_TYPES.get(wish.auth) if wish.auth is not None else None
    kinds = {BEARER_TYPE_KEY: token, RUNTIME_BEARER_TYPE_KEY: token} if token else {}
    for permission in wish.permissions:
        for request in requests_for(permission):
            call = replace(request, context={**kinds, **request.context})
            if evaluate(call, PolicySet(identity=documents)).decision is not Decision.ALLOWED:
                raise InputError(
                    f"what is denied takes back what is asked for: {permission.action} on {permission.resource}",
                    help="ask for less, deny less, or authenticate in another way (--auth)",
                )
