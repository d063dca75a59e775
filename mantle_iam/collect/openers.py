"""Bytes of files: bounded, unpacked if they are gzip's, or taken from standard input that the caller has read.

Knows no format.  Source: https://www.rfc-editor.org/rfc/rfc1952 (gzip).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from mantle_iam.collect.places import TextError, decode_text

LARGEST = 1 << 30
"""Bytes of one file, unpacked.  A dump of 100,000 principals has about 320 MB."""
STDIN = "-"
_GZIP = b"\x1f\x8b"


class Opener:
    """Reads files, and standard input (``-``) as often as is asked."""

    def __init__(self, stdin: bytes = b"", largest: int = LARGEST) -> None:
        self._stdin = stdin
        self._largest = largest

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
        if path == STDIN:
            data = self._stdin
            packed = data.startswith(_GZIP)
            data = gzip.decompress(data) if packed and len(data) < 1 << 26 else data
        else:
            with Path(path).open("rb") as file:
                packed = file.read(2) == _GZIP
                file.seek(0)
                if packed:
                    with gzip.GzipFile(fileobj=file) as unpacked:
                        data = unpacked.read(limit + 1)
                else:
                    data = file.read(limit + 1)
        if len(data) > limit:
            if most is None:
                raise TextError(f"more than {limit:,} bytes")
            return data[:limit]
        return data

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
            return len(self._stdin) if path == STDIN else Path(path).stat().st_size
        except (OSError, ValueError):
            return 0
