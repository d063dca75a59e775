"""Rules about what is to be refused and is not: denials of keys that cover one endpoint, that are turned round, that miss some.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import LIMITING, DocumentRule, Hit, Rule, one_line, some
from mantle_iam.audit.lint.view import MODEL_SERVICE, ConditionView, StatementView, View, resource_kinds
from mantle_iam.iam.inventory import Purpose
from mantle_iam.iam.matching import glob
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_TYPE_KEY, MODEL_KEY, RUNTIME_BEARER_ACTION, SERVICE
from mantle_iam.mantle.sources import API_KEY_PERMISSIONS, Source

_LONGEST: Final = 512
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
    both = _long_term_denied(view)
    for statement in view.known:
        if statement.allow:
            continue
        for condition in statement.conditions:
            if condition.key in (BEARER_TYPE_KEY.lower(), "bedrock:bearertokentype"):
                yield from _inverted_key(statement, condition, both=condition.key in both)
            elif condition.key == MODEL_KEY.lower():
                yield from _inverted_model(statement, condition)


def _inverted_key(statement: StatementView, condition: ConditionView, *, both: bool) -> Iterator[Hit]:
    values = set(condition.condition.values)
    by_not = condition.negated and values == {"LONG_TERM"}
    by_name = not condition.negated and condition.operator.startswith("String") and values == {"SHORT_TERM"}
    if not (by_not or by_name) or (by_name and both):
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


def _long_term_denied(view: View) -> frozenset[str]:
    """The condition keys by which long-term keys are denied."""
    return frozenset(
        condition.key
        for each in view.statements
        for condition in (each.conditions if not each.allow else ())
        if "LONG_TERM" in condition.condition.values and not condition.negated
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


FORGOTTEN: Final = Rule(
    id="twin-service-forgotten",
    title="A denial that speaks of one of the two services of Amazon Bedrock",
    severity=Severity.WARNING,
    confidence=Certainty.MEDIUM,
    purposes=_DENYING,
    what="Finds a Deny of `bedrock:*` in a document that denies nothing of `bedrock-mantle`, and, as information, one of "
    "inference on `bedrock` alone. In control policies it also tells of a Deny by `NotAction` that spares one of the services: "
    "`bedrock:*` and not Mantle, or, in a limit of regions, Mantle and not `bedrock`. Outside of control policies only "
    "documents that allow Mantle themselves are meant, as information.",
    why="`bedrock:*` does not cover `bedrock-mantle`, which serves the same models under actions of its own: who denies the "
    "one leaves the other open, guardrails and lists of approved models included. Another document may say the rest, so that "
    "the confidence is medium.",
    bad='"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"',
    instead='"Effect": "Deny", "Action": ["bedrock:*", "bedrock-mantle:*"], "Resource": "*"',
    reference="https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html",
)
_INFERENCE: Final = f"{SERVICE}:CreateInference"
_RUNTIME_INFERENCE: Final = f"{MODEL_SERVICE}:invokemodel"
_WHOLE: Final = (f"{SERVICE}:*", f"{MODEL_SERVICE}:*")


def forgotten(view: View) -> Iterator[Hit]:
    """Denials that reach one of the two services, by naming or by sparing it."""
    denies = [each for each in view.statements if not each.allow]
    spoken = any(each.speaks_of_mantle or (_INFERENCE in each.names and not each.conditions) for each in denies)
    if not view.resolved:
        return
    if not spoken and (view.purpose is Purpose.SCP or view.allows(_INFERENCE)):
        yield from islice((hit for each in denies for hit in _denied_alone(view, each)), 1)
    if view.purpose is Purpose.SCP:
        yield from (hit for each in denies for hit in _spared_alone(each, spoken=spoken))


def _denied_alone(view: View, statement: StatementView) -> Iterator[Hit]:
    for pattern in statement.patterns if statement.statement.actions else ():
        text = pattern.text.strip().lower()
        whole = text == _WHOLE[1]
        if (
            len(text) > _LONGEST
            or not text.startswith(MODEL_SERVICE + ":")
            or not glob(text).matches(_RUNTIME_INFERENCE)
        ):
            continue
        yield Hit(
            f"`{one_line(pattern.text)}` does not cover `{SERVICE}`, which serves models as well and is not denied here",
            pattern.pointer,
            statement.index,
            f"deny `{SERVICE}:*`, too"
            if whole
            else f"deny `{_INFERENCE}`, too; single models by a condition on `{MODEL_KEY}`",
            severity=None if whole and view.purpose is Purpose.SCP else Severity.INFO,
        )


def _spared_alone(statement: StatementView, *, spoken: bool) -> Iterator[Hit]:
    if statement.statement.actions:
        return
    whole = {pattern.text.strip().lower(): pattern for pattern in statement.patterns}
    mantle, runtime = (whole.get(each) for each in _WHOLE)
    if runtime and not mantle and _INFERENCE in statement.names:
        yield Hit(
            f"`{one_line(runtime.text)}` is spared and `{SERVICE}:*` is not, so that calls to Mantle are refused"
            + (" where the condition holds" if statement.conditions else ""),
            runtime.pointer,
            statement.index,
            f"add `{SERVICE}:*` to `NotAction`, unless Mantle is not to be used",
            severity=Severity.INFO,
        )
    limits_regions = any(each.key == "aws:requestedregion" for each in statement.conditions)
    if mantle and not runtime and limits_regions and not spoken and statement.covers(_RUNTIME_INFERENCE):
        yield Hit(
            f"`{one_line(mantle.text)}` is spared and `{MODEL_SERVICE}:*` is not, so that Mantle is open in every region",
            mantle.pointer,
            statement.index,
            f"deny `{SERVICE}:*` by the region of its ARN (policies/scp/only-approved-regions.json)",
            severity=Severity.INFO,
        )


NOT_RESOURCE: Final = Rule(
    id="not-resource-refuses-key-use",
    title="A denial by `NotResource` that refuses what has no resource",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=LIMITING,
    what="Finds a Deny for Mantle with `NotResource` whose actions are in part such that have no resource: "
    "`CallWithBearerToken`, `GetAccountDataRetention`, `PutAccountDataRetention`.",
    why="They are asked for on `*`, which is none of the resources that are spared: a denial of `bedrock-mantle:*` on all "
    "but the approved projects refuses every call with a key, to approved projects as well.",
    bad='"Effect": "Deny", "Action": "bedrock-mantle:*", "NotResource": "arn:aws:bedrock-mantle:*:*:project/proj_abc"',
    instead='"Action": ["bedrock-mantle:CreateInference", "bedrock-mantle:GetProject"] with the same `NotResource`; '
    "`mantle-iam generate --kind scp` names all of them",
    reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html",
)


def not_resource(view: View) -> Iterator[Hit]:
    """Denials of all but some resources that hit what has none."""
    for statement in view.known:
        if statement.allow or not statement.statement.not_resources or not statement.any_resource:
            continue
        for pattern in statement.patterns if statement.speaks_of_mantle else ():
            without = [name for name in pattern.names if not resource_kinds(name) and statement.alive(name)]
            # Of what has no resource at all it is a plain denial, by whatever it is written.
            if without and pattern.ours and any(map(resource_kinds, statement.names)):
                lost = some([name.partition(":")[2] for name in without])
                yield Hit(
                    f"`{one_line(pattern.text)}` refuses {lost} whatever is spared: "
                    f"{'they have' if len(without) > 1 else 'it has'} no resource",
                    pattern.pointer,
                    statement.index,
                    "take it out" if pattern.exact else "name the actions that have resources",
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
            if pattern.ours:
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
AGE_KEY: Final = "iam:servicespecificcredentialagedays"


def key_age(view: View) -> Iterator[Hit]:
    """Limits of the age that a missing age passes."""
    closed = any(
        not each.allow and condition.key == AGE_KEY and not condition.needs_key
        for each in view.statements
        for condition in each.conditions
    )
    for statement in view.known if not closed else ():
        for condition in statement.conditions if not statement.allow else ():
            if condition.key == AGE_KEY and condition.operator.startswith("NumericGreaterThan"):
                yield Hit(
                    "a key without an expiry is made without `iam:ServiceSpecificCredentialAgeDays` and is not refused here",
                    condition.pointer,
                    statement.index,
                    f"use `{condition.operator}IfExists`",
                )


RULES: Final = (
    DocumentRule(HALF, half_covered),
    DocumentRule(INVERTED, inverted),
    DocumentRule(FORGOTTEN, forgotten),
    DocumentRule(NOT_RESOURCE, not_resource),
    DocumentRule(ALLOW_IN_SCP, allow_in_scp),
    DocumentRule(RCP, rcp_names_mantle),
    DocumentRule(KEY_AGE, key_age),
)
