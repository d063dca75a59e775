"""AWS's managed policies that concern Mantle: what each is meant for, and which of its versions are known to have existed.

The texts are data (``policies/managed/``) and not read here; what a text allows is computed elsewhere, never written down here.
Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/security-iam-awsmanpol.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mantle_iam.mantle.overlay import PREVIEW_ACTIONS, SERVICE


class MadeFor(StrEnum):
    """Whom AWS made a policy for, which decides whether it is offered to anybody."""

    PEOPLE = "people"
    """Users, groups and roles of any kind."""
    WEB_SEARCH = "web-search"
    """The same, as an addition to another policy."""
    SERVICE = "service"
    """The role of one other service; not offered."""
    RUNTIME = "runtime"
    """bedrock-runtime; named here since its name promises otherwise."""


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """A managed policy and what is known of it beside its text."""

    name: str
    made_for: MadeFor
    summary: str
    """What it is for, in a line."""
    words: tuple[str, ...] = ()
    """Short words for it; the first is that of ``attach --managed`` where ``attachable``."""
    attachable: bool = False
    """Whether ``attach --managed`` knows it."""
    versions: tuple[tuple[str, str | None], ...] = ()
    """Versions known to have been the default one, with the day (``YYYY-MM-DD``) where that is known.  Not complete: AWS
    publishes no history."""


# From the narrowest to the widest; the first that covers something is the one to name.
KNOWN: Final = (
    KnownPolicy(
        "AmazonBedrockMantleReadOnly",
        MadeFor.PEOPLE,
        "List and look up models and what projects hold; no inference.",
        ("read-only",),
        attachable=True,
        versions=(("v1", "2025-12-04"), ("v2", None), ("v3", "2026-02-12")),
    ),
    KnownPolicy(
        "AmazonBedrockMantleInferenceAccess",
        MadeFor.PEOPLE,
        "Call models, and read what projects hold.",
        ("inference",),
        attachable=True,
        versions=(
            ("v1", "2025-12-04"),
            ("v2", "2026-02-11"),
            ("v3", "2026-02-12"),
            ("v4", "2026-04-09"),
            ("v5", "2026-08-04"),
        ),
    ),
    KnownPolicy(
        "AmazonBedrockLimitedAccess",
        MadeFor.PEOPLE,
        "What the console attaches to the user of a long-term key: bedrock, and some of Mantle.",
        ("limited",),
        versions=(
            ("v1", "2025-06-29"),
            ("v2", "2025-12-05"),
            ("v3", None),
            ("v4", None),
            ("v5", None),
            ("v6", "2026-02-12"),
            ("v7", "2026-03-23"),
            ("v8", "2026-04-09"),
            ("v9", "2026-08-04"),
        ),
    ),
    KnownPolicy(
        "AmazonBedrockMantleFullAccess",
        MadeFor.PEOPLE,
        "Everything in Mantle.",
        ("full",),
        attachable=True,
        versions=(
            ("v1", "2025-12-04"),
            ("v2", "2026-02-11"),
            ("v3", "2026-02-12"),
            ("v4", "2026-04-09"),
            ("v5", "2026-08-04"),
        ),
    ),
    KnownPolicy(
        "AmazonBedrockFullAccess",
        MadeFor.PEOPLE,
        "Everything in bedrock and in Mantle, and what the former needs of other services.",
        ("bedrock-full",),
        versions=(("v4", "2025-12-05"), ("v10", "2026-02-12"), ("v11", "2026-08-04")),
    ),
    KnownPolicy(
        "AmazonBedrockReadOnly",
        MadeFor.RUNTIME,
        "Reads in bedrock; despite its name, nothing in Mantle.",
        versions=(("v7", "2026-02-12"),),
    ),
    KnownPolicy(
        "AmazonBedrockWebSearchReadOnly",
        MadeFor.WEB_SEARCH,
        "The web_search tool without pages outside AWS.",
        versions=(("v1", "2026-08-03"),),
    ),
    KnownPolicy(
        "AmazonBedrockWebSearchFullAccess",
        MadeFor.WEB_SEARCH,
        "The web_search tool without pages outside AWS.",
        versions=(("v1", "2026-08-03"),),
    ),
    KnownPolicy(
        "AmazonBedrockExternalWebSearchReadOnly",
        MadeFor.WEB_SEARCH,
        "The web_search tool, meant with pages outside AWS.",
        versions=(("v1", "2026-08-03"),),
    ),
    KnownPolicy(
        "AmazonBedrockExternalWebSearchFullAccess",
        MadeFor.WEB_SEARCH,
        "The web_search tool, meant with pages outside AWS.",
        versions=(("v1", "2026-08-03"),),
    ),
    KnownPolicy(
        "AmazonBedrockAgentCoreMemoryBedrockModelInferenceExecutionRolePolicy",
        MadeFor.SERVICE,
        "For the execution role of an AgentCore memory.",
        versions=(("v4", "2026-07-17"),),
    ),
    KnownPolicy(
        "CloudWatchOmniModelInferencePolicy",
        MadeFor.SERVICE,
        "For the role with which CloudWatch evaluates agents.",
        versions=(("v1", "2026-09-22"),),
    ),
    KnownPolicy(
        "BedrockAgentCoreFullAccess",
        MadeFor.SERVICE,
        "Everything in AgentCore, and inference in Mantle for its evaluations.",
        versions=(("v21", "2026-09-03"),),
    ),
)


@dataclass(frozen=True, slots=True)
class Capability:
    """What people call one thing, and the actions that it takes."""

    name: str
    title: str
    actions: tuple[str, ...]
    """Full names."""


def _mantle(name: str, title: str, *actions: str) -> Capability:
    return Capability(name, title, tuple(f"{SERVICE}:{action}" for action in actions))


# In the order in which people ask.  Every action of the catalogue is in one of them (a test sees to it).
CAPABILITIES: Final = (
    _mantle("keys", "Bedrock API keys", "CallWithBearerToken"),
    _mantle("models", "models", "ListModels", "GetModel"),
    _mantle("inference", "inference", "CreateInference", "GetInference", "CancelInference", "DeleteInference"),
    _mantle("token-counting", "token counting", "CountTokens"),
    _mantle("files", "files", "ListFiles", "GetFile", "CreateFile", "DeleteFile"),
    _mantle(
        "fine-tuning",
        "fine-tuning",
        "ListFineTuningJobs",
        "GetFineTuningJob",
        "CreateFineTuningJob",
        "CancelFineTuningJob",
    ),
    _mantle("projects", "projects", "ListProjects", "GetProject", "CreateProject", "UpdateProject", "ArchiveProject"),
    _mantle("tags", "tags", "ListTagsForResource", "TagResource", "UntagResource"),
    _mantle("data-retention", "data retention", "GetAccountDataRetention", "PutAccountDataRetention"),
    _mantle(
        "reservations",
        "reservations",
        "ListReservations",
        "GetReservation",
        "CreateReservation",
        "UpdateReservation",
        "DeleteReservation",
    ),
    _mantle(
        "customized-models",
        "customized models",
        "ListCustomizedModels",
        "GetCustomizedModel",
        "ListCustomizedModelAssociations",
        "CreateCustomizedModel",
        "DeleteCustomizedModel",
        "AssociateCustomizedModel",
        "DisassociateCustomizedModel",
    ),
    _mantle("managed-agents", "managed agents", *(action.name for action in PREVIEW_ACTIONS)),
    Capability(
        "web-search",
        "web search",
        ("bedrock-websearch:InvokeSearch", "bedrock-websearch:InvokeFetch", "bedrock-websearch:ExternalWebAccess"),
    ),
    Capability("marketplace", "Marketplace models", ("aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions")),
)


def known_policy(name: str) -> KnownPolicy | None:
    """What is known of the policy ``name`` (compared without case), or of the one with that short word."""
    folded = name.strip().lower()
    return next((one for one in KNOWN if folded == one.name.lower() or folded in one.words), None)


def newest_first(version: str) -> int:
    """A sort key for version ids: ``v11`` is newer than ``v9``.  Ids of another form come last."""
    digits = version.lower().removeprefix("v")
    return -int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 1
