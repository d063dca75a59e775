"""What infrastructure code declares, whatever its language, to the accounts that it would make.

A reader of Terraform or CloudFormation fills the tables; here owners and policies find each other.  An owner or a policy that
the code only names is outside of it: what else binds such a principal is unknown.  Knows no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mantle_iam.collect.aws_managed import managed_policy
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.own_account import UNKNOWN_ACCOUNT, merged, named_by
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import dump_json
from mantle_iam.iam.inventory import UNRESOLVED, Account, ApiKey, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.overlay import SERVICE


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
    among: tuple[str, ...] | None = None
    """Where it is unknown: keys of those of whom it is one, or somebody outside; ``None``: it may be any."""

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
    elsewhere: set[str] = field(default_factory=set)
    """Keys of VPC endpoints for other services."""
    endpoint_policies: list[tuple[Ref, Written]] = field(default_factory=list)
    """An endpoint, and the policy that is put on it apart."""
    incomplete: set[str] = field(default_factory=set)
    """Keys of owners that have more than is known here."""
    doubtful: list[tuple[str, Ref, PolicyType]] = field(default_factory=list)
    """Kind of an owner, the owner, and a layer that may hold more than is known here."""
    account: str = ""
    partition: str = "aws"
    folders: frozenset[str] = frozenset()
    """Folders whose code was read with that of another, and need not be read by themselves."""
    variables: dict[str, str] = field(default_factory=dict)
    """Values that the code was read with, as JSON, by name."""
    _doubts: dict[str, str] = field(default_factory=dict)

    def files(self) -> frozenset[str]:
        """Paths of the files that are documents of it as they stand."""
        written = [*self.managed.values(), *self.loose, *self.endpoints, *(one for _, _, one in self.inline)]
        places = [*(one.place for one in written), *(owner.trust_place for owner in self.owners.values())]
        return frozenset(place.path for place in places if place.line is None and not place.pointer)

    def completed(self, code: Declared) -> bool:
        """Take documents of which nothing is known yet from the code that makes them; answers whether it is that code."""
        same = set(self.owners) | set(self.managed) | {written.place.address for _, _, written in self.inline}
        if not same & (set(code.owners) | set(code.managed)) or any(
            self.variables.get(name, value) != value and UNRESOLVED not in value
            for name, value in code.variables.items()
        ):
            return False
        inline = {written.place.address: written for _, _, written in code.inline}
        self.inline = [(kind, owner, _completed(w, inline.get(w.place.address))) for kind, owner, w in self.inline]
        self.managed = {key: _completed(written, code.managed.get(key)) for key, written in self.managed.items()}
        for name in ("loose", "endpoints"):
            there = {written.place.address: written for written in getattr(code, name)}
            setattr(self, name, [_completed(w, there.get(w.place.address)) for w in getattr(self, name)])
        for key, owner in self.owners.items():
            if owner.trust == UNRESOLVED and key in code.owners:
                there_is = code.owners[key]
                self.owners[key] = replace(owner, trust=there_is.trust, trust_place=there_is.trust_place)
        return True

    def doubt(self, possible: Declared, reason: str) -> None:
        """Take what there may be or not, which hangs on ``reason``: sure only for owners that hang on the same."""
        self.owners.update(possible.owners)
        self.managed.update(possible.managed)
        self._doubts.update(dict.fromkeys(possible.owners, reason))
        self.keys.extend(possible.keys)
        self.elsewhere |= possible.elsewhere
        endpoints = [*possible.endpoints, *(written for _, written in possible.endpoint_policies)]
        self.loose.extend([*possible.loose, *endpoints])
        self.incomplete |= possible.incomplete
        for kind, owner, written in possible.inline:
            if self._together(owner, reason):
                self.inline.append((kind, owner, written))
            else:
                self.loose.append(written)
                self.doubtful.append((kind, owner, PolicyType.IDENTITY))
        for kind, owner, policy in possible.attached:
            if self._together(owner, reason):
                self.attached.append((kind, owner, policy))
            else:
                self.doubtful.append((kind, owner, PolicyType.IDENTITY))
        self.doubtful.extend(("user", user, PolicyType.IDENTITY) for user, _ in possible.members)
        self.doubtful.extend(("", Ref(), PolicyType.VPC_ENDPOINT) for _ in endpoints)
        self.doubtful.extend((kind, owner, PolicyType.PERMISSIONS_BOUNDARY) for kind, owner, _ in possible.boundaries)

    def _together(self, owner: Ref, reason: str) -> bool:
        return bool(owner.key) and self._doubts.get(owner.key) == reason


def sorted_json(value: object) -> str:
    """A decoded value as JSON that is equal for equal values."""
    if isinstance(value, Mapping):
        members = (f"{dump_json(str(key))}:{sorted_json(item)}" for key, item in sorted(value.items()))
        return "{" + ",".join(members) + "}"
    return "[" + ",".join(map(sorted_json, value)) + "]" if isinstance(value, list) else dump_json(value)


def _completed(written: Written, by: Written | None) -> Written:
    if by is None or written.source != UNRESOLVED:
        return written
    return replace(written, source=by.source, place=by.place, marks=by.marks)


def _concerns(document: PolicyDocument) -> bool:
    """Whether it can match an action of the service."""
    patterns = (pattern.lower() for statement in document.statements for pattern in statement.actions)
    return any(statement.not_actions for statement in document.statements) or any(
        glob(pattern.partition(":")[0]).matches(SERVICE) for pattern in patterns
    )


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
        if not key and ref.text and ":iam::aws:" not in ref.text:
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
        known = managed_policy(ref.text)
        if known is not None:
            message = (
                f"AWS's managed policies were taken as they were on {known.as_of}, as far as they concern the service"
            )
            self.notes.add(message, ref.text, partial=False)
            if not known.document.statements and purpose is not Purpose.BOUNDARY:
                return None, False
            name = ref.text.rpartition("/")[2]
            return NamedPolicy(name, known.document, purpose, Place(address=ref.text), ref.text), False
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
        for kind, ref, layer in self.declared.doubtful:
            bound = self.owner(kind, ref) if kind else None
            if bound is not None:
                bound.unknown.add(layer)
            elif kind:
                self.notes.add(f"the {kind} to which a policy is attached is not known", documents=False)
                self._somebody(kind, ref, layer)
        self._groups()
        return self._account()

    def _bind(self, kind: str, ref: Ref, named: NamedPolicy | None, opaque: bool, what: str) -> None:
        bound = self.owner(kind, ref)
        if bound is None:
            self.notes.add(f"the {kind} to which a policy is attached is not known", what, documents=False)
            if named is not None and named.place.path:
                self.loose.append(named)
            if opaque or (named is not None and _concerns(named.document)):
                self._somebody(kind, ref, PolicyType.IDENTITY)
            return
        if named is not None:
            bound.policies.append(named)
        if opaque:
            bound.unknown.add(PolicyType.IDENTITY)

    def _somebody(self, kind: str, ref: Ref, layer: PolicyType) -> None:
        """Something that is given to nobody knows whom: it is missing from every one who it may be."""
        for key in self.declared.owners if ref.among is None else ref.among:
            if key in self.bound and self.bound[key].owner.kind == kind:
                self.bound[key].unknown.add(layer)

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

    def _whereabouts(self) -> str:
        """The account, also from what the policies name; owners who would be told a wrong `no` without it are unknown."""
        if self.declared.account not in ("", UNKNOWN_ACCOUNT):
            return self.declared.account
        own = {key: named_by([*b.policies, *([b.boundary] if b.boundary else [])]) for key, b in self.bound.items()}
        named = merged(own.values())
        if len(named.partitions) == 1:
            (self.declared.partition,) = named.partitions
        if named.others:
            message = (
                "into which account it goes is not known, and its policies name some: give --parameter AWS::AccountId=…"
            )
            self.notes.add(message, ", ".join(named.others), documents=False)
            for key, bound in self.bound.items():
                bound.unknown |= {PolicyType.IDENTITY} if own[key].accounts - {UNKNOWN_ACCOUNT} else set()
        elif named.account != UNKNOWN_ACCOUNT:
            self.notes.add("taken to go into the only account that its policies name", named.account, partial=False)
        return named.account

    def _account(self) -> Account | None:
        account = self._whereabouts()
        principals = tuple(
            self._principal(bound, account) for bound in self.bound.values() if bound.owner.kind != "group"
        )
        apart = [written for ref, written in self.declared.endpoint_policies if ref.key not in self.declared.elsewhere]
        endpoints, vague = self._documents([*self.declared.endpoints, *apart])
        loose, _ = self._documents(self.declared.loose)
        unused = [self.policy(Ref(key))[0] for key in self.declared.managed if key not in self.used]
        self.loose.extend([*loose, *(policy for policy in unused if policy is not None), *self._of_empty_groups()])
        if not principals and not endpoints and not vague:
            return None
        vague = vague or any(layer is PolicyType.VPC_ENDPOINT for _, _, layer in self.declared.doubtful)
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
