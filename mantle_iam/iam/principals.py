"""Who asks, and whether a ``Principal`` element means them.

Knows principals of every kind and the element's grammar; knows no layer.  Identifiers in the element are compared exactly:
no wildcard but a lone ``*``.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache

from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.policy import Principals


class CallerKind(StrEnum):
    """The kinds of principal, in the words of ``aws:PrincipalType`` where it has one."""

    ROOT = "Account"
    USER = "User"
    ROLE = "Role"
    SESSION = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    SERVICE = "Service"
    ANONYMOUS = "Anonymous"


class Grant(IntEnum):
    """How closely a ``Principal`` element means the caller; within one account more closeness grants more."""

    NONE = 0
    ACCOUNT = 1
    """Its account: that delegates, the account's own policies still have to allow."""
    LIMITED = 2
    """The role or user behind the session: limited by permissions boundary and session policy."""
    DIRECT = 3
    """The user or session itself, or everybody: not limited by an implicit deny of the account's own policies."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal, taken apart."""

    kind: CallerKind
    arn: str
    account: str | None = None
    name: str = ""
    """User name, role name, federated user's name or service principal."""
    issuer: str | None = None
    """ARN of the role or user behind a session, where it is given."""
    partition: str = "aws"

    @property
    def principal_arn(self) -> str | None:
        """``aws:PrincipalArn``: for a session the *role's* ARN; ``None`` when its path cannot be known from the session's."""
        if self.kind is not CallerKind.SESSION:
            return self.arn
        if self.issuer is not None:
            return self.issuer
        if self.name.startswith(("AWSReservedSSO_", "AWSServiceRoleFor")):
            return None  # these live under a path that a session ARN does not show
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name}"

    @property
    def service_linked(self) -> bool:
        """Whether it is a service-linked role; the path and the name's beginning are reserved for them."""
        role = self.issuer or self.arn
        return self.kind in (CallerKind.ROLE, CallerKind.SESSION) and (
            ":role/aws-service-role/" in role or self.name.startswith("AWSServiceRoleFor")
        )


@lru_cache(maxsize=4096)
def read_caller(principal: str, issuer: str | None = None) -> Caller:
    """Take a principal apart.

    Accepted: ARN of a user, role, assumed-role session, federated-user session, account root; an account id (its root); a
    service principal such as ``logs.amazonaws.com``; ``*`` for an anonymous caller.

    Raises:
        InputError: it is none of these.
    """
    text = principal.strip()
    if text == "*":
        return Caller(CallerKind.ANONYMOUS, "*")
    if is_account(text):
        return Caller(CallerKind.ROOT, f"arn:aws:iam::{text}:root", text)
    arn = Arn.try_parse(text)
    if arn is None and text.endswith((".amazonaws.com", ".amazonaws.com.cn")) and "/" not in text:
        return Caller(CallerKind.SERVICE, text, name=text)
    if arn is not None and is_account(arn.account):
        kind, _, rest = arn.resource.partition("/")
        if arn.service == "iam" and arn.resource == "root":
            return Caller(CallerKind.ROOT, text, arn.account, partition=arn.partition)
        if arn.service == "iam" and kind in ("user", "role") and rest.rpartition("/")[2]:
            known = CallerKind.USER if kind == "user" else CallerKind.ROLE
            return Caller(known, text, arn.account, rest.rpartition("/")[2], partition=arn.partition)
        if arn.service == "sts" and kind == "assumed-role" and all(rest.partition("/")):
            return Caller(CallerKind.SESSION, text, arn.account, rest.partition("/")[0], issuer, arn.partition)
        if arn.service == "sts" and kind == "federated-user" and rest:
            return Caller(CallerKind.FEDERATED_USER, text, arn.account, rest, issuer, arn.partition)
    raise InputError(
        f"`{principal}` is not a principal",
        help="give the ARN of a user, role, session or root, an account id, a service principal, or `*` for anonymous",
    )


def is_principal(text: str) -> bool:
    """Whether ``read_caller`` takes it: a pasted ARN may hold ``<account>`` where an account belongs."""
    try:
        read_caller(text)
    except InputError:
        return False
    return True


def is_account(text: str) -> bool:
    """Whether it is an account id: twelve digits."""
    return len(text) == 12 and text.isascii() and text.isdigit()


def grant_of(principals: Principals, caller: Caller) -> Grant:
    """How closely ``principals`` means ``caller``; ``Grant.NONE`` when it does not."""
    best = Grant.NONE
    for kind, identifiers in principals.by_type:
        for identifier in identifiers:
            if kind == "AWS":
                best = max(best, _aws_grant(identifier, caller))
            elif kind == "Service" and caller.kind is CallerKind.SERVICE and identifier == caller.name:
                best = Grant.DIRECT
    return best


def _aws_grant(identifier: str, caller: Caller) -> Grant:
    if identifier == "*":
        return Grant.DIRECT
    if caller.account is None:
        return Grant.NONE
    if identifier == caller.account:
        return Grant.ACCOUNT
    if identifier == caller.arn:
        if caller.kind is CallerKind.ROOT:
            return Grant.ACCOUNT
        return Grant.LIMITED if caller.kind is CallerKind.ROLE else Grant.DIRECT
    if caller.issuer is not None:
        if identifier == caller.issuer:
            return Grant.LIMITED
    elif caller.kind is CallerKind.SESSION and _names_role(identifier, caller):
        return Grant.LIMITED
    arn = Arn.try_parse(identifier)
    if arn is not None and arn.service == "iam" and arn.account == caller.account and arn.resource == "root":
        return Grant.ACCOUNT
    return Grant.NONE


def excepts(principals: Principals, caller: Caller) -> bool:
    """Whether a ``NotPrincipal`` element leaves ``caller`` out.

    Beside a principal its role and account have to be listed as well, "otherwise, the policy might deny access to the entire
    account"; they do not except anybody else then: of a user and his account "all principals except the user" are denied.
    Source: .../reference_policies_elements_notprincipal.html
    """
    grant = grant_of(principals, caller)
    listed = {identifier for kind, identifiers in principals.by_type if kind == "AWS" for identifier in identifiers}
    if grant in (Grant.NONE, Grant.DIRECT) or caller.kind is CallerKind.ROOT or caller.arn in listed:
        return grant is not Grant.NONE
    others = [arn for arn in map(Arn.try_parse, listed) if arn is not None and arn.account == caller.account]
    if grant is Grant.LIMITED:
        return not any(arn.service == "sts" and arn.resource.split("/")[1:2] == [caller.name] for arn in others)
    return all(arn.resource == "root" for arn in others)


def _names_role(identifier: str, caller: Caller) -> bool:
    """Whether a role ARN is the session's role.  Names of roles are unique in an account, whatever their path."""
    arn = Arn.try_parse(identifier)
    return (
        arn is not None
        and arn.service == "iam"
        and arn.account == caller.account
        and arn.resource.startswith("role/")
        and arn.resource.rpartition("/")[2] == caller.name
    )
