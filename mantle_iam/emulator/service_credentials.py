"""Service-specific credentials for Bedrock: long-term keys, as IAM stores and shows them.

The record is IAM's own: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ServiceSpecificCredential.html
The form of the key is undocumented: ``ABSK`` and the base64 of ``alias:secret``, as published readers of it show.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

BEDROCK = "bedrock.amazonaws.com"
PER_USER = 2
MAX_AGE_DAYS = 36600
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(slots=True)
class Stored:
    """One credential as stored; ``secret`` is the whole key."""

    account: str
    user_name: str
    id: str
    alias: str
    secret: str = field(repr=False)
    created: datetime
    expires: datetime | None
    status: str = "Active"

    def renew(self) -> None:
        """Another secret; the one before is worth nothing any more."""
        self.secret = key_text(self.alias)

    def shown(self, *, secret: bool) -> dict[str, Any]:
        """The record as IAM shows it, with the key only when it has just been made."""
        shown: dict[str, Any] = {
            "CreateDate": self.created,
            "ServiceName": BEDROCK,
            "ServiceCredentialAlias": self.alias,
            "ServiceSpecificCredentialId": self.id,
            "UserName": self.user_name,
            "Status": self.status,
        }
        if self.expires is not None:
            shown["ExpirationDate"] = self.expires
        if secret:
            shown["ServiceCredentialSecret"] = self.secret
        return shown


class Store:
    """All credentials of this process, as moto's own state is the process's."""

    def __init__(self) -> None:
        self._by_id: dict[str, Stored] = {}
        self._lock = Lock()

    def create(self, account: str, user_name: str, age_days: int | None) -> Stored:
        """Make a credential.  The caller has checked the limit and the age."""
        now = datetime.now(UTC)
        with self._lock:
            number = len(self._of(account, user_name))
            name = f"{user_name}+{number}" if number else user_name
            alias = f"{name}-at-{account}"
            stored = Stored(
                account,
                user_name,
                "ACCA" + "".join(secrets.choice(_ALPHABET) for _ in range(17)),
                alias,
                key_text(alias),
                now,
                None if age_days is None else now + timedelta(days=age_days),
            )
            self._by_id[stored.id] = stored
        return stored

    def of(self, account: str, user_name: str | None = None) -> list[Stored]:
        """The credentials of an account, or of one user in it."""
        with self._lock:
            return self._of(account, user_name)

    def _of(self, account: str, user_name: str | None) -> list[Stored]:
        return [s for s in self._by_id.values() if s.account == account and user_name in (None, s.user_name)]

    def all(self) -> list[Stored]:
        """Every credential."""
        with self._lock:
            return list(self._by_id.values())

    def remove(self, stored: Stored) -> None:
        """Delete one."""
        with self._lock:
            self._by_id.pop(stored.id, None)

    def clear(self, account: str) -> None:
        """Delete all of an account."""
        for stored in self.of(account):
            self.remove(stored)


STORE = Store()


def key_text(alias: str) -> str:
    """A new key for ``alias``."""
    secret = secrets.token_urlsafe(48)
    return "ABSK" + base64.b64encode(f"{alias}:{secret}".encode()).decode("ascii")
