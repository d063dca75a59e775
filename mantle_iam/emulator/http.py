"""Requests and answers as the emulator sees them, and the errors that it answers with.  Records; no sockets, no framework."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from mantle_iam.mantle.error_body import Envelope, ErrorBody, write_error_body

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.  ``path`` and ``query`` are raw, as they were sent and signed; header names are lower-case."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header ``name`` (lower-case), or ``None``."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def decoded_path(self) -> str:
        """The path without percent-encoding."""
        return unquote(self.path)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer.  ``events`` (a stream) or else ``body``."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    events: Iterable[bytes] | None = None


class ServiceError(Exception):
    """An error that the service answers with; ``code`` and ``type`` are the OpenAI surface's words."""

    def __init__(self, status: int, code: str, type_: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.type = type_
        self.message = message
        self.param = param


class NoRoute(Exception):  # noqa: N818 - an answer, not an error: a 404 without an error object
    """There is no such route, or it is made to look so."""


_ANTHROPIC_TYPES = {
    # OpenAI surface's code: the type that the Anthropic surface uses for the same
    "access_denied": "permission_error",
    "invalid_api_key": "authentication_error",
    "not_found_error": "not_found_error",
    "api_error": "api_error",
}


def error_response(error: ServiceError, *, anthropic: bool, request_id: str) -> Response:
    """The answer that carries ``error``, in the envelope of the surface that was called."""
    if anthropic:
        type_ = _ANTHROPIC_TYPES.get(error.code, "invalid_request_error")
        body = ErrorBody(Envelope.ANTHROPIC, error.message, type=type_, request_id=request_id)
    else:
        body = ErrorBody(Envelope.OPENAI, error.message, code=error.code, type=error.type, param=error.param)
    return Response(error.status, write_error_body(body).encode(), (("content-type", JSON),))


# One function per kind of error, so that code and type are written once.


def bad_credential(message: str, status: int = 401) -> ServiceError:
    """The credential is not accepted."""
    return ServiceError(status, "invalid_api_key", "permission_denied_error", message)


def denied(message: str, status: int) -> ServiceError:
    """The caller may not do this."""
    return ServiceError(status, "access_denied", "permission_denied_error", message)


def not_found(message: str, param: str | None = None) -> ServiceError:
    """A model, project, response, file or job does not exist."""
    return ServiceError(404, "not_found_error", "invalid_request_error", message, param=param)


def invalid(message: str, param: str | None = None) -> ServiceError:
    """The request is not what the API takes."""
    return ServiceError(400, "validation_error", "invalid_request_error", message, param=param)


def failed(message: str) -> ServiceError:
    """The emulator cannot answer."""
    return ServiceError(500, "api_error", "server_error", message)
