"""Cohere's chat, version 2. Source: docs.cohere.com, API reference, chat (v2), and the types of its
package, which are the judge."""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import cohere
from cohere import types
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from pydantic import TypeAdapter
from tests.conformance import events
from tests.conformance.values import (
    CITED_URL,
    IMAGE_URL,
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
    from tests.conformance.values import Facts, Json, Turn

_FINISH = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "CONTENT_FILTER",
}


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, "n", "cache", "one_call", "developer", "effort")
    messages: list[Json] = []
    if ask.system:
        messages.append({"role": "system", "content": ask.system})
    for turn in ask.turns:
        messages += _turn(turn)
    out: dict[str, Json] = {
        "model": model,
        "messages": messages,
        "stream": stream,
        "max_tokens": ask.ceiling,
        "temperature": ask.temperature,
        "stop_sequences": list(ask.stop) or None,
        "seed": ask.seed,
        "presence_penalty": ask.presence,
        "frequency_penalty": ask.frequency,
        "logprobs": ask.logprobs or None,
    }
    if ask.tools:
        out["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": parameters(name)}}
            for name in TOOLS
        ]
    if ask.choice in TOOLS or ask.choice == "auto":
        raise Unsaid("no such choice of tools")
    if ask.choice:
        out["tool_choice"] = ask.choice.upper()
    if ask.json or ask.schema:
        schema = {"json_schema": SCHEMA} if ask.schema else {}
        out["response_format"] = {"type": "json_object"} | schema
    return {key: one for key, one in out.items() if one is not None}


def _turn(turn: Turn) -> list[Json]:
    if turn.raw is not None:
        return [turn.raw]
    if turn.results:
        if any(result.image or result.error for result in turn.results):
            raise Unsaid("the result of a tool is a text or a document")
        return [
            {"role": "tool", "tool_call_id": result.id, "content": result.text}
            for result in turn.results
        ]
    if turn.calls:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in turn.calls
        ]
        return [{"role": "assistant", "tool_calls": calls}]
    if turn.extra == "pdf":
        raise Unsaid("no files")
    if not turn.extra:
        return [{"role": turn.role, "content": turn.text}]
    url = IMAGE_URL if turn.extra == "image_url" else f"data:image/png;base64,{PNG}"
    image = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [{"type": "text", "text": turn.text}, image]}]


def heard(body: Json) -> Facts:
    facts: Facts = {"user": (), "instructions": (), "calls": (), "results": ()}
    names: dict[str, str] = {}
    for message in body["messages"]:
        _hear(message, facts, names)
    facts["tools"] = tuple(
        (one["function"]["name"], next(iter(one["function"]["parameters"]["properties"])))
        for one in body.get("tools") or ()
    )
    facts["choice"] = (body.get("tool_choice") or "").lower()
    form = body.get("response_format") or {}
    schema = form.get("json_schema") or form.get("schema")
    facts["schema"] = tuple(schema["properties"]) if schema else ()
    facts["json"] = form.get("type") == "json_object" and not schema
    thinking = body.get("thinking") or {}
    facts["effort"] = "high" if thinking.get("type") == "enabled" else ""
    facts["logprobs"], facts["seed"] = body.get("logprobs"), body.get("seed")
    facts["stop"] = tuple(body.get("stop_sequences") or ())
    facts["presence"] = body.get("presence_penalty")
    facts["frequency"] = body.get("frequency_penalty")
    facts["temperature"], facts["ceiling"] = body.get("temperature"), body.get("max_tokens")
    return facts


