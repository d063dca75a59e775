"""One call of an AWS API as a record, and the AWS CLI line that makes the same call.

Which calls attach and take back a policy, for each kind of target.  Sends nothing.
Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html,
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from mantle_iam.attach.target import Target, TargetKind
from mantle_iam.iam.grammar import policy_json
from mantle_iam.iam.policy import PolicyDocument

IAM = "iam"
SSO = "sso-admin"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``operation`` and parameter names as the API has them (``AttachUserPolicy``, ``PolicyArn``)."""

    service: str
    """``iam`` or ``sso-admin``, as boto3 and the AWS CLI call them."""
    operation: str
    parameters: tuple[tuple[str, str | bool], ...]

    @property
    def action(self) -> str:
        """The IAM action that the call needs."""
        return f"{'sso' if self.service == SSO else self.service}:{self.operation}"

    @property
    def command(self) -> str:
        """The AWS CLI line that does the same."""
        words = ["aws", self.service, _kebab(self.operation)]
        for name, value in self.parameters:
            option = f"--{_kebab(name)}"
            if isinstance(value, bool):
                words.append(option if value else f"--no-{option[2:]}")
            elif value.startswith("-"):
                # `--name=-x` cannot be taken for an option of its own.
                words.append(f"{option}={value}")
            else:
                words.extend([option, value])
        return shlex.join(words)

    def parameter(self, name: str) -> str:
        """The value of the parameter ``name``; empty when there is none."""
        return str(dict(self.parameters).get(name, ""))


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a plan, and in words what it does: ``attach AmazonBedrockMantleReadOnly``."""

    does: str
    call: Call


def _kebab(name: str) -> str:
    """``PolicyArn`` as ``policy-arn``."""
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _owner(target: Target) -> tuple[tuple[str, str | bool], ...]:
    if target.kind is TargetKind.PERMISSION_SET:
        return (("InstanceArn", target.instance_arn or ""), ("PermissionSetArn", target.arn))
    return ((f"{target.kind.in_api}Name", target.name),)


def text_of(document: PolicyDocument) -> str:
    """A document as it is sent: without white space; what IAM does not take (beyond U+00FF) as JSON escapes.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html
    """
    text = policy_json(document, indent=None)
    # Outside of strings JSON has ASCII only, so that any such character stands in a string.
    return text if text.isascii() else "".join(c if c <= "\xff" else json.dumps(c)[1:-1] for c in text)


def size_of(document: PolicyDocument) -> int:
    """Characters that AWS counts of what is sent: all but white space, as far as is known also those in strings."""
    return sum(not c.isspace() for c in text_of(document))


def put_inline(target: Target, name: str, document: PolicyDocument) -> Call:
    """Put ``document`` as the inline policy ``name``."""
    if target.kind is TargetKind.PERMISSION_SET:
        parameters = (*_owner(target), ("InlinePolicy", text_of(document)))
        return Call(SSO, "PutInlinePolicyToPermissionSet", parameters)
    parameters = (*_owner(target), ("PolicyName", name), ("PolicyDocument", text_of(document)))
    return Call(IAM, f"Put{target.kind.in_api}Policy", parameters)


def delete_inline(target: Target, name: str) -> Call:
    """Delete the inline policy ``name``."""
    if target.kind is TargetKind.PERMISSION_SET:
        return Call(SSO, "DeleteInlinePolicyFromPermissionSet", _owner(target))
    return Call(IAM, f"Delete{target.kind.in_api}Policy", (*_owner(target), ("PolicyName", name)))


def attach_managed(target: Target, arn: str) -> Call:
    """Attach the managed policy ``arn``."""
    if target.kind is TargetKind.PERMISSION_SET:
        return Call(SSO, "AttachManagedPolicyToPermissionSet", (*_owner(target), ("ManagedPolicyArn", arn)))
    return Call(IAM, f"Attach{target.kind.in_api}Policy", (*_owner(target), ("PolicyArn", arn)))


def detach_managed(target: Target, arn: str) -> Call:
    """Detach the managed policy ``arn``."""
    if target.kind is TargetKind.PERMISSION_SET:
        return Call(SSO, "DetachManagedPolicyFromPermissionSet", (*_owner(target), ("ManagedPolicyArn", arn)))
    return Call(IAM, f"Detach{target.kind.in_api}Policy", (*_owner(target), ("PolicyArn", arn)))


def provision(target: Target) -> Call:
    """Write a changed permission set into the roles of every account that has it; it ends later than it answers."""
    return Call(SSO, "ProvisionPermissionSet", (*_owner(target), ("TargetType", "ALL_PROVISIONED_ACCOUNTS")))


def create_policy(name: str, document: PolicyDocument) -> Call:
    """Create a customer managed policy."""
    return Call(IAM, "CreatePolicy", (("PolicyName", name), ("PolicyDocument", text_of(document))))


def delete_policy(arn: str) -> Call:
    """Delete a customer managed policy that has one version and is attached nowhere."""
    return Call(IAM, "DeletePolicy", (("PolicyArn", arn),))


def create_version(arn: str, document: PolicyDocument, *, default: bool) -> Call:
    """Give a customer managed policy another version."""
    parameters = (("PolicyArn", arn), ("PolicyDocument", text_of(document)), ("SetAsDefault", default))
    return Call(IAM, "CreatePolicyVersion", parameters)


def delete_version(arn: str, version: str) -> Call:
    """Delete a version that is not the default one."""
    return Call(IAM, "DeletePolicyVersion", (("PolicyArn", arn), ("VersionId", version)))


def set_default(arn: str, version: str) -> Call:
    """Put another version of a customer managed policy in force."""
    return Call(IAM, "SetDefaultPolicyVersion", (("PolicyArn", arn), ("VersionId", version)))
