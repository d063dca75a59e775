"""What a document is for, where nobody said it: by its elements, then by the name it has.

A guess, to be told as one.  A policy without `Principal` may be an identity policy, a boundary or an SCP: its text does not say.
"""

from __future__ import annotations

from typing import Final

from mantle_iam.iam.inventory import Purpose
from mantle_iam.iam.policy import Effect, PolicyDocument, Statement

_WORDS: Final = {
    "scp": Purpose.SCP,
    "scps": Purpose.SCP,
    "boundary": Purpose.BOUNDARY,
    "boundaries": Purpose.BOUNDARY,
}
_LONG: Final = (
    ("service-control", Purpose.SCP),
    ("service_control", Purpose.SCP),
    ("permissions-boundary", Purpose.BOUNDARY),
)


def guess_purpose(document: PolicyDocument, path: str = "") -> tuple[Purpose, str]:
    """The purpose and what it was told by, as part of a sentence."""
    named = [each for each in document.statements if each.principals or each.not_principals]
    if named:
        return _with_principal(document, named)
    folded = path.lower().replace("\\", "/")
    for part, purpose in _LONG:
        if part in folded:
            return purpose, "by its name"
    words = folded.replace(".", "/").replace("-", "/").replace("_", "/").split("/")
    found = next((_WORDS[word] for word in words if word in _WORDS), None)
    if found is not None:
        return found, "by its name"
    return Purpose.IDENTITY, "no statement has a `Principal`"


def _with_principal(document: PolicyDocument, named: list[Statement]) -> tuple[Purpose, str]:
    if all(_assumes(each) for each in named):
        return Purpose.TRUST, "its statements are about assuming a role"
    everybody = all(each.principals is not None and each.principals.by_type == (("AWS", ("*",)),) for each in named)
    # A bucket's policy that only denies is as common, and names its bucket.
    everything = all(each.resources == ("*",) and each.effect is Effect.DENY for each in document.statements)
    if everybody and everything:
        return Purpose.RCP, "every statement denies everybody on `*`"
    services = {pattern.partition(":")[0].lower() for each in named for pattern in (*each.actions, *each.not_actions)}
    if services <= {"bedrock-mantle", "bedrock", "bedrock-runtime", "*"}:
        return Purpose.VPC_ENDPOINT, "its statements have a `Principal`, and the service has no resource policies"
    return Purpose.RESOURCE, "its statements have a `Principal`"


def _assumes(statement: Statement) -> bool:
    return bool(statement.actions) and all(action.lower().startswith("sts:") for action in statement.actions)
