"""What reading accounts live needs: the actions that ``account`` and ``organization_answers`` call, as the smallest policy.

``sts:GetCallerIdentity`` needs no permission, so that it is not here.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/ (resource types and condition keys of each action).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mantle_iam.collect.organization_answers import KINDS
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement

_KIND_KEY: Final = "organizations:PolicyType"
_ANY: Final = ("*",)


def collecting_policy(partition: str = "aws", roles: Iterable[str] = (), role_name: str = "") -> PolicyDocument:
    """The policy for reading an account, its organization and its VPC endpoints.

    Args:
        roles: ARNs that are assumed.
        role_name: of the role that is assumed in every account of the organization.
    """
    everywhere = (f"arn:{partition}:iam::*:role/{role_name}",) if role_name else ()
    listing = (_allow("ListAccounts", ("organizations:ListAccounts",), _ANY),) if role_name else ()
    return PolicyDocument((*_statements(partition, tuple(dict.fromkeys((*roles, *everywhere)))), *listing))


def _statements(partition: str, roles: tuple[str, ...]) -> Iterator[Statement]:
    yield _allow("ReadAccount", ("iam:GetAccountAuthorizationDetails",), _ANY)
    managed = (f"arn:{partition}:iam::aws:policy/*",)
    yield _allow("ReadAwsManagedPolicies", ("iam:GetPolicy", "iam:GetPolicyVersion"), managed)
    # Its resources are users, but a call for all of them names none, and what is then compared is not documented.
    yield _allow("ListBedrockApiKeys", ("iam:ListServiceSpecificCredentials",), _ANY)
    yield _allow("ReadVpcEndpoints", ("ec2:DescribeVpcEndpoints",), _ANY)
    yield _allow("ReadOrganization", ("organizations:DescribeOrganization", "organizations:ListRoots"), _ANY)
    before = f"arn:{partition}:organizations::*"
    account, unit, root = f"{before}:account/o-*/*", f"{before}:ou/o-*/ou-*", f"{before}:root/o-*/r-*"
    yield _allow("ReadOrganizationTree", ("organizations:ListParents",), (account, unit))
    kinds = (Condition("StringEquals", _KIND_KEY, tuple(KINDS.values())),)
    yield _allow("ListOrganizationPolicies", ("organizations:ListPoliciesForTarget",), (account, unit, root), kinds)
    texts = tuple(
        resource
        for kind in (kind.lower() for kind in KINDS.values())
        for resource in (
            f"{before}:policy/o-*/{kind}/p-*",
            f"arn:{partition}:organizations::aws:policy/{kind}/p-*",
        )
    )
    yield _allow("ReadOrganizationPolicies", ("organizations:DescribePolicy",), texts, kinds)
    if roles:
        yield _allow("AssumeRoles", ("sts:AssumeRole",), roles)


def _allow(
    sid: str, actions: tuple[str, ...], resources: tuple[str, ...], conditions: tuple[Condition, ...] = ()
) -> Statement:
    return Statement(Effect.ALLOW, sid=sid, actions=actions, resources=resources, conditions=conditions)
