"""The table of purposes: what people want to do, as the calls that it takes, each with the reason and how that is known.

The calls are operations of ``mantle.operations``; actions are named only where no route is known.  ``presets.py`` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mantle_iam.mantle.operations import AuthMethod, When
from mantle_iam.mantle.sources import (
    AGENTS_API,
    AGENTS_SECURITY,
    CLOUDTRAIL,
    COUNT_TOKENS,
    DATA_RETENTION,
    ENDPOINTS,
    PROJECT_SECURITY,
    SAMPLES,
    SERVICE_AUTHORIZATION,
    TAGGING,
    USER_GUIDE,
    Source,
)

DOC, OBS, PKG, INF = Source.DOC, Source.OBS, Source.PKG, Source.INF

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
class Need:
    """An action that a purpose needs by itself, since no route for it is known, and why."""

    action: str
    """Full name."""
    reason: str
    source: Source = Source.DOC
    reference: str = SERVICE_AUTHORIZATION


@dataclass(frozen=True, slots=True)
class Purpose:
    """What somebody wants to do."""

    name: str
    title: str
    """One line for the help."""
    calls: tuple[Call, ...] = ()
    needs: tuple[Need, ...] = ()
    every_read: bool = False
    """Instead of calls: every safe operation that is no preview."""
    auth: AuthMethod = AuthMethod.LONG_TERM_KEY
    """The usual way of authenticating; where any is usual, the one whose permissions serve the others too."""
    marketplace: bool = False
    """Its models are all sold through AWS Marketplace."""
    notes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Other names by which it is found."""


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

_WEB_SEARCH = "the web_search tool of the Responses API needs more: --for web-search"
_NO_ROUTE = "no public HTTP route of these actions is documented, so none could be tried; the actions are those of the reference"


def _named(*names: str, reason: str) -> tuple[Need, ...]:
    return tuple(Need(f"bedrock-mantle:{name}", reason) for name in names)


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
        "Responses API, stored and background too, and list models.",
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
        "web-search",
        "Responses API with the web_search tool.",
        (
            _LIST_MODELS,
            Call("create-response", "Responses API with the web_search tool", DOC, RESPONSES_API, (When.WEB_SEARCH,)),
        ),
        notes=(
            "pages outside AWS need bedrock-websearch:ExternalWebAccess as well (--action bedrock-websearch:ExternalWebAccess); "
            "without it the call still answers 200 (OBS, one report)",
        ),
        aliases=("websearch",),
    ),
    Purpose(
        "embeddings",
        "Embeddings API.",
        (Call("create-embedding", "Embeddings API", DOC, CLOUDTRAIL),),
    ),
    Purpose(
        "read-only",
        "Every call that only reads.",
        every_read=True,
        aliases=("readonly",),
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
        aliases=("projects-administration", "project-administration", "projects-admin"),
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
        "reservations",
        "Create, read, change and delete reservations.",
        needs=_named(
            "CreateReservation",
            "GetReservation",
            "ListReservations",
            "UpdateReservation",
            "DeleteReservation",
            reason="administration of reservations",
        ),
        auth=AuthMethod.SIGV4,
        notes=(_NO_ROUTE, "a reservation costs money from the moment that it is made"),
    ),
    Purpose(
        "customized-models",
        "Create, read, associate and delete customized models.",
        needs=_named(
            "CreateCustomizedModel",
            "GetCustomizedModel",
            "ListCustomizedModels",
            "DeleteCustomizedModel",
            "AssociateCustomizedModel",
            "DisassociateCustomizedModel",
            "ListCustomizedModelAssociations",
            reason="administration of customized models",
        ),
        auth=AuthMethod.SIGV4,
        notes=(_NO_ROUTE,),
    ),
    Purpose(
        "managed-agents",
        "Sessions of Bedrock Managed Agents (preview).",
        (
            Call("create-agent-session", "sessions of agents", DOC, AGENTS_API, (When.SESSION_ROLE,)),
            Call("list-agent-sessions", "sessions of agents", DOC, AGENTS_API),
            Call("get-agent-session", "sessions of agents", DOC, AGENTS_API),
            Call("delete-agent-session", "sessions of agents", DOC, AGENTS_API),
            Call("create-agent-session-event", "to send a session its input", DOC, AGENTS_API),
            Call("list-agent-session-events", "to read what a session does", DOC, AGENTS_API),
            Call("list-agent-session-items", "to read what a session has made", DOC, AGENTS_API),
        ),
        auth=AuthMethod.SIGV4,
        notes=(
            "a preview: its actions are not in the Service Authorization Reference yet, and that they are authorised on the "
            "project is an inference",
            f"iam:PassRole is written for every role; put the ARN of the session's role there ({AGENTS_SECURITY})",
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
        "LiteLLM's bedrock_mantle provider, token counts included.",
        (_CHAT, _RESPONSE, _MESSAGE, _COUNT),
    ),
    Purpose(
        "agentcore-gateway",
        "AgentCore Gateway target, connector bedrock-mantle.",
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
