"""Which organization an account that is read live belongs to, and whose credentials are asked what binds it from above.

An answer about one organization says nothing about an account of another one: whoever does not manage an account's organization
is not asked.  What is kept together is of one organization; an account of a second one has control policies that are unknown.
Sources: https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html (every member may be told),
https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html (of the caller's own organization alone)
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final

from mantle_iam.collect.connections import Connection
from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.fields import objects, text
from mantle_iam.collect.organization import NO_ORGANIZATION
from mantle_iam.collect.organization_answers import KINDS, OrganizationAnswers
from mantle_iam.collect.saved import ORGANIZATION, Unread

FILE: Final = f"{ORGANIZATION}/organization.json"
Answers = tuple[dict[str, dict[str, Any]], tuple[Unread, ...]]
_NOTHING: Final[Answers] = ({}, ())
_CLOSED: Final = {"SUSPENDED", "PENDING_CLOSURE", "CLOSED"}


def accounts_of(connection: Connection) -> list[tuple[str, bool]] | Unreadable:
    """Every account of the organization of these credentials, in the order of their ids, and whether it is active."""
    return reading(_accounts, connection.client("organizations"))


def _accounts(client: Any) -> list[tuple[str, bool]]:
    pages = client.get_paginator("list_accounts").paginate()
    found = [one for page in pages for _, one in objects(page, "Accounts")]
    # ``State`` takes the place of ``Status``; one of which neither is said is tried.
    return sorted((text(one, "Id"), not _CLOSED & {text(one, "State"), text(one, "Status")}) for one in found)


def id_of(answer: object) -> str:
    """The id of the organization that ``DescribeOrganization`` tells of."""
    return text(answer.get("Organization"), "Id") if isinstance(answer, dict) else ""


class Memberships:
    """The one organization whose answers are kept."""

    def __init__(self, base: Connection, kept: object = None) -> None:
        """``base``: credentials by which others are assumed, often of the management account; ``kept``: what was told before."""
        self._base = base
        self._id = id_of(kept)
        self._answers = OrganizationAnswers()
        self._of_base: str | Unreadable | None = None
        self._asking = Lock()

    def organization_of(self, connection: Connection) -> str | Unreadable:
        """Id of the organization of these credentials; empty where they are in none."""
        if connection is not self._base:
            return _told(connection)
        with self._asking:
            if self._of_base is None:
                self._of_base = _told(connection)
            return self._of_base

    def take(self, account: str, connection: Connection, own: str | Unreadable) -> Answers:
        """What binds ``account`` from above, by file name, and what could not be read.  Never raises for what the world does.

        Not for several threads: the organization of the first account is the one that is kept.

        Args:
            connection: credentials of the account itself.
            own: its organization, as ``organization_of`` them.
        """
        if own == "":
            return _NOTHING
        of_base = self.organization_of(self._base)
        asked = [connection]
        if connection is not self._base:
            if isinstance(own, Unreadable):
                # That the base's organization has the account is shown by nothing but that it knows where it stands.
                above = reading(self._base.client("organizations").list_parents, ChildId=account)
                if isinstance(of_base, Unreadable) or of_base == "" or isinstance(above, Unreadable):
                    return {}, _unread("DescribeOrganization", own.reason)
                asked = [self._base]
                own = of_base
            elif of_base == own:
                asked = [self._base, connection]
        elif isinstance(own, Unreadable):
            return {}, _unread("DescribeOrganization", own.reason)
        self._id = self._id or own
        if own != self._id:
            told = f"it belongs to `{own}`, what is kept here to `{self._id}`: read it apart, with another --save-dir"
            return {}, _unread("DescribeOrganization", told)
        return self._answers.take(account, asked)


def _unread(action: str, reason: str) -> tuple[Unread, ...]:
    return tuple(Unread(layer, f"organizations:{action}", reason) for layer in KINDS)


def _told(connection: Connection) -> str | Unreadable:
    answer = reading(connection.client("organizations").describe_organization)
    if isinstance(answer, Unreadable):
        return "" if answer.code == NO_ORGANIZATION else answer
    return id_of(answer) or Unreadable(Failure.OTHER, "`DescribeOrganization` names no organization")
