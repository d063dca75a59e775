"""Permission sets of IAM Identity Center: what one holds, the merged inline policy, and writing it into the accounts' roles.

For ``workflow/attach.py``: ``read_permission_set``, ``merged``, ``usage``, ``read_permission_set_policies``, ``provisioned`` and
``provision``; the calls themselves are ``calls.py``'s.  A permission set has one inline policy: statements are added
to it and those of others are kept (``merge.py``).  A change reaches nobody before the set is provisioned again.
Sources: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html (quotas)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.attach.calls import Call, text_of
from mantle_iam.attach.failure import PassingError, iam_errors
from mantle_iam.attach.merge import Merged, merge
from mantle_iam.attach.names import TargetName, instance_arn, parse_name
from mantle_iam.attach.plan import (
    PERMISSION_SET_INLINE,
    Bound,
    Change,
    InlineChange,
    ManagedChange,
    State,
    Target,
    TargetKind,
    Usage,
)
from mantle_iam.attach.read import default_version
from mantle_iam.errors import InputError, MantleIamError, RefusedError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicySet, PolicyType

INLINE_BYTES: Final = 32_768
INLINE_CHARACTERS: Final = 10_240
"""Without white space."""
MANAGED_POLICIES: Final = 20
ROLE_POLICIES: Final = 10
"""IAM's default for the role that the set becomes in each account; it can be raised to 20, account by account."""

PROVISION_SECONDS: Final = 180.0
"""How long ``provision`` waits before it says that it does not know."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 10.0
_NEAREST: Final = 3
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The accounts in which a permission set is a role."""

    accounts: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    """Those whose role is not the latest: a change was made and not provisioned."""

    @property
    def needed(self) -> bool:
        """Whether there is a role to write a change to."""
        return bool(self.accounts)

    @property
    def notes(self) -> tuple[str, ...]:
        """That an earlier change is still to be written to some, in words."""
        if not self.outdated:
            return ()
        return (f"the role is not what the permission set says, until it is provisioned, in {_listed(self.outdated)}",)


def _listed(accounts: tuple[str, ...]) -> str:
    if len(accounts) <= _NEAREST:
        return " and ".join(accounts)
    return f"{', '.join(accounts[:_NEAREST])} and {len(accounts) - _NEAREST} other accounts"


def read_permission_set(sso: Any, word: str, *, instance: str | None = None) -> State:
    """What Identity Center says of the permission set ``word`` (name, ARN, or a role that was made of it) now.

    A customer managed policy, which the set names and each account has for itself, is bound with ``*`` as account.

    Args:
        sso: a boto3 client of ``sso-admin``, in the Region of the instance.
        instance: ARN of the instance; the only one there is when left out.

    Raises:
        InputError: there is no such set, no instance, or more than one.
        UndeterminedError: it could not be read.
    """
    wanted = parse_name(TargetKind.PERMISSION_SET, word)
    where = _instance(sso, wanted, instance)
    arn, name = _found(sso, where, wanted)
    target = Target(TargetKind.PERMISSION_SET, name, arn, "", Arn.parse(arn).partition, where)
    owner = _owner(target)
    with _errors(f"permission set `{name}`"):
        managed = _pages(sso, "list_managed_policies_in_permission_set", "AttachedManagedPolicies", owner)
        references = _pages(
            sso, "list_customer_managed_policy_references_in_permission_set", "CustomerManagedPolicyReferences", owner
        )
        text = str(sso.get_inline_policy_for_permission_set(**owner).get("InlinePolicy") or "")
        inline = ((PERMISSION_SET_INLINE, parse_policy(text)),) if text.strip() else ()
    bound = [
        *(Bound(policy["Name"], policy["Arn"]) for policy in managed),
        *(Bound(policy["Name"], _reference(target, policy)) for policy in references),
    ]
    return State(
        target,
        (*sorted(bound, key=lambda b: (b.name, b.arn or "")), *(Bound(found) for found, _ in inline)),
        inline,
    )


def _instance(sso: Any, wanted: TargetName, given: str | None) -> str:
    told = instance_arn(given) if given is not None else None
    if told is not None and wanted.instance_arn is not None and told != wanted.instance_arn:
        raise InputError(f"the permission set is of the instance `{wanted.instance_arn}`, not of `{told}`")
    found = told or wanted.instance_arn
    if found is not None:
        return found
    with _errors("the instances of IAM Identity Center"):
        instances = _pages(sso, "list_instances", "Instances", {})
    arns = sorted(str(instance["InstanceArn"]) for instance in instances)
    if len(arns) == 1:
        return arns[0]
    if arns:
        raise InputError("there is more than one instance of IAM Identity Center", help=f"--instance-arn {arns[0]}")
    region = wanted.region or "REGION"
    raise InputError(
        f"these credentials see no instance of IAM Identity Center in {sso.meta.region_name}",
        help=f"it is in one Region (--region {region}), and its management account or delegated administrator changes it",
    )


