"""How to find out, by one request, whether an operation is authorised: the request, and what an authorised caller is answered.

A recipe is data; who sends it and what an answer means are others' business.  None creates, changes or deletes anything.  Only
``billed_inference_probe`` is meant to cost tokens.

The free probe of ``CreateInference`` names a model on an API or a base path that does not serve it.  One observer (October
2026) found that authorisation, a condition on the model included, comes before that refusal: 403 without the permission, 400
with it.  Should a model come to be served there one day, the answer is 200 and costs at most ``MAX_OUTPUT_TOKENS``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from mantle_iam.mantle.exchange import Probe
from mantle_iam.mantle.models import Api, Model, bare_model_id, known_model
from mantle_iam.mantle.operations import Operation, operation_named, operations
from mantle_iam.mantle.sources import CLOUDTRAIL, COUNT_TOKENS, PROBE_NOTES, SAMPLES, Source

MAX_OUTPUT_TOKENS: Final = 16
"""The service's minimum: 8 and 15 are rejected."""
DEFAULT_MODEL: Final = "openai.gpt-oss-20b"
"""The model of the single observation, small, in every region whose list was seen, not sold through AWS Marketplace."""
SECOND_MODEL: Final = "qwen.qwen3-32b"
"""The same of another vendor."""
COUNTING_MODEL: Final = "anthropic.claude-haiku-4-5"
"""Tokens are counted for Claude only; where the account may not use it, the answer says so after authorisation."""

# Answers after authorisation, in the service's words.  Apostrophes may be typographic, so they are left out.
_NOT_SERVED_WORDS: Final = ("does not support the", "supported on this route")


@dataclass(frozen=True, slots=True)
class ProbeRecipe:
    """One request to send and how an authorised caller is answered."""

    probe: Probe
    operation: str
    """Name of the ``Operation`` whose permissions it exercises."""
    method: str
    path: str
    """Full path, base path included."""
    model: str | None = None
    body: str | None = None
    """JSON text, or ``None`` for no body."""
    headers: tuple[tuple[str, str], ...] = ()
    billed: bool = False
    authorised_status: tuple[int, ...] = (200,)
    authorised_words: tuple[str, ...] = ()
    """Words in the answer that confirm it; empty when the status code is enough."""
    source: Source = Source.DOC
    """How it is known that this answer comes after authorisation."""
    single_observer: bool = False
    reference: str = CLOUDTRAIL


def free_inference_probe(model: str = DEFAULT_MODEL, probe: Probe = Probe.INFER_FREE) -> ProbeRecipe | None:
    """``CreateInference`` for ``model`` without a token spent; ``None`` when it is not known what the model does not serve.

    A prefixed id is sent bare, since only the bare id reaches the model's check.
    """
    bare = bare_model_id(model)
    known = known_model(bare)
    if known is None:
        return None
    operation, body = _unserved(known)
    observed = known.family == "openai.gpt-oss-"
    return ProbeRecipe(
        probe=probe,
        operation=operation.name,
        method=operation.method,
        path=operation.path,
        model=bare,
        body=_json(body),
        headers=_headers(operation),
        authorised_status=(400,),
        authorised_words=_NOT_SERVED_WORDS,
        # Only gpt-oss was seen; that the other families behave alike is an inference.
        source=Source.OBS if observed else Source.INF,
        single_observer=True,
        reference=PROBE_NOTES,
    )


def second_free_inference_probe(model: str = DEFAULT_MODEL) -> ProbeRecipe | None:
    """The same with a model of another vendor: refused too, the action is missing; authorised, a condition is on the model."""
    vendor = bare_model_id(model).partition(".")[0]
    other = next(name for name in (SECOND_MODEL, DEFAULT_MODEL) if name.partition(".")[0] != vendor)
    return free_inference_probe(other, Probe.INFER_FREE_2)


def billed_inference_probe(model: str = DEFAULT_MODEL) -> ProbeRecipe:
    """One real call of at most ``MAX_OUTPUT_TOKENS``, on the model's own base path and API.

    A model of an unknown family is tried as chat completion under ``/v1``, where most vendors' models are.
    """
    bare = bare_model_id(model)
    known = known_model(bare)
    api = known.apis[0] if known else Api.CHAT
    operation = _operation(_SERVING[(api, known.base_path if known else "/v1")])
    return ProbeRecipe(
        probe=Probe.INFER,
        operation=operation.name,
        method=operation.method,
        path=operation.path,
        model=bare,
        body=_json(_body(api, bare)),
        headers=_headers(operation),
        billed=True,
        source=known.source if known else Source.INF,
        reference=known.reference if known else SAMPLES,
    )


