"""From a principal to the identity that a policy goes to, and the command lines that attach it.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import shlex
import string
from binascii import crc32

from mantle_iam.iam.arn import Arn
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.credential import Credential
from mantle_iam.report.proposal import POLICY_FILE, Target, TargetKind

_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "+=,.@_-")
_LONGEST_NAME = 64
_SSO_PREFIX = "AWSReservedSSO_"


def find_target(principal: str | None, credential: Credential | None = None) -> tuple[Target | None, str | None]:
    """The identity to attach a policy to, and a note where there is none or it is special."""
    arn = Arn.try_parse(principal) if principal else None
    if arn is None or arn.service not in ("iam", "sts"):
        if credential is not None and credential.user_name and _is_name(credential.user_name):
            return Target(TargetKind.USER, credential.user_name, credential.account), None
        return None, "attach it to the user or role that makes the call; the refusal does not say which that is"
    account = arn.account if arn.account.isdigit() else None
    kind, _, path = arn.resource.partition("/")
    if kind == "user":
        return _named(TargetKind.USER, path.rpartition("/")[2], account)
    if kind == "assumed-role":
        return _role(path.partition("/")[0], account)
    if kind == "role":
        if path.startswith("aws-service-role/"):
            return None, "the caller is a service-linked role; AWS alone decides what it may do"
        return _role(path.rpartition("/")[2], account)
    if kind == "federated-user":
        return None, "attach it to the user that called GetFederationToken, and allow the same in the session policy"
    if kind == "root":
        return None, "the caller is the account's root user, which no identity policy limits; look at SCPs"
    return None, f"`{arn.resource.partition('/')[0]}` is no identity that a policy can be attached to"


def _role(name: str, account: str | None) -> tuple[Target | None, str | None]:
    if not name.startswith(_SSO_PREFIX):
        return _named(TargetKind.ROLE, name, account)
    # AWSReservedSSO_<permission set>_<16 hexadecimal digits>
    permission_set = name.removeprefix(_SSO_PREFIX).rpartition("_")[0] or name
    target, note = _named(TargetKind.PERMISSION_SET, permission_set, account)
    return target, note or (
        f"IAM Identity Center writes this role: the statements go into the inline policy of the permission set "
        f"{permission_set}, which is then provisioned again, with credentials of the organization's management account"
    )


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and _NAME_CHARACTERS.issuperset(name)


def _named(kind: TargetKind, name: str, account: str | None) -> tuple[Target | None, str | None]:
    if not _is_name(name):
        return None, f"the {kind.value} in the refusal has no name that IAM accepts; attach the policy to the real one"
    return Target(kind, name, account), None


def policy_name(document: PolicyDocument) -> str:
    """A name for the inline policy: the same document, the same name; another one does not overwrite it."""
    return f"mantle-iam-{crc32(repr(document.statements).encode()):08x}"


def attach_commands(target: Target | None, document: PolicyDocument) -> tuple[str, ...]:
    """Command lines that attach ``document``, saved as ``POLICY_FILE``, to ``target``; ours first, then AWS's.

    AWS's command for a permission set would put ``document`` in the place of all that its one inline policy holds.
    """
    if target is None:
        return ()
    kind, name = target.kind.value, policy_name(document)
    ours = ["mantle-iam", "attach", "--policy", POLICY_FILE, *_option(f"--{kind}", target.name)]
    if target.kind is TargetKind.PERMISSION_SET:
        return (shlex.join(ours),)
    aws = ["aws", "iam", f"put-{kind}-policy", *_option(f"--{kind}-name", target.name), "--policy-name", name]
    return shlex.join(ours), shlex.join([*aws, "--policy-document", f"file://{POLICY_FILE}"])


def managed_command(target: Target | None, short_name: str) -> str | None:
    """The command line that attaches a managed policy instead."""
    if target is None:
        return None
    return shlex.join(
        ["mantle-iam", "attach", "--managed", short_name, *_option(f"--{target.kind.value}", target.name)]
    )


def _option(option: str, value: str) -> tuple[str, ...]:
    """The option and its value in a way that a value beginning with ``-`` is not taken for an option."""
    return (f"{option}={value}",) if value.startswith("-") else (option, value)
