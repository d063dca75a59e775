"""Live accounts as an input of an audit: read several at a time into a folder, from which they are read as any other files.

Composes ``collect``; no argument line and no printing here.  An account that was read wholly before is not read again.  What may
not be read of one account does not stop the others.  What is written does not depend on which account is ready first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from mantle_iam.collect.account import Known, read_account
from mantle_iam.collect.connections import ATTEMPTS, Connection, assumed, caller_of, connect, is_account, signed_in
from mantle_iam.collect.failure import Failure, Unreadable
from mantle_iam.collect.memberships import FILE, Memberships, accounts_of
from mantle_iam.collect.needs import collecting_policy
from mantle_iam.collect.saved import AccountRecord, Layer, SaveFolder, Unread
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.grammar import write_policy
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.workflow.threads import Turns, in_threads

AT_ONCE: Final = 8
"""Accounts in flight.  IAM limits calls by account, so that they do not get into each other's way."""


@dataclass(frozen=True, slots=True)
class Live:
    """Which accounts are read, and how."""

    profile: str | None = None
    roles: tuple[str, ...] = ()
    """ARNs of roles, one for each account; without any the account of the credentials themselves."""
    role_name: str = ""
    """Instead of those: every account of the organization, each by its role of this name."""
    regions: tuple[str, ...] = ()
    """Whose VPC endpoints count; without any the region of the profile or the environment."""
    endpoint_url: str | None = None
    """What stands in for AWS, for every service."""
    attempts: int = ATTEMPTS
    at_once: int = AT_ONCE


@dataclass(frozen=True, slots=True)
class Step:
    """How far the reading is."""

    account: str
    """The one of which something is being read now."""
    number: int
    """Accounts that are finished."""
    accounts: int
    doing: str
    kept: int = 0
    """Of those that are finished: read before, and not now."""


@dataclass(frozen=True, slots=True)
class LiveRead:
    """What became of a reading."""

    accounts: tuple[str, ...]
    """Ids, in the order of the roles."""
    kept: tuple[tuple[str, datetime | None], ...] = ()
    """Those that were read before, and when."""
    closed: tuple[str, ...] = ()
    """Accounts of the organization that are suspended or being closed, and so were not read."""

    def note(self, now: datetime) -> str:
        """A sentence about what was not read again; empty where all was."""
        if not self.kept:
            return ""
        dated = [(read, account) for account, read in self.kept if read is not None and read <= now]
        many = "1 account was" if len(self.kept) == 1 else f"{len(self.kept)} accounts were"
        said = f"{many} read before and not again"
        if not dated or len(dated) < len(self.kept):
            return f"{said}; when is not known of all of them"
        oldest, account = min(dated)
        return f"{said}, the longest ago {account}: {_ago(now - oldest)}; remove its folder to have it read again"


Progress = Callable[[Step], None]
"""Is called by one thread at a time."""


def checked_roles(texts: Sequence[str]) -> tuple[str, ...]:
    """ARNs of roles, each once.

    Raises:
        InputError: one is not the ARN of a role, or two are of one account.
    """
    accounts: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        arn = Arn.try_parse(text)
        if arn is None or arn.service != "iam" or not arn.resource.startswith("role/") or not is_account(arn.account):
            raise InputError(
                f"`{text[:200]}` is not the ARN of a role", help="such as arn:aws:iam::111122223333:role/audit"
            )
        if arn.account in accounts:
            raise InputError(f"`{text}` and `{accounts[arn.account]}` are of one account", help="give one of them")
        accounts[arn.account] = text
    return tuple(accounts.values())


def needed_rights(roles: Sequence[str], region: str | None, role_name: str = "") -> dict[str, Any]:
    """The policy document that the reading itself needs; nobody is asked.  Raises ``InputError`` for what is no role."""
    found = checked_roles(roles)
    partition = (partition_of(region) if region else None) or (Arn.parse(found[0]).partition if found else "aws")
    return write_policy(collecting_policy(partition, found, _checked_name(role_name, found)))


def _checked_name(name: str, roles: Sequence[str]) -> str:
    """The name of a role, maybe with a path."""
    if name and roles:
        raise InputError("--role-name is instead of --role-arn", help="give one of them")
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
    if not all(char.isascii() and (char.isalnum() or char in "_+=,.@-/") for char in name) or (
        name and "" in name.split("/")
    ):
        raise InputError(f"`{name[:200]}` is not the name of a role", help="such as OrganizationAccountAccessRole")
    return name


