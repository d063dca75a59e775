"""What a diagnosis starts from: the exchanges and everything known beside them.  Records only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mantle_iam.diagnose.diagnosis import Diagnosis
from mantle_iam.iam.request import PolicySet, PolicyType
from mantle_iam.mantle.credential import Credential
from mantle_iam.mantle.endpoint import Endpoint
from mantle_iam.mantle.exchange import Exchange, Probe
from mantle_iam.mantle.operations import AuthMethod


@dataclass(frozen=True, slots=True)
class FoundCredential:
    """A credential that was found, and where (``AWS_BEARER_TOKEN_BEDROCK``, ``profile dev`` …); never its secret."""

    where: str
    credential: Credential
    used: bool = False


@dataclass(frozen=True, slots=True)
class PolicyName:
    """What a document of ``Case.policies`` is called; the place is that of ``iam.request.StatementRef``."""

    policy_type: PolicyType
    level: int | None
    document: int
    name: str
    """In words: ``inline policy `x` of role/app``."""
    arn: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One principal's trouble.  Whatever is not known is ``None`` or empty."""

    exchanges: tuple[Exchange, ...] = ()
    credential: Credential | None = None
    """The one that was sent."""
    found: tuple[FoundCredential, ...] = ()
    """All that were found, the used one included."""
    endpoint: Endpoint | None = None
    auth: AuthMethod | None = None
    region: str | None = None
    """Region that was asked for."""
    model: str | None = None
    """Model that was asked for."""
    project: str | None = None
    principal: str | None = None
    """ARN that the caller believes to be (STS, or the key itself)."""
    policies: PolicySet | None = None
    """Policies that bind the principal, where they could be read; unreadable layers are in ``PolicySet.unknown``."""
    policy_names: tuple[PolicyName, ...] = ()
    """Names of the documents in ``policies``, as far as they are known."""
    now: datetime | None = None


class Answer:
    """Words for the outcome column of the table of operations."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"
    UNDECIDED = "undecided"
    CONTROL = "control"
    """A call without a valid credential, refused as it should be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the table of operations: what was asked, what came."""

    exchange: int
    operation: str | None
    """Name of the ``Operation``, where the route is known."""
    actions: tuple[str, ...]
    """Actions that the call needs."""
    answer: str
    """A word of ``Answer``."""
    detail: str
    """``200``, ``403 not authorized: bedrock-mantle:ListModels``, ``404 without an error object``."""


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a differential diagnosis.  ``diagnoses`` are sorted, the most important first; never empty."""

    diagnoses: tuple[Diagnosis, ...]
    outcomes: tuple[Outcome, ...]
    next_probes: tuple[Probe, ...] = ()
    """Probes that would split what remains, cheapest first; empty when nothing would."""
