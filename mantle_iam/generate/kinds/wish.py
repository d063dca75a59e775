"""What may be said about a document of any kind, and what comes of it.  Records alone.

A field that a kind does not use has no effect on it; ``uses`` in the package's head says which those are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.operations import AuthMethod, Permission
from mantle_iam.mantle.scope import Scope


@dataclass(frozen=True, slots=True)
class Details:
    """What may be said about a document beside what it allows; empty is unsaid."""

    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """Ids of roots (``r-…``), organizational units (``ou-…``) and accounts that get an SCP."""
    endpoint: str = ""
    """Id of the VPC endpoint (``vpce-…``)."""
    instance: str = ""
    """ARN of the IAM Identity Center instance."""
    denials: tuple[str, ...] = ()
    """Names of ``denials.DENIALS``."""
    max_key_age_days: int | None = None
    """Days; for the denial ``old-keys`` and for a long-term key."""
    exempt_principals: tuple[str, ...] = ()
    """ARN patterns of users and roles whom no denial meets."""
    organization: str = ""
    """Id of the organization whose principals may use a VPC endpoint (``o-…``)."""
    keep_other_services: bool = False
    """A permissions boundary leaves every other service as it is."""
    trusted_by: TrustedBy | None = None
    repository: str = ""
    """``OWNER/NAME`` on GitHub, or ``OWNER@ID/NAME@ID`` where the repository's subject holds its ids."""
    branch: str = ""
    environment: str = ""
    tag_ref: str = ""
    subject: str = ""
    """The whole subject claim, or a pattern of it below the repository; instead of the four above."""
    oidc_provider: str = ""
    """Host and path of the OpenID Connect provider, with or without ``https://``."""
    cluster: str = ""
    """Name or ARN of the EKS cluster."""
    namespace: str = ""
    service_account: str = ""


@dataclass(frozen=True, slots=True)
class Wish(Details):
    """Everything that somebody may say about a document; empty is unsaid."""

    kind: Kind = Kind.IDENTITY
    documents: tuple[PolicyDocument, ...] = ()
    """What is to be allowed: proven identity policies from ``least_privilege``.  May be empty where the kind allows nothing."""
    permissions: tuple[Permission, ...] = ()
    """What ``documents`` were made from."""
    scope: Scope = field(default_factory=Scope)
    auth: AuthMethod | None = None
    """How calls are authenticated; ``None`` when not said."""
    name: str = "mantle-iam"
    description: str = ""
    partition: str = "aws"
    """Partition of what is attached to; where it is ``aws`` and the scope's regions are all of another one, that one counts."""
    account: str | None = None
    """Account of the role, the callers of an endpoint, the identity provider; twelve digits.  Else the scope's."""

    @property
    def own_account(self) -> str | None:
        """The account that was said, for the document or for its scope."""
        return self.account or self.scope.account

    @property
    def own_partition(self) -> str:
        """The partition that ARNs of the document begin with."""
        of_regions = {partition_of(region) for region in self.scope.regions}
        if self.partition == "aws" and len(of_regions) == 1:
            (only,) = of_regions
            return only
        return self.partition


@dataclass(frozen=True, slots=True)
class Made:
    """A finished artifact and what is to be known about it."""

    artifact: Artifact
    notes: tuple[str, ...] = ()
    """Sentences without a full stop."""
    proven: str = ""
    """What was tried, in one sentence without a full stop; empty where ``documents`` came proven and nothing was added."""
    reasons: tuple[str, ...] = ()
    """Which denial caused which statement, line by line."""
