"""Sizes and names: what AWS stores of each kind, what a name may be made of, and how documents are fitted into the size.

Decides nothing about what is allowed.  Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html,
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html, and the models of the services' APIs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, checked_policy_name
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import policy_json
from mantle_iam.iam.policy import PolicyDocument, Statement
from mantle_iam.iam.validation import MAX_CHARACTERS, StoredAs

MAX_KEY_AGE_DAYS: Final = 36_600
"""``CredentialAgeDays`` of ``CreateServiceSpecificCredential``: 1 to this."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What AWS stores as one document of a kind."""

    characters: int
    white_space: bool
    """Whether white space counts."""
    what: str
    """For messages, with an article."""
    parts: bool
    """Whether several documents may stand in for one that is too large."""
    reported: str = ""
    """What others report of it and AWS's pages, as read, do not say; for messages."""


_SCP_REPORTS: Final = (
    # https://sjramblings.io/aws-organizations-scp-quotas-doubled-what-now/ and two more; AWS's page, as read, says 5,120.
    "others than AWS report 10240 since May 2026; what is written here fits without that"
)

LIMITS: Final[dict[Kind, Limit]] = {
    Kind.IDENTITY: Limit(MAX_CHARACTERS[StoredAs.MANAGED], False, "a managed policy", True),
    # The narrowest of user, group and role counts; see `inline_limit`.
    Kind.INLINE: Limit(MAX_CHARACTERS[StoredAs.ROLE_INLINE], False, "an inline policy of a role", False),
    Kind.BOUNDARY: Limit(MAX_CHARACTERS[StoredAs.MANAGED], False, "a permissions boundary", False),
    Kind.SCP: Limit(MAX_CHARACTERS[StoredAs.SCP], True, "a service control policy", True, _SCP_REPORTS),
    Kind.VPC_ENDPOINT: Limit(20_480, True, "a VPC endpoint policy", False),
    Kind.SESSION: Limit(MAX_CHARACTERS[StoredAs.SESSION], True, "a session policy", False),
    # 32,768 with white space; the role that it becomes in an account takes as much as any role's inline policies.
    Kind.PERMISSION_SET: Limit(10_240, False, "the inline policy of a permission set", False),
    Kind.TRUST: Limit(2_048, False, "a trust policy", False),
    Kind.LONG_TERM_KEY: Limit(MAX_CHARACTERS[StoredAs.MANAGED], False, "a managed policy", True),
}

NAME_LIMITS: Final[dict[Kind, tuple[int, str]]] = {
    Kind.IDENTITY: (128, "a policy's name"),
    Kind.INLINE: (128, "a policy's name"),
    Kind.BOUNDARY: (128, "a policy's name"),
    Kind.SCP: (128, "a policy's name"),
    Kind.VPC_ENDPOINT: (128, "a policy's name"),
    Kind.SESSION: (128, "a policy's name"),
    Kind.PERMISSION_SET: (32, "a permission set's name"),
    Kind.TRUST: (64, "a role's name"),
    Kind.LONG_TERM_KEY: (64, "a user's name"),
}


def inline_limit(held: Artifact | Wish) -> Limit:
    """The narrowest of those that get it."""
    given = [
        (MAX_CHARACTERS[stored], what)
        for stored, what, names in (
            (StoredAs.USER_INLINE, "an inline policy of a user", held.users),
            (StoredAs.GROUP_INLINE, "an inline policy of a group", held.groups),
            (StoredAs.ROLE_INLINE, "an inline policy of a role", held.roles),
        )
        if names
    ]
    if not given:
        return LIMITS[Kind.INLINE]
    characters, what = min(given)
    return replace(LIMITS[Kind.INLINE], characters=characters, what=what)


def checked_name(kind: Kind, name: str) -> str:
    """``name``, when AWS takes it for what ``kind`` makes.

    Raises:
        InputError: it is empty, too long or has other characters.
    """
    longest, what = NAME_LIMITS[kind]
    if len(name) > longest:
        raise InputError(f"`{name}` has {len(name)} characters, and {what} {longest}", help="give a shorter --name")
    return checked_policy_name(name)


def checked_entity(what: str, name: str) -> str:
    """The name of a role, user or group, without its path.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

    Raises:
        InputError: it is none, or an ARN.
    """
    longest = 128 if what == "group" else 64
    if not name or len(name) > longest or not all(c.isascii() and (c.isalnum() or c in "+=,.@_-") for c in name):
        raise InputError(
            f"`{name[:140]}` is not the name of a {what}",
            help=f"the name alone, without path or ARN: up to {longest} letters, digits and any of + = , . @ _ -",
        )
    return name


def size_of(document: PolicyDocument) -> int:
    """Characters of ``document`` without white space, as the format ``json-min`` writes it."""
    return len(policy_json(document, None))


def white_space_notes(documents: tuple[PolicyDocument, ...], limit: Limit) -> list[str]:
    """What to do where white space counts and the format ``json`` would write too much of it."""
    indented = max(len(policy_json(document, 2)) for document in documents)
    if not limit.white_space or indented <= limit.characters:
        return []
    return [
        f"white space counts: indented it has {indented} characters, of which {limit.what} takes {limit.characters}, so store it "
        "without (--format json-min)"
    ]


