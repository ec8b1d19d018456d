"""OpenAI's chat completions, and how each copy of them departs.

Sources: platform.openai.com (API reference, chat); api-docs.deepseek.com; docs.mistral.ai;
console.groq.com; docs.perplexity.ai; openrouter.ai/docs; docs.databricks.com.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from mistralai.client.models import ChatCompletionRequest
from openai.types.chat import (
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
    completion_create_params,
)
from openai.types.shared_params import ResponseFormatJSONObject, ResponseFormatJSONSchema
from pydantic import TypeAdapter
from tests.conformance.values import (
    IMAGE_URL,
    PDF,
    PNG,
    SCHEMA,
    TOOLS,
    Ask,
    Unsaid,
    Wire,
    parameters,
)
from tests.conformance.wires.chat_answers import (
    COPIES,
    answer,
    back,
    gather,
    said,
    stream,
    tool_call,
    trouble,
)

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json, Turn


def write(ask: Ask, model: str, stream: bool) -> Json:
    body: dict[str, Json] = {"model": model}
    messages: list[Json] = []
    if ask.system:
        messages.append({"role": "system", "content": ask.system})
    if ask.developer:
        messages.append({"role": "developer", "content": ask.developer})
    for turn in ask.turns:
        messages += _turn(turn, ask)
    body["messages"] = messages
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | _settings(ask)


def _turn(turn: Turn, ask: Ask) -> list[Json]:
    if turn.raw is not None:
        return [turn.raw]
    if turn.results:
        if any(result.image or result.error for result in turn.results):
            raise Unsaid("a tool message is a text")
        return [
            {"role": "tool", "tool_call_id": result.id, "content": result.text}
            for result in turn.results
        ]
    if turn.calls:
        calls = [tool_call(call) for call in turn.calls]
        return [{"role": "assistant", "content": None, "tool_calls": calls}]
    if turn.role == "assistant" or not (turn.extra or ask.cache):
        return [{"role": turn.role, "content": turn.text}]
    text: Json = {"type": "text", "text": turn.text}
    if ask.cache:
        text["cache_control"] = {"type": "ephemeral"}
    return [{"role": "user", "content": [text, *_extra(turn.extra)]}]


def _extra(kind: str) -> list[Json]:
    if kind == "pdf":
        file = {"filename": "report.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
        return [{"type": "file", "file": file}]
    url = IMAGE_URL if kind == "image_url" else f"data:image/png;base64,{PNG}"
    return [{"type": "image_url", "image_url": {"url": url}}] if kind else []


def _settings(ask: Ask) -> Json:
    out: dict[str, Json] = {
        "stop": list(ask.stop) or None,
        "seed": ask.seed,
        "presence_penalty": ask.presence,
        "frequency_penalty": ask.frequency,
        "n": ask.n,
        "temperature": ask.temperature,
        "max_completion_tokens": ask.ceiling,
        "reasoning_effort": ask.effort or None,
        "parallel_tool_calls": False if ask.one_call else None,
    }
    if ask.tools:
        out["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": parameters(name)}}
            for name in TOOLS
        ]
    if ask.choice:
        named = {"type": "function", "function": {"name": ask.choice}}
        out["tool_choice"] = named if ask.choice in TOOLS else ask.choice
    if ask.logprobs:
        out |= {"logprobs": True, "top_logprobs": 2}
    if ask.json:
        out["response_format"] = {"type": "json_object"}
    if ask.schema:
        schema = {"name": "reply", "schema": SCHEMA, "strict": True}
        out["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {key: value for key, value in out.items() if value is not None}


def heard(body: Json) -> Facts:
    facts: Facts = {"user": (), "instructions": (), "calls": (), "results": ()}
    names: dict[str, str] = {}
    for message in body["messages"]:
        _hear(message, facts, names)
    tools = body.get("tools") or ()
    facts["tools"] = tuple(
        (tool["function"]["name"], next(iter(tool["function"]["parameters"]["properties"])))
        for tool in tools
    )
    choice = body.get("tool_choice")
    facts["choice"] = choice["function"]["name"] if isinstance(choice, dict) else choice
    facts["choice"] = "required" if facts["choice"] == "any" else facts["choice"]
    facts["one_call"] = body.get("parallel_tool_calls") is False
    form = body.get("response_format") or {}
    facts["json"] = form.get("type") == "json_object"
    if form.get("type") == "json_schema":
        facts["schema"] = tuple(form["json_schema"]["schema"]["properties"])
    stop = body.get("stop")
    facts["stop"] = (stop,) if isinstance(stop, str) else tuple(stop or ())
    facts["seed"] = body.get("seed", body.get("random_seed"))
    facts["presence"], facts["frequency"] = (
        body.get("presence_penalty"),
        body.get("frequency_penalty"),
    )
    facts["effort"], facts["logprobs"] = body.get("reasoning_effort"), body.get("logprobs")
    facts["n"], facts["temperature"] = body.get("n"), body.get("temperature")
    facts["ceiling"] = body.get("max_completion_tokens", body.get("max_tokens"))
    return facts


def _hear(message: Json, facts: Facts, names: dict[str, str]) -> None:
    role, content = message["role"], message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    facts["cache"] = facts.get("cache") or any("cache_control" in part for part in parts)
    if role in {"system", "developer"}:
        facts["instructions"] += (text,)
    elif role == "tool":
        facts["results"] += ((names[message["tool_call_id"]], text),)
    elif role == "user":
        facts["user"] += (text,) if text else ()
        for part in parts:
            _hear_extra(part, facts)
    for call in message.get("tool_calls") or ():
        names[call["id"]] = call["function"]["name"]
        facts["calls"] += ((call["function"]["name"], json.loads(call["function"]["arguments"])),)
    if "reasoning_content" in message:
        facts["reasoned"] = message["reasoning_content"]
    for detail in message.get("reasoning_details") or ():
        facts["signed"] = (detail["text"], detail["signature"])


def _hear_extra(part: Json, facts: Facts) -> None:
    if part["type"] == "image_url":
        url = part["image_url"]["url"]
        data = url.startswith("data:image/png;base64,")
        facts["image" if data else "image_url"] = url.partition("base64,")[2] if data else url
    elif part["type"] == "file":
        facts["pdf"] = part["file"]["file_data"].removeprefix("data:application/pdf;base64,")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_KEYS = frozenset(get_type_hints(completion_create_params.CompletionCreateParamsBase)) | {"stream"}
_MESSAGE_MORE = {"reasoning_content", "reasoning_details"}


def check(body: Json, provider: str) -> None:
    if provider == "mistral":
        more = body.keys() - {
            field.alias or name for name, field in ChatCompletionRequest.model_fields.items()
        }
        assert not more, f"Mistral has no {sorted(more)}"
        ChatCompletionRequest.model_validate_json(json.dumps(body))
        return
    extra = body.keys() - _KEYS - COPIES[provider].more
    assert not extra, f"{provider} has no {sorted(extra)}"
    for message in body["messages"]:
        _adapter(ChatCompletionMessageParam).validate_json(json.dumps(message))
        more = message.keys() & {"reasoning_blocks", "provider_blocks", "annotations"}
        assert not more, f"ours alone: {sorted(more)}"
        if provider in {"openai", "azure"}:
            assert not message.keys() & _MESSAGE_MORE
    for tool in body.get("tools") or ():
        _adapter(ChatCompletionToolUnionParam).validate_json(json.dumps(tool))
    form = body.get("response_format")
    kinds = {"json_object": ResponseFormatJSONObject, "json_schema": ResponseFormatJSONSchema}
    if form:
        _adapter(kinds[form["type"]]).validate_json(json.dumps(form))
    rest = {key: value for key, value in body.items() if key in _KEYS}
    params = completion_create_params.CompletionCreateParamsBase
    _adapter(params).validate_json(json.dumps(rest))


WIRE = Wire("openai_chat", write, heard, check, answer, stream, trouble, gather, said, back)
