"""Authentication headers: bearer, SigV4, and a junk token for the control.  Sends nothing, stores nothing.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html (bearer),
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html (SigV4; botocore signs).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mantle_iam.errors import InputError
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.probe.secret import Secret

if TYPE_CHECKING:
    from botocore.credentials import Credentials

SIGNING_SERVICE = "bedrock-mantle"
"""The scope that AWS's documentation and SDKs sign; ``bedrock`` was seen to be accepted as well."""

JUNK_LIFETIME = 43200


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """An access key with its secret parts wrapped.  ``method`` is how botocore found it (``env``, ``assume-role``, ``sso`` …)."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    method: str = ""

    @property
    def temporary(self) -> bool:
        """Made by STS."""
        return bool(self.session_token)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must never be shown."""
        return (self.secret_access_key, *((self.session_token,) if self.session_token else ()))


def bearer_headers(key: Secret) -> dict[str, str]:
    """``Authorization: Bearer …``.

    Raises:
        InputError: the key holds characters that no header may hold (RFC 9110 section 5.5); it is not shown.
    """
    value = key.reveal()
    if not value or any(not "!" <= character <= "~" for character in value):
        raise InputError(
            "the key holds blanks or characters that cannot be sent in a header",
            help="copy it again, in one line and without quotes",
        )
    return {"authorization": f"Bearer {value}"}


def sigv4_headers(
    credentials: AwsCredentials, method: str, url: str, headers: dict[str, str], body: bytes, region: str, service: str
) -> dict[str, str]:
    """All headers of the signed request: ``headers`` and what SigV4 adds.  Reads the clock, as every signature must."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method=method, url=url, data=body or None, headers=dict(headers))
    SigV4Auth(_readable(credentials), service, region).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}


def mint_short_term_key(credentials: AwsCredentials, region: str, seconds: int = 900) -> Secret:
    """A short-term key made from ``credentials``, as the public generators make it: a query-signed URL, in base64.

    Made on this machine and not logged anywhere; it can do no more than the credentials
    (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html).
    """
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(
        method="POST",
        url="https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    SigV4QueryAuth(_readable(credentials), "bedrock", region, expires=seconds).add_auth(request)
    return Secret(_short_term(f"{str(request.url).removeprefix('https://')}&Version=1"))


def junk_key(kind: CredentialKind, region: str, now: datetime) -> Secret:
    """A well-formed key that nobody can have: account 000000000000, or a signature of zeros.

    Of the same kind as the key under test, so that an answer to it differs from the real one's by validity alone.
    """
    if kind is CredentialKind.SHORT_TERM_KEY:
        day = f"{now:%Y%m%d}"
        return Secret(
            _short_term(
                "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256"
                f"&X-Amz-Credential=AKIAAAAAAAAAAAAAAAAA%2F{day}%2F{region}%2Fbedrock%2Faws4_request"
                f"&X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={JUNK_LIFETIME}&X-Amz-SignedHeaders=host"
                f"&X-Amz-Signature={'0' * 64}&Version=1"
            )
        )
    text = f"BedrockAPIKey-none-at-000000000000:{'0' * 64}"
    return Secret("ABSK" + base64.b64encode(text.encode()).decode())


def _short_term(url: str) -> str:
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


def _readable(credentials: AwsCredentials) -> Credentials:
    from botocore.credentials import Credentials

    token = credentials.session_token.reveal() if credentials.session_token else None
    return Credentials(credentials.access_key_id, credentials.secret_access_key.reveal(), token)
