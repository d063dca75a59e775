"""The exceptions of mantle-iam.  Refusals are diagnoses, not exceptions: these are for misuse and for a world that fails.

::

    MantleIamError            exit_code
    ├── InputError            2   what the caller gave cannot be used
    │   ├── ArnError              not an ARN
    │   └── PolicyError           not a policy document; has a JSON pointer
    ├── RefusedError          1   a change was asked for, and the service refused it
    └── UndeterminedError     3   the question could not be answered: network, throttling, a layer that may not be read

A message is one sentence in lower case without a full stop, with input in backticks; advice goes into ``help``.
No message ever holds a secret.
"""

from __future__ import annotations

from typing import ClassVar


class MantleIamError(Exception):
    """The root.  ``help`` says what to do about it, ``exit_code`` how the command ends."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the CLI world's word
        super().__init__(message)
        self.message = message
        self.help = help


class InputError(MantleIamError):
    """What the caller gave cannot be used."""

    exit_code = 2


class ArnError(InputError):
    """The text is not an Amazon Resource Name."""


class PolicyError(InputError):
    """The text is not a policy document.

    ``pointer`` is the JSON pointer (RFC 6901) of the element at fault; empty for the document itself.
    """

    def __init__(self, message: str, *, pointer: str = "", help: str | None = None) -> None:  # noqa: A002
        super().__init__(f"{message} (at `{pointer}`)" if pointer else message, help=help)
        self.pointer = pointer


class RefusedError(MantleIamError):
    """A change was asked for, and the service refused it."""

    exit_code = 1


class UndeterminedError(MantleIamError):
    """The question could not be answered."""
