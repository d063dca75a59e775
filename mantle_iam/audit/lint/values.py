"""Rules about condition values that no request has: prose for an enumeration, a prefixed model id, a wildcard taken literally.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html (values of ``BearerTokenType``),
https://docs.aws.amazon.com/bedrock/latest/userguide/data-retention.html (modes),
https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-managed-agents-openai-security.html (``Model`` by exact id)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import MANTLE, DocumentRule, Hit, Rule, one_line, some
from mantle_iam.audit.lint.view import ConditionView, StatementView, View
from mantle_iam.iam.matching import glob
from mantle_iam.mantle.models import SEEN, family_of, read_model_id
from mantle_iam.mantle.overlay import BEARER_TYPE_KEY, MODEL_KEY, SERVICE
from mantle_iam.mantle.sources import AGENTS_SECURITY, API_KEY_PERMISSIONS, DATA_RETENTION, SAMPLES

_LONGEST: Final = 512


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a key, and how sure it is that there are no others."""

    values: tuple[str, ...]
    confidence: Certainty
    reference: str


_KNOWN: Final = {
    BEARER_TYPE_KEY.lower(): _Values(("LONG_TERM", "SHORT_TERM"), Certainty.HIGH, API_KEY_PERMISSIONS),
    "bedrock:bearertokentype": _Values(("LONG_TERM", "SHORT_TERM"), Certainty.HIGH, API_KEY_PERMISSIONS),
    f"{SERVICE}:dataretentionmode": _Values(
        ("aws_review", "default", "inherit", "none", "provider_data_share"), Certainty.MEDIUM, DATA_RETENTION
    ),
    # That the key sees the words of the request's `service_tier` is an inference.
    f"{SERVICE}:servicetier": _Values(("auto", "default", "flex", "priority", "reserved"), Certainty.LOW, SAMPLES),
}

IMPOSSIBLE: Final = Rule(
    id="impossible-condition-value",
    title="A condition value that no request has",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Compares the values of `BearerTokenType` (`SHORT_TERM`, `LONG_TERM`), `bedrock-mantle:DataRetentionMode` and"
    " `bedrock-mantle:ServiceTier` with those that there are, case included, and looks for operators that cannot "
    "compare text.",
    why="A value in prose (`Long-term`) or in lower case never equals the real one: a Deny of long-term keys then "
    "lets all of them through. New retention modes and tiers may come, so that the confidence is lower there, and"
    " lowest for tiers: which strings the key sees is not documented.",
    bad='"Effect": "Deny", "Condition": {"StringEquals": {"bedrock-mantle:BearerTokenType": "Long-term"}}',
    instead='"Condition": {"StringEquals": {"bedrock-mantle:BearerTokenType": "LONG_TERM"}}',
    reference=API_KEY_PERMISSIONS,
)


def impossible(view: View) -> Iterator[Hit]:
    """Values outside of an enumeration, and operators for other types."""
    for statement, condition in _conditions(view):
        known = _KNOWN.get(condition.key)
        if known is None and condition.key != MODEL_KEY.lower():
            continue
        if condition.operator not in ("", "Null") and not condition.operator.startswith("String"):
            yield Hit(
                f"`{condition.operator}` cannot compare `{one_line(condition.condition.key)}`, which is text",
                condition.pointer,
                statement.index,
                "use `StringEquals` or `StringLike`",
                confidence=Certainty.MEDIUM if condition.operator.startswith("Arn") else None,
            )
            continue
        for value in condition.condition.values if known and condition.operator.startswith("String") else ():
            if known is not None and not _possible(value, condition, known.values):
                yield _not_a_value(statement, condition, value, known)


def _not_a_value(statement: StatementView, condition: ConditionView, value: str, known: _Values) -> Hit:
    folded = value.strip().upper().replace("-", "_").replace(" ", "_")
    meant = next((each for each in known.values if each.upper() == folded), None)
    sure = known.confidence is Certainty.HIGH
    return Hit(
        f"`{one_line(value)}` is no value of `{one_line(condition.condition.key)}`"
        + (f"; it reads `{meant}`" if meant else f": {some(known.values, 9)}")
        + _effect(statement, condition),
        condition.pointer,
        statement.index,
        f"write `{meant}`" if meant else "use one of these values, in this spelling",
        severity=None if sure or meant else Severity.WARNING,
        confidence=None if sure else Certainty.MEDIUM if meant else known.confidence,
    )


def _effect(statement: StatementView, condition: ConditionView) -> str:
    if len(condition.condition.values) > 1:
        return ""
    if condition.negated:
        return ", so that the condition always holds"
    return ", so that the statement never applies" + ("" if statement.allow else " and refuses nothing")


def _possible(value: str, condition: ConditionView, known: tuple[str, ...]) -> bool:
    if "${" in value or len(value) > _LONGEST:
        return "${" in value
    if "IgnoreCase" in condition.operator:
        return value.lower() in {each.lower() for each in known}
    if "Like" in condition.operator:
        matches = glob(value).matches
        return any(matches(each) for each in known)
    return value in known


