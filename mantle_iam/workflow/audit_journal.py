"""The journal of an audit: finished inputs as JSON lines, so that an interrupted run goes on where it was.

Reader and writer of the one format.  What is in it counts only for the same question, and for the same content of an input
and of what binds it; a line that was cut off is dropped.  Results are not secret, but nobody else needs them: the file is the
user's alone, and of one run at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from typing import Any, BinaryIO, Final

from mantle_iam import __version__
from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.audit.lint.engine import Settings
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.results import read_result, result_object
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dump_reader import Binding
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Input, InputStatus, Place
from mantle_iam.workflow.audit_findings import Seen
from mantle_iam.workflow.audit_work import Done, Task

FORMAT: Final = "mantle-iam-audit-journal/2"
_NO_JOURNAL: Final = "is not a journal of an audit"


class Journal:
    """Finished inputs of one question.

    Raises:
        InputError: the file is not a journal, belongs to another question or run, or cannot be read or written.
    """

    def __init__(self, path: str, plan: Plan, settings: Settings | None = None) -> None:
        self.path = path
        self._head = {"format": FORMAT, "plan": fingerprint((__version__, plan, settings))}
        self._binding = ""
        self._offsets: dict[str, int] = {}
        try:
            self._file = self._open(path)
        except OSError as error:
            raise InputError(f"cannot use `{path}`: {(error.strerror or str(error)).lower()}") from None

    def _open(self, path: str) -> BinaryIO:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            _lock(file, path)
            end = self._read(file)
            file.truncate(end)
            file.seek(end)
            if end == 0:
                _write(file, self._head)
        except BaseException:
            with suppress(OSError):
                file.close()
            raise
        return file

    def _read(self, file: BinaryIO) -> int:
        """Where what is whole ends."""
        end = 0
        for number, line in enumerate(iter(file.readline, b"")):
            if not line.endswith(b"\n"):
                if number == 0 and not _line(self._head).startswith(line):
                    raise InputError(f"`{self.path}` {_NO_JOURNAL}", help="name a file that does not exist yet")
                break
            entry = _object(line)
            if number == 0:
                self._check(entry)
            elif entry is None or not isinstance(entry.get("key"), str):
                raise InputError(f"line {number + 1} of `{self.path}` is not one of a journal")
            else:
                self._offsets[entry["key"]] = end
            end += len(line)
        return end

    def _check(self, head: Mapping[str, Any] | None) -> None:
        if head is None or not str(head.get("format")).startswith(FORMAT.partition("/")[0]):
            raise InputError(f"`{self.path}` {_NO_JOURNAL}", help="name a file that does not exist yet")
        if head != self._head:
            raise InputError(
                f"`{self.path}` is the journal of another audit",
                help="its options, its requirements or the version differ; name another file",
            )

    def bind(self, binding: Binding) -> None:
        """What applies to every input from now on: a result counts for this alone."""
        self._binding = fingerprint(binding)

    def key(self, task: Task) -> str:
        """What an input is known by: its name, its content and what binds it."""
        return f"{task.name}:{fingerprint((self._binding, task.account, task.dump, task.files))}"

    def find(self, key: str) -> Done | None:
        """What became of an input that was finished before; ``None`` when it was not."""
        offset = self._offsets.get(key)
        if offset is None:
            return None
        self._file.seek(offset)
        entry = _object(self._file.readline())
        try:
            return _read_done(entry["done"]) if entry is not None else None
        except (AttributeError, KeyError, TypeError, ValueError):
            # Damaged: it is asked again.
            return None

    def add(self, key: str, done: Done) -> None:
        """Note that an input is finished; on the disk before this returns."""
        try:
            self._offsets[key] = self._file.seek(0, os.SEEK_END)
            _write(self._file, {"key": key, "done": _done_object(done)})
        except OSError as error:
            raise InputError(f"cannot write `{self.path}`: {(error.strerror or str(error)).lower()}") from None

    def close(self) -> None:
        """Give the file back."""
        # What could not be written was said when it was to be.
        with suppress(OSError):
            self._file.close()


def fingerprint(value: object) -> str:
    """The same for equal records, in whatever process."""
    digest = hashlib.sha256()
    _say(value, digest.update)
    return digest.hexdigest()


def _say(value: Any, update: Any) -> None:
    """``value`` as bytes: sets in order, bytes as they are, what is only remembered left out."""
    if isinstance(value, bytes):
        update(b"bytes %d " % len(value))
        update(value)
    elif is_dataclass(value) and not isinstance(value, type):
        _say((type(value).__name__, *(getattr(value, one.name) for one in fields(value))), update)
    elif isinstance(value, set | frozenset):
        _say(("set", *sorted(value, key=repr)), update)
    elif isinstance(value, Mapping):
        _say(("mapping", *value.items()), update)
    elif isinstance(value, tuple | list):
        update(b"(%d " % len(value))
        for one in value:
            _say(one, update)
    elif isinstance(value, Documents):
        update(b"documents")
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("mantle_iam.collect"):
        _say((type(value).__name__, vars(value)), update)
    else:
        update(repr(value).encode("utf-8", "surrogatepass") + b",")


def _lock(file: BinaryIO, path: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"`{path}` is in use by another run", help="wait for it, or name another file") from None


def _line(entry: Mapping[str, Any]) -> bytes:
    # ASCII, so that a lone surrogate of a hostile name is kept as its escape.
    return json.dumps(entry).encode("ascii") + b"\n"


def _write(file: BinaryIO, entry: Mapping[str, Any]) -> None:
    file.write(_line(entry))
    file.flush()
    os.fsync(file.fileno())


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _done_object(done: Done) -> dict[str, Any]:
    return {
        "results": [result_object(result) for result in done.results],
        "inputs": [asdict(one) for one in done.inputs],
        "findings": [asdict(one) for one in done.seen.findings],
        "left_out": done.seen.left_out,
        "beyond": [asdict(one) for one in done.seen.beyond.values()],
        "loose": done.loose,
    }


def _read_done(value: Mapping[str, Any]) -> Done:
    """Raises ``AttributeError``, ``KeyError``, ``TypeError`` or ``ValueError``."""
    return Done(
        tuple(read_result(result) for result in value["results"]),
        tuple(
            Input(**{**one, "status": InputStatus(one["status"]), "problems": tuple(one["problems"])})
            for one in value["inputs"]
        ),
        Seen(
            [_read_finding(one) for one in value["findings"]],
            int(value["left_out"]),
            {one.severity: one for one in map(_read_finding, value["beyond"])},
        ),
        int(value["loose"]),
    )


def _read_finding(value: Mapping[str, Any]) -> Finding:
    found = {
        **value,
        "severity": Severity(value["severity"]),
        "confidence": Certainty(value["confidence"]),
        "place": Place(**value["place"]),
    }
    return Finding(**found)
