"""The work of an audit: a pure function of what is asked and of one input, which is read, audited and linted where it is run.

What is the same for all inputs (``Job``) is unpacked once in each process that works; an input (``Task``) comes as the names
of its files or, for machines that do not see them, as their bytes.
"""

from __future__ import annotations

import pickle
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from mantle_iam import __version__
from mantle_iam.audit.lint.engine import Linter, Settings
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import AccountResult
from mantle_iam.collect.dump_reader import Binding, Dump, DumpReader, Gathered
from mantle_iam.collect.dumps import Managed
from mantle_iam.collect.openers import Opener
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account, Input
from mantle_iam.workflow.audit_findings import MOST, Seen, Texts, look
from mantle_iam.workflow.live_places import live_account, live_policy


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every task."""

    plan: Plan
    settings: Settings | None = None
    """The rules of lint that are asked; ``None`` for none."""
    live: str = ""
    """The folder of accounts that were just read live, which nobody knows by its name."""
    binding: Binding = field(default_factory=Binding)
    managed: Managed = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One input: a dump that is still to be read, or an account that was."""

    name: str
    """The account's id, or the path of its file."""
    account: Account | None = None
    dump: Dump | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of its files by their paths; others are opened."""
    room: int = MOST
    """Findings that whoever asks can still hold."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task."""

    results: tuple[AccountResult, ...] = ()
    inputs: tuple[Input, ...] = ()
    seen: Seen = field(default_factory=Seen)
    """What the rules of lint say."""
    loose: int = 0
    """Documents that bind no principal."""


class Worker:
    """Does tasks of one job; what it learns from one (parsed documents, their masks) serves the next."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._reader = DumpReader(job.binding, job.managed)
        self._linter = None if job.settings is None else Linter(job.settings)

    def run(self, task: Task) -> Done:
        """What became of ``task``.

        Raises:
            InputError: the plan asks for what there is not.
        """
        if task.account is not None:
            return Done((audit_account(self._job.plan, task.account),))
        seen, inputs, results, loose = Seen(most=task.room), list[Input](), list[AccountResult](), 0
        texts = Texts(Opener(held=task.files))
        for chunk in self.read(task):
            if self._linter is not None:
                look(chunk.accounts, chunk.policies, self._linter, texts, seen, shared=False)
            results += [audit_account(self._job.plan, account) for account in chunk.accounts]
            inputs += chunk.inputs
            loose += len(chunk.policies)
        return Done(tuple(results), tuple(inputs), seen, loose)

    def read(self, task: Task) -> Iterator[Gathered]:
        """What its files hold, with places that the user knows."""
        live = self._job.live
        for chunk in self._reader.read(task.dump, Opener(held=task.files)) if task.dump is not None else ():
            yield named(chunk, live) if live else chunk


def named(chunk: Gathered, live: str) -> Gathered:
    """What was read from the folder ``live``, by the accounts that it is of; what became of inputs is put together later."""
    return replace(
        chunk,
        accounts=tuple(live_account(account, live) for account in chunk.accounts),
        policies=tuple(live_policy(policy, live) for policy in chunk.policies),
    )


def pack(job: Job) -> bytes:
    """``job`` for other processes."""
    return _VERSION + zlib.compress(pickle.dumps(job), 1)


_VERSION: Final = f"{__version__}\n".encode()
_TURN: Final = threading.Lock()


def run_packed(job: bytes, task: Task) -> Done:
    """As ``Worker.run``, in a process that may have seen the job before.

    Raises:
        InputError: as there; this process has another version of the program.
    """
    if not job.startswith(_VERSION):
        theirs = job[: job.find(b"\n")].decode("ascii", errors="replace")
        raise InputError(
            f"a worker has mantle-iam {__version__}, and this is {theirs}", help="install the same everywhere"
        )
    # Threads of one process would share what it remembers, and gain nothing from each other.
    with _TURN:
        return _worker(job).run(task)


@lru_cache(maxsize=2)
def _worker(packed: bytes) -> Worker:
    job: Job = pickle.loads(zlib.decompress(packed[len(_VERSION) :]))  # noqa: S301 - from whom we work for
    return Worker(job)
