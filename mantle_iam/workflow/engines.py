"""By what an audit is run: this process, several, a Dask cluster or a Ray cluster, each as a ``concurrent.futures.Executor``.

Sources: https://docs.python.org/3/library/concurrent.futures.html,
https://distributed.dask.org/en/stable/api.html (get_executor),
https://docs.ray.io/en/latest/ray-core/api/doc/ray.ObjectRef.future.html
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TextIO, cast

from mantle_iam.errors import InputError, UndeterminedError

AHEAD: Final = 2
"""Tasks in flight for each worker."""
_RAY_HERE: Final = "local"
CONNECT_SECONDS: Final = 20
"""Until a cluster that does not answer is given up, at first and when it is lost."""
_LOOK_SECONDS: Final = 1.0
"""Between looks at whether a cluster is still there."""


@dataclass(frozen=True, slots=True)
class Engine:
    """By what accounts are run."""

    workers: int = 1
    name: str = "processes"
    """``processes``, ``dask`` or ``ray``."""
    scheduler: str = ""
    """Address of a cluster."""

    @property
    def ahead(self) -> int:
        """Tasks in flight at most."""
        return max(self.workers, 1) * AHEAD

    @property
    def inline(self) -> bool:
        """Whether everything is done in this process."""
        return self.name == "processes" and self.workers <= 1

    @property
    def remote(self) -> bool:
        """Whether workers may not see the files of this machine."""
        return self.name != "processes"


def executors(engine: Engine) -> Callable[[], Executor]:
    """What makes the executor of ``engine``, as often as one breaks.

    Raises:
        InputError: the engine is not installed, or its cluster is not named.

    What it makes raises ``UndeterminedError`` where the cluster does not answer.
    """
    if engine.remote:
        return {"dask": _dask, "ray": _ray}[engine.name](engine)
    if engine.inline:
        return InlineExecutor

    def processes() -> Executor:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        # Not fork: a library's threads must not be copied into a child.
        return ProcessPoolExecutor(engine.workers, mp_context=get_context("spawn"), initializer=_begin)

    return processes


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


def _begin() -> None:
    """A worker process begins: it ends with its parent, which also is the one who is interrupted."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_less()
    parent = parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


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


class _Watched(Future[Any]):
    """Another future, of which its maker may never tell anything once a connection is ``lost``."""

    def __init__(self, inner: Future[Any], lost: Callable[[], bool]) -> None:
        super().__init__()
        self._inner = inner
        self._lost = lost

    def result(self, timeout: float | None = None) -> Any:
        """As ``Future.result``, without a limit of time.  Raises ``BrokenExecutor`` where nothing will come any more."""
        while not self._inner.done() and not self._lost():
            wait((self._inner,), _LOOK_SECONDS)
        if not self._inner.done():
            raise BrokenExecutor("the connection to the cluster was lost")
        return self._inner.result()


class DaskExecutor(Executor):
    """The executor of a ``dask.distributed`` client, which is closed with it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        # Results are wanted once each, whatever equal tasks there were before.
        self._executor: Executor = client.get_executor(pure=False)
        self._connection = client.scheduler_comm

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """As ``Executor.submit``."""
        return _Watched(self._executor.submit(fn, *args, **kwargs), self._lost)

    def _lost(self) -> bool:
        # A client that has found the scheduler again has forgotten what it was waiting for.
        return self._client.status != "running" or self._client.scheduler_comm is not self._connection

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ``Executor.shutdown``; the client's connection ends as well."""
        # Not waiting is what cancels with this one.
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


class RayExecutor(Executor):
    """Ray's tasks as futures.  A task whose worker dies is the caller's to try again."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._call = ray.remote(max_retries=0)(_call)
        self._stdout = sys.stdout
        # Ray tells of workers that died on standard output, from a thread of its own, whatever it is told about logs.
        sys.stdout = cast("TextIO", _OfOneThread(self._stdout, sys.stderr))

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """As ``Executor.submit``."""
        return self._call.remote(fn, args, kwargs).future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ``Executor.shutdown``; the connection ends as well, and with it what is not done."""
        self._ray.shutdown()
        sys.stdout = self._stdout


class _OfOneThread:
    """A stream for the thread that made it; what others write goes to another one."""

    def __init__(self, ours: TextIO, theirs: TextIO) -> None:
        self._thread = threading.get_ident()
        self._ours = ours
        self._theirs = theirs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours if threading.get_ident() == self._thread else self._theirs, name)


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


def _installed(module: str, engine: str) -> Any:
    try:
        # By name, since the extra is seldom there.
        return import_module(module)
    except ImportError:
        raise InputError(f"the {engine} engine is not installed", help=f"pip install 'mantle-iam[{engine}]'") from None


def _nobody(engine: Engine, error: Exception) -> UndeterminedError:
    return UndeterminedError(
        f"no {engine.name} cluster answers at `{engine.scheduler}`: {type(error).__name__}",
        help="with --resume FILE, what was finished is kept, and the same command goes on there",
    )


def _dask(engine: Engine) -> Callable[[], Executor]:
    if not engine.scheduler:
        raise InputError("the dask engine needs a scheduler", help="--scheduler tcp://HOST:8786")
    distributed = _installed("distributed", "dask")
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            # What becomes of its connections is said by us, without a traceback.
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def make() -> Executor:
        try:
            client = distributed.Client(engine.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise _nobody(engine, error) from None
        return DaskExecutor(client)

    return make


def _ray(engine: Engine) -> Callable[[], Executor]:
    if not engine.scheduler:
        raise InputError(
            "the ray engine needs a cluster",
            help=f"--scheduler ray://HOST:10001, auto, or {_RAY_HERE} to start one here",
        )
    # Nobody asked for its makers to be told that it runs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _installed("ray", "ray")

    def make() -> Executor:
        here = {"num_cpus": engine.workers, "include_dashboard": False} if engine.scheduler == _RAY_HERE else {}
        try:
            if not ray.is_initialized():
                ray.init(None if here else engine.scheduler, log_to_driver=False, logging_level="error", **here)
        except (OSError, ValueError, RuntimeError, TimeoutError) as error:
            raise _nobody(engine, error) from None
        return RayExecutor(ray)

    return make