def _hear(message: Json, facts: Facts, names: dict[str, str]) -> None:
    content = message.get("content") or ""
    parts: Json = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    role = message["role"]
    if role == "system":
        facts["instructions"] += (text,)
    elif role == "user":
        facts["user"] += (text,) if text else ()
    elif role == "tool":
        told = [part["document"]["data"] for part in parts if part["type"] == "document"]
        text = text or "".join(next(iter(data.values())) for data in told)
        facts["results"] += ((names[message["tool_call_id"]], text),)
    for part in parts:
        if part["type"] == "image_url":
            url = part["image_url"]["url"]
            data = url.startswith("data:")
            facts["image" if data else "image_url"] = url.partition("base64,")[2] if data else url
        elif part["type"] == "thinking" and role == "assistant":
            facts["reasoned"] = part["thinking"]
    for call in message.get("tool_calls") or ():
        names[call["id"]] = call["function"]["name"]
        facts["calls"] += ((call["function"]["name"], json.loads(call["function"]["arguments"])),)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_KINDS: dict[str, Any] = {
    "messages": types.ChatMessages,
    "tools": list[types.ToolV2],
    "response_format": types.ResponseFormatV2,
    "thinking": types.Thinking,
}
_KEYS = frozenset(inspect.signature(cohere.ClientV2.chat).parameters) | {"stream"}
_RANGES = {"temperature": 1, "presence_penalty": 1, "frequency_penalty": 1}


def check(body: Json, provider: str) -> None:
    more = body.keys() - _KEYS
    assert not more, f"Cohere has no {sorted(more)}"
    for key in _KINDS.keys() & body.keys():
        _adapter(_KINDS[key]).validate_json(json.dumps(body[key]))
    assert body.get("tool_choice", "NONE") in {"NONE", "REQUIRED"}
    for key, most in _RANGES.items():
        assert 0 <= body.get(key, 0) <= most, f"{key} is at most {most}"


def answer(say: Say, provider: str) -> Json:
    if say.refusal or len(say.texts) > 1 or say.signature or say.usage[3]:
        raise Unsaid("no such answers")
    if say.finish == "content_filter":
        raise Unsaid("no such reason")
    content: list[Json] = []
    if say.reasoning:
        content.append({"type": "thinking", "thinking": say.reasoning})
    content += [{"type": "text", "text": text} for text in say.texts if text]
    message: dict[str, Json] = {"role": "assistant", "content": content}
    if say.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
            }
            for call in say.calls
        ]
    if say.citation:
        page = {"id": "page", "title": "Source", "url": CITED_URL}
        source = {"type": "document", "id": "page", "document": page}
        cited = {"start": 0, "end": 5, "text": "Hello", "sources": [source], "content_index": 0}
        message["citations"] = [cited | {"type": "TEXT_CONTENT"}]
    took, made, cached, _ = say.usage
    counts = {"input_tokens": took, "output_tokens": made}
    usage: dict[str, Json] = {"billed_units": counts, "tokens": counts}
    out: dict[str, Json] = {
        "id": "c14c80c3",
        "finish_reason": _FINISH[say.finish],
        "message": message,
        "usage": usage | ({"cached_tokens": cached} if cached else {}),
    }
    if say.logprobs:
        out["logprobs"] = [{"text": say.texts[0], "token_ids": [7], "logprobs": [-0.1]}]
    return out


def stream(doc: Json, body: Json) -> bytes:
    message = doc["message"]
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    begun = {"id": doc["id"], "type": "message-start", "delta": {"message": empty}}
    told: list[Json] = [begun]
    for place, block in enumerate(message["content"]):
        key = block["type"]
        told.append(_content("content-start", place, {"type": key, key: ""}))
        for piece in events.pieces(block[key]):
            event = _content("content-delta", place, {key: piece})
            if place == 0 and "logprobs" in doc and piece == events.pieces(block[key])[0]:
                event["logprobs"] = doc["logprobs"][0]
            told.append(event)
        told.append({"type": "content-end", "index": place})
    for place, call in enumerate(message.get("tool_calls") or ()):
        start = call | {"function": call["function"] | {"arguments": ""}}
        told.append(_of("tool-call-start", place, {"tool_calls": start}))
        for piece in events.pieces(call["function"]["arguments"]):
            delta = {"tool_calls": {"function": {"arguments": piece}}}
            told.append(_of("tool-call-delta", place, delta))
        told.append({"type": "tool-call-end", "index": place})
    for place, cited in enumerate(message.get("citations") or ()):
        told.append(_of("citation-start", place, {"citations": cited}))
        told.append({"type": "citation-end", "index": place})
    last = {"finish_reason": doc["finish_reason"], "usage": doc["usage"]}
    told.append({"type": "message-end", "delta": last})
    return events.sse([(event["type"], event) for event in told])


