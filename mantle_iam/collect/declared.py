"""What infrastructure code declares, whatever its language: records, which ``assembly`` makes accounts of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mantle_iam.iam.grammar import dump_json
from mantle_iam.iam.inventory import UNRESOLVED, ApiKey, Place, Purpose
from mantle_iam.iam.request import PolicyType


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
    aliases: dict[str, str] = field(default_factory=dict)
    """Keys of permission sets by their ARNs, which are no principals'."""
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
        self.aliases |= possible.aliases
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
