"""Into which account infrastructure code goes, where it does not say so: by the ARNs of the service in its policies.

An Allow reaches its own account's projects alone, so that the only account that the code's policies name, in an Allow, is its
own.  A Deny or a condition may well name another one: they speak against an account and never for it.  What names several, or one
beside a stand-in for the account, is left unknown and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import Account, NamedPolicy, Principal
from mantle_iam.iam.policy import Effect, Statement
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.overlay import SERVICE

UNKNOWN_ACCOUNT: Final = "000000000000"
"""Stands for the account of code that does not say into which it goes."""
PERMISSION_SETS: Final = "/aws-reserved/sso.amazonaws.com/"
"""Path of the roles of permission sets, which go into other accounts than the code."""
_CONDITIONS: Final = ("aws:resourceaccount", "aws:principalaccount")


@dataclass(frozen=True, slots=True)
class Named:
    """What policies name without a wildcard or a variable; accounts with the stand-in among them."""

    partitions: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    """Accounts of the service's ARNs in an Allow."""
    accounts: frozenset[str] = frozenset()
    """All accounts that an answer may hang on."""

    @property
    def account(self) -> str:
        """The account, where there can be but one; the stand-in else."""
        return next(iter(self.allowed)) if len(self.accounts) == 1 and self.allowed else UNKNOWN_ACCOUNT

    @property
    def others(self) -> tuple[str, ...]:
        """The accounts that are named though none is taken."""
        return tuple(sorted(self.accounts - {UNKNOWN_ACCOUNT})) if self.account == UNKNOWN_ACCOUNT else ()


def named_by(policies: Iterable[NamedPolicy]) -> Named:
    """What identity policies and boundaries name."""
    partitions, allowed, accounts = set(), set(), set()
    for statement in (one for policy in policies for one in policy.document.statements):
        for arn in map(Arn.try_parse, (*statement.resources, *statement.not_resources)):
            if arn is None or arn.service != SERVICE:
                continue
            if arn.partition.replace("-", "").isalpha():
                partitions.add(arn.partition)
            if _is_account(arn.account):
                accounts.add(arn.account)
                if statement.effect is Effect.ALLOW and statement.resources:
                    allowed.add(arn.account)
        accounts.update(_conditional(statement))
    return Named(frozenset(partitions), frozenset(allowed), frozenset(accounts))


def merged(many: Iterable[Named]) -> Named:
    """What several name together."""
    parts = list(many)
    return Named(
        frozenset[str]().union(*(one.partitions for one in parts)),
        frozenset[str]().union(*(one.allowed for one in parts)),
        frozenset[str]().union(*(one.accounts for one in parts)),
    )


def apart(account: Account | None) -> list[Account]:
    """The accounts of those who were read as of one: a plan or a state may go into several, as their own ARNs say."""
    if account is None:
        return []
    by_id: dict[str, list[Principal]] = {}
    for principal in account.principals:
        by_id.setdefault(Arn.parse(principal.arn).account, []).append(principal)
    if len(by_id) < 2:
        return [replace(account, id=next(iter(by_id), account.id))]
    # Whose an endpoint is, nobody says.
    unknown = account.unknown | ({PolicyType.VPC_ENDPOINT} if account.endpoints else set())
    return [replace(account, id=one, principals=tuple(own), unknown=unknown) for one, own in by_id.items()]


def _conditional(statement: Statement) -> Iterator[str]:
    for condition in statement.conditions:
        if condition.key.lower() in _CONDITIONS:
            yield from filter(_is_account, condition.values)


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isdecimal() and text.isascii()