def _found(sso: Any, instance: str, wanted: TargetName) -> tuple[str, str]:
    """ARN and name of the permission set."""
    if wanted.arn is not None:
        with _errors(f"permission set `{wanted.arn}`"):
            return wanted.arn, _name_of(sso, instance, wanted.arn)
    others: list[str] = []
    with _errors(f"the permission sets of `{instance}`"):
        for arn in _pages(sso, "list_permission_sets", "PermissionSets", {"InstanceArn": instance}):
            name = _name_of(sso, instance, arn)
            if name == wanted.name:
                return str(arn), name
            others.append(name)
    raise InputError(f"there is no permission set `{wanted.name}`", help=_nearest(wanted.name, others))


def _nearest(name: str, others: list[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), [other.lower() for other in others], n=_NEAREST)
    meant = [other for other in others if other.lower() in near]
    return f"did you mean {' or '.join(meant[:_NEAREST])}?" if meant else None


def _name_of(sso: Any, instance: str, arn: str) -> str:
    answer = sso.describe_permission_set(InstanceArn=instance, PermissionSetArn=arn)
    return str(answer["PermissionSet"]["Name"])


def _owner(target: Target) -> dict[str, str]:
    return {"InstanceArn": str(target.instance_arn), "PermissionSetArn": target.arn}


def _reference(target: Target, policy: Any) -> str:
    return f"arn:{target.partition}:iam::*:policy{policy.get('Path') or '/'}{policy['Name']}"


def _pages(sso: Any, operation: str, key: str, owner: dict[str, str]) -> list[Any]:
    pages = sso.get_paginator(operation).paginate(**owner, PaginationConfig={"PageSize": _PAGE})
    return [item for page in pages for item in page.get(key, ())]


def merge_into(state: State, document: PolicyDocument) -> Merged:
    """The inline policy of the set with the statements of ``document``, and which of them are new.

    Raises:
        InputError: a Sid is taken by something else (``merge``).
    """
    return merge(state.inline_named(PERMISSION_SET_INLINE), document)


def merged(state: State, document: PolicyDocument) -> InlineChange:
    """The change that gives the set the statements of ``document``; the same again when it has them.

    Raises:
        InputError: a Sid is taken by something else (``merge``).
    """
    return InlineChange(PERMISSION_SET_INLINE, merge_into(state, document).document)


def usage(state: State, changes: tuple[Change, ...]) -> tuple[Usage, ...]:
    """Every quota of a permission set that ``changes`` count towards."""
    return tuple(_usage(state, changes))


def _usage(state: State, changes: tuple[Change, ...]) -> Iterator[Usage]:
    now = {bound.arn for bound in state.policies if bound.arn is not None}
    attached = now | {change.arn for change in changes if isinstance(change, ManagedChange)}
    if attached != now:
        yield Usage("managed policies in a permission set", len(attached), MANAGED_POLICIES, now=len(now))
        what = "managed policies attached to its role, in each account"
        yield Usage(what, len(attached), ROLE_POLICIES, known=False, adjustable=True, now=len(now))
    before = state.inline_named(PERMISSION_SET_INLINE)
    for change in changes:
        if isinstance(change, InlineChange):
            old, new = text_of(before) if before is not None else "", text_of(change.document)
            what = "characters of the inline policy without white space"
            yield Usage(what, _dense(new), INLINE_CHARACTERS, now=_dense(old))
            yield Usage("bytes of the inline policy", len(new.encode()), INLINE_BYTES, now=len(old.encode()))


def _dense(text: str) -> int:
    return len("".join(text.split()))


def read_permission_set_policies(sso: Any, iam: Any, state: State) -> tuple[PolicySet, tuple[str, ...]]:
    """The policies that bind whoever uses the set, and what is not known of them, in sentences.

    Each account has its own service control policies, and its own text of a customer managed policy: both are unknown here.

    Args:
        iam: a boto3 client of IAM that reads the texts of AWS's managed policies; ``None`` leaves them unknown.
    """
    documents = [document for _, document in state.inline]
    notes = ["the service control policies of the accounts that the set is used in were not read"]
    unknown = {PolicyType.SCP}
    for bound in state.policies:
        if bound.arn is None:
            continue
        read = _managed(iam, bound.arn)
        if isinstance(read, PolicyDocument):
            documents.append(read)
        else:
            unknown.add(PolicyType.IDENTITY)
            notes.append(f"policy {bound.name}: {read}")
    boundary = _boundary(sso, iam, state.target)
    if isinstance(boundary, str):
        unknown.add(PolicyType.PERMISSIONS_BOUNDARY)
        notes.append(f"the permissions boundary: {boundary}")
    return (
        PolicySet(
            identity=tuple(documents),
            permissions_boundary=(boundary,) if isinstance(boundary, PolicyDocument) else None,
            unknown=frozenset(unknown),
        ),
        tuple(notes),
    )


