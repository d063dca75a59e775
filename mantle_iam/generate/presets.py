"""Purposes: what people want to do, as the calls that it takes, each with the reason and how that is known.

The calls are operations of ``mantle.operations``, so a purpose never names an action by itself; what is asked for by name
is ``actions.py``'s.  Knows no document and no format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.mantle.models import known_model
from mantle_iam.mantle.operations import (
    AuthMethod,
    Operation,
    Permission,
    When,
    bearer_permission,
    conditional_permissions,
    operation_named,
    operations,
    required_permissions,
)
from mantle_iam.mantle.operations import needs_marketplace as sold_on_marketplace
from mantle_iam.mantle.scope import Scope
from mantle_iam.mantle.sources import (
    CLOUDTRAIL,
    COUNT_TOKENS,
    DATA_RETENTION,
    ENDPOINTS,
    PROJECT_SECURITY,
    SAMPLES,
    TAGGING,
    USER_GUIDE,
    Source,
)

DOC, OBS, PKG = Source.DOC, Source.OBS, Source.PKG

MESSAGES_API: Final = USER_GUIDE + "inference-messages-api.html"
RESPONSES_API: Final = USER_GUIDE + "inference-responses-api.html"
STRANDS: Final = "https://github.com/strands-agents/sdk-python"


@dataclass(frozen=True, slots=True)
class Call:
    """One operation that a purpose makes, why, and how that is known."""

    operation: str
    """Name of an ``Operation``."""
    reason: str
    source: Source
    reference: str
    circumstances: tuple[When, ...] = ()
    """Circumstances that the purpose brings about, so that what the operation needs then is needed too."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What somebody wants to do."""

    name: str
    title: str
    """One line for the help."""
    calls: tuple[Call, ...]
    """Empty for ``read-only``: every safe operation that is no preview."""
    auth: AuthMethod = AuthMethod.LONG_TERM_KEY
    """The usual way of authenticating; where any is usual, the one whose permissions serve the others too."""
    marketplace: bool = False
    """Its models are all sold through AWS Marketplace."""
    notes: tuple[str, ...] = ()


_LIST_MODELS = Call("list-models", "to see which models there are", DOC, ENDPOINTS)
_GET_MODEL = Call("get-model", "to look one model up", DOC, ENDPOINTS)
_RESPONSE = Call("create-response", "Responses API", DOC, RESPONSES_API)
_CHAT = Call("create-chat-completion", "Chat Completions API", DOC, ENDPOINTS)
_MESSAGE = Call("create-message", "Messages API", DOC, MESSAGES_API)
_COUNT = Call("count-tokens", "its own action, which no managed inference policy has", DOC, COUNT_TOKENS)
_FILES = (
    Call("list-files", "Files API", DOC, SAMPLES),
    Call("create-file", "Files API: upload", DOC, SAMPLES),
    Call("get-file", "Files API: look up and download", DOC, SAMPLES),
)

_WEB_SEARCH = (
    "the web_search tool of the Responses API needs more: --action bedrock-websearch:InvokeSearch "
    "--action bedrock-websearch:InvokeFetch"
)

# In the order of the help: from the plain purposes to the clients.
PURPOSES: Final[tuple[Purpose, ...]] = (
    Purpose("models", "List and look up models.", (_LIST_MODELS, _GET_MODEL)),
    Purpose(
        "inference",
        "Call models through any API, and list them.",
        (_LIST_MODELS, _GET_MODEL, _RESPONSE, _CHAT, _MESSAGE),
    ),
    Purpose("chat", "Chat Completions API, and list models.", (_LIST_MODELS, _CHAT)),
    Purpose(
        "responses",
        "Responses API with stored and background responses, and list models.",
        (
            _LIST_MODELS,
            _RESPONSE,
            Call("get-response", "to read a stored or background response", DOC, RESPONSES_API),
            Call("cancel-response", "to stop a background response", DOC, RESPONSES_API),
            Call("delete-response", "to delete a stored response", DOC, RESPONSES_API),
        ),
        notes=(_WEB_SEARCH,),
    ),
    Purpose(
        "messages",
        "Messages API (Claude) with token counting.",
        (_MESSAGE, _COUNT),
        marketplace=True,
    ),
    Purpose(
        "embeddings",
        "Embeddings API.",
        (Call("create-embedding", "Embeddings API", DOC, CLOUDTRAIL),),
    ),
    Purpose(
        "read-only",
        "Every call that only reads.",
        (),
        notes=("what a project holds (files, stored responses) can be read with this",),
    ),
    Purpose(
        "files",
        "Files API: list, upload, read, delete.",
        (*_FILES, Call("delete-file", "Files API: delete", DOC, SAMPLES)),
    ),
    Purpose(
        "fine-tuning",
        "Fine-tuning jobs and their files.",
        (
            *_FILES,
            Call("list-fine-tuning-jobs", "Fine-tuning API", DOC, SAMPLES),
            Call("create-fine-tuning-job", "Fine-tuning API", DOC, SAMPLES),
            Call("get-fine-tuning-job", "Fine-tuning API: state, events, checkpoints", DOC, SAMPLES),
            Call("cancel-fine-tuning-job", "Fine-tuning API", DOC, SAMPLES),
        ),
    ),
    Purpose(
        "projects",
        "Create, tag, read, change and archive projects.",
        (
            Call("list-projects", "Projects API; the answer holds tags", DOC, PROJECT_SECURITY),
            Call("create-project", "Projects API, with tags", DOC, TAGGING, (When.TAGS,)),
            Call("get-project", "Projects API", DOC, PROJECT_SECURITY),
            Call(
                "update-project",
                "Projects API, with tags",
                DOC,
                TAGGING,
                (When.ADD_TAGS, When.REMOVE_TAGS, When.CHANGED_TAGS),
            ),
            Call("archive-project", "Projects API", DOC, PROJECT_SECURITY),
        ),
    ),
    Purpose(
        "data-retention",
        "Read and set the account's data retention.",
        (
            Call("get-data-retention", "Data retention API", DOC, DATA_RETENTION),
            Call("put-data-retention", "Data retention API", DOC, DATA_RETENTION),
        ),
    ),
    Purpose(
        "claude-code",
        "Claude Code with CLAUDE_CODE_USE_MANTLE=1.",
        (_MESSAGE, _COUNT),
        marketplace=True,
    ),
    Purpose(
        "codex",
        "Codex CLI with the amazon-bedrock provider.",
        (
            Call("create-response", "Codex speaks the Responses API", PKG, RESPONSES_API),
            Call("get-response", "granted by published Terraform for Codex", OBS, RESPONSES_API),
            Call("cancel-response", "granted by published Terraform for Codex", OBS, RESPONSES_API),
            _LIST_MODELS,
            _GET_MODEL,
        ),
        notes=(_WEB_SEARCH,),
    ),
    Purpose(
        "strands",
        "Strands Agents with bedrock_mantle_config.",
        (
            Call("create-chat-completion", "Strands' chat models", PKG, STRANDS),
            Call("create-response", "Strands' responses models", PKG, STRANDS),
        ),
        auth=AuthMethod.SHORT_TERM_KEY,
        notes=(
            "Strands makes a short-term key of whatever credentials it finds, so a role needs the key's permission too",
        ),
    ),
    Purpose(
        "litellm",
        "LiteLLM's bedrock_mantle provider: chat, responses, messages, token counting.",
        (_CHAT, _RESPONSE, _MESSAGE, _COUNT),
    ),
    Purpose(
        "agentcore-gateway",
        "AgentCore Gateway target with the bedrock-mantle connector.",
        (
            Call(
                "list-models",
                "the connector lists models when the target is created; without it the target is FAILED",
                OBS,
                ENDPOINTS,
            ),
            _CHAT,
            _RESPONSE,
        ),
        auth=AuthMethod.SIGV4,
    ),
)


