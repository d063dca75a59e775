"""A folder of accounts that were read live: every answer in a file of its own, as the AWS CLI would print it, and for each
account a record of what was and was not read, written last.

Reader and writer of that record.  The answers themselves are read as any other file of their kind.  Nothing of an account counts
as there until its record is, and every file appears at once and whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from mantle_iam.collect.fields import objects, text, texts
from mantle_iam.iam.request import PolicyType

FORMAT: Final = "mantle-iam-account/1"
RECORD: Final = "account.json"
DETAILS: Final = "authorization-details.json"
ORGANIZATION: Final = "organization"
"""Folder of what the organization says, beside those of the accounts."""


class Layer(StrEnum):
    """What one read is for."""

    ACCOUNT = "account"
    """The account itself: without it there is nothing."""
    PRINCIPALS = "principals"
    """Users, groups, roles and their policies: some were read and some were not."""
    SCP = "scp"
    RCP = "rcp"
    VPC_ENDPOINT = "vpc-endpoint"
    KEYS = "keys"
    """Bedrock API keys."""
    MANAGED = "managed"
    """Documents of AWS's managed policies."""


LAYERS: Final = {
    Layer.SCP: PolicyType.SCP,
    Layer.RCP: PolicyType.RCP,
    Layer.VPC_ENDPOINT: PolicyType.VPC_ENDPOINT,
}
"""Those that bind the whole account and are then not known of any of its principals."""
_WORDS: Final = {
    Layer.ACCOUNT: "the account could not be read",
    Layer.PRINCIPALS: "only a part of the users, groups and roles was read",
    Layer.SCP: "service control policies are unknown",
    Layer.RCP: "resource control policies are unknown",
    Layer.VPC_ENDPOINT: "policies of VPC endpoints are unknown",
    Layer.KEYS: "Bedrock API keys are unknown",
    Layer.MANAGED: "the document of an AWS managed policy was not read",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """One thing that was not read."""

    layer: Layer
    action: str
    """IAM action that the read needs."""
    reason: str
    """Why, in our words."""

    @property
    def sentence(self) -> str:
        """What is not known and why, without a full stop."""
        return f"{_WORDS[self.layer]}: {self.reason} (`{self.action}`)"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What was and was not read of one account."""

    account: str
    partition: str = "aws"
    regions: tuple[str, ...] = ()
    """Whose VPC endpoints were looked for."""
    unread: tuple[Unread, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return not self.unread


def is_record(value: object) -> bool:
    """Whether it is the record of an account."""
    return isinstance(value, Mapping) and text(value, "format") == FORMAT


def read_record(value: Mapping[str, Any]) -> AccountRecord:
    """The record of a decoded file; a layer that this version does not know counts as the whole account."""
    known = {layer.value: layer for layer in Layer}
    return AccountRecord(
        text(value, "account"),
        text(value, "partition") or "aws",
        texts(value, "regions"),
        tuple(
            Unread(known.get(text(one, "layer"), Layer.ACCOUNT), text(one, "action"), text(one, "reason"))
            for _, one in objects(value, "unread")
        ),
    )


def record_object(record: AccountRecord) -> dict[str, Any]:
    """``record`` as JSON; ``read_record`` takes it back."""
    return {
        "format": FORMAT,
        "account": record.account,
        "partition": record.partition,
        "regions": list(record.regions),
        "unread": [{"layer": one.layer.value, "action": one.action, "reason": one.reason} for one in record.unread],
    }


@dataclass(frozen=True, slots=True)
class SaveFolder:
    """A folder into which accounts are written as they are read.  Its methods raise ``OSError``."""

    path: Path

    def record(self, account: str) -> AccountRecord | None:
        """The record of an account that was written before; ``None`` where there is none or it is broken."""
        try:
            value = json.loads((self.path / account / RECORD).read_text("utf-8"))
        except (ValueError, FileNotFoundError, RecursionError):
            return None
        return read_record(value) if is_record(value) else None

    def begin(self, account: str) -> None:
        """Forget what was written of an account before, the record first."""
        folder = self.path / account
        for name in (RECORD, *sorted(file.name for file in folder.glob("*.json"))):
            (folder / name).unlink(missing_ok=True)

    def write(self, name: str, value: object) -> None:
        """One file below the folder, whole or not at all."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".part", delete=False) as written:
            try:
                json.dump(value, written, default=_plain, indent=1)
                written.write("\n")
                written.flush()
                os.fsync(written.fileno())
            except BaseException:
                Path(written.name).unlink(missing_ok=True)
                raise
        Path(written.name).replace(file)

    def finish(self, record: AccountRecord) -> None:
        """Say that an account is written."""
        self.write(f"{record.account}/{RECORD}", record_object(record))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
