"""Gemini's generateContent, and Vertex AI's. Sources: ai.google.dev/api/generate-content,
ai.google.dev/gemini-api/docs/thought-signatures; google.aip.dev/193 for errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.genai import types
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
    Say,
    Trouble,
    Unsaid,
    Wire,
    parameters,
    unsaid,
)

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json, Result, Turn

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "tool_calls": "STOP"}


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, "cache", "one_call", "developer")
    body: dict[str, Json] = {"contents": [_turn(turn) for turn in ask.turns]}
    if ask.system:
        body["systemInstruction"] = {"parts": [{"text": ask.system}]}
    if ask.tools:
        told = [{"name": name, "parametersJsonSchema": parameters(name)} for name in TOOLS]
        body["tools"] = [{"functionDeclarations": told}]
    if ask.choice:
        config: dict[str, Json] = {"mode": _MODES.get(ask.choice, "ANY")}
        if ask.choice in TOOLS:
            config["allowedFunctionNames"] = [ask.choice]
        body["toolConfig"] = {"functionCallingConfig": config}
    return body | {"generationConfig": _config(ask)}


def _config(ask: Ask) -> Json:
    out: dict[str, Json] = {
        "maxOutputTokens": ask.ceiling,
        "temperature": ask.temperature,
        "stopSequences": list(ask.stop) or None,
        "seed": ask.seed,
        "presencePenalty": ask.presence,
        "frequencyPenalty": ask.frequency,
        "candidateCount": ask.n,
    }
    if ask.effort:
        out["thinkingConfig"] = {"thinkingLevel": ask.effort.upper(), "includeThoughts": True}
    if ask.logprobs:
        out |= {"responseLogprobs": True, "logprobs": 2}
    if ask.json or ask.schema:
        out["responseMimeType"] = "application/json"
    if ask.schema:
        out["responseJsonSchema"] = SCHEMA
    return {key: value for key, value in out.items() if value is not None}


def _turn(turn: Turn) -> Json:
    if turn.raw is not None:
        return turn.raw
    if turn.results:
        return {"role": "user", "parts": [_result(result) for result in turn.results]}
    role = "model" if turn.role == "assistant" else "user"
    calls = [
        {"functionCall": {"id": call.id, "name": call.name, "args": dict(call.arguments)}}
        for call in turn.calls
    ]
    extra = {
        "image_url": [{"fileData": {"mimeType": "image/png", "fileUri": IMAGE_URL}}],
        "image": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
        "pdf": [{"inlineData": {"mimeType": "application/pdf", "data": PDF}}],
    }
    text = [{"text": turn.text}] if turn.text else []
    return {"role": role, "parts": [*text, *extra.get(turn.extra, ()), *calls]}


def _result(result: Result) -> Json:
    key = "error" if result.error else "result"
    out: dict[str, Json] = {"id": result.id, "name": result.name, "response": {key: result.text}}
    if result.image:
        out["parts"] = [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    return {"functionResponse": out}


def heard(body: Json) -> Facts:
    told = [part["text"] for part in (body.get("systemInstruction") or {}).get("parts") or ()]
    facts: Facts = {"user": (), "instructions": tuple(told), "calls": (), "results": ()}
    for content in body["contents"]:
        for part in content["parts"]:
            _hear(content.get("role"), part, facts)
    declared = [one for tool in body.get("tools") or () for one in tool["functionDeclarations"]]
    facts["tools"] = tuple(
        (one["name"], next(iter(one["parametersJsonSchema"]["properties"]))) for one in declared
    )
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    words = {word: ours for ours, word in _MODES.items()}
    named = calling.get("allowedFunctionNames")
    facts["choice"] = named[0] if named else words.get(calling.get("mode") or "")
    _hear_config(body.get("generationConfig") or {}, facts)
    return facts


def _hear_config(config: Json, facts: Facts) -> None:
    schema = config.get("responseJsonSchema")
    facts["schema"] = tuple(schema["properties"]) if schema else ()
    facts["json"] = config.get("responseMimeType") == "application/json" and not schema
    facts["effort"] = (config.get("thinkingConfig") or {}).get("thinkingLevel", "").lower()
    facts["logprobs"] = config.get("responseLogprobs")
    facts["stop"] = tuple(config.get("stopSequences") or ())
    facts["seed"], facts["n"] = config.get("seed"), config.get("candidateCount")
    facts["presence"] = config.get("presencePenalty")
    facts["frequency"] = config.get("frequencyPenalty")
    facts["temperature"] = config.get("temperature")
    facts["ceiling"] = config.get("maxOutputTokens")


def _hear(role: str | None, part: Json, facts: Facts) -> None:
    if "functionResponse" in part:
        _hear_result(part["functionResponse"], facts)
    elif "functionCall" in part:
        call = part["functionCall"]
        facts["calls"] += ((call["name"], call.get("args") or {}),)
        if "thoughtSignature" in part and len(facts["calls"]) == 1:
            facts["signed"] = ("", part["thoughtSignature"])
    elif "inlineData" in part:
        data = part["inlineData"]
        facts["pdf" if data["mimeType"] == "application/pdf" else "image"] = data["data"]
    elif "fileData" in part:
        facts["image_url"] = part["fileData"]["fileUri"]
    elif role != "model" and part.get("text"):
        facts["user"] += (part["text"],)


def _hear_result(told: Json, facts: Facts) -> None:
    response = told["response"]
    text = response.get("result") or response.get("output") or response.get("error")
    facts["results"] += ((told["name"], text),)
    facts["result_error"] = facts.get("result_error") or "error" in response
    for part in told.get("parts") or ():
        facts["result_image"] = part["inlineData"]["data"]


_TYPES: dict[str, Any] = {
    "systemInstruction": types.Content,
    "toolConfig": types.ToolConfig,
    "generationConfig": types.GenerationConfig,
}
_KEYS = frozenset(
    {"contents", "tools", "safetySettings", "labels", "cachedContent", "serviceTier", *_TYPES}
)


def check(body: Json, provider: str) -> None:
    more = body.keys() - _KEYS
    assert not more, f"Gemini has no {sorted(more)}"
    for content in body["contents"]:
        types.Content.model_validate_json(json.dumps(content))
        assert content["parts"], "a content without parts"
    for key, kind in _TYPES.items():
        if key in body:
            kind.model_validate_json(json.dumps(body[key]))
    for tool in body.get("tools") or ():
        types.Tool.model_validate_json(json.dumps(tool))


def answer(say: Say, provider: str) -> Json:
    if say.refusal:
        raise Unsaid("a refusal is an ordinary text")
    candidates = [_candidate(place, text, say) for place, text in enumerate(say.texts or ("",))]
    took, made, cached, thought = say.usage
    usage: dict[str, Json] = {
        "promptTokenCount": took,
        "candidatesTokenCount": made - thought,
        "totalTokenCount": took + made,
    }
    usage |= {"cachedContentTokenCount": cached} if cached else {}
    usage |= {"thoughtsTokenCount": thought} if thought else {}
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": "gemini-3-pro",
        "responseId": "resp_01",
    }


def _candidate(place: int, text: str, say: Say) -> Json:
    parts: list[Json] = [{"text": say.reasoning, "thought": True}] if say.reasoning else []
    parts += [{"text": text}] if text else []
    for call in say.calls:
        told = {"id": call.id, "name": call.name, "args": dict(call.arguments)}
        parts.append({"functionCall": told})
    if say.signature:
        first = next(part for part in parts if "functionCall" in part)
        first["thoughtSignature"] = SIGNATURE
    out: dict[str, Json] = {
        "content": {"role": "model", "parts": parts},
        "finishReason": _FINISH[say.finish],
        "index": place,
    }
    if say.citation:
        segment = {"startIndex": 0, "endIndex": len(text.encode()), "text": text}
        out["groundingMetadata"] = {
            "groundingChunks": [{"web": {"uri": CITED_URL, "title": "Source"}}],
            "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
        }
    if say.logprobs:
        token = {"token": text, "tokenId": 7, "logProbability": -0.1}
        out["logprobsResult"] = {
            "chosenCandidates": [token],
            "topCandidates": [{"candidates": [token]}],
        }
    return out


def stream(doc: Json, body: Json) -> bytes:
    head = {key: doc[key] for key in ("modelVersion", "responseId")}
    told = []
    for candidate in doc["candidates"]:
        place = candidate["index"]
        for part in candidate["content"]["parts"]:
            cut = [part]
            if "text" in part:
                cut = [part | {"text": piece} for piece in events.pieces(part["text"])]
            for one in cut:
                content = {"role": "model", "parts": [one]}
                told.append(head | {"candidates": [{"content": content, "index": place}]})
        last = {key: value for key, value in candidate.items() if key != "content"}
        told.append(head | {"candidates": [last | {"content": {"role": "model", "parts": []}}]})
    told[-1]["usageMetadata"] = doc["usageMetadata"]
    return events.sse([("", one) for one in told])


_ERRORS: dict[str, tuple[int, str, str]] = {
    "auth": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "rate": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "context": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "inside": (503, "UNAVAILABLE", "The model is overloaded."),
}


def trouble(kind: str, provider: str) -> Trouble:
    status, name, message = _ERRORS[kind]
    error: dict[str, Json] = {"code": status, "message": message, "status": name}
    if kind == "rate":
        delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
        error["details"] = [delay]
    return Trouble(status, {"error": error})


def gather(raw: bytes) -> Json:
    listed = raw.lstrip().startswith(b"[")
    docs = json.loads(raw) if listed else [doc for _, doc in events.docs(raw)]
    out: dict[str, Json] = {}
    candidates: dict[int, Json] = {}
    for doc in docs:
        if "error" in doc:
            return doc
        out |= {key: value for key, value in doc.items() if key != "candidates"}
        for one in doc.get("candidates") or ():
            known = candidates.setdefault(one.get("index", 0), {"content": {"parts": []}})
            known["content"]["parts"] += (one.get("content") or {}).get("parts") or ()
            known |= {key: value for key, value in one.items() if key != "content"}
    assert candidates, "no candidates"
    assert all("finishReason" in one for one in candidates.values()), "no finishReason"
    return out | {"candidates": [candidates[place] for place in sorted(candidates)]}


def said(doc: Json) -> Facts:
    types.GenerateContentResponse._from_response(response=doc, kwargs={})
    first = doc["candidates"][0]
    parts = first["content"].get("parts") or []
    words = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}
    usage = doc.get("usageMetadata") or {}
    thought = usage.get("thoughtsTokenCount") or 0
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    assert len({call.get("id") for call in calls} - {"", None}) == len(calls), "ids of calls"
    grounds = first.get("groundingMetadata") or {}
    cited = [chunk["web"]["uri"] for chunk in grounds.get("groundingChunks") or ()]
    cited += [
        one.get("uri") for one in (first.get("citationMetadata") or {}).get("citationSources") or ()
    ]
    finish = words.get(first["finishReason"], first["finishReason"])
    chosen = (first.get("logprobsResult") or {}).get("chosenCandidates") or ()
    return {
        "texts": tuple(filter(None, (_text(one) for one in doc["candidates"]))),
        "reasoning": "".join(part["text"] for part in parts if part.get("thought")),
        "calls": tuple((call["name"], call.get("args") or {}) for call in calls),
        "citations": tuple(cited),
        "logprobs": any("logProbability" in one for one in chosen),
        "finish": "tool_calls" if calls and finish == "stop" else finish,
        "input": usage.get("promptTokenCount"),
        "output": (usage.get("candidatesTokenCount") or 0) + thought,
        "cached": usage.get("cachedContentTokenCount"),
        "thought": thought,
    }


def _text(candidate: Json) -> str:
    parts = candidate["content"].get("parts") or []
    return "".join(part.get("text") or "" for part in parts if not part.get("thought"))


def back(doc: Json) -> Json:
    return {"role": "model", "parts": doc["candidates"][0]["content"]["parts"]}


WIRE = Wire("gemini", write, heard, check, answer, stream, trouble, gather, said, back)
