"""An organization from files: the answers of Organizations' read operations, iam-collect's folder, or a tree of documents.

Most answers do not say what they were asked about (``list-policies-for-target`` names no target), so that the id nearest to
the end of the file's path counts: ``ou-ab12-11111111/policies.json``, ``list-policies-for-target.111122223333.json``.
What is not complete is unknown, never absent.
Sources: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html (every level from
the root counts; the management account is exempt), https://docs.aws.amazon.com/organizations/latest/APIReference/ (forms of ids),
https://github.com/cloud-copilot/iam-collect (names of the files in its folder).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.fields import Notes, objects, text, texts
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Purpose
from mantle_iam.iam.policy import Effect, PolicyDocument, Principals, Statement
from mantle_iam.iam.request import PolicyType

_RCP_FULL_ACCESS: Final = "p-RCPFullAWSAccess"
_FULL = {Purpose.SCP: "p-FullAWSAccess", Purpose.RCP: _RCP_FULL_ACCESS}
_EVERYTHING = Statement(Effect.ALLOW, actions=("*",), resources=("*",))
# Attached everywhere until somebody detaches them (the second cannot be).
_OF_AWS = {
    "p-fullawsaccess": NamedPolicy(
        "FullAWSAccess",
        PolicyDocument((_EVERYTHING,)),
        Purpose.SCP,
        arn="arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
    ),
    "p-rcpfullawsaccess": NamedPolicy(
        "RCPFullAWSAccess",
        PolicyDocument((replace(_EVERYTHING, principals=Principals((("AWS", ("*",)),))),)),
        Purpose.RCP,
        arn="arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess",
    ),
}
_IDS = re.compile(r"(?<![a-zA-Z0-9])(?:ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32}|[0-9]{12})(?![a-zA-Z0-9])")
_POLICY_ID = re.compile(r"(?<![a-zA-Z0-9])p-[0-9a-zA-Z_]{8,128}(?![a-zA-Z0-9_])")
_TYPES = {
    "SERVICE_CONTROL_POLICY": Purpose.SCP,
    "RESOURCE_CONTROL_POLICY": Purpose.RCP,
}
_MORE = "policies of a page that was not given"
_DEEPEST = 10
"""Levels; Organizations has at most five of OUs below the root."""


@dataclass(slots=True)
class Organization:
    """What the files tell of an organization, as it comes in."""

    management: set[str] = field(default_factory=set)
    """Management accounts: inputs may be of several organizations."""
    enabled: dict[str, dict[Purpose, bool]] = field(default_factory=dict)
    """Whether policies of a kind are enabled, by the id of an organization or of a root whose organization is not known."""
    of_root: dict[str, str] = field(default_factory=dict)
    """The id of an organization by that of its root."""
    parents: dict[str, str] = field(default_factory=dict)
    attached: dict[str, dict[Purpose, list[str]]] = field(default_factory=dict)
    """Policy ids by target and kind.  A kind that is not there was not listed."""
    reached: dict[str, dict[Purpose, list[str]]] = field(default_factory=dict)
    """The same as far as the targets of policies were listed, which says nothing of policies whose targets were not."""
    followed: set[str] = field(default_factory=set)
    """Ids of the policies whose targets were listed."""
    listed: dict[Purpose, set[str]] = field(default_factory=dict)
    """Ids of all policies of the organization, where that was listed."""
    policies: dict[str, NamedPolicy] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)
    """Ids of policies of which something is not known."""
    names: dict[str, str] = field(default_factory=dict)
    unread: set[Purpose] = field(default_factory=set)
    """Kinds of which something that was given could not be read."""
    default_parent: str = ""
    """Where an account stands that no file places: below the root, where a folder of documents has no other levels."""

    def __bool__(self) -> bool:
        return bool(self.unread or self._known)

    @property
    def _known(self) -> bool:
        return bool(self.management or self.parents or self.attached or self.policies or self.enabled)

    def enable(self, id_: str, purpose: Purpose, found: bool) -> None:
        """Whether policies of a kind are enabled in an organization, or below a root."""
        self.enabled.setdefault(self.of_root.get(id_, id_), {})[purpose] = found

    def _enabled(self, path: tuple[str, ...], kind: Purpose) -> bool | None:
        """Whether they are enabled for an account that stands at ``path``; ``None`` where that is not known."""
        root = path[0] if path else ""
        known = self.enabled.get(self.of_root.get(root, root))
        if known is None and not any(kind in self.attached.get(target, {}) for target in path):
            # Not said of its own root: of the only organization that there is, it is said all the same.
            roots = {self.of_root.get(one, one) for one in self.parents.values() if one.startswith("r-")}
            for only, said in self.enabled.items() if len(self.enabled) == 1 else ():
                known = said if len(roots - {only}) <= (not only.startswith("r-")) else None
        return None if known is None else known.get(kind)

    def policy(self, id_: str) -> NamedPolicy | None:
        """The policy of an id; what AWS's own two say is documented, so that nobody has to collect them."""
        return self.policies.get(id_) or _OF_AWS.get(id_.lower())

    def path(self, account: str) -> tuple[str, ...] | None:
        """Ids from the root to ``account``; ``None`` where a link is missing (or they run in a circle)."""
        found = [account]
        while not found[0].startswith("r-"):
            parent = self.parents.get(found[0]) or (self.default_parent if found[0] == account else None)
            if not parent or len(found) > _DEEPEST:
                return None
            found.insert(0, parent)
        return tuple(found)

    def levels(self, account: str, kind: Purpose) -> tuple[tuple[tuple[NamedPolicy, ...], ...] | None, bool]:
        """The policies of every level from the root, and whether some are not known.  Levels are ``None`` where none binds."""
        path = self.path(account)
        enabled = self._enabled(path or (), kind)
        if account in self.management or enabled is False:
            return None, False
        if kind in self.unread or not self._known:
            return None, kind in self.unread
        if kind is Purpose.RCP and not any(
            kind in kinds for kinds in (*self.attached.values(), *self.reached.values())
        ):
            # RCPs are looked for by fewer tools; that nobody listed them says nothing about them unless they are enabled.
            return None, bool(enabled)
        if path is None:
            return None, True
        unknown = False
        levels = []
        for target in path:
            ids = self._ids(target, kind)
            unknown = unknown or ids is None
            known = [policy for id_ in ids or () if (policy := self.policy(id_)) is not None]
            unknown = unknown or len(known) != len(ids or ()) or any(id_ in self.opaque for id_ in ids or ())
            levels.append(tuple(known))
        if not unknown:
            return tuple(levels), False
        # A level that lacks a document would refuse what it may allow: only whole levels may speak.
        whole = tuple(level for level, target in zip(levels, path, strict=True) if self._complete(target, kind))
        return whole or None, True

    def _ids(self, target: str, kind: Purpose) -> list[str] | None:
        ids = self.attached.get(target, {}).get(kind)
        if ids is None and self.listed.get(kind) and self.listed[kind] <= self.followed:
            ids = self.reached.get(target, {}).get(kind)
        if ids is None and self.default_parent and target not in self.parents:
            return [_FULL[kind]]  # the account's own level, of which a folder without it says nothing else
        return ids

    def _complete(self, target: str, kind: Purpose) -> bool:
        ids = self._ids(target, kind)
        return bool(ids) and all(self.policy(id_) is not None and id_ not in self.opaque for id_ in ids or ())

    def applied(self, account: Account) -> Account:
        """``account`` with what binds it from above."""
        if not self:
            return account
        unknown = set(account.unknown)
        scps, scps_unknown = self.levels(account.id, Purpose.SCP)
        rcps, rcps_unknown = self.levels(account.id, Purpose.RCP)
        if scps_unknown:
            unknown.add(PolicyType.SCP)
        if rcps_unknown:
            unknown.add(PolicyType.RCP)
        return replace(
            account,
            scps=scps,
            rcps=rcps,
            management=account.management or account.id in self.management,
            unknown=frozenset(unknown),
        )

    def loose(self) -> tuple[NamedPolicy, ...]:
        """Every document of the organization, once."""
        return tuple(self.policies.values())


