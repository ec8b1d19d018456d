"""OpenAI Responses. Source: https://platform.openai.com/docs/api-reference/responses and
-streaming, read 2025-11; the order of the events is what the official client's accumulator demands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nexus_sdk.demo.chat import content_text, forced
from nexus_sdk.demo.metering import pieces
from nexus_sdk.demo.reply import Event, Prompt, Tool, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.demo.reply import Call, Reply

type Item = dict[str, Any]


def read(body: dict[str, Any]) -> Prompt:
    items = _items(body.get("input") or "")
    texts = tuple(_text(item) for item in items)
    spoken = [text for text, item in zip(texts, items, strict=True) if item.get("role") == "user"]
    ends_with_result = bool(items) and items[-1].get("type") == "function_call_output"
    return Prompt(
        model=body["model"],
        texts=(body["instructions"], *texts) if body.get("instructions") else texts,
        said=spoken[-1] if spoken else "",
        stream=bool(body.get("stream")),
        result=texts[-1] if ends_with_result else None,
        tools=tuple(
            Tool(tool["name"], tool.get("parameters") or {})
            for tool in body.get("tools") or ()
            if tool.get("type") == "function" and body.get("tool_choice") != "none"
        ),
        forced=forced(body.get("tool_choice")),
        schema=_schema((body.get("text") or {}).get("format") or {}),
        limit=body.get("max_output_tokens"),
    )


def _items(given: Any) -> list[Item]:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _text(item: Item) -> str:
    if item.get("type") == "function_call":
        return str(item["arguments"])
    return content_text(item.get("output", item.get("content")))


def _schema(wanted: dict[str, Any]) -> Any:
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return wanted.get("schema")


def whole(reply: Reply) -> dict[str, Any]:
    length = reply.finish in {"length", "content_filter"}
    answer = _head(reply, "incomplete" if length else "completed")
    answer["output"] = [*_reasoning(reply), *_message(reply), *map(_call, reply.calls)]
    if length:
        reason = {"length": "max_output_tokens"}.get(reply.finish, reply.finish)
        answer["incomplete_details"] = {"reason": reason}
    return answer if "no-usage" in reply.script else answer | {"usage": _usage(reply)}


def events(reply: Reply, _body: Mapping[str, Any]) -> Iterator[Event]:
    """response.created to response.completed (or .incomplete), each with the next sequence
    number.
    """
    for number, (name, fields) in enumerate(_sequence(reply)):
        last = name in {"response.completed", "response.incomplete"}
        yield Event(name, dumps({"type": name, "sequence_number": number} | fields), last)


def _sequence(reply: Reply) -> Iterator[tuple[str, Item]]:
    begun = _head(reply, "in_progress")
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    index = 0
    for item in _reasoning(reply):
        yield from _reasoning_events(item, index)
        index += 1
    for item in _message(reply):
        yield from _message_events(reply, item, index)
        index += 1
    for call in reply.calls:
        yield from _call_events(call, index)
        index += 1
    final = whole(reply)
    if "no-finish" not in reply.script:
        yield f"response.{final['status']}", {"response": final}


def _reasoning_events(item: Item, index: int) -> Iterator[tuple[str, Item]]:
    at = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    part = item["summary"][0]
    name = "response.reasoning_summary"
    yield "response.output_item.added", {"output_index": index, "item": item | {"summary": []}}
    yield f"{name}_part.added", at | {"part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield f"{name}_text.delta", at | {"delta": piece}
    yield f"{name}_text.done", at | {"text": part["text"]}
    yield f"{name}_part.done", at | {"part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _message_events(reply: Reply, item: Item, index: int) -> Iterator[tuple[str, Item]]:
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield (
        "response.output_item.added",
        {
            "output_index": index,
            "item": item | {"status": "in_progress", "content": []},
        },
    )
    extra: Item = {} if reply.refusal else {"logprobs": []}
    if reply.refusal:
        field, name, said = "refusal", "response.refusal", pieces(reply.refusal)
    else:
        field, name, said = "text", "response.output_text", reply.pieces
    yield "response.content_part.added", at | {"part": part | {field: ""}}
    for piece in said:
        yield f"{name}.delta", at | {"delta": piece} | extra
    yield f"{name}.done", at | {field: part[field]} | extra
    yield "response.content_part.done", at | {"part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _call_events(call: Call, index: int) -> Iterator[tuple[str, Item]]:
    item = _call(call)
    at = {"item_id": item["id"], "output_index": index}
    yield (
        "response.output_item.added",
        {
            "output_index": index,
            "item": item | {"status": "in_progress", "arguments": ""},
        },
    )
    for piece in pieces(call.arguments):
        yield "response.function_call_arguments.delta", at | {"delta": piece}
    yield "response.function_call_arguments.done", at | {"arguments": call.arguments}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _reasoning(reply: Reply) -> list[Item]:
    if not reply.thinking:
        return []
    summary = [{"type": "summary_text", "text": reply.thinking}]
    return [
        {"type": "reasoning", "id": f"rs_{reply.id}", "summary": summary, "encrypted_content": None}
    ]


def _message(reply: Reply) -> list[Item]:
    if reply.calls:
        return []
    part = (
        {"type": "refusal", "refusal": reply.refusal}
        if reply.refusal
        else {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    )
    state = "incomplete" if reply.finish == "length" else "completed"
    identity = f"msg_{reply.id}"
    return [
        {"type": "message", "id": identity, "status": state, "role": "assistant", "content": [part]}
    ]


def _call(call: Call) -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": f"call_{call.id}",
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _head(reply: Reply, status: str) -> Item:
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": reply.prompt.limit,
        "metadata": {},
        "model": reply.prompt.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    }


def _usage(reply: Reply) -> Item:
    usage = reply.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.output,
    }


def error_event(message: str, code: str) -> Event:
    fields = {"type": "error", "code": code or "server_error", "message": message, "param": None}
    return Event("error", dumps(fields | {"sequence_number": 0}), last=True)
