"""OpenAI's former completions. Source: platform.openai.com, API reference, completions."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from openai.types import Completion, completion_create_params
from pydantic import TypeAdapter
from tests.conformance import events
from tests.conformance.values import Ask, Say, Trouble, Unsaid, Wire, unsaid
from tests.conformance.wires import chat_answers

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json

_UNSAID = ("system", "developer", "tools", "schema", "json", "effort", "cache", "replay")


def write(ask: Ask, model: str, stream: bool) -> Json:
    unsaid(ask, *_UNSAID)
    if len(ask.turns) > 1 or ask.turns[0].extra:
        raise Unsaid("a prompt is one text")
    out: dict[str, Json] = {
        "model": model,
        "prompt": ask.turns[0].text,
        "max_tokens": ask.ceiling,
        "temperature": ask.temperature,
        "stop": list(ask.stop) or None,
        "seed": ask.seed,
        "presence_penalty": ask.presence,
        "frequency_penalty": ask.frequency,
        "n": ask.n,
        "logprobs": 2 if ask.logprobs else None,
    }
    if stream:
        out |= {"stream": True, "stream_options": {"include_usage": True}}
    return {key: one for key, one in out.items() if one is not None}


def heard(body: Json) -> Facts:
    stop = body.get("stop")
    prompt = body["prompt"]
    return {
        "user": (prompt,) if isinstance(prompt, str) else tuple(prompt),
        "stop": (stop,) if isinstance(stop, str) else tuple(stop or ()),
        "seed": body.get("seed"),
        "presence": body.get("presence_penalty"),
        "frequency": body.get("frequency_penalty"),
        "n": body.get("n"),
        "logprobs": body.get("logprobs") is not None,
        "temperature": body.get("temperature"),
        "ceiling": body.get("max_tokens"),
    }


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_PARAMS = completion_create_params.CompletionCreateParamsBase
_KEYS = frozenset(get_type_hints(_PARAMS)) | {"stream"}


def check(body: Json, provider: str) -> None:
    more = body.keys() - _KEYS
    assert not more, f"completions have no {sorted(more)}"
    _adapter(_PARAMS).validate_json(json.dumps(body))


def answer(say: Say, provider: str) -> Json:
    if say.reasoning or say.calls or say.citation or say.refusal:
        raise Unsaid("a completion is a text")
    copy = chat_answers.COPIES[provider]
    if (say.usage[2] or say.usage[3]) and not copy.cached:
        raise Unsaid("it does not count these")
    choices = []
    for place, text in enumerate(say.texts):
        choice: dict[str, Json] = {"index": place, "text": text, "finish_reason": say.finish}
        choice["logprobs"] = None
        if say.logprobs:
            choice["logprobs"] = {
                "tokens": [text],
                "token_logprobs": [-0.1],
                "top_logprobs": [{text: -0.1}],
                "text_offset": [0],
            }
        choices.append(choice)
    whole = chat_answers.answer(Say(usage=say.usage), provider)
    kept = {key: whole[key] for key in ("created", "model", "usage")}
    return {"id": "cmpl-1", "object": "text_completion", "choices": choices} | kept


def stream(doc: Json, body: Json) -> bytes:
    head = {key: doc[key] for key in ("id", "object", "created", "model")}
    told = []
    for choice in doc["choices"]:
        first, second = events.pieces(choice["text"])
        part = choice | {"text": first, "finish_reason": None}
        told.append(("", head | {"choices": [part]}))
        told.append(("", head | {"choices": [part | {"text": second, "logprobs": None}]}))
        told.append(("", head | {"choices": [choice | {"text": "", "logprobs": None}]}))
    if (body.get("stream_options") or {}).get("include_usage"):
        told.append(("", head | {"choices": [], "usage": doc["usage"]}))
    return events.sse([*told, ("", "[DONE]")])


def trouble(kind: str, provider: str) -> Trouble:
    return chat_answers.trouble(kind, provider)


def gather(raw: bytes) -> Json:
    out: dict[str, Json] = {"object": "text_completion"}
    choices: dict[int, Json] = {}
    for _, doc in events.docs(raw):
        if "error" in doc:
            return doc
        out |= {
            key: doc[key] for key in ("id", "created", "model", "usage") if doc.get(key) is not None
        }
        for part in doc["choices"]:
            known = choices.setdefault(
                part["index"], {"index": part["index"], "text": "", "logprobs": None}
            )
            known["text"] += part["text"]
            known["finish_reason"] = part.get("finish_reason") or known.get("finish_reason")
            known["logprobs"] = known["logprobs"] or part.get("logprobs")
    assert events.read_sse(raw)[-1][1] == "[DONE]", "no [DONE]"
    return out | {"choices": [choices[place] for place in sorted(choices)]}


def said(doc: Json) -> Facts:
    _adapter(Completion).validate_json(json.dumps(doc))
    choices, usage = doc["choices"], doc.get("usage") or {}
    told = choices[0].get("logprobs") or {}
    return {
        "texts": tuple(choice["text"] for choice in choices),
        "logprobs": bool(told.get("token_logprobs")),
        "finish": choices[0]["finish_reason"],
        "input": usage.get("prompt_tokens"),
        "output": usage.get("completion_tokens"),
        "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")
        or usage.get("cached_tokens"),
        "thought": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    }


def back(doc: Json) -> Json:
    raise Unsaid("a prompt is one text")


WIRE = Wire("openai_completions", write, heard, check, answer, stream, trouble, gather, said, back)
