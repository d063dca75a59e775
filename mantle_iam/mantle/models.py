"""Which model family lives on which base path and serves which API, and what people write instead of a bare model id.

No Mantle API reports a model's base path, so this is a table by prefix; ``GET /v1/models`` in the region stays the truth
about which models there are.  Nothing here knows a request or an answer.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html (base paths) and the answers committed in
https://github.com/aws-samples/sample-per-model-bedrock (which API each model serves, August 2026).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mantle_iam.mantle.sources import ENDPOINTS, SAMPLES, Source


class Api(StrEnum):
    """The inference APIs."""

    RESPONSES = "responses"
    CHAT = "chat"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model id: base paths it is served on and the APIs, with the source of that."""

    id: str
    base_path: str
    apis: tuple[Api, ...]
    reference: str
    source: Source = Source.OBS
    family: str = ""
    """The prefix of the table that it was recognised by."""
    marketplace: bool | None = None
    """Sold through AWS Marketplace, so that the account's first call needs ``aws-marketplace`` rights; ``None``: not known."""
    regions_seen: tuple[str, ...] = ()
    """Regions whose model list was seen to hold exactly this id; empty says nothing."""


@dataclass(frozen=True, slots=True)
class ModelId:
    """A model id as somebody wrote it, and the bare id that Mantle takes."""

    written: str
    bare: str
    removed: tuple[str, ...] = ()
    """What was taken off, in sentences; empty when ``written`` is bare already."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose id begins with ``prefix``."""

    prefix: str
    base_path: str
    apis: tuple[Api, ...]
    marketplace: bool | None
    source: Source
    reference: str


_BOTH: Final = (Api.RESPONSES, Api.CHAT)
_CHAT: Final = (Api.CHAT,)

# "Models from the following providers aren't sold through AWS Marketplace: Amazon, DeepSeek, Mistral AI, Meta, Qwen, OpenAI":
# those are False; Anthropic is listed there with product ids: True; the page does not name the others: None.
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-access-product-ids.html

# The longest prefix wins, so the order does not matter; it is by base path, then by vendor.
FAMILIES: Final = (
    Family("openai.gpt-5", "/openai/v1", _BOTH, False, Source.DOC, ENDPOINTS),
    Family("openai.gpt-6", "/openai/v1", _BOTH, False, Source.DOC, ENDPOINTS),
    Family("google.gemma-4", "/openai/v1", _BOTH, None, Source.DOC, ENDPOINTS),
    Family("xai.grok-4", "/openai/v1", _BOTH, None, Source.DOC, ENDPOINTS),
    Family("anthropic.claude-", "/anthropic/v1", (Api.MESSAGES,), True, Source.DOC, ENDPOINTS),
    Family("openai.gpt-oss-", "/v1", _BOTH, False, Source.DOC, ENDPOINTS),
    Family("openai.gpt-oss-safeguard-", "/v1", _CHAT, False, Source.OBS, SAMPLES),
    Family("deepseek.", "/v1", _CHAT, False, Source.OBS, SAMPLES),
    Family("google.gemma-3", "/v1", _CHAT, None, Source.OBS, SAMPLES),
    Family("minimax.", "/v1", _CHAT, None, Source.OBS, SAMPLES),
    Family("mistral.", "/v1", _CHAT, False, Source.OBS, SAMPLES),
    Family("moonshotai.", "/v1", _CHAT, None, Source.OBS, SAMPLES),
    Family("nvidia.", "/v1", _CHAT, None, Source.OBS, SAMPLES),
    Family("qwen.", "/v1", _CHAT, False, Source.OBS, SAMPLES),
    Family("writer.", "/v1", _CHAT, None, Source.OBS, SAMPLES),
    Family("zai.", "/v1", _CHAT, None, Source.OBS, SAMPLES),
)

_EVERYWHERE: Final = ("us-east-1", "us-west-2", "eu-central-1")
_US: Final = ("us-east-1", "us-west-2")
_US_EAST: Final = ("us-east-1",)

