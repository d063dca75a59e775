"""Errors of IAM and Identity Center calls as ours: one sentence, the action that is missing, and what to do.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/singlesignon/latest/APIReference/CommonErrors.html
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
# What stands between here and AWS may answer a whole page of HTML.
_LONGEST_MESSAGE: Final = 300
_GONE: Final = frozenset({"NoSuchEntity", "ResourceNotFoundException"})
_ADVICE: Final = {
    "LimitExceeded": "detach a policy that is not needed, or put this one on a group or role",
    "ServiceQuotaExceededException": "detach a policy that is not needed",
    "MalformedPolicyDocument": "`mantle-iam can-i` reads the same document and says where it is odd",
    "MalformedPolicyDocumentException": "`mantle-iam can-i` reads the same document and says where it is odd",
    "UnmodifiableEntity": "the service that made this role alone can change it",
    "EntityTemporarilyUnmodifiable": "somebody else is changing it; try again in a minute",
    "ConcurrentModification": "somebody else is changing it; try again in a minute",
    "ConflictException": "somebody else is changing it; try again in a minute",
    "ServiceFailure": "try again in a minute",
    "InternalFailure": "try again in a minute",
    "InternalServerException": "try again in a minute",
}
# Refused for now: nothing was changed.
_BUSY: Final = frozenset(
    {"EntityTemporarilyUnmodifiable", "ConcurrentModification", "ConcurrentModificationException", "ConflictException"}
)
# Failed inside: whether anything was changed is not known.
_FAILED: Final = frozenset({"ServiceFailure", "InternalFailure", "InternalServerException", "ServiceUnavailable"})


class PassingError(UndeterminedError):
    """A call failed in a way that may pass.  ``unsure``: it may have taken effect all the same."""

    def __init__(self, message: str, *, help: str | None = None, unsure: bool = False) -> None:  # noqa: A002 - as the root
        super().__init__(message, help=help)
        self.unsure = unsure


class DeniedChangeError(RefusedError):
    """The AWS credentials may not make a change; ``action`` is what they lack."""

    def __init__(self, message: str, action: str, *, help: str | None = None) -> None:  # noqa: A002 - as the root
        super().__init__(message, help=help)
        self.action = action


class DeniedReadError(UndeterminedError):
    """The AWS credentials may not read what must be known; ``action`` is what they lack."""

    def __init__(self, message: str, action: str, *, help: str | None = None) -> None:  # noqa: A002 - as the root
        super().__init__(message, help=help)
        self.action = action


class GoneError(InputError):
    """What is named does not exist."""


class ExistsError(RefusedError):
    """What is to be created exists."""


@contextmanager
def iam_errors(subject: str, *, changing: bool = False, service: str = "IAM") -> Iterator[None]:
    """Turn what boto3 raises into ours.

    Args:
        subject: what it is about: ``user `alice```.
        service: ``IAM``, or the name of another service that is called.

    Raises:
        InputError: what is named does not exist, or the service does not take it.
        RefusedError: a change is not allowed or over a limit.
        UndeterminedError: no credentials, no network, throttled, a read that is not allowed.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionClosedError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        ReadTimeoutError,
    )

    try:
        yield
    except ClientError as error:
        prefix = "iam" if service == "IAM" else "sso"
        raise _answered(error.response, f"{prefix}:{error.operation_name}", subject, changing=changing) from None
    except ProfileNotFound as error:
        raise InputError(_sentence(error)) from None
    except (NoCredentialsError, PartialCredentialsError):
        raise UndeterminedError(
            "no AWS credentials were found",
            help=f"{service} takes no Bedrock API key: set AWS_PROFILE, log in with `aws sso login`, or give --profile",
        ) from None
    except (ConnectionClosedError, ReadTimeoutError) as error:
        # Sent, and no answer came.
        raise PassingError(f"{service} could not be reached: {_sentence(error)}", unsure=True) from None
    except BotoCoreError as error:
        # Time limits, DNS, TLS, proxies: botocore's own sentence, which holds no secret.
        raise UndeterminedError(f"{service} could not be reached: {_sentence(error)}") from None
    except ValueError as error:
        # botocore raises it for an endpoint URL that is none.
        raise InputError(_sentence(error)) from None


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _answered(response: Any, action: str, subject: str, *, changing: bool) -> MantleIamError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    message = " ".join(str(response.get("Error", {}).get("Message", "")).split())[:_LONGEST_MESSAGE].rstrip(".")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DENIED:
        text = f"these AWS credentials may not call {action} on {subject}"
        advice = f"ask for {action}, or send the plan (--dry-run) to somebody who has it"
        return (DeniedChangeError if changing else DeniedReadError)(text, action, help=advice)
    if code in _GONE:
        advice = "names have no path; are these credentials of its account (--profile)?"
        return GoneError(f"{subject}: {message or 'it does not exist'}", help=advice)
    if code in _THROTTLED:
        return PassingError(f"{action} was throttled", help="try again in a minute")
    if code in _CREDENTIALS:
        return UndeterminedError(f"the AWS credentials are not valid ({code})", help="log in again, or give --profile")
    text = f"{action} on {subject} was refused: {message or code} ({code})"
    if code in _BUSY:
        return PassingError(text, help=_ADVICE.get(code))
    if code in _FAILED or status >= 500:
        return PassingError(text, help=_ADVICE.get(code, "try again in a minute"), unsure=True)
    if code in ("ValidationError", "ValidationException", "InvalidInput"):
        return InputError(text)
    if code == "EntityAlreadyExists":
        return ExistsError(text)
    return RefusedError(text, help=_ADVICE.get(code))
