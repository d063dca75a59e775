"""Dumps of an account: what ``get-account-authorization-details`` prints, to principals and everything that binds them.

Pages may be apart or together, documents objects or URL-encoded texts.  Only the default version of a managed policy counts;
one whose document is not in the dump is unknown, not empty, unless the caller has its text.  Reads no file.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes, objects, tags, text, texts
from mantle_iam.collect.records import maker
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import Repeated
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType

_place = maker(Place)
_named_policy = maker(NamedPolicy)
_principal = maker(Principal)
_ORDINARY = frozenset((dict,))
"""The very type: what has a key twice is of another."""
_TRUNCATED = re.compile(rb'"IsTruncated"[ \t\r\n]*:[ \t\r\n]*"?([Tt]rue)?')
_LONGEST_MARK = 100
DETAILS = ("UserDetailList", "GroupDetailList", "RoleDetailList")

Managed = Mapping[str, PolicyDocument]
"""Documents of AWS's managed policies by ARN, for dumps that have them not."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the API, and where in which file it stands."""

    value: Mapping[str, Any]
    path: str = ""
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Dumped:
    """What a dump holds: accounts, and the documents that bind nobody in it."""

    accounts: tuple[Account, ...] = ()
    policies: tuple[NamedPolicy, ...] = ()


def is_dump(value: object) -> bool:
    """Whether it is a page of a dump; a last page may hold policies alone."""
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(value.get(name), list) for name in DETAILS):
        return True
    return any("PolicyVersionList" in policy for _, policy in objects(value, "Policies"))


def is_truncated(value: object) -> bool:
    """Whether the API had more to say."""
    return isinstance(value, Mapping) and str(value.get("IsTruncated")).lower() == "true"


def goes_on(blocks: Iterable[bytes]) -> bool:
    """Whether the last page of a text, which comes in blocks, says that there is another; wherever in the page it says so."""
    more, end = False, b""
    for block in blocks:
        # UTF-16 is, but for its zeros, ASCII here.
        text = end + (block.replace(b"\0", b"") if b"\0" in block else block)
        for found in _TRUNCATED.finditer(text):
            more = found[1] is not None
        end = text[-_LONGEST_MARK:]
    return more


@dataclass(slots=True)
class _Layer:
    """Policies of one owner, and whether there are more that are not known."""

    policies: list[NamedPolicy] = field(default_factory=list)
    unknown: bool = False


@dataclass(slots=True)
class _Listed:
    """A managed policy of the dump: its default document (parsed once, when asked for)."""

    name: str
    source: object
    place: Place
    found: NamedPolicy | None = None
    problem: str = ""
    opaque: bool = False
    attached: bool = False


