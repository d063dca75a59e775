"""The HTTP routes of the service and the permissions that each needs, per way of authenticating.

Decides what a call must be allowed to do; must not know who calls, what is granted or what was answered.  CloudTrail's event
name is the action's name, which is how most of the table is documented.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/logging-cloudtrail-mantle.html; further ones stand at their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from mantle_iam.iam.policy import Condition
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.models import Api, known_model
from mantle_iam.mantle.scope import Scope as Scope
from mantle_iam.mantle.scope_conditions import scoped_conditions
from mantle_iam.mantle.sources import (
    AGENTS_API,
    AGENTS_SECURITY,
    CLOUDTRAIL,
    COUNT_TOKENS,
    DATA_RETENTION,
    MODEL_ACCESS,
    PROJECT_SECURITY,
    SAMPLES,
    TAGGING,
)
from mantle_iam.mantle.sources import Source as Source


class AuthMethod(StrEnum):
    """Ways of authenticating, as the command line spells them."""

    SIGV4 = "sigv4"
    SHORT_TERM_KEY = "short-term-key"
    LONG_TERM_KEY = "long-term-key"

    @property
    def is_bearer(self) -> bool:
        """Whether a key is sent, so that ``CallWithBearerToken`` is needed as well."""
        return self is not AuthMethod.SIGV4


class When(StrEnum):
    """Circumstances in which a call needs more; the words stand in ``RequiredAction.when``."""

    TAGS = "tags in the body"
    ADD_TAGS = "add_tags in the body"
    REMOVE_TAGS = "remove_tag_keys in the body"
    CHANGED_TAGS = "add_tags or remove_tag_keys in the body"
    SHOWN_TAGS = "the answer shows tags"
    MARKETPLACE = "first call to a model sold through AWS Marketplace"
    WEB_SEARCH = "the web_search tool in the body"
    EXTERNAL_WEB = "the web_search tool with external web access, its default"
    SESSION_ROLE = "a role for the agent session in the body"


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource pattern, under conditions: the unit of what is missing, wanted and granted.

    ``resource`` is an ARN pattern or ``*``.  ``because`` says which call needs it and how that is known.
    """

    action: str
    resource: str
    conditions: tuple[Condition, ...] = ()
    because: str = ""
    source: Source = Source.DOC
    reference: str = ""


@dataclass(frozen=True, slots=True)
class RequiredAction:
    """An action that an operation needs, as the table holds it."""

    action: str
    """Full name."""
    on_project: bool = True
    """On the project's ARN; else on what the catalogue says (``*`` where the action has no resource type)."""
    when: str | None = None
    """``None``: always; else the condition in words (``tags in the body``, ``first call to a Marketplace model``)."""
    source: Source = Source.DOC
    reference: str = ""
    any_project: bool = False
    """On ``project/*`` whatever the scope names: the call lists projects or makes one, so no single ARN covers it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method and path template.  ``actions`` leaves out ``CallWithBearerToken``, which the way of authenticating adds."""

    name: str
    """Kebab-case, unique: ``list-models``, ``create-response``, ``create-chat-completion`` …"""
    method: str
    path: str
    """Template with ``{id}``; the full path, base path included (``/v1/models/{model}``)."""
    actions: tuple[RequiredAction, ...]
    safe: bool
    """Reads only (RFC 9110 section 9.2.1)."""
    billable: bool = False
    preview: bool = False
    source: Source = Source.DOC
    reference: str = ""
    api: Api | None = None
    """The inference API that it belongs to; ``None`` for all else."""

    @property
    def action(self) -> str:
        """The action after which CloudTrail names the event."""
        return self.actions[0].action


@dataclass(frozen=True, slots=True)
class ConditionalPermission:
    """A permission that a call needs only under a circumstance."""

    when: When
    permission: Permission


def _need(name: str, *, any_project: bool = False, on_project: bool = True) -> RequiredAction:
    return RequiredAction(f"{overlay.SERVICE}:{name}", on_project, None, Source.DOC, CLOUDTRAIL, any_project)


def _also(
    action: str,
    when: When | None,
    source: Source,
    reference: str,
    *,
    on_project: bool = True,
    any_project: bool = False,
) -> RequiredAction:
    return RequiredAction(action, on_project, when, source, reference, any_project)