def _managed(iam: Any, arn: str) -> PolicyDocument | str:
    """The text of a managed policy, or why it is not known."""
    if Arn.parse(arn).account != "aws":
        return "each account has a text of its own, which was not read"
    if iam is None:
        return "its text was not read"
    try:
        return default_version(iam, arn)[0]
    except MantleIamError as error:
        return error.message


def _boundary(sso: Any, iam: Any, target: Target) -> PolicyDocument | str | None:
    """The text of the boundary, or why it is not known; ``None`` when there is none."""
    try:
        with _errors(f"the permissions boundary of permission set `{target.name}`"):
            try:
                answer = sso.get_permissions_boundary_for_permission_set(**_owner(target))
            except sso.exceptions.ResourceNotFoundException:
                return None
    except MantleIamError as error:
        return error.message
    boundary = answer.get("PermissionsBoundary") or {}
    if "ManagedPolicyArn" in boundary:
        return _managed(iam, boundary["ManagedPolicyArn"])
    if "CustomerManagedPolicyReference" in boundary:
        return _managed(iam, _reference(target, boundary["CustomerManagedPolicyReference"]))
    return None


def provisioned(sso: Any, target: Target) -> Provisioned:
    """The accounts in which the set is a role; a change must be written to them (``calls.provision``) when there are any.

    Raises:
        UndeterminedError: they could not be read.
    """
    with _errors(f"the accounts of permission set `{target.name}`"):
        owner = _owner(target)
        operation = "list_accounts_for_provisioned_permission_set"
        accounts = _pages(sso, operation, "AccountIds", owner)
        behind = _pages(
            sso, operation, "AccountIds", {**owner, "ProvisioningStatus": "LATEST_PERMISSION_SET_NOT_PROVISIONED"}
        )
    return Provisioned(tuple(sorted(accounts)), tuple(sorted(behind)))


def provision(
    sso: Any,
    target: Target,
    call: Call,
    *,
    sleep: Callable[[float], object],
    progress: Callable[[str], object] = lambda _: None,
    seconds: float = PROVISION_SECONDS,
) -> str:
    """Write the set into the roles of its accounts, wait for the end, and say in words what it was.

    Args:
        call: ``calls.provision`` of the set.
        sleep: waits so many seconds.
        progress: is told in words that it goes on.
        seconds: how long to wait in all.

    Raises:
        RefusedError: it is not allowed, or ended in a failure.
        UndeterminedError: it did not end in time, or cannot be asked after.
    """
    pauses = _pauses(seconds)
    status = _begin(sso, target, call, pauses, sleep, progress)
    request = str(status.get("RequestId", ""))
    instance = call.parameter("InstanceArn")
    while status.get("Status") not in ("SUCCEEDED", "FAILED"):
        pause = next(pauses, None)
        if pause is None:
            raise UndeterminedError(
                f"the provisioning of {target} has not ended after {seconds:g} s",
                help="ask again: aws sso-admin describe-permission-set-provisioning-status"
                f" --instance-arn {instance} --provision-permission-set-request-id {request}",
            )
        progress("waiting for the roles in the accounts to be written")
        sleep(pause)
        with _errors(f"the provisioning of {target}"):
            status = sso.describe_permission_set_provisioning_status(
                InstanceArn=instance, ProvisionPermissionSetRequestId=request
            )["PermissionSetProvisioningStatus"]
    if status["Status"] == "FAILED":
        reason = " ".join(str(status.get("FailureReason") or "no reason was given").split()).rstrip(".")
        raise RefusedError(
            f"the roles of {target} could not be written in its accounts: {reason}",
            help="the set itself is changed: remove the cause and attach again, which writes them, or take it back",
        )
    return "the roles in its accounts are written"


def _pauses(seconds: float) -> Iterator[float]:
    """Longer and longer ones, ``seconds`` in all at most."""
    left, pause = seconds, _FIRST_PAUSE
    while left >= pause:
        yield pause
        left, pause = left - pause, min(pause * 2, _LONGEST_PAUSE)


def _begin(
    sso: Any,
    target: Target,
    call: Call,
    pauses: Iterator[float],
    sleep: Callable[[float], object],
    progress: Callable[[str], object],
) -> dict[str, Any]:
    """Start the provisioning; while another one goes on, wait for it.  To start it twice does no harm."""
    while True:
        try:
            with _errors(str(target), changing=True):
                answer = sso.provision_permission_set(**dict(call.parameters))
        except PassingError as error:
            pause = next(pauses, None)
            if pause is None:
                raise
            progress(f"{error}: again in {pause:g} s")
            sleep(pause)
        else:
            status: dict[str, Any] = answer["PermissionSetProvisioningStatus"]
            return status


def _errors(subject: str, *, changing: bool = False) -> AbstractContextManager[None]:
    return iam_errors(subject, changing=changing, service="IAM Identity Center")