class _Reader:
    def __init__(self, documents: Documents, managed: Managed, notes: Notes) -> None:
        self.documents = documents
        self.managed = managed
        self.notes = notes
        self.listed: dict[str, _Listed] = {}
        self.groups: dict[tuple[str, str], _Layer] = {}
        self.peopled: set[tuple[str, str]] = set()

    def objects(
        self, owner: Mapping[str, Any], name: str, about: str = "", layer: _Layer | None = None
    ) -> Iterable[tuple[int, Mapping[str, Any]]]:
        """As ``fields.objects``, and nothing is passed over in silence.

        Noted: an object that has a key twice, since what the first one held is lost; what is no list of objects, which leaves
        ``layer`` unknown.
        """
        value = owner.get(name)
        if type(value) is list and _ORDINARY.issuperset(map(type, value)):
            return enumerate(value)
        found = list(objects(owner, name))
        for _, each in found:
            self.said_once(each, about)
        if value is not None and not (isinstance(value, list) and len(found) == len(value)):
            self.notes.add("what should be a list of objects is not understood", f"{about}: {name}" if about else name)
            if layer is not None:
                layer.unknown = True
        return found

    def said_once(self, value: object, about: str = "") -> None:
        """Note it where an object has a key twice."""
        if isinstance(value, Repeated):
            names = about or text(value, "Arn") or ", ".join(value.keys_twice)
            self.notes.add("a key occurs more than once; the last one counts", names)

    def list_policies(self, page: Page) -> None:
        self.said_once(page.value)
        for index, policy in self.objects(page.value, "Policies"):
            arn, wanted = text(policy, "Arn"), text(policy, "DefaultVersionId")
            versions = list(self.objects(policy, "PolicyVersionList", arn))
            default = next(
                (
                    (at, version)
                    for at, version in versions
                    if version.get("IsDefaultVersion") is True or (wanted and text(version, "VersionId") == wanted)
                ),
                None,
            )
            if not arn:
                self.notes.add("a managed policy without an ARN", text(policy, "PolicyName"))
                continue
            at, version = default if default is not None else (0, {})
            pointer = f"{page.pointer}/Policies/{index}/PolicyVersionList/{at}/Document"
            self.listed[arn] = _Listed(
                text(policy, "PolicyName") or arn.rpartition("/")[2],
                version.get("Document"),
                Place(page.path, address=arn, pointer=pointer),
            )

    def managed_policy(self, arn: str, purpose: Purpose = Purpose.IDENTITY) -> tuple[NamedPolicy | None, bool]:
        """The policy, and whether something of it is not known."""
        listed = self.listed.get(arn)
        if listed is not None:
            listed.attached = True
        if listed is None or listed.source is None:
            known = self.managed.get(arn)
            if known is None:
                self.notes.add("the document of a managed policy is not in the dump", arn, documents=False)
                return None, True
            return NamedPolicy(arn.rpartition("/")[2], known, purpose, Place(address=arn), arn), False
        self._parse(arn, listed)
        if listed.found is None or purpose is Purpose.IDENTITY:
            return listed.found, listed.opaque or listed.found is None
        named = listed.found
        return NamedPolicy(named.name, named.document, purpose, named.place, arn, named.unresolved), listed.opaque

    def _parse(self, arn: str, listed: _Listed) -> None:
        if listed.found is not None or listed.problem:
            return
        read = self.documents.read(listed.source)
        listed.opaque = read.opaque
        if read.document is None:
            listed.problem = read.problem
            self.notes.add(read.problem, arn)
            return
        listed.found = NamedPolicy(listed.name, read.document, place=listed.place, arn=arn, unresolved=read.unresolved)

    def inline(self, owner: Mapping[str, Any], name: str, place: Place) -> _Layer:
        """Inline policies of a user, group or role."""
        layer = _Layer()
        for index, policy in self.objects(owner, name, place.address, layer):
            called = text(policy, "PolicyName")
            at = _place(place.path, None, None, place.address, f"{place.pointer}/{name}/{index}/PolicyDocument")
            self.add(layer, called, policy.get("PolicyDocument"), Purpose.IDENTITY, at)
        return layer

    def add(self, layer: _Layer, name: str, source: object, purpose: Purpose, place: Place) -> None:
        read = self.documents.read(source)
        layer.unknown = layer.unknown or read.opaque
        if read.document is None:
            self.notes.add(read.problem, f"{place.address}: {name}")
        else:
            layer.policies.append(_named_policy(name, read.document, purpose, place, "", read.unresolved, (), ()))

    def attached(self, owner: Mapping[str, Any], layer: _Layer) -> None:
        for _, policy in self.objects(owner, "AttachedManagedPolicies", text(owner, "Arn"), layer):
            found, unknown = self.managed_policy(text(policy, "PolicyArn"))
            layer.unknown = layer.unknown or unknown
            if found is not None:
                layer.policies.append(found)

    def layer(self, owner: Mapping[str, Any], inline: str, place: Place) -> _Layer:
        found = self.inline(owner, inline, place)
        self.attached(owner, found)
        return found

    def list_groups(self, page: Page) -> None:
        for index, group in self.objects(page.value, "GroupDetailList"):
            arn = text(group, "Arn")
            place = Place(page.path, address=arn, pointer=f"{page.pointer}/GroupDetailList/{index}")
            self.groups[_account(arn), text(group, "GroupName")] = self.layer(group, "GroupPolicyList", place)

    def principals(self, page: Page) -> Iterator[Principal]:
        for index, user in self.objects(page.value, "UserDetailList"):
            place = Place(page.path, address=text(user, "Arn"), pointer=f"{page.pointer}/UserDetailList/{index}")
            layer = self.layer(user, "UserPolicyList", place)
            names, given = texts(user, "GroupList"), user.get("GroupList")
            if isinstance(given, list) and len(names) < len(given):
                self.notes.add("a group of a user is not understood", place.address, documents=False)
                layer.unknown = True
            for name in names:
                group = self.groups.get((_account(place.address), name))
                self.peopled.add((_account(place.address), name))
                if group is None:
                    self.notes.add("a group is not in the dump", name, documents=False)
                    layer.unknown = True
                else:
                    layer.policies.extend(group.policies)
                    layer.unknown = layer.unknown or group.unknown
            yield from self._principal(user, place, layer, None)
        for index, role in self.objects(page.value, "RoleDetailList"):
            place = _place(page.path, None, None, text(role, "Arn"), f"{page.pointer}/RoleDetailList/{index}")
            layer = self.layer(role, "RolePolicyList", place)
            yield from self._principal(role, place, layer, self._trust(role, place))

    def _trust(self, role: Mapping[str, Any], place: Place) -> NamedPolicy | None:
        if role.get("AssumeRolePolicyDocument") is None:
            return None
        layer = _Layer()
        at = _place(place.path, None, None, place.address, f"{place.pointer}/AssumeRolePolicyDocument")
        self.add(layer, "trust policy", role["AssumeRolePolicyDocument"], Purpose.TRUST, at)
        return layer.policies[0] if layer.policies else None

    def _principal(
        self, owner: Mapping[str, Any], place: Place, layer: _Layer, trust: NamedPolicy | None
    ) -> Iterator[Principal]:
        if not _account(place.address):
            self.notes.add("a user or role without an ARN of an account", place.address or place.pointer)
            return
        given = owner.get("Tags")
        if type(given) is not list and isinstance(given, Mapping):
            self.said_once(given, place.address)
        else:
            self.objects(owner, "Tags", place.address)
        unknown = {PolicyType.IDENTITY} if layer.unknown else set()
        boundary = None
        bounds = owner.get("PermissionsBoundary")
        wanted = text(bounds, "PermissionsBoundaryArn") if bounds else ""
        self.said_once(bounds, place.address)
        if wanted:
            boundary, opaque = self.managed_policy(wanted, Purpose.BOUNDARY)
            if opaque:
                unknown.add(PolicyType.PERMISSIONS_BOUNDARY)
        elif bounds:
            self.notes.add("a permissions boundary that is not understood", place.address)
            unknown.add(PolicyType.PERMISSIONS_BOUNDARY)
        yield _principal(
            place.address, tuple(layer.policies), boundary, trust, tags(owner), None, frozenset(unknown), place
        )


