"""Accounts as shards of a pure function, over any ``concurrent.futures.Executor``: in order, nothing lost, nothing twice.

Knows neither what is asked nor where accounts come from.  At most a few accounts are held at a time.  A shard that fails is tried
again; when a whole pool breaks (its process was killed), the shards in flight are run one at a time in a new one, so that the one
at fault is found and the others do not pay for it.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import AccountResult
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account

ATTEMPTS: Final = 3

Function = Callable[[Plan, Account], AccountResult]


@dataclass(frozen=True, slots=True)
class Shard:
    """What became of one account."""

    account: str
    """Its id."""
    result: AccountResult | None
    """``None`` when it failed every time."""
    attempts: int = 1
    error: str = ""


@dataclass(slots=True)
class _Flight:
    account: Account
    future: Future[AccountResult]
    attempts: int = 1


def collect_less() -> None:
    """Let the garbage collector look less often: records hold no cycles, and its rounds are a third of the time.

    For processes that do nothing else; ``CollectingLess`` for those that do.
    """
    gc.freeze()
    gc.set_threshold(500_000, 50, 100)


class CollectingLess:
    """The same for the length of a ``with`` block."""

    def __enter__(self) -> None:
        self._before = gc.get_threshold()
        collect_less()

    def __exit__(self, *_: object) -> None:
        gc.set_threshold(*self._before)
        gc.unfreeze()


class InlineExecutor(Executor):
    """Runs what is submitted at once, in this very process."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """As ``Executor.submit``."""
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class ClientExecutor(Executor):
    """The executor of a ``dask.distributed`` client, which is closed with it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        # Results are wanted once each, whatever equal tasks there were before.
        self._executor: Executor = client.get_executor(pure=False)

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """As ``Executor.submit``."""
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ``Executor.shutdown``; the client's connection ends as well."""
        self._executor.shutdown(wait=wait)
        self._client.close()


def run_shards(
    plan: Plan,
    accounts: Iterable[Account],
    make_executor: Callable[[], Executor],
    *,
    ahead: int = 1,
    function: Function = audit_account,
) -> Iterator[Shard]:
    """Every account's result, in the order of ``accounts``.  ``ahead``: how many are in flight at most.

    Raises:
        InputError: what is asked cannot be, which is no account's fault.
    """
    runner = _Runner(plan, make_executor, function)
    try:
        source = iter(accounts)
        while runner.fill(source, 1 if runner.isolated else max(ahead, 1)):
            yield runner.next()
    finally:
        runner.close()


class _Runner:
    def __init__(self, plan: Plan, make_executor: Callable[[], Executor], function: Function) -> None:
        self.plan = plan
        self.make_executor = make_executor
        self.function = function
        self.executor = make_executor()
        self.flights: deque[_Flight] = deque()
        self.isolated = 0
        """Shards at the head that are run alone, since one of them may have broken the pool."""

    def fill(self, source: Iterator[Account], ahead: int) -> bool:
        """Submit accounts up to ``ahead``; whether anything is in flight."""
        while len(self.flights) < ahead:
            account = next(source, None)
            if account is None:
                break
            self.flights.append(_Flight(account, self._submit(account)))
        return bool(self.flights)

    def next(self) -> Shard:
        """The result of the oldest shard."""
        while True:
            flight = self.flights[0]
            try:
                result = flight.future.result()
            except BrokenExecutor as error:
                self._replace(flight)
                if flight.attempts <= ATTEMPTS:
                    continue
                shard = self._failed(flight, error)
            except InputError:
                raise
            except Exception as error:  # whatever a worker throws is that shard's failure, and is said
                if flight.attempts < ATTEMPTS:
                    flight.attempts += 1
                    flight.future = self._submit(flight.account)
                    continue
                shard = self._failed(flight, error)
            else:
                shard = Shard(flight.account.id, result, flight.attempts)
            self.flights.popleft()
            if self.isolated:
                self.isolated -= 1
                if self.isolated and self.flights:
                    self.flights[0].future = self._submit(self.flights[0].account)
                else:
                    self.isolated = 0
            return shard

    def close(self) -> None:
        """Give the executor back."""
        self.executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, account: Account) -> Future[AccountResult]:
        try:
            return self.executor.submit(self.function, self.plan, account)
        except BrokenExecutor as error:
            # It broke while nobody looked; whoever asks for the result finds out.
            future: Future[AccountResult] = Future()
            future.set_exception(error)
            return future

    def _replace(self, head: _Flight) -> None:
        """A new executor, in which the shards in flight run alone; only one that was alone is known to be at fault."""
        if self.isolated:
            head.attempts += 1
        self.isolated = len(self.flights)
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self.make_executor()
        if head.attempts <= ATTEMPTS:
            head.future = self._submit(head.account)

    @staticmethod
    def _failed(flight: _Flight, error: BaseException) -> Shard:
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return Shard(flight.account.id, None, min(flight.attempts, ATTEMPTS), what)
