"""What IAM says of a target now: reads only, with the caller's client.

What a plan cannot do without raises; what it can is a note.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mantle_iam.attach.failure import iam_errors
from mantle_iam.attach.plan import Bound, CustomerPolicy, PolicyVersion, State, Target, TargetKind
from mantle_iam.errors import InputError, MantleIamError, PolicyError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument


def read_target(
    iam: Any,
    kind: TargetKind,
    name: str,
    *,
    needed: frozenset[str] = frozenset(),
    customer: tuple[str, ...] = (),
) -> State:
    """What IAM says of ``kind`` ``name`` now.

    Args:
        needed: names of inline policies whose text must be known, since they would be replaced or removed.
        customer: names or ARNs of customer managed policies that are concerned.

    Raises:
        InputError: there is none of that name, or it is a service-linked role.
        UndeterminedError: it could not be read.
    """
    owner = {f"{kind.in_api}Name": name}
    with iam_errors(f"{kind} `{name}`"):
        entity: Mapping[str, Any] = getattr(iam, f"get_{kind}")(**owner)[kind.in_api]
        arn = Arn.parse(entity["Arn"])
        if arn.resource.startswith("role/aws-service-role/"):
            raise InputError(f"`{name}` is a service-linked role", help="AWS alone decides what it may do")
        target = Target(kind, str(entity[f"{kind.in_api}Name"]), str(arn), arn.account, arn.partition)
        attached = _pages(iam, f"list_attached_{kind}_policies", "AttachedPolicies", owner)
        names: list[str] = _pages(iam, f"list_{kind}_policies", "PolicyNames", owner)
    inline, notes = _inline(iam, target, names, needed)
    bound = [*(Bound(p["PolicyName"], p["PolicyArn"]) for p in attached), *(Bound(policy) for policy in names)]
    return State(
        target,
        tuple(sorted(bound, key=lambda b: (b.arn is None, b.name))),
        inline,
        tuple(read_customer_policy(iam, policy_arn(target, policy)) for policy in customer),
        notes,
    )


def policy_arn(target: Target, policy: str) -> str:
    """The ARN of a customer managed policy of the target's account, from its name (without a path) or ARN."""
    return (
        policy
        if policy.startswith("arn:")
        else str(Arn(target.partition, "iam", "", target.account, f"policy/{policy}"))
    )


def _inline(
    iam: Any, target: Target, names: list[str], needed: frozenset[str]
) -> tuple[tuple[tuple[str, PolicyDocument], ...], tuple[str, ...]]:
    found: list[tuple[str, PolicyDocument]] = []
    notes: list[str] = []
    for name in sorted(names):
        try:
            with iam_errors(f"inline policy `{name}` of {target.kind} `{target.name}`"):
                owner = {f"{target.kind.in_api}Name": target.name}
                answer = getattr(iam, f"get_{target.kind}_policy")(**owner, PolicyName=name)
                found.append((name, parse_policy(answer["PolicyDocument"])))
        except (UndeterminedError, PolicyError) as error:
            if name in needed:
                raise
            notes.append(f"the inline policy {name} could not be read: {error}")
    return tuple(found), tuple(notes)


def read_customer_policy(iam: Any, arn: str) -> CustomerPolicy:
    """A customer managed policy with all its versions; without any when there is no such policy.

    Raises:
        UndeterminedError: it could not be read.
    """
    name = arn.rpartition("/")[2]
    with iam_errors(f"policy `{arn}`"):
        try:
            policy = iam.get_policy(PolicyArn=arn)["Policy"]
        except iam.exceptions.NoSuchEntityException:
            return CustomerPolicy(name, arn)
        listed = _pages(iam, "list_policy_versions", "Versions", {"PolicyArn": arn})
        versions = [
            PolicyVersion(
                entry["VersionId"],
                bool(entry["IsDefaultVersion"]),
                parse_policy(
                    iam.get_policy_version(PolicyArn=arn, VersionId=entry["VersionId"])["PolicyVersion"]["Document"]
                ),
            )
            for entry in sorted(listed, key=lambda entry: _number(entry["VersionId"]))
        ]
    return CustomerPolicy(
        str(policy["PolicyName"]),
        arn,
        tuple(versions),
        int(policy.get("AttachmentCount", 0)),
        int(policy.get("PermissionsBoundaryUsageCount", 0)),
    )


def _number(version: str) -> int:
    """``v12`` as 12: versions are numbered in the order in which they were made."""
    digits = version.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def read_documents(iam: Any, state: State) -> tuple[PolicyDocument, ...]:
    """The documents of every policy on the target itself.

    Raises:
        UndeterminedError: one could not be read.
    """
    found: list[PolicyDocument] = []
    for bound in state.policies:
        if bound.arn is not None:
            found.append(default_version(iam, bound.arn)[0])
            continue
        document = state.inline_named(bound.name)
        if document is None:
            raise UndeterminedError(f"the inline policy `{bound.name}` could not be read")
        found.append(document)
    return tuple(found)


def default_version(iam: Any, arn: str) -> tuple[PolicyDocument, str]:
    """The document of a managed policy that is in force, and its version.

    Raises:
        InputError: there is no such policy.
        UndeterminedError: it could not be read.
    """
    with iam_errors(f"policy `{arn}`"):
        version = str(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"])
        answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        return parse_policy(answer["PolicyVersion"]["Document"]), version


def account_summary(iam: Any) -> tuple[Mapping[str, int] | None, str | None]:
    """The account's use and quotas, or ``None`` and why they could not be read."""
    try:
        with iam_errors("the account"):
            summary: Mapping[str, int] = iam.get_account_summary()["SummaryMap"]
            return summary, None
    except MantleIamError as error:
        return None, f"AWS's default quotas are taken, since the account's could not be read: {error}"


def _pages(iam: Any, operation: str, key: str, owner: Mapping[str, str]) -> list[Any]:
    return [item for page in iam.get_paginator(operation).paginate(**owner) for item in page[key]]
