"""Secrets out of text: what a printed line, a record or an exception may still hold.

Works on shapes (bearer keys, presigned queries, secret access keys after their names, session tokens), never on known values.
"""

from __future__ import annotations


def redact(text: str) -> str:
    """``text`` with every secret replaced by its harmless beginning and ``…``; idempotent."""
    raise NotImplementedError(text)
