"""What the policies that bind the principal say of a call: every permission that it needs, evaluated at once.

Denials come one at a time; the policies tell all of them.  Knows policies and operations; does not know what was answered,
so whoever calls must compare.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/logging-cloudtrail-mantle.html (which action a route needs).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mantle_iam.diagnose.case import Case, PolicyName
from mantle_iam.diagnose.compose import make, opening, refusal_title
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.errors import MantleIamError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.near_miss import near_misses
from mantle_iam.iam.policy import Effect, Statement
from mantle_iam.iam.request import (
    AuthorizationRequest,
    Decision,
    Element,
    EvaluationResult,
    NearMiss,
    PolicySet,
    PolicyType,
    StatementRef,
)
from mantle_iam.mantle import catalog
from mantle_iam.mantle.call_context import DERIVED, SETTLED, TOKEN_TYPES, asked_keys
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.mantle.denial import LAYER_NAMES
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.exchange import Auth
from mantle_iam.mantle.operations import AuthMethod, Permission, Scope, required_permissions

SOURCE = "the policies that bind the principal"
"""Source of evidence that was computed, not observed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One permission that a call needs, and what the policies say of it."""

    permission: Permission
    result: EvaluationResult
    request: AuthorizationRequest
    names: tuple[PolicyName, ...] = ()
    """What the documents are called, where that is known."""

    @property
    def refused(self) -> bool:
        """Whether the policies refuse it whatever is unknown."""
        return self.result.decision in {Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY}


def judge(observation: Observation, case: Case, principal: str | None) -> tuple[Judged, ...]:
    """Every permission of the observed call, evaluated; empty without policies, principal or known operation."""
    policies, operation = case.policies, observation.operation
    who = case.principal or principal or key_principal(case)
    if policies is None or who is None:
        return ()
    method = auth_method(observation, case)
    scope = _scope(observation, case, who)
    wanted = list(required_permissions(operation, method, scope)) if operation else []
    known = {permission.action.lower() for permission in wanted}
    # A sentence may name an action that the route needs only sometimes (tags): it was needed this time.
    wanted += [
        Permission(denial.action, denial.resource or "*", because="the sentence names it")
        for denial in observation.denials
        if denial.action and denial.action.lower() not in known
    ]
    found = []
    for permission in wanted:
        request = _request(permission, observation, case, who, method, policies)
        try:
            found.append(Judged(permission, evaluate(request, policies), request, case.policy_names))
        except MantleIamError:
            continue
    return tuple(found)


def diagnoses(judged: tuple[Judged, ...], policies: PolicySet) -> tuple[Diagnosis, ...]:
    """The refusals among ``judged``, each with its layer and what nearly allowed it."""
    return tuple(_diagnosis(entry, policies) for entry in judged if entry.refused)


def pending(judged: tuple[Judged, ...]) -> tuple[str, ...]:
    """Context keys and layers on which the rest hangs, when nothing is refused for sure."""
    return tuple(dict.fromkeys(name for entry in judged for name in entry.result.depends_on))


def auth_method(observation: Observation, case: Case) -> AuthMethod:
    """How the call was authenticated, as far as it is known; a key of unknown kind counts as short-term."""
    if observation.exchange.auth is Auth.SIGV4:
        return AuthMethod.SIGV4
    kind = case.credential.kind if case.credential else None
    if kind is CredentialKind.LONG_TERM_KEY:
        return AuthMethod.LONG_TERM_KEY
    if kind is CredentialKind.SHORT_TERM_KEY:
        return AuthMethod.SHORT_TERM_KEY
    if observation.exchange.auth is Auth.BEARER:
        return case.auth if case.auth is not None and case.auth.is_bearer else AuthMethod.SHORT_TERM_KEY
    return case.auth or AuthMethod.SIGV4


def key_principal(case: Case) -> str | None:
    """The IAM user behind a long-term key, which the key itself names."""
    key = case.credential
    if key is None or not (key.account and key.user_name):
        return None
    return f"arn:{partition_of(case.region) if case.region else 'aws'}:iam::{key.account}:user/{key.user_name}"


def call_resource(observation: Observation, case: Case, principal: str | None) -> str | None:
    """ARN of the project that the call is authorised on, where account and Region are known."""
    account = _account(principal or case.principal) or (case.credential.account if case.credential else None)
    region = observation.region or case.region
    if not (account and region):
        return None
    project = observation.exchange.project or "default"
    if project.startswith("arn:"):
        return project
    return f"arn:{partition_of(region)}:bedrock-mantle:{region}:{account}:project/{project}"


def _account(principal: str | None) -> str | None:
    arn = Arn.try_parse(principal) if principal else None
    return arn.account if arn and arn.account else None


def _scope(observation: Observation, case: Case, principal: str) -> Scope:
    region = observation.region or case.region
    model = observation.exchange.model
    return Scope(
        partition=partition_of(region) if region else "aws",
        account=_account(principal),
        regions=(region,) if region else (),
        projects=(observation.exchange.project or "default",),
        models=(model,) if model else (),
    )


def _request(
    permission: Permission,
    observation: Observation,
    case: Case,
    principal: str,
    method: AuthMethod,
    policies: PolicySet,
) -> AuthorizationRequest:
    context: dict[str, str] = {key: value for key, value in SETTLED.items() if value is not None}
    model = observation.exchange.model
    if model and catalog.carries(permission.action, "bedrock-mantle:Model"):
        context["bedrock-mantle:model"] = model
    token = TOKEN_TYPES.get(method)
    if token and catalog.carries(permission.action, "bedrock-mantle:BearerTokenType"):
        context["bedrock-mantle:bearertokentype"] = token
    named = {key.lower(): key for key in asked_keys(policies)}
    unknown = {
        key
        for folded, key in named.items()
        if folded not in context
        and folded not in SETTLED
        and folded not in DERIVED
        # A service key that the action does not carry is absent for certain.
        and (not folded.startswith("bedrock-mantle:") or catalog.carries(permission.action, key))
        and not folded.startswith(("bedrock:", "aws-marketplace:", "iam:", "s3:"))
    }
    return AuthorizationRequest(
        principal=principal,
        action=permission.action,
        resources=(permission.resource,),
        context=context,
        unknown_context=frozenset(unknown),
    )


def _statements(policies: PolicySet) -> Iterator[tuple[PolicyType, Statement]]:
    for kind, documents in policies.layers():
        for document in documents:
            for statement in document.statements:
                yield kind, statement


def _diagnosis(entry: Judged, policies: PolicySet) -> Diagnosis:
    if entry.result.decision is Decision.EXPLICIT_DENY:
        return _explicit(entry)
    layer = entry.result.withheld_by[0] if entry.result.withheld_by else PolicyType.IDENTITY
    misses = [miss for miss in near_misses(entry.request, policies) if miss.statement.policy_type is layer]
    nearest = next((miss for miss in misses if miss.failures == 1), None)
    # An element other than the condition that fails once is the nearer explanation only where no condition alone fails.
    condition = next((miss for miss in misses if miss.failures == 1 and miss.element is Element.CONDITION), None)
    if condition is not None:
        return _condition(entry, condition, layer)
    return _missing(entry, layer, nearest, policies)


def _evidence(entry: Judged, says: str) -> Evidence:
    return Evidence(SOURCE, f"computed: {entry.permission.action} on {entry.permission.resource}: {says}")


def _explicit(entry: Judged) -> Diagnosis:
    ref = entry.result.determining[0] if entry.result.determining else None
    layer = ref.policy_type if ref else None
    where = _place(ref, entry) if ref else "a statement"
    named = _named(ref, entry) if ref else None
    return make(
        "explicit-deny",
        Confidence.CONCLUSIVE,
        (_evidence(entry, f"explicitDeny by {where}"),),
        title=refusal_title("explicit-deny", (entry.permission.action,), entry.permission.resource, layer),
        explanation=f"{opening(where)} denies it, and no Allow anywhere overrules a Deny.",
        remedy=f"Narrow or remove {where}.",
        policy_type=layer,
        effect="explicit",
        actions=(entry.permission.action,),
        resource=entry.permission.resource,
        principal=entry.request.principal,
        policy=(named.arn or named.name) if named else None,
    )


def _missing(entry: Judged, layer: PolicyType, nearest: NearMiss | None, policies: PolicySet) -> Diagnosis:
    action, resource = entry.permission.action, entry.permission.resource
    name = LAYER_NAMES[layer]
    hint = f" {_sentence(nearest, entry)}" if nearest else _prefix_hint(action, layer, policies)
    return make(
        "missing-permission",
        Confidence.CONCLUSIVE,
        (_evidence(entry, "implicitDeny, withheld by " + _names(entry.result.withheld_by)),),
        title=refusal_title("missing-permission", (action,), resource, layer),
        explanation=f"Of the statements read, none in the {name} allows it.{hint}",
        remedy=f"Allow {action} on {resource} in the {name}"
        + (" of the principal." if layer is PolicyType.IDENTITY else "; an identity policy alone cannot help."),
        policy_type=layer,
        effect="implicit",
        actions=(action,),
        resource=resource,
        principal=entry.request.principal,
    )


def _condition(entry: Judged, miss: NearMiss, layer: PolicyType) -> Diagnosis:
    had = f"`{miss.actual}`" if miss.actual is not None else "nothing"
    wanted = ", ".join(f"`{value}`" for value in miss.wanted[:6]) or "another value"
    key = miss.key or "the condition's key"
    absent = miss.actual is None and miss.operator is not None and "IfExists" not in miss.operator
    return make(
        "condition-not-met",
        Confidence.LIKELY if miss.unknown else Confidence.CONCLUSIVE,
        (_evidence(entry, f"{_place(miss.statement, entry)} would allow it but for its condition: {miss.detail}"),),
        title=f"{entry.permission.action} is granted under a condition on {key} that does not hold",
        explanation=f"{opening(_place(miss.statement, entry))} wants {key} to be {wanted} ({miss.operator}), and the request has "
        f"{had}."
        + (f" Not every action carries {key}; on those that do not, the statement never applies." if absent else ""),
        remedy=f"Call with a value that the condition takes ({wanted}), or widen the condition"
        + (", or split off the actions that do not carry the key." if absent else "."),
        policy_type=layer,
        effect="implicit",
        actions=(entry.permission.action,),
        resource=entry.permission.resource,
        principal=entry.request.principal,
        would_decide=(f"the value of {key} in the request",) if miss.unknown else (),
    )


def _sentence(miss: NearMiss, entry: Judged) -> str:
    return f"{opening(_place(miss.statement, entry))} comes near: {miss.detail.rstrip('.')}."


def _prefix_hint(action: str, layer: PolicyType, policies: PolicySet) -> str:
    """What the layer grants instead: another service's actions, or a name that is no action."""
    if layer is not PolicyType.IDENTITY or not action.lower().startswith("bedrock-mantle:"):
        return ""
    granted = [
        pattern
        for kind, statement in _statements(policies)
        if kind is layer and statement.effect is Effect.ALLOW
        for pattern in statement.actions
    ]
    mistaken = [
        name for name in granted if name.lower().startswith("bedrock-mantle:") and "*" not in name and "?" not in name
    ]
    for name in mistaken:
        if catalog.known_action(name) is None and catalog.nearest_action(name) == action:
            return f" {name} is granted, which is no action known on {catalog.catalog_date()}; {action} is meant."
    runtime = [name for name in granted if name.lower().startswith("bedrock:")]
    if runtime:
        shown = ", ".join(dict.fromkeys(runtime[:3]))
        return f" {shown} is granted, and that prefix is another service's: Mantle checks bedrock-mantle:*."
    return ""


def _names(layers: tuple[PolicyType, ...]) -> str:
    return ", ".join(LAYER_NAMES[layer] for layer in layers) or LAYER_NAMES[PolicyType.IDENTITY]


def _named(ref: StatementRef, entry: Judged) -> PolicyName | None:
    place = (ref.policy_type, ref.level, ref.document)
    return next((name for name in entry.names if (name.policy_type, name.level, name.document) == place), None)


def _place(ref: StatementRef, entry: Judged) -> str:
    level = f" at level {ref.level}" if ref.level is not None else ""
    which = f"`{ref.sid}`" if ref.sid else f"{ref.statement + 1}"
    named = _named(ref, entry)
    return (
        f"statement {which} of {named.name if named else f'{LAYER_NAMES[ref.policy_type]} {ref.document + 1}'}{level}"
    )
