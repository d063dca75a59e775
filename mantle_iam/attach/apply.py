"""Making the calls of a plan, one after the other, and saying exactly how far it came.  What to call is not decided here.

Clients are the caller's (``client()`` makes one); imports of boto3 stay inside functions.  A call that changes something is
repeated here and not by botocore, so that one which took effect though its answer was lost is seen and not made twice.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mantle_iam.attach.calls import IAM, SSO, Call, Step
from mantle_iam.attach.failure import ExistsError, GoneError, PassingError, iam_errors
from mantle_iam.attach.outcome import Applied
from mantle_iam.attach.permission_set import provision
from mantle_iam.attach.read import read_customer_policy
from mantle_iam.attach.steps import same_text
from mantle_iam.attach.target import Target
from mantle_iam.errors import MantleIamError, UndeterminedError
from mantle_iam.iam.grammar import parse_policy

CONNECT_SECONDS = 5
READ_SECONDS = 20
READ_ATTEMPTS = 3
PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a change that was refused for now is tried again."""

Progress = Callable[[str], None]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Clients:
    """boto3 clients.  ``iam`` repeats what fails, ``writes`` does not."""

    iam: Any
    writes: Any
    organizations: Any = None
    """``None``: service control policies are not read."""
    sso: Any = None
    """Of IAM Identity Center, for a permission set."""


def session(profile: str | None = None, region: str | None = None) -> Any:
    """The boto3 session that the clients of one run share: what it has read once is not read for each of them.

    Raises:
        InputError: there is no such profile.
    """
    import boto3

    with iam_errors("IAM"):
        return boto3.Session(profile_name=profile, region_name=region)


def client(of: Any, endpoint_url: str | None = None, *, service: str = IAM, attempts: int = READ_ATTEMPTS) -> Any:
    """A client with time limits.  ``endpoint_url`` wins over ``AWS_ENDPOINT_URL_IAM`` and the profile's setting.

    Args:
        of: a ``session()``.
        attempts: how often botocore sends a call that fails.

    Raises:
        InputError: the URL is none.
    """
    from botocore.config import Config

    with iam_errors("IAM"):
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        )
        # IAM is global within a partition; the region only chooses the partition.
        return of.client(service, region_name=of.region_name or "us-east-1", endpoint_url=endpoint_url, config=config)


def apply(
    clients: Clients,
    target: Target,
    steps: tuple[Step, ...],
    *,
    sleep: Sleep = time.sleep,
    progress: Progress = lambda _: None,
) -> Applied:
    """Do ``steps`` in their order and stop at the first that fails.  Never raises for what the world does."""
    done: list[Step] = []
    notes: list[str] = []
    for number, step in enumerate(steps):
        progress(step.does)
        try:
            note = _make(clients, target, step.call, sleep, progress)
        except MantleIamError as error:
            unsure = error.unsure if isinstance(error, PassingError) else False
            return Applied(tuple(done), step, steps[number + 1 :], error, unsure, tuple(notes))
        done.append(step)
        if note:
            notes.append(note)
    return Applied(tuple(done), notes=tuple(notes))


def _make(clients: Clients, target: Target, call: Call, sleep: Sleep, progress: Progress) -> str | None:
    """Make one call, again while it is refused for now.  Returns what is to be said of it, if anything."""
    if call.operation == "ProvisionPermissionSet":
        return provision(clients.sso, target, call, sleep=sleep, progress=progress)
    subject = _subject(target, call)
    unsure = False
    for pause in (*PAUSES, None):
        try:
            _send(clients, call, subject)
        except PassingError as error:
            unsure = unsure or error.unsure
            if (unsure or call.service == SSO) and _took_effect(clients, call):
                return None
            if pause is None:
                error.unsure = unsure
                raise
            progress(f"{error}: again in {pause:g} s")
            sleep(pause)
            continue
        except GoneError:
            # What is to be gone is gone.
            if call.operation.startswith(("Delete", "Detach")):
                return None
            raise
        except ExistsError:
            if unsure and _took_effect(clients, call):
                return None
            raise
        return None
    return None


def _subject(target: Target, call: Call) -> str:
    arn = call.parameter("PolicyArn")
    if "PolicyVersion" in call.operation or call.operation in ("CreatePolicy", "DeletePolicy"):
        return f"policy `{arn or call.parameter('PolicyName')}`"
    return f"{target.kind} `{target.name}`"


def _send(clients: Clients, call: Call, subject: str) -> None:
    from botocore import xform_name

    in_iam = call.service == IAM
    with iam_errors(subject, changing=True, service="IAM" if in_iam else "IAM Identity Center"):
        getattr(clients.writes if in_iam else clients.sso, xform_name(call.operation))(**dict(call.parameters))


def _took_effect(clients: Clients, call: Call) -> bool:
    """Whether a call without an answer did its work; asked only of those that must not be made twice."""
    if call.operation == "AttachManagedPolicyToPermissionSet":
        return _is_in_set(clients.sso, call)
    if call.operation not in ("CreatePolicy", "CreatePolicyVersion"):
        return False
    wanted = parse_policy(call.parameter("PolicyDocument"))
    try:
        arn = call.parameter("PolicyArn") or _arn_of(clients.iam, call.parameter("PolicyName"))
        found = read_customer_policy(clients.iam, arn) if arn else None
    except UndeterminedError:
        return False
    if found is None or not found.versions:
        return False
    default = dict(call.parameters).get("SetAsDefault", True)
    return any(v.is_default is bool(default) and same_text(v.document, wanted) for v in found.versions)


def _is_in_set(sso: Any, call: Call) -> bool:
    """Whether the permission set has the policy: what it has already Identity Center refuses as a conflict.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachManagedPolicyToPermissionSet.html
    """
    owner = {name: call.parameter(name) for name in ("InstanceArn", "PermissionSetArn")}
    try:
        with iam_errors("the permission set", service="IAM Identity Center"):
            pages = sso.get_paginator("list_managed_policies_in_permission_set").paginate(**owner)
            return any(
                p["Arn"] == call.parameter("ManagedPolicyArn")
                for page in pages
                for p in page["AttachedManagedPolicies"]
            )
    except MantleIamError:
        return False


def _arn_of(iam: Any, name: str) -> str:
    """The ARN of the customer managed policy ``name``; empty when there is none."""
    with iam_errors(f"policy `{name}`"):
        pages = iam.get_paginator("list_policies").paginate(Scope="Local")
        return next((str(p["Arn"]) for page in pages for p in page["Policies"] if p["PolicyName"] == name), "")