MODEL_ID: Final = Rule(
    id="model-id-with-prefix",
    title="A model id that Mantle does not use",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds values of `bedrock-mantle:Model` that are ARNs, ids of inference profiles (`us.…`, `global.…`), ids of "
    "bedrock-runtime with a version (`…-v1:0`), a client's own form (`bedrock/…`), without their vendor, with white "
    "space, or in another case.",
    why="The key holds the id exactly as the request sends it, and Mantle takes bare ids only. Any other text never "
    "matches, and the refusal reads like a missing permission: it names neither the model nor the condition.",
    bad='"StringEquals": {"bedrock-mantle:Model": "us.anthropic.claude-sonnet-5"}',
    instead='"StringEquals": {"bedrock-mantle:Model": "anthropic.claude-sonnet-5"}',
    reference=AGENTS_SECURITY,
)


def model_id(view: View) -> Iterator[Hit]:
    """Values of the Model key that cannot be a model's id on Mantle."""
    for statement, condition in _conditions(view):
        if condition.key != MODEL_KEY.lower() or not condition.operator.startswith("String"):
            continue
        for value in condition.condition.values:
            if "${" in value or len(value) > _LONGEST:
                continue
            like = "Like" in condition.operator
            hit = _prefixed(value, like=like) or _without_vendor(value)
            if hit is None and "IgnoreCase" not in condition.operator:
                hit = _wrong_case(value)
            if hit is not None:
                said, bare, confidence = hit
                yield Hit(
                    f"`{one_line(value)}` is no model id on Mantle: {said}{_effect(statement, condition)}",
                    condition.pointer,
                    statement.index,
                    f"write `{one_line(bare)}`",
                    confidence=confidence,
                )


def _prefixed(value: str, *, like: bool) -> tuple[str, str, Certainty | None] | None:
    if value[:1] in ("*", "?"):
        return None
    if value != value.strip():
        return "the white space is part of the value", value.strip(), None
    read = read_model_id(value)
    if not read.removed or (
        like and not (value.startswith("arn:") or family_of(read.bare.rstrip("*?")) or "." in read.bare)
    ):
        return None
    return read.removed[0], read.bare, None


def _without_vendor(value: str) -> tuple[str, str, Certainty | None] | None:
    """`gpt-oss-120b` for `openai.gpt-oss-120b`; every id that was ever seen begins with its vendor."""
    pattern = value.lower()
    if value[:1] in ("*", "?") or family_of(pattern) is not None:
        return None
    matches = glob(pattern).matches
    if any(matches(each) for each in SEEN):
        return None
    vendors = {vendor for vendor, _, name in (each.partition(".") for each in SEEN) if matches(name)}
    if len(vendors) != 1:
        return None
    return "ids begin with the vendor", f"{vendors.pop()}.{pattern}", Certainty.MEDIUM


def _wrong_case(value: str) -> tuple[str, str, Certainty | None] | None:
    lower = value.lower()
    if lower == value or family_of(lower) is None:
        return None
    # Every id that was ever seen is in lower case; that none will come otherwise is an inference.
    return "the key minds the case", lower, None if lower in SEEN else Certainty.MEDIUM


LITERAL: Final = Rule(
    id="wildcard-taken-literally",
    title="A wildcard under an operator that takes it literally",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds `*` and `?` in values of Mantle's condition keys under `StringEquals`, `StringNotEquals` and their "
    "forms.",
    why="Only `StringLike` and `StringNotLike` know wildcards. Under `StringEquals` the value is compared as it "
    "stands, and no model or mode has an asterisk in its name.",
    bad='"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-*"}',
    instead='"StringLike": {"bedrock-mantle:Model": "openai.gpt-oss-*"}',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
    "#Conditions_String",
)


def literal_wildcard(view: View) -> Iterator[Hit]:
    """Wildcards in values that are compared literally."""
    for statement, condition in _conditions(view):
        if not condition.key.startswith(SERVICE + ":") or not condition.operator.startswith("String"):
            continue
        if "Like" in condition.operator:
            continue
        for value in condition.condition.values:
            if ("*" in value or "?" in value) and "${" not in value and len(value) <= _LONGEST:
                wanted = condition.condition.operator.replace("NotEquals", "NotLike").replace("Equals", "Like")
                yield Hit(
                    f"`{condition.operator}` takes the wildcard in `{one_line(value)}` literally{_effect(statement, condition)}",
                    condition.pointer,
                    statement.index,
                    f"use `{one_line(wanted.replace('IgnoreCase', ''))}`",
                )


def _conditions(view: View) -> Iterator[tuple[StatementView, ConditionView]]:
    for statement in view.known:
        for condition in statement.conditions:
            yield statement, condition


RULES: Final = (
    DocumentRule(IMPOSSIBLE, impossible),
    DocumentRule(MODEL_ID, model_id),
    DocumentRule(LITERAL, literal_wildcard),
)
