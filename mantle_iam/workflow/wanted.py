"""From diagnoses to the permissions that are wanted: what refusals name, and what the same calls need besides.

Denials come one at a time, so a call's other actions are wanted too, marked as not observed.  Decides no policy.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/logging-cloudtrail-mantle.html (which call needs what),
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html (CallWithBearerToken).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mantle_iam.diagnose.case import Answer, Case, Report
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.near_miss import near_misses
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import AuthorizationRequest, PolicyType
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.mantle.operations import (
    AuthMethod,
    Operation,
    Permission,
    Scope,
    Source,
    bearer_permission,
    match_operation,
    operation_named,
    operations,
    operations_needing,
    required_permissions,
)
from mantle_iam.report.result import Part
from mantle_iam.workflow.circumstances import circumstances, token_type

GRANTABLE = frozenset(("missing-permission", "condition-not-met", "marketplace-permission-missing"))
"""Codes that an Allow statement can end."""

RUNTIME_BEARER = overlay.RUNTIME_BEARER_ACTION
_MARKETPLACE = "aws-marketplace:"
_REGION_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A permission that is to be granted, where, and how we know."""

    permission: Permission
    layer: PolicyType
    """The layer that withholds it."""
    observed: bool
    """A refusal names it."""
    part: Part
    principal: str | None = None


def auth_method(case: Case, principal: str | None = None) -> AuthMethod | None:
    """How the refused call was authenticated, as far as anything says."""
    if case.auth is not None:
        return case.auth
    if case.credential is not None and case.credential.kind is CredentialKind.LONG_TERM_KEY:
        return AuthMethod.LONG_TERM_KEY
    if case.credential is not None and case.credential.kind is CredentialKind.SHORT_TERM_KEY:
        return AuthMethod.SHORT_TERM_KEY
    # The console names the user that it makes for a long-term key so.
    if principal is not None and ":user/BedrockAPIKey-" in principal:
        return AuthMethod.LONG_TERM_KEY
    used = {exchange.auth for exchange in case.exchanges}
    if Auth.SIGV4 in used and Auth.BEARER not in used:
        return AuthMethod.SIGV4
    if Auth.BEARER in used and Auth.SIGV4 not in used:
        # An IAM user's key may be of either kind, a role's only short-term.
        return AuthMethod.SHORT_TERM_KEY
    return None


def wanted_permissions(part: Part) -> tuple[Wanted, ...]:
    """What the diagnoses of ``part`` miss, then what the same calls need besides and nothing shows to be granted."""
    found: dict[tuple[str, str, PolicyType], Wanted] = {}
    for diagnosis in part.report.diagnoses if _is_believed(part.report) else ():
        if diagnosis.code not in GRANTABLE or diagnosis.effect == "explicit" or _is_nowhere(diagnosis, part):
            continue
        for wanted in _missing(diagnosis, part):
            found.setdefault(_key(wanted), wanted)
    missing = tuple(found.values())
    named = {(wanted.permission.action.lower(), wanted.layer) for wanted in missing}
    granted = _granted(part)
    for wanted in (companion for one in missing for companion in _companions(one)):
        action = wanted.permission.action.lower()
        if (action, wanted.layer) not in named and action not in granted:
            found.setdefault(_key(wanted), wanted)
    return tuple(found.values())


def _is_nowhere(diagnosis: Diagnosis, part: Part) -> bool:
    """Whether it is about a project that the service says does not exist: granting on it would end nothing."""
    project = (part.case.project or "").rpartition("/")[2]
    unknown = any(
        other.code == "project-not-found" and other.confidence is Confidence.CONCLUSIVE
        for other in part.report.diagnoses
    )
    return bool(project) and unknown and (diagnosis.resource or "").endswith(f":project/{project}")


def _is_believed(report: Report) -> bool:
    """Whether some diagnosis that a policy can end is at least likely; else a policy would only be a guess."""
    return any(
        diagnosis.code in GRANTABLE and diagnosis.confidence is not Confidence.INCONCLUSIVE
        for diagnosis in report.diagnoses
    )


def _key(wanted: Wanted) -> tuple[str, str, PolicyType]:
    return wanted.permission.action.lower(), wanted.permission.resource, wanted.layer


def _missing(diagnosis: Diagnosis, part: Part) -> Iterator[Wanted]:
    # What the service wrote, in full or as the diagnosis quotes it (a pasted sentence may be broken over lines).
    bodies = [exchange.body for exchange in part.case.exchanges]
    quotes = [evidence.says for evidence in diagnosis.evidence if evidence.exchange is not None]
    received = "\n".join((*bodies, *quotes)).lower()
    for action in diagnosis.actions:
        observed = action.lower() in received
        permission = replace(
            _permission(action, diagnosis, part.case),
            because="the refusal names it" if observed else "the call that was refused needs it",
            source=Source.OBS if observed else Source.DOC,
            reference=diagnosis.reference,
        )
        layer = diagnosis.policy_type or PolicyType.IDENTITY
        yield Wanted(permission, layer, observed, part, diagnosis.principal or part.case.principal)


