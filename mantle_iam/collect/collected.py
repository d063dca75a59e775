"""iam-collect's folder: one small file for every fact, put together again as a dump of each account and an organization.

Layout: ``accounts/ID/iam/{user,group,role,policy}/NAME/*.json``, ``organizations/ID/``; names are in lower case and URL-encoded.
Source: https://github.com/cloud-copilot/iam-collect (names and contents of its files).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dumps import Dumped, Managed, Page, read_pages
from mantle_iam.collect.fields import Notes, text, texts
from mantle_iam.collect.openers import Opener
from mantle_iam.collect.organization_files import OrganizationReader
from mantle_iam.collect.places import TextError, decode_text, read_json
from mantle_iam.iam.inventory import NamedPolicy, Principal

_LISTS: Final = {"user": "UserDetailList", "group": "GroupDetailList", "role": "RoleDetailList"}


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder that iam-collect wrote."""

    path: str
    opener: Opener
    documents: Documents

    def accounts(self) -> Iterator[str]:
        """Ids of its accounts."""
        for name in sorted(folder.name for folder in Path(self.path, "accounts").iterdir()):
            if name.isascii() and name.isdigit() and len(name) == 12:
                yield name

    def take_organizations(self, reader: OrganizationReader, notes: Notes) -> None:
        """Its organizations' trees and policies."""
        top = Path(self.path, "organizations")
        for folder in sorted(top.iterdir()) if top.is_dir() else ():
            if not folder.is_dir():
                continue
            files = {}
            for file in sorted(folder.rglob("*.json")):
                value = self._value(file, notes)
                if value is not None:
                    files[file.relative_to(folder).as_posix()] = (str(file), value)
            reader.take_collected(files, notes)

    def read(self, account: str, managed: Managed, notes: Notes) -> Dumped:
        """One account."""
        iam = Path(self.path, "accounts", account, "iam")
        pages = [page for kind in _LISTS for page in self._entities(iam / kind, kind, notes)]
        pages.extend(self._policies(iam / "policy", notes))
        wanted = {
            text(policy, "PolicyArn")
            for page in pages
            for name in _LISTS.values()
            for owner in page.value.get(name, ())
            for policy in owner["AttachedManagedPolicies"]
        }
        pages.extend(self._policies(Path(self.path, "accounts", "aws", "iam", "policy"), notes, wanted))
        return _without_pointers(read_pages(pages, self.documents, managed, notes))

    def _value(self, file: Path, notes: Notes) -> Any:
        try:
            return read_json(decode_text(self.opener.read(str(file))).text)
        except TextError as error:
            notes.add(error.message, str(file))
            return None

    def _resources(self, folder: Path, notes: Notes) -> Iterator[tuple[Path, dict[str, Any]]]:
        for name in self.opener.names(str(folder)):
            resource = folder / name
            files = [resource / file for file in self.opener.names(str(resource)) if file.endswith(".json")]
            if files:
                yield resource, {file.stem: self._value(file, notes) for file in files}

    def _entities(self, folder: Path, kind: str, notes: Notes) -> Iterator[Page]:
        for resource, found in self._resources(folder, notes):
            metadata = found.get("metadata")
            boundary = text(metadata, "permissionBoundary")
            title = kind.title()
            entity: dict[str, Any] = {
                "Arn": text(metadata, "arn"),
                f"{title}Name": text(metadata, "name"),
                f"{title}PolicyList": found.get("inline-policies") or [],
                "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in texts(found, "managed-policies")],
                "GroupList": [arn.rpartition("/")[2] for arn in texts(found, "groups")],
                "Tags": found.get("tags") or {},
            }
            if boundary:
                entity["PermissionsBoundary"] = {"PermissionsBoundaryArn": boundary}
            if found.get("trust-policy") is not None:
                entity["AssumeRolePolicyDocument"] = found["trust-policy"]
            yield Page({_LISTS[kind]: [entity]}, str(resource))

    def _policies(self, folder: Path, notes: Notes, wanted: set[str] | None = None) -> Iterator[Page]:
        names = None if wanted is None else {arn.rpartition("/")[2].lower() for arn in wanted}
        for resource in map(folder.joinpath, self.opener.names(str(folder))):
            if names is not None and resource.name.lower().replace("%2f", "/").rpartition("/")[2] not in names:
                continue
            found = {name: self._value(resource / f"{name}.json", notes) for name in ("metadata", "current-policy")}
            metadata = found["metadata"]
            policy: Mapping[str, Any] = {
                "Arn": text(metadata, "arn"),
                "PolicyName": text(metadata, "name"),
                "PolicyVersionList": [{"IsDefaultVersion": True, "Document": found["current-policy"]}],
            }
            yield Page({"Policies": [policy]}, str(resource / "current-policy.json"))


def _without_pointers(dumped: Dumped) -> Dumped:
    """Places without the pointers into a dump that there never was."""

    def plain(policy: NamedPolicy) -> NamedPolicy:
        return replace(policy, place=replace(policy.place, pointer=""))

    def principal(found: Principal) -> Principal:
        return replace(
            found,
            identity=tuple(map(plain, found.identity)),
            boundary=None if found.boundary is None else plain(found.boundary),
            trust=None if found.trust is None else plain(found.trust),
            place=replace(found.place, pointer=""),
        )

    accounts = tuple(
        replace(account, principals=tuple(map(principal, account.principals))) for account in dumped.accounts
    )
    return Dumped(accounts, tuple(map(plain, dumped.policies)))
