"""A folder of accounts that were read live: every answer in a file of its own, as the AWS CLI would print it, and for each
account a record of what was and was not read, written last.

Reader and writer of that record.  The answers themselves are read as any other file of their kind.  An account appears at once
and whole; until then there is what was there before, or a record that says that it was not read yet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from mantle_iam.collect.fields import moment, objects, text, texts
from mantle_iam.iam.request import PolicyType

FORMAT: Final = "mantle-iam-account/1"
RECORD: Final = "account.json"
DETAILS: Final = "authorization-details.json"
KEYS: Final = "service-specific-credentials.json"
_PART: Final = ".part"
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
    read: datetime | None = None
    """When."""
    standalone: bool = False
    """Whether it belongs to no organization for certain."""
    files: tuple[tuple[str, str], ...] = ()
    """Names of what was written, and the SHA-256 of each."""

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
        moment(value, "read"),
        value.get("standalone") is True,
        tuple((text(file, "name"), text(file, "sha256")) for _, file in objects(value, "files")),
    )


def record_object(record: AccountRecord) -> dict[str, Any]:
    """``record`` as JSON; ``read_record`` takes it back."""
    return {
        "format": FORMAT,
        "account": record.account,
        "partition": record.partition,
        "read": record.read.isoformat() if record.read else None,
        "standalone": record.standalone,
        "regions": list(record.regions),
        "unread": [{"layer": one.layer.value, "action": one.action, "reason": one.reason} for one in record.unread],
        "files": [{"name": name, "sha256": digest} for name, digest in record.files],
    }


@dataclass(frozen=True, slots=True)
class SaveFolder:
    """A folder into which accounts are written as they are read, for their owner's eyes alone.  Its methods raise ``OSError``."""

    path: Path

    def record(self, account: str) -> AccountRecord | None:
        """The record of an account that was written before; ``None`` where there is none or it is broken."""
        value = self.value(f"{account}/{RECORD}")
        record = read_record(value) if is_record(value) else None
        return record if record is not None and record.account == account else None

    def value(self, name: str) -> Any:
        """The decoded value of a file; ``None`` where there is none or it is no JSON."""
        try:
            return json.loads((self.path / name).read_bytes())
        except (ValueError, FileNotFoundError, NotADirectoryError, RecursionError):
            return None

    def intact(self, record: AccountRecord) -> bool:
        """Whether what the record names is there, as it was written."""
        folder = self.path / record.account
        try:
            same = [_is_ours(name) and _digest((folder / name).read_bytes()) == digest for name, digest in record.files]
        except (OSError, ValueError):
            return False
        return bool(same) and all(same)

    def foreign(self, account: str) -> str:
        """A file in an account's folder that was not written by these methods; empty where there is none."""
        folder = self.path / account
        names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
        return next((name for name in names if not _is_ours(name)), "")

    def write(self, name: str, value: object) -> None:
        """One file below the folder, whole or not at all."""
        self._place(self._part(name, value)[0], name)

    def note(self, record: AccountRecord) -> None:
        """Write the record of an account alone."""
        self.write(f"{record.account}/{RECORD}", record_object(record))

    def account(self, record: AccountRecord) -> Pending:
        """Begin an account; nothing of it is seen until ``finish``."""
        return Pending(self, record)

    def _part(self, name: str, value: object) -> tuple[Path, str]:
        """A file under a name that no reader takes for its own, and the digest of what it holds."""
        written = json.dumps(value, default=_plain, indent=1).encode() + b"\n"
        file_path = self.path / name
        # The mode is the last folder's alone: each is made by itself.
        for folder in reversed([one for one in file_path.parents if one == self.path or self.path in one.parents]):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file_path.parent, prefix=".", suffix=_PART, delete=False) as file:
            try:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return Path(file.name), _digest(written)

    def _place(self, part: Path, name: str) -> None:
        part.replace(self.path / name)


class Pending:
    """An account that is being read: what is written of it takes the place of what was there before at once, or not at all."""

    def __init__(self, folder: SaveFolder, record: AccountRecord) -> None:
        self._folder = folder
        self._record = record
        self._parts: dict[str, tuple[Path, str]] = {}

    def write(self, name: str, value: object) -> None:
        """One file."""
        self._parts[name] = self._folder._part(f"{self._record.account}/{name}", value)

    def finish(self, read: datetime, unread: tuple[Unread, ...], *, standalone: bool = False) -> None:
        """Put all files where they belong, and say that the account is written.

        Whoever is killed in between leaves a record that says so.
        """
        account = self._record.account
        broken = Unread(Layer.ACCOUNT, "iam:GetAccountAuthorizationDetails", "the writing of it was interrupted")
        self._folder.note(replace(self._record, unread=(broken,)))
        for old in self._folder.path.joinpath(account).glob("*.json"):
            if _is_ours(old.name) and old.name not in (*self._parts, RECORD):
                old.unlink(missing_ok=True)
        digests = []
        for name, (part, digest) in self._parts.items():
            self._folder._place(part, f"{account}/{name}")
            digests.append((name, digest))
        self._parts.clear()
        found = replace(self._record, read=read, unread=unread, standalone=standalone, files=tuple(digests))
        self._folder.note(found)

    def forget(self) -> None:
        """Take away what was not finished."""
        for part, _ in self._parts.values():
            part.unlink(missing_ok=True)
        self._parts.clear()


def details_name(number: int) -> str:
    """File of a page of an account that has several; from 1."""
    return f"authorization-details-{number:06}.json"


def endpoints_name(region: str) -> str:
    """File of the VPC endpoints of a region."""
    return f"vpc-endpoints.{region}.json"


def _is_ours(name: str) -> bool:
    beginnings = ("authorization-details-", "vpc-endpoints.")
    if "/" in name or "\\" in name:
        return False
    return name in (RECORD, DETAILS, KEYS) or name.endswith(_PART) or name.startswith(beginnings)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
