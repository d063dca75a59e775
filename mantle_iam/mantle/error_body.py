"""The error envelopes of the service and of what stands before it: reader and writer.

OpenAI surface ``{"error": {...}}``, Anthropic surface ``{"type": "error", ...}``, Coral ``{"__type": ...}`` or
``{"Message": ...}``, empty, HTML.  What the error means is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Envelope(StrEnum):
    """The shape of an answer's body."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    CORAL = "coral"
    EMPTY = "empty"
    """No body, or an object without an error (``{}``)."""
    HTML = "html"
    TEXT = "text"
    RESULT = "result"
    """JSON that is no error: a model list, a response …"""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the service wrote it; ``None`` where it says nothing."""

    envelope: Envelope
    message: str | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None


def read_error_body(body: str, content_type: str | None = None) -> ErrorBody:
    """Read an answer's body.  Never raises: what is not understood is ``TEXT``."""
    raise NotImplementedError(body, content_type)


def write_error_body(error: ErrorBody) -> str:
    """The body as the service writes it."""
    raise NotImplementedError(error)
