"""What a call must be allowed to do, the context that it brings, and the refusal when ``iam.evaluation`` says no.

Decides nothing itself: every need goes to ``evaluate`` with the policies that bind the caller.
The emulator's own choices, where the service's behaviour is not on record: ``CallWithBearerToken`` is asked first;
``aws:RequestedRegion`` is there, as AWS documents for all services (two field reports of three say that Mantle does not
send it); ``ServiceTier`` is there only when the body names one.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mantle_iam.emulator.call import Call
from mantle_iam.emulator.http import failed
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.request import (
    AuthorizationRequest,
    ContextValue,
    Decision,
    EvaluationResult,
    PolicySet,
    PolicyType,
)
from mantle_iam.mantle import catalog
from mantle_iam.mantle.call_context import TOKEN_TYPES
from mantle_iam.mantle.denial import Denial
from mantle_iam.mantle.operations import RequiredAction, When
from mantle_iam.mantle.overlay import BEARER_ACTION
from mantle_iam.mantle.scope import Scope

_ORDER = (
    # Which layer an implicit denial names when several withhold it: the order in which AWS evaluates them,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    PolicyType.RCP,
    PolicyType.SCP,
    PolicyType.VPC_ENDPOINT,
    PolicyType.RESOURCE,
    PolicyType.IDENTITY,
    PolicyType.PERMISSIONS_BOUNDARY,
    PolicyType.SESSION,
)


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource."""

    action: str
    resource: str


def needs(call: Call) -> Iterator[Need]:
    """Everything that ``call`` must be allowed, in the order in which it is asked."""
    if call.auth.is_bearer:
        yield Need(BEARER_ACTION, "*")
    for required in call.operation.actions:
        if required.when is None or _applies(When(required.when), call):
            yield Need(required.action, _resource(required, call))


def first_denial(call: Call, policies: PolicySet, *, source_ip: str = "127.0.0.1") -> Denial | None:
    """The first need that is not allowed, as the sentence that says so; ``None`` when all are allowed.

    Raises:
        ServiceError: the evaluation hangs on something unknown, which the emulator must not have.
    """
    for need in needs(call):
        request = AuthorizationRequest(
            principal=call.caller.principal,
            action=need.action,
            resources=(need.resource,),
            resource_account=call.account.id,
            context=context(need, call, source_ip),
        )
        result = evaluate(request, policies)
        if result.decision is Decision.UNKNOWN:
            raise failed(f"The emulator cannot decide {need.action}: it depends on {', '.join(result.depends_on)}.")
        if result.decision is not Decision.ALLOWED:
            return _denial(need, call, result)
    return None


def context(need: Need, call: Call, source_ip: str) -> dict[str, ContextValue]:
    """The request context for one need."""
    found: dict[str, ContextValue] = {"aws:SourceIp": source_ip, "aws:SecureTransport": "false"}
    found["aws:RequestedRegion"] = call.region
    caller = call.caller
    if caller.user_id is not None:
        found["aws:userid"] = caller.user_id
    if caller.role is not None:
        # The session's ARN lacks the path of the role.
        found["aws:PrincipalArn"] = caller.role
    if (agent := call.request.header("user-agent")) is not None:
        found["aws:UserAgent"] = agent
    found.update({f"aws:PrincipalTag/{key}": value for key, value in caller.tags})
    if (project := call.project) is not None and need.resource == call.project_arn:
        found.update({f"aws:ResourceTag/{key}": value for key, value in project.tags.items()})
    sent = _service_context(call)
    found.update({key: value for key, value in sent.items() if catalog.carries(need.action, _generic(key))})
    return found


def _service_context(call: Call) -> dict[str, ContextValue]:
    """Values for the condition keys that some action of the service carries; which one does, the catalogue says."""
    fields = call.body.fields
    found: dict[str, ContextValue] = {}
    if call.auth in TOKEN_TYPES:
        found["bedrock-mantle:BearerTokenType"] = TOKEN_TYPES[call.auth]
    if call.model is not None:
        found["bedrock-mantle:Model"] = call.model
    if isinstance(tier := fields.get("service_tier"), str):
        found["bedrock-mantle:ServiceTier"] = tier
    if (mode := _retention(fields)) is not None:
        found["bedrock-mantle:DataRetentionMode"] = mode
    if "/files/" in call.operation.path:
        found["bedrock-mantle:Files"] = (call.parameter,)
    elif isinstance(training := fields.get("training_file"), str):
        more = fields.get("validation_file")
        found["bedrock-mantle:Files"] = (training, more) if isinstance(more, str) else (training,)
    if "/fine_tuning/jobs/" in call.operation.path:
        found["bedrock-mantle:FineTuningJob"] = call.parameter
    tags = _tags(fields)
    keys = (*tags, *_removed(fields))
    if keys:
        found["aws:TagKeys"] = tuple(dict.fromkeys(keys))
    found.update({f"aws:RequestTag/{key}": value for key, value in tags.items()})
    return found


def _generic(key: str) -> str:
    """The catalogue's name of a key: tag keys are written with a placeholder there."""
    head, slash, _ = key.partition("/")
    return f"{head}/${{TagKey}}" if slash else key


def _retention(fields: dict[str, object]) -> str | None:
    given = fields.get("data_retention")
    mode = given.get("mode") if isinstance(given, dict) else fields.get("mode")
    return mode if isinstance(mode, str) else None


def _tags(fields: dict[str, object]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for name in ("tags", "add_tags"):
        given = fields.get(name)
        if isinstance(given, dict):
            tags.update({key: value for key, value in given.items() if isinstance(value, str)})
    return tags


def _removed(fields: dict[str, object]) -> tuple[str, ...]:
    given = fields.get("remove_tag_keys")
    return tuple(key for key in given if isinstance(key, str)) if isinstance(given, list) else ()


def _applies(when: When, call: Call) -> bool:
    fields = call.body.fields
    match when:
        case When.TAGS:
            return bool(fields.get("tags"))
        case When.ADD_TAGS:
            return bool(fields.get("add_tags"))
        case When.REMOVE_TAGS:
            return bool(fields.get("remove_tag_keys"))
        case When.CHANGED_TAGS:
            return bool(fields.get("add_tags") or fields.get("remove_tag_keys"))
        case When.SHOWN_TAGS:
            return call.project is not None and bool(call.project.tags)
        case When.WEB_SEARCH:
            tools = fields.get("tools")
            return isinstance(tools, list) and any(isinstance(t, dict) and t.get("type") == "web_search" for t in tools)
        case When.MARKETPLACE | When.EXTERNAL_WEB | When.SESSION_ROLE:
            # Accounts here are subscribed; without ExternalWebAccess the call succeeds all the same; there are no sessions.
            return False


def _resource(required: RequiredAction, call: Call) -> str:
    if required.on_project:
        if required.when == When.TAGS:
            # Seen in CloudTrail: TagResource is asked on the project that is about to be.
            return call.account.project_arn(call.account.next_id("proj", peek=True))
        return call.account.project_arn("*") if required.any_project else call.project_arn
    scope = Scope(call.caller.partition, call.account.id, (call.region,))
    return catalog.resource_arns(required.action, scope)[0]


def _denial(need: Need, call: Call, result: EvaluationResult) -> Denial:
    if result.decision is Decision.EXPLICIT_DENY:
        layer = result.determining[0].policy_type
        return Denial(call.caller.principal, need.action, need.resource, "explicit", layer)
    layer = min(result.withheld_by, key=_ORDER.index, default=PolicyType.IDENTITY)
    return Denial(call.caller.principal, need.action, need.resource, "implicit", layer)
