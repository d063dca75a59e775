"""Who sends a request: long-term keys, short-term keys, and SigV4 in the header or the query.

Knows no policy.  The words of refusals are the service's where they are on record
(https://github.com/BerriAI/litellm/pull/31476 for the scope); a short-term key of another region, an expired long-term key and
the code beside a signature error are not, and are the emulator's choice.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from mantle_iam.emulator.directory import AccessKey, Caller, Directory
from mantle_iam.emulator.http import Request, ServiceError, bad_credential
from mantle_iam.emulator.signature import ALGORITHM, Signed, verify
from mantle_iam.mantle.operations import AuthMethod

SKEW = timedelta(minutes=5)
LONGEST_KEY = timedelta(hours=12)
LONG_TERM = "ABSK"
SHORT_TERM = "bedrock-api-key-"
SHORT_TERM_HOST = "bedrock.amazonaws.com"
SIGNING_NAMES = ("bedrock-mantle", "bedrock")
"""Both are accepted: https://github.com/BerriAI/litellm/pull/31476"""
MAX_CREDENTIAL = 16 * 1024

INVALID_BEARER = "Invalid bearer token"
INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a sentence
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a sentence
MISSING = "Missing 'authorization' or 'x-api-key' header"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The caller and how it proved itself."""

    caller: Caller
    method: AuthMethod


def authenticate(request: Request, directory: Directory, *, region: str, now: datetime) -> Authenticated:
    """The caller of ``request``.

    Raises:
        ServiceError: nobody, or somebody who did not prove it.
    """
    authorization = request.header("authorization")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if authorization is None and query.get("X-Amz-Algorithm") == ALGORITHM:
        return Authenticated(_presigned(request, query, directory, region, now), AuthMethod.SIGV4)
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme == ALGORITHM:
        return Authenticated(_header_signed(request, rest, directory, region, now), AuthMethod.SIGV4)
    key = rest.strip() if scheme.lower() == "bearer" else request.header("x-api-key")
    if not key:
        raise bad_credential(MISSING)
    if len(key) > MAX_CREDENTIAL:
        raise bad_credential(INVALID_BEARER)
    if key.startswith(SHORT_TERM):
        return Authenticated(_short_term(key, directory, region, now), AuthMethod.SHORT_TERM_KEY)
    if key.startswith(LONG_TERM):
        return Authenticated(_long_term(key, directory, now), AuthMethod.LONG_TERM_KEY)
    raise bad_credential(INVALID_BEARER)


def _long_term(key: str, directory: Directory, now: datetime) -> Caller:
    sent = key.encode("utf-8", "replace")
    # Every key is compared, so that the time says nothing of which one is near.
    found = [known for known in directory.long_term_keys() if hmac.compare_digest(known.text.encode(), sent)]
    if not found or not found[0].active:
        raise bad_credential(INVALID_BEARER)
    if found[0].expires_at is not None and found[0].expires_at <= now:
        raise bad_credential(EXPIRED_TOKEN, 403)
    return found[0].caller


def _short_term(key: str, directory: Directory, region: str, now: datetime) -> Caller:
    """A presigned ``POST https://bedrock.amazonaws.com/?Action=CallWithBearerToken``, in base64 behind a prefix."""
    try:
        url = base64.b64decode(key.removeprefix(SHORT_TERM), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise bad_credential(INVALID_BEARER) from None
    host, _, query = url.partition("/?")
    # `Version` is added after signing.
    pairs = [pair for pair in query.split("&") if not pair.startswith(("X-Amz-Signature=", "Version="))]
    fields = dict(parse_qsl(query, keep_blank_values=True))
    signed = _signed_query(fields)
    if host != SHORT_TERM_HOST or fields.get("Action") != "CallWithBearerToken" or signed is None:
        raise bad_credential(INVALID_BEARER)
    if signed.service != "bedrock":
        raise _wrong_service("bedrock")
    _check_region(signed, region)
    expiry = _lifetime(fields, signed, now, longest=LONGEST_KEY)
    access_key = _usable(directory, signed.access_key_id, fields.get("X-Amz-Security-Token"), now)
    presigned = f"https://{SHORT_TERM_HOST}/?{'&'.join(pairs)}"
    if not verify(
        signed, access_key.secret, method="POST", url=presigned, headers=(("host", SHORT_TERM_HOST),), body=b""
    ):
        raise bad_credential(MISMATCH)
    # Told after the signature, since only a key that was once good can have expired.
    if expiry < now:
        raise bad_credential(f"Signature expired: {_stamp(expiry)} is now earlier than {_stamp(now)}")
    return access_key.caller


def _presigned(request: Request, query: dict[str, str], directory: Directory, region: str, now: datetime) -> Caller:
    signed = _signed_query(query)
    if signed is None or "host" not in signed.signed_headers:
        raise bad_credential("Query-string authentication requires valid Credential, Date, SignedHeaders and Signature")
    _check_scope(signed, region)
    expiry = _lifetime(query, signed, now, longest=timedelta(days=7))
    access_key = _usable(directory, signed.access_key_id, query.get("X-Amz-Security-Token"), now)
    pairs = [pair for pair in request.query.split("&") if not pair.startswith("X-Amz-Signature=")]
    url = f"{_origin(request)}{request.path}?{'&'.join(pairs)}"
    headers = request.headers
    if not verify(signed, access_key.secret, method=request.method, url=url, headers=headers, body=request.body):
        raise bad_credential(MISMATCH)
    if expiry < now:
        raise bad_credential(f"Signature expired: {_stamp(expiry)} is now earlier than {_stamp(now)}")
    return access_key.caller


def _header_signed(request: Request, fields: str, directory: Directory, region: str, now: datetime) -> Caller:
    parts = dict(part.strip().partition("=")[::2] for part in fields.split(","))
    timestamp = request.header("x-amz-date") or ""
    signed = Signed.of_scope(
        parts.get("Credential", ""), timestamp, parts.get("SignedHeaders", ""), parts.get("Signature", "")
    )
    if signed is None or "host" not in signed.signed_headers or _parse_stamp(timestamp) is None:
        raise bad_credential(
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters, "
            "and existence of an 'X-Amz-Date' header"
        )
    _check_scope(signed, region)
    _check_clock(timestamp, now)
    access_key = _usable(directory, signed.access_key_id, request.header("x-amz-security-token"), now)
    query = f"?{request.query}" if request.query else ""
    url = f"{_origin(request)}{request.path}{query}"
    if not verify(
        signed,
        access_key.secret,
        method=request.method,
        url=url,
        headers=request.headers,
        body=request.body,
        payload_hash=request.header("x-amz-content-sha256"),
    ):
        raise bad_credential(MISMATCH)
    return access_key.caller


def _signed_query(fields: dict[str, str]) -> Signed | None:
    if fields.get("X-Amz-Algorithm") != ALGORITHM or _parse_stamp(fields.get("X-Amz-Date", "")) is None:
        return None
    return Signed.of_scope(
        fields.get("X-Amz-Credential", ""),
        fields["X-Amz-Date"],
        fields.get("X-Amz-SignedHeaders", ""),
        fields.get("X-Amz-Signature", ""),
    )


def _lifetime(fields: dict[str, str], signed: Signed, now: datetime, *, longest: timedelta) -> datetime:
    """When the presigned request ends."""
    start = _parse_stamp(signed.timestamp)
    seconds = fields.get("X-Amz-Expires", "")
    if start is None or not (seconds.isascii() and seconds.isdigit()) or int(seconds[:9]) > longest.total_seconds():
        raise bad_credential(INVALID_BEARER)
    if start > now + SKEW:
        raise _too_early(start, now)
    return start + timedelta(seconds=int(seconds[:9]))


def _usable(directory: Directory, access_key_id: str, token: str | None, now: datetime) -> AccessKey:
    """The access key, if it exists, is active, and its session token is the one sent."""
    found = directory.access_key(access_key_id)
    if found is None or not found.active or not _same(found.session_token, token):
        raise bad_credential(INVALID_TOKEN)
    if found.expires_at is not None and found.expires_at <= now:
        raise bad_credential(EXPIRED_TOKEN, 403)
    return found


def _same(ours: str | None, sent: str | None) -> bool:
    return hmac.compare_digest((ours or "").encode(), (sent or "").encode("utf-8", "replace"))


def _check_scope(signed: Signed, region: str) -> None:
    if signed.service not in SIGNING_NAMES:
        raise _wrong_service("bedrock-mantle")
    _check_region(signed, region)


def _wrong_service(wanted: str) -> ServiceError:
    return bad_credential(f"Credential should be scoped to correct service: '{wanted}'.")


def _check_region(signed: Signed, region: str) -> None:
    if signed.region != region:
        raise bad_credential(f"Credential should be scoped to a valid region, not '{signed.region}'.")


def _check_clock(timestamp: str, now: datetime) -> None:
    sent = _parse_stamp(timestamp)
    if sent is not None and sent < now - SKEW:
        raise bad_credential(
            f"Signature expired: {timestamp} is now earlier than {_stamp(now - SKEW)} ({_stamp(now)} - 5 min.)"
        )
    if sent is not None and sent > now + SKEW:
        raise _too_early(sent, now)


def _too_early(sent: datetime, now: datetime) -> ServiceError:
    return bad_credential(
        f"Signature not yet current: {_stamp(sent)} is still later than {_stamp(now + SKEW)} ({_stamp(now)} + 5 min.)"
    )


def _origin(request: Request) -> str:
    return f"http://{request.header('host') or ''}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _parse_stamp(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
