"""The HTTP routes of the service and the permissions that each needs, per way of authenticating."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mantle_iam.iam.policy import Condition


class AuthMethod(StrEnum):
    """Ways of authenticating, as the command line spells them."""

    SIGV4 = "sigv4"
    SHORT_TERM_KEY = "short-term-key"
    LONG_TERM_KEY = "long-term-key"


class Source(StrEnum):
    """How a fact is known: AWS documentation, somebody's real log, a released package's source, an inference."""

    DOC = "DOC"
    OBS = "OBS"
    PKG = "PKG"
    INF = "INF"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where permissions are wanted.  ``None`` stands for any."""

    partition: str = "aws"
    account: str | None = None
    regions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    """Project ids or ARNs; empty for every project."""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource pattern, under conditions: the unit of what is missing, wanted and granted.

    ``resource`` is an ARN pattern or ``*``.  ``because`` says which call needs it and how that is known.
    """

    action: str
    resource: str
    conditions: tuple[Condition, ...] = ()
    because: str = ""
    source: Source = Source.DOC
    reference: str = ""


@dataclass(frozen=True, slots=True)
class RequiredAction:
    """An action that an operation needs, as the table holds it."""

    action: str
    """Full name."""
    on_project: bool = True
    """On the project's ARN; else on ``*``."""
    when: str | None = None
    """``None``: always; else the condition in words (``tags in the body``, ``first call to a Marketplace model``)."""
    source: Source = Source.DOC
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method and path template.  ``actions`` leaves out ``CallWithBearerToken``, which the way of authenticating adds."""

    name: str
    """Kebab-case, unique: ``list-models``, ``create-response``, ``create-chat-completion`` …"""
    method: str
    path: str
    """Template with ``{id}``; the full path, base path included (``/v1/models/{model}``)."""
    actions: tuple[RequiredAction, ...]
    safe: bool
    """Reads only (RFC 9110 section 9.2.1)."""
    billable: bool = False
    preview: bool = False
    source: Source = Source.DOC
    reference: str = ""


def operations() -> tuple[Operation, ...]:
    """Every route known."""
    raise NotImplementedError


def match_operation(method: str, path: str) -> Operation | None:
    """The operation that serves ``method path`` (query ignored), or ``None`` when there is no such route."""
    raise NotImplementedError(method, path)


def required_permissions(operation: Operation, auth: AuthMethod, scope: Scope) -> tuple[Permission, ...]:
    """Every permission that ``operation`` needs always, with ``CallWithBearerToken`` where a key is used."""
    raise NotImplementedError(operation, auth, scope)
