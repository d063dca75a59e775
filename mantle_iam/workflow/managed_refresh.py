"""The managed policies as the account has them, against the shipped texts.  Reads through IAM, changes nothing.

Needs ``iam:GetPolicy`` and ``iam:GetPolicyVersion``.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from mantle_iam.attach.apply import client, session
from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.mantle.managed_policies import MadeFor, known_policy, newest_first
from mantle_iam.report.managed_records import ManagedPolicy, Refreshed, Standing
from mantle_iam.workflow.managed import current_policies, in_partition, read_name
from mantle_iam.workflow.managed_reach import difference

NEEDED = ("iam:GetPolicy", "iam:GetPolicyVersion")
_FOR_ALL = (Failure.CREDENTIALS, Failure.NETWORK, Failure.THROTTLED)
"""Failures that say nothing of the one policy that was asked for."""


def iam_client(profile: str | None, region: str | None, endpoint_url: str | None) -> Any:
    """The client that ``refresh`` asks.

    Raises:
        InputError: there is no such profile, or the URL is none.
    """
    return client(session(profile, region), endpoint_url)


def partition_of_client(iam: Any) -> str:
    """The partition that the client's region belongs to."""
    return str(iam.meta.partition)


def refresh_all(iam: Any) -> tuple[Refreshed, ...]:
    """Every shipped policy against the account's.  What fails for all of them alike is asked once."""
    found: list[Refreshed] = []
    for policy in current_policies():
        last = found[-1] if found else None
        if last is not None and last.standing is Standing.UNREADABLE and last.for_all:
            ours = in_partition(policy, partition_of_client(iam))
            found.append(replace(last, name=ours.name, arn=ours.arn, ours=ours))
        else:
            found.append(refresh(iam, policy.name))
    return tuple(found)


def refresh(iam: Any, text: str) -> Refreshed:
    """The policy that ``text`` (a name, an ARN, a short word) means, as the account has it, against ours.

    Raises:
        InputError: ``text`` names no policy.
    """
    partition = partition_of_client(iam)
    name, arn = read_name(text)
    arn = arn or f"arn:{partition}:iam::aws:policy/{name}"
    of_aws = ":iam::aws:policy/" in arn
    found = next((one for one in current_policies() if of_aws and one.name.lower() == name.lower()), None)
    ours = in_partition(found, partition) if found else None
    if ours is not None:
        # IAM minds the case of a name; the user need not.
        arn = ours.arn
    theirs = _read(iam, ours.name if ours else name, arn)
    if isinstance(theirs, Unreadable):
        absent = theirs.failure is Failure.NOT_FOUND
        return Refreshed(
            name,
            arn,
            Standing.ABSENT if absent else Standing.UNREADABLE,
            ours,
            reason=f"{partition} has no policy of this name" if absent and of_aws else theirs.reason,
            for_all=theirs.failure in _FOR_ALL,
        )
    if ours is None:
        return Refreshed(theirs.name, arn, Standing.NOT_SHIPPED, theirs=theirs)
    same = ours.document == theirs.document
    return Refreshed(
        ours.name,
        arn,
        _standing(ours, theirs, same=same),
        ours,
        theirs,
        _days(ours.date, theirs.date),
        None if same else difference(ours, theirs, partition),
    )


def _standing(ours: ManagedPolicy, theirs: ManagedPolicy, *, same: bool) -> Standing:
    if ours.version == theirs.version:
        return Standing.CURRENT if same else Standing.DIFFERENT
    return Standing.OLDER if newest_first(theirs.version) < newest_first(ours.version) else Standing.NEWER


def _days(ours: str, theirs: str) -> int | None:
    try:
        return abs((date.fromisoformat(theirs) - date.fromisoformat(ours)).days)
    except ValueError:
        return None


def _read(iam: Any, name: str, arn: str) -> ManagedPolicy | Unreadable:
    policy = reading(iam.get_policy, PolicyArn=arn)
    if isinstance(policy, Unreadable):
        return policy
    version = str(policy["Policy"]["DefaultVersionId"])
    answer = reading(iam.get_policy_version, PolicyArn=arn, VersionId=version)
    if isinstance(answer, Unreadable):
        return answer
    found = answer["PolicyVersion"]
    try:
        document = parse_policy(found["Document"])
    except PolicyError as error:
        return Unreadable(Failure.DOCUMENT, f"the document is not understood: {error.message}")
    known = known_policy(name) if ":iam::aws:policy/" in arn else None
    return ManagedPolicy(
        name=str(policy["Policy"].get("PolicyName", name)),
        arn=str(policy["Policy"].get("Arn", arn)),
        version=version,
        short_name=known.words[0] if known and known.attachable else "",
        document=document,
        date=_day(found.get("CreateDate")),
        source="read from the account through IAM",
        summary=known.summary if known else str(policy["Policy"].get("Description", "")),
        made_for=known.made_for if known else MadeFor.PEOPLE,
    )


def _day(moment: object) -> str:
    return moment.date().isoformat() if isinstance(moment, datetime) else ""


def unreadable(found: Iterable[Refreshed]) -> bool:
    """Whether one could not be read, so that nothing is known of it."""
    return any(one.standing is Standing.UNREADABLE for one in found)
