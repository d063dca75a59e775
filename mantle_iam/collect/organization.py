"""The service control policies above an account, level by level, read through Organizations.

The management account is exempt, and so is an account without an organization.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mantle_iam.collect.failure import Unreadable, reading
from mantle_iam.collect.sources import PolicySource
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType

SCP = "SERVICE_CONTROL_POLICY"
NO_ORGANIZATION = "AWSOrganizationsNotInUseException"
_DEEPEST = 10
"""Levels; Organizations has at most five of OUs below the root."""


@dataclass(frozen=True, slots=True)
class Levels:
    """SCPs from the root down; ``documents`` is ``None`` when none is in force (or none could be read: ``unknown``)."""

    documents: tuple[tuple[tuple[PolicySource, PolicyDocument], ...], ...] | None = None
    unknown: bool = False
    notes: tuple[str, ...] = ()


def service_control_policies(organizations: Any, account: str) -> Levels:
    """The SCPs that bind ``account``, root first.  Never raises for what the world does."""
    if organizations is None:
        return Levels(unknown=True, notes=("service control policies were not read",))
    answer = reading(_read, organizations, account)
    if not isinstance(answer, Unreadable):
        return answer
    if answer.code == NO_ORGANIZATION:
        return Levels(notes=(f"account {account} belongs to no organization",))
    return Levels(unknown=True, notes=(f"service control policies could not be read: {answer.reason}",))


def _read(organizations: Any, account: str) -> Levels:
    organization = organizations.describe_organization()["Organization"]
    if organization["MasterAccountId"] == account:
        return Levels(notes=(f"account {account} is the management account, which no service control policy binds",))
    # Before anything is said of policies: it shows that the account is in this organization, and not in another one.
    path = _path(organizations, account)
    if not path:
        return Levels(unknown=True, notes=(f"where account {account} stands in the organization is not known",))
    if not _enabled(organizations):
        return Levels(notes=("service control policies are not enabled in the organization",))
    documents: dict[str, PolicyDocument] = {}
    levels = []
    for level, target in enumerate(path):
        found = []
        for index, policy in enumerate(_attached(organizations, target)):
            if policy["Id"] not in documents:
                content = organizations.describe_policy(PolicyId=policy["Id"])["Policy"]["Content"]
                documents[policy["Id"]] = parse_policy(content)
            source = PolicySource(PolicyType.SCP, policy["Name"], index, level, policy["Arn"], attached_to=target)
            found.append((source, documents[policy["Id"]]))
        levels.append(tuple(found))
    return Levels(tuple(levels))


def _enabled(organizations: Any) -> bool:
    types = [kind for root in organizations.list_roots()["Roots"] for kind in root.get("PolicyTypes", ())]
    return any(kind["Type"] == SCP and kind["Status"] == "ENABLED" for kind in types)


def _path(organizations: Any, account: str) -> list[str]:
    """Ids from the root to ``account``; none where a parent is missing or they run in a circle."""
    path = [account]
    while not path[0].startswith("r-"):
        parents = organizations.list_parents(ChildId=path[0])["Parents"]
        if not parents or len(path) > _DEEPEST:
            return []
        path.insert(0, parents[0]["Id"])
    return path


def _attached(organizations: Any, target: str) -> list[Any]:
    pages = organizations.get_paginator("list_policies_for_target").paginate(TargetId=target, Filter=SCP)
    return [policy for page in pages for policy in page["Policies"]]
