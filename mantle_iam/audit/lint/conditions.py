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
from mantle_iam.audit.lint.view import (
    MODEL_SERVICE,
    ConditionView,
    StatementView,
    View,
    carries,
    resource_kinds,
    service_keys,
)
from mantle_iam.iam.conditions import FOR_ALL_VALUES
from mantle_iam.iam.inventory import Purpose
from mantle_iam.mantle.overlay import MODEL_KEY, RUNTIME_BEARER_ACTION, SERVICE
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
        elif not pattern.ours:
            continue
        never = [name for name in names if carries(name, condition.key) is False]
        if pattern.exact or len(never) == len(names):
            exact += never
        else:  # of what it does not reach `wildcard-reaches-less` speaks
            covered += [name for name in never if statement.reaches(name)]
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
        _own_key(dead, condition) or _without(dead, statement, condition, wide=not exact),
        severity=severity,
    )


def _own_key(names: list[str], condition: ConditionView) -> str:
    """What to write where each endpoint has a key of its own for the same thing."""
    service, _, key = condition.key.partition(":")
    twins = {name.partition(":")[0] for name in names if name.endswith(":CallWithBearerToken")}
    if key == "bearertokentype" and len(names) == len(twins) == 1:
        return f"use its own key, `{twins.pop()}:BearerTokenType`, in a statement of its own"
    if service != MODEL_SERVICE:
        return ""
    known = service_keys().get(f"{SERVICE}:{key}")
    own = known.name if known else MODEL_KEY if key.startswith("model") else None
    if own is not None and all(carries(name, own.lower()) for name in names):
        return f"the key of Mantle is `{own}`"
    return "take it out: guardrails do not apply on Mantle" if key.startswith("guardrail") else ""


def _without(names: list[str], statement: StatementView, condition: ConditionView, *, wide: bool) -> str:
    keyed = sorted(name for name in statement.names if carries(name, condition.key))
    if wide and keyed:  # with `IfExists` a wildcard would let through all the rest
        return (
            f"name what carries it ({some(keyed, 8)}), and allow the others that are needed in a statement without it"
        )
    if not statement.allow:
        return f"take {'them' if len(names) > 1 else 'it'} out, or deny without the condition in another statement"
    other = "give these actions a statement without the condition"
    optional = f"{condition.condition.operator}IfExists"
    return other if condition.operator == "Null" else f"{other}, or use `{one_line(optional)}`"


NEGATED: Final = Rule(
    id="negated-condition-missing-key",
    title="A negated condition that a missing key satisfies, in a Deny",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=LIMITING,
    what="Finds a Deny with a condition that holds without its key (`StringNotEquals`, `StringNotLike`, `Null`, the "
    "`...IfExists` and `ForAllValues:` forms) on a key that some of its actions never carry.",
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
            if condition.needs_key or not condition.operator:
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
    fix = f"deny only the actions that carry it: {some(keyed, 8)}" if keyed else "take the condition out, or the action"
    if keyed and not any(resource_kinds(name) for name in lost):
        fix = f"use `arn:aws:{SERVICE}:*:*:*` as `Resource`: these actions are asked for on `*` alone"
    fix = _own_key(lost, condition) or fix
    bearer = next((name for name in lost if name.endswith(":CallWithBearerToken")), None)
    first = sorted(lost, key=lambda name: name != bearer)
    return Hit(
        f"{some(first)} {'are' if len(lost) > 1 else 'is'} refused whatever the request: "
        f"without `{one_line(condition.condition.key)}` in it `{one_line(condition.condition.operator)}` holds",
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
    known = {name: key.name for name, key in service_keys().items() if name.startswith(SERVICE)}
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


SET_OPERATOR: Final = Rule(
    id="set-operator-mismatch",
    title="A set operator on a key of one value, or none on a key of many",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds conditions on keys of several values without `ForAllValues:` or `ForAnyValue:`: in statements for Mantle "
    "`aws:TagKeys` and `bedrock-mantle:Files`, in all `aws:CalledVia`, `aws:PrincipalOrgPaths` and their like. As a warning: "
    "an Allow for Mantle with `ForAllValues:` on a key of one value.",
    why="A key with several values matches no operator without a set operator, neither the plain one nor its negation. "
    "`ForAllValues:` is true where the key is missing, so that an Allow under it also lets through what does not carry the "
    "key. IAM Access Analyzer reports both.",
    bad='"StringEquals": {"aws:TagKeys": ["team", "stage"]}',
    instead='"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]}',
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html",
)


OF_MANY: Final = frozenset(
    f"aws:{name}"
    for name in ("calledvia", "principalorgpaths", "principalservicenameslist", "resourceorgpaths", "sourceorgpaths")
)
"""Global keys of several values, in a statement for whatever service."""


def set_operator(view: View) -> Iterator[Hit]:
    """Set operators where there is no set, and sets without one."""
    for statement in view.known:
        present = {each.key for each in statement.conditions if each.operator == "Null" and each.needs_key}
        for condition in statement.conditions:
            form, known = condition.form, service_keys().get(condition.key) if statement.speaks_of_mantle else None
            if form is None or form.operator is None:
                continue
            name, written = one_line(condition.condition.key), one_line(condition.condition.operator)
            several = condition.key in OF_MANY or (known is not None and known.multivalued)
            if several and form.qualifier is None:
                yield Hit(
                    f"`{name}` has several values, and no request that has it meets `{written}`",
                    condition.pointer,
                    statement.index,
                    f"write `ForAnyValue:{written}` (one of them) or `ForAllValues:{written}` (all of them)",
                )
            single = known is not None and not several and form.qualifier == FOR_ALL_VALUES
            if single and statement.allow and condition.key not in present:
                yield Hit(
                    f"`{name}` has one value, and `{written}` allows what does not carry it as well",
                    condition.pointer,
                    statement.index,
                    _plain(statement, condition, written.partition(":")[2]),
                    severity=Severity.WARNING,
                )


def _plain(statement: StatementView, condition: ConditionView, operator: str) -> str:
    if all(carries(name, condition.key) for name in statement.names):
        return f"write `{operator}`"
    optional = operator if operator.lower().endswith("ifexists") else f"{operator}IfExists"
    return f"write `{optional}` if that is meant, or `{operator}` for the actions that carry it alone"


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
    DocumentRule(SET_OPERATOR, set_operator),
    DocumentRule(REGION, requested_region),
)
