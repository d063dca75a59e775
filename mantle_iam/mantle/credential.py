"""The kinds of credential and what each reveals without a call.

Formats: long-term keys are undocumented and read best-effort; short-term keys are presigned URLs as the public generators
write them.  A secret is never kept in the record.  Needs no clock and no network: whether a key is still valid, and whether
the service takes it, is not known here.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache

from mantle_iam.mantle.key_payload import (
    QUERY_HOST,
    SignedQuery,
    account_of_key_id,
    account_of_token,
    decode_base64,
    read_long_term,
    read_query,
)
from mantle_iam.mantle.key_text import LONG_TERM, MAX_CHARACTERS, SHORT_TERM, Flaws, clean
from mantle_iam.mantle.key_text import CredentialFlaw as CredentialFlaw
from mantle_iam.mantle.key_text import cleaned as cleaned


class CredentialKind(StrEnum):
    """What a text that somebody uses as a credential is."""

    LONG_TERM_KEY = "long-term-key"
    SHORT_TERM_KEY = "short-term-key"
    AWS_ACCESS_KEY = "aws-access-key"
    """An access key id (and secret), with a session token or without."""
    OPENAI_KEY = "openai-key"
    ANTHROPIC_KEY = "anthropic-key"
    CLAUDE_PLATFORM_KEY = "claude-platform-key"
    """``aws-external-anthropic-api-key-…``, ``AEAA…``: Claude Platform on AWS, another service."""
    JWT = "jwt"
    PRESIGNED_URL = "presigned-url"
    PLACEHOLDER = "placeholder"
    """``$AWS_BEARER_TOKEN_BEDROCK``, ``<your key>``, ``dummy``."""
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a credential says about itself; ``None`` where it does not say."""

    kind: CredentialKind
    masked: str
    """Safe to print: the public prefix and the length."""
    flaws: tuple[CredentialFlaw, ...] = ()
    account: str | None = None
    user_name: str | None = None
    """IAM user behind a long-term key."""
    access_key_id: str | None = None
    region: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    temporary: bool | None = None
    """Made from temporary credentials (an ``ASIA`` key id or a session token)."""
    notes: tuple[str, ...] = ()
    """What else can be said, in sentences."""


