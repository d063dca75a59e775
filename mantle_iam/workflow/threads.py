"""Pieces of work in a few threads: in the order given, with places where each waits for those before it.

Knows nothing of what the work is.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Condition, Thread


class Turns:
    """Numbered pieces of work; ``wait`` comes back when all with a lower number have ``passed``."""

    def __init__(self) -> None:
        self._next = 0
        self._passed: set[int] = set()
        self._open = False
        self._changed = Condition()

    def wait(self, number: int) -> None:
        """Until it is the turn of ``number``, or nobody has to wait any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._next >= number)

    def passed(self, number: int) -> None:
        """``number`` needs no turn any more; may be said twice."""
        with self._changed:
            if number >= self._next:
                self._passed.add(number)
            while self._next in self._passed:
                self._passed.remove(self._next)
                self._next += 1
            self._changed.notify_all()

    def open(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._open = True
            self._changed.notify_all()


def in_threads(work: Callable[[int], None], pieces: int, threads: int) -> None:
    """Call ``work`` with 0, 1, 2 … below ``pieces``, begun in that order; ends when all have.

    The first error of any is raised at once, and so is an interruption: the threads do not keep the program alive, since a call
    in flight may take minutes to give up.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    for number in range(pieces):
        waiting.put(number)

    def run() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                work(number)
            except BaseException as error:  # told to whoever waits
                done.put(error)
            else:
                done.put(None)

    for _ in range(min(threads, pieces)):
        Thread(target=run, daemon=True).start()
    for _ in range(pieces):
        failed = done.get()
        if failed is not None:
            raise failed