_KEYS = (
    "Organization",
    "Roots",
    "OrganizationalUnits",
    "Accounts",
    "Children",
    "Parents",
    "Targets",
)


def is_organization(value: object) -> bool:
    """Whether it is an answer of Organizations that says something about policies or the tree."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("Organization"), Mapping) and "MasterAccountId" in value["Organization"]:
        return True
    if isinstance(value.get("Policy"), Mapping) and "Content" in value["Policy"]:
        return True
    if any(isinstance(value.get(name), list) for name in _KEYS[1:]):
        return any("Id" in item or "TargetId" in item for name in _KEYS[1:] for _, item in objects(value, name)) or (
            set(value) <= {*_KEYS, "NextToken", "ResponseMetadata"}
        )
    policies = value.get("Policies")
    return (
        isinstance(policies, list)
        and set(value) <= {"Policies", "NextToken", "Target", "TargetId", "Filter", "ResponseMetadata"}
        and all(text(item, "Type").endswith("_POLICY") and text(item, "Id") for item in policies)
    )


def subject(path: str) -> str:
    """The id of a root, an OU or an account that stands nearest to the end of ``path``; empty where there is none."""
    found = _IDS.findall(path)
    return str(found[-1]) if found else ""


class OrganizationReader:
    """Takes in the answers one by one, in any order."""

    def __init__(self, documents: Documents) -> None:
        self.organization = Organization()
        self._documents = documents

    def take(self, value: Mapping[str, Any], path: str, pointer: str, notes: Notes) -> None:
        """One answer."""
        about = text(value, "TargetId") or text(value, "ParentId") or text(value, "Target") or subject(path)
        organization = value.get("Organization")
        if isinstance(organization, Mapping):
            self._about(organization)
        for _, root in objects(value, "Roots"):
            self._root(root)
        self._tree(value, about, notes)
        if isinstance(value.get("Policy"), Mapping):
            self._policy(value["Policy"], path, f"{pointer}/Policy", notes)
        if isinstance(value.get("Policies"), list):
            self._attachments(value, about, path, notes)
        self._targets(value, path, notes)
        if text(value, "NextToken"):
            notes.add("the answer has more pages (`NextToken`), which were not given")

    def _about(self, organization: Mapping[str, Any]) -> None:
        if text(organization, "MasterAccountId"):
            self.organization.management.add(text(organization, "MasterAccountId"))
        if text(organization, "FeatureSet") == "CONSOLIDATED_BILLING":
            for purpose in _TYPES.values():
                self.organization.enable(text(organization, "Id"), purpose, found=False)

    def _root(self, root: Mapping[str, Any]) -> None:
        id_ = text(root, "Id")
        # arn:aws:organizations::111122223333:root/o-exampleorgid/r-ab12
        self.organization.of_root[id_] = (text(root, "Arn").split("/")[1:2] or [id_])[0]
        types = {text(kind, "Type"): text(kind, "Status") for _, kind in objects(root, "PolicyTypes")}
        if isinstance(root.get("PolicyTypes"), list):
            for name, purpose in _TYPES.items():
                if not types.get(name, "").startswith("PENDING"):  # which is neither
                    self.organization.enable(id_, purpose, found=types.get(name) == "ENABLED")
        self.organization.names[id_] = text(root, "Name")

    def _tree(self, value: Mapping[str, Any], about: str, notes: Notes) -> None:
        for name in ("OrganizationalUnits", "Accounts", "Children"):
            for _, child in objects(value, name):
                id_ = text(child, "Id")
                parent = text(child, "ParentId") or about
                self.organization.names.setdefault(id_, text(child, "Name"))
                if parent.startswith(("r-", "ou-")) and id_ and id_ != parent:
                    self.organization.parents[id_] = parent
                elif name != "Accounts":
                    # list-accounts has no parent, and needs none; the other two are about nothing else.
                    notes.add(
                        f"whose `{name}` these are is not said: name the file or its folder after the parent", id_
                    )
        for _, parent_of in objects(value, "Parents"):
            if about and text(parent_of, "Id"):
                self.organization.parents[about] = text(parent_of, "Id")
            else:
                notes.add("whose `Parents` these are is not said: name the file or its folder after the child")

    def _policy(self, policy: Mapping[str, Any], path: str, pointer: str, notes: Notes) -> None:
        summary = policy.get("PolicySummary")
        id_, arn = text(summary, "Id"), text(summary, "Arn")
        purpose = _TYPES.get(text(summary, "Type"))
        if purpose is None:
            notes.add("a policy of another type, which decides no request", text(summary, "Type"), partial=False)
            return
        place = Place(path, address=arn or id_, pointer=f"{pointer}/Content")
        self.add_policy(id_, text(summary, "Name") or id_, arn, purpose, policy.get("Content"), place, notes)

    def add_policy(
        self, id_: str, name: str, arn: str, purpose: Purpose, source: object, place: Place, notes: Notes
    ) -> None:
        """A document and its id."""
        read = self._documents.read(source)
        if read.opaque:
            self.organization.opaque.add(id_)
        if read.document is None:
            notes.add(read.problem, name)
            return
        self.organization.policies[id_] = NamedPolicy(name, read.document, purpose, place, arn, read.unresolved)

    def attach(self, target: str, purpose: Purpose, *ids: str) -> None:
        """Policies of a target."""
        _attach(self.organization.attached, target, purpose, *ids)

    def _attachments(self, value: Mapping[str, Any], about: str, path: str, notes: Notes) -> None:
        kinds: dict[Purpose, list[str]] = {}
        for _, policy in objects(value, "Policies"):
            purpose = _TYPES.get(text(policy, "Type"))
            if purpose is not None:
                kinds.setdefault(purpose, []).append(text(policy, "Id"))
        if not about or _stem(path) == "list-policies":
            # list-policies: all of the organization; which are attached is said elsewhere.
            for purpose, ids in kinds.items():
                self.organization.listed.setdefault(purpose, set()).update(ids)
            if kinds and not about:
                notes.add(
                    "whose policies these are is not said: name the file or its folder after the target, if they are a target's",
                    partial=False,
                )
            return
        # An empty list says nothing: where a kind is enabled, the last policy of it cannot be detached
        # (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_policies_detach.html).
        for purpose, ids in kinds.items():
            self.attach(about, purpose, *ids)
            if text(value, "NextToken"):
                self.attach(about, purpose, _MORE)

    def _targets(self, value: Mapping[str, Any], path: str, notes: Notes) -> None:
        targets = [text(target, "TargetId") for _, target in objects(value, "Targets")]
        if not targets:
            return
        named = _POLICY_ID.findall(path)
        id_ = text(value, "PolicyId") or (named[-1] if named else "")
        if not id_:
            notes.add("whose `Targets` these are is not said: name the file or its folder after the policy")
            return
        self.organization.followed.add(id_)
        purpose = Purpose.RCP if "rcp" in path.lower() or id_ == _RCP_FULL_ACCESS else Purpose.SCP
        known = self.organization.policies.get(id_)
        for target in targets:
            _attach(self.organization.reached, target, known.purpose if known is not None else purpose, id_)

    def take_collected(self, files: Mapping[str, tuple[str, Any]], notes: Notes) -> None:
        """The files of iam-collect's ``organizations/ID/``: path below it, to path and decoded value."""
        metadata = files.get("metadata.json", ("", {}))[1]
        if text(metadata, "rootAccountId"):
            self.organization.management.add(text(metadata, "rootAccountId"))
        features = metadata.get("features") if isinstance(metadata, Mapping) else None
        if isinstance(features, Mapping):
            for name, purpose in _TYPES.items():
                self.organization.enable(text(metadata, "id"), purpose, found=features.get(name) is True)
        for file, parent in (("ous.json", "parent"), ("accounts.json", "ou")):
            table = files.get(file, ("", None))[1]
            if not isinstance(table, Mapping):
                notes.add("a file of the organization is missing", file)
                continue
            for id_, entry in table.items():
                above = text(entry, parent)
                if above:
                    self.organization.parents[id_] = above
                if above.startswith("r-"):
                    self.organization.of_root[above] = text(metadata, "id")
                for name, purpose in (("scps", Purpose.SCP), ("rcps", Purpose.RCP)):
                    if texts(entry, name):
                        self.attach(id_, purpose, *(arn.rpartition("/")[2].lower() for arn in texts(entry, name)))
        for name, (path, value) in files.items():
            self._collected_policy(files, name, path, value, notes)

    def _collected_policy(
        self, files: Mapping[str, tuple[str, Any]], name: str, path: str, value: Any, notes: Notes
    ) -> None:
        kind, _, rest = name.partition("/")
        folder, _, file = rest.partition("/")
        if kind in ("scps", "rcps") and file == "policy.json":
            summary = files.get(f"{kind}/{folder}/metadata.json", ("", {}))[1]
            arn = text(summary, "arn")
            id_ = (arn.rpartition("/")[2] or folder).lower()
            purpose = Purpose.SCP if kind == "scps" else Purpose.RCP
            place = Place(path, address=arn or id_)
            self.add_policy(id_, text(summary, "name") or id_, arn, purpose, value, place, notes)

    def take_tree(self, levels: Mapping[tuple[str, ...], list[NamedPolicy]], notes: Notes) -> None:
        """A folder of documents: the root's own, below it a folder for every OU, and for an account one of its number."""
        root = "r-folder"
        kinds = {policy.purpose for policies in levels.values() for policy in policies}
        folders = {path[:length] for path in levels for length in range(len(path) + 1)} | {()}
        ids = {path: root if not path else _id_of(path) for path in folders}
        for path in sorted(folders):
            if path:
                self.organization.parents[ids[path]] = ids[path[:-1]]
            for kind in kinds:
                found = [policy for policy in levels.get(path, ()) if policy.purpose is kind]
                for policy in found:
                    key = f"{policy.place.path}#{policy.place.pointer}"
                    self.organization.policies[key] = policy
                    self.attach(ids[path], kind, key)
                if not any(
                    statement.effect is Effect.ALLOW for policy in found for statement in policy.document.statements
                ):
                    # A level that allows nothing would stop the whole organization: AWS's own document is not in the folder.
                    self.attach(ids[path], kind, _FULL[kind])
                    if found:
                        notes.add(
                            "no document allows anything here, so that FullAWSAccess is taken for attached",
                            "/".join(path) or "root",
                            partial=False,
                        )
        if folders <= {()} | {path for path in folders if len(path) == 1 and _IDS.fullmatch(path[0])}:
            self.organization.default_parent = root


def _attach(table: dict[str, dict[Purpose, list[str]]], target: str, purpose: Purpose, *ids: str) -> None:
    found = table.setdefault(target, {}).setdefault(purpose, [])
    found.extend(id_ for id_ in ids if id_ not in found)


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].partition(".")[0]


def _id_of(path: tuple[str, ...]) -> str:
    """An account's number; of an OU the whole path, since names repeat."""
    return path[-1] if path[-1].isascii() and path[-1].isdigit() and len(path[-1]) == 12 else "ou/" + "/".join(path)
