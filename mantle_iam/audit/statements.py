"""On what a statement's answer depends: on nothing but the question, on the account as well, or on the very principal.

Knows one statement at a time and no request.  Context keys by what they follow from:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Final

from mantle_iam.iam.compiled import VARIABLES_SINCE
from mantle_iam.iam.matching import Variable, parse_variables
from mantle_iam.iam.policy import PolicyDocument, Statement

ACCOUNT: Final = "${Account}"
PARTITION: Final = "${Partition}"
ANY_ACCOUNT: Final = "\ue000" * 12
"""Stands for an account whose digits no pattern names: what covers this covers every account."""
_OF_THE_ACCOUNT: Final = frozenset(("aws:principalaccount", "aws:resourceaccount"))
_OF_THE_PRINCIPAL: Final = ("aws:principal", "aws:username", "aws:userid")

_NUMBER_ALONE: Final = re.compile(r"(?<![^:*?])[0-9]+(?![^:*?])")
"""Digits between colons, wildcards or ends: only these can come to lie on the account of an ARN.  The digit of ``us-east-1``
cannot, since a letter or a hyphen stands beside it, and the account's neighbours are colons."""


class Scale(IntEnum):
    """For whom a statement has to be judged again."""

    ANYWHERE = 0
    ACCOUNT = 1
    PRINCIPAL = 2


def keys_of(statement: Statement, variables: bool) -> Iterator[str]:
    """The context keys that it asks for, in conditions and in variables, as written, with repetitions."""
    for condition in statement.conditions:
        yield condition.key
        if variables:
            for value in condition.values:
                yield from _variables(value)
    if variables:
        for pattern in (*statement.resources, *statement.not_resources):
            yield from _variables(pattern)


def _variables(text: str) -> Iterator[str]:
    if "${" in text:
        yield from (part.key for part in parse_variables(text) if isinstance(part, Variable))


def scale_of(statement: Statement, variables: bool, account: str = "") -> Scale:
    """For whom ``statement`` has to be judged again, apart from its naming ``account``.

    ``variables``: whether its document's version has them.
    """
    scale = Scale.ANYWHERE
    for key in keys_of(statement, variables):
        folded = key.lower()
        if folded in _OF_THE_ACCOUNT:
            scale = Scale.ACCOUNT
        elif folded.startswith(_OF_THE_PRINCIPAL):
            return Scale.PRINCIPAL
    patterns = (*statement.resources, *statement.not_resources)
    if account:
        patterns = tuple([pattern.replace(f":{account}:", "::") for pattern in patterns])
    if scale is Scale.ANYWHERE and any(map(_may_name_an_account, patterns)):
        return Scale.ACCOUNT
    return scale


def _may_name_an_account(pattern: str) -> bool:
    return "${" in pattern or not pattern.isascii() or _NUMBER_ALONE.search(pattern) is not None


@dataclass(slots=True)
class Naming:
    """A statement whose answer depends on the account only in that it names one."""

    account: str
    statement: Statement
    general: Statement
    """The same with ``ANY_ACCOUNT``: what it says in the account that it names."""
    index: int
    mask: int


def account_named(statement: Statement) -> str:
    """The account that the first ARN with one names; empty where none does."""
    return next(filter(None, map(_account_of, (*statement.resources, *statement.not_resources))), "")


def at_any_account(statement: Statement, account: str) -> Statement:
    """The statement with ``ANY_ACCOUNT`` where an ARN of it names ``account``."""

    def anywhere(patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([pattern.replace(f":{account}:", f":{ANY_ACCOUNT}:") for pattern in patterns])

    return replace(statement, resources=anywhere(statement.resources), not_resources=anywhere(statement.not_resources))


def _account_of(pattern: str) -> str:
    fields = pattern.split(":", 5)
    return (
        fields[4] if len(fields) == 6 and len(fields[4]) == 12 and fields[4].isascii() and fields[4].isdigit() else ""
    )


def means_everybody(document: PolicyDocument) -> bool:
    """Whether every statement is for every principal (``"Principal": "*"``)."""
    everybody = (("AWS", ("*",)),)
    return all(one.principals is not None and one.principals.by_type == everybody for one in document.statements)


@lru_cache(maxsize=4096)
def _asked(document: PolicyDocument) -> tuple[str, ...]:
    variables = document.version == VARIABLES_SINCE
    return tuple(dict.fromkeys(key for one in document.statements for key in keys_of(one, variables)))


def asked_by(document: PolicyDocument) -> tuple[str, ...]:
    """The context keys that the document asks for, as written."""
    return _asked(document)
