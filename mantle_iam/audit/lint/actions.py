"""Rules about names of actions, and about what is granted that should not be.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html; names that
people write by mistake are in ``mantle/overlay.py`` with where they were seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import EVERY, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import Pattern, StatementView, View, every_name
from mantle_iam.iam.inventory import Purpose
from mantle_iam.mantle import catalog
from mantle_iam.mantle.overlay import MISTAKEN_ACTIONS, MISTAKEN_SERVICES, SERVICE
from mantle_iam.mantle.sources import SERVICE_AUTHORIZATION

_LONGEST: Final = 512
_CHECKED: Final = (SERVICE, "bedrock", "bedrock-websearch")
"""Services whose actions are looked up: those that a policy for Mantle is about."""
_MISTAKEN: Final = {mistake.written.lower() for mistake in MISTAKEN_ACTIONS}

UNKNOWN_ACTION: Final = Rule(
    id="unknown-action",
    title="An action that does not exist",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=EVERY,
    what="Looks up every action of `bedrock-mantle`, `bedrock` and `bedrock-websearch`, and prefixes that stand for "
    "none of them by mistake, in the Service Authorization Reference and in the documentation of what is in "
    "preview. A pattern with wildcards has to cover at least one action.",
    why="IAM stores a policy with an action that does not exist and says nothing. An Allow of it grants nothing, a "
    "Deny of it refuses nothing. AWS's own examples for projects have such a name (`ListTagsForResources`, in the"
    " plural), and it is widely copied. The lookup is in data of a day: where no like name is known, the action "
    "may be newer, and the finding is a warning.",
    bad='"Action": ["bedrock-mantle:ListTagsForResources", "bedrock-mantle:InvokeModel"]',
    instead='"Action": ["bedrock-mantle:ListTagsForResource", "bedrock-mantle:CreateInference"]',
    reference=SERVICE_AUTHORIZATION,
)


def unknown_action(view: View) -> Iterator[Hit]:
    """Entries of Action and NotAction that name no action."""
    for statement in view.statements:
        for pattern in statement.patterns:
            if len(pattern.text) <= _LONGEST and (hit := _unknown(statement, pattern)) is not None:
                yield hit


def _unknown(statement: StatementView, pattern: Pattern) -> Hit | None:
    text = pattern.text.strip()
    service, colon, name = text.lower().partition(":")
    if not (colon and name) or "${" in text or "*" in service or "?" in service:
        return None
    if service in _CHECKED:
        names = pattern.names or (() if pattern.exact else catalog.expand(text))
        known = bool(names) or (pattern.exact and catalog.known_action(text) is not None)
        if known:
            return None
    elif service not in MISTAKEN_SERVICES and not _like_ours(service):
        return None
    near = _near(text, exact=pattern.exact)
    certain = near is not None or text.lower() in _MISTAKEN or service not in _CHECKED
    what = "covers no action" if not pattern.exact else "is no action"
    if service not in _CHECKED:
        what = f"names the service `{one_line(service)}`, which IAM does not have"
    meant = f"; `{near}` is" if near and what == "is no action" else f"; `{near}` may be meant" if near else ""
    # By `NotAction` all others are granted or refused, and what was to be spared with them.
    effect = "excepts" if statement.statement.not_actions else "grants" if statement.allow else "refuses"
    return Hit(
        f"`{one_line(text)}` {what}, so that it {effect} nothing{meant}",
        pattern.pointer,
        statement.index,
        f"write `{near}`"
        if near
        else f"look the action up in the reference (data of {catalog.catalog_date()}), and take it out if it is not there",
        severity=None if certain or not pattern.exact else Severity.WARNING,
        confidence=None if certain else Certainty.MEDIUM,
    )


def _near(text: str, *, exact: bool) -> str | None:
    """The action that was meant."""
    if not exact:
        stem = text.replace("*", "").replace("?", "")
        return catalog.nearest_action(stem) if stem.lower() in _MISTAKEN else None
    service, _, name = text.lower().partition(":")
    # The endpoints of `bedrock-runtime`, `bedrock-agent` and the like share one prefix in IAM.
    if (
        service.startswith("bedrock-")
        and service not in _CHECKED
        and (known := catalog.known_action(f"bedrock:{name}"))
    ):
        return known.name
    return catalog.nearest_action(text)


def _like_ours(service: str) -> bool:
    """Whether a prefix that no service has is likely a misspelling of one of ours."""
    if not ("mantle" in service or "bedrock" in service):
        return False
    return not catalog.has_service(service)


FULL_ACCESS: Final = Rule(
    id="full-access",
    title="Every action of Mantle on every resource",
    severity=Severity.INFO,
    confidence=Certainty.HIGH,
    purposes=(Purpose.IDENTITY,),
    what="Tells of an Allow of `bedrock-mantle:*` on `*` without a condition.",
    why="It includes what costs money whether used or not (`CreateReservation`, `CreateFineTuningJob`), what changes "
    "the whole account (`PutAccountDataRetention`), what destroys (`DeleteFile`, `DeleteCustomizedModel`), and "
    "whatever AWS adds: the service had 7 actions in December 2025 and 38 in October 2026.",
    bad='"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"',
    instead='"Effect": "Allow", "Action": ["bedrock-mantle:CreateInference", "bedrock-mantle:ListModels"], '
    '"Resource": "arn:aws:bedrock-mantle:*:*:project/*"',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
    own=True,
)


def full_access(view: View) -> Iterator[Hit]:
    """Allows of the whole service."""
    for statement in view.known:
        if not statement.allow or statement.conditions or not statement.any_resource:
            continue
        for pattern in statement.patterns if statement.statement.actions else ():
            if pattern.ours and len(pattern.names) == len(every_name()):
                yield Hit(
                    f"`{one_line(pattern.text)}` on `*` allows all {len(pattern.names)} actions, and those to come",
                    pattern.pointer,
                    statement.index,
                    "name the actions that are used; `mantle-iam generate --for PURPOSE` writes them",
                )


RULES: Final = (DocumentRule(UNKNOWN_ACTION, unknown_action), DocumentRule(FULL_ACCESS, full_access))
