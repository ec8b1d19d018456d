"""Anthropic's Messages. Source: docs.anthropic.com, Messages API, streaming, errors."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from anthropic.types import (
    Message,
    MessageParam,
    RawMessageStreamEvent,
    ToolUnionParam,
    message_create_params,
)
from pydantic import TypeAdapter
from tests.conformance import events
from tests.conformance.values import (
    CITED_URL,
    IMAGE_URL,
    PDF,
    PNG,
    SCHEMA,
    TOOLS,
    Ask,
    Say,
    Trouble,
    Unsaid,
    Wire,
    parameters,
    unsaid,
)

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json, Result, Turn

_CHOICES = {"required": "any", "auto": "auto", "none": "none"}
_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_MARK = {"type": "ephemeral"}


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, "json", "logprobs", "seed", "presence", "frequency", "n", "developer")
    body: dict[str, Json] = {"model": model, "max_tokens": ask.ceiling}
    body["messages"] = [_turn(turn, ask) for turn in ask.turns]
    if ask.system:
        body["system"] = ask.system
    if ask.stop:
        body["stop_sequences"] = list(ask.stop)
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if ask.tools:
        body["tools"] = [{"name": name, "input_schema": parameters(name)} for name in TOOLS]
    if ask.choice or ask.one_call:
        kind = _CHOICES.get(ask.choice or "auto")
        body["tool_choice"] = {"type": kind} if kind else {"type": "tool", "name": ask.choice}
        if ask.one_call:
            body["tool_choice"]["disable_parallel_tool_use"] = True
    config: dict[str, Json] = {"effort": ask.effort} if ask.effort else {}
    if ask.schema:
        config["format"] = {"type": "json_schema", "schema": SCHEMA}
    return (
        body | ({"output_config": config} if config else {}) | ({"stream": True} if stream else {})
    )


def _turn(turn: Turn, ask: Ask) -> Json:
    if turn.raw is not None:
        return turn.raw
    if turn.results:
        return {"role": "user", "content": [_result(result) for result in turn.results]}
    if turn.calls:
        return {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
                for call in turn.calls
            ],
        }
    if not (turn.extra or ask.cache):
        return {"role": turn.role, "content": turn.text}
    text: dict[str, Json] = {"type": "text", "text": turn.text}
    if ask.cache:
        text["cache_control"] = _MARK
    extra = {
        "": [],
        "image_url": [{"type": "image", "source": {"type": "url", "url": IMAGE_URL}}],
        "image": [_picture()],
        "pdf": [
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            }
        ],
    }
    return {"role": turn.role, "content": [*extra[turn.extra], text]}


def _picture() -> Json:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    return {"type": "image", "source": source}


def _result(result: Result) -> Json:
    content: list[Json] = [{"type": "text", "text": result.text}]
    if result.image:
        content.append(_picture())
    out: dict[str, Json] = {"type": "tool_result", "tool_use_id": result.id, "content": content}
    return out | ({"is_error": True} if result.error else {})


def heard(body: Json) -> Facts:
    system = body.get("system") or ()
    told = [system] if isinstance(system, str) else [block["text"] for block in system]
    facts: Facts = {"user": (), "instructions": tuple(told), "calls": (), "results": ()}
    facts["cache"] = "cache_control" in json.dumps([body["messages"], system])
    names: dict[str, str] = {}
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            _hear(message["role"], block, facts, names)
    facts["tools"] = tuple(
        (tool["name"], next(iter(tool["input_schema"]["properties"])))
        for tool in body.get("tools") or ()
    )
    choice = body.get("tool_choice") or {}
    words = {word: ours for ours, word in _CHOICES.items()}
    facts["choice"] = words.get(choice.get("type") or "", choice.get("name"))
    facts["one_call"] = bool(choice.get("disable_parallel_tool_use"))
    config = body.get("output_config") or {}
    facts["effort"] = config.get("effort")
    facts["schema"] = tuple((config.get("format") or {}).get("schema", {}).get("properties", ()))
    facts["stop"] = tuple(body.get("stop_sequences") or ())
    facts["temperature"], facts["ceiling"] = body.get("temperature"), body["max_tokens"]
    return facts


def _hear(role: str, block: Json, facts: Facts, names: dict[str, str]) -> None:
    kind = block["type"]
    if kind == "text" and role == "user":
        facts["user"] += (block["text"],)
    elif kind == "image":
        source = block["source"]
        by_url = source["type"] == "url"
        facts["image_url" if by_url else "image"] = source["url" if by_url else "data"]
    elif kind == "document":
        facts["pdf"] = block["source"]["data"]
    elif kind == "tool_use":
        names[block["id"]] = block["name"]
        facts["calls"] += ((block["name"], block["input"]),)
    elif kind == "thinking":
        facts["signed"] = (block["thinking"], block["signature"])
    elif kind == "tool_result":
        _hear_result(block, facts, names)


def _hear_result(block: Json, facts: Facts, names: dict[str, str]) -> None:
    content = block.get("content") or ""
    parts: Json = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    facts["results"] += ((names[block["tool_use_id"]], text),)
    facts["result_error"] = facts.get("result_error") or bool(block.get("is_error"))
    for part in parts:
        if part["type"] == "image":
            facts["result_image"] = part["source"]["data"]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_KEYS = frozenset(get_type_hints(message_create_params.MessageCreateParamsBase)) | {
    "stream", "temperature", "top_p", "top_k",
}  # fmt: skip
"""The package dropped the sampling parameters when its newest models did; the API has them."""


def check(body: Json, provider: str) -> None:
    known = _KEYS
    if provider == "vertex":
        assert body.get("anthropic_version") == "vertex-2023-10-16"
        known = (known | {"anthropic_version"}) - {"model"}
        body = {"model": "claude"} | body
    more = body.keys() - known - {"model"}
    assert not more, f"Anthropic has no {sorted(more)}"
    for message in body["messages"]:
        _adapter(MessageParam).validate_json(json.dumps(message))
        assert message["content"], "an empty turn"
    for tool in body.get("tools") or ():
        _adapter(ToolUnionParam).validate_json(json.dumps(tool))
    rest = {key: value for key, value in body.items() if key in _KEYS}
    _adapter(message_create_params.MessageCreateParamsBase).validate_json(json.dumps(rest))


def answer(say: Say, provider: str) -> Json:
    if say.logprobs or len(say.texts) > 1:
        raise Unsaid("no such answers")
    if say.usage[3]:
        raise Unsaid("thinking is not counted apart")
    content: list[Json] = []
    if say.reasoning:
        signed = {"signature": say.signature or "s"}
        content.append({"type": "thinking", "thinking": say.reasoning} | signed)
    for text in filter(None, (*say.texts, say.refusal)):
        block: dict[str, Json] = {"type": "text", "text": text}
        if say.citation:
            cited = {"type": "web_search_result_location", "url": CITED_URL, "title": "Source"}
            block["citations"] = [cited | {"encrypted_index": "aW5k", "cited_text": "Hello"}]
        content.append(block)
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
        for call in say.calls
    ]
    took, made, cached, _ = say.usage
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": "refusal" if say.refusal else _FINISH[say.finish],
        "stop_sequence": None,
        "usage": {
            "input_tokens": took - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": made,
        },
    }


def stream(doc: Json, body: Json) -> bytes:
    begun = doc | {"content": [], "stop_reason": None}
    begun["usage"] = doc["usage"] | {"output_tokens": 1}
    told: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for place, block in enumerate(doc["content"]):
        empty, deltas = _pieces(block)
        told.append({"type": "content_block_start", "index": place, "content_block": empty})
        told += [
            {"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas
        ]
        told.append({"type": "content_block_stop", "index": place})
    ending = {key: doc[key] for key in ("stop_reason", "stop_sequence")}
    counted = {"output_tokens": doc["usage"]["output_tokens"]}
    told.append({"type": "message_delta", "delta": ending, "usage": counted})
    told.append({"type": "message_stop"})
    return events.sse([(event["type"], event) for event in told])


def _pieces(block: Json) -> tuple[Json, list[Json]]:
    """A block as it begins, and its deltas."""
    if block["type"] == "text":
        told = [{"type": "text_delta", "text": piece} for piece in events.pieces(block["text"])]
        told += [
            {"type": "citations_delta", "citation": one} for one in block.get("citations") or ()
        ]
        return {"type": "text", "text": ""}, told
    if block["type"] == "thinking":
        told = [
            {"type": "thinking_delta", "thinking": piece}
            for piece in events.pieces(block["thinking"])
        ]
        told.append({"type": "signature_delta", "signature": block["signature"]})
        return block | {"thinking": "", "signature": ""}, told
    text = json.dumps(block["input"])
    told = [
        {"type": "input_json_delta", "partial_json": piece} for piece in ("", *events.pieces(text))
    ]
    return block | {"input": {}}, told


_ERRORS: dict[str, tuple[int, str, str]] = {
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "rate": (429, "rate_limit_error", "This request would exceed your rate limit."),
    "context": (400, "invalid_request_error", "prompt is too long: 209000 tokens > 200000 maximum"),
    "inside": (529, "overloaded_error", "Overloaded"),
}


def trouble(kind: str, provider: str) -> Trouble:
    status, name, message = _ERRORS[kind]
    body = {"type": "error", "error": {"type": name, "message": message}, "request_id": "req_1"}
    return Trouble(status, body, {"retry-after": "7"} if kind == "rate" else {})


def gather(raw: bytes) -> Json:
    message: dict[str, Json] = {}
    jsons: dict[int, str] = {}
    ended = False
    for name, doc in events.docs(raw):
        assert name == doc["type"]
        if name == "error":
            return doc
        if name == "ping":
            continue
        _adapter(RawMessageStreamEvent).validate_json(json.dumps(doc))
        ended = name == "message_stop"
        if name == "message_start":
            message = doc["message"]
        elif name == "content_block_start":
            assert doc["index"] == len(message["content"])
            message["content"].append(doc["content_block"])
        elif name == "content_block_delta":
            _join(message["content"][doc["index"]], doc["delta"], jsons, doc["index"])
        elif name == "message_delta":
            message |= doc["delta"]
            message["usage"] |= doc["usage"]
    assert ended, "no message_stop"
    for place, text in jsons.items():
        message["content"][place]["input"] = json.loads(text or "{}")
    return message


def _join(block: Json, delta: Json, jsons: dict[int, str], place: int) -> None:
    kind = delta["type"]
    if kind == "text_delta":
        block["text"] += delta["text"]
    elif kind == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    elif kind == "citations_delta":
        block.setdefault("citations", [])
        block["citations"] = [*(block["citations"] or ()), delta["citation"]]
    elif kind == "input_json_delta":
        jsons[place] = jsons.get(place, "") + delta["partial_json"]


def said(doc: Json) -> Facts:
    _adapter(Message).validate_json(json.dumps(doc))
    blocks = doc["content"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    assert len({call["id"] for call in calls} - {""}) == len(calls), "ids of calls"
    words = {word: ours for ours, word in _FINISH.items()}
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    usage = doc["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    refused = doc["stop_reason"] == "refusal"
    return {
        "texts": (text,) if text else (),
        "reasoning": "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        "calls": tuple((call["name"], call["input"]) for call in calls),
        "citations": tuple(
            one.get("url") or one.get("source")
            for block in blocks
            for one in block.get("citations") or ()
        ),
        "refusal": text if refused else "",
        "finish": words[doc["stop_reason"]],
        "input": usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0),
        "output": usage["output_tokens"],
        "cached": cached,
    }


def back(doc: Json) -> Json:
    return {"role": "assistant", "content": doc["content"]}


WIRE = Wire("anthropic", write, heard, check, answer, stream, trouble, gather, said, back)