_INFERENCE: Final = (
    _need("CreateInference"),
    _also("aws-marketplace:Subscribe", When.MARKETPLACE, Source.DOC, MODEL_ACCESS, on_project=False),
    _also("aws-marketplace:ViewSubscriptions", When.MARKETPLACE, Source.DOC, MODEL_ACCESS, on_project=False),
)
_WEB_SEARCH: Final = (
    _also("bedrock-websearch:InvokeSearch", When.WEB_SEARCH, Source.DOC, SAMPLES, on_project=False),
    _also("bedrock-websearch:InvokeFetch", When.WEB_SEARCH, Source.DOC, SAMPLES, on_project=False),
    # Without it the call still answers 200; only the pages outside AWS are missing from the answer.
    _also("bedrock-websearch:ExternalWebAccess", When.EXTERNAL_WEB, Source.OBS, SAMPLES, on_project=False),
)
_TAG: Final = "bedrock-mantle:TagResource"
_UNTAG: Final = "bedrock-mantle:UntagResource"
_LIST_TAGS: Final = "bedrock-mantle:ListTagsForResource"

# Granting only ListProjects made the whole request fail, naming ListTagsForResource.
_LIST_PROJECTS: Final = (
    _need("ListProjects", any_project=True),
    _also(_LIST_TAGS, None, Source.OBS, PROJECT_SECURITY, any_project=True),
)
# CloudTrail showed TagResource on project/<the new id> as the denied action of a CreateProject with tags.
_CREATE_PROJECT: Final = (
    _need("CreateProject", any_project=True),
    _also(_TAG, When.TAGS, Source.OBS, TAGGING, any_project=True),
)
_GET_PROJECT: Final = (_need("GetProject"), _also(_LIST_TAGS, When.SHOWN_TAGS, Source.INF, TAGGING))
_UPDATE_PROJECT: Final = (
    _need("UpdateProject"),
    _also(_TAG, When.ADD_TAGS, Source.OBS, TAGGING),
    _also(_UNTAG, When.REMOVE_TAGS, Source.INF, TAGGING),
    _also(_LIST_TAGS, When.CHANGED_TAGS, Source.OBS, TAGGING),
)
_CREATE_SESSION: Final = (
    RequiredAction("bedrock-mantle:CreateAgentSession", True, None, Source.INF, AGENTS_API),
    _also("iam:PassRole", When.SESSION_ROLE, Source.DOC, AGENTS_SECURITY, on_project=False),
)


def _read(name: str, path: str, action: str) -> Operation:
    return Operation(name, "GET", path, (_need(action),), safe=True, reference=CLOUDTRAIL)


def _write(name: str, method: str, path: str, *actions: RequiredAction, billable: bool = False) -> Operation:
    return Operation(name, method, path, actions, safe=False, billable=billable, reference=CLOUDTRAIL)


def _infer(name: str, path: str, api: Api, *also: RequiredAction) -> Operation:
    return Operation(name, "POST", path, (*_INFERENCE, *also), safe=False, billable=True, reference=CLOUDTRAIL, api=api)


def _inferred(operation: Operation) -> Operation:
    """The route is documented under ``/v1`` only; that its twin exists beside ``POST /openai/v1/responses`` is an inference."""
    return replace(operation, source=Source.INF)


def _agents(name: str, method: str, path: str, *actions: RequiredAction) -> Operation:
    # The routes and the actions are documented; which belongs to which is inferred from their names.
    return Operation(
        name, method, path, actions, safe=method == "GET", preview=True, source=Source.INF, reference=AGENTS_API
    )


def _agent_action(name: str) -> RequiredAction:
    return RequiredAction(f"{overlay.SERVICE}:{name}", True, None, Source.INF, AGENTS_API)


_SESSIONS: Final = "/openai/v1/agents/sessions"

