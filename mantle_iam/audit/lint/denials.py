"""Rules about what is to be refused and is not: denials of keys that cover one endpoint, that are turned round, that miss some.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import LIMITING, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import ConditionView, StatementView, View, names_service
from mantle_iam.iam.inventory import Purpose
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_TYPE_KEY, MODEL_KEY, RUNTIME_BEARER_ACTION
from mantle_iam.mantle.sources import API_KEY_PERMISSIONS, Source

_TWINS: Final = (BEARER_ACTION, RUNTIME_BEARER_ACTION)
_DENYING: Final = (Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.SCP)

HALF: Final = Rule(
    id="half-covered-key-denial",
    title="A denial of API keys that covers one of the two endpoints",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=_DENYING,
    what="Finds documents that deny `bedrock:CallWithBearerToken` or `bedrock-mantle:CallWithBearerToken` and not the "
    "other.",
    why="Each endpoint asks for its own action: a Deny of `bedrock:CallWithBearerToken` does not bind Mantle, and the"
    " other way round. The same key works on both. AWS's documentation says to deny both. Outside of control "
    "policies a denial for Mantle alone may be meant so, and is only mentioned.",
    bad=f'"Effect": "Deny", "Action": "{RUNTIME_BEARER_ACTION}", "Resource": "*"',
    instead=f'"Effect": "Deny", "Action": ["{RUNTIME_BEARER_ACTION}", "{BEARER_ACTION}"], "Resource": "*"',
    reference=API_KEY_PERMISSIONS,
)


def half_covered(view: View) -> Iterator[Hit]:
    """Denials of one of the twin actions."""
    if not view.resolved:
        return
    denies = [each for each in view.statements if not each.allow and each.any_resource]
    covered = {twin for twin in _TWINS if any(each.covers(twin) for each in denies)}
    if len(covered) != 1:
        return
    (denied,) = covered
    other = _TWINS[1 - _TWINS.index(denied)]
    for statement in denies:
        pattern = next((each for each in statement.patterns if _names_bearer(each.text)), None)
        if not statement.statement.actions or pattern is None or not statement.covers(denied):
            continue
        endpoint = "Mantle" if other == BEARER_ACTION else "bedrock-runtime"
        yield Hit(
            f"only `{denied}` is denied, so that keys go on working on {endpoint}",
            pattern.pointer,
            statement.index,
            f"deny `{other}`, too"
            + (f", with its own key `{other.partition(':')[0]}:BearerTokenType`" if statement.conditions else ""),
            severity=Severity.INFO if other != BEARER_ACTION and view.purpose is not Purpose.SCP else None,
        )
        return


def _names_bearer(pattern: str) -> bool:
    return pattern.strip().lower().partition(":")[2].startswith("callwith")


INVERTED: Final = Rule(
    id="inverted-denial",
    title="A denial that is turned round",
    severity=Severity.WARNING,
    confidence=Certainty.MEDIUM,
    purposes=LIMITING,
    what="Finds a Deny that refuses short-term keys and lets long-term ones through, and a Deny of the very models "
    "that its Sid calls allowed or approved.",
    why="Long-term keys are the ones to get rid of: they live as long as they are let. A Deny unless the type is `LONG_TERM` "
    "does the opposite, and so does a Deny with `StringEquals` on a list of approved models. A Deny of short-term keys by "
    "`StringEquals` may be meant so (AWS documents it) and is only mentioned.",
    bad='"Effect": "Deny", "Condition": {"StringNotEquals": {"bedrock-mantle:BearerTokenType": "LONG_TERM"}}',
    instead='"Effect": "Deny", "Condition": {"StringEquals": {"bedrock-mantle:BearerTokenType": "LONG_TERM"}}',
    reference=API_KEY_PERMISSIONS,
    source=Source.INF,
)
_APPROVING: Final = ("allow", "approve", "only", "except", "permit")
_REFUSING: Final = ("deny", "block", "forbid", "refuse", "unapproved", "notallow", "notapproved", "disallow", "not")


def inverted(view: View) -> Iterator[Hit]:
    """Denials that refuse what they seem to mean to spare."""
    for statement in view.known:
        if statement.allow:
            continue
        for condition in statement.conditions:
            if condition.key in (BEARER_TYPE_KEY.lower(), "bedrock:bearertokentype"):
                yield from _inverted_key(view, statement, condition)
            elif condition.key == MODEL_KEY.lower():
                yield from _inverted_model(statement, condition)


def _inverted_key(view: View, statement: StatementView, condition: ConditionView) -> Iterator[Hit]:
    values = set(condition.condition.values)
    by_not = condition.negated and values == {"LONG_TERM"}
    by_name = not condition.negated and condition.operator.startswith("String") and values == {"SHORT_TERM"}
    if not (by_not or by_name) or (by_name and _long_term_denied(view, condition.key)):
        return
    # AWS documents this form for who wants no short-term keys; by `StringNotEquals` it is no form of anybody.
    mild = by_name
    yield Hit(
        "short-term keys are refused and long-term keys are not, which is the riskier half",
        condition.pointer,
        statement.index,
        f'to refuse long-term keys write "StringEquals": {{"{one_line(condition.condition.key)}": "LONG_TERM"}}',
        severity=Severity.INFO if mild else None,
    )


def _long_term_denied(view: View, key: str) -> bool:
    return any(
        not each.allow and condition.key == key and "LONG_TERM" in condition.condition.values and not condition.negated
        for each in view.statements
        for condition in each.conditions
    )


def _inverted_model(statement: StatementView, condition: ConditionView) -> Iterator[Hit]:
    sid = (statement.statement.sid or "").lower()
    approving = any(word in sid for word in _APPROVING) and not any(word in sid for word in _REFUSING)
    if approving and not condition.negated and condition.operator.startswith("String"):
        yield Hit(
            f"the Sid `{one_line(statement.statement.sid or '')}` speaks of what is allowed, and these models are denied",
            condition.pointer,
            statement.index,
            "to refuse all others use the negated operator (`StringNotEquals`) on the actions that carry the model",
            confidence=Certainty.LOW,
        )


ALLOW_IN_SCP: Final = Rule(
    id="allow-in-control-policy",
    title="An Allow for Mantle in a service control policy",
    severity=Severity.INFO,
    confidence=Certainty.MEDIUM,
    purposes=(Purpose.SCP,),
    what="Tells of a service control policy that allows actions of Mantle by name and nothing else.",
    why="An SCP grants nothing. Beside `FullAWSAccess` such an Allow limits nothing either; without it, everything "
    "that no Allow names is refused, for all services. To limit Mantle alone takes a Deny.",
    bad='"Effect": "Allow", "Action": "bedrock-mantle:CreateInference", "Resource": "*"',
    instead='"Effect": "Deny", "NotAction"… or a Deny of what is not wanted; `mantle-iam generate --kind scp` writes one',
    reference="https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html",
)


def allow_in_scp(view: View) -> Iterator[Hit]:
    """SCPs that only allow, and Mantle by name."""
    if not view.resolved or not all(each.allow for each in view.statements):
        return
    if any(not each.statement.actions or any(p.text == "*" for p in each.patterns) for each in view.statements):
        return
    for statement in view.statements:
        if statement.speaks_of_mantle:
            yield Hit(
                "this Allow grants nothing, and limits something only where `FullAWSAccess` is detached",
                statement.pointer,
                statement.index,
                "deny what is not wanted",
            )


RCP: Final = Rule(
    id="resource-control-policy-names-mantle",
    title="A resource control policy for Mantle",
    severity=Severity.ERROR,
    confidence=Certainty.MEDIUM,
    purposes=(Purpose.RCP,),
    what="Finds actions of `bedrock-mantle` in a resource control policy.",
    why="Mantle is not in the list of services that support resource control policies, and AWS refuses to store one "
    "that names it. The list grows; this is its state of September 2026.",
    bad='an RCP with "Action": "bedrock-mantle:*"',
    instead="a service control policy with the same Deny",
    reference="https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services",
)


def rcp_names_mantle(view: View) -> Iterator[Hit]:
    """RCPs with actions of the service."""
    for statement in view.statements:
        for pattern in statement.patterns:
            if names_service(pattern.text):
                yield Hit(
                    f"`{one_line(pattern.text)}` cannot be restricted by a resource control policy",
                    pattern.pointer,
                    statement.index,
                    "put it into a service control policy",
                )


KEY_AGE: Final = Rule(
    id="key-age-limit-misses-endless-keys",
    title="A limit of keys' age that lets endless keys through",
    severity=Severity.WARNING,
    confidence=Certainty.MEDIUM,
    purposes=_DENYING,
    what="Finds a Deny of creating service-specific credentials above an age (`NumericGreaterThan` on "
    "`iam:ServiceSpecificCredentialAgeDays`) without `IfExists`.",
    why="A key that never expires is made by leaving the age out. Then, very likely, the request does not carry the "
    "condition key, the comparison is false, and the one key that should not be is created.",
    bad='"NumericGreaterThan": {"iam:ServiceSpecificCredentialAgeDays": "90"}',
    instead='"NumericGreaterThanIfExists": {"iam:ServiceSpecificCredentialAgeDays": "90"}',
    reference=API_KEY_PERMISSIONS,
    source=Source.INF,
)
_AGE: Final = "iam:servicespecificcredentialagedays"


def key_age(view: View) -> Iterator[Hit]:
    """Limits of the age that a missing age passes."""
    closed = any(
        not each.allow and condition.key == _AGE and not condition.needs_key
        for each in view.statements
        for condition in each.conditions
    )
    for statement in view.known if not closed else ():
        for condition in statement.conditions if not statement.allow else ():
            if condition.key == _AGE and condition.operator.startswith("NumericGreaterThan"):
                yield Hit(
                    "a key without an expiry is made without `iam:ServiceSpecificCredentialAgeDays` and is not refused here",
                    condition.pointer,
                    statement.index,
                    f"use `{condition.operator}IfExists`",
                )


RULES: Final = (
    DocumentRule(HALF, half_covered),
    DocumentRule(INVERTED, inverted),
    DocumentRule(ALLOW_IN_SCP, allow_in_scp),
    DocumentRule(RCP, rcp_names_mantle),
    DocumentRule(KEY_AGE, key_age),
)
