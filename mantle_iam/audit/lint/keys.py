"""Rules about users and their long-term keys.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html, .../api-keys-permissions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.companions import NO_BEARER, principal_without_bearer
from mantle_iam.audit.lint.rule import Hit, PrincipalRule, Rule, one_line
from mantle_iam.iam.inventory import Principal
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Effect, Statement

_GENERATE: Final = "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html"

ENDLESS: Final = Rule(
    id="long-term-key-without-expiry",
    title="A long-term key that never expires",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(),
    what="Finds active Bedrock API keys (service-specific credentials) without an expiration date.",
    why="Such a key works until somebody deletes it, from anywhere and in every region. AWS recommends long-term keys"
    " for exploration only, and short-term ones for all else.",
    bad="a key that was created without an age",
    instead="`aws iam create-service-specific-credential --service-name bedrock.amazonaws.com --credential-age-days 30 "
    "…`, or short-term keys",
    reference=_GENERATE,
)


def endless(principal: Principal) -> Iterator[Hit]:
    """Active keys without an expiry."""
    for key in principal.keys or ():
        if key.active and key.expiry_known and key.expires is None:
            yield Hit(
                f"the long-term key `{one_line(key.id)}` of `{one_line(key.user)}` is active and never expires",
                remedy="make a key with `--credential-age-days`, or use short-term keys, and delete this one",
            )


ADMIN: Final = Rule(
    id="long-term-key-of-administrator",
    title="A long-term key of a user with administrator rights",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=(),
    what="Finds users with an active Bedrock API key whose policies allow `*`, `iam:*` or everything but other things "
    "(`NotAction`) on `*` without a condition. Where the user has a permissions boundary, the confidence is medium.",
    why="A key can do on Bedrock what its user may: here everything, with spending and the account's retention "
    "settings included. The console makes a user of its own with AmazonBedrockLimitedAccess for a key.",
    bad="a key for a user with AdministratorAccess",
    instead="a user for the key alone, with the policy that `mantle-iam generate --auth long-term-key` writes",
    reference=_GENERATE,
)
_ADMIN: Final = ("*", "*:*", "iam:*")
_ATTACH: Final = "iam:attachuserpolicy"


def administrator(principal: Principal) -> Iterator[Hit]:
    """Keys of users who may do everything."""
    keys = [key for key in principal.keys or () if key.active]
    if not keys:
        return
    for policy in principal.identity:
        index = next((at for at, each in enumerate(policy.document.statements) if _is_admin(each)), None)
        if index is not None:
            yield Hit(
                f"the user has {len(keys)} active long-term {'keys' if len(keys) > 1 else 'key'} and administrator rights "
                f"by `{one_line(policy.name)}`",
                remedy="give the key a user of its own with only what the application needs",
                confidence=Certainty.MEDIUM if principal.boundary or principal.unknown else None,
            )
            return


def _is_admin(statement: Statement) -> bool:
    return (
        statement.effect is Effect.ALLOW
        and not statement.conditions
        and "*" in statement.resources
        and (
            any(pattern.strip().lower() in _ADMIN for pattern in statement.actions)
            # Whoever may attach policies may attach every right to himself.
            or (
                bool(statement.not_actions)
                and not any(glob(each.lower()).matches(_ATTACH) for each in statement.not_actions)
            )
        )
    )


RULES: Final = (
    PrincipalRule(ENDLESS, endless),
    PrincipalRule(ADMIN, administrator),
    PrincipalRule(NO_BEARER, principal_without_bearer),
)