def read_probe(
    operation: Operation, *, model: str = DEFAULT_MODEL, project: str = "default", probe: Probe = Probe.OPERATION
) -> ProbeRecipe | None:
    """How to exercise a safe operation; ``None`` for one that is not safe.

    Where an id is needed that nobody has, a well-formed one that does not exist is named: 404 then means authorised, *if*
    authorisation comes first, which is not known (``Source.INF``).
    """
    if not operation.safe:
        return None
    if operation.name == "count-tokens":
        return _count_tokens(operation, model, probe)
    if "{" not in operation.path:
        return ProbeRecipe(probe, operation.name, operation.method, operation.path, source=operation.source)
    if operation.name == "get-model":
        bare = bare_model_id(model)
        path = operation.path.replace("{model}", quote(bare, safe=":"))
        return ProbeRecipe(probe, operation.name, operation.method, path, model=bare)
    if operation.name == "get-project":
        # That `default` may stand in the path is an inference; the list shows it as the id of the default project.
        path = operation.path.replace("{id}", quote(project, safe=""))
        return ProbeRecipe(probe, operation.name, operation.method, path, source=Source.INF, reference=SAMPLES)
    path = operation.path.replace("{id}", _ABSENT_IDS.get(operation.name.removesuffix("-openai"), _ABSENT))
    return ProbeRecipe(
        probe,
        operation.name,
        operation.method,
        path,
        authorised_status=(200, 404),
        source=Source.INF,
        reference=SAMPLES,
    )


def read_probes(*, model: str = DEFAULT_MODEL, project: str = "default") -> tuple[ProbeRecipe, ...]:
    """A recipe for every action that a safe operation exercises, in the order of the table; previews are left out."""
    first: dict[str, ProbeRecipe] = {}
    for operation in operations():
        recipe = None if operation.preview else read_probe(operation, model=model, project=project)
        if recipe is not None:
            first.setdefault(operation.action, recipe)
    return tuple(first.values())


# Well-formed ids that nobody has.
_ABSENT: Final = "0" * 24
_ABSENT_IDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "get-response": "resp_" + "0" * 32,
        "get-file": "file-" + "0" * 24,
        "get-file-content": "file-" + "0" * 24,
        "get-fine-tuning-job": "ftjob-" + "0" * 24,
        "list-fine-tuning-events": "ftjob-" + "0" * 24,
        "list-fine-tuning-checkpoints": "ftjob-" + "0" * 24,
    }
)

_SERVING: Final[Mapping[tuple[Api, str], str]] = MappingProxyType(
    {
        (Api.RESPONSES, "/v1"): "create-response",
        (Api.RESPONSES, "/openai/v1"): "create-response-openai",
        (Api.CHAT, "/v1"): "create-chat-completion",
        (Api.CHAT, "/openai/v1"): "create-chat-completion-openai",
        (Api.MESSAGES, "/anthropic/v1"): "create-message",
        (Api.EMBEDDINGS, "/v1"): "create-embedding",
    }
)


def _unserved(model: Model) -> tuple[Operation, dict[str, Any]]:
    """An inference operation that does not serve ``model``, and its body."""
    if model.base_path == "/openai/v1":
        # Not `/v1/responses`: a model of this path was seen to hang there, while chat completions refused at once.
        return _operation("create-chat-completion"), _body(Api.CHAT, model.id)
    if Api.RESPONSES in model.apis:
        return _operation("create-response-openai"), _body(Api.RESPONSES, model.id)
    return _operation("create-response"), _body(Api.RESPONSES, model.id)


def _count_tokens(operation: Operation, model: str, probe: Probe) -> ProbeRecipe:
    bare = bare_model_id(model)
    claude = bare if bare.startswith("anthropic.") else COUNTING_MODEL
    body = {"model": claude, "messages": [{"role": "user", "content": "Hi"}]}
    return ProbeRecipe(
        probe,
        operation.name,
        operation.method,
        operation.path,
        model=claude,
        body=_json(body),
        headers=_headers(operation),
        source=Source.OBS,
        reference=COUNT_TOKENS,
    )


def _body(api: Api, model: str) -> dict[str, Any]:
    message = [{"role": "user", "content": "Hi"}]
    if api is Api.RESPONSES:
        return {"model": model, "input": "Hi", "max_output_tokens": MAX_OUTPUT_TOKENS, "store": False}
    return {"model": model, "messages": message, "max_tokens": MAX_OUTPUT_TOKENS}


def _headers(operation: Operation) -> tuple[tuple[str, str], ...]:
    fixed = (("content-type", "application/json"),)
    return (*fixed, ("anthropic-version", "2023-06-01")) if operation.api is Api.MESSAGES else fixed


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def _operation(name: str) -> Operation:
    found = operation_named(name)
    assert found is not None, name  # noqa: S101 - the table is ours; a test walks it
    return found
