"""Bedrock's Converse and ConverseStream. Source: docs.aws.amazon.com, Bedrock API reference, and
botocore's model of the service, which is the judge."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator
from tests.conformance import events
from tests.conformance.values import (
    CITED_URL,
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

_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, "json", "logprobs", "seed", "presence", "frequency", "n", "developer", "one_call")
    body: dict[str, Json] = {"messages": [_turn(turn, ask) for turn in ask.turns]}
    if ask.system:
        body["system"] = [{"text": ask.system}]
    inference = {
        "maxTokens": ask.ceiling,
        "temperature": ask.temperature,
        "stopSequences": list(ask.stop) or None,
    }
    body["inferenceConfig"] = {key: one for key, one in inference.items() if one is not None}
    if ask.tools:
        body["toolConfig"] = {
            "tools": [
                {"toolSpec": {"name": name, "inputSchema": {"json": parameters(name)}}}
                for name in TOOLS
            ]
        }
    if ask.choice:
        if ask.choice == "none":
            raise Unsaid("a choice of no tool")
        words: dict[str, Json] = {"auto": {"auto": {}}, "required": {"any": {}}}
        body["toolConfig"]["toolChoice"] = words.get(ask.choice, {"tool": {"name": ask.choice}})
    output: dict[str, Json] = {"effort": ask.effort} if ask.effort else {}
    if ask.schema:
        named = {"name": "reply", "schema": json.dumps(SCHEMA)}
        structure = {"jsonSchema": named}
        output["textFormat"] = {"type": "json_schema", "structure": structure}
    return body | ({"outputConfig": output} if output else {})


def _turn(turn: Turn, ask: Ask) -> Json:
    if turn.raw is not None:
        return turn.raw
    if turn.results:
        return {"role": "user", "content": [_result(result) for result in turn.results]}
    if turn.calls:
        calls = [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": dict(call.arguments)}}
            for call in turn.calls
        ]
        return {"role": "assistant", "content": calls}
    if turn.extra == "image_url":
        raise Unsaid("images are given as bytes, or by an address in S3")
    extra: dict[str, list[Json]] = {
        "image": [_picture()],
        "pdf": [{"document": {"format": "pdf", "name": "report", "source": {"bytes": PDF}}}],
    }
    content = [{"text": turn.text}, *extra.get(turn.extra, ())]
    if ask.cache:
        content.append({"cachePoint": {"type": "default"}})
    return {"role": turn.role, "content": content}


def _picture() -> Json:
    return {"image": {"format": "png", "source": {"bytes": PNG}}}


def _result(result: Result) -> Json:
    content: list[Json] = [{"text": result.text}]
    if result.image:
        content.append(_picture())
    told: dict[str, Json] = {"toolUseId": result.id, "content": content}
    return {"toolResult": told | ({"status": "error"} if result.error else {})}


def heard(body: Json) -> Facts:
    system = tuple(one["text"] for one in body.get("system") or () if "text" in one)
    facts: Facts = {"user": (), "instructions": system, "calls": (), "results": ()}
    facts["cache"] = "cachePoint" in json.dumps([body["messages"], body.get("system")])
    names: dict[str, str] = {}
    for message in body["messages"]:
        for block in message["content"]:
            _hear(message["role"], block, facts, names)
    config = body.get("toolConfig") or {}
    facts["tools"] = tuple(
        (one["toolSpec"]["name"], next(iter(one["toolSpec"]["inputSchema"]["json"]["properties"])))
        for one in config.get("tools") or ()
        if "toolSpec" in one
    )
    choice = config.get("toolChoice") or {}
    words = {"any": "required", "auto": "auto"}
    named = (choice.get("tool") or {}).get("name")
    facts["choice"] = next((words[key] for key in words if key in choice), named)
    more = body.get("additionalModelRequestFields") or {}
    facts["one_call"] = bool((more.get("tool_choice") or {}).get("disable_parallel_tool_use"))
    output = body.get("outputConfig") or {}
    facts["effort"] = output.get("effort")
    form = output.get("textFormat")
    facts["schema"] = (
        tuple(json.loads(form["structure"]["jsonSchema"]["schema"])["properties"]) if form else ()
    )
    inference = body.get("inferenceConfig") or {}
    facts["stop"] = tuple(inference.get("stopSequences") or ())
    facts["temperature"] = inference.get("temperature")
    facts["ceiling"] = inference.get("maxTokens")
    return facts


def _hear(role: str, block: Json, facts: Facts, names: dict[str, str]) -> None:
    if "text" in block and role == "user":
        facts["user"] += (block["text"],)
    elif "image" in block:
        facts["image"] = block["image"]["source"]["bytes"]
    elif "document" in block:
        facts["pdf"] = block["document"]["source"]["bytes"]
    elif "toolUse" in block:
        call = block["toolUse"]
        names[call["toolUseId"]] = call["name"]
        facts["calls"] += ((call["name"], call["input"]),)
    elif "reasoningContent" in block:
        told = block["reasoningContent"]["reasoningText"]
        facts["signed"] = (told["text"], told["signature"])
    elif "toolResult" in block:
        told = block["toolResult"]
        text = "".join(part.get("text", "") for part in told["content"])
        facts["results"] += ((names[told["toolUseId"]], text),)
        facts["result_error"] = facts.get("result_error") or told.get("status") == "error"
        for part in told["content"]:
            if "image" in part:
                facts["result_image"] = part["image"]["source"]["bytes"]


@cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


_FREE = {"json", "input", "additionalModelRequestFields"}


def _bytes(node: Json) -> Json:
    """A document as boto3 has it: binary members are bytes."""
    if isinstance(node, list):
        return [_bytes(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64decode(one)
        if key in {"bytes", "redactedContent"} and isinstance(one, str)
        else one
        if key in _FREE
        else _bytes(one)
        for key, one in node.items()
    }


def _known(doc: Json, shape: Any) -> Json:
    """An answer without the counts that Converse does not have: boto3 reads over them."""
    if "usage" not in doc:
        return doc
    counts = shape.members["usage"].members
    kept = {key: one for key, one in doc["usage"].items() if key in counts}
    return doc | {"usage": kept}


def _validate(doc: Json, shape: Any) -> None:
    report = ParamValidator().validate(_bytes(doc), shape)
    assert not report.has_errors(), report.generate_report()
    more = doc.keys() - shape.members.keys()
    assert not more, f"Converse has no {sorted(more)}"


def check(body: Json, provider: str) -> None:
    _validate({"modelId": "m"} | body, _service().operation_model("Converse").input_shape)


def answer(say: Say, provider: str) -> Json:
    if say.refusal or say.logprobs or len(say.texts) > 1 or say.usage[3]:
        raise Unsaid("no such answers")
    content: list[Json] = []
    if say.reasoning:
        told = {"text": say.reasoning, "signature": say.signature or "s"}
        content.append({"reasoningContent": {"reasoningText": told}})
    for text in say.texts:
        if say.citation:
            cited = {"title": "Source", "location": {"web": {"url": CITED_URL}}}
            content.append(
                {"citationsContent": {"content": [{"text": text}], "citations": [cited]}}
            )
        elif text:
            content.append({"text": text})
    content += [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": dict(call.arguments)}}
        for call in say.calls
    ]
    took, made, cached, _ = say.usage
    usage = {
        "inputTokens": took - cached,
        "outputTokens": made,
        "totalTokens": took + made,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": 0,
    }
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _FINISH[say.finish],
        "usage": usage,
        "metrics": {"latencyMs": 5},
    }


def stream(doc: Json, body: Json) -> bytes:
    told: list[tuple[str, Json]] = [("messageStart", {"role": "assistant"})]
    for place, block in enumerate(doc["output"]["message"]["content"]):
        at = {"contentBlockIndex": place}
        if "toolUse" in block:
            call = block["toolUse"]
            start = {"toolUse": {key: call[key] for key in ("toolUseId", "name")}}
            told.append(("contentBlockStart", at | {"start": start}))
        told += [("contentBlockDelta", at | {"delta": delta}) for delta in _deltas(block)]
        told.append(("contentBlockStop", at))
    told.append(("messageStop", {"stopReason": doc["stopReason"]}))
    told.append(("metadata", {"usage": doc["usage"], "metrics": doc["metrics"]}))
    return events.aws(told)


def _deltas(block: Json) -> list[Json]:
    texts: list[Json]
    if "toolUse" in block:
        text = json.dumps(block["toolUse"]["input"])
        return [{"toolUse": {"input": piece}} for piece in events.pieces(text)]
    if "reasoningContent" in block:
        told = block["reasoningContent"]["reasoningText"]
        texts = [{"reasoningContent": {"text": one}} for one in events.pieces(told["text"])]
        return [*texts, {"reasoningContent": {"signature": told["signature"]}}]
    if "citationsContent" in block:
        cited = block["citationsContent"]
        texts = [{"text": one} for one in events.pieces(cited["content"][0]["text"])]
        return [*texts, *({"citation": one} for one in cited["citations"])]
    return [{"text": piece} for piece in events.pieces(block["text"])]


_ERRORS: dict[str, tuple[int, str, str]] = {
    "auth": (403, "AccessDeniedException", "You don't have access to the model."),
    "rate": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "context": (400, "ValidationException", "Input is too long for requested model."),
    "inside": (503, "serviceUnavailableException", "The service is unavailable."),
}


def trouble(kind: str, provider: str) -> Trouble:
    """Inside a 200 only a stream can fail: by an exception in it."""
    status, name, message = _ERRORS[kind]
    headers = {"x-amzn-errortype": name} | ({"retry-after": "7"} if kind == "rate" else {})
    return Trouble(status, {"message": message}, headers)


def gather(raw: bytes) -> Json:
    blocks: dict[int, Json] = {}
    out: dict[str, Json] = {}
    for name, doc in events.read_aws(raw):
        if name.startswith("!"):
            return {"error": {"type": name[1:]} | doc}
        told = {key: value for key, value in doc.items() if key != "p"}
        shape = _service().shape_for("ConverseStreamOutput").members[name]
        _validate(_known(told, shape), shape)
        if name == "contentBlockStart":
            blocks[told["contentBlockIndex"]] = {
                "toolUse": told["start"]["toolUse"] | {"input": ""}
            }
        elif name == "contentBlockDelta":
            _join(blocks.setdefault(told["contentBlockIndex"], {}), told["delta"])
        elif name == "messageStop":
            out["stopReason"] = told["stopReason"]
        elif name == "metadata":
            out |= told
    assert "stopReason" in out, "no messageStop"
    assert "usage" in out, "no metadata"
    content = [_closed(blocks[place]) for place in sorted(blocks)]
    return out | {"output": {"message": {"role": "assistant", "content": content}}}


def _join(block: Json, delta: Json) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "citation" in delta:
        block.setdefault("cited", []).append(delta["citation"])
    elif "reasoningContent" in delta:
        inner = delta["reasoningContent"]
        if "redactedContent" in inner:
            block["reasoningContent"] = inner
            return
        told = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
        told["reasoningText"]["text"] += inner.get("text", "")
        if "signature" in inner:
            told["reasoningText"]["signature"] = inner["signature"]


def _closed(block: Json) -> Json:
    if "toolUse" in block:
        told = block["toolUse"]
        return {"toolUse": told | {"input": json.loads(told["input"] or "{}")}}
    if "cited" in block:
        return {
            "citationsContent": {
                "content": [{"text": block.get("text", "")}],
                "citations": block["cited"],
            }
        }
    return block


def said(doc: Json) -> Facts:
    shape = _service().operation_model("Converse").output_shape
    _validate({key: one for key, one in _known(doc, shape).items() if key in shape.members}, shape)
    blocks = doc["output"]["message"]["content"]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    assert len({call["toolUseId"] for call in calls} - {""}) == len(calls), "ids of calls"
    cited = [block["citationsContent"] for block in blocks if "citationsContent" in block]
    text = "".join(map(_text, blocks))
    words = {word: ours for ours, word in _FINISH.items()}
    usage = doc["usage"]
    cached = usage.get("cacheReadInputTokens") or 0
    return {
        "texts": (text,) if text else (),
        "reasoning": "".join(
            block["reasoningContent"].get("reasoningText", {}).get("text", "")
            for block in blocks
            if "reasoningContent" in block
        ),
        "calls": tuple((call["name"], call["input"]) for call in calls),
        "citations": tuple(
            (source.get("location") or {}).get("web", {}).get("url")
            for one in cited
            for source in one["citations"]
        ),
        "finish": words[doc["stopReason"]],
        "input": usage["inputTokens"] + cached + (usage.get("cacheWriteInputTokens") or 0),
        "output": usage["outputTokens"],
        "cached": cached,
    }


def _text(block: Json) -> str:
    if "citationsContent" in block:
        return "".join(part["text"] for part in block["citationsContent"]["content"])
    return str(block.get("text", ""))


def back(doc: Json) -> Json:
    return doc["output"]["message"]


WIRE = Wire(
    "bedrock",
    write,
    heard,
    check,
    answer,
    stream,
    trouble,
    gather,
    said,
    back,
    stream_type="application/vnd.amazon.eventstream",
)
