"""One account, read live: its users, groups and roles with all their policies, its Bedrock API keys, its VPC endpoints' policies.

Answers are handed on as they come, a page at a time, for the readers of files: an account need not fit into memory.  What may not
be read is said, with the action that is missing, and the rest goes on.
Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mantle_iam.collect.connections import Connection
from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.fields import objects, text
from mantle_iam.collect.saved import DETAILS, KEYS, Layer, Unread, details_name, endpoints_name

KEY_SERVICE: Final = "bedrock.amazonaws.com"
_PAGE: Final = 1000
_LISTS: Final = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
# AWS's own policies are a thousand, of which an account uses a few: those are asked for by name.
_FILTER: Final = ("User", "Group", "Role", "LocalManagedPolicy")
_MOST_PAGES: Final = 100_000
_ENDLESS: Final = Unreadable(Failure.OTHER, "a page says that there are more, and not where they begin")
_NAMELESS: Final = Unreadable(Failure.OTHER, "the answer names no version")
_DETAILS_ACTION: Final = "iam:GetAccountAuthorizationDetails"
_KEYS_ACTION: Final = "iam:ListServiceSpecificCredentials"

Page = dict[str, Any]
Keep = Callable[[str, object], None]
"""Is given the name of a file and what is to be in it."""
Told = Callable[[str], None]
"""Is told, in a few words, what is being read."""
Known = dict[str, Page]
"""Of AWS's managed policies, by ARN, as the dump would have them: the same in every account, read once, shared by threads."""


def read_account(
    connection: Connection, regions: Iterable[str], known: Known, keep: Keep, told: Told = lambda _: None
) -> tuple[Unread, ...]:
    """Everything about one account but its organization; answers what was not read.  Never raises for what the world does.

    Args:
        regions: whose VPC endpoints are looked for.
        known: AWS's managed policies that were read before; new ones are added.
        keep: gets the answers.

    Raises:
        InputError: a region is none.
    """
    reader = _Reader(connection, known, keep, told)
    if reader.details():
        told("Bedrock API keys")
        reader.keys()
        for region in regions:
            told(f"VPC endpoints in {region}")
            reader.endpoints(region)
    return tuple(dict.fromkeys(reader.unread))


