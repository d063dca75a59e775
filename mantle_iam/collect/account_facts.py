"""What dumps do not hold: Bedrock API keys (service-specific credentials) and VPC endpoint policies, as AWS commands print them.

The answer of ``list-service-specific-credentials`` names no account: it is that in the file's path, or of the dump beside it.
Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes, moment, objects, text
from mantle_iam.collect.organization_files import subject
from mantle_iam.collect.saved import LAYERS, AccountRecord
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import Account, ApiKey, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.request import PolicyType

_KEY_SERVICE: Final = "bedrock.amazonaws.com"
_ENDED: Final = ("Inactive", "Expired")
_ENDPOINT_SERVICE: Final = ".bedrock-mantle"


def is_credentials(value: object) -> bool:
    """Whether it lists service-specific credentials."""
    return isinstance(value, Mapping) and isinstance(value.get("ServiceSpecificCredentials"), list)


def is_endpoints(value: object) -> bool:
    """Whether it lists VPC endpoints."""
    return isinstance(value, Mapping) and isinstance(value.get("VpcEndpoints"), list)


@dataclass(slots=True)
class _Keys:
    by_user: dict[str, list[ApiKey]] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    """Users of whom all keys are known."""
    everyone: bool = False
    """Whether one who is not listed has none."""


class Facts:
    """Keys and endpoints, by account where that is known, else by folder."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys: dict[str, _Keys] = {}
        self._endpoints: dict[str, list[NamedPolicy]] = {}
        self._vague: set[str] = set()
        self._unread: dict[str, frozenset[PolicyType]] = {}
        self.standalone: set[str] = set()
        """Accounts that belong to no organization."""

    def take_record(self, record: AccountRecord, regions: Iterable[str] = ()) -> None:
        """What of an account could not be read when it was.  ``regions``: those that are asked about."""
        if record.standalone:
            self.standalone.add(record.account)
        if set(regions) - set(record.regions):
            self._vague.add(record.account)
        unread = frozenset(LAYERS[one.layer] for one in record.unread if one.layer in LAYERS)
        self._unread[record.account] = self._unread.get(record.account, frozenset()) | unread

    def take_credentials(self, value: Mapping[str, Any], path: str, notes: Notes) -> None:
        """One answer.  With ``--all-users`` it names every user who has a key, so that the others are known to have none."""
        owner = _owner(path)
        keys = self._keys.setdefault(owner, _Keys())
        users = set()
        for _, found in objects(value, "ServiceSpecificCredentials"):
            user = text(found, "UserName")
            users.add(user)
            if text(found, "ServiceName") not in (_KEY_SERVICE, ""):
                continue
            keys.by_user.setdefault(user, []).append(
                ApiKey(
                    text(found, "ServiceSpecificCredentialId"),
                    user,
                    moment(found, "CreateDate"),
                    moment(found, "ExpirationDate"),
                    text(found, "Status") not in _ENDED,
                    expiry_known="ExpirationDate" not in found or moment(found, "ExpirationDate") is not None,
                )
            )
        truncated = str(value.get("IsTruncated")).lower() == "true"
        if truncated:
            notes.add("the list has more pages (`IsTruncated`), which were not given")
        else:
            keys.listed |= users
        # An answer about one user cannot name two.
        everyone = value.get("AllUsers") is True or len(users) > 1
        keys.everyone = keys.everyone or (everyone and not truncated)

    def take_endpoints(self, value: Mapping[str, Any], path: str, pointer: str, notes: Notes) -> None:
        """The endpoints of the service; those of others decide nothing here."""
        for index, endpoint in objects(value, "VpcEndpoints"):
            if not text(endpoint, "ServiceName").endswith(_ENDPOINT_SERVICE):
                continue
            owner = text(endpoint, "OwnerId") or _owner(path)
            id_ = text(endpoint, "VpcEndpointId")
            read = self._documents.read(endpoint.get("PolicyDocument"))
            place = Place(path, address=id_, pointer=f"{pointer}/VpcEndpoints/{index}/PolicyDocument")
            if read.document is None:
                notes.add(read.problem, id_)
                self._vague.add(owner)
            else:
                named = NamedPolicy(id_, read.document, Purpose.VPC_ENDPOINT, place, unresolved=read.unresolved)
                self._endpoints.setdefault(owner, []).append(named)

    def applied(self, account: Account, path: str) -> Account:
        """``account``, read from ``path``, with its keys and endpoints."""
        owners = [owner for owner in (account.id, _folder(path)) if owner]
        endpoints = [named for owner in owners for named in self._endpoints.get(owner, ())]
        found = [self._keys[owner] for owner in owners if owner in self._keys]
        principals = account.principals
        if found:
            principals = tuple(_with_keys(principal, found[0]) for principal in principals)
        unknown = account.unknown | self._unread.get(account.id, frozenset())
        if self._vague & set(owners):
            unknown |= {PolicyType.VPC_ENDPOINT}
        if not endpoints and not found and unknown == account.unknown:
            return account
        return replace(
            account, principals=principals, endpoints=(*account.endpoints, *endpoints), unknown=frozenset(unknown)
        )

    def unclaimed(self) -> tuple[NamedPolicy, ...]:
        """Every endpoint policy."""
        return tuple(named for many in self._endpoints.values() for named in many)


def _owner(path: str) -> str:
    account = subject(path)
    return account if account.isdigit() else _folder(path)


def _folder(path: str) -> str:
    return f"folder:{Path(path).parent}"


def _with_keys(principal: Principal, keys: _Keys) -> Principal:
    arn = Arn.try_parse(principal.arn)
    if arn is None or not arn.resource.startswith("user/"):
        return principal
    user = arn.resource.rpartition("/")[2]
    if user in keys.listed or keys.everyone:
        return replace(principal, keys=tuple(keys.by_user.get(user, ())))
    return principal
