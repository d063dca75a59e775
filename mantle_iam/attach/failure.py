"""Errors of IAM calls as ours: one sentence, the ``iam:`` action that is missing, and what to do.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mantle_iam.errors import InputError, MantleIamError, RefusedError, UndeterminedError

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_THROTTLED: Final = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ADVICE: Final = {
    "LimitExceeded": "detach a policy that is not needed, or put this one on a group or role",
    "MalformedPolicyDocument": "`mantle-iam can-i` reads the same document and says where it is odd",
    "UnmodifiableEntity": "the service that made this role alone can change it",
    "EntityTemporarilyUnmodifiable": "somebody else is changing it; try again in a minute",
    "ConcurrentModification": "somebody else is changing it; try again in a minute",
    "ServiceFailure": "try again in a minute",
}
_AGAIN: Final = frozenset({"EntityTemporarilyUnmodifiable", "ConcurrentModification", "ServiceFailure"})


@contextmanager
def iam_errors(subject: str, *, changing: bool = False) -> Iterator[None]:
    """Turn what boto3 raises into ours.  ``subject`` is what it is about: ``user `alice```.

    Raises:
        InputError: what is named does not exist, or IAM does not take it.
        RefusedError: a change is not allowed or over a limit.
        UndeterminedError: no credentials, no network, throttled, a read that is not allowed.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        yield
    except ClientError as error:
        raise _answered(error.response, error.operation_name, subject, changing=changing) from None
    except ProfileNotFound as error:
        raise InputError(_sentence(error)) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise UndeterminedError(
            "no AWS credentials were found",
            help="IAM takes no Bedrock API key: set AWS_PROFILE, log in with `aws sso login`, or give --profile",
        ) from None
    except BotoCoreError as error:
        # Time limits, DNS, TLS, proxies: botocore's own sentence, which holds no secret.
        raise UndeterminedError(f"IAM could not be reached: {_sentence(error)}") from None
    except ValueError as error:
        # botocore raises it for an endpoint URL that is none.
        raise InputError(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _answered(response: Any, operation: str, subject: str, *, changing: bool) -> MantleIamError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    message = " ".join(str(response.get("Error", {}).get("Message", "")).split()).rstrip(".")
    if code in _DENIED:
        text = f"these AWS credentials may not call iam:{operation} on {subject}"
        advice = f"ask for iam:{operation}, or send the plan (--dry-run) to somebody who has it"
        return RefusedError(text, help=advice) if changing else UndeterminedError(text, help=advice)
    if code == "NoSuchEntity":
        return InputError(
            f"{subject}: {message or 'it does not exist'}", help="names have no path, and minding case helps"
        )
    if code in _THROTTLED:
        return UndeterminedError(f"iam:{operation} was throttled", help="try again in a minute")
    if code in _CREDENTIALS:
        return UndeterminedError(f"the AWS credentials are not valid ({code})", help="log in again, or give --profile")
    text = f"iam:{operation} on {subject} was refused: {message or code} ({code})"
    if code in _AGAIN:
        return UndeterminedError(text, help=_ADVICE[code])
    if code in ("ValidationError", "InvalidInput"):
        return InputError(text)
    return RefusedError(text, help=_ADVICE.get(code))
