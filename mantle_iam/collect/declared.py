"""What infrastructure code declares, whatever its language, to the accounts that it would make.

A reader of Terraform or CloudFormation fills the tables; here owners and policies find each other.  An owner or a policy that
the code only names is outside of it: what else binds such a principal is unknown.  Knows no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import UNRESOLVED, Account, ApiKey, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType

UNKNOWN_ACCOUNT: Final = "000000000000"
"""Stands for the account of code that does not say into which it goes."""


class Linked(str):
    """The name or ARN of a resource of the code, known or not; ``key`` is its key in the tables."""

    __slots__ = ("key",)

    key: str


def linked(text: str, key: str) -> Linked:
    """``text`` as what stands for the resource ``key``."""
    found = Linked(text)
    found.key = key
    return found


@dataclass(frozen=True, slots=True)
class Ref:
    """Somebody or something that the code points at: by its key in the same tables, else by ARN or name, else unknown."""

    key: str = ""
    text: str = ""

    @property
    def known(self) -> bool:
        """Whether it can be told from others at all."""
        return bool(self.key) or (bool(self.text) and UNRESOLVED not in self.text)


@dataclass(frozen=True, slots=True)
class Owner:
    """A user, group or role (or a permission set, of which accounts make a role)."""

    kind: str
    name: str
    path: str = "/"
    boundary: Ref | None = None
    trust: object = None
    tags: tuple[tuple[str, str], ...] = ()
    place: Place = field(default_factory=Place)
    trust_place: Place = field(default_factory=Place)
    arn: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A document that the code holds."""

    name: str
    source: object
    place: Place
    purpose: Purpose = Purpose.IDENTITY
    arn: str = ""
    marks: tuple[tuple[str, int, int], ...] = ()


@dataclass(slots=True)
class Declared:
    """Everything that one configuration declares.  Keys are whatever the language tells its resources apart by."""

    owners: dict[str, Owner] = field(default_factory=dict)
    managed: dict[str, Written] = field(default_factory=dict)
    inline: list[tuple[str, Ref, Written]] = field(default_factory=list)
    """Kind of the owner, the owner, the document."""
    attached: list[tuple[str, Ref, Ref]] = field(default_factory=list)
    """Kind of the owner, the owner, the managed policy."""
    members: list[tuple[Ref, Ref]] = field(default_factory=list)
    """A user and a group of theirs."""
    boundaries: list[tuple[str, Ref, Ref]] = field(default_factory=list)
    keys: list[tuple[Ref, ApiKey]] = field(default_factory=list)
    loose: list[Written] = field(default_factory=list)
    """Organization policies, and whatever else binds nobody by itself."""
    endpoints: list[Written] = field(default_factory=list)
    incomplete: set[str] = field(default_factory=set)
    """Keys of owners that have more than is known here."""
    account: str = ""
    partition: str = "aws"


@dataclass(slots=True)
class _Bound:
    owner: Owner
    policies: list[NamedPolicy] = field(default_factory=list)
    boundary: NamedPolicy | None = None
    unknown: set[PolicyType] = field(default_factory=set)
    keys: list[ApiKey] = field(default_factory=list)


