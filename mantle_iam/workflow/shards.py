"""Shards of a pure function over any ``concurrent.futures.Executor``: in order, nothing lost, nothing twice.

Knows neither what a shard is nor what becomes of it.  At most a few are held at a time.  A shard that fails is tried again; when
a whole pool breaks (its process was killed, its cluster is gone), the shards in flight are run one at a time in a new one, so
that the one at fault is found and the others do not pay for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from mantle_iam.errors import InputError

ATTEMPTS: Final = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Shard(Generic[Item, Result]):
    """What became of one item."""

    item: Item
    result: Result | None
    """``None`` when it failed every time."""
    attempts: int = 1
    error: str = ""


@dataclass(slots=True)
class _Flight(Generic[Item, Result]):
    item: Item
    future: Future[Result]
    attempts: int = 1


def run_shards(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    make_executor: Callable[[], Executor],
    *,
    ahead: int = 1,
) -> Iterator[Shard[Item, Result]]:
    """Every item's result, in the order of ``items``.  ``ahead``: how many are in flight at most.

    Raises:
        InputError: what is asked cannot be, which is no item's fault.
        UndeterminedError: no new pool can be had for one that broke.
    """
    runner = _Runner(function, make_executor)
    try:
        source = iter(items)
        while runner.fill(source, 1 if runner.isolated else max(ahead, 1)):
            yield runner.next()
    finally:
        runner.close()


class _Runner(Generic[Item, Result]):
    def __init__(self, function: Callable[[Item], Result], make_executor: Callable[[], Executor]) -> None:
        self.function = function
        self.make_executor = make_executor
        self.executor = make_executor()
        self.flights: deque[_Flight[Item, Result]] = deque()
        self.isolated = 0
        """Shards at the head that are run alone, since one of them may have broken the pool."""

    def fill(self, source: Iterator[Item], ahead: int) -> bool:
        """Submit items up to ``ahead``; whether anything is in flight."""
        while len(self.flights) < ahead:
            try:
                item = next(source)
            except StopIteration:
                break
            self.flights.append(_Flight(item, self._submit(item)))
        return bool(self.flights)

    def next(self) -> Shard[Item, Result]:
        """The result of the oldest shard."""
        while True:
            flight = self.flights[0]
            try:
                result = flight.future.result()
            except (BrokenExecutor, CancelledError) as error:  # a cluster that is gone cancels
                self._replace(flight)
                if flight.attempts <= ATTEMPTS:
                    continue
                shard = self._failed(flight, error)
            except InputError:
                raise
            except Exception as error:  # whatever a worker throws is that shard's failure, and is said
                if flight.attempts < ATTEMPTS:
                    flight.attempts += 1
                    flight.future = self._submit(flight.item)
                    continue
                shard = self._failed(flight, error)
            else:
                shard = Shard(flight.item, result, flight.attempts)
            self.flights.popleft()
            if self.isolated:
                self.isolated -= 1
                if self.isolated and self.flights:
                    self.flights[0].future = self._submit(self.flights[0].item)
                else:
                    self.isolated = 0
            return shard

    def close(self) -> None:
        """Give the executor back."""
        self.executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, item: Item) -> Future[Result]:
        try:
            return self.executor.submit(self.function, item)
        except InputError:
            raise
        except Exception as error:  # it broke while nobody looked; whoever asks for the result finds out
            future: Future[Result] = Future()
            future.set_exception(error)
            return future

    def _replace(self, head: _Flight[Item, Result]) -> None:
        """A new executor, in which the shards in flight run alone; only one that was alone is known to be at fault."""
        if self.isolated:
            head.attempts += 1
        self.isolated = len(self.flights)
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self.make_executor()
        if head.attempts <= ATTEMPTS:
            head.future = self._submit(head.item)

    @staticmethod
    def _failed(flight: _Flight[Item, Result], error: BaseException) -> Shard[Item, Result]:
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return Shard(flight.item, None, min(flight.attempts, ATTEMPTS), what)
