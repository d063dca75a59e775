"""AccessDenied sentences: reader and writer of one format.

The sentence is AWS's own, the same for every service
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mantle_iam.iam.request import PolicyType


@dataclass(frozen=True, slots=True)
class Denial:
    """What one AccessDenied sentence says; ``None`` where it does not say."""

    principal: str | None
    """ARN (or what stood in its place) of the caller."""
    action: str | None
    """``service:Name``."""
    resource: str | None
    effect: Literal["implicit", "explicit"] | None
    policy_type: PolicyType | None
    policy: str | None = None
    """ARN or name of the policy that denies, where the sentence names it."""
    authorization_id: str | None = None
    """Id for ``GetRequestAuthorizationDetails``, where the sentence carries one."""
    encoded_message: str | None = None
    text: str = ""
    """The sentence as read, in one line, without the details suffix."""


def find_denials(text: str) -> tuple[Denial, ...]:
    """Every AccessDenied sentence in ``text``, in order, without repetition."""
    raise NotImplementedError(text)


def write_denial(denial: Denial) -> str:
    """The sentence as AWS writes it."""
    raise NotImplementedError(denial)
