"""Whom somebody means who wrote a name, a name behind its path, or an ARN.

Decides from the text alone; whether IAM has such a one is ``apply.py``'s and ``permission_set.py``'s to ask.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (names, paths, ARNs),
https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html (roles of permission sets),
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PermissionSet.html (their names and ARNs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mantle_iam.attach.plan import TargetKind
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn

NAME_LIMITS: Final = {
    TargetKind.USER: 128,
    TargetKind.GROUP: 128,
    TargetKind.ROLE: 64,
    TargetKind.PERMISSION_SET: 32,
}
"""Characters that the API takes in the name of an existing one."""

PATH_LIMIT: Final = 512
"""Characters in a path, with its slashes."""

_SHOWN: Final = 120
_LINKED: Final = "/aws-service-role/"
_RESERVED: Final = "/aws-reserved/"
_OF_SETS: Final = "/aws-reserved/sso.amazonaws.com/"
_SET_ROLE: Final = "AWSReservedSSO_"
_SUFFIX: Final = 16
_ALPHABET: Final = "letters, digits and any of + = , . @ _ -"


@dataclass(frozen=True, slots=True)
class TargetName:
    """Whom a text names, as far as the text tells."""

    kind: TargetKind
    name: str
    """Without its path; empty for a permission set that is named by its ARN."""
    path: str | None = None
    """From slash to slash; ``None`` where the text does not tell it (a bare name, a session's ARN)."""
    account: str | None = None
    """Twelve digits; ``None`` where the text does not tell it.  A permission set has none."""
    partition: str | None = None
    region: str | None = None
    """Where IAM Identity Center is, when the role of a permission set tells it."""
    arn: str | None = None
    """ARN of the permission set, when it was given."""
    instance_arn: str | None = None
    """ARN of its instance of IAM Identity Center, when the ARN of the permission set tells it."""


def target_name(kind: TargetKind, text: str) -> tuple[str, str | None]:
    """Name and account of ``parse_name``.

    Raises:
        InputError: as ``parse_name``.
    """
    found = parse_name(kind, text)
    return found.name, found.account


def parse_name(kind: TargetKind, text: str) -> TargetName:
    """Whom ``text`` names: a name, a name behind its path, an ARN, a session's ARN.

    For a permission set also the name or ARN of a role that IAM Identity Center made of it, or of a session of that role.

    Raises:
        InputError: it is the ARN of something else, a name that IAM does not have, or a role that AWS alone may change.
    """
    written = text.strip()
    if not written.startswith("arn:"):
        return _named(kind, *_split(written, text), None, text)
    arn = Arn.parse(written) if written.count(":") >= 5 else None
    if arn is None or not _is_partition(arn.partition):
        raise InputError(
            f"`{_short(text)}` is not an ARN", help="an ARN reads arn:partition:service:region:account:resource"
        )
    if kind is TargetKind.PERMISSION_SET and arn.service == "sso":
        return _permission_set(arn, text)
    path, name = _of_arn(kind, arn, text)
    return _named(kind, path, name, arn, text)


def instance_arn(text: str) -> str:
    """``text``, when it is the ARN of an instance of IAM Identity Center.

    Raises:
        InputError: it is not.
    """
    arn = Arn.try_parse(text)
    kind, _, instance = arn.resource.partition("/") if arn is not None else ("", "", "")
    if arn is None or not _of_identity_center(arn) or kind != "instance" or not _is_instance(instance):
        raise InputError(
            f"`{_short(text)}` is not the ARN of an IAM Identity Center instance",
            help="it reads arn:aws:sso:::instance/ssoins-… and is in the settings of IAM Identity Center",
        )
    return str(arn)


def permission_set_of(role: str) -> str | None:
    """The name of the permission set whose role is called ``role``; ``None`` when it is no such role.

    The name is ``AWSReservedSSO_``, the permission set's, ``_`` and sixteen hexadecimal digits.
    """
    if not role.startswith(_SET_ROLE):
        return None
    name, mark, suffix = role.removeprefix(_SET_ROLE).rpartition("_")
    hexadecimal = len(suffix) == _SUFFIX and all(c in "0123456789abcdef" for c in suffix)
    return name if name and mark and hexadecimal else None


def _split(written: str, text: str) -> tuple[str | None, str]:
    """Path and name of something without an ARN around it."""
    before, slash, name = written.rstrip("/").rpartition("/")
    if not slash:
        return None, name
    return _path(f"/{before.strip('/')}/" if before.strip("/") else "/", text), name


def _path(path: str, text: str) -> str:
    if len(path) > PATH_LIMIT or not all("!" <= c <= "\x7f" for c in path):
        raise InputError(
            f"the path in `{_short(text)}` is not one that IAM takes",
            help=f"up to {PATH_LIMIT} ASCII characters without spaces, between slashes",
        )
    return path


def _of_arn(kind: TargetKind, arn: Arn, text: str) -> tuple[str | None, str]:
    """Path and name in the ARN of a user, group or role, or of a session of a role."""
    wanted = TargetKind.ROLE if kind is TargetKind.PERMISSION_SET else kind
    found, _, rest = arn.resource.partition("/")
    session = arn.service == "sts" and found == "assumed-role" and wanted is TargetKind.ROLE
    if not session and (arn.service != "iam" or found != wanted.value or not rest):
        raise InputError(f"`{_short(text)}` is not the ARN of a {_words(kind)}", help=_meant(arn, found))
    if arn.region or not (len(arn.account) == 12 and arn.account.isascii() and arn.account.isdigit()):
        raise InputError(f"`{_short(text)}` is not an ARN that IAM has", help="the account is twelve digits")
    if session:
        # The ARN of a session holds the role's name without its path.
        return None, rest.partition("/")[0]
    before, _, name = rest.rstrip("/").rpartition("/")
    return _path(f"/{before}/" if before else "/", text), name


def _meant(arn: Arn, found: str) -> str | None:
    options = {
        ("iam", "user"): "--user",
        ("iam", "role"): "--role",
        ("iam", "group"): "--group",
        ("sts", "assumed-role"): "--role",
        ("sso", "permissionSet"): "--permission-set",
    }
    option = options.get((arn.service, found))
    return f"it goes with {option}" if option else None


def _named(kind: TargetKind, path: str | None, name: str, arn: Arn | None, text: str) -> TargetName:
    if path is not None and path.startswith(_LINKED):
        raise InputError(f"`{_short(text)}` is a service-linked role", help="AWS alone decides what it may do")
    account, partition = (arn.account, arn.partition) if arn is not None else (None, None)
    if kind is TargetKind.PERMISSION_SET:
        return _set_named(name, path, partition, given_as_role=arn is not None, text=text)
    _check(kind, name, text)
    if kind is TargetKind.ROLE and name.startswith(_SET_ROLE):
        raise InputError(
            f"the role `{name}` is written by IAM Identity Center",
            help=f"change its permission set instead: --permission-set {permission_set_of(name) or 'NAME'}",
        )
    if kind is TargetKind.ROLE and path is not None and path.startswith(_RESERVED):
        raise InputError(f"the role `{name}` is written by AWS", help="AWS alone decides what it may do")
    return TargetName(kind, name, path, account, partition)


def _set_named(name: str, path: str | None, partition: str | None, *, given_as_role: bool, text: str) -> TargetName:
    """A permission set by its own name, or by the role that was made of it."""
    of_role = permission_set_of(name)
    if given_as_role and of_role is None:
        raise InputError(f"the role in `{_short(text)}` was not made from a permission set", help="it goes with --role")
    if of_role is None and path is not None:
        raise InputError(f"`{_short(text)}` is not the name of a permission set", help="it has no path")
    meant = of_role or name
    _check(TargetKind.PERMISSION_SET, meant, text)
    region = None
    if path is not None and f"{path}/".startswith(_OF_SETS):
        # The Region is left out of the path where it is us-east-1.
        region = path.removeprefix(_OF_SETS).strip("/") or "us-east-1"
    return TargetName(TargetKind.PERMISSION_SET, meant, partition=partition, region=region)


def _permission_set(arn: Arn, text: str) -> TargetName:
    kind, _, rest = arn.resource.partition("/")
    instance, _, own = rest.partition("/")
    if not (_of_identity_center(arn) and kind == "permissionSet" and _is_instance(instance) and _is_own(own)):
        raise InputError(
            f"`{_short(text)}` is not the ARN of a permission set",
            help="it reads arn:aws:sso:::permissionSet/ssoins-…/ps-…",
        )
    return TargetName(
        TargetKind.PERMISSION_SET,
        "",
        partition=arn.partition,
        arn=str(arn),
        instance_arn=f"arn:{arn.partition}:sso:::instance/{instance}",
    )


def _of_identity_center(arn: Arn) -> bool:
    return _is_partition(arn.partition) and (arn.service, arn.region, arn.account) == ("sso", "", "")


def _is_instance(text: str) -> bool:
    own = text.removeprefix("sso").removeprefix("ins-")
    return text.startswith(("ssoins-", "ins-")) and len(own) == 16 and all(_is_word(c) or c in "-." for c in own)


def _is_own(text: str) -> bool:
    own = text.removeprefix("ps-")
    return text.startswith("ps-") and len(own) == 16 and all(_is_word(c) or c in "-./" for c in own)


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _is_partition(text: str) -> bool:
    """``aws`` or ``aws-…``: new ones are opened, so that no list of them holds."""
    rest = text.removeprefix("aws")
    return text.startswith("aws") and (not rest or (rest[0] == "-" and rest[1:].replace("-", "").isalnum()))


def _check(kind: TargetKind, name: str, text: str) -> None:
    limit = NAME_LIMITS[kind]
    if name and len(name) <= limit and all(_is_word(c) or c in "+=,.@_-" for c in name):
        return
    if len(name) > limit and all(_is_word(c) or c in "+=,.@_-" for c in name):
        reason = f"it has {len(name)} characters, and the name of a {_words(kind)} has at most {limit}"
    else:
        reason = _ALPHABET
    raise InputError(f"`{_short(text)}` is not a name that IAM takes", help=reason)


def _words(kind: TargetKind) -> str:
    return kind.value.replace("-", " ")


def _short(text: str) -> str:
    """``text`` for a message: what is longer than any name is cut."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
