"""A secret in memory: it can be used, and cannot be printed, compared into a message, pickled or kept in a record by mistake.

Knows nothing of what the secret is for.
"""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Text that only :meth:`reveal` gives away.  ``str``, ``repr`` and ``format`` show ``****``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself.  Call it where the bytes are sent or signed, nowhere else."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a table

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def scrub(text: str, secrets: tuple[Secret, ...]) -> str:
    """``text`` without the very values of ``secrets``.

    Redaction by shape (``mantle.redaction``) cannot know a key of an unknown shape; what was really sent is known here.
    Values shorter than eight characters are left alone: they would match by chance.
    """
    for secret in secrets:
        value = secret.reveal()
        if len(value) >= 8 and value in text:
            text = text.replace(value, "****")
    return text
