"""Responses, chat completions, messages, token counts: checks after authorisation, then the answer.

The order of the checks (model, base path, API, data retention, parameters, body) is the emulator's choice, except that all of
them come after authorisation, as one observer found.  The words are the service's.
Sources: https://github.com/aws-samples/sample-per-model-bedrock, https://github.com/BerriAI/litellm/pull/29490
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from mantle_iam.emulator.call import Call, Json, missing_field
from mantle_iam.emulator.completion import (
    chat_document,
    chat_events,
    complete,
    count_tokens,
    message_document,
    message_events,
    plain_text,
    response_document,
    response_events,
)
from mantle_iam.emulator.http import EVENT_STREAM, JSON, Response, ServiceError, invalid, not_found
from mantle_iam.emulator.world import SHARED_RETENTION_ONLY, StoredResponse
from mantle_iam.mantle.models import known_model

MIN_OUTPUT_TOKENS = 16
TIERS = ("auto", "default", "flex", "priority")
_NEW_CHAT = ("openai.gpt-5", "openai.gpt-6")
"""Models that take ``max_completion_tokens`` only."""
BERM = "Berm is not enabled for this account"


def answer_json(document: object, status: int = 200) -> Response:
    """A JSON answer."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, (("content-type", JSON),))


def check_model(call: Call, *, berm: bool = False) -> str:
    """The model of an inference call.

    Args:
        berm: answer a wrong base path as the service did in mid-2026 (401), not as since (400).

    Raises:
        ServiceError: it is missing, unknown here, not on this base path, not on this API, ruled out, or the project is archived.
    """
    call.json()
    model = call.model
    if model is None:
        raise invalid(missing_field("model"))
    known = known_model(model) if model in call.models else None
    if known is None:
        raise not_found(f"The model '{model}' does not exist")
    path = call.operation.path
    if call.operation.api not in known.apis:
        raise invalid(f"The model '{model}' does not support the '{path}' API")
    if not path.startswith(f"{known.base_path}/"):
        if berm:
            raise ServiceError(401, "access_denied", "permission_denied_error", BERM)
        raise invalid(f"model `{model}` isn't supported on this route")
    mode = _retention_mode(call)
    if mode == "none" and model in SHARED_RETENTION_ONLY:
        raise invalid(f"This model is not available under data retention mode '{mode}'.")
    if call.project is not None and call.project.archived:
        raise invalid(f"Project {call.project.arn} is archived")
    return model


def _retention_mode(call: Call) -> str:
    of_project = call.project.retention if call.project is not None else "inherit"
    return call.account.retention if of_project == "inherit" else of_project


def create_response(call: Call, model: str) -> Response:
    """POST /v1/responses."""
    fields = call.json()
    prompt = _prompt(fields)
    limit = _limit(fields, "max_output_tokens", minimum=MIN_OUTPUT_TOKENS)
    _check_tier(fields)
    if (previous := call.body.text("previous_response_id")) is not None:
        _stored(call, previous)
    completion = complete(prompt, limit)
    ids = (call.account.next_id("resp"), call.account.next_id("msg"))
    document = response_document(completion, ids, model, call.now, fields)
    background = fields.get("background") is True
    if document["store"] or background:
        call.account.responses[ids[0]] = StoredResponse(call.project_id, document)
    if fields.get("stream") is True:
        return _stream(response_events(document, completion))
    if background:
        # It is done when it is next asked for, so that there is a time in which it can be cancelled.
        return answer_json({**document, "status": "queued", "output": [], "usage": None})
    return answer_json(document)


def compact_response(call: Call, model: str) -> Response:
    """POST /v1/responses/compact."""
    completion = complete(_prompt(call.json()), None)
    document = {
        "id": call.account.next_id("resp"),
        "object": "response.compaction",
        "created_at": call.now,
        "model": model,
        "output": [
            {
                "id": call.account.next_id("cmp"),
                "type": "compaction",
                "encrypted_content": hashlib.sha256(completion.text.encode()).hexdigest(),
            }
        ],
        "usage": response_document(completion, ("", ""), model, call.now, {})["usage"],
    }
    return answer_json(document)


def get_response(call: Call) -> Response:
    """GET /v1/responses/{id}."""
    return answer_json(_stored(call, call.parameter).document)


def cancel_response(call: Call) -> Response:
    """POST /v1/responses/{id}/cancel."""
    document = _stored(call, call.parameter).document
    if not document["background"]:
        raise invalid("Cannot cancel a synchronous response.")
    document.update({"status": "cancelled", "output": [], "usage": None})
    return answer_json(document)


def delete_response(call: Call) -> Response:
    """DELETE /v1/responses/{id}."""
    _stored(call, call.parameter)
    del call.account.responses[call.parameter]
    return answer_json({"id": call.parameter, "object": "response.deleted", "deleted": True})


def _stored(call: Call, response_id: str) -> StoredResponse:
    stored = call.account.responses.get(response_id)
    # A stored response can only be read in its project.
    if stored is None or stored.project != call.project_id:
        raise not_found(f"Response '{response_id}' not found.")
    return stored


def create_chat_completion(call: Call, model: str) -> Response:
    """POST /v1/chat/completions."""
    fields = call.json()
    messages = _messages(fields)
    if model.startswith(_NEW_CHAT) and "max_tokens" in fields:
        raise invalid(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
        )
    name = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    limit = _limit(fields, name, minimum=1)
    _check_tier(fields)
    completion = complete(plain_text(messages[-1]), limit)
    completion_id = call.account.next_id("chatcmpl")
    if fields.get("stream") is True:
        options = fields.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        return _stream(chat_events(completion, completion_id, model, call.now, usage=usage))
    return answer_json(chat_document(completion, completion_id, model, call.now))


def create_message(call: Call, model: str) -> Response:
    """POST /anthropic/v1/messages."""
    fields = call.json()
    if "max_tokens" not in fields:
        raise invalid("max_tokens: Field required")
    messages = _messages(fields)
    limit = _limit(fields, "max_tokens", minimum=1)
    completion = complete(plain_text(messages[-1]), limit)
    document = message_document(completion, call.account.next_id("msg"), model)
    if fields.get("stream") is True:
        return _stream(message_events(document, completion))
    return answer_json(document)


def count_message_tokens(call: Call, model: str) -> Response:
    """POST /anthropic/v1/messages/count_tokens."""
    fields = call.json()
    text = " ".join((plain_text(fields.get("system")), plain_text(_messages(fields))))
    return answer_json({"input_tokens": count_tokens(text)})


def _prompt(fields: Json) -> str:
    given = fields.get("input")
    if not isinstance(given, str | list):
        raise invalid(missing_field("input"))
    return given if isinstance(given, str) else plain_text(given[-1] if given else "")


def _messages(fields: Json) -> list[object]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise invalid(missing_field("messages"))
    return messages


def _limit(fields: Json, name: str, *, minimum: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"Invalid type for '{name}': expected an integer.", name)
    if value < minimum:
        message = (
            f"Invalid '{name}': integer below minimum value. Expected a value >= {minimum}, but got {value} instead."
        )
        raise invalid(message, name)
    return value


def _check_tier(fields: Json) -> None:
    tier = fields.get("service_tier")
    if tier is not None and tier not in TIERS:
        *first, last = (f"'{name}'" for name in TIERS)
        supported = f"{', '.join(first)}, and {last}"
        raise invalid(f"Invalid value: '{tier}'. Supported values are: {supported}.", "service_tier")


def _stream(events: Iterator[bytes]) -> Response:
    return Response(200, b"", (("content-type", EVENT_STREAM), ("cache-control", "no-cache")), tuple(events))
