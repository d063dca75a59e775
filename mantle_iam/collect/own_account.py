"""Into which account infrastructure code goes, where it does not say so: by the ARNs of the service in its policies.

An identity policy reaches its own account's projects alone, so that the only account that its ARNs name is its own.  What names
several, or one beside a stand-in for the account, is left unknown and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import NamedPolicy
from mantle_iam.mantle.overlay import SERVICE

UNKNOWN_ACCOUNT: Final = "000000000000"
"""Stands for the account of code that does not say into which it goes."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the ARNs of the service name without a wildcard or a variable; accounts with the stand-in among them."""

    partitions: frozenset[str]
    accounts: frozenset[str]

    @property
    def account(self) -> str:
        """The account, where there can be but one; the stand-in else."""
        return next(iter(self.accounts)) if len(self.accounts) == 1 else UNKNOWN_ACCOUNT

    @property
    def others(self) -> tuple[str, ...]:
        """The accounts that are named though none is taken."""
        return tuple(sorted(self.accounts - {UNKNOWN_ACCOUNT})) if self.account == UNKNOWN_ACCOUNT else ()


def named_by(policies: Iterable[NamedPolicy]) -> Named:
    """What the Allow and Deny statements of identity policies name."""
    arns = [
        arn
        for policy in policies
        for statement in policy.document.statements
        for arn in map(Arn.try_parse, (*statement.resources, *statement.not_resources))
        if arn is not None and arn.service == SERVICE
    ]
    return Named(
        frozenset(arn.partition for arn in arns if arn.partition.replace("-", "").isalpha()),
        frozenset(arn.account for arn in arns if len(arn.account) == 12 and arn.account.isdecimal()),
    )


def merged(many: Iterable[Named]) -> Named:
    """What several name together."""
    parts = list(many)
    return Named(
        frozenset[str]().union(*(one.partitions for one in parts)),
        frozenset[str]().union(*(one.accounts for one in parts)),
    )
