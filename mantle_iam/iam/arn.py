"""Amazon Resource Names: six fields between colons, the last of which may hold anything.

Knows no service.  Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.errors import ArnError


@dataclass(frozen=True, slots=True)
class Arn:
    """``arn:partition:service:region:account:resource``.  ``region`` and ``account`` may be empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Read an ARN.

        Raises:
            ArnError: there are fewer than six fields, or the first is not ``arn``.
        """
        fields = text.strip().split(":", 5)
        if len(fields) < 6 or fields[0] != "arn":
            raise ArnError(f"`{text}` is not an ARN", help="an ARN reads arn:partition:service:region:account:resource")
        return cls(*fields[1:])

    @classmethod
    def try_parse(cls, text: str) -> Arn | None:
        """Read an ARN, or answer ``None``."""
        try:
            return cls.parse(text)
        except ArnError:
            return None

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"
