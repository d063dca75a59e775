"""The kinds of credential and what each reveals without a call.

Formats: long-term keys are undocumented and read best-effort; short-term keys are presigned URLs as the public generators
write them.  A secret is never kept in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CredentialKind(StrEnum):
    """What a text that somebody uses as a credential is."""

    LONG_TERM_KEY = "long-term-key"
    SHORT_TERM_KEY = "short-term-key"
    AWS_ACCESS_KEY = "aws-access-key"
    """An access key id (and secret), with a session token or without."""
    OPENAI_KEY = "openai-key"
    ANTHROPIC_KEY = "anthropic-key"
    CLAUDE_PLATFORM_KEY = "claude-platform-key"
    """``aws-external-anthropic-api-key-…``, ``AEAA…``: Claude Platform on AWS, another service."""
    JWT = "jwt"
    PRESIGNED_URL = "presigned-url"
    PLACEHOLDER = "placeholder"
    """``$AWS_BEARER_TOKEN_BEDROCK``, ``<your key>``, ``dummy``."""
    UNKNOWN = "unknown"
    NONE = "none"


class CredentialFlaw(StrEnum):
    """What is wrong with the text itself."""

    EMPTY = "empty"
    QUOTED = "quoted"
    WHITESPACE = "whitespace"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    PREFIXED = "prefixed"
    """``Bearer `` or a variable name still in front of it."""
    UNEXPANDED = "unexpanded"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a credential says about itself; ``None`` where it does not say."""

    kind: CredentialKind
    masked: str
    """Safe to print: the public prefix and the length."""
    flaws: tuple[CredentialFlaw, ...] = ()
    account: str | None = None
    user_name: str | None = None
    """IAM user behind a long-term key."""
    access_key_id: str | None = None
    region: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    temporary: bool | None = None
    """Made from temporary credentials (an ``ASIA`` key id or a session token)."""
    notes: tuple[str, ...] = ()
    """What else can be said, in sentences."""


def read_credential(text: str) -> Credential:
    """What ``text`` reveals offline.  Never raises; needs no clock (compare ``expires_at`` yourself)."""
    raise NotImplementedError(text)
