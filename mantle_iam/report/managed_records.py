"""The records of the managed-policy advisor.  Made by ``workflow/managed*.py``; nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mantle_iam.iam.policy import Condition, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest
from mantle_iam.mantle.managed_policies import Capability, MadeFor
from mantle_iam.mantle.operations import Source


class Reach(StrEnum):
    """How far a document gives an action."""

    ALL = "all"
    """On everything that the action works on, by ``evaluate``."""
    SOME = "some"
    """On some of it: one resource type of several, or some resources by name."""
    CONDITIONAL = "conditional"
    """It depends on a context key that only a request has."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy as it ships in ``policies/managed/``, or as an account has it."""

    name: str
    arn: str
    version: str
    short_name: str
    """Its word for ``attach --managed``; empty where it has none."""
    document: PolicyDocument
    date: str = ""
    """Day on which the version was made, ``YYYY-MM-DD``."""
    source: str = ""
    summary: str = ""
    made_for: MadeFor = MadeFor.PEOPLE


@dataclass(frozen=True, slots=True)
class ActionReach:
    """How far a document gives one action, where, and why no further."""

    action: str
    reach: Reach
    resources: tuple[str, ...] = ()
    """``Resource`` patterns of the statements that allow it."""
    conditions: tuple[Condition, ...] = ()
    """Of those statements; of ``CONDITIONAL`` the ones that are open."""
    lacking: tuple[str, ...] = ()
    """Kinds of resource on which it is not given (``reservation``), where it is given on others."""
    why: str = ""
    """Why it is not given though a statement names it: a sentence without a full stop."""
    source: Source = Source.DOC
    """``INF`` where the answer rests on which resource the service is inferred to ask for."""


@dataclass(frozen=True, slots=True)
class CapabilityReach:
    """The actions of one capability."""

    capability: Capability
    actions: tuple[ActionReach, ...]

    @property
    def reach(self) -> Reach:
        """``ALL`` or ``NONE`` where all its actions agree; ``CONDITIONAL`` where nothing is given without conditions."""
        found = {one.reach for one in self.actions}
        if len(found) == 1:
            return found.pop()
        return Reach.CONDITIONAL if found == {Reach.CONDITIONAL, Reach.NONE} else Reach.SOME


@dataclass(frozen=True, slots=True)
class PurposeCover:
    """Whether a document gives what a purpose needs with its usual way of authenticating."""

    name: str
    title: str
    missing: tuple[str, ...]
    """Actions of which something is missing; empty when it is covered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one document gives and what not."""

    policy: ManagedPolicy
    capabilities: tuple[CapabilityReach, ...]
    purposes: tuple[PurposeCover, ...]
    elsewhere: tuple[tuple[str, int], ...]
    """Other services and how many action patterns it allows in them."""
    size: int
    """Characters without white space."""
    notes: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[ActionReach, ...]:
        """Every action that was asked about."""
        return tuple(action for one in self.capabilities for action in one.actions)


@dataclass(frozen=True, slots=True)
class ReachChange:
    """An action that one document gives further than another."""

    action: str
    before: Reach
    after: Reach


@dataclass(frozen=True, slots=True)
class Difference:
    """What a document gives beside another one of the same policy."""

    old: ManagedPolicy
    new: ManagedPolicy
    gained: tuple[ReachChange, ...]
    lost: tuple[ReachChange, ...]
    patterns_added: tuple[str, ...]
    """Action patterns of Allow statements that only the new one has, of whatever service."""
    patterns_removed: tuple[str, ...]
    same_text: bool
    relation: str
    """``equal``, ``narrower``, ``wider``, ``incomparable`` or ``unknown``: NEW against OLD over everything, not Mantle alone."""
    reason: str = ""
    witness: AuthorizationRequest | None = None
    """A request that only the new one allows, where there is one."""


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """A version of a policy that is known to have existed."""

    version: str
    date: str | None
    source: str | None
    """``None``: its text is not at hand."""
    change: Difference | None = None
    """Against the version at hand before it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A managed policy that covers a purpose, and what more it gives."""

    policy: ManagedPolicy
    beyond: tuple[str, ...]
    """Actions of ``bedrock-mantle`` that it gives and the purpose does not need."""
    elsewhere: tuple[tuple[str, int], ...]
    """Other services in which it allows more than is needed, and how many actions of the catalogue."""
    witness: AuthorizationRequest | None
    """A request that it allows and the smallest policy does not."""
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """A managed policy that does not cover a purpose, and what it lacks."""

    policy: ManagedPolicy
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnPolicy:
    """The smallest policy, proven."""

    document: PolicyDocument
    size: int
    command: str
    requests: int
    removals: int


@dataclass(frozen=True, slots=True)
class Advice:
    """Which managed policy fits a purpose, and the smallest one of one's own."""

    purposes: tuple[str, ...]
    auth: str
    candidates: tuple[Candidate, ...]
    """Narrowest first; empty when none covers it."""
    nearest: tuple[Nearest, ...]
    own: OwnPolicy
    notes: tuple[str, ...] = ()
    chosen: bool = False
    """One policy was asked about, rather than all."""


class Standing(StrEnum):
    """Our text of a policy against the account's."""

    CURRENT = "current"
    OLDER = "older"
    """Ours is an older version."""
    NEWER = "newer"
    """Ours is a newer version: the account's partition has not got it yet, say."""
    DIFFERENT = "different"
    """The same version has another text."""
    NOT_SHIPPED = "not-shipped"
    """We have none."""
    ABSENT = "absent"
    """The account's partition has no such policy."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of reading a policy from the account."""

    name: str
    arn: str
    standing: Standing
    ours: ManagedPolicy | None = None
    theirs: ManagedPolicy | None = None
    days: int | None = None
    """Days between our version and the account's, where both dates are known."""
    difference: Difference | None = None
    """From ours to the account's, where the texts differ."""
    reason: str = ""
    """Why it could not be read."""
    for_all: bool = False
    """The reason holds for every policy of the account: no network, no credentials."""