def purpose_names() -> tuple[str, ...]:
    """The purposes, in the order of the help."""
    return tuple(purpose.name for purpose in PURPOSES)


def find_purpose(name: str) -> Purpose:
    """The purpose called ``name``.

    Raises:
        InputError: there is none.
    """
    wanted = name.strip().lower().replace("_", "-")
    for purpose in PURPOSES:
        if purpose.name == wanted:
            return purpose
    near = get_close_matches(wanted, purpose_names(), n=1)
    advice = f"did you mean {near[0]}?" if near else f"purposes: {', '.join(purpose_names())}"
    raise InputError(f"no purpose `{name}`", help=advice)


def operations_of(purpose: Purpose) -> tuple[tuple[Operation, Call], ...]:
    """The operations of ``purpose``, each with the call that asks for it."""
    if not purpose.calls:
        return tuple(
            (operation, Call(operation.name, "a call that only reads", operation.source, operation.reference))
            for operation in operations()
            if operation.method == "GET" and operation.safe and not operation.preview and operation.source is DOC
        )
    found = ((operation_named(call.operation), call) for call in purpose.calls)
    return tuple((operation, call) for operation, call in found if operation is not None)


def permissions_for(
    purpose: Purpose, auth: AuthMethod, scope: Scope, *, marketplace: bool | None = None
) -> tuple[Permission, ...]:
    """Everything that ``purpose`` needs.

    ``marketplace``: with the rights of the account's first call to a model that AWS Marketplace sells; ``None``: where the
    purpose or a model of ``scope`` is known to need them.
    """
    if marketplace is None:
        marketplace = bool(needs_marketplace(purpose, scope))
    # Once for all calls, so that the reason is not told for each.
    found = [bearer_permission()] if auth.is_bearer else []
    for operation, call in operations_of(purpose):
        found.extend(
            _with_reason(permission, call) for permission in required_permissions(operation, AuthMethod.SIGV4, scope)
        )
        wanted = {*call.circumstances, *([When.MARKETPLACE] if marketplace else [])}
        # A scope without models leaves Marketplace in; whether it is wanted has been decided above.
        found.extend(
            conditional.permission
            for conditional in conditional_permissions(operation, replace(scope, models=()))
            if conditional.when in wanted
        )
    return tuple(dict.fromkeys(found))


def _with_reason(permission: Permission, call: Call) -> Permission:
    """The permission, saying for what the call is made beside what the call needs."""
    # The permission's own source is that of the route; that the client makes the call may be known in another way.
    reason = call.reason if call.source is DOC else f"{call.reason} [{call.source}]"
    return replace(permission, because=f"{reason} ({permission.because})" if permission.because else reason)


def unserved_models(purposes: tuple[Purpose, ...], models: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence for each model that is known to serve none of the inference APIs of ``purposes``."""
    apis = tuple(
        dict.fromkeys(
            operation.api
            for purpose in purposes
            for operation, _ in operations_of(purpose)
            if operation.api is not None and operation.billable
        )
    )
    known = [known for model in models if (known := known_model(model)) is not None] if apis else []
    return tuple(
        f"model {model.id} serves {', '.join(model.apis)} and not {', '.join(apis)}: such a call fails whatever the policy"
        for model in known
        if not set(model.apis) & set(apis)
    )


def needs_marketplace(purpose: Purpose, scope: Scope) -> bool | None:
    """Whether the first call in an account must be able to subscribe to a model; ``None`` when that is not known.

    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
    """
    if not any(operation.api is not None and operation.billable for operation, _ in operations_of(purpose)):
        return False
    return sold_on_marketplace(scope.models) if scope.models else (purpose.marketplace or None)
