"""The policies that bind a user or role, read from a live account through IAM (and Organizations, where it may be read).

What could not be read is in ``PolicySet.unknown``, never taken for absent.  What no API shows is unknown too: the session
policy of an assumed role, unless the caller knows it.  Not looked at here: endpoint policies (they depend on the way a
request takes, which the caller knows), and resource-based policies and RCPs (``bedrock-mantle`` has neither).
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.organization import Levels, service_control_policies
from mantle_iam.collect.sources import PolicySource
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicySet, PolicyType, StatementRef

MAX_WORKERS = 8
"""Reads in flight; below boto3's connection pool (10) and far below IAM's request rate."""


class Session(Enum):
    """What the caller knows of the session policy of an assumed role."""

    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Collected:
    """Every policy that binds ``principal``, and where each document came from."""

    principal: str
    policies: PolicySet
    sources: tuple[PolicySource, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read and why, in sentences."""
    tags: tuple[tuple[str, str], ...] = ()
    """Tags of the user or role (``aws:PrincipalTag/...``)."""

    def source_of(self, statement: StatementRef) -> PolicySource | None:
        """The policy in which ``statement`` of an evaluation of ``policies`` stands."""
        wanted = (statement.policy_type, statement.level, statement.document)
        return next((s for s in self.sources if (s.policy_type, s.level, s.document) == wanted), None)


@dataclass(frozen=True, slots=True)
class Identity:
    """The IAM entity behind a principal."""

    kind: str
    """``user`` or ``role``."""
    name: str
    account: str
    partition: str
    session: bool


def identity_of(principal: str) -> Identity | None:
    """The user or role behind ``principal``; ``None`` for an account's root user, which no identity policy binds.

    Raises:
        InputError: ``principal`` is no ARN of a user, a role, an assumed-role session or a root user.
    """
    arn = Arn.parse(principal)
    kind, _, rest = arn.resource.partition("/")
    if arn.service == "iam" and kind in ("user", "role") and rest:
        return Identity(kind, rest.rsplit("/", 1)[-1], arn.account, arn.partition, session=False)
    if arn.service == "sts" and kind == "assumed-role" and rest.partition("/")[0]:
        # The ARN of a session holds the role's name without its path, which is all that IAM asks for.
        return Identity("role", rest.partition("/")[0], arn.account, arn.partition, session=True)
    if arn.service == "iam" and arn.resource == "root":
        return None
    raise InputError(
        f"`{principal}` is not a principal whose policies IAM can list",
        help="give the ARN of a user, a role or an assumed-role session",
    )


def collect_policies(
    iam: Any,
    principal: str,
    *,
    organizations: Any = None,
    session: tuple[PolicyDocument, ...] | Session | None = Session.UNKNOWN,
) -> Collected:
    """Read every policy that binds ``principal``.

    Args:
        iam: a boto3 IAM client with the rights ``iam:Get*`` and ``iam:List*``; its time limits and retries are the caller's.
        principal: ARN of a user, a role, an assumed-role session or a root user.
        organizations: a boto3 Organizations client; without one the SCPs are unknown.
        session: session policies in force (``None``: none is), where the caller knows; only looked at for sessions.

    Raises:
        InputError: ``principal`` is not such an ARN.  Failures of the world are notes and unknown layers.
    """
    identity = identity_of(principal)
    account = Arn.parse(principal).account
    with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="collect") as pool:
        scps = pool.submit(service_control_policies, organizations, account)
        found = _Reader(iam, identity, pool).read() if identity else _Found()
        levels = scps.result()
    return _assemble(principal, identity, found, levels, session)


