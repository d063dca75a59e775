"""Signature Version 4, verified by signing again what the client says it signed.

botocore does the signing; this decides only what goes in.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and with what result, as the request says."""

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def of_scope(cls, scope: str, timestamp: str, signed_headers: str, signature: str) -> Signed | None:
        """From the parts of an ``Authorization`` field or of a query; ``None`` when the scope is malformed."""
        # An access key id has no slash; the scope has four parts after it.
        parts = scope.split("/")
        if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts) or not timestamp.startswith(parts[1]):
            return None
        return cls(parts[0], parts[1], parts[2], parts[3], timestamp, tuple(signed_headers.split(";")), signature)


class _Again(SigV4Auth):  # type: ignore[misc, unused-ignore]
    """Signs exactly the headers that the client named, botocore's list of those not to sign notwithstanding."""

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name.lower()] = value
        return headers


def verify(
    signed: Signed,
    secret: str,
    *,
    method: str,
    url: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    payload_hash: str | None = None,
) -> bool:
    """Whether ``signed.signature`` is what ``secret`` gives.

    Args:
        url: raw URL; its query is signed as it stands, so a presigned query comes without ``X-Amz-Signature``.
        headers: all headers of the request; those not in ``signed.signed_headers`` are left out.
        payload_hash: the ``x-amz-content-sha256`` that was sent; must be the body's, or say that it is not signed.
    """
    actual = hashlib.sha256(body).hexdigest()
    if payload_hash not in (None, actual, UNSIGNED):
        return False
    chosen = [(name, value) for name, value in headers if name in signed.signed_headers]
    if {name for name, _ in chosen} != set(signed.signed_headers):
        return False
    request = AWSRequest(method=method, url=url, data=body)
    for name, value in chosen:
        request.headers.add_header(name, value)
    if "X-Amz-Content-SHA256" not in request.headers and payload_hash is not None:
        actual = payload_hash
    request.context["timestamp"] = signed.timestamp
    signer = _Again(Credentials(signed.access_key_id, secret), signed.service, signed.region)
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    return hmac.compare_digest(expected.encode(), signed.signature.encode("utf-8", "replace"))
