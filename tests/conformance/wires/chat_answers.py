"""Chat completions as answers: what a model says in each copy's own form, its streams and errors,
and how a client reads them.

Sources: as in `chat.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter
from tests.conformance import events
from tests.conformance.values import CITED_URL, SIGNATURE, Call, Say, Trouble, Unsaid

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json


@dataclass(frozen=True)
class Copy:
    """How a provider's copy tells its reasoning, cached tokens and citations. `counts`: whether a
    stream counts tokens only when asked, or always."""

    reasoning: str = ""
    cached: str = "prompt_tokens_details"
    citations: str = ""
    counts: str = "asked"
    more: frozenset[str] = frozenset()
    """Members of a request that its documentation has beside OpenAI's."""


_SAMPLING = frozenset({"top_k", "min_p", "repetition_penalty"})
COPIES: dict[str, Copy] = {
    "openai": Copy(citations="annotations"),
    "azure": Copy(citations="annotations"),
    "deepseek": Copy("reasoning_content", "prompt_cache_hit_tokens", more=frozenset({"thinking"})),
    "moonshot": Copy("reasoning_content", "cached_tokens", more=frozenset({"thinking"})),
    "mistral": Copy("parts", counts="always"),
    "groq": Copy("reasoning"),
    "fireworks": Copy("reasoning_content", more=_SAMPLING),
    "together": Copy("reasoning", more=_SAMPLING),
    "perplexity": Copy("", "", "search_results", "always", frozenset({"top_k"})),
    "xai": Copy("reasoning_content", citations="citations"),
    "huggingface": Copy("reasoning_content"),
    "openrouter": Copy(
        "details", citations="annotations", more=_SAMPLING | {"reasoning", "cache_control"}
    ),
    "ollama": Copy("reasoning", ""),
    "vllm": Copy("reasoning_content", more=_SAMPLING),
    "lm_studio": Copy("reasoning", "", more=frozenset({"top_k", "repeat_penalty"})),
    "nvidia_nim": Copy("reasoning_content", ""),
    "cerebras": Copy("reasoning"),
    "sambanova": Copy("reasoning", ""),
    "databricks": Copy("", "", counts="always"),
    "watsonx": Copy("", "", counts="always"),
    "minimax": Copy("reasoning_content"),
    "glm": Copy("reasoning_content", counts="always", more=frozenset({"thinking"})),
    "openai_compatible": Copy("reasoning_content", counts="always"),
}


def tool_call(call: Call) -> Json:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "type": "function", "function": function}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def answer(say: Say, provider: str) -> Json:
    copy = COPIES[provider]
    if say.reasoning and not copy.reasoning:
        raise Unsaid("it tells no reasoning")
    if say.signature and copy.reasoning != "details":
        raise Unsaid("its reasoning has no signature")
    if say.citation and not copy.citations:
        raise Unsaid("it tells no citations")
    if (say.usage[2] and not copy.cached) or (say.usage[3] and copy.cached == ""):
        raise Unsaid("it does not count these")
    choices = [_choice(place, text, say, copy) for place, text in enumerate(say.texts or ("",))]
    doc: dict[str, Json] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "model-2026-01-01",
        "choices": choices,
        "usage": _usage(say, copy),
    }
    if say.citation and copy.citations == "search_results":
        doc["citations"] = [CITED_URL]
        doc["search_results"] = [{"title": "Source", "url": CITED_URL, "date": None}]
    if say.citation and copy.citations == "citations":
        doc["citations"] = [CITED_URL]
    return doc


def _choice(place: int, text: str, say: Say, copy: Copy) -> Json:
    message: dict[str, Json] = {"role": "assistant", "content": text or None}
    if say.refusal:
        message |= {"content": None, "refusal": say.refusal}
    if say.calls:
        message["tool_calls"] = [tool_call(call) for call in say.calls]
    if say.reasoning:
        message |= _reasoning(say, copy, text)
    if say.citation and copy.citations == "annotations":
        cited = {"url": CITED_URL, "title": "Source", "start_index": 0, "end_index": len(text)}
        message["annotations"] = [{"type": "url_citation", "url_citation": cited}]
    choice: dict[str, Json] = {"index": place, "message": message, "finish_reason": say.finish}
    if say.logprobs:
        top = [{"token": text, "logprob": -0.1, "bytes": list(text.encode())}]
        token = top[0] | {"top_logprobs": top}
        choice["logprobs"] = {"content": [token], "refusal": None}
    return choice