OPERATIONS: Final = (
    _read("list-models", "/v1/models", "ListModels"),
    _read("get-model", "/v1/models/{model}", "GetModel"),
    _infer("create-response", "/v1/responses", Api.RESPONSES, *_WEB_SEARCH),
    _infer("create-response-openai", "/openai/v1/responses", Api.RESPONSES, *_WEB_SEARCH),
    _infer("compact-response", "/v1/responses/compact", Api.RESPONSES),
    _infer("create-chat-completion", "/v1/chat/completions", Api.CHAT),
    _infer("create-chat-completion-openai", "/openai/v1/chat/completions", Api.CHAT),
    _infer("create-embedding", "/v1/embeddings", Api.EMBEDDINGS),
    _infer("create-message", "/anthropic/v1/messages", Api.MESSAGES),
    # Free of charge and changes nothing, though it is a POST.
    Operation(
        "count-tokens",
        "POST",
        "/anthropic/v1/messages/count_tokens",
        (_need("CountTokens"),),
        safe=True,
        reference=COUNT_TOKENS,
        api=Api.MESSAGES,
    ),
    _read("get-response", "/v1/responses/{id}", "GetInference"),
    _write("cancel-response", "POST", "/v1/responses/{id}/cancel", _need("CancelInference")),
    _write("delete-response", "DELETE", "/v1/responses/{id}", _need("DeleteInference")),
    _inferred(_read("get-response-openai", "/openai/v1/responses/{id}", "GetInference")),
    _inferred(_write("cancel-response-openai", "POST", "/openai/v1/responses/{id}/cancel", _need("CancelInference"))),
    _inferred(_write("delete-response-openai", "DELETE", "/openai/v1/responses/{id}", _need("DeleteInference"))),
    _read("list-files", "/v1/files", "ListFiles"),
    _write("create-file", "POST", "/v1/files", _need("CreateFile")),
    _read("get-file", "/v1/files/{id}", "GetFile"),
    _read("get-file-content", "/v1/files/{id}/content", "GetFile"),
    _write("delete-file", "DELETE", "/v1/files/{id}", _need("DeleteFile")),
    _read("list-fine-tuning-jobs", "/v1/fine_tuning/jobs", "ListFineTuningJobs"),
    _write("create-fine-tuning-job", "POST", "/v1/fine_tuning/jobs", _need("CreateFineTuningJob"), billable=True),
    _read("get-fine-tuning-job", "/v1/fine_tuning/jobs/{id}", "GetFineTuningJob"),
    _read("list-fine-tuning-events", "/v1/fine_tuning/jobs/{id}/events", "GetFineTuningJob"),
    _read("list-fine-tuning-checkpoints", "/v1/fine_tuning/jobs/{id}/checkpoints", "GetFineTuningJob"),
    _write("cancel-fine-tuning-job", "POST", "/v1/fine_tuning/jobs/{id}/cancel", _need("CancelFineTuningJob")),
    Operation("list-projects", "GET", "/v1/organization/projects", _LIST_PROJECTS, safe=True, reference=CLOUDTRAIL),
    _write("create-project", "POST", "/v1/organization/projects", *_CREATE_PROJECT),
    Operation("get-project", "GET", "/v1/organization/projects/{id}", _GET_PROJECT, safe=True, reference=CLOUDTRAIL),
    _write("update-project", "POST", "/v1/organization/projects/{id}", *_UPDATE_PROJECT),
    _write("archive-project", "POST", "/v1/organization/projects/{id}/archive", _need("ArchiveProject")),
    Operation(
        "get-data-retention",
        "GET",
        "/v1/data_retention",
        (_need("GetAccountDataRetention", on_project=False),),
        safe=True,
        reference=DATA_RETENTION,
    ),
    Operation(
        "put-data-retention",
        "PUT",
        "/v1/data_retention",
        (_need("PutAccountDataRetention", on_project=False),),
        safe=False,
        reference=DATA_RETENTION,
    ),
    _agents("create-agent-session", "POST", _SESSIONS, *_CREATE_SESSION),
    _agents("list-agent-sessions", "GET", _SESSIONS, _agent_action("ListAgentSessions")),
    _agents("get-agent-session", "GET", f"{_SESSIONS}/{{id}}", _agent_action("GetAgentSession")),
    _agents("delete-agent-session", "DELETE", f"{_SESSIONS}/{{id}}", _agent_action("DeleteAgentSession")),
    _agents(
        "create-agent-session-event", "POST", f"{_SESSIONS}/{{id}}/events", _agent_action("CreateAgentSessionEvent")
    ),
    _agents("list-agent-session-events", "GET", f"{_SESSIONS}/{{id}}/events", _agent_action("ListAgentSessionEvents")),
    _agents("list-agent-session-items", "GET", f"{_SESSIONS}/{{id}}/items", _agent_action("ListAgentSessionItems")),
)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _by_shape() -> Mapping[tuple[str, int], tuple[tuple[tuple[str, ...], Operation], ...]]:
    """Operations by method and number of segments; templates without a parameter first, since they are the narrower."""
    found: dict[tuple[str, int], list[tuple[tuple[str, ...], Operation]]] = {}
    for operation in sorted(OPERATIONS, key=lambda each: each.path.count("{")):
        segments = _segments(operation.path)
        found.setdefault((operation.method, len(segments)), []).append((segments, operation))
    return MappingProxyType({shape: tuple(entries) for shape, entries in found.items()})


_PROJECT_ACTION: Final = "bedrock-mantle:CreateInference"
"""Any action whose only resource type is the project: what the catalogue makes of the scope's projects."""

_BY_SHAPE: Final = _by_shape()
_BY_NAME: Final = MappingProxyType({operation.name: operation for operation in OPERATIONS})


def operations() -> tuple[Operation, ...]:
    """Every route known."""
    return OPERATIONS


def operation_named(name: str) -> Operation | None:
    """The operation with that name, or ``None``."""
    return _BY_NAME.get(name)