class _Reader:
    def __init__(self, connection: Connection, known: Known, keep: Keep, told: Told) -> None:
        self.connection = connection
        self.iam = connection.client("iam")
        self.known = known
        self.keep = keep
        self.told = told
        self.unread: list[Unread] = []
        self.users: set[str] = set()
        self.used: dict[str, None] = {}
        """ARNs of AWS's managed policies."""
        self.whole = False

    def missing(self, layer: Layer, action: str, failure: Unreadable) -> None:
        self.unread.append(Unread(layer, action, failure.reason))

    def details(self) -> bool:
        """Whether there is anything.  The last page says that it is not the last one where the next one failed."""
        page = self._details_page(1, {})
        if page is None:
            return False
        number = 1
        while (after := self._next(page)) and (following := self._details_page(number + 1, after)) is not None:
            self.keep(details_name(number), page)
            page = following
            number += 1
        self.whole = not page["IsTruncated"]
        self.told("AWS managed policies")
        page["Policies"] += self._managed()
        self.keep(details_name(number) if number > 1 else DETAILS, page)
        return True

    def _details_page(self, number: int, marker: dict[str, str]) -> Page | None:
        self.told(f"users, groups and roles (page {number})")
        answer = reading(self.iam.get_account_authorization_details, Filter=list(_FILTER), MaxItems=_PAGE, **marker)
        if isinstance(answer, Unreadable):
            self.missing(Layer.PRINCIPALS if marker else Layer.ACCOUNT, _DETAILS_ACTION, answer)
            return None
        page: Page = {name: list(answer.get(name, ())) for name in _LISTS}
        self.users |= {text(user, "UserName") for user in page["UserDetailList"]}
        self.used |= dict.fromkeys(_used(page))
        after = text(answer, "Marker")
        if answer.get("IsTruncated") and (not after or after == marker.get("Marker") or number >= _MOST_PAGES):
            self.missing(Layer.PRINCIPALS, _DETAILS_ACTION, _ENDLESS)
            after = ""
        # Last, where the reader of files looks for it.
        return {**page, "Marker": after, "IsTruncated": bool(answer.get("IsTruncated"))}

    def _next(self, page: Page) -> dict[str, str]:
        after = page.pop("Marker")
        return {"Marker": after} if page["IsTruncated"] and after else {}

    def _managed(self) -> Iterator[Page]:
        """AWS's managed policies that the account uses, in the form of the dump's own."""
        for arn in self.used:
            if arn not in self.known:
                policy = reading(self.iam.get_policy, PolicyArn=arn)
                if isinstance(policy, Unreadable):
                    self.missing(Layer.MANAGED, "iam:GetPolicy", policy)
                    continue
                about = policy.get("Policy", {})
                version = text(about, "DefaultVersionId")
                found = reading(self.iam.get_policy_version, PolicyArn=arn, VersionId=version) if version else _NAMELESS
                if isinstance(found, Unreadable):
                    self.missing(Layer.MANAGED, "iam:GetPolicyVersion", found)
                    continue
                self.known[arn] = {**about, "PolicyVersionList": [found.get("PolicyVersion", {})]}
            yield self.known[arn]

    def keys(self) -> None:
        """The keys of all users.  boto3 has no paginator for them."""
        keys: list[Any] = []
        whole = False
        marker: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            asked = {"AllUsers": True, "ServiceName": KEY_SERVICE, "MaxItems": _PAGE, **marker}
            page = reading(self.iam.list_service_specific_credentials, **asked)
            if isinstance(page, Unreadable):
                self.missing(Layer.KEYS, _KEYS_ACTION, page)
                break
            keys += page.get("ServiceSpecificCredentials", ())
            whole, after = not page.get("IsTruncated"), text(page, "Marker")
            if whole:
                break
            if not after or after == marker.get("Marker"):
                self.missing(Layer.KEYS, _KEYS_ACTION, _ENDLESS)
                break
            marker = {"Marker": after}
        if keys or whole:
            self.keep(KEYS, {"AllUsers": True, "ServiceSpecificCredentials": keys, "IsTruncated": not whole})
        if self.whole:
            for user in dict.fromkeys(text(key, "UserName") for key in keys):
                if user not in self.users:
                    gone = f"user `{user}` has a Bedrock API key and is not among the users"
                    self.missing(Layer.PRINCIPALS, _DETAILS_ACTION, Unreadable(Failure.NOT_FOUND, gone))

    def endpoints(self, region: str) -> None:
        """The VPC endpoints of the service in a region."""
        ec2 = self.connection.client("ec2", region)
        filters = [{"Name": "service-name", "Values": [f"com.amazonaws.{region}.bedrock-mantle"]}]
        found = reading(_all_endpoints, ec2, filters)
        if isinstance(found, Unreadable):
            self.missing(Layer.VPC_ENDPOINT, "ec2:DescribeVpcEndpoints", found)
        else:
            self.keep(endpoints_name(region), {"VpcEndpoints": found})


def _used(page: Page) -> Iterator[str]:
    for name in _LISTS[:3]:
        for owner in page[name]:
            arns = [text(policy, "PolicyArn") for _, policy in objects(owner, "AttachedManagedPolicies")]
            arns.append(text(owner.get("PermissionsBoundary"), "PermissionsBoundaryArn"))
            yield from (arn for arn in arns if ":iam::aws:policy/" in arn)


def _all_endpoints(ec2: Any, filters: list[dict[str, Any]]) -> list[Any]:
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
    return [endpoint for page in pages for endpoint in page.get("VpcEndpoints", ())]