@lru_cache(maxsize=256)
def _account(arn: str) -> str:
    parsed = Arn.try_parse(arn)
    return parsed.account if parsed is not None else ""


def read_pages(pages: Sequence[Page], documents: Documents, managed: Managed, notes: Notes) -> Dumped:
    """The accounts of the pages of one dump.  What is not understood is noted and unknown; nothing is raised."""
    reader = _Reader(documents, managed, notes)
    for page in pages:
        reader.list_policies(page)
    for page in pages:
        reader.list_groups(page)
    if pages and is_truncated(pages[-1].value):
        notes.add("the dump says that it has more pages (`IsTruncated`), and none of them was given")
    by_account: dict[str, list[Principal]] = {}
    for page in pages:
        for principal in reader.principals(page):
            by_account.setdefault(_account(principal.arn), []).append(principal)
    accounts = tuple(
        Account(account, Arn.parse(principals[0].arn).partition, tuple(principals))
        for account, principals in by_account.items()
    )
    return Dumped(accounts, tuple(_unattached(reader)))


def _unattached(reader: _Reader) -> Iterator[NamedPolicy]:
    for arn, listed in reader.listed.items():
        # AWS's own that nobody uses are nobody's business; they are there when the caller did not filter.
        if not listed.attached and _account(arn) != "aws" and listed.source is not None:
            found, _ = reader.managed_policy(arn)
            if found is not None:
                yield found
    for group, layer in reader.groups.items():
        if group not in reader.peopled:
            yield from (policy for policy in layer.policies if not policy.arn)