def match_operation(method: str, path: str) -> Operation | None:
    """The operation that serves ``method path`` (query ignored), or ``None`` when there is no such route."""
    segments = _segments(path.partition("?")[0].partition("#")[0])
    for template, operation in _BY_SHAPE.get((method.upper(), len(segments)), ()):
        if all(want == got or (want.startswith("{") and got) for want, got in zip(template, segments, strict=True)):
            return operation
    return None


def operations_needing(action: str) -> tuple[Operation, ...]:
    """Operations that always need ``action`` (compared without case)."""
    folded = action.lower()
    return tuple(
        operation
        for operation in OPERATIONS
        if any(need.action.lower() == folded and need.when is None for need in operation.actions)
    )


def required_permissions(operation: Operation, auth: AuthMethod, scope: Scope) -> tuple[Permission, ...]:
    """Every permission that ``operation`` needs always, with ``CallWithBearerToken`` where a key is used."""
    found = [
        permission
        for need in operation.actions
        if need.when is None
        for permission in _permissions(operation, need, scope)
    ]
    if auth.is_bearer:
        found.insert(0, bearer_permission(operation, scope))
    return _distinct(found)


def conditional_permissions(operation: Operation, scope: Scope) -> tuple[ConditionalPermission, ...]:
    """What ``operation`` needs besides, each with the circumstance: tags in the body, the first call to a Marketplace model …

    Marketplace is left out when every model of ``scope`` is known not to be sold there.
    """
    return tuple(
        ConditionalPermission(When(need.when), permission)
        for need in operation.actions
        if need.when is not None and not (need.when == When.MARKETPLACE and needs_marketplace(scope.models) is False)
        for permission in _permissions(operation, need, scope)
    )


def needs_marketplace(models: Iterable[str]) -> bool | None:
    """Whether an account's first call to one of ``models`` needs AWS Marketplace rights; ``None`` when that is not known.

    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-access-product-ids.html (vendors not sold there).
    """
    known = [known_model(model) for model in models]
    answers = {None if model is None else model.marketplace for model in known}
    if True in answers:
        return True
    return False if answers == {False} else None


def bearer_permission(operation: Operation | None = None, scope: Scope | None = None) -> Permission:
    """``CallWithBearerToken`` on ``*``, which has no resource type and so takes no ARN."""
    call = f"`{operation.method} {operation.path}`" if operation else "a call"
    return Permission(
        overlay.BEARER_ACTION,
        "*",
        scoped_conditions(overlay.BEARER_ACTION, "*", scope or Scope()),
        because=f"{call} with a key needs it beside its own action",
        source=Source.DOC,
        reference=overlay.BEARER_REFERENCE,
    )


def permissions_for_action(action: str, scope: Scope, *, because: str = "") -> tuple[Permission, ...]:
    """``action`` on the narrowest resources of ``scope``, with the model condition where it carries that key.

    An action that the catalogue does not have is granted on ``*``, since nothing narrower is known of it.
    """
    info = catalog.known_action(action)
    where = replace(scope, projects=()) if takes_any_project(action) else scope
    if scope.project_tags and not where.projects:
        # Whoever names the tags of projects means projects, where an action takes any one of several resource types.
        where = replace(where, projects=("*",))
    return tuple(
        Permission(
            info.name if info else action,
            resource,
            scoped_conditions(action, resource, scope, any_project=takes_any_project(action)),
            because,
            info.source if info else Source.INF,
            info.reference if info else "",
        )
        for resource in catalog.resource_arns(action, where)
    )


def takes_any_project(action: str) -> bool:
    """Whether the call named after ``action`` lists projects or makes one, so that no single project's ARN covers it."""
    folded = action.lower()
    return any(operation.actions[0].any_project for operation in OPERATIONS if operation.action.lower() == folded)


def _permissions(operation: Operation, need: RequiredAction, scope: Scope) -> tuple[Permission, ...]:
    where = replace(scope, projects=()) if need.any_project else scope
    resources = catalog.resource_arns(_PROJECT_ACTION if need.on_project else need.action, where)
    because = f"`{operation.method} {operation.path}` needs it" + (f": {need.when}" if need.when else "")
    if need.any_project and scope.projects:
        because += "; on every project, since no single project's ARN was seen to cover it"
    return tuple(
        Permission(
            need.action,
            resource,
            scoped_conditions(need.action, resource, scope, any_project=need.any_project),
            because,
            need.source,
            need.reference,
        )
        for resource in resources
    )


def _distinct(permissions: list[Permission]) -> tuple[Permission, ...]:
    return tuple(dict.fromkeys(permissions))