def _permission(action: str, diagnosis: Diagnosis, case: Case) -> Permission:
    if action.startswith(_MARKETPLACE):
        runtime = case.endpoint is not None and case.endpoint.kind is EndpointKind.RUNTIME
        service = "bedrock.amazonaws.com" if runtime else overlay.SERVICE_PRINCIPAL
        return Permission(action, "*", (Condition("StringEquals", "aws:CalledViaLast", (service,)),))
    conditions: tuple[Condition, ...] = ()
    if diagnosis.code == "condition-not-met":
        conditions = _conditions(action, diagnosis, case)
    return Permission(action, _resource(action, diagnosis, case), conditions)


def _conditions(action: str, diagnosis: Diagnosis, case: Case) -> tuple[Condition, ...]:
    """The condition under which the refused call, and no other, becomes allowed.

    Only keys of the service are repeated: their values come with the call.  What another key (a network, a Region) had in the
    refused request is nothing to write into a policy.
    """
    model = _asked_model(diagnosis, case)
    auth = auth_method(case, diagnosis.principal)
    values = {overlay.MODEL_KEY: model, overlay.BEARER_TYPE_KEY: token_type(auth)}
    key = _failed_key(action, diagnosis, case, auth)
    if key is not None:
        values = {name: value for name, value in values.items() if name.lower() == key}
    return tuple(
        Condition("StringEquals", name, (value,))
        for name, value in values.items()
        if value is not None and catalog.carries(action, name)
    )


def _failed_key(action: str, diagnosis: Diagnosis, case: Case, auth: AuthMethod | None) -> str | None:
    """The context key, in lower case, on which alone a statement fails, where policies are known."""
    principal = diagnosis.principal or case.principal
    if case.policies is None or principal is None:
        return None
    model = _asked_model(diagnosis, case)
    request = circumstances(
        AuthorizationRequest(principal, action, (_resource(action, diagnosis, case),)), replace(case, model=model), auth
    )
    misses = near_misses(request, case.policies)
    return next((miss.key.lower() for miss in misses if miss.key and miss.failures == 1), None)


def _asked_model(diagnosis: Diagnosis, case: Case) -> str | None:
    models = [exchange.model for exchange in refused_exchanges(diagnosis, case) if exchange.model]
    return models[0] if models else case.model


def refused_exchanges(diagnosis: Diagnosis, case: Case) -> tuple[Exchange, ...]:
    """The exchanges that the diagnosis rests on and that the service answered with a refusal."""
    places = dict.fromkeys(evidence.exchange for evidence in diagnosis.evidence if evidence.exchange is not None)
    cited = [case.exchanges[place] for place in places if 0 <= place < len(case.exchanges)]
    return tuple(exchange for exchange in cited if exchange.status is None or exchange.status >= 400)


# -- resources


def scope_of(case: Case, principal: str | None, resource: str | None) -> Scope:
    """Account, region and project of the refused call: from the resource that was refused, then from the caller."""
    arn = Arn.try_parse(resource) if resource else None
    caller = Arn.try_parse(principal) if principal else None
    if arn is not None and arn.service == overlay.SERVICE:
        projects = (str(arn),) if arn.resource.startswith("project/") else ()
        return Scope(arn.partition, arn.account or None, (arn.region,) if arn.region else (), projects)
    account = caller.account if caller and caller.account.isdigit() else None
    if account is None and case.credential is not None:
        account = case.credential.account
    region = case.region or (case.endpoint.region if case.endpoint else None)
    partition = caller.partition if caller else "aws"
    return Scope(partition, account, (region,) if region else (), (case.project or "default",))


def _resource(action: str, diagnosis: Diagnosis, case: Case) -> str:
    """What was refused, as the policy must name it: its ARN to the letter, ``*`` for an action without resource types."""
    ours = action.lower().startswith(f"{overlay.SERVICE}:")
    if ours and not _takes_resource(action):
        return "*"
    refused = diagnosis.resource
    arn = Arn.try_parse(refused) if refused else None
    arn = arn and without_placeholders(arn)
    if arn is not None and str(arn).isascii() and str(arn).isprintable() and " " not in str(arn):
        if ours and arn.resource.startswith("project/") and _any_project(action, case):
            return str(replace(arn, resource="project/*"))
        return str(arn) if ours else _literal(str(arn))
    if ours:
        return catalog.resource_arns(action, scope_of(case, diagnosis.principal or case.principal, None))[0]
    return "*"


