"""Live accounts as an input of an audit: read one after another into a folder, from which they are read as any other files.

Composes ``collect``; no argument line and no printing here.  An account that was read wholly before is not read again.  What may
not be read of one account does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mantle_iam.collect.account import Known, read_account
from mantle_iam.collect.connections import ATTEMPTS, Connection, assumed, caller_of, connect
from mantle_iam.collect.failure import Failure, Unreadable
from mantle_iam.collect.needs import collecting_policy
from mantle_iam.collect.organization_answers import OrganizationAnswers
from mantle_iam.collect.saved import ORGANIZATION, AccountRecord, Layer, SaveFolder, Unread
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import write_policy
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Place, Principal
from mantle_iam.mantle.endpoint import partition_of

LIVE: Final = "live"
"""Kind of an input that is a live account."""


@dataclass(frozen=True, slots=True)
class Live:
    """Which accounts are read, and how."""

    profile: str | None = None
    roles: tuple[str, ...] = ()
    """ARNs of roles, one for each account; without any the account of the credentials themselves."""
    regions: tuple[str, ...] = ()
    """Whose VPC endpoints count; without any the region of the profile or the environment."""
    endpoint_url: str | None = None
    """What stands in for AWS, for every service."""
    attempts: int = ATTEMPTS


@dataclass(frozen=True, slots=True)
class Step:
    """How far the reading is."""

    account: str
    number: int
    """From 0."""
    accounts: int
    doing: str


Progress = Callable[[Step], None]


def checked_roles(texts: Sequence[str]) -> tuple[str, ...]:
    """ARNs of roles, each once.

    Raises:
        InputError: one is not the ARN of a role, or two are of one account.
    """
    accounts: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        arn = Arn.try_parse(text)
        digits = arn is not None and len(arn.account) == 12 and arn.account.isascii() and arn.account.isdigit()
        if arn is None or arn.service != "iam" or not arn.resource.startswith("role/") or not digits:
            raise InputError(
                f"`{text[:200]}` is not the ARN of a role", help="such as arn:aws:iam::111122223333:role/audit"
            )
        if arn.account in accounts:
            raise InputError(f"`{text}` and `{accounts[arn.account]}` are of one account", help="give one of them")
        accounts[arn.account] = text
    return tuple(accounts.values())


def needed_rights(roles: Sequence[str], region: str | None) -> dict[str, Any]:
    """The policy document that the reading itself needs; nobody is asked.  Raises ``InputError`` for what is no role."""
    found = checked_roles(roles)
    partition = (partition_of(region) if region else None) or (Arn.parse(found[0]).partition if found else "aws")
    return write_policy(collecting_policy(partition, found))


def read_live(live: Live, folder: Path, progress: Progress = lambda _: None) -> tuple[str, ...]:
    """Read the accounts of ``live`` into ``folder``, but for those that are there and complete; answers their ids.

    Raises:
        InputError: the profile, a role, a region or the URL is none; ``folder`` cannot be written.
        UndeterminedError: whose the credentials are is not known.
    """
    roles = checked_roles(live.roles)
    base = connect(live.profile, None, live.endpoint_url, live.attempts)
    try:
        return _Reading(live, base, SaveFolder(folder), progress).run(roles)
    except OSError as error:
        raise InputError(f"cannot write `{folder}`: {(error.strerror or str(error)).lower()}") from None


class _Reading:
    def __init__(self, live: Live, base: Connection, folder: SaveFolder, progress: Progress) -> None:
        self.live = live
        self.base = base
        self.folder = folder
        self.progress = progress
        self.known: Known = {}
        self.organization = OrganizationAnswers()
        self.written: set[str] = set()

    def run(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        if not roles:
            caller = caller_of(self.base)
            if isinstance(caller, Unreadable):
                raise UndeterminedError(
                    f"whose the AWS credentials are is not known: {caller.reason}", help=_advice(caller)
                )
            self.base.partition = caller.partition
            self._account(self.base, caller.account, caller.partition, 0, 1)
            return (caller.account,)
        parsed = [Arn.parse(role) for role in roles]
        self.base.partition = parsed[0].partition
        for number, (role, arn) in enumerate(zip(roles, parsed, strict=True)):
            self._account(role, arn.account, arn.partition, number, len(roles))
        return tuple(arn.account for arn in parsed)

    def _account(self, by: Connection | str, account: str, partition: str, number: int, of: int) -> None:
        """One account, by its own credentials or by a role that is assumed."""

        def told(doing: str) -> None:
            self.progress(Step(account, number, of, doing))

        record = self.folder.record(account)
        regions = self.live.regions or (self.base.region,)
        if record is not None and record.complete and set(regions) <= set(record.regions):
            told("read before")
            return
        told("signing in")
        made = AccountRecord(account, partition, regions)
        connection = assumed(self.base, by) if isinstance(by, str) else by
        self.folder.begin(account)
        if isinstance(connection, Unreadable):
            self.folder.finish(replace(made, unread=(Unread(Layer.ACCOUNT, "sts:AssumeRole", connection.reason),)))
            return
        found = read_account(connection, regions, self.known, told)
        for name, value in found.files.items():
            self.folder.write(f"{account}/{name}", value)
        unread = list(found.unread)
        if found.files:
            told("organization")
            unread += self._organization(account, connection)
        self.folder.finish(replace(made, unread=tuple(unread)))

    def _organization(self, account: str, connection: Connection) -> tuple[Unread, ...]:
        connections = (connection,) if connection is self.base else (connection, self.base)
        files, unread = self.organization.take(account, connections)
        for name, value in files.items():
            if name not in self.written:
                self.folder.write(name, value)
                self.written.add(name)
        return unread


def _advice(failure: Unreadable) -> str | None:
    if failure.failure is Failure.CREDENTIALS:
        return "sign in (aws sso login, aws configure) or name a profile with --profile"
    return None


# -- what was read into a folder of nobody's business: shown by the account it is of


def live_account(account: Account, folder: str) -> Account:
    """``account``, read from ``folder``, with places that name the live account instead of a file."""
    known: dict[int, tuple[NamedPolicy, NamedPolicy]] = {}

    def policy(one: NamedPolicy) -> NamedPolicy:
        found = known.get(id(one))
        if found is None or found[0] is not one:
            found = known[id(one)] = (one, replace(one, place=_place(one.place, folder)))
        return found[1]

    def levels(
        found: tuple[tuple[NamedPolicy, ...], ...] | None,
    ) -> tuple[tuple[NamedPolicy, ...], ...] | None:
        return None if found is None else tuple(tuple(map(policy, level)) for level in found)

    def principal(one: Principal) -> Principal:
        return replace(
            one,
            identity=tuple(map(policy, one.identity)),
            boundary=None if one.boundary is None else policy(one.boundary),
            trust=None if one.trust is None else policy(one.trust),
            place=_place(one.place, folder),
        )

    return replace(
        account,
        principals=tuple(map(principal, account.principals)),
        scps=levels(account.scps),
        rcps=levels(account.rcps),
        endpoints=tuple(map(policy, account.endpoints)),
    )


def live_policy(policy: NamedPolicy, folder: str) -> NamedPolicy:
    """The same for a document that binds nobody by itself."""
    return replace(policy, place=_place(policy.place, folder))


def live_path(path: str, folder: str) -> str:
    """``aws:ACCOUNT`` for a file of ``folder``; another path as it is."""
    if not path.startswith(folder):
        return path
    first = path[len(folder) :].lstrip("/\\").replace("\\", "/").partition("/")[0]
    return f"aws:{first or ORGANIZATION}"


def _place(place: Place, folder: str) -> Place:
    path = live_path(place.path, folder)
    # A pointer into a file that nobody has says nothing; the ARN stays.
    return place if path == place.path else Place(path, address=place.address)


def live_inputs(inputs: Sequence[Input], folder: str) -> list[Input]:
    """``inputs`` with the files of ``folder`` put together by account."""
    found: list[Input] = []
    at: dict[str, int] = {}
    for one in inputs:
        path = live_path(one.path, folder)
        if path == one.path:
            if one.kind == LIVE:  # put together before
                at[path] = len(found)
            found.append(one)
        elif path not in at:
            at[path] = len(found)
            found.append(replace(one, path=path, kind=LIVE, problems=_without(one.problems, folder)))
        else:
            found[at[path]] = _together(found[at[path]], replace(one, problems=_without(one.problems, folder)))
    return found


def _without(problems: tuple[str, ...], folder: str) -> tuple[str, ...]:
    return tuple(problem.replace(f"{folder}/", "") for problem in problems)


def _together(one: Input, other: Input) -> Input:
    order = (InputStatus.READ, InputStatus.PARTIAL, InputStatus.FAILED)
    status = max(one.status, other.status, key=order.index)
    return replace(one, status=status, problems=tuple(dict.fromkeys((*one.problems, *other.problems))))