def read_live(
    live: Live,
    folder: Path,
    progress: Progress = lambda _: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LiveRead:
    """Read the accounts of ``live`` into ``folder``, but for those that are there and complete.

    Raises:
        InputError: the profile, a role, a region or the URL is none; ``folder`` cannot be written or holds files of others.
        UndeterminedError: whose the credentials are is not known.
    """
    roles = checked_roles(live.roles)
    name = _checked_name(live.role_name, roles)
    base = connect(live.profile, next(iter(live.regions), None), live.endpoint_url, live.attempts)
    failed = signed_in(base)
    if failed is not None:
        raise _nobody(failed)
    closed: list[str] = []
    if name:
        tasks = _of_organization(base, name, closed)
    else:
        arns = enumerate(map(Arn.parse, roles))
        tasks = [_Task(number, arn.account, arn.partition, str(arn)) for number, arn in arns] or [_own(base)]
    return replace(_Reading(live, base, SaveFolder(folder), progress, clock).run(tasks), closed=tuple(closed))


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    account: str
    partition: str
    role: str
    """Empty: by the credentials themselves."""


def _own(base: Connection) -> _Task:
    caller = caller_of(base)
    if isinstance(caller, Unreadable):
        raise _nobody(caller)
    return _Task(0, caller.account, caller.partition, "")


def _of_organization(base: Connection, name: str, closed: list[str]) -> list[_Task]:
    """A task for every active account of the organization; the credentials' own needs no role.  ``closed`` gets the others."""
    own = _own(base)
    base.partition = own.partition
    found = accounts_of(base)
    if isinstance(found, Unreadable):
        advice = "use credentials of the management account or of a delegated administrator, or --role-arn"
        raise UndeterminedError(f"the accounts of the organization could not be listed: {found.reason}", help=advice)
    closed += [account for account, active in found if not active]
    ids = dict.fromkeys((own.account, *(account for account, active in found if active)))
    before = f"arn:{own.partition}:iam::"
    return [
        _Task(number, id_, own.partition, "" if id_ == own.account else f"{before}{id_}:role/{name}")
        for number, id_ in enumerate(ids)
    ]


class _Stopped(Exception):  # noqa: N818 - no error: somebody else has failed, or the user has had enough
    """Nothing more is to be read."""


class _Reading:
    def __init__(
        self, live: Live, base: Connection, folder: SaveFolder, progress: Progress, clock: Callable[[], datetime]
    ) -> None:
        self.live = live
        self.base = base
        self.folder = folder
        self.progress = progress
        self.clock = clock
        self.known: Known = {}
        self.tasks: list[_Task] = []
        self.regions: tuple[str, ...] = ()
        self.written: set[str] = set()
        self.kept: dict[int, tuple[str, datetime | None]] = {}
        self.turns = Turns()
        self.telling = Lock()
        self.finished = 0
        self.stopped = False

    def run(self, tasks: list[_Task]) -> LiveRead:
        self.tasks = tasks
        self.base.partition = self.tasks[0].partition
        self.regions = self.live.regions or (self.base.region,)
        with _written(self.folder.path):
            self.memberships = Memberships(self.base, self.folder.value(FILE))
            for task in self.tasks:
                self._announce(task)
        try:
            in_threads(lambda number: self._task(self.tasks[number]), len(self.tasks), self.live.at_once)
        finally:
            self.stopped = True
            self.turns.open()
        kept = tuple(self.kept[number] for number in sorted(self.kept))
        return LiveRead(tuple(task.account for task in self.tasks), kept)

    def _announce(self, task: _Task) -> None:
        """Note that an account is wanted, so that a folder which is not finished says so."""
        foreign = self.folder.foreign(task.account)
        if foreign:
            raise InputError(
                f"`{self.folder.path / task.account}` holds `{foreign}`, which was not written by --save-dir",
                help="name another folder",
            )
        if self.folder.record(task.account) is None:
            waiting = Unread(Layer.ACCOUNT, "iam:GetAccountAuthorizationDetails", "it was not read yet")
            self.folder.note(AccountRecord(task.account, task.partition, unread=(waiting,)))

    def _told(self, task: _Task, doing: str, finished: int = 0) -> None:
        if self.stopped:
            raise _Stopped
        with self.telling:
            self.finished += finished
            self.progress(Step(task.account, self.finished, len(self.tasks), doing, len(self.kept)))

    def _task(self, task: _Task) -> None:
        with _written(self.folder.path):
            try:
                if self._is_there(task):
                    self._told(task, "read before", 1)
                    return
                self._read(task)
            finally:
                self.turns.passed(task.number)
        self._told(task, "done", 1)

    def _is_there(self, task: _Task) -> bool:
        record = self.folder.record(task.account)
        if record is None or not record.complete or not set(self.regions) <= set(record.regions):
            return False
        if not self.folder.intact(record):
            return False
        self.kept[task.number] = (task.account, record.read)
        return True

    def _read(self, task: _Task) -> None:
        self._told(task, "signing in")
        pending = self.folder.account(AccountRecord(task.account, task.partition, self.regions))
        connection = assumed(self.base, task.role) if task.role else self.base
        if isinstance(connection, Unreadable):
            pending.finish(self.clock(), (Unread(Layer.ACCOUNT, "sts:AssumeRole", connection.reason),))
            return
        try:
            self._told(task, "organization")
            own = self.memberships.organization_of(connection)
            above = self._organization(task, connection, own)
            unread = read_account(
                connection, self.regions, self.known, pending.write, lambda doing: self._told(task, doing)
            )
            self._told(task, "writing")
            pending.finish(self.clock(), (*unread, *above), standalone=own == "")
        finally:
            pending.forget()

    def _organization(self, task: _Task, connection: Connection, own: str | Unreadable) -> tuple[Unread, ...]:
        # One after another: what several accounts share is asked for once, and by the first of them.
        self.turns.wait(task.number)
        self._told(task, "organization")
        files, unread = self.memberships.take(task.account, connection, own)
        for name, value in files.items():
            if name not in self.written:
                self.folder.write(name, value)
                self.written.add(name)
        self.turns.passed(task.number)
        return unread


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write `{folder}`: {(error.strerror or str(error)).lower()}") from None


def _ago(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return "less than an hour"
    number, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
    return f"{number} {unit}{'' if number == 1 else 's'} ago"


def _nobody(failure: Unreadable) -> UndeterminedError:
    of_credentials = failure.failure is Failure.CREDENTIALS
    advice = "sign in (aws sso login, aws configure) or name a profile with --profile" if of_credentials else None
    return UndeterminedError(f"whose the AWS credentials are is not known: {failure.reason}", help=advice)
