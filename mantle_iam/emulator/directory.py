"""What the emulator must know of credentials: whose they are and what they are checked against.  Records and one protocol.

How they are stored is ``iam_api.py``'s; how they are checked is ``authn.py``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mantle_iam.iam.policy import PolicyDocument


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal."""

    principal: str
    """ARN of the user or of the assumed-role session."""
    account: str
    partition: str = "aws"
    user_id: str | None = None
    """``aws:userid``."""
    role: str | None = None
    """ARN of the role behind a session, path included."""
    session_policies: tuple[PolicyDocument, ...] | None = None
    """``None``: no session policy was given."""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of a user, or the temporary one of a session."""

    id: str
    secret: str = field(repr=False)
    caller: Caller
    session_token: str | None = field(default=None, repr=False)
    active: bool = True
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LongTermKey:
    """A service-specific credential of a user for ``bedrock.amazonaws.com``: a long-term key."""

    id: str
    text: str = field(repr=False)
    """The whole key as it is sent, ``ABSK…``."""
    caller: Caller
    active: bool = True
    expires_at: datetime | None = None


class Directory(Protocol):
    """Where credentials are looked up."""

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """The key with this id, whatever its state."""

    def long_term_keys(self) -> tuple[LongTermKey, ...]:
        """Every long-term key, whatever its state."""
