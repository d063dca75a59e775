"""The journal of an audit: finished accounts as JSON lines, so that an interrupted run goes on where it was.

Reader and writer of the one format.  A result counts only for the same question and the same content of the account; a line that
was cut off is dropped.  Results are not secret, but nobody else needs them: the file is the user's alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from mantle_iam import __version__
from mantle_iam.audit.matrix import Plan
from mantle_iam.audit.results import AccountResult, read_result, result_object
from mantle_iam.errors import InputError
from mantle_iam.iam.inventory import Account, NamedPolicy
from mantle_iam.iam.policy import PolicyDocument

FORMAT: Final = "mantle-iam-audit-journal/1"
_MOST_DIGESTS: Final = 16_384


class Journal:
    """Finished accounts of one question.

    Raises:
        InputError: the file is not a journal, belongs to another question or cannot be read or written.
    """

    def __init__(self, path: str, plan: Plan) -> None:
        self.path = path
        self._plan = hashlib.sha256(f"{__version__}\n{plan!r}".encode("utf-8", "surrogatepass")).hexdigest()
        self._offsets: dict[str, int] = {}
        self._digests: dict[int, tuple[PolicyDocument, bytes]] = {}
        try:
            self._file = self._open(path)
        except OSError as error:
            raise InputError(f"cannot use `{path}`: {(error.strerror or str(error)).lower()}") from None

    def _open(self, path: str) -> BinaryIO:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b")
        end = 0
        for number, line in enumerate(iter(file.readline, b"")):
            if not line.endswith(b"\n"):
                break
            entry = _object(line)
            if number == 0:
                self._check(entry, file)
            elif entry is None or not isinstance(entry.get("key"), str):
                file.close()
                raise InputError(f"line {number + 1} of `{path}` is not one of a journal")
            else:
                self._offsets[entry["key"]] = end
            end += len(line)
        if end == 0 and file.seek(0, os.SEEK_END):
            file.close()
            raise InputError(f"`{path}` is not a journal of an audit", help="name a file that does not exist yet")
        file.truncate(end)
        file.seek(end)
        if end == 0:
            self._write(file, {"format": FORMAT, "plan": self._plan})
        return file

    def _check(self, entry: dict[str, Any] | None, file: BinaryIO) -> None:
        if entry is None or entry.get("format") != FORMAT:
            file.close()
            raise InputError(f"`{self.path}` is not a journal of an audit", help="name a file that does not exist yet")
        if entry.get("plan") != self._plan:
            file.close()
            raise InputError(
                f"`{self.path}` is the journal of another audit",
                help="its options, its requirements or the version differ; name another file",
            )

    def key(self, account: Account) -> str:
        """What an account is known by: its id and its content."""
        digest = hashlib.sha256()

        def say(*parts: object) -> None:
            digest.update(repr(parts).encode("utf-8", "surrogatepass"))

        def levels(found: tuple[tuple[NamedPolicy, ...], ...] | None) -> None:
            say("none" if found is None else len(found))
            for level in found or ():
                say(len(level))
                self._policies(level, digest)

        say(account.id, account.partition, account.management, sorted(account.unknown))
        levels(account.scps)
        levels(account.rcps)
        self._policies(account.endpoints, digest)
        for principal in account.principals:
            say(principal.arn, principal.tags, sorted(principal.unknown), principal.boundary is None)
            self._policies((*principal.identity, *([principal.boundary] if principal.boundary else [])), digest)
        return f"{account.id}:{digest.hexdigest()}"

    def _policies(self, policies: Iterable[NamedPolicy], digest: Any) -> None:
        for policy in policies:
            found = self._digests.get(id(policy.document))
            if found is None or found[0] is not policy.document:
                content = repr(policy.document).encode("utf-8", "surrogatepass")
                found = (policy.document, hashlib.sha256(content).digest())
                if len(self._digests) >= _MOST_DIGESTS:
                    self._digests.clear()
                self._digests[id(policy.document)] = found
            named = repr((policy.name, policy.arn, policy.place, policy.purpose))
            digest.update(named.encode("utf-8", "surrogatepass") + found[1])

    def find(self, key: str) -> AccountResult | None:
        """The result of an account that was finished before; ``None`` when it was not."""
        offset = self._offsets.get(key)
        if offset is None:
            return None
        self._file.seek(offset)
        entry = _object(self._file.readline())
        try:
            return read_result(entry["result"]) if entry is not None else None
        except (KeyError, TypeError, ValueError):
            # Damaged: it is asked again.
            return None

    def add(self, key: str, result: AccountResult) -> None:
        """Note that an account is finished; on the disk before this returns."""
        try:
            self._offsets[key] = self._file.seek(0, os.SEEK_END)
            self._write(self._file, {"key": key, "result": result_object(result)})
        except OSError as error:
            raise InputError(f"cannot write `{self.path}`: {(error.strerror or str(error)).lower()}") from None

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    @staticmethod
    def _write(file: BinaryIO, entry: dict[str, Any]) -> None:
        # ASCII, so that a lone surrogate of a hostile name is kept as its escape.
        file.write(json.dumps(entry).encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