def _reasoning(say: Say, copy: Copy, text: str) -> Json:
    if copy.reasoning == "parts":
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": say.reasoning}]}
        told = [{"type": "text", "text": text}] if text else []
        return {"content": [thinking, *told]}
    if copy.reasoning == "details":
        detail: Json = {"type": "reasoning.text", "text": say.reasoning}
        detail |= {"signature": SIGNATURE}
        detail |= {"id": "r1", "format": "anthropic-claude-v1", "index": 0}
        return {"reasoning": say.reasoning, "reasoning_details": [detail]}
    return {copy.reasoning: say.reasoning}


def _usage(say: Say, copy: Copy) -> Json:
    took, made, cached, thought = say.usage
    usage: dict[str, Json] = {
        "prompt_tokens": took,
        "completion_tokens": made,
        "total_tokens": took + made,
    }
    if copy.cached == "prompt_cache_hit_tokens":
        usage |= {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": took - cached}
    elif copy.cached == "cached_tokens":
        usage["cached_tokens"] = cached
    elif copy.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    if thought:
        usage["completion_tokens_details"] = {"reasoning_tokens": thought}
    return usage


def stream(doc: Json, body: Json) -> bytes:
    head = {key: doc[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    more = {key: doc[key] for key in ("citations", "search_results") if key in doc}
    told: list[tuple[str, Json]] = []
    for choice in doc["choices"]:
        probabilities = {key: choice[key] for key in ("logprobs",) if key in choice}
        for delta in _deltas(choice["message"]):
            part = {"index": choice["index"], "delta": delta, "finish_reason": None}
            if probabilities and delta.get("content"):
                part["logprobs"] = probabilities.pop("logprobs")
            told.append(("", head | more | {"choices": [part]}))
        last = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        told.append(("", head | more | {"choices": [last]}))
    if (body.get("stream_options") or {}).get("include_usage"):
        told.append(("", head | {"choices": [], "usage": doc["usage"]}))
    elif not body.get("stream_options"):
        told[-1][1]["usage"] = doc["usage"]
    return events.sse([*told, ("", "[DONE]")])


def _deltas(message: Json) -> list[Json]:
    out: list[Json] = [{"role": "assistant", "content": ""}, *_thoughts(message)]
    content = message.get("content")
    if isinstance(content, list):
        out += [
            {"content": piece}
            for part in content
            for piece in ([[part]] if part["type"] == "thinking" else events.pieces(part["text"]))
        ]
    for key in ("content", "refusal"):
        if isinstance(message.get(key), str):
            out += [{key: piece} for piece in events.pieces(message[key])]
    for place, call in enumerate(message.get("tool_calls") or ()):
        begun = call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        out.append({"tool_calls": [{"index": place} | begun]})
        out += [
            {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}
            for piece in events.pieces(call["function"]["arguments"])
        ]
    if "annotations" in message:
        out.append({"annotations": message["annotations"]})
    return out


def _thoughts(message: Json) -> list[Json]:
    key = next((key for key in ("reasoning_content", "reasoning") if key in message), None)
    if key is None:
        return []
    details = message.get("reasoning_details") or ()
    return [
        {key: piece} | _detail(details, piece, first=place == 0)
        for place, piece in enumerate(events.pieces(message[key]))
    ]


def _detail(details: Json, piece: str, *, first: bool) -> Json:
    if not details:
        return {}
    detail = {"type": "reasoning.text", "text": piece, "index": 0}
    if not first:
        detail |= {key: details[0][key] for key in ("id", "format", "signature")}
    return {"reasoning_details": [detail]}


_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "auth": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "rate": (429, "requests", "rate_limit_exceeded", "Rate limit reached."),
    "context": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens.",
    ),
    "inside": (500, "server_error", None, "The server had an error."),
}


def trouble(kind: str, provider: str) -> Trouble:
    status, name, code, message = _ERRORS[kind]
    headers = {"retry-after": "7"} if kind == "rate" else {}
    if provider == "mistral" and kind != "inside":
        flat = {"object": "error", "message": message, "type": name, "param": None, "code": code}
        return Trouble(status, flat, headers)
    error = {"message": message, "type": name, "param": None, "code": code}
    return Trouble(status, {"error": error}, headers)


# ---- reading answers -----------------------------------------------------------------------------


def gather(raw: bytes) -> Json:
    out: dict[str, Json] = {"object": "chat.completion", "choices": []}
    choices: dict[int, Json] = {}
    for _, doc in events.docs(raw):
        if "error" in doc:
            return doc
        _adapter(ChatCompletionChunk).validate_json(json.dumps(_plain(doc, "delta")))
        out |= {
            key: doc[key] for key in ("id", "created", "model", "usage") if doc.get(key) is not None
        }
        out |= {key: doc[key] for key in ("citations", "search_results") if key in doc}
        for part in doc["choices"]:
            choice = choices.setdefault(
                part["index"], {"index": part["index"], "message": {}, "finish_reason": None}
            )
            _join(choice["message"], part["delta"])
            choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
            if part.get("logprobs"):
                choice["logprobs"] = part["logprobs"]
    assert events.read_sse(raw)[-1][1] == "[DONE]", "no [DONE]"
    out["choices"] = [choices[place] for place in sorted(choices)]
    for choice in out["choices"]:
        choice["message"].setdefault("content", None)
    return out


def _plain(doc: Json, part: str) -> Json:
    """Without members whose type at OpenAI is narrower than ours, which are extensions."""
    choices = []
    for choice in doc["choices"]:
        keys = {"annotations", "reasoning_blocks", "provider_blocks"}
        told = {key: value for key, value in choice[part].items() if key not in keys}
        if isinstance(told.get("content"), list):  # Mistral's
            told["content"] = _text(told)
        choices.append(choice | {part: told})
    return doc | {"choices": choices}


def _join(into: Json, delta: Json) -> None:
    for key, value in delta.items():
        if key == "reasoning_details":
            known = into.setdefault(key, [{"text": ""}])
            for item in value:
                known[0] |= item | {"text": known[0]["text"] + item["text"]}
        elif key in {"tool_calls", "reasoning_blocks", "provider_blocks", "annotations"}:
            known = into.setdefault(key, [])
            for item in value or ():
                place = item.get("index", len(known))
                if place >= len(known):
                    known.append({})
                _join_item(known[place], item)
        elif key == "content" and isinstance(value, list):
            known = into.get("content")
            into["content"] = [*(known if isinstance(known, list) else ()), *value]
        elif isinstance(value, str) and isinstance(into.get(key), list):
            into[key].append({"type": "text", "text": value})
        elif isinstance(value, str) and key != "role":
            into[key] = (into.get(key) or "") + value
        elif value is not None:
            into[key] = value


def _join_item(known: Json, item: Json) -> None:
    for key, value in item.items():
        if key == "index":
            continue
        if key == "function":
            function = known.setdefault("function", {"arguments": ""})
            function["name"] = function.get("name") or value.get("name")
            function["arguments"] += value.get("arguments") or ""
        else:
            known[key] = value


def said(doc: Json) -> Facts:
    _adapter(ChatCompletion).validate_json(json.dumps(_plain(doc, "message")))
    choices = doc["choices"]
    message = choices[0]["message"]
    usage = doc.get("usage") or {}
    calls = message.get("tool_calls") or ()
    assert len({call["id"] for call in calls} - {"", None}) == len(calls), "ids of calls"
    cited = [one.get("url_citation", {}).get("url") for one in message.get("annotations") or ()]
    logprobs = choices[0].get("logprobs") or {}
    return {
        "texts": tuple(filter(None, (_text(choice["message"]) for choice in choices))),
        "reasoning": _reasoned(message),
        "calls": tuple(
            (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
        ),
        "citations": tuple(cited) or tuple(doc.get("citations") or ()),
        "logprobs": any("logprob" in token for token in logprobs.get("content") or ()),
        "refusal": message.get("refusal"),
        "finish": choices[0]["finish_reason"],
        "input": usage.get("prompt_tokens"),
        "output": usage.get("completion_tokens"),
        "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")
        or usage.get("cached_tokens"),
        "thought": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    }


def _reasoned(message: Json) -> str | None:
    content = message.get("content")
    if isinstance(content, list):
        parts = [one for part in content if part["type"] == "thinking" for one in part["thinking"]]
        return "".join(part["text"] for part in parts)
    told = message.get("reasoning_content") or message.get("reasoning")
    return str(told) if told else None


def _text(message: Json) -> str | None:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part["type"] == "text")
    return str(content) if content else None


def back(doc: Json) -> Json:
    return doc["choices"][0]["message"]