def merged(documents: tuple[PolicyDocument, ...]) -> PolicyDocument:
    """One document with all statements; a Sid that occurs again is numbered, since a document has each once."""
    seen: set[str] = set()
    statements: list[Statement] = []
    for statement in (statement for document in documents for statement in document.statements):
        sid, number = statement.sid, 2
        while sid is not None and sid in seen:
            sid, number = f"{statement.sid}{number}", number + 1
        if sid is not None:
            seen.add(sid)
        statements.append(statement if sid == statement.sid else replace(statement, sid=sid))
    return PolicyDocument(tuple(statements))


def fitted(document: PolicyDocument, limit: Limit) -> tuple[PolicyDocument, ...]:
    """``document``, in several by whole statements where it is too large and the kind takes several.

    Statements never depend on each other, so documents that act together say what one would.

    Raises:
        InputError: one statement alone is too large, or the kind takes one document.
    """
    size = size_of(document)
    if size <= limit.characters:
        return (document,)
    if not limit.parts:
        raise InputError(
            f"the document has {size} characters, and {limit.what} {limit.characters}",
            help="ask for fewer purposes, projects or models, or name none and let every one be meant",
        )
    parts: list[list[Statement]] = [[]]
    for statement in document.statements:
        if size_of(PolicyDocument((*parts[-1], statement))) > limit.characters and parts[-1]:
            parts.append([])
        parts[-1].append(statement)
        alone = size_of(PolicyDocument((statement,)))
        if alone > limit.characters:
            raise InputError(
                f"the statement `{statement.sid}` has {alone} characters by itself, and {limit.what} {limit.characters}",
                help="; ".join(filter(None, ("name fewer projects, models or principals", limit.reported))),
            )
    return tuple(replace(document, statements=tuple(part)) for part in parts)


def checked_account(text: str | None, what: str) -> str:
    """An account id of twelve digits.

    Raises:
        InputError: there is none, or it is none; ``what`` says for what it is needed.
    """
    if text is None or text == "":
        raise InputError(f"{what} needs the account", help="--account takes its twelve digits")
    if len(text) != 12 or not (text.isascii() and text.isdigit()):
        raise InputError(f"`{text}` is not an AWS account id", help="an account id has twelve digits")
    return text


def checked_target(text: str) -> str:
    """The id of a root, organizational unit or account, which an SCP is attached to.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html

    Raises:
        InputError: it is none.
    """
    head, _, tail = text.partition("-")
    root, _, unit = tail.partition("-")
    if (
        (len(text) == 12 and text.isascii() and text.isdigit())
        or (head == "r" and _is_id(tail, 4, 32))
        or (head == "ou" and _is_id(root, 4, 32) and _is_id(unit, 8, 32))
    ):
        return text
    raise InputError(
        f"`{text}` is not a root, organizational unit or account",
        help="a root's id reads r-…, a unit's ou-…-…, an account's has twelve digits",
    )


def checked_organization(text: str) -> str:
    """The id of an organization.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html

    Raises:
        InputError: it is none.
    """
    head, _, tail = text.partition("-")
    if head != "o" or not _is_id(tail, 10, 32):
        raise InputError(
            f"`{text}` is not the id of an organization", help="it reads o- and 10 to 32 letters and digits"
        )
    return text


def checked_endpoint(text: str) -> str:
    """The id of a VPC endpoint; empty stays empty.

    Raises:
        InputError: it is none.
    """
    head, _, tail = text.partition("-")
    if text and (head != "vpce" or not _is_id(tail, 8, 17) or not all(c in "0123456789abcdef" for c in tail)):
        raise InputError(f"`{text}` is not the id of a VPC endpoint", help="it reads vpce-0123456789abcdef0")
    return text


def checked_instance(text: str) -> str:
    """The ARN of an Identity Center instance; empty stays empty.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_InstanceMetadata.html

    Raises:
        InputError: it is none.
    """
    if not text:
        return text
    arn = Arn.try_parse(text)
    name = arn.resource.removeprefix("instance/") if arn else ""
    tail = name.removeprefix("sso").removeprefix("ins-")
    if (
        arn is None
        or not (arn.partition == "aws" or arn.partition.startswith("aws-"))
        or (arn.service, arn.region, arn.account) != ("sso", "", "")
        or name not in (f"ins-{tail}", f"ssoins-{tail}")
        or len(tail) != 16
        or not all(c.isascii() and (c.isalnum() or c in "-.") for c in tail)
    ):
        raise InputError(
            f"`{text}` is not the ARN of an Identity Center instance",
            help="it reads arn:aws:sso:::instance/ssoins-0123456789abcdef",
        )
    return text


def checked_age(days: int | None) -> int | None:
    """Days until a key expires; ``None`` stays ``None``.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html

    Raises:
        InputError: it is not between 1 and 36,600.
    """
    if days is not None and not 1 <= days <= MAX_KEY_AGE_DAYS:
        raise InputError(f"a key cannot expire in {days} days", help=f"from 1 to {MAX_KEY_AGE_DAYS} days")
    return days


def _is_id(text: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and all(c in "0123456789abcdefghijklmnopqrstuvwxyz" for c in text)
