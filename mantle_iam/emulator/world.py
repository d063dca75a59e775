"""What exists in the emulated service: accounts with projects, stored responses, files, jobs and a data-retention mode.

Nothing here knows a request or who may do what.  Ids are derived from counters, so that the same calls give the same ids.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from mantle_iam.mantle.models import SEEN

DEFAULT_PROJECT = "default"
MAX_PROJECTS = 1000
RETENTION_MODES = ("inherit", "default", "none", "provider_data_share", "aws_review")
MODEL_CREATED = 1764460800
SHARED_RETENTION_ONLY = ("anthropic.claude-fable-5",)
"""Models that the mode ``none`` rules out: https://docs.aws.amazon.com/bedrock/latest/userguide/data-retention.html"""
_ELSEWHERE = "us-east-1"
"""Its models stand for those of a region whose list is not on record: the emulator's choice."""


@dataclass(slots=True)
class Project:
    """A project (the Anthropic surface says workspace)."""

    id: str
    name: str
    arn: str
    created_at: int
    tags: dict[str, str] = field(default_factory=dict)
    retention: str = "inherit"
    archived: bool = False

    def shown(self) -> dict[str, Any]:
        """As the service writes it."""
        return {
            "arn": self.arn,
            "created_at": self.created_at,
            "data_retention": {"mode": self.retention},
            "id": self.id,
            "name": self.name,
            "object": "organization.project",
            "status": "archived" if self.archived else "active",
            "tags": dict(self.tags),
        }


@dataclass(slots=True)
class StoredResponse:
    """A response kept with ``store`` or made in the background."""

    project: str
    document: dict[str, Any]


@dataclass(slots=True)
class StoredFile:
    """An uploaded file."""

    project: str
    document: dict[str, Any]
    content: bytes


@dataclass(slots=True)
class Job:
    """A fine-tuning job."""

    project: str
    document: dict[str, Any]


class Account:
    """One account in one region."""

    def __init__(self, account: str, partition: str, region: str, now: int) -> None:
        self.id = account
        self._prefix = f"arn:{partition}:bedrock-mantle:{region}:{account}:project/"
        self._counters: dict[str, int] = {}
        self.retention = "default"
        self.responses: dict[str, StoredResponse] = {}
        self.files: dict[str, StoredFile] = {}
        self.jobs: dict[str, Job] = {}
        default = Project(DEFAULT_PROJECT, DEFAULT_PROJECT, self.project_arn(DEFAULT_PROJECT), now)
        self.projects = {DEFAULT_PROJECT: default}

    def project_arn(self, project_id: str) -> str:
        """The ARN of a project, whether it exists or not."""
        return self._prefix + project_id

    def next_id(self, kind: str, *, peek: bool = False) -> str:
        """The next id of a kind, e.g. ``proj_…``; ``peek`` leaves it the next one."""
        number = self._counters.get(kind, 0) + 1
        if not peek:
            self._counters[kind] = number
        digest = hashlib.sha256(f"{self.id}/{kind}/{number}".encode()).digest()
        if kind == "proj":
            return "proj_" + base64.b32encode(digest).decode("ascii").lower()[:20]
        separator = "-" if kind in ("file", "ftjob", "chatcmpl") else "_"
        return f"{kind}{separator}{digest.hex()[:32]}"


class World:
    """All accounts of the emulator, in one region."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.lock = RLock()
        self._accounts: dict[str, Account] = {}
        models = tuple(sorted(model for model, regions in SEEN.items() if region in regions))
        self.models = models or tuple(sorted(model for model, regions in SEEN.items() if _ELSEWHERE in regions))

    def account(self, account: str, partition: str, now: int) -> Account:
        """The account, made when it is first seen."""
        with self.lock:
            if account not in self._accounts:
                self._accounts[account] = Account(account, partition, self.region, now)
            return self._accounts[account]
