"""What somebody must be allowed to do who plans, applies, verifies and undoes an attachment, and the smallest policy for it.

``reading_rights`` is for planning and verifying, ``calling_rights`` for the calls of a plan (or what is left of one), ``needs``
for all of it before anything is read: every call that the changes may come to, there and back.  ``policy_for`` writes any of
them as a policy; ``rights_of_calls`` and ``needs_policy`` do both at once.  Knows no client and no state.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html and its
neighbours for ``sso`` and ``organizations``: which resource types and condition keys an action has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.attach import calls
from mantle_iam.attach.calls import IAM, Call
from mantle_iam.attach.names import TargetName
from mantle_iam.attach.plan import PERMISSION_SET_INLINE, Change, CustomerChange, InlineChange
from mantle_iam.attach.target import Target, TargetKind
from mantle_iam.errors import UndeterminedError
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet

POLICY_KEY: Final = "iam:PolicyARN"
_ANY: Final = ("*",)
_ACCOUNT: Final = "111122223333"
_SCP: Final = (("organizations:PolicyType", "SERVICE_CONTROL_POLICY"),)
_OPERATORS: Final = {POLICY_KEY: "ArnEquals", "organizations:PolicyType": "StringEquals"}


@dataclass(frozen=True, slots=True)
class Right:
    """One action on resources, every one of which a single call may need."""

    action: str
    resources: tuple[str, ...]
    purpose: str
    """Becomes the Sid: letters and digits."""
    context: tuple[tuple[str, str], ...] = ()
    """Condition keys that every call carries, and the value of each."""
    required: bool = True
    """``False``: without it the plan goes on, and says what it could not find out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A target as far as it is known: patterns where it is not."""

    kind: TargetKind
    arns: tuple[str, ...]
    partition: str = "aws"
    account: str = "*"
    instance_arn: str = ""
    """For a permission set; may be a pattern."""


def subject_of(target: Target) -> Subject:
    """A target that was read: all of it is known."""
    return Subject(target.kind, (target.arn,), target.partition, target.account or "*", target.instance_arn or "")


def subject_named(
    name: TargetName, *, partition: str | None = None, account: str | None = None, instance_arn: str | None = None
) -> Subject:
    """A target of which only the name is known.  What the name does not tell, the arguments may."""
    where = name.partition or partition or "aws"
    owner = name.account or account or "*"
    if name.kind is TargetKind.PERMISSION_SET:
        instance = name.instance_arn or instance_arn or f"arn:{where}:sso:::instance/*"
        own = name.arn or f"arn:{where}:sso:::permissionSet/{instance.rpartition('/')[2]}/*"
        return Subject(name.kind, (own,), where, owner, instance)
    before = f"arn:{where}:iam::{owner}:{name.kind.value}"
    # A name is unique in its account; where its path is not known, it has none or any.
    paths = ("/", "/*/") if name.path is None else (name.path,)
    return Subject(name.kind, tuple(f"{before}{path}{name.name}" for path in paths), where, owner)


def reading_rights(subject: Subject, changes: tuple[Change, ...] = (), *, scps: bool = True) -> tuple[Right, ...]:
    """What reading the target and everything that binds it needs.  ``scps``: Organizations is asked too."""
    return tuple(_reading(subject, changes, scps=scps))


def _reading(subject: Subject, changes: tuple[Change, ...], *, scps: bool) -> Iterator[Right]:
    texts: tuple[str, ...] = (f"arn:{subject.partition}:iam::aws:policy/*",)
    if subject.kind is TargetKind.PERMISSION_SET:
        yield from _reading_set(subject)
    else:
        yield from _reading_entity(subject)
        texts = (*texts, f"arn:{subject.partition}:iam::{subject.account}:policy/*")
        if scps:
            yield from _reading_organization(subject)
    for name in ("GetPolicy", "GetPolicyVersion"):
        yield Right(f"iam:{name}", texts, "ReadManagedPolicies", required=False)
    customer = tuple(dict.fromkeys(change.arn for change in changes if isinstance(change, CustomerChange)))
    if customer:
        yield Right("iam:ListPolicyVersions", customer, "ReadVersions")
        # Asked only when the answer to CreatePolicy was lost.
        yield Right("iam:ListPolicies", _ANY, "FindPolicy", required=False)


def _reading_entity(subject: Subject) -> Iterator[Right]:
    title = subject.kind.in_api
    for name in (f"Get{title}", f"ListAttached{title}Policies", f"List{title}Policies"):
        yield Right(f"iam:{name}", subject.arns, f"Read{title}")
    yield Right(f"iam:Get{title}Policy", subject.arns, f"Read{title}", required=False)
    if subject.kind is TargetKind.USER:
        yield Right("iam:ListGroupsForUser", subject.arns, "ReadUser", required=False)
        groups = (f"arn:{subject.partition}:iam::{subject.account}:group/*",)
        for name in ("ListAttachedGroupPolicies", "ListGroupPolicies", "GetGroupPolicy"):
            yield Right(f"iam:{name}", groups, "ReadGroups", required=False)
    yield Right("iam:GetAccountSummary", _ANY, "ReadQuotas", required=False)


def _reading_organization(subject: Subject) -> Iterator[Right]:
    before = f"arn:{subject.partition}:organizations::*"
    account, unit, root = f"{before}:account/o-*/{subject.account}", f"{before}:ou/o-*/ou-*", f"{before}:root/o-*/r-*"
    texts = (
        f"{before}:policy/o-*/service_control_policy/p-*",
        f"arn:{subject.partition}:organizations::aws:policy/service_control_policy/p-*",
    )
    for name in ("DescribeOrganization", "ListRoots"):
        yield Right(f"organizations:{name}", _ANY, "ReadOrganization", required=False)
    yield Right("organizations:ListParents", (account, unit), "ReadOrganizationTree", required=False)
    yield Right(
        "organizations:ListPoliciesForTarget", (account, unit, root), "ListServiceControlPolicies", _SCP, required=False
    )
    yield Right("organizations:DescribePolicy", texts, "ReadServiceControlPolicies", _SCP, required=False)


def _reading_set(subject: Subject) -> Iterator[Right]:
    own = (subject.instance_arn, *subject.arns)
    if subject.instance_arn.endswith("*"):
        yield Right("sso:ListInstances", _ANY, "FindInstance")
    if subject.arns[0].endswith("*"):
        yield Right("sso:ListPermissionSets", (subject.instance_arn,), "FindPermissionSet")
    for name in (
        "DescribePermissionSet",
        "GetInlinePolicyForPermissionSet",
        "ListManagedPoliciesInPermissionSet",
        "ListCustomerManagedPolicyReferencesInPermissionSet",
        "ListAccountsForProvisionedPermissionSet",
    ):
        yield Right(f"sso:{name}", own, "ReadPermissionSet")
    yield Right("sso:GetPermissionsBoundaryForPermissionSet", own, "ReadPermissionSet", required=False)


def calling_rights(subject: Subject, planned: Iterable[Call]) -> tuple[Right, ...]:
    """What sending these calls needs."""
    return tuple(dict.fromkeys(right for call in planned for right in _of_call(subject, call)))


def _of_call(subject: Subject, call: Call) -> Iterator[Right]:
    title = subject.kind.in_api
    if call.service != IAM:
        own = (subject.instance_arn, *subject.arns)
        if call.operation != "ProvisionPermissionSet":
            yield Right(call.action, own, "ChangePermissionSet")
            return
        accounts = f"arn:{subject.partition}:sso:::account/*"
        yield Right(call.action, (*own, accounts), "ProvisionPermissionSet")
        yield Right("sso:DescribePermissionSetProvisioningStatus", (subject.instance_arn,), "WaitForProvisioning")
        return
    policy = call.parameter("PolicyArn")
    if call.operation == "CreatePolicy":
        before = f"arn:{subject.partition}:iam::{subject.account}:policy"
        made = f"{before}{call.parameter('Path') or '/'}{call.parameter('PolicyName')}"
        yield Right(call.action, (made,), "ChangePolicy")
    elif call.operation in (f"Attach{title}Policy", f"Detach{title}Policy"):
        yield Right(call.action, subject.arns, f"AttachTo{title}", ((POLICY_KEY, policy),))
    elif policy:
        yield Right(call.action, (policy,), "ChangePolicy")
    else:
        yield Right(call.action, subject.arns, f"Change{title}")


def needs(subject: Subject, changes: tuple[Change, ...], *, scps: bool = True) -> tuple[Right, ...]:
    """All that planning, applying, verifying and undoing ``changes`` may need, whatever is there now."""
    planned = [call for change in changes for call in _possible(subject, change)]
    if subject.kind is TargetKind.PERMISSION_SET and planned:
        planned.append(calls.provision(_stand_in(subject)))
    return (*reading_rights(subject, changes, scps=scps), *calling_rights(subject, planned))


def _stand_in(subject: Subject) -> Target:
    name = subject.arns[0].rpartition("/")[2]
    return Target(subject.kind, name, subject.arns[0], subject.account, subject.partition, subject.instance_arn or None)


def _possible(subject: Subject, change: Change) -> Iterator[Call]:
    """Every call that ``change`` or its undo may come to."""
    target = _stand_in(subject)
    if isinstance(change, InlineChange):
        name = PERMISSION_SET_INLINE if subject.kind is TargetKind.PERMISSION_SET else change.name
        yield calls.put_inline(target, name, change.document)
        yield calls.delete_inline(target, name)
        return
    if isinstance(change, CustomerChange):
        yield calls.create_policy(change.name, change.document)
        yield calls.create_version(change.arn, change.document, default=True)
        yield calls.set_default(change.arn, "v1")
        yield calls.delete_version(change.arn, "v1")
        yield calls.delete_policy(change.arn)
    yield calls.attach_managed(target, change.arn)
    yield calls.detach_managed(target, change.arn)


def rights_of_calls(target: Target, planned: Iterable[Call]) -> PolicyDocument:
    """The smallest policy that lets these calls through."""
    return policy_for(calling_rights(subject_of(target), planned))


def needs_policy(subject: Subject, changes: tuple[Change, ...], *, scps: bool = True) -> PolicyDocument:
    """The smallest policy for all that ``needs`` names."""
    return policy_for(needs(subject, changes, scps=scps))


def policy_for(rights: Iterable[Right]) -> PolicyDocument:
    """The smallest policy that gives ``rights``: one statement for those of the same purpose, resources and conditions.

    Raises:
        UndeterminedError: it does not give one of them, which is a defect of this module.
    """
    asked = tuple(rights)
    statements = _statements(asked)
    names = [statement.sid for statement in statements]
    document = PolicyDocument(
        tuple(
            statement
            if names.count(statement.sid) == 1
            else replace(statement, sid=f"{statement.sid}{names[:index].count(statement.sid) + 1}")
            for index, statement in enumerate(statements)
        )
    )
    missing = unmet(document, asked)
    if missing:
        raise UndeterminedError(f"the policy could not be proven to allow {missing[0].action}")
    return document


def _statements(rights: tuple[Right, ...]) -> list[Statement]:
    """Actions of the same kind in one statement, then the values of a condition where all else is the same."""
    actions: dict[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], set[str]] = {}
    for right in rights:
        actions.setdefault((right.purpose, right.resources, right.context), set()).add(right.action)
    values: dict[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], list[tuple[str, ...]]] = {}
    for (purpose, resources, context), names in actions.items():
        keys, row = tuple(key for key, _ in context), tuple(value for _, value in context)
        values.setdefault((purpose, resources, keys, tuple(sorted(names))), []).append(row)
    return [
        Statement(
            Effect.ALLOW,
            actions=names,
            resources=resources,
            conditions=tuple(
                Condition(_OPERATORS[key], key, tuple(sorted({row[index] for row in rows})))
                for index, key in enumerate(keys)
            ),
            sid=purpose,
        )
        for (purpose, resources, keys, names), rows in values.items()
    ]


def unmet(document: PolicyDocument, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Those of ``rights`` that ``document`` does not give to somebody of the account that owns the resources."""
    policies = PolicySet(identity=(document,))
    return tuple(right for right in rights if evaluate(_request(right), policies).decision is not Decision.ALLOWED)


def _request(right: Right) -> AuthorizationRequest:
    return AuthorizationRequest(
        f"arn:aws:iam::{_ACCOUNT}:user/somebody",
        right.action,
        right.resources,
        resource_account=_ACCOUNT,
        context=dict(right.context),
    )
