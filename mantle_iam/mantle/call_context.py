"""What is known of the request context of a direct call to the service before anybody looks at the call.

Keys in lower case.  Decides nothing: an evaluation that reproduces a refusal and one that proves a fix start from the same facts.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html; for the type of a key
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.iam.request import PolicySet
from mantle_iam.mantle.operations import AuthMethod

SETTLED: Final[dict[str, str | None]] = {
    "aws:securetransport": "true",
    "aws:viaawsservice": "false",
    "aws:calledvia": None,
    "aws:calledviafirst": None,
    "aws:calledvialast": None,
}
"""Keys whose value is known of a direct call over TLS; ``None``: absent."""

DERIVED: Final = frozenset(
    (
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:principalservicename",
        "aws:username",
        "aws:resourceaccount",
    )
)
"""Keys that the evaluation derives from principal, resource and account."""

TOKEN_TYPES: Final = {AuthMethod.SHORT_TERM_KEY: "SHORT_TERM", AuthMethod.LONG_TERM_KEY: "LONG_TERM"}
"""Values of ``bedrock-mantle:BearerTokenType``."""


def asked_keys(policies: PolicySet) -> Iterator[str]:
    """The context keys that conditions of ``policies`` ask for, as written, with repetitions."""
    for _, documents in policies.layers():
        for document in documents:
            for statement in document.statements:
                for condition in statement.conditions:
                    yield condition.key
