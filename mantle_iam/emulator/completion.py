"""What a model answers here, and how each API writes it, whole or as server-sent events.

No model runs: the answer quotes the question, so that a test sees its own words come back, and is the same every time.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html and its neighbours; event names are
those of the public SDKs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
LONGEST_QUOTE = 200


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer and its count of tokens (a token is a word here)."""

    text: str
    input_tokens: int
    output_tokens: int
    cut: bool
    """It was ended by the limit on output tokens."""

    @property
    def words(self) -> tuple[str, ...]:
        """The pieces in which it is streamed; together they are ``text``."""
        parts = self.text.split(" ")
        return tuple(part if index == 0 else f" {part}" for index, part in enumerate(parts))


def complete(prompt: str, limit: int | None) -> Completion:
    """The answer to ``prompt`` in at most ``limit`` tokens."""
    quoted = " ".join(prompt.split())[:LONGEST_QUOTE]
    words = f"Hello from the mantle-iam emulator, where no model runs. You wrote: {quoted}".split(" ")
    kept = words if limit is None else words[:limit]
    return Completion(" ".join(kept), count_tokens(prompt), len(kept), cut=len(kept) < len(words))


def count_tokens(text: str) -> int:
    """Words, at least one."""
    return max(1, len(text.split()))


def plain_text(content: object) -> str:
    """The text in a message's content: a string, or a list of parts that hold some; other parts count for nothing."""
    pending = [content]
    texts: list[str] = []
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif isinstance(value, dict):
            pending.extend(value[key] for key in ("content", "text") if key in value)
    return " ".join(texts)


def event(data: Json, name: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


# Responses


def response_document(completion: Completion, ids: tuple[str, str], model: str, now: int, fields: Json) -> Json:
    """A finished response; ``ids`` are its own and its message's."""
    limit = fields.get("max_output_tokens")
    return {
        "id": ids[0],
        "object": "response",
        "created_at": now,
        "status": "incomplete" if completion.cut else "completed",
        "background": bool(fields.get("background")),
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if completion.cut else None,
        "instructions": fields.get("instructions"),
        "max_output_tokens": limit,
        "metadata": fields.get("metadata") or {},
        "model": model,
        "output": [message_item(completion, ids[1])],
        "parallel_tool_calls": True,
        "previous_response_id": fields.get("previous_response_id"),
        "service_tier": fields.get("service_tier") or "default",
        "store": fields.get("store", True) is not False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": fields.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": completion.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": completion.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": completion.input_tokens + completion.output_tokens,
        },
    }


def message_item(completion: Completion, message_id: str) -> Json:
    """The message of a response."""
    part = {"type": "output_text", "text": completion.text, "annotations": [], "logprobs": []}
    status = "incomplete" if completion.cut else "completed"
    return {"id": message_id, "type": "message", "status": status, "role": "assistant", "content": [part]}


def response_events(document: Json, completion: Completion) -> Iterator[bytes]:
    """A response as a stream."""
    item = document["output"][0]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    empty_part = {**item["content"][0], "text": ""}
    begun = {**document, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    sequence: list[tuple[str, Json]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        (
            "response.output_item.added",
            {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        ),
        ("response.content_part.added", {**place, "part": empty_part}),
        *(("response.output_text.delta", {**place, "delta": word, "logprobs": []}) for word in completion.words),
        ("response.output_text.done", {**place, "text": completion.text, "logprobs": []}),
        ("response.content_part.done", {**place, "part": item["content"][0]}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        (f"response.{document['status']}", {"response": document}),
    ]
    for number, (name, data) in enumerate(sequence):
        yield event({"type": name, "sequence_number": number, **data}, name)


# Chat completions


def chat_document(completion: Completion, completion_id: str, model: str, now: int) -> Json:
    """A chat completion."""
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": now,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": _finish(completion),
                "logprobs": None,
                "message": {"role": "assistant", "content": completion.text, "refusal": None},
            }
        ],
        "usage": _chat_usage(completion),
        "service_tier": "default",
    }


def chat_events(completion: Completion, completion_id: str, model: str, now: int, *, usage: bool) -> Iterator[bytes]:
    """A chat completion as a stream; ``usage``: with a last chunk that counts."""
    common = {"id": completion_id, "object": "chat.completion.chunk", "created": now, "model": model}

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**common, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for word in completion.words:
        yield chunk({"content": word})
    yield chunk({}, _finish(completion))
    if usage:
        yield event({**common, "choices": [], "usage": _chat_usage(completion)})
    yield b"data: [DONE]\n\n"


def _finish(completion: Completion) -> str:
    return "length" if completion.cut else "stop"


def _chat_usage(completion: Completion) -> Json:
    total = completion.input_tokens + completion.output_tokens
    return {
        "prompt_tokens": completion.input_tokens,
        "completion_tokens": completion.output_tokens,
        "total_tokens": total,
    }


# Messages


def message_document(completion: Completion, message_id: str, model: str) -> Json:
    """A message of the Anthropic surface."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": completion.text}],
        "stop_reason": "max_tokens" if completion.cut else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": completion.input_tokens, "output_tokens": completion.output_tokens},
    }


def message_events(document: Json, completion: Completion) -> Iterator[bytes]:
    """A message as a stream."""
    usage = {"input_tokens": completion.input_tokens, "output_tokens": 0}
    begun = {**document, "content": [], "stop_reason": None, "usage": usage}
    sequence: list[Json] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in completion.words
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": document["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": completion.output_tokens},
        },
        {"type": "message_stop"},
    ]
    for data in sequence:
        yield event(data, data["type"])
