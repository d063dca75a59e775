"""What infrastructure code declares, whatever its language, to the accounts that it would make.

A reader of Terraform or CloudFormation fills the tables; here owners and policies find each other.  An owner or a policy that
the code only names is outside of it: what else binds such a principal is unknown.  Knows no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mantle_iam.collect.aws_managed import managed_policy
from mantle_iam.collect.declared import Declared, Owner, Ref, Written
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.own_account import PERMISSION_SETS, UNKNOWN_ACCOUNT, merged, named_by
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.inventory import UNRESOLVED, Account, ApiKey, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.overlay import SERVICE


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
        self.by_name: dict[tuple[str, str], list[str]] = {}
        for key, owner in declared.owners.items():
            self.by_name.setdefault((owner.kind, owner.name), []).append(key)
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
        if ref.text in self.declared.aliases:
            return self.bound[self.declared.aliases[ref.text]]
        if ":permissionSet/" in ref.text:
            return None
        name = ref.text.rpartition("/")[2] if ref.text.startswith("arn:") else ref.text
        keys = self.by_name.setdefault((kind, name), [])
        if len(keys) > 1:
            return None  # one of several accounts' or modules'
        key = keys[0] if keys else f"{kind} {name}"
        if not keys:
            arn = ref.text if ref.text.startswith("arn:") else ""
            keys.append(key)
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
        same = self.by_name.get((kind, ref.text), [])
        for key in (same or self.declared.owners) if ref.among is None else ref.among:
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
        """The account, also from what the policies name; owners who would be told a wrong answer without it are unknown."""
        told = self.declared.account not in ("", UNKNOWN_ACCOUNT)
        own = {key: named_by([*b.policies, *([b.boundary] if b.boundary else [])]) for key, b in self.bound.items()}
        sets = [key for key, bound in self.bound.items() if bound.owner.path == PERMISSION_SETS]
        named = merged(one for key, one in own.items() if key not in sets and not self.bound[key].owner.arn)
        if not told and len(named.partitions) == 1:
            (self.declared.partition,) = named.partitions
        vague = [key for key in sets if own[key].accounts - {UNKNOWN_ACCOUNT}]
        if vague:
            message = "into which accounts a permission set goes is not known, and its policies name some"
            self.notes.add(message, ", ".join(self.bound[key].owner.name for key in vague), documents=False)
        if not told and named.others:
            message = (
                "into which account it goes is not known, and its policies name some: give --parameter AWS::AccountId=…"
            )
            self.notes.add(message, ", ".join(named.others), documents=False)
            vague += [
                key for key, one in own.items() if one.accounts - {UNKNOWN_ACCOUNT} and not self.bound[key].owner.arn
            ]
        elif not told and named.account != UNKNOWN_ACCOUNT:
            self.notes.add("taken to go into the only account that its policies name", named.account, partial=False)
        for key in vague:
            self.bound[key].unknown.add(PolicyType.IDENTITY)
        return self.declared.account if told else named.account

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