class _Assembly:
    def __init__(
        self, declared: Declared, documents: Documents, managed: Mapping[str, PolicyDocument], notes: Notes
    ) -> None:
        self.declared = declared
        self.documents = documents
        self.shipped = managed
        self.notes = notes
        self.bound = {key: _Bound(owner) for key, owner in declared.owners.items()}
        self.by_name = {(owner.kind, owner.name): key for key, owner in declared.owners.items()}
        self.by_arn = {written.arn: key for key, written in declared.managed.items() if written.arn}
        self.by_policy_name = {written.name: key for key, written in declared.managed.items()}
        self.parsed: dict[str, tuple[NamedPolicy | None, bool]] = {}
        self.used: set[str] = set()
        self.loose: list[NamedPolicy] = []
        for key in declared.incomplete & set(self.bound):
            self.bound[key].unknown.add(PolicyType.IDENTITY)

    def read(self, written: Written) -> tuple[NamedPolicy | None, bool]:
        """The document, and whether something of it is not known."""
        read = self.documents.read(written.source)
        about = f"{written.place.address}: {written.name}" if written.name else written.place.address
        if read.document is None:
            self.notes.add(read.problem, about)
            return None, True
        if read.unresolved:
            self.notes.add("a document has values that are not known yet", about, partial=False)
        named = NamedPolicy(
            written.name,
            read.document,
            written.purpose,
            written.place,
            written.arn,
            read.unresolved,
            written.marks,
            read.indexes,
        )
        return named, read.opaque

    def owner(self, kind: str, ref: Ref) -> _Bound | None:
        """Whom ``ref`` means; one outside of the code is made, with what else binds it unknown."""
        if ref.key in self.bound:
            return self.bound[ref.key]
        if not ref.known or not ref.text:
            return None
        name = ref.text.rpartition("/")[2] if ref.text.startswith("arn:") else ref.text
        key = self.by_name.get((kind, name))
        if key is None:
            key = f"{kind} {name}"
            arn = ref.text if ref.text.startswith("arn:") else ""
            self.by_name[kind, name] = key
            self.bound[key] = _Bound(
                Owner(kind, name, arn=arn), unknown={PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}
            )
            self.notes.add(f"a {kind} that is not declared here: what else binds it is unknown", name, partial=False)
        return self.bound[key]

    def policy(self, ref: Ref, purpose: Purpose = Purpose.IDENTITY) -> tuple[NamedPolicy | None, bool]:
        """The managed policy that ``ref`` means, and whether something of it is not known."""
        key = ref.key if ref.key in self.declared.managed else self.by_arn.get(ref.text, "")
        if not key and ref.text and not ref.text.startswith("arn:aws:iam::aws:"):
            key = self.by_policy_name.get(ref.text.rpartition("/")[2], "")
        if key:
            self.used.add(key)
            if key not in self.parsed:
                self.parsed[key] = self.read(self.declared.managed[key])
            found, opaque = self.parsed[key]
            return (None if found is None else replace(found, purpose=purpose)), opaque
        shipped = self.shipped.get(ref.text)
        if shipped is not None:
            return NamedPolicy(ref.text.rpartition("/")[2], shipped, purpose, Place(address=ref.text), ref.text), False
        about = ref.text or ref.key or "known after apply"
        self.notes.add("the document of a managed policy is not in the code", about, documents=False)
        return None, True

    def run(self) -> Account | None:
        for kind, ref, written in self.declared.inline:
            named, opaque = self.read(written)
            self._bind(kind, ref, named, opaque, written.place.address)
        for kind, ref, policy in self.declared.attached:
            named, opaque = self.policy(policy)
            self._bind(kind, ref, named, opaque, policy.text or policy.key)
        for kind, ref, policy in self.declared.boundaries:
            bound = self.owner(kind, ref)
            if bound is not None:
                self._boundary(bound, policy)
        for bound in list(self.bound.values()):
            if bound.owner.boundary is not None:
                self._boundary(bound, bound.owner.boundary)
        for user, key in self.declared.keys:
            bound = self.owner("user", user)
            if bound is not None:
                bound.keys.append(replace(key, user=bound.owner.name))
        self._groups()
        return self._account()

    def _bind(self, kind: str, ref: Ref, named: NamedPolicy | None, opaque: bool, what: str) -> None:
        bound = self.owner(kind, ref)
        if bound is None:
            self.notes.add(f"the {kind} to which a policy is attached is not known", what, documents=False)
            if named is not None and named.place.path:
                self.loose.append(named)
            return
        if named is not None:
            bound.policies.append(named)
        if opaque:
            bound.unknown.add(PolicyType.IDENTITY)

    def _boundary(self, bound: _Bound, policy: Ref) -> None:
        bound.boundary, opaque = self.policy(policy, Purpose.BOUNDARY)
        if opaque:
            bound.unknown.add(PolicyType.PERMISSIONS_BOUNDARY)
        else:
            bound.unknown.discard(PolicyType.PERMISSIONS_BOUNDARY)

    def _groups(self) -> None:
        for user_ref, group_ref in self.declared.members:
            user, group = self.owner("user", user_ref), self.owner("group", group_ref)
            if user is None:
                self.notes.add(
                    "the user of a group membership is not known", group_ref.text or group_ref.key, documents=False
                )
            elif group is None:
                self.notes.add("a group of a user is not known", user.owner.name, documents=False)
                user.unknown.add(PolicyType.IDENTITY)
            else:
                user.policies.extend(group.policies)
                user.unknown |= group.unknown & {PolicyType.IDENTITY}

    def _account(self) -> Account | None:
        account = self.declared.account or UNKNOWN_ACCOUNT
        principals = tuple(
            self._principal(bound, account) for bound in self.bound.values() if bound.owner.kind != "group"
        )
        endpoints, vague = self._documents(self.declared.endpoints)
        loose, _ = self._documents(self.declared.loose)
        unused = [self.policy(Ref(key))[0] for key in self.declared.managed if key not in self.used]
        self.loose.extend([*loose, *(policy for policy in unused if policy is not None), *self._of_empty_groups()])
        if not principals and not endpoints and not vague:
            return None
        unknown = frozenset({PolicyType.VPC_ENDPOINT} if vague else ())
        return Account(account, self.declared.partition, principals, endpoints=endpoints, unknown=unknown)

    def _documents(self, many: Iterable[Written]) -> tuple[tuple[NamedPolicy, ...], bool]:
        read = [self.read(written) for written in many]
        return tuple(named for named, _ in read if named is not None), any(opaque for _, opaque in read)

    def _of_empty_groups(self) -> list[NamedPolicy]:
        # Equal documents are one object, wherever they stand.
        placed = {(id(p.document), p.place) for b in self.bound.values() if b.owner.kind != "group" for p in b.policies}
        groups = [bound for bound in self.bound.values() if bound.owner.kind == "group"]
        return [
            p for bound in groups for p in bound.policies if (id(p.document), p.place) not in placed and p.place.path
        ]

    def _principal(self, bound: _Bound, account: str) -> Principal:
        owner = bound.owner
        trust = None
        if owner.trust is not None:
            trust, _ = self.read(Written("trust policy", owner.trust, owner.trust_place, Purpose.TRUST))
        return Principal(
            self._arn(owner, account),
            tuple(bound.policies),
            bound.boundary,
            trust,
            owner.tags,
            tuple(bound.keys)
            if owner.kind == "user" and (bound.keys or PolicyType.IDENTITY not in bound.unknown)
            else None,
            frozenset(bound.unknown),
            owner.place,
        )

    def _arn(self, owner: Owner, account: str) -> str:
        parsed = Arn.try_parse(owner.arn)
        if parsed is not None and UNRESOLVED not in owner.arn:
            return owner.arn
        path = owner.path if owner.path.startswith("/") and UNRESOLVED not in owner.path else "/"
        name = owner.name if owner.name and UNRESOLVED not in owner.name else owner.place.address
        kind = "user" if owner.kind == "user" else "role"
        return f"arn:{self.declared.partition}:iam::{account}:{kind}{path.rstrip('/')}/{name}"


def assemble(
    declared: Declared, documents: Documents, managed: Mapping[str, PolicyDocument], notes: Notes
) -> tuple[Account | None, tuple[NamedPolicy, ...]]:
    """The account that ``declared`` would make, and the documents that bind nobody in it."""
    assembly = _Assembly(declared, documents, managed, notes)
    account = assembly.run()
    return account, tuple(assembly.loose)