def _assemble(
    principal: str,
    identity: Identity | None,
    found: _Found,
    levels: Levels,
    session: tuple[PolicyDocument, ...] | Session | None,
) -> Collected:
    unknown = set(found.unknown)
    notes = [*found.notes, *levels.notes]
    scp: tuple[tuple[PolicyDocument, ...], ...] | None = None
    if levels.unknown:
        unknown.add(PolicyType.SCP)
    if levels.documents is not None:
        scp = tuple(tuple(document for _, document in level) for level in levels.documents)
    in_session: tuple[PolicyDocument, ...] | None = None
    if identity is not None and identity.session:
        if isinstance(session, Session):
            unknown.add(PolicyType.SESSION)
            notes.append("whether the session was given a session policy cannot be read from IAM")
        else:
            in_session = session
    policies = PolicySet(
        identity=tuple(document for _, document in found.identity),
        permissions_boundary=None if found.boundary is None else (found.boundary[1],),
        session=in_session,
        scp=scp,
        unknown=frozenset(unknown),
    )
    sources = [replace(source, document=index) for index, (source, _) in enumerate(found.identity)]
    if found.boundary is not None:
        sources.append(found.boundary[0])
    for level in levels.documents or ():
        sources.extend(source for source, _ in level)
    return Collected(principal, policies, tuple(sources), tuple(dict.fromkeys(notes)), found.tags)


@dataclass(frozen=True, slots=True)
class _Found:
    """What IAM told."""

    identity: tuple[tuple[PolicySource, PolicyDocument], ...] = ()
    boundary: tuple[PolicySource, PolicyDocument] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    unknown: frozenset[PolicyType] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listed:
    """A policy that a list named and that is still to be read."""

    source: PolicySource
    operation: str
    arguments: tuple[tuple[str, str], ...] = ()


_FAILS_FOR_ALL = frozenset({Failure.NOT_FOUND, Failure.CREDENTIALS, Failure.NETWORK})
"""Of the user or role itself: its lists then fail in the same way."""