def _of(kind: str, place: int, message: Json) -> Json:
    return {"type": kind, "index": place, "delta": {"message": message}}


def _content(kind: str, place: int, content: Json) -> Json:
    return _of(kind, place, {"content": content})


_ERRORS = {
    "auth": (401, "invalid api token"),
    "rate": (429, "You are using a Trial key, which is limited to 10 API calls / minute."),
    "context": (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 128000",
    ),
    "inside": (500, "internal server error"),
}


def trouble(kind: str, provider: str) -> Trouble:
    status, message = _ERRORS[kind]
    headers = {"retry-after": "7"} if kind == "rate" else {}
    if kind == "inside":
        return Trouble(status, {"error": {"message": message}}, headers)
    return Trouble(status, {"id": "e1", "message": message}, headers)


def gather(raw: bytes) -> Json:
    out: dict[str, Json] = {}
    message: dict[str, Json] = {"role": "assistant", "content": []}
    ended = False
    for name, doc in events.docs(raw):
        assert name == doc["type"]
        _adapter(V2ChatStreamResponse).validate_json(json.dumps(doc))
        if name == "message-start":
            out["id"] = doc["id"]
        elif name == "message-end":
            ended, last = True, doc["delta"]
            if last.get("error"):
                return {"error": last["error"]}
            out |= last
        else:
            _join(message, name, doc)
        if doc.get("logprobs"):
            out.setdefault("logprobs", []).append(doc["logprobs"])
    assert ended, "no message-end"
    return out | {"message": message}


def _join(message: Json, name: str, doc: Json) -> None:
    told = (doc.get("delta") or {}).get("message") or {}
    if name == "content-end" and told:
        message["content"][doc["index"]] |= told["content"]  # a signature
    elif name == "content-start":
        message["content"].append(dict(told["content"]))
    elif name == "content-delta":
        block = message["content"][doc["index"]]
        for key, piece in told["content"].items():
            if key != "type":
                block[key] = block.get(key, "") + piece
    elif name == "tool-call-start":
        message.setdefault("tool_calls", []).append(json.loads(json.dumps(told["tool_calls"])))
    elif name == "tool-call-delta":
        call = message["tool_calls"][doc["index"]]
        call["function"]["arguments"] += told["tool_calls"]["function"]["arguments"]
    elif name == "tool-plan-delta":
        message["tool_plan"] = message.get("tool_plan", "") + told["tool_plan"]
    elif name == "citation-start":
        message.setdefault("citations", []).append(told["citations"])


def said(doc: Json) -> Facts:
    _adapter(V2ChatResponse).validate_json(json.dumps(doc))
    message = doc["message"]
    blocks = message.get("content") or []
    calls = message.get("tool_calls") or ()
    assert len({call["id"] for call in calls} - {""}) == len(calls), "ids of calls"
    words = {word: ours for ours, word in _FINISH.items()}
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    tokens = doc["usage"]["tokens"]
    return {
        "texts": (text,) if text else (),
        "reasoning": thought or message.get("tool_plan"),
        "calls": tuple(
            (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
        ),
        "citations": tuple(
            (source.get("document") or {}).get("url")
            for cited in message.get("citations") or ()
            for source in cited["sources"]
        ),
        "logprobs": bool(doc.get("logprobs")),
        "finish": words[doc["finish_reason"]],
        "input": tokens["input_tokens"],
        "output": tokens["output_tokens"],
        "cached": doc["usage"].get("cached_tokens"),
    }


def back(doc: Json) -> Json:
    return doc["message"]


WIRE = Wire("cohere", write, heard, check, answer, stream, trouble, gather, said, back)
