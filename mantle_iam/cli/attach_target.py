"""Whom and what the options of ``attach`` name: the target, the user behind a key, the documents."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mantle_iam.cli.common import read_policy, read_text
from mantle_iam.errors import InputError
from mantle_iam.mantle.credential import Credential, CredentialKind, read_credential

if TYPE_CHECKING:
    from mantle_iam.attach.names import TargetName
    from mantle_iam.attach.plan import InlineChange, TargetKind
    from mantle_iam.probe.discover import FoundKey

MAX_KEY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Whom:
    """The target as it was named."""

    kind: TargetKind
    name: str
    """For a permission set the whole text, which may be an ARN."""
    account: str | None
    """The account that it must be in."""
    named: TargetName


def key_named(file: str | None, *, stdin: bool) -> FoundKey | None:
    """The key in a file or on standard input, if one is named there."""
    if file and stdin:
        raise InputError("--api-key-file and --api-key-stdin name different keys", help="give one of them")
    if not file and not stdin:
        return None
    from mantle_iam.probe.discover import explicit_key

    text = read_text("-" if stdin else str(file), what="key", limit=MAX_KEY_BYTES)
    # The line break at the end of a file is the file's, not the key's.
    text = text.removesuffix("\n").removesuffix("\r")
    return explicit_key(text, "--api-key-stdin" if stdin else f"--api-key-file {file}")


def whom(options: dict[str, str | None], key: FoundKey | None) -> Whom:
    """The target.

    Args:
        options: what was given for each kind of target, by the kind's word.

    Raises:
        InputError: none or more than one is named, or it is not a name.
    """
    from mantle_iam.attach.names import parse_name
    from mantle_iam.attach.plan import TargetKind

    given = [(TargetKind(kind), text) for kind, text in options.items() if text is not None]
    if len(given) > 1 or (given and key is not None and not _goes_with(given[0][0], given[0][1], key)):
        raise InputError(
            "more than one target is named", help="give one of --user, --role, --group, --permission-set or a key"
        )
    if given:
        kind, text = given[0]
        if read_credential(text).kind in (CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY):
            raise InputError(
                "a key was given on the command line", help="give it with --api-key-file or --api-key-stdin"
            )
        named = parse_name(kind, text)
        name = text.strip() if kind is TargetKind.PERMISSION_SET else named.name
        return Whom(kind, name, named.account, named)
    credential, where = (key.credential, "the key") if key is not None else _key_of_environment()
    user, account = _user_of(credential, where)
    return Whom(TargetKind.USER, user, account, parse_name(TargetKind.USER, user))


def _goes_with(kind: TargetKind, text: str, key: FoundKey) -> bool:
    """Whether ``key`` is the named user's own, to verify with."""
    from mantle_iam.attach.names import parse_name

    if kind.value != "user" or key.credential.user_name is None:
        return False
    named = parse_name(kind, text)
    accounts = {named.account, key.credential.account} - {None}
    return named.name.lower() == key.credential.user_name.lower() and len(accounts) < 2


def _key_of_environment() -> tuple[Credential, str]:
    from mantle_iam.probe.discover import discover_keys

    used = discover_keys(os.environ).used
    if used is None:
        raise InputError(
            "no target is named",
            help="give --user, --role, --group or --permission-set, or a long-term key (--api-key-file)",
        )
    return used.credential, used.where


def _user_of(credential: Credential, where: str) -> tuple[str, str | None]:
    if credential.kind is CredentialKind.SHORT_TERM_KEY:
        raise InputError(
            f"{where} is a short-term key, which acts as whoever made it",
            help="name that user or role: --user or --role",
        )
    if credential.kind is not CredentialKind.LONG_TERM_KEY:
        raise InputError(f"{where} is no long-term Bedrock API key", help="`mantle-iam key inspect` says what it is")
    if not credential.user_name:
        raise InputError(f"{where} does not say whose it is", help="name its user: --user NAME")
    return credential.user_name, credential.account


def documents(paths: tuple[str, ...], name: str | None) -> tuple[InlineChange, ...]:
    """The policies in the files ``paths``, each with the name that it gets.

    Raises:
        InputError: one cannot be read or cannot be attached, or two of them would have the same name.
    """
    if paths.count("-") > 1:
        raise InputError("standard input can be read only once", help="put the others into files")
    found = tuple(
        _document(path, None if name is None else name if len(paths) == 1 else f"{name}-{number}")
        for number, path in enumerate(paths, 1)
    )
    unique = {(one.name, one.document.statements): one for one in found}
    if len({one.name for one in found}) < len(unique):
        raise InputError(
            "two of the policies have the same name", help="attach them one after the other, each with --name"
        )
    return tuple(unique.values())


def _document(path: str, name: str | None) -> InlineChange:
    from mantle_iam.attach.plan import InlineChange
    from mantle_iam.generate.artifact import checked_policy_name
    from mantle_iam.iam.grammar import policy_json
    from mantle_iam.workflow.target import policy_name

    document = read_policy(path)
    if any(s.principals or s.not_principals for s in document.statements):
        raise InputError(
            "the policy names principals, which a policy on a user, role or group must not",
            help="leave Principal out: the one that it is attached to is meant",
        )
    if any("\ud800" <= c <= "\udfff" for c in policy_json(document, indent=None)):
        raise InputError("the policy holds half of a character (a lone surrogate), which is no text")
    if not document.statements:
        raise InputError("the policy has no statement")
    return InlineChange(checked_policy_name(name) if name is not None else policy_name(document), document)
