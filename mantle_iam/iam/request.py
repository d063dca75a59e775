"""What is asked and what is answered: the records of an evaluation.  The engine is ``evaluation.py``.

Decision words are those of ``SimulateCustomPolicy`` (``allowed``, ``explicitDeny``, ``implicitDeny``) plus ``unknown``, for
what depends on a context key or a layer that could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mantle_iam.iam.policy import PolicyDocument


class PolicyType(StrEnum):
    """The layers that may bind a request."""

    IDENTITY = "identity"
    PERMISSIONS_BOUNDARY = "permissions-boundary"
    SESSION = "session"
    SCP = "scp"
    RCP = "rcp"
    VPC_ENDPOINT = "vpc-endpoint"
    RESOURCE = "resource"


class Decision(StrEnum):
    """The outcome of an evaluation."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"
    UNKNOWN = "unknown"


Documents = tuple[PolicyDocument, ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every policy that binds a request, by layer.

    ``None`` means that the layer is not in force (no boundary is set, no SCP is attached …); an empty tuple that it is in
    force and holds no document, which allows nothing.  ``scp`` and ``rcp`` hold one tuple per level, root first.
    """

    identity: Documents = ()
    permissions_boundary: Documents | None = None
    session: Documents | None = None
    scp: tuple[Documents, ...] | None = None
    rcp: tuple[Documents, ...] | None = None
    vpc_endpoint: Documents | None = None
    resource: Documents | None = None
    unknown: frozenset[PolicyType] = frozenset()
    """Layers that may be in force and could not be read (wholly or in part)."""

    def layers(self) -> Iterator[tuple[PolicyType, Documents]]:
        """Every layer in force with its documents; a layer of levels once for each level, root first."""
        yield PolicyType.IDENTITY, self.identity
        yield PolicyType.PERMISSIONS_BOUNDARY, self.permissions_boundary or ()
        yield PolicyType.SESSION, self.session or ()
        for kind, levels in ((PolicyType.SCP, self.scp), (PolicyType.RCP, self.rcp)):
            for level in levels or ():
                yield kind, level
        yield PolicyType.VPC_ENDPOINT, self.vpc_endpoint or ()
        yield PolicyType.RESOURCE, self.resource or ()


ContextValue = str | tuple[str, ...]
"""A single-valued key is a ``str``; a multi-valued key is a tuple, also when it holds one value or none."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One principal, one action, the resources it needs, and the request context.

    A context key is present (in ``context``), *unknown* (in ``unknown_context``) or else absent.  Keys are compared without
    regard to case.
    """

    principal: str
    """ARN of the user, role, assumed-role session, root or service-linked role; ``*`` for an anonymous caller."""
    action: str
    resources: tuple[str, ...] = ("*",)
    """Every one of them must be allowed.  ``*`` stands for an action without resource types."""
    resource_account: str | None = None
    """Account that owns the resource; taken from the ARN, then from the principal, when ``None``."""
    context: Mapping[str, ContextValue | None] = field(default_factory=dict)
    """``None`` says that the key is absent for certain, also where it would follow from something or be unknown."""
    unknown_context: frozenset[str] = frozenset()
    issuer: str | None = None
    """ARN of the entity behind a session: the role with its path, or the IAM user who called ``GetFederationToken``."""
    management_account: str | None = None
    """Account id of the organization's management account, which no SCP and no RCP binds."""


@dataclass(frozen=True, slots=True)
class StatementRef:
    """Where a statement stands: layer, level (SCP and RCP, 0 = root), document, index, Sid."""

    policy_type: PolicyType
    document: int
    statement: int
    sid: str | None = None
    level: int | None = None


class Element(StrEnum):
    """The part of a statement that failed to match."""

    ACTION = "Action"
    NOT_ACTION = "NotAction"
    RESOURCE = "Resource"
    NOT_RESOURCE = "NotResource"
    PRINCIPAL = "Principal"
    NOT_PRINCIPAL = "NotPrincipal"
    CONDITION = "Condition"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An Allow statement that would have applied but for one element.

    ``detail`` quotes what the element asked for and what the request had, in one sentence.  For a condition ``key`` and
    ``operator`` name it; ``actual`` is ``None`` when the key is absent.  ``failures`` counts the elements of the same statement
    that failed: 1 is the nearest miss.  ``unknown`` says that it may have matched, had the value been known.
    """

    statement: StatementRef
    element: Element
    detail: str
    key: str | None = None
    operator: str | None = None
    wanted: tuple[str, ...] = ()
    actual: str | None = None
    failures: int = 1
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The decision and why.

    ``determining`` are the Deny statements that matched, or else the Allow statements that let it through.  ``withheld_by``
    are the layers that stand in the way: those that deny, and those that should allow and do not.  Both are in the order of
    ``PolicyType``.  ``depends_on`` names the context keys and layers (a layer by its ``PolicyType`` word) on which an
    ``unknown`` hangs.  ``missing_context`` are the keys that a statement asked for and the request had not.  ``undecided``
    are the statements of which it is not known whether they match, whatever the decision.
    """

    decision: Decision
    determining: tuple[StatementRef, ...] = ()
    withheld_by: tuple[PolicyType, ...] = ()
    depends_on: tuple[str, ...] = ()
    missing_context: tuple[str, ...] = ()
    undecided: tuple[StatementRef, ...] = ()
