"""OpenAI's Responses. Source: platform.openai.com, API reference, responses."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from openai.types.responses import (
    Response,
    ResponseInputItemParam,
    ResponseStreamEvent,
    ToolParam,
    response_create_params,
)
from pydantic import TypeAdapter
from tests.conformance import events
from tests.conformance.values import (
    CITED_URL,
    IMAGE_URL,
    PDF,
    PNG,
    SCHEMA,
    SIGNATURE,
    TOOLS,
    Ask,
    Call,
    Say,
    Trouble,
    Unsaid,
    Wire,
    parameters,
    unsaid,
)
from tests.conformance.wires import chat_answers

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json, Result, Turn


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, "stop", "seed", "presence", "frequency", "n", "cache")
    items: list[Json] = []
    if ask.developer:
        items.append({"role": "developer", "content": ask.developer})
    for turn in ask.turns:
        items += _turn(turn)
    out: dict[str, Json] = {
        "model": model,
        "input": items,
        "instructions": ask.system or None,
        "max_output_tokens": ask.ceiling,
        "temperature": ask.temperature,
        "parallel_tool_calls": False if ask.one_call else None,
        "store": False,
        "stream": stream or None,
    }
    include = ["reasoning.encrypted_content"] if ask.replay else []
    if ask.logprobs:
        out["top_logprobs"] = 2
        include.append("message.output_text.logprobs")
    if include:
        out["include"] = include
    if ask.effort:
        out["reasoning"] = {"effort": ask.effort}
    if ask.tools:
        out["tools"] = [
            {"type": "function", "name": name, "parameters": parameters(name), "strict": False}
            for name in TOOLS
        ]
    if ask.choice:
        named = {"type": "function", "name": ask.choice}
        out["tool_choice"] = named if ask.choice in TOOLS else ask.choice
    if ask.json:
        out["text"] = {"format": {"type": "json_object"}}
    if ask.schema:
        form = {"type": "json_schema", "name": "reply", "schema": SCHEMA, "strict": True}
        out["text"] = {"format": form}
    return {key: one for key, one in out.items() if one is not None}


def _turn(turn: Turn) -> list[Json]:
    if turn.raw is not None:
        return list(turn.raw)
    if turn.results:
        return [_result(result) for result in turn.results]
    if turn.calls:
        return [_call(call) for call in turn.calls]
    if not turn.extra:
        return [{"role": turn.role, "content": turn.text}]
    extra = {
        "image_url": {"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"},
        "image": _picture(),
        "pdf": {
            "type": "input_file",
            "filename": "report.pdf",
            "file_data": f"data:application/pdf;base64,{PDF}",
        },
    }
    text = {"type": "input_text", "text": turn.text}
    return [{"role": "user", "content": [text, extra[turn.extra]]}]


def _picture() -> Json:
    url = f"data:image/png;base64,{PNG}"
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def _call(call: Call) -> Json:
    arguments = json.dumps(dict(call.arguments))
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _result(result: Result) -> Json:
    if result.error:
        raise Unsaid("the output of a call has no such mark")
    output: Json = result.text
    if result.image:
        output = [{"type": "input_text", "text": result.text}, _picture()]
    return {"type": "function_call_output", "call_id": result.id, "output": output}


def heard(body: Json) -> Facts:
    told = body.get("instructions")
    facts: Facts = {"user": (), "instructions": (told,) if told else (), "calls": (), "results": ()}
    names: dict[str, str] = {}
    items = body["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        _hear(item, facts, names)
    facts["tools"] = tuple(
        (one["name"], next(iter(one["parameters"]["properties"])))
        for one in body.get("tools") or ()
    )
    choice = body.get("tool_choice")
    facts["choice"] = choice["name"] if isinstance(choice, dict) else choice
    facts["one_call"] = body.get("parallel_tool_calls") is False
    form = (body.get("text") or {}).get("format") or {}
    facts["json"] = form.get("type") == "json_object"
    facts["schema"] = tuple((form.get("schema") or {}).get("properties", ()))
    facts["effort"] = (body.get("reasoning") or {}).get("effort")
    asked = body.get("include") or ()
    facts["logprobs"] = "message.output_text.logprobs" in asked and bool(body.get("top_logprobs"))
    facts["temperature"], facts["ceiling"] = body.get("temperature"), body.get("max_output_tokens")
    return facts


def _hear(item: Json, facts: Facts, names: dict[str, str]) -> None:
    kind = item.get("type", "message")
    if kind == "function_call":
        names[item["call_id"]] = item["name"]
        facts["calls"] += ((item["name"], json.loads(item["arguments"])),)
    elif kind == "reasoning":
        text = "".join(part["text"] for part in item["summary"])
        facts["signed"] = (text, item["encrypted_content"])
    elif kind == "function_call_output":
        output = item["output"]
        parts = [{"type": "input_text", "text": output}] if isinstance(output, str) else output
        text = "".join(part["text"] for part in parts if part["type"] == "input_text")
        facts["results"] += ((names[item["call_id"]], text),)
        for part in parts:
            if part["type"] == "input_image":
                facts["result_image"] = part["image_url"].partition("base64,")[2]
    elif kind == "message":
        _hear_message(item, facts)


def _hear_message(item: Json, facts: Facts) -> None:
    content = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    text = "".join(part.get("text", "") for part in parts)
    key = {"user": "user", "system": "instructions", "developer": "instructions"}.get(item["role"])
    if key and text:
        facts[key] += (text,)
    for part in parts:
        if part["type"] == "input_file":
            facts["pdf"] = part["file_data"].partition("base64,")[2]
        elif part["type"] == "input_image":
            url = part["image_url"]
            data = url.startswith("data:")
            facts["image" if data else "image_url"] = url.partition("base64,")[2] if data else url


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_KEYS = frozenset(get_type_hints(response_create_params.ResponseCreateParamsBase)) | {"stream"}


def check(body: Json, provider: str) -> None:
    more = body.keys() - _KEYS
    assert not more, f"the Responses API has no {sorted(more)}"
    if not isinstance(body["input"], str):
        for item in body["input"]:
            _adapter(ResponseInputItemParam).validate_json(json.dumps(item))
    for tool in body.get("tools") or ():
        _adapter(ToolParam).validate_json(json.dumps(tool))
    params = response_create_params.ResponseCreateParamsBase
    _adapter(params).validate_json(json.dumps(body))


def answer(say: Say, provider: str) -> Json:
    if len(say.texts) > 1:
        raise Unsaid("one answer at a time")
    output: list[Json] = []
    if say.reasoning:
        item: dict[str, Json] = {"type": "reasoning", "id": "rs_1"}
        item["summary"] = [{"type": "summary_text", "text": say.reasoning}]
        output.append(item | ({"encrypted_content": SIGNATURE} if say.signature else {}))
    for text in filter(None, say.texts):
        part = _part(text, say)
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        output.append(message | {"content": [part]})
    if say.refusal:
        part = {"type": "refusal", "refusal": say.refusal}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        output.append(message | {"content": [part]})
    for place, call in enumerate(say.calls):
        output.append({"id": f"fc_{place}", "status": "completed"} | _call(call))
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(say.finish)
    took, made, cached, thought = say.usage
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_767_225_600,
        "model": "gpt-5.1-2025-11-13",
        "status": "incomplete" if why else "completed",
        "error": None,
        "incomplete_details": {"reason": why} if why else None,
        "instructions": None,
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": took,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": took + made,
        },
    }


def _part(text: str, say: Say) -> Json:
    part: dict[str, Json] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    if say.citation:
        cited = {"type": "url_citation", "url": CITED_URL, "title": "Source"}
        part["annotations"] = [cited | {"start_index": 0, "end_index": len(text)}]
    if say.logprobs:
        top = {"token": text, "logprob": -0.1, "bytes": list(text.encode())}
        part["logprobs"] = [top | {"top_logprobs": [top]}]
    return part


def stream(doc: Json, body: Json) -> bytes:
    begun = doc | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    told: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(doc["output"]):
        at = {"output_index": place}
        empty: Json = {"message": {"content": []}, "reasoning": {"summary": []}}
        begin = item | empty.get(item["type"], {"arguments": ""}) | {"status": "in_progress"}
        told.append({"type": "response.output_item.added", "item": begin} | at)
        told += [one | at | {"item_id": item["id"]} for one in _item(item)]
        told.append({"type": "response.output_item.done", "item": item} | at)
    told.append({"type": f"response.{doc['status']}", "response": doc})
    numbered = [one | {"sequence_number": place} for place, one in enumerate(told)]
    return events.sse([(one["type"], one) for one in numbered])


_SUMMARY: Json = {"summary_index": 0}
_CONTENT: Json = {"content_index": 0}


def _item(item: Json) -> list[Json]:
    deltas: list[Json]
    if item["type"] == "function_call":
        name, text = "response.function_call_arguments", item["arguments"]
        deltas = [{"type": f"{name}.delta", "delta": piece} for piece in events.pieces(text)]
        return [*deltas, {"type": f"{name}.done", "arguments": text, "name": item["name"]}]
    if item["type"] == "reasoning":
        part, at = item["summary"][0], _SUMMARY
        name = "response.reasoning_summary"
        deltas = [
            {"type": f"{name}_text.delta", "delta": piece} | at
            for piece in events.pieces(part["text"])
        ]
        return [
            {"type": f"{name}_part.added", "part": part | {"text": ""}} | at,
            *deltas,
            {"type": f"{name}_text.done", "text": part["text"]} | at,
            {"type": f"{name}_part.done", "part": part} | at,
        ]
    part, at = item["content"][0], _CONTENT
    if part["type"] == "refusal":
        return [
            {"type": "response.content_part.added", "part": part | {"refusal": ""}} | at,
            *(
                {"type": "response.refusal.delta", "delta": piece} | at
                for piece in events.pieces(part["refusal"])
            ),
            {"type": "response.refusal.done", "refusal": part["refusal"]} | at,
            {"type": "response.content_part.done", "part": part} | at,
        ]
    empty = part | {"text": "", "annotations": [], "logprobs": []}
    first, second = events.pieces(part["text"])
    deltas = [
        {"type": "response.output_text.delta", "delta": first, "logprobs": part["logprobs"]} | at,
        {"type": "response.output_text.delta", "delta": second, "logprobs": []} | at,
    ]
    notes = [
        {"type": "response.output_text.annotation.added", "annotation": one, "annotation_index": i}
        | at
        for i, one in enumerate(part["annotations"])
    ]
    done = {"type": "response.output_text.done", "text": part["text"], "logprobs": part["logprobs"]}
    return [
        {"type": "response.content_part.added", "part": empty} | at,
        *deltas,
        *notes,
        done | at,
        {"type": "response.content_part.done", "part": part} | at,
    ]


def trouble(kind: str, provider: str) -> Trouble:
    return chat_answers.trouble(kind, provider)


def gather(raw: bytes) -> Json:
    final: Json = None
    told = events.docs(raw)
    for place, (name, doc) in enumerate(told):
        assert name == doc["type"]
        assert doc.get("sequence_number") == place
        _adapter(ResponseStreamEvent).validate_json(json.dumps(doc))
        if name in {"response.completed", "response.incomplete"}:
            final = doc["response"]
        if name in {"error", "response.failed"}:
            return {"error": doc}
    assert final is not None, "no last response"
    deltas = "".join(doc["delta"] for name, doc in told if name == "response.output_text.delta")
    assert deltas == _text(final), "pieces are not the whole"
    calls = [doc["delta"] for name, doc in told if name == "response.function_call_arguments.delta"]
    wholes = [one["arguments"] for one in final["output"] if one["type"] == "function_call"]
    assert "".join(calls) == "".join(wholes), "pieces are not the whole"
    return final


def _text(doc: Json) -> str:
    parts = [part for item in doc["output"] for part in item.get("content") or ()]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def said(doc: Json) -> Facts:
    _adapter(Response).validate_json(json.dumps(doc))
    items = doc["output"]
    calls = [item for item in items if item["type"] == "function_call"]
    assert len({call["call_id"] for call in calls} - {""}) == len(calls), "ids of calls"
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    why = (doc.get("incomplete_details") or {}).get("reason") or ""
    finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(why)
    text, usage = _text(doc), doc["usage"]
    return {
        "texts": (text,) if text else (),
        "reasoning": "".join(
            part["text"]
            for item in items
            if item["type"] == "reasoning"
            for part in (*item["summary"], *(item.get("content") or ()))
        ),
        "calls": tuple((call["name"], json.loads(call["arguments"])) for call in calls),
        "citations": tuple(
            one.get("url") for part in parts for one in part.get("annotations") or ()
        ),
        "logprobs": any(part.get("logprobs") for part in parts),
        "refusal": "".join(part["refusal"] for part in parts if part["type"] == "refusal"),
        "finish": finish or ("tool_calls" if calls else "stop"),
        "input": usage["input_tokens"],
        "output": usage["output_tokens"],
        "cached": usage["input_tokens_details"]["cached_tokens"],
        "thought": usage["output_tokens_details"]["reasoning_tokens"],
    }


def back(doc: Json) -> Json:
    return doc["output"]


WIRE = Wire("openai_responses", write, heard, check, answer, stream, trouble, gather, said, back)
