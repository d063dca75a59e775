"""One account, read live: its users, groups and roles with all their policies, its Bedrock API keys, its VPC endpoints' policies.

Answers are kept as they came, for the readers of files.  What may not be read is said, with the action that is missing, and the
rest goes on.
Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.collect.connections import Connection
from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.fields import objects, text
from mantle_iam.collect.saved import DETAILS, Layer, Unread

KEY_SERVICE: Final = "bedrock.amazonaws.com"
_PAGE: Final = 1000
_LISTS: Final = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
# AWS's own policies are a thousand, of which an account uses a few: those are asked for by name.
_FILTER: Final = ("User", "Group", "Role", "LocalManagedPolicy")
_MOST_PAGES: Final = 100_000
_ENDLESS: Final = Unreadable(Failure.OTHER, "a page says that there are more, and not where they begin")


@dataclass(slots=True)
class Answers:
    """What an account answered: values by file name, and what it did not."""

    files: dict[str, Any] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def missing(self, layer: Layer, action: str, failure: Unreadable) -> None:
        """Note that a read failed."""
        one = Unread(layer, action, failure.reason)
        if one not in self.unread:
            self.unread.append(one)


Told = Callable[[str], None]
"""Is told, in a few words, what is being read."""
Known = dict[str, dict[str, Any]]
"""Of AWS's managed policies, by ARN, as the dump would have them: the same in every account, and read once."""


def read_account(connection: Connection, regions: Iterable[str], known: Known, told: Told = lambda _: None) -> Answers:
    """Everything about one account but its organization.  Never raises for what the world does.

    Args:
        regions: whose VPC endpoints are looked for.
        known: AWS's managed policies that were read before; new ones are added.

    Raises:
        InputError: a region is none.
    """
    found = Answers()
    dump = _details(connection.client("iam"), found, told)
    if dump is None:
        return found
    found.files[DETAILS] = dump
    told("AWS managed policies")
    dump["Policies"] += _managed(connection.client("iam"), dump, known, found)
    told("Bedrock API keys")
    _keys(connection.client("iam"), found)
    for region in regions:
        told(f"VPC endpoints in {region}")
        _endpoints(connection.client("ec2", region), region, found)
    return found


def _details(iam: Any, found: Answers, told: Told) -> dict[str, Any] | None:
    """All pages as one, which says that it is not whole where a page failed; ``None`` where the first one did."""
    dump: dict[str, Any] = {name: [] for name in _LISTS}
    marker: dict[str, str] = {}
    for number in range(1, _MOST_PAGES):
        told(f"users, groups and roles (page {number})")
        page = reading(iam.get_account_authorization_details, Filter=list(_FILTER), MaxItems=_PAGE, **marker)
        if isinstance(page, Unreadable):
            layer = Layer.PRINCIPALS if marker else Layer.ACCOUNT
            found.missing(layer, "iam:GetAccountAuthorizationDetails", page)
            return {**dump, "IsTruncated": True} if marker else None
        for name in _LISTS:
            dump[name] += page.get(name, ())
        if not page.get("IsTruncated"):
            break
        if not page.get("Marker") or marker.get("Marker") == page["Marker"]:
            found.missing(Layer.PRINCIPALS, "iam:GetAccountAuthorizationDetails", _ENDLESS)
            return {**dump, "IsTruncated": True}
        marker = {"Marker": page["Marker"]}
    return {**dump, "IsTruncated": False}


def _managed(iam: Any, dump: dict[str, Any], known: Known, found: Answers) -> Iterator[dict[str, Any]]:
    """AWS's managed policies that the account uses, in the form of the dump's own."""
    for arn in dict.fromkeys(_used(dump)):
        if arn not in known:
            policy = reading(iam.get_policy, PolicyArn=arn)
            if isinstance(policy, Unreadable):
                found.missing(Layer.MANAGED, "iam:GetPolicy", policy)
                continue
            version = policy["Policy"]["DefaultVersionId"]
            text_of = reading(iam.get_policy_version, PolicyArn=arn, VersionId=version)
            if isinstance(text_of, Unreadable):
                found.missing(Layer.MANAGED, "iam:GetPolicyVersion", text_of)
                continue
            known[arn] = {**policy["Policy"], "PolicyVersionList": [text_of["PolicyVersion"]]}
        yield known[arn]


def _used(dump: dict[str, Any]) -> Iterator[str]:
    for name in _LISTS[:3]:
        for owner in dump[name]:
            arns = [text(policy, "PolicyArn") for _, policy in objects(owner, "AttachedManagedPolicies")]
            arns.append(text(owner.get("PermissionsBoundary"), "PermissionsBoundaryArn"))
            yield from (arn for arn in arns if ":iam::aws:policy/" in arn)


def _keys(iam: Any, found: Answers) -> None:
    listed = reading(_all_keys, iam)
    if isinstance(listed, Unreadable):
        found.missing(Layer.KEYS, "iam:ListServiceSpecificCredentials", listed)
        return
    keys, whole = listed
    found.files["service-specific-credentials.json"] = {
        "AllUsers": True,
        "ServiceSpecificCredentials": keys,
        "IsTruncated": not whole,
    }
    if not whole:
        found.missing(Layer.KEYS, "iam:ListServiceSpecificCredentials", _ENDLESS)


def _all_keys(iam: Any) -> tuple[list[Any], bool]:
    """The keys of all users, and whether these are all of them.  boto3 has no paginator for it."""
    keys: list[Any] = []
    marker: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = iam.list_service_specific_credentials(AllUsers=True, ServiceName=KEY_SERVICE, MaxItems=_PAGE, **marker)
        keys += page.get("ServiceSpecificCredentials", ())
        if not page.get("IsTruncated"):
            return keys, True
        if not page.get("Marker") or marker.get("Marker") == page["Marker"]:
            break
        marker = {"Marker": page["Marker"]}
    return keys, False


def _endpoints(ec2: Any, region: str, found: Answers) -> None:
    filters = [{"Name": "service-name", "Values": [f"com.amazonaws.{region}.bedrock-mantle"]}]
    pages = reading(_all_endpoints, ec2, filters)
    if isinstance(pages, Unreadable):
        found.missing(Layer.VPC_ENDPOINT, "ec2:DescribeVpcEndpoints", pages)
    else:
        found.files[f"vpc-endpoints.{region}.json"] = {"VpcEndpoints": pages}


def _all_endpoints(ec2: Any, filters: list[dict[str, Any]]) -> list[Any]:
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
    return [endpoint for page in pages for endpoint in page.get("VpcEndpoints", ())]
