"""Bytes of files: bounded, unpacked if they are gzip's, or taken from standard input that the caller has read.

Knows no format.  Source: https://www.rfc-editor.org/rfc/rfc1952 (gzip).
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from mantle_iam.collect.places import TextError, decode_text

LARGEST = 1 << 30
"""Bytes of one file, unpacked.  A dump of 100,000 principals has about 320 MB."""
STDIN = "-"
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


class Opener:
    """Reads files, and as often as is asked standard input (``-``) and what else is ``held``: bytes by path."""

    def __init__(self, stdin: bytes = b"", largest: int = LARGEST, held: Mapping[str, bytes] | None = None) -> None:
        self._held = {STDIN: stdin, **(held or {})}
        self._largest = largest
        self._below: dict[str, set[str]] = {}
        for name in held or {}:
            while (above := os.path.split(name))[0] not in ("", name):
                self._below.setdefault(above[0], set()).add(above[1])
                name = above[0]

    def read(self, path: str, most: int | None = None) -> bytes:
        """All bytes of a file, or its first ``most``.

        Raises:
            TextError: it cannot be read, is larger than is read, or its compression is broken.
        """
        try:
            return self._read(path, most)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise TextError("compressed, and breaks off or is broken") from None
        except OSError as error:
            raise TextError(f"cannot be read: {(error.strerror or 'an error of the system').lower()}") from None
        except ValueError:
            raise TextError("cannot be read: not the name of a file") from None

    def _read(self, path: str, most: int | None) -> bytes:
        limit = self._largest if most is None else most
        with self._open(path) as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    data = _first(unpacked, limit + 1)
            else:
                data = _first(file, limit + 1)
        if len(data) > limit:
            if most is None:
                raise TextError(f"more than {limit:,} bytes")
            return data[:limit]
        return data

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """A file, unpacked as it is read.  Raises ``OSError``, ``EOFError``, ``zlib.error`` or ``ValueError``, now or later."""
        with self._open(path) as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield file

    def held(self, path: str) -> bytes | None:
        """What is held of ``path``."""
        return self._held.get(path)

    def _open(self, path: str) -> BinaryIO:
        if path not in self._held:
            if not stat.S_ISFIFO(Path(path).stat().st_mode):
                return Path(path).open("rb")
            # A pipe (a shell's `<(...)`) gives its bytes once.
            with Path(path).open("rb") as pipe:
                self._held[path] = pipe.read(self._largest + 1)
        return BytesIO(self._held[path])

    def names(self, folder: str) -> list[str]:
        """Names in a folder, in their order; none where there is no such folder."""
        if folder in self._below:
            return sorted(self._below[folder])
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208
        except (OSError, ValueError):
            return []

    def head(self, path: str, most: int = 4096) -> str:
        """The beginning of a file as text, for telling kinds apart; empty where that cannot be read."""
        try:
            data = self.read(path, most)
            return decode_text(
                data[: len(data) - len(data) % 4] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data
            ).text
        except TextError:
            return ""

    def size(self, path: str) -> int:
        """Bytes as stored; 0 where that cannot be told."""
        try:
            held = self._held.get(path)
            return Path(path).stat().st_size if held is None else len(held)
        except (OSError, ValueError):
            return 0


def _first(file: BinaryIO | gzip.GzipFile, most: int) -> bytes:
    """The first ``most`` bytes; asked for a block at a time, since room is made for all that is asked for."""
    blocks, wanted = [], _BLOCK
    while most > 0:
        block = file.read(min(wanted, most))
        blocks.append(block)
        if len(block) < wanted:
            break
        most -= wanted
        wanted *= 2
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)
