"""Failures of reads through boto3, as values: what could not be read, and why, in our words.

Codes: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from mantle_iam.errors import PolicyError

P = ParamSpec("P")
T = TypeVar("T")


class Failure(StrEnum):
    """Why a read failed."""

    DENIED = "denied"
    NOT_FOUND = "not-found"
    THROTTLED = "throttled"
    CREDENTIALS = "credentials"
    """None were found, or they are not valid (any more)."""
    NETWORK = "network"
    DOCUMENT = "document"
    """Read, and not understood."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A read that failed.  ``code`` is the service's own word, where it gave one."""

    failure: Failure
    reason: str
    code: str | None = None


_BY_CODE = {
    "AccessDenied": Failure.DENIED,
    "AccessDeniedException": Failure.DENIED,
    "UnauthorizedOperation": Failure.DENIED,
    "NoSuchEntity": Failure.NOT_FOUND,
    "Throttling": Failure.THROTTLED,
    "ThrottlingException": Failure.THROTTLED,
    "TooManyRequestsException": Failure.THROTTLED,
    "RequestLimitExceeded": Failure.THROTTLED,
    "InvalidClientTokenId": Failure.CREDENTIALS,
    "UnrecognizedClientException": Failure.CREDENTIALS,
    "ExpiredToken": Failure.CREDENTIALS,
    "ExpiredTokenException": Failure.CREDENTIALS,
    "SignatureDoesNotMatch": Failure.CREDENTIALS,
}

_WORDS = {
    Failure.DENIED: "`{operation}` is not allowed to these AWS credentials",
    Failure.NOT_FOUND: "`{operation}` says that it does not exist",
    Failure.THROTTLED: "`{operation}` was throttled",
    Failure.CREDENTIALS: "`{operation}` refused the AWS credentials ({code})",
    Failure.OTHER: "`{operation}` failed ({code})",
}


def reading(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Unreadable:
    """The result of a read, or why there is none.  Lets programming errors through."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        return function(*args, **kwargs)
    except ClientError as error:
        return _answered(error.response, error.operation_name)
    except (NoCredentialsError, PartialCredentialsError):
        return Unreadable(Failure.CREDENTIALS, "no AWS credentials were found")
    except BotoCoreError as error:
        # Time limits, DNS, TLS, proxies, a profile or an SSO session that cannot be used: botocore's own sentence has no secret.
        return Unreadable(Failure.NETWORK, str(error).rstrip("."))
    except PolicyError as error:
        return Unreadable(Failure.DOCUMENT, f"the document is not understood: {error}")


def _answered(response: Any, operation: str) -> Unreadable:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    failure = _BY_CODE.get(code, Failure.OTHER)
    return Unreadable(failure, _WORDS[failure].format(operation=operation, code=code), code)
