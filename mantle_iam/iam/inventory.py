"""What an organization has: principals, and every policy that binds them, with the place where each was read.

Records alone, below whoever reads them from files and accounts and whoever judges by them.  A layer that could not be read is in
``unknown``, never taken for absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType

UNRESOLVED_KEY: Final = "mantle-iam:Unresolved"
"""Stands, as a context key, for what was not known when a document was read; an evaluation has it in ``unknown_context``."""
UNRESOLVED: Final = "${mantle-iam:Unresolved}"
"""The same within a value, where a policy variable is looked up: such a statement is then neither met nor missed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was read.  What is not known is empty or ``None``; lines and columns count from 1."""

    path: str = ""
    """File as the user named it, or below the folder that the user named; ``aws:ACCOUNT`` for a live account."""
    line: int | None = None
    column: int | None = None
    address: str = ""
    """Resource address (Terraform), logical id (CloudFormation), or ARN within the file."""
    pointer: str = ""
    """JSON pointer (RFC 6901) of the document within the file, or of an element within the document."""


class Purpose(StrEnum):
    """What a document is for; finer than ``PolicyType`` where that does not take part in an evaluation."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"
    SCP = "scp"
    RCP = "rcp"
    VPC_ENDPOINT = "vpc-endpoint"
    RESOURCE = "resource"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A document, what it is called and where it stands."""

    name: str
    document: PolicyDocument
    purpose: Purpose = Purpose.IDENTITY
    place: Place = field(default_factory=Place)
    arn: str = ""
    """Of a managed policy; empty for an inline one."""
    unresolved: tuple[str, ...] = ()
    """JSON pointers into the document whose values were not known (known after apply, an unresolved function)."""
    marks: tuple[tuple[str, int, int], ...] = ()
    """Pointer into the document, line and column, where the file is no JSON or YAML text in which they could be looked up."""
    indexes: tuple[int, ...] = ()
    """Where statements that are not known were left out: the index of each of the others in the text.  Pointers of ``unresolved``
    count the statements of ``document``, and those left out after them; pointers of ``marks`` count those of the text."""

    def pointer_in_text(self, pointer: str) -> str:
        """A pointer into ``document`` as one into what was written."""
        head, _, rest = pointer.removeprefix("/Statement/").partition("/")
        if not self.indexes or not pointer.startswith("/Statement/") or not head.isdigit():
            return pointer
        return f"/Statement/{self.index_in_text(int(head))}{'/' if rest else ''}{rest}"

    def index_in_text(self, index: int) -> int:
        """A statement's index in ``document`` as the one in what was written."""
        return self.indexes[index] if index < len(self.indexes) else index


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A long-term Bedrock API key of a user (a service-specific credential)."""

    id: str
    user: str
    created: datetime | None = None
    expires: datetime | None = None
    """``None`` where it never does, if ``expiry_known``."""
    active: bool = True
    expiry_known: bool = True


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or role and what binds it, apart from what binds its whole account."""

    arn: str
    identity: tuple[NamedPolicy, ...] = ()
    """Inline and attached, its groups' too."""
    boundary: NamedPolicy | None = None
    trust: NamedPolicy | None = None
    tags: tuple[tuple[str, str], ...] = ()
    keys: tuple[ApiKey, ...] | None = None
    """``None`` where they could not be read."""
    unknown: frozenset[PolicyType] = frozenset()
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Account:
    """An account, its principals, and what binds all of them."""

    id: str
    partition: str = "aws"
    principals: tuple[Principal, ...] = ()
    scps: tuple[tuple[NamedPolicy, ...], ...] | None = None
    """By level from the root; ``None`` where no organization is known, which is not the same as ``unknown``."""
    rcps: tuple[tuple[NamedPolicy, ...], ...] | None = None
    endpoints: tuple[NamedPolicy, ...] = ()
    """Policies of VPC endpoints for the service; a caller may or may not go through one."""
    management: bool = False
    """Whether it is the organization's management account, which no SCP binds."""
    unknown: frozenset[PolicyType] = frozenset()


class InputStatus(StrEnum):
    """What became of one input."""

    READ = "read"
    PARTIAL = "partial"
    """Some of it was not understood or not known; the rest was read."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Input:
    """One input and what became of it."""

    path: str
    status: InputStatus
    kind: str = ""
    """``authorization-details``, ``terraform-plan``, ``cloudformation`` … as far as it was recognised."""
    problems: tuple[str, ...] = ()
    documents_read: bool = False
    """Of a ``PARTIAL`` input: every document in it was read, and only whom they bind is not known (or documents elsewhere)."""
