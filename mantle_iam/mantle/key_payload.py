"""What is written inside a key: the decoders of long-term keys, presigned queries, access key ids and session tokens.

Decides nothing about flaws or kinds.  None of these formats is documented by AWS except the SigV4 query parameters
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html); they are read as the public
generators write them (https://github.com/aws/aws-bedrock-token-generator-python), best-effort.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_plus

QUERY_HOST = "bedrock.amazonaws.com"
_NAME = re.compile(
    r"(?P<user>[\w+=,.@-]{1,128}?)(?P<number>\+[0-9]{1,3})?-at-(?P<account>[0-9]{12})(?:\+[0-9]{1,3})?", re.ASCII
)
_SCOPE = re.compile(r"([A-Z0-9]{16,128})/([0-9]{8})/([a-z0-9-]{1,40})/([a-z0-9-]{1,40})/aws4_request")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")


@dataclass(frozen=True, slots=True)
class LongTermName:
    """The public half of a long-term key."""

    user_name: str
    account: str
    numbered: bool
    """A second key of the same user, which carries ``+1``."""
    secret_length: int


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A presigned SigV4 query without its signature; ``None`` where a part is missing or unreadable."""

    host: str
    access_key_id: str | None
    region: str | None
    service: str | None
    issued_at: datetime | None
    expires_at: datetime | None
    lifetime: int | None
    """``X-Amz-Expires``, in seconds."""
    has_token: bool
    account: str | None
    """From the session token."""
    whole: bool
    """The signature is complete, and what the generators write behind it is there."""
    action: str | None


def decode_base64(text: str) -> bytes | None:
    """The bytes of ``text`` in either alphabet, padded or not; ``None`` when it is no base64."""
    body = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    if not body or len(body) % 4 == 1:
        body = body[: len(body) // 4 * 4]
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True) if body else None
    except (binascii.Error, ValueError):
        return None


def read_long_term(payload: bytes) -> LongTermName | None:
    """``<user>[+N]-at-<account>:<secret>``, the inside of an ``ABSK`` key."""
    name, colon, secret = payload.partition(b":")
    match = _NAME.fullmatch(name.decode("ascii", errors="replace")) if colon else None
    if match is None:
        return None
    return LongTermName(match["user"], match["account"], match["number"] is not None, len(secret))


def read_query(url: str) -> SignedQuery | None:
    """The presigned URL (with or without its scheme) inside a short-term key; ``None`` when it is none."""
    rest = url.removeprefix("https://").removeprefix("http://")
    host, question, query = rest.partition("?")
    if not question or "X-Amz-" not in query:
        return None
    found: dict[str, str] = {}
    for part in query.split("&")[:64]:
        name, _, value = part.partition("=")
        found.setdefault(name, unquote_plus(value))
    return _signed_query(host.strip("/"), found)


def _signed_query(host: str, found: Mapping[str, str]) -> SignedQuery:
    scope = _SCOPE.fullmatch(found.get("X-Amz-Credential", ""))
    issued = read_amz_date(found.get("X-Amz-Date", ""))
    seconds = found.get("X-Amz-Expires", "")
    lifetime = int(seconds) if re.fullmatch(r"[0-9]{1,7}", seconds) else None
    token = found.get("X-Amz-Security-Token")
    signature = re.fullmatch(r"[0-9a-f]{64}", found.get("X-Amz-Signature", ""))
    return SignedQuery(
        host=host,
        access_key_id=scope[1] if scope else None,
        region=scope[3] if scope else None,
        service=scope[4] if scope else None,
        issued_at=issued,
        expires_at=issued + timedelta(seconds=lifetime) if issued and lifetime is not None else None,
        lifetime=lifetime,
        has_token=token is not None,
        account=account_of_token(token) if token else None,
        whole=signature is not None and scope is not None and issued is not None and bool(found.get("Version")),
        action=found.get("Action"),
    )


def read_amz_date(text: str) -> datetime | None:
    """``20261122T101500Z`` as a time in UTC."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None


def account_of_token(token: str) -> str | None:
    """The account id inside a session token: the one run of exactly twelve digits in its bytes (undocumented)."""
    payload = decode_base64(token)
    runs = set(re.findall(rb"(?<![0-9])[0-9]{12}(?![0-9])", payload)) if payload else set()
    return runs.pop().decode() if len(runs) == 1 else None


def account_of_key_id(access_key_id: str) -> str | None:
    """The account id inside an access key id issued since 2019 (undocumented): 40 bits of its base32.

    Older ids (``AKIAI…``, ``AKIAJ…``) do not hold it.
    """
    body = access_key_id[4:]
    if len(body) != 16 or not re.fullmatch(r"[Q-Z2-7][A-Z2-7]{15}", body):
        return None
    number = int.from_bytes(base64.b32decode(body)[:6], "big")
    account = (number & 0x7FFFFFFFFF80) >> 7
    return f"{account:012d}" if account < 10**12 else None