_SHORT_PAYLOAD = "YmVkcm9jay5hbWF6b25hd3MuY29t"
"""base64 of ``bedrock.amazonaws.com``, with which the payload of a short-term key begins."""
_SHORTEST_SECRET = 32
"""Octets.  The long-term keys seen in public have 44 and more."""
_LONGEST_LIFETIME = 43_200
_UNEXPANDED = (
    r"\$\{?[A-Za-z_][A-Za-z0-9_]{0,80}(?::?[-=?][^}]{0,80})?\}?|%[A-Za-z_][A-Za-z0-9_]{0,80}%|\$env:[A-Za-z_]\w{0,80}|"
    r"\$\([^)]{0,200}\)|\$\{\{[^}]{0,120}\}\}|\{\{[^}]{0,120}\}\}|(?:os\.(?:environ|getenv)|process\.env)\W.{0,120}|process\.env\.\w{1,80}"
)
_PLACEHOLDER = (
    r"(?i)<[^<>]{0,120}>|\[[^\[\]]{0,120}\]|(?:dummy|test|none|null|undefined|empty|unused|todo|changeme|change[-_ ]me|secret|"
    r"token|placeholder|example|fake|foo|bar|hoge|not[-_]?(?:needed|used|required)|api[-_ ]?key|key|password)|"
    r".{0,24}\b(?:your|insert|replace|paste|enter|put)[-_ ].{0,60}|(?:sk-|bedrock-api-key-|ABSK)?[x*.\u2026-]{3,}|"
    r"(?:sk-|bedrock-api-key-|ABSK)(?:your.{0,40}|hoge|foo|bar|dummy|test|example|placeholder|key|token|here|<.{0,60}>|\{.{0,60}\}|\$\{?\w{1,60}\}?)"
)
_VENDORS = (
    ("AIza", "a Google API key"),
    ("gsk_", "a Groq API key"),
    ("xai-", "an xAI API key"),
    ("hf_", "a Hugging Face token"),
    ("ghp_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("pplx-", "a Perplexity API key"),
    ("r8_", "a Replicate token"),
    ("aoa", "an AWS SSO access token, which belongs to IAM Identity Center"),
    ("arn:", "an ARN, which names something and opens nothing"),
    ("https://", "a URL"),
    ("http://", "a URL"),
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def read_credential(text: str) -> Credential:
    """What ``text`` reveals offline.  Never raises; needs no clock (compare ``expires_at`` yourself)."""
    if len(text) > MAX_CHARACTERS:
        return Credential(
            CredentialKind.UNKNOWN, f"… ({len(text)} characters)", notes=("It is far longer than any credential.",)
        )
    key, flaws = clean(text)
    if not key:
        return Credential(CredentialKind.NONE, "(empty)", (CredentialFlaw.EMPTY,))
    if _compiled(_UNEXPANDED).fullmatch(key):
        shown = key if re.fullmatch(r"\$?[{%]?[A-Z][A-Z0-9]*_[A-Z0-9_]+[}%]?", key) else f"{key[0]}…"
        note = "It is the name of a variable, not its value: the shell or the program did not put the value in."
        return Credential(CredentialKind.PLACEHOLDER, shown, (*flaws, CredentialFlaw.UNEXPANDED), notes=(note,))
    if _compiled(_PLACEHOLDER).fullmatch(key):
        return Credential(
            CredentialKind.PLACEHOLDER, _masked("", key), flaws, notes=("It stands where a key should be.",)
        )
    for begins, reader in _READERS:
        if begins(key):
            return reader(key, flaws)
    return _other(key, flaws)


def _masked(prefix: str, key: str) -> str:
    return f"{prefix}… ({len(key)} characters)"


# --- kinds -----------------------------------------------------------------------------------------------------------------


def _long_term(key: str, flaws: Flaws) -> Credential:
    kind, masked = CredentialKind.LONG_TERM_KEY, _masked(LONG_TERM, key)
    body = key.removeprefix(LONG_TERM)
    payload = decode_base64(body)
    name = read_long_term(payload) if payload is not None else None
    notes: list[str] = []
    cut = len(body) % 4 != 0
    if cut:
        notes.append("The base64 is not a multiple of four characters: the end of the key is missing.")
    if name is None:
        readable = payload is not None and bool(re.match(rb"[\w+=,.@-]{3,}", payload))
        flaw = (
            CredentialFlaw.TRUNCATED
            if cut or len(key) < 24 or (readable and len(key) < 60)
            else CredentialFlaw.UNDECODABLE
        )
        notes.append("It begins as a long-term key does, but no user name and account can be read from it.")
        return Credential(kind, masked, (*flaws, flaw), temporary=False, notes=tuple(notes))
    if name.secret_length < _SHORTEST_SECRET:
        cut = True
        notes.append("It is shorter than long-term keys are (about 136 characters): the end is missing.")
    if name.numbered:
        notes.append("The user has more than one key: this is not the first.")
    notes.append("User and account are read from the key itself, whose format AWS does not document.")
    return Credential(
        kind,
        masked,
        (*flaws, CredentialFlaw.TRUNCATED) if cut else flaws,
        account=name.account,
        user_name=name.user_name,
        temporary=False,
        notes=tuple(notes),
    )


def _short_term(key: str, flaws: Flaws) -> Credential:
    kind, masked = CredentialKind.SHORT_TERM_KEY, _masked(SHORT_TERM, key)
    notes: list[str] = []
    body = key.removeprefix(SHORT_TERM)
    if body == key:
        masked = _masked("", key)
        flaws = (*flaws, CredentialFlaw.TRUNCATED)
        notes.append(f"The prefix `{SHORT_TERM}` is missing.")
    payload = decode_base64(body)
    query = read_query(payload.decode("utf-8", errors="replace")) if payload is not None else None
    if query is None:
        cut = payload is not None and payload.startswith(QUERY_HOST.encode())
        notes.append("No presigned request can be read from it.")
        flaw = CredentialFlaw.TRUNCATED if cut else CredentialFlaw.UNDECODABLE
        return Credential(kind, masked, (*flaws, flaw), notes=tuple(notes))
    if not query.whole:
        flaws = (*flaws, CredentialFlaw.TRUNCATED)
        notes.append("The signature or what follows it is missing: the key was cut off.")
    elif len(body) % 4:
        notes.append("The padding (`=`) at the end is missing.")
    return _of_query(kind, masked, tuple(dict.fromkeys(flaws)), query, notes)


def _presigned(key: str, flaws: Flaws) -> Credential:
    kind, masked = CredentialKind.PRESIGNED_URL, _masked("", key)
    query = read_query(key)
    if query is None:
        return Credential(CredentialKind.UNKNOWN, masked, flaws, notes=("It looks like a URL.",))
    note = f"A short-term key is this URL without `https://`, in base64, behind `{SHORT_TERM}`."
    return _of_query(kind, masked, flaws, query, [note])


def _of_query(kind: CredentialKind, masked: str, flaws: Flaws, query: SignedQuery, notes: list[str]) -> Credential:
    key_id = query.access_key_id
    account = query.account
    if account:
        notes.append("The account is read from the session token, whose format AWS does not document.")
    elif key_id and (account := account_of_key_id(key_id)):
        notes.append("The account is computed from the access key id, which AWS does not document.")
    if query.host and query.host != QUERY_HOST:
        notes.append(f"The request inside is for `{query.host[:80]}`, not for `{QUERY_HOST}`.")
    if query.service and query.service != "bedrock":
        notes.append(f"It is signed for the service `{query.service}`, not for `bedrock`.")
    if query.action and query.action != "CallWithBearerToken":
        notes.append("The request inside is not `CallWithBearerToken`.")
    if query.lifetime is not None and query.lifetime > _LONGEST_LIFETIME:
        notes.append("Its lifetime is longer than the 12 hours that are allowed.")
    temporary = query.has_token or key_id.startswith("ASIA") if key_id else query.has_token or None
    if temporary:
        notes.append("It ends with the session that made it, if that is earlier than its own expiry.")
        if not query.has_token and query.whole:
            notes.append("It was made from temporary credentials and carries no session token.")
    return Credential(
        kind,
        masked,
        flaws,
        account=account,
        access_key_id=key_id,
        region=query.region,
        issued_at=query.issued_at,
        expires_at=query.expires_at,
        temporary=temporary,
        notes=tuple(notes),
    )


def _access_key(key: str, flaws: Flaws) -> Credential:
    parts = [part for part in re.split(r"[\s:,;|=]+", key) if part]
    key_id = parts[0]
    whole = re.fullmatch(r"(?:AKIA|ASIA)[A-Z0-9]{16}", key_id) is not None
    notes = [] if len(parts) > 1 else ["It is only the access key id; the secret access key is not part of it."]
    account = account_of_key_id(key_id)
    if account:
        notes.append("The account is computed from the access key id, which AWS does not document.")
    shown = key_id if whole else key_id[:4]
    return Credential(
        CredentialKind.AWS_ACCESS_KEY,
        shown if len(parts) == 1 and whole else _masked(shown, key),
        flaws if whole else (*flaws, CredentialFlaw.TRUNCATED),
        account=account,
        access_key_id=key_id if whole else None,
        temporary=key_id.startswith("ASIA"),
        notes=tuple(notes),
    )


def _documents(key: str, flaws: Flaws) -> Credential:
    """JSON as ``aws sts assume-role`` and ``credential_process`` print it."""
    try:
        found = json.loads(key)
    except (ValueError, RecursionError):
        found = None
    found = found.get("Credentials", found) if isinstance(found, dict) else {}
    key_id, token, expiry = (
        found.get(name) if isinstance(found, dict) else None for name in ("AccessKeyId", "SessionToken", "Expiration")
    )
    if not isinstance(key_id, str) or not re.fullmatch(r"A[KS]IA[A-Z0-9]{16}", key_id):
        return Credential(CredentialKind.UNKNOWN, _masked("", key), flaws, notes=("It is JSON, not a key.",))
    expires = None
    if isinstance(expiry, str):
        try:
            expires = datetime.fromisoformat(expiry)
        except ValueError:
            expires = None
    account = (account_of_token(token) if isinstance(token, str) else None) or account_of_key_id(key_id)
    return Credential(
        CredentialKind.AWS_ACCESS_KEY,
        _masked(key_id, key),
        flaws,
        account=account,
        access_key_id=key_id,
        expires_at=expires if expires and expires.tzinfo else None,
        temporary=key_id.startswith("ASIA") or token is not None,
        notes=("The account is derived from what AWS does not document.",) if account else (),
    )


def _jwt(key: str, flaws: Flaws) -> Credential:
    payload = decode_base64(key.split(".")[1]) if key.count(".") >= 1 else None
    try:
        claims = json.loads(payload) if payload else {}
    except (ValueError, RecursionError):
        claims = {}
    times = [_epoch(claims.get(name)) if isinstance(claims, dict) else None for name in ("iat", "exp")]
    note = "A JSON Web Token is for an identity provider or a gateway; Bedrock takes none."
    return Credential(
        CredentialKind.JWT, _masked("eyJ", key), flaws, issued_at=times[0], expires_at=times[1], notes=(note,)
    )


def _epoch(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _claude_platform(key: str, flaws: Flaws) -> Credential:
    prefix = next(part for part in ("aws-external-anthropic-api-key-", "AEAA") if key.startswith(part))
    payload = decode_base64(key.removeprefix(prefix)) or b""
    named = re.search(rb"-at-([0-9]{12}):", payload[:512])
    query = read_query(payload.decode("utf-8", errors="replace")) if not named else None
    return Credential(
        CredentialKind.CLAUDE_PLATFORM_KEY,
        _masked(prefix, key),
        flaws,
        account=named[1].decode() if named else query.account if query else None,
        region=query.region if query else None,
        expires_at=query.expires_at if query else None,
        notes=("It is a key of Claude Platform on AWS, another service.",),
    )


def _vendor(kind: CredentialKind, prefix: str, note: str) -> Callable[[str, Flaws], Credential]:
    return lambda key, flaws: Credential(kind, _masked(prefix, key), flaws, notes=(note,))


def _other(key: str, flaws: Flaws) -> Credential:
    notes: tuple[str, ...] = ()
    for prefix, what in _VENDORS:
        if key.startswith(prefix):
            notes = (f"It looks like {what}.",)
            return Credential(CredentialKind.UNKNOWN, _masked(prefix, key), flaws, notes=notes)
    if re.match(r"IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz", key):
        note = "It looks like an AWS session token, which is worth nothing without its access key."
        account = account_of_token(key)
        return Credential(
            CredentialKind.AWS_ACCESS_KEY, _masked("", key), flaws, account, temporary=True, notes=(note,)
        )
    if re.fullmatch(r"[A-Za-z0-9/+]{40}", key):
        notes = ("It has the shape of an AWS secret access key.",)
    elif re.match(r"(?i)absk|bedrock[-_]api[-_]key", key):
        notes = (
            "It begins nearly as a Bedrock API key does: upper and lower case or signs of the prefix have changed.",
        )
    elif re.search(r"\s", key):
        notes = ("It holds whitespace, which no key does.",)
    return Credential(CredentialKind.UNKNOWN, _masked("", key), flaws, notes=notes)


# The first whose test holds reads the key; exact prefixes come before looser shapes.
_READERS: tuple[tuple[Callable[[str], bool], Callable[[str, Flaws], Credential]], ...] = (
    (lambda key: key.startswith((SHORT_TERM, _SHORT_PAYLOAD)), _short_term),
    (lambda key: key.startswith(LONG_TERM), _long_term),
    (lambda key: key.startswith(("aws-external-anthropic-api-key-", "AEAA")), _claude_platform),
    (
        lambda key: key.startswith("sk-ant-"),
        _vendor(
            CredentialKind.ANTHROPIC_KEY, "sk-ant-", "It is a key of Anthropic's own API; Bedrock does not know it."
        ),
    ),
    (
        lambda key: key.startswith("sk-"),
        _vendor(
            CredentialKind.OPENAI_KEY,
            "sk-",
            "It is a key of OpenAI's own API, or of a gateway that imitates it; Bedrock does not know it.",
        ),
    ),
    (lambda key: key.startswith(("AKIA", "ASIA")), _access_key),
    (lambda key: key.startswith("eyJ") and "." in key, _jwt),
    (lambda key: "X-Amz-Signature=" in key or key.removeprefix("https://").startswith(f"{QUERY_HOST}/?"), _presigned),
    (lambda key: key.startswith("{") and key.endswith("}"), _documents),
)