# Ids in the model lists of three regions in August 2026 (SAMPLES, harness/quality/scripts/.endpoint-catalogue.json).
# An old list: it may confirm an id, it never refutes one.
SEEN: Final[dict[str, tuple[str, ...]]] = {
    "anthropic.claude-fable-5": _US_EAST,
    "anthropic.claude-haiku-4-5": _US,
    "anthropic.claude-opus-4-7": _US_EAST,
    "anthropic.claude-opus-4-8": _US_EAST,
    "anthropic.claude-opus-5": _US_EAST,
    "anthropic.claude-sonnet-5": _US_EAST,
    "deepseek.v3.1": _US,
    "deepseek.v3.2": _US,
    "google.gemma-3-12b-it": _EVERYWHERE,
    "google.gemma-3-27b-it": _EVERYWHERE,
    "google.gemma-3-4b-it": _EVERYWHERE,
    "google.gemma-4-26b-a4b": _EVERYWHERE,
    "google.gemma-4-31b": _EVERYWHERE,
    "google.gemma-4-e2b": _EVERYWHERE,
    "minimax.minimax-m2": _EVERYWHERE,
    "minimax.minimax-m2.1": _EVERYWHERE,
    "minimax.minimax-m2.5": _EVERYWHERE,
    "mistral.devstral-2-123b": _EVERYWHERE,
    "mistral.magistral-small-2509": _EVERYWHERE,
    "mistral.ministral-3-14b-instruct": _EVERYWHERE,
    "mistral.ministral-3-3b-instruct": _EVERYWHERE,
    "mistral.ministral-3-8b-instruct": _EVERYWHERE,
    "mistral.mistral-large-3-675b-instruct": _US,
    "mistral.voxtral-mini-3b-2507": _EVERYWHERE,
    "mistral.voxtral-small-24b-2507": _EVERYWHERE,
    "moonshotai.kimi-k2-thinking": _US,
    "moonshotai.kimi-k2.5": _US,
    "nvidia.nemotron-nano-12b-v2": _EVERYWHERE,
    "nvidia.nemotron-nano-3-30b": _EVERYWHERE,
    "nvidia.nemotron-nano-9b-v2": _EVERYWHERE,
    "nvidia.nemotron-super-3-120b": _EVERYWHERE,
    "openai.gpt-5.4": _US,
    "openai.gpt-5.4-2026-03-05": _US,
    "openai.gpt-5.5": _US_EAST,
    "openai.gpt-5.5-2026-04-23": _US_EAST,
    "openai.gpt-5.6-luna": _US,
    "openai.gpt-5.6-sol": _US_EAST,
    "openai.gpt-5.6-terra": _US,
    "openai.gpt-oss-120b": _EVERYWHERE,
    "openai.gpt-oss-20b": _EVERYWHERE,
    "openai.gpt-oss-safeguard-120b": _EVERYWHERE,
    "openai.gpt-oss-safeguard-20b": _EVERYWHERE,
    "qwen.qwen3-235b-a22b-2507": _EVERYWHERE,
    "qwen.qwen3-32b": _EVERYWHERE,
    "qwen.qwen3-coder-30b-a3b-instruct": _EVERYWHERE,
    "qwen.qwen3-coder-480b-a35b-instruct": _US,
    "qwen.qwen3-coder-next": _EVERYWHERE,
    "qwen.qwen3-next-80b-a3b-instruct": _EVERYWHERE,
    "qwen.qwen3-vl-235b-a22b-instruct": _EVERYWHERE,
    "writer.palmyra-vision-7b": _EVERYWHERE,
    "xai.grok-4.3": _US,
    "xai.grok-4.6": ("us-west-2",),
    "zai.glm-4.6": _EVERYWHERE,
    "zai.glm-4.7": _US,
    "zai.glm-4.7-flash": _EVERYWHERE,
    "zai.glm-5": _US,
}

