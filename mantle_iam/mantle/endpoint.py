"""Hosts, base paths, regions, and which model lives on which base path and serves which API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EndpointKind(StrEnum):
    """Which service a base URL belongs to."""

    MANTLE = "mantle"
    RUNTIME = "runtime"
    """``bedrock-runtime``: another IAM namespace."""
    CONTROL_PLANE = "control-plane"
    """``bedrock.<region>.amazonaws.com``."""
    LOOPBACK = "loopback"
    OTHER = "other"


class Api(StrEnum):
    """The inference APIs."""

    RESPONSES = "responses"
    CHAT = "chat"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL, taken apart.  ``origin`` has scheme, host and port; ``base_path`` starts with ``/`` or is empty."""

    kind: EndpointKind
    origin: str
    host: str
    base_path: str
    region: str | None
    flaws: tuple[str, ...] = ()
    """What is odd about the URL, in sentences (unexpanded variable, http, trailing operation path …)."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model id: base paths it is served on and the APIs, with the source of that."""

    id: str
    base_path: str
    apis: tuple[Api, ...]
    reference: str


def parse_base_url(url: str) -> Endpoint:
    """Take a base URL (or any URL of a call) apart.  Raises ``InputError`` when it is no http(s) URL."""
    raise NotImplementedError(url)


def mantle_origin(region: str) -> str:
    """``https://bedrock-mantle.<region>.api.aws``."""
    raise NotImplementedError(region)


def known_regions() -> tuple[str, ...]:
    """Regions with a documented Mantle endpoint."""
    raise NotImplementedError


def known_model(model_id: str) -> Model | None:
    """What is known of ``model_id``, by exact id or else by family prefix; ``None`` for an unknown family."""
    raise NotImplementedError(model_id)
