"""Accounts written down by hand for the tests of the audit."""

from __future__ import annotations

from typing import Any

from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import Account, NamedPolicy, Principal, Purpose

ID = "111122223333"


def allow(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def deny(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A Deny statement."""
    return {**allow(actions, resource, **more), "Effect": "Deny"}


def policy(name: str, *statements: dict[str, Any], purpose: Purpose = Purpose.IDENTITY) -> NamedPolicy:
    """A named policy."""
    return NamedPolicy(name, parse_policy({"Version": "2012-10-17", "Statement": list(statements)}), purpose)


def role(name: str, *policies: NamedPolicy, account: str = ID, **more: Any) -> Principal:
    """A role."""
    return Principal(f"arn:aws:iam::{account}:role/{name}", policies, **more)


def user(name: str, *policies: NamedPolicy, account: str = ID, **more: Any) -> Principal:
    """A user."""
    return Principal(f"arn:aws:iam::{account}:user/{name}", policies, **more)


def account(*principals: Principal, id_: str = ID, **more: Any) -> Account:
    """An account."""
    return Account(id_, principals=principals, **more)


ALL = policy("all", allow("*"))
MANTLE = policy("mantle", allow("bedrock-mantle:*"))
FULL_ACCESS = policy("FullAWSAccess", allow("*"), purpose=Purpose.SCP)
