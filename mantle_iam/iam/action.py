"""Actions: a service prefix and a name, neither of which minds its case.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
"""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.errors import InputError


@dataclass(frozen=True, slots=True)
class Action:
    """``service:Name``, written as given; ``folded`` is what AWS compares."""

    service: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Action:
        """Read ``service:Name``.

        Raises:
            InputError: there is no colon, or nothing before or after it.
        """
        service, colon, name = text.strip().partition(":")
        if not (colon and service and name):
            raise InputError(
                f"`{text}` is not an action", help="an action reads service:Name, as in bedrock-mantle:ListModels"
            )
        return cls(service, name)

    @property
    def folded(self) -> str:
        """The form in which two actions are the same action."""
        return f"{self.service}:{self.name}".lower()

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"
