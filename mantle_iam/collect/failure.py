"""Failures of reads through boto3, as values: what could not be read, and why, in our words.

Codes: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, ParamSpec, TypeVar

from mantle_iam.errors import PolicyError

_LONGEST: Final = 300

P = ParamSpec("P")
T = TypeVar("T")


class Failure(StrEnum):
    """Why a read failed."""

    DENIED = "denied"
    NOT_FOUND = "not-found"
    THROTTLED = "throttled"
    CREDENTIALS = "credentials"
    """None were found, or they are not valid (any more)."""
    REGION = "region"
    """Refused as for a Region that is not enabled, or for credentials that are not valid in it; AWS does not tell these apart."""
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
    "AuthorizationError": Failure.DENIED,
    "NoSuchEntity": Failure.NOT_FOUND,
    "Throttling": Failure.THROTTLED,
    "ThrottlingException": Failure.THROTTLED,
    "TooManyRequestsException": Failure.THROTTLED,
    "RequestLimitExceeded": Failure.THROTTLED,
    "RequestThrottled": Failure.THROTTLED,
    "RequestThrottledException": Failure.THROTTLED,
    "ThrottledException": Failure.THROTTLED,
    "SlowDown": Failure.THROTTLED,
    "InvalidClientTokenId": Failure.CREDENTIALS,
    "UnrecognizedClientException": Failure.CREDENTIALS,
    "ExpiredToken": Failure.CREDENTIALS,
    "ExpiredTokenException": Failure.CREDENTIALS,
    "SignatureDoesNotMatch": Failure.CREDENTIALS,
    "AuthFailure": Failure.REGION,
    "OptInRequired": Failure.REGION,
    "RegionDisabledException": Failure.REGION,
}

_WORDS = {
    Failure.DENIED: "`{operation}` is not allowed to these AWS credentials",
    Failure.NOT_FOUND: "`{operation}` says that it does not exist",
    Failure.THROTTLED: "`{operation}` was throttled",
    Failure.CREDENTIALS: "`{operation}` refused the AWS credentials ({code})",
    Failure.REGION: "`{operation}` failed ({code}): the Region may not be enabled in the account",
    Failure.OTHER: "`{operation}` failed ({code})",
}


def reading(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Unreadable:
    """The result of a read, or why there is none.  Lets programming errors through."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    login = getattr(aws, "LoginError", aws.SSOError)  # of `aws login`; older ones do not know it
    try:
        return function(*args, **kwargs)
    except aws.ClientError as error:
        return _answered(error.response, error.operation_name)
    except (aws.NoCredentialsError, aws.PartialCredentialsError):
        return Unreadable(Failure.CREDENTIALS, "no AWS credentials were found")
    except EOFError:
        return Unreadable(
            Failure.CREDENTIALS, "the profile asks for a code of an MFA device, and nobody is there to ask"
        )
    except (
        aws.SSOError,
        aws.TokenRetrievalError,
        aws.CredentialRetrievalError,
        aws.RefreshWithMFAUnsupportedError,
        aws.InvalidConfigError,
        login,
    ) as error:
        return Unreadable(Failure.CREDENTIALS, _sentence(error))
    except aws.BotoCoreError as error:
        # Time limits, DNS, TLS, proxies: botocore's own sentence has no secret.
        return Unreadable(Failure.NETWORK, _sentence(error))
    except (ResponseParserError, KeyError):
        # botocore's parser, and whoever takes a field that AWS always sends, raise KeyError for XML or JSON of somebody else.
        return Unreadable(Failure.OTHER, "the answer is none of AWS's: something else answers at this address")
    except PolicyError as error:
        return Unreadable(Failure.DOCUMENT, f"the document is not understood: {error}")


def _sentence(error: Exception) -> str:
    """What a library says, on one line: some quote all that another program wrote."""
    words = " ".join(str(error).split()).rstrip(".")
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _answered(response: Any, operation: str) -> Unreadable:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    failure = _BY_CODE.get(code, Failure.OTHER)
    return Unreadable(failure, _WORDS[failure].format(operation=operation, code=code), code)