def without_placeholders(arn: Arn) -> Arn:
    """``arn`` with ``*`` for an account or Region that was taken out before pasting (``<account>``, ``XXXX``)."""
    account = arn.account if not arn.account or (len(arn.account) == 12 and arn.account.isdigit()) else "*"
    region = arn.region if _REGION_CHARACTERS.issuperset(arn.region) else "*"
    return replace(arn, account=account, region=region)


def _any_project(action: str, case: Case) -> bool:
    """Whether the refused call lists projects or makes one, so that the project which the refusal names is one of many."""
    return any(
        need.action.lower() == action.lower() and need.any_project
        for operation in _operations(action.lower(), case)
        for need in operation.actions
    )


def _takes_resource(action: str) -> bool:
    """Whether the catalogue knows a resource type of ``action``; taken to be so for an action that it does not know."""
    info = catalog.known_action(action)
    return info is None or bool(info.resource_types)


def _literal(arn: str) -> str:
    """``arn`` so that a policy means just it: ``$``, ``*`` and ``?`` stand for themselves.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return "".join(f"${{{character}}}" if character in "$*?" else character for character in arn)


# -- what the same calls need besides


def _companions(wanted: Wanted) -> Iterator[Wanted]:
    case = wanted.part.case
    action = wanted.permission.action.lower()
    auth = auth_method(case, wanted.principal)
    for permission in _needed_with(action, wanted, auth):
        yield Wanted(permission, wanted.layer, False, wanted.part, wanted.principal)


def _needed_with(action: str, wanted: Wanted, auth: AuthMethod | None) -> Iterator[Permission]:
    bearer = auth is not None and auth.is_bearer
    if action.startswith("bedrock:") and bearer:
        yield Permission(
            RUNTIME_BEARER,
            "*",
            because="a call with a key needs it beside its own action",
            reference=overlay.BEARER_REFERENCE,
        )
    if not action.startswith(f"{overlay.SERVICE}:"):
        return
    scope = scope_of(wanted.part.case, wanted.principal, wanted.permission.resource)
    candidates = _operations(action, wanted.part.case)
    needs = [
        {
            permission.action.lower(): permission
            for permission in required_permissions(operation, auth or AuthMethod.SIGV4, scope)
        }
        for operation in candidates
    ]
    # Of a call that could be any of several, only what all of them need is surely needed.
    if needs:
        yield from (permission for key, permission in needs[0].items() if all(key in need for need in needs))
    elif bearer:
        yield bearer_permission()


def _operations(action: str, case: Case) -> tuple[Operation, ...]:
    """The operations that the refused call may have been."""
    refused = (exchange for exchange in case.exchanges if exchange.status is None or exchange.status >= 400)
    routes = [operation for exchange in refused for operation in _routes(exchange)]
    if action == overlay.BEARER_ACTION.lower():
        return tuple(dict.fromkeys(routes))
    needing = operations_needing(action)
    made = tuple(dict.fromkeys(operation for operation in routes if _names(operation, action)))
    return made or tuple(operation for operation in needing if operation.action.lower() == action)


def _routes(exchange: Exchange) -> tuple[Operation, ...]:
    """The operations that the exchange may be: by its route, else by what a log calls it (CloudTrail's event is the action)."""
    if exchange.method and exchange.url:
        operation = match_operation(exchange.method, urlsplit(exchange.url).path)
        return (operation,) if operation else ()
    if not exchange.hint_operation:
        return ()
    operation = operation_named(exchange.hint_operation)
    event = f"{overlay.SERVICE}:{exchange.hint_operation}".lower()
    return (operation,) if operation else tuple(one for one in operations() if one.action.lower() == event)


def _names(operation: Operation, action: str) -> bool:
    """Whether ``operation`` needs ``action``, always or under some circumstance; a refusal that names it settles which."""
    return any(need.action.lower() == action for need in operation.actions)


def _granted(part: Part) -> frozenset[str]:
    """Actions that an answer shows to be granted, in lower case."""
    found: set[str] = set()
    for outcome in part.report.outcomes:
        if outcome.answer != Answer.ALLOWED:
            continue
        found.update(action.lower() for action in outcome.actions)
        exchange = part.case.exchanges[outcome.exchange] if outcome.exchange < len(part.case.exchanges) else None
        if exchange is not None and exchange.auth is Auth.BEARER:
            found.add(overlay.BEARER_ACTION.lower())
    return frozenset(found)
