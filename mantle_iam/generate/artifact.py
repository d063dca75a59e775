"""What is written out: finished policy documents, what kind of policy they are, and where they go.

Records alone.  ``kinds`` makes them, ``render`` writes them; neither changes a document of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mantle_iam.errors import InputError
from mantle_iam.iam.policy import PolicyDocument

NAME_LIMIT = 128
"""Characters in the name of a managed policy; of a role or user 64, of a permission set 32."""


class Kind(StrEnum):
    """What a document is for, in AWS's words."""

    IDENTITY = "identity"
    """A customer managed policy for users, roles and groups."""
    INLINE = "inline"
    """An inline policy of one user, role or group."""
    BOUNDARY = "boundary"
    """A permissions boundary: a managed policy that limits and grants nothing by itself."""
    SCP = "scp"
    """A service control policy of AWS Organizations."""
    VPC_ENDPOINT = "vpc-endpoint"
    """The policy of an interface endpoint."""
    SESSION = "session"
    """A session policy, passed with ``AssumeRole``; stored nowhere."""
    PERMISSION_SET = "permission-set"
    """The inline policy of an IAM Identity Center permission set."""
    TRUST = "trust"
    """A role: its trust policy and, where asked for, what it may do."""
    LONG_TERM_KEY = "long-term-key"
    """An IAM user with this policy and a Bedrock API key of limited age."""


class TrustedBy(StrEnum):
    """Who may take on a role."""

    GITHUB = "github"
    """GitHub Actions, by OpenID Connect."""
    IRSA = "irsa"
    """An EKS service account, by the cluster's OpenID Connect provider."""
    POD_IDENTITY = "pod-identity"
    """An EKS service account, by EKS Pod Identity."""
    LAMBDA = "lambda"
    ECS = "ecs"
    """Tasks of Amazon ECS."""
    EC2 = "ec2"


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may take on the role, beside the trust policy that says so: what a format needs for further resources."""

    by: TrustedBy
    provider: str = ""
    """Host and path of the OpenID Connect provider, without scheme; empty where there is none."""
    cluster: str = ""
    """Name of the EKS cluster, where it is known."""
    namespace: str = ""
    """Kubernetes namespace, where it is known."""
    service_account: str = ""
    """Kubernetes service account, where it is known."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Finished documents and everything that a format says around them.

    A field that is empty is left to the reader: a variable, a parameter, an argument, as the format has it.
    """

    documents: tuple[PolicyDocument, ...]
    """One; more than one only where one would be larger than AWS stores.  For ``TRUST`` the trust policy, alone."""
    kind: Kind = Kind.IDENTITY
    name: str = "mantle-iam"
    """Name of the policy, the permission set, the role (``TRUST``) or the user (``LONG_TERM_KEY``)."""
    description: str = ""
    partition: str = "aws"
    roles: tuple[str, ...] = ()
    """Names of the roles that get the policy (``IDENTITY``, ``INLINE``)."""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """Ids of the roots, organizational units and accounts that get an ``SCP``."""
    endpoint: str = ""
    """Id of the VPC endpoint (``vpce-…``)."""
    instance: str = ""
    """ARN of the IAM Identity Center instance."""
    trust: Trust | None = None
    """For ``TRUST``."""
    permissions: tuple[PolicyDocument, ...] = ()
    """For ``TRUST``: what the role may do; may be empty."""
    key_age_days: int | None = None
    """For ``LONG_TERM_KEY``: days until the key expires."""

    @property
    def document(self) -> PolicyDocument:
        """The only document.

        Raises:
            ValueError: there are several.
        """
        (only,) = self.documents
        return only

    def part_name(self, index: int) -> str:
        """Name of the document ``index`` (from 0): the artifact's own, numbered where there are several."""
        return self.name if len(self.documents) == 1 else f"{self.name}-{index + 1}"


def checked_policy_name(name: str) -> str:
    """``name``, when IAM takes it as a policy's name.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html

    Raises:
        InputError: it is empty, too long, or has other characters than letters, digits and ``+=,.@_-``.
    """
    if not name or len(name) > NAME_LIMIT or not all(c.isascii() and (c.isalnum() or c in "+=,.@_-") for c in name):
        raise InputError(
            f"`{name}` is not a name that IAM takes", help="up to 128 letters, digits and any of + = , . @ _ -"
        )
    return name