class _Reader:
    """One reading of one user or role.  Lists first, all together, then the documents, all together."""

    def __init__(self, iam: Any, identity: Identity, pool: ThreadPoolExecutor) -> None:
        self._iam = iam
        self._identity = identity
        self._pool = pool
        self._unknown: set[PolicyType] = set()
        self._notes: list[str] = []

    def read(self) -> _Found:
        kind = self._identity.kind
        entity: Future[Any] = self._pool.submit(reading, partial(self._call, f"get_{kind}", **self._named(kind)))
        lists = [self._pool.submit(self._policies_of, kind, self._identity.name)]
        if kind == "user":
            lists.extend(self._group_lists())
        owner = self._entity(entity.result())
        if owner is None:
            # What the lists say would be about somebody else, or the same failure told again.
            for future in lists:
                future.cancel()
            return _Found(unknown=frozenset(self._unknown), notes=tuple(self._notes[-1:]))
        listed = [policy for future in lists for policy in self._settled(future, PolicyType.IDENTITY)]
        boundary = self._boundary(owner)
        documents = self._documents([*listed, *([boundary] if boundary else [])])
        return _Found(
            identity=tuple(found for found in documents if found[0].policy_type is PolicyType.IDENTITY),
            boundary=next((found for found in documents if found[0].policy_type is not PolicyType.IDENTITY), None),
            tags=tuple((tag["Key"], tag["Value"]) for tag in owner.get("Tags", ())),
            unknown=frozenset(self._unknown),
            notes=tuple(self._notes),
        )

    def _named(self, kind: str) -> dict[str, str]:
        return {f"{kind.title()}Name": self._identity.name}

    def _call(self, operation: str, **arguments: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = getattr(self._iam, operation)(**arguments)
        return answer

    def _pages(self, operation: str, key: str, **arguments: str) -> list[Any]:
        pages = self._iam.get_paginator(operation).paginate(**arguments)
        return [item for page in pages for item in page[key]]

    def _entity(self, answer: Mapping[str, Any] | Unreadable) -> Mapping[str, Any] | None:
        """The user or role itself, which also proves that the credentials read the right account.

        ``None`` when nothing else can be read of it either; the last note then says why.
        """
        kind, name = self._identity.kind, self._identity.name
        if isinstance(answer, Unreadable):
            self._give_up(f"{kind} `{name}`", answer)
            return None if answer.failure in _FAILS_FOR_ALL else {}
        owner: Mapping[str, Any] = answer[kind.title()]
        account = Arn.parse(owner["Arn"]).account
        if account != self._identity.account:
            self._unknown |= {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}
            self._notes.append(
                f"the AWS credentials belong to account {account}, the principal to account {self._identity.account}"
            )
            return None
        return owner

    def _give_up(self, what: str, failure: Unreadable) -> None:
        self._unknown |= {PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY}
        self._notes.append(f"{what} could not be read: {failure.reason}")

    def _group_lists(self) -> list[Future[list[_Listed] | Unreadable]]:
        groups = reading(self._pages, "list_groups_for_user", "Groups", UserName=self._identity.name)
        if isinstance(groups, Unreadable):
            self._unknown.add(PolicyType.IDENTITY)
            self._notes.append(f"the groups of user `{self._identity.name}` could not be listed: {groups.reason}")
            return []
        return [self._pool.submit(self._policies_of, "group", group["GroupName"]) for group in groups]

    def _policies_of(self, kind: str, name: str) -> list[_Listed] | Unreadable:
        """Inline and attached policies of one user, group or role, as lists name them."""
        owner = {f"{kind.title()}Name": name}
        attached = reading(self._pages, f"list_attached_{kind}_policies", "AttachedPolicies", **owner)
        if isinstance(attached, Unreadable):
            return attached
        inline = reading(self._pages, f"list_{kind}_policies", "PolicyNames", **owner)
        if isinstance(inline, Unreadable):
            return inline
        to = f"{kind}/{name}"
        arguments = tuple(owner.items())
        return [
            *(
                _Listed(
                    PolicySource(PolicyType.IDENTITY, name=policy, attached_to=to),
                    f"get_{kind}_policy",
                    (*arguments, ("PolicyName", policy)),
                )
                for policy in inline
            ),
            *(
                _Listed(
                    PolicySource(PolicyType.IDENTITY, policy["PolicyName"], arn=policy["PolicyArn"], attached_to=to), ""
                )
                for policy in attached
            ),
        ]

    def _settled(self, future: Future[list[_Listed] | Unreadable], layer: PolicyType) -> Iterable[_Listed]:
        listed = future.result()
        if isinstance(listed, Unreadable):
            self._unknown.add(layer)
            self._notes.append(f"the policies of {self._identity.kind} `{self._identity.name}`: {listed.reason}")
            return ()
        return listed

    def _boundary(self, owner: Mapping[str, Any]) -> _Listed | None:
        arn = (owner.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if not arn:
            return None
        to = f"{self._identity.kind}/{self._identity.name}"
        return _Listed(
            PolicySource(PolicyType.PERMISSIONS_BOUNDARY, arn.rsplit("/", 1)[-1], arn=arn, attached_to=to), ""
        )

    def _documents(self, listed: list[_Listed]) -> list[tuple[PolicySource, PolicyDocument]]:
        """The documents of ``listed``; those that fail make their layer unknown."""
        read: dict[str, Future[Any]] = {}
        for policy in listed:
            arn = policy.source.arn
            if arn is not None and arn not in read:
                read[arn] = self._pool.submit(reading, self._managed, arn)
        futures = [
            read[policy.source.arn]
            if policy.source.arn is not None
            else self._pool.submit(reading, self._inline, policy.operation, dict(policy.arguments))
            for policy in listed
        ]
        found = []
        for policy, future in zip(listed, futures, strict=True):
            answer = future.result()
            if isinstance(answer, Unreadable):
                self._unknown.add(policy.source.policy_type)
                self._notes.append(f"policy `{policy.source.name}` could not be read: {answer.reason}")
                continue
            document, version = answer
            found.append((replace(policy.source, version=version), document))
        return found

    def _inline(self, operation: str, arguments: dict[str, str]) -> tuple[PolicyDocument, None]:
        return parse_policy(self._call(operation, **arguments)["PolicyDocument"]), None

    def _managed(self, arn: str) -> tuple[PolicyDocument, str]:
        # Only the default version is in force.
        version = self._call("get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        answer = self._call("get_policy_version", PolicyArn=arn, VersionId=version)
        return parse_policy(answer["PolicyVersion"]["Document"]), version