# Ids of inference profiles on bedrock-runtime begin with a geography; Mantle has no inference profiles and answers 404.
_GEOGRAPHIES: Final = ("us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca.", "in.")
# What clients put before the id to choose their own provider.
_CLIENT_PREFIXES: Final = (
    "bedrock/converse/",
    "bedrock/",
    "bedrock_mantle/",
    "bedrock-mantle/",
    "bedrock-mantle:",
    "amazon-bedrock/",
    "openai/",
    "anthropic/",
)
_REGION_PREFIX: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,9}){1,2}-[0-9]/")
# Runtime ids carry a version that Mantle's lack: openai.gpt-oss-20b-1:0, qwen.qwen3-32b-v1:0.
_RUNTIME_VERSION: Final = re.compile(r"-v?[0-9]:[0-9](?::[0-9a-z]{1,6})?\Z")

# Runtime ids of Claude end with a date before the version; Mantle's ids of the same models do not.
_DATE: Final = re.compile(r"-20[0-9]{6}\Z")

_LONGEST_ID: Final = 256


def family_of(model_id: str) -> Family | None:
    """The family of the bare ``model_id``: the longest prefix of the table, or ``None``."""
    found = [family for family in FAMILIES if model_id.startswith(family.prefix)]
    return max(found, key=lambda family: len(family.prefix), default=None)


def known_model(model_id: str) -> Model | None:
    """What is known of ``model_id``, by exact id or else by family prefix; ``None`` for an unknown family.

    The id is taken as it is sent: a prefixed id is no model on Mantle (see ``read_model_id``).
    """
    family = family_of(model_id)
    if family is None:
        return None
    return Model(
        id=model_id,
        base_path=family.base_path,
        apis=family.apis,
        reference=family.reference,
        source=family.source,
        family=family.prefix,
        marketplace=family.marketplace,
        regions_seen=SEEN.get(model_id, ()),
    )


def seen_models(region: str) -> tuple[str, ...]:
    """Ids seen in the model list of ``region``, sorted; empty for a region whose list was not seen."""
    return tuple(sorted(name for name, regions in SEEN.items() if region in regions))


def read_model_id(text: str) -> ModelId:
    """Find the bare id in what somebody wrote: an inference profile, an ARN, a client's or a region's prefix.

    Never raises; what is not recognised stays as it is.
    """
    rest = text.strip()
    removed: list[str] = []
    if len(rest) > _LONGEST_ID:
        return ModelId(text, rest)
    if rest.startswith("arn:") and "/" in rest:
        rest = rest.rsplit("/", 1)[1]
        removed.append("an ARN is not a model id on Mantle: the id alone is")
    # Prefixes stack (bedrock_mantle/us-gov-west-1/xai.grok-4.3); each turn takes one off, so this ends.
    while (step := _without_prefix(rest)) is not None:
        rest, sentence = step
        removed.append(sentence)
    version = _RUNTIME_VERSION.search(rest)
    if version and family_of(rest) is not None:
        # `…-v1:0` is wholly a version; in `gpt-oss-20b-1:0` the `-1` is part of it, too.
        rest = rest[: version.start()]
        removed.append(f"`{version.group()}` is the version of the id on bedrock-runtime; ids on Mantle have none")
    date = _DATE.search(rest)
    if date and rest[: date.start()] in SEEN:
        rest = rest[: date.start()]
        removed.append(f"`{date.group()}` is part of the id on bedrock-runtime only")
    return ModelId(text, rest, tuple(removed))


def bare_model_id(text: str) -> str:
    """The bare id in ``text`` (see ``read_model_id``)."""
    return read_model_id(text).bare


def _without_prefix(text: str) -> tuple[str, str] | None:
    for prefix in _CLIENT_PREFIXES:
        if text.startswith(prefix) and len(text) > len(prefix):
            return text[len(prefix) :], f"`{prefix}` is a client's own prefix and must not reach the service"
    region = _REGION_PREFIX.match(text)
    if region and region.end() < len(text):
        return text[region.end() :], f"`{region.group()}` is a client's way to name a region"
    for geography in _GEOGRAPHIES:
        if text.startswith(geography) and "." in text[len(geography) :]:
            return (
                text[len(geography) :],
                f"`{geography}` names an inference profile of bedrock-runtime; Mantle has none",
            )
    return None
