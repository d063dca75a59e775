"""Rules about conditions: keys that a request does not carry, and values that no request has.

A key that is missing makes a positive operator false and a negated one true, in a Deny as well.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html (``BearerTokenType``)
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import EVERY, LIMITING, MANTLE, DocumentRule, Hit, Rule, one_line, some
from mantle_iam.audit.lint.view import ConditionView, StatementView, View, carries, names_service
from mantle_iam.iam.inventory import Purpose
from mantle_iam.mantle import catalog
from mantle_iam.mantle.overlay import RUNTIME_BEARER_ACTION, SERVICE
from mantle_iam.mantle.sources import SERVICE_AUTHORIZATION, Source

_OPERATORS: Final = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"
)
_TAG: Final = ("aws:resourcetag/", "aws:requesttag/", "aws:tagkeys")

NOT_CARRIED: Final = Rule(
    id="condition-key-not-carried",
    title="A condition on a key that the action does not carry",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds conditions that need a key (`bedrock-mantle:Model`, `bedrock-mantle:BearerTokenType`, tags …) on "
    "actions whose requests never carry it. Where a wildcard of an Allow covers such actions among others, it is "
    "a warning; a Deny is looked at only where the action is named.",
    why="`StringEquals` on a missing key is false, so that the statement never applies: `GetInference` with a "
    "condition on the model is never allowed, and the refusal does not name the condition. Each "
    "`CallWithBearerToken` has a key of its own: a Deny of `bedrock:CallWithBearerToken` under "
    "`bedrock-mantle:BearerTokenType` refuses nothing.",
    bad='"Action": ["bedrock-mantle:CreateInference", "bedrock-mantle:GetInference"], '
    '"Condition": {"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}',
    instead='`"Action": "bedrock-mantle:CreateInference"` with the condition, and `GetInference` in a statement without '
    "it",
    reference=SERVICE_AUTHORIZATION,
)


def not_carried(view: View) -> Iterator[Hit]:
    """Conditions that can never hold for some of their statement's actions."""
    for statement in view.known:
        if not statement.statement.actions:
            continue
        for condition in statement.conditions:
            if condition.needs_key and (hit := _dead_condition(view, statement, condition)) is not None:
                yield hit


def _dead_condition(view: View, statement: StatementView, condition: ConditionView) -> Hit | None:
    exact: list[str] = []
    covered: list[str] = []
    for pattern in statement.patterns:
        names = pattern.names
        if pattern.exact and pattern.text.strip().lower() == RUNTIME_BEARER_ACTION.lower():
            names = (RUNTIME_BEARER_ACTION,)
        elif not names_service(pattern.text):
            continue
        never = [name for name in names if carries(name, condition.key) is False]
        (exact if pattern.exact or len(never) == len(names) else covered).extend(never)
    if statement.allow:
        exact = [name for name in exact if not view.allows(name, but=statement)]
        covered = [name for name in covered if not view.allows(name, but=statement)]
    else:
        covered = []
    dead = exact or covered
    if not dead:
        return None
    effect = "allowed" if statement.allow else "refused"
    severity = None if exact else Severity.INFO if condition.key.startswith(_TAG) else Severity.WARNING
    return Hit(
        f"{some(dead)} {'are' if len(dead) > 1 else 'is'} never {effect} by this statement: "
        f"no such request carries `{one_line(condition.condition.key)}`",
        condition.pointer,
        statement.index,
        _own_key(dead) or "give these actions a statement without the condition, or use the operator with `IfExists`",
        severity=severity,
    )


def _own_key(names: list[str]) -> str:
    twins = {name.partition(":")[0] for name in names if name.endswith(":CallWithBearerToken")}
    if len(twins) != 1 or len(names) != 1:
        return ""
    return f"use its own key, `{twins.pop()}:BearerTokenType`, in a statement of its own"


NEGATED: Final = Rule(
    id="negated-condition-missing-key",
    title="A negated condition that a missing key satisfies, in a Deny",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=LIMITING,
    what="Finds a Deny with a condition that holds without its key (`StringNotEquals`, `StringNotLike`, the `...IfExists` and "
    "`ForAllValues:` forms) on a key that some of its actions never carry.",
    why="A negated operator is true for a missing key, so that the Deny hits every request for such an action. A control policy "
    "that denies `bedrock-mantle:*` unless the model is approved refuses `ListModels` and every call with a key as well.",
    bad='"Effect": "Deny", "Action": "bedrock-mantle:*", '
    '"Condition": {"StringNotEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}',
    instead='"Action": ["bedrock-mantle:CountTokens", "bedrock-mantle:CreateFineTuningJob", '
    '"bedrock-mantle:CreateInference"]',
    reference=_OPERATORS,
)


