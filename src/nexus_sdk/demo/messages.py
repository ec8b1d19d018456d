"""Anthropic messages. Source: https://docs.anthropic.com/en/api/messages and messages-streaming,
version 2023-06-01.
"""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from nexus_sdk.demo.metering import pieces
from nexus_sdk.demo.reply import Event, Prompt, Tool, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.demo.reply import Call, Reply

type Block = dict[str, Any]

STOPS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def read(body: dict[str, Any]) -> Prompt:
    messages = body["messages"]
    system = _text(body.get("system"))
    texts = tuple(_text(message["content"]) for message in messages)
    spoken = [_said(message["content"]) for message in messages if message["role"] == "user"]
    said = [text for text in spoken if text]
    return Prompt(
        model=body["model"],
        texts=(system, *texts) if system else texts,
        said=said[-1] if said else "",
        stream=bool(body.get("stream")),
        result=_result(messages[-1]["content"]) if messages else None,
        tools=tuple(_tools(body)),
        forced=_forced(body.get("tool_choice") or {}),
        schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
        limit=body.get("max_tokens"),
        thinks=(body.get("thinking") or {}).get("type") in {"enabled", "adaptive"},
        caches=_caches(body),
    )


def _tools(body: dict[str, Any]) -> Iterator[Tool]:
    """Only the caller's own: a server tool has no `input_schema`."""
    for tool in body.get("tools") or ():
        if "input_schema" in tool and (body.get("tool_choice") or {}).get("type") != "none":
            yield Tool(tool["name"], tool["input_schema"])


def _caches(body: dict[str, Any]) -> bool:
    """Whether the request marks anything for the prompt cache: unlike OpenAI's, this one is asked
    for.
    """
    contents = [body.get("system"), *(message["content"] for message in body["messages"])]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return any("cache_control" in one for one in (body, *blocks, *(body.get("tools") or ())))


def _text(content: Any) -> str:
    """All the text of a message: what is said, thought, and what tools got and gave."""
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, (_block_text(block) for block in content or ())))


def _block_text(block: Block) -> str:
    match block.get("type"):
        case "text" | "thinking":
            return str(block[block["type"]])
        case "tool_use":
            return dumps(block["input"])
        case "tool_result":
            return _text(block.get("content"))
        case _:
            return ""


def _said(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block.get("type") == "text")


def _result(content: Any) -> str | None:
    if isinstance(content, str):
        return None
    results = [block for block in content if block.get("type") == "tool_result"]
    return "\n".join(_block_text(block) for block in results) if results else None


def _forced(choice: Block) -> str | None:
    return {"tool": choice.get("name"), "any": ""}.get(choice.get("type", "auto"))


def whole(reply: Reply) -> dict[str, Any]:
    answer = _head(reply) | {"content": list(_blocks(reply)), "stop_reason": _stop(reply)}
    return answer if "no-usage" in reply.script else answer | {"usage": _usage(reply)}


def events(reply: Reply, _body: Mapping[str, Any]) -> Iterator[Event]:
    """message_start, each block, message_delta with the stop reason, message_stop."""
    usage = {} if "no-usage" in reply.script else {"usage": _usage(reply) | {"output_tokens": 1}}
    yield _event("message_start", message=_head(reply) | usage)
    for index, block in enumerate(_blocks(reply)):
        yield from _block_events(block, index, reply)
        if index == 0:
            yield _event("ping")
    if "no-finish" not in reply.script:
        delta = {"stop_reason": _stop(reply), "stop_sequence": None}
        total = (
            {} if "no-usage" in reply.script else {"usage": {"output_tokens": reply.usage.output}}
        )
        yield _event("message_delta", delta=delta, **total)
    yield Event("message_stop", '{"type":"message_stop"}', last=True)


def _block_events(block: Block, index: int, reply: Reply) -> Iterator[Event]:
    empty, deltas = _DELTAS[block["type"]](block, reply)
    yield _event("content_block_start", index=index, content_block=block | empty)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _text_deltas(_block: Block, reply: Reply) -> tuple[Block, list[Block]]:
    said = pieces(reply.refusal) if reply.refusal else reply.pieces
    return {"text": ""}, [{"type": "text_delta", "text": piece} for piece in said]


def _thinking_deltas(block: Block, _reply: Reply) -> tuple[Block, list[Block]]:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
    signature = {"type": "signature_delta", "signature": block["signature"]}
    return {"thinking": "", "signature": ""}, [*deltas, signature]


def _tool_deltas(block: Block, _reply: Reply) -> tuple[Block, list[Block]]:
    fragments = ("", *pieces(dumps(block["input"])))
    return {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in fragments]


_DELTAS = {"text": _text_deltas, "thinking": _thinking_deltas, "tool_use": _tool_deltas}


def _event(name: str, **fields: Any) -> Event:
    return Event(name, dumps({"type": name} | fields))


def _blocks(reply: Reply) -> Iterator[Block]:
    if reply.thinking:
        yield {
            "type": "thinking",
            "thinking": reply.thinking,
            "signature": signature(reply.thinking),
        }
    if not reply.calls:
        yield {"type": "text", "text": reply.refusal or reply.text}
    yield from map(_tool_use, reply.calls)


def _tool_use(call: Call) -> Block:
    return {
        "type": "tool_use",
        "id": f"toolu_{call.id}",
        "name": call.name,
        "input": json.loads(call.arguments),
    }


def signature(thinking: str) -> str:
    """What proves that a thinking block comes back unchanged: anyone can check it, nobody has
    to.
    """
    return base64.b64encode(blake2b(thinking.encode("utf-8", "surrogatepass")).digest()).decode()


def _stop(reply: Reply) -> str | None:
    if "no-finish" in reply.script:
        return None
    return "refusal" if reply.refusal else STOPS.get(reply.finish, reply.finish)


def _head(reply: Reply) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.prompt.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    """Unlike OpenAI's, the input tokens leave out what was read from the cache or written to it."""
    usage = reply.usage
    return {
        "input_tokens": usage.prompt - max(usage.cached, usage.cacheable),
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": usage.cacheable - usage.cached,
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def error(status: int, message: str, _code: str) -> dict[str, Any]:
    kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def error_event(message: str, code: str) -> Event:
    return Event("error", dumps(error(529, message, code)), last=True)
