"""The calls to IAM: read the target, apply a plan.  What to attach and whether is not decided here.

The client is the caller's (``client()`` makes one); imports of boto3 stay inside functions.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mantle_iam.attach.failure import iam_errors
from mantle_iam.attach.plan import Bound, Change, InlineChange, ManagedChange, Plan, State, Target, TargetKind
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import parse_policy, policy_json
from mantle_iam.iam.policy import PolicyDocument

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 3


def client(profile: str | None = None, region: str | None = None, endpoint_url: str | None = None) -> Any:
    """An IAM client with time limits.  ``endpoint_url`` wins over ``AWS_ENDPOINT_URL_IAM`` and the profile's setting.

    Raises:
        InputError: there is no such profile, or the URL is none.
    """
    import boto3
    from botocore.config import Config

    with iam_errors("IAM"):
        session = boto3.Session(profile_name=profile, region_name=region)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )
        # IAM is global within a partition; the region only chooses the partition.
        return session.client(
            "iam", region_name=session.region_name or "us-east-1", endpoint_url=endpoint_url, config=config
        )


def target_name(kind: TargetKind, text: str) -> tuple[str, str | None]:
    """The name in what somebody wrote (a name, a name behind its path, an ARN), and the ARN's account.

    Raises:
        InputError: it is an ARN of something else, or a name that IAM does not have.
    """
    account = None
    path = text.strip()
    if path.startswith("arn:"):
        arn = Arn.parse(path)
        found, _, path = arn.resource.partition("/")
        session = arn.service == "sts" and found == "assumed-role" and kind is TargetKind.ROLE
        if session:
            path = path.partition("/")[0]
        elif arn.service != "iam" or found != kind.value:
            raise InputError(f"`{text}` is not the ARN of a {kind}")
        account = arn.account
    if path.startswith(("/aws-service-role/", "aws-service-role/")):
        raise InputError(f"`{text}` is a service-linked role", help="AWS alone decides what it may do")
    name = path.rstrip("/").rpartition("/")[2]
    if not name or len(name) > 128 or not all(c.isascii() and (c.isalnum() or c in "+=,.@_-") for c in name):
        raise InputError(f"`{text}` is not a name that IAM takes", help="letters, digits and any of + = , . @ _ -")
    if kind is TargetKind.ROLE and name.startswith("AWSReservedSSO_"):
        raise InputError(
            f"the role `{name}` is written by IAM Identity Center",
            help="add the statements to the inline policy of its permission set instead",
        )
    return name, account


def read_target(iam: Any, kind: TargetKind, name: str, *, inline_name: str | None = None) -> State:
    """What IAM says of ``kind`` ``name`` now; ``previous`` is its inline policy ``inline_name``.

    Raises:
        InputError: there is none of that name.
        UndeterminedError: it could not be read.
    """
    title = kind.value.title()
    owner = {f"{title}Name": name}
    subject = f"{kind} `{name}`"
    with iam_errors(subject):
        entity: Mapping[str, Any] = getattr(iam, f"get_{kind}")(**owner)[title]
        arn = Arn.parse(entity["Arn"])
        if arn.resource.startswith("role/aws-service-role/"):
            raise InputError(f"`{name}` is a service-linked role", help="AWS alone decides what it may do")
        target = Target(kind, str(entity[f"{title}Name"]), str(arn), arn.account, arn.partition)
        attached = _pages(iam, f"list_attached_{kind}_policies", "AttachedPolicies", owner)
        inline: list[str] = _pages(iam, f"list_{kind}_policies", "PolicyNames", owner)
        previous = None
        if inline_name is not None and inline_name in inline:
            answer = getattr(iam, f"get_{kind}_policy")(**owner, PolicyName=inline_name)
            previous = parse_policy(answer["PolicyDocument"])
    bound = [*(Bound(p["PolicyName"], p["PolicyArn"]) for p in attached), *(Bound(policy) for policy in inline)]
    return State(target, tuple(sorted(bound, key=lambda b: (b.arn is None, b.name))), previous)


def read_documents(iam: Any, state: State) -> tuple[PolicyDocument, ...]:
    """The documents of every policy on the target itself.

    Raises:
        UndeterminedError: one could not be read.
    """
    title = state.target.kind.value.title()
    found: list[PolicyDocument] = []
    for bound in state.policies:
        with iam_errors(f"policy `{bound.name}`"):
            if bound.arn is not None:
                found.append(default_version(iam, bound.arn)[0])
            else:
                owner = {f"{title}Name": state.target.name, "PolicyName": bound.name}
                answer = getattr(iam, f"get_{state.target.kind}_policy")(**owner)
                found.append(parse_policy(answer["PolicyDocument"]))
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


def _pages(iam: Any, operation: str, key: str, owner: Mapping[str, str]) -> list[Any]:
    return [item for page in iam.get_paginator(operation).paginate(**owner) for item in page[key]]


def apply(iam: Any, plan: Plan) -> None:
    """Do what ``plan`` says; nothing when nothing is needed.

    Raises:
        RefusedError: IAM refuses the change.
        InputError: the target or the policy is gone.
        UndeterminedError: IAM could not be reached.
    """
    if not plan.needed:
        return
    kind = plan.target.kind
    owner = {f"{kind.value.title()}Name": plan.target.name}
    with iam_errors(f"{kind} `{plan.target.name}`", changing=True):
        _send(iam, kind, owner, plan.change)


def _send(iam: Any, kind: TargetKind, owner: Mapping[str, str], change: Change) -> None:
    if isinstance(change, ManagedChange):
        getattr(iam, f"attach_{kind}_policy")(**owner, PolicyArn=change.arn)
    elif isinstance(change, InlineChange):
        text = policy_json(change.document, indent=None)
        getattr(iam, f"put_{kind}_policy")(**owner, PolicyName=change.name, PolicyDocument=text)