def negated(view: View) -> Iterator[Hit]:
    """Denies that hit every request for an action because the key is missing."""
    for statement in view.known:
        if statement.allow:
            continue
        for condition in statement.conditions:
            if condition.needs_key or condition.operator in ("", "Null"):
                continue
            hit = _always(statement, condition)
            if hit is not None:
                yield hit


def _always(statement: StatementView, condition: ConditionView) -> Hit | None:
    names = sorted(statement.names)
    if statement.covers(RUNTIME_BEARER_ACTION):
        names.append(RUNTIME_BEARER_ACTION)
    lost = [
        name
        for name in names
        if carries(name, condition.key) is False
        and (name == RUNTIME_BEARER_ACTION or statement.reaches(name))
        # Another condition of the statement may be one that never holds for the action; then nothing is denied.
        and not any(other.needs_key and carries(name, other.key) is False for other in statement.conditions)
    ]
    if not lost or (condition.key.startswith(_TAG) and not statement.speaks_of_mantle):
        return None
    # A statement for all services under a tag is about other services, too; only what names Mantle is surely meant so.
    keyed = [name for name in names if carries(name, condition.key)]
    fix = f"deny only the actions that carry it: {some(keyed, 5)}" if keyed else "take the condition out, or the action"
    bearer = next((name for name in lost if name.endswith(":CallWithBearerToken")), None)
    first = sorted(lost, key=lambda name: name != bearer)
    return Hit(
        f"{some(first)} {'are' if len(lost) > 1 else 'is'} refused whatever the request: "
        f"without `{one_line(condition.condition.key)}` in it `{condition.operator}` holds",
        condition.pointer,
        statement.index,
        fix,
    )


UNKNOWN_KEY: Final = Rule(
    id="unknown-condition-key",
    title="A condition key that does not exist",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=EVERY,
    what="Looks up every condition key that begins with `bedrock-mantle:` in the Service Authorization Reference.",
    why="IAM stores a condition on a key that no service sends. A positive operator then never holds, a negated one "
    "always does.",
    bad='"StringEquals": {"bedrock-mantle:ModelId": "openai.gpt-oss-120b"}',
    instead='"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}',
    reference=SERVICE_AUTHORIZATION,
)


def unknown_key(view: View) -> Iterator[Hit]:
    """Condition keys of the service that it does not have."""
    known = {key.name.lower(): key.name for key in catalog.service_condition_keys() if key.name.startswith(SERVICE)}
    for statement in view.statements:
        for condition in statement.conditions:
            if not condition.key.startswith(SERVICE + ":") or condition.key in known:
                continue
            close = get_close_matches(condition.key[:100], list(known), n=1, cutoff=0.8)
            holds = "always" if condition.negated or not condition.needs_key else "never"
            yield Hit(
                f"`{one_line(condition.condition.key)}` is no condition key, so that `{condition.operator}` {holds} holds",
                condition.pointer,
                statement.index,
                f"write `{known[close[0]]}`" if close else f"the keys are {some(sorted(known.values()), 9)}",
                severity=None if close else Severity.WARNING,
                confidence=None if close else Certainty.MEDIUM,
            )


REGION: Final = Rule(
    id="requested-region",
    title="`aws:RequestedRegion` on calls to Mantle",
    severity=Severity.WARNING,
    confidence=Certainty.LOW,
    purposes=(Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.SCP, Purpose.VPC_ENDPOINT),
    what="Finds conditions on `aws:RequestedRegion` in statements for Mantle. Where the statement is for all services "
    "(`*`, `NotAction`) it is only mentioned.",
    why="Reports conflict. Two say that Mantle does not send the key, so that an Allow under it never applies and a "
    "Deny of other regions refuses every call; others use it with signed calls. The region is in the resource's "
    "ARN, which is certain.",
    bad='"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}',
    instead='"Resource": "arn:aws:bedrock-mantle:us-east-1:*:project/*"',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion",
    source=Source.OBS,
)


def requested_region(view: View) -> Iterator[Hit]:
    """Conditions on the disputed key."""
    for statement in view.statements:
        if not statement.names:
            continue
        for condition in statement.conditions:
            if condition.key != "aws:requestedregion":
                continue
            if statement.allow and not condition.needs_key:
                continue
            named = statement.speaks_of_mantle
            yield Hit(
                "it is disputed whether calls to Mantle carry `aws:RequestedRegion`; if not, this statement "
                + ("never applies to them" if condition.needs_key else "refuses all of them"),
                condition.pointer,
                statement.index,
                "name the region in the resource's ARN instead"
                if named
                else "exempt `bedrock-mantle:*` here and deny it by the ARN's region (policies/scp/only-approved-regions.json)",
                severity=None if named else Severity.INFO,
            )


RULES: Final = (
    DocumentRule(NOT_CARRIED, not_carried),
    DocumentRule(NEGATED, negated),
    DocumentRule(UNKNOWN_KEY, unknown_key),
    DocumentRule(REGION, requested_region),
)
