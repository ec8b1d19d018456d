"""Canonical requests → predictions.

Most models take one prompt. A conversation goes to them as a transcript, which is told; those that
take messages get them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire import foreign
from nexus_sdk.wire.canonical import modern, stranded, text_of, tool_calls, without
from nexus_sdk.wire.dialects.replicate.words import NAME, Words, words

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_FEATURES = {
    "n": "one answer at a time",
    "seed": "sampling cannot be seeded",
    "logprobs": "probabilities of tokens are not told",
    "top_logprobs": "probabilities of tokens are not told",
    "logit_bias": "single tokens cannot be weighed",
    "temperature": "this model has no such setting",
    "top_p": "this model has no such setting",
    "top_k": "this model has no such setting",
    "presence_penalty": "this model has no such setting",
    "frequency_penalty": "this model has no such setting",
    "tools": "there are no tools",
    "audio": "there is no audio",
    "web_search_options": "there is no search",
    "store": "answers are not stored",
    "moderation": "there is no such moderation",
    "mcp_servers": "there are no tools",
    "container": "there are no tools",
}
"""Canonical members without which the answer is not what was asked for."""
_NEUTRAL: dict[str, Json] = {
    "n": 1,
    "logprobs": False,
    "store": False,
    "tools": [],
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "top_logprobs": 0,
    "logit_bias": {},
}
"""Values that ask for nothing."""
_HINTS = {
    "user": "there is no such label",
    "safety_identifier": "there is no such label",
    "metadata": "there is no such label",
    "service_tier": "there are no tiers",
    "reasoning_effort": "this model has no such setting",
    "reasoning": "this model has no such setting",
    "thinking": "the model decides itself how long it reasons",
    "verbosity": "this model has no such setting",
    "prediction": "there are no predicted outputs",
    "prompt_cache_key": "there is no cache of prompts",
    "prompt_cache_retention": "there is no cache of prompts",
    "cache_control": "there is no cache of prompts",
    "output_config": "this model has no such setting",
    "include": "there are no such additions",
    "max_tool_calls": "there are no tools",
}
_DONE_ELSEWHERE = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "stop", "stream", "stream_options",
    "tool_choice", "parallel_tool_calls", "response_format", "modalities",
})  # fmt: skip
_LABELS = {"user": "User", "assistant": "Assistant", "system": "System", "developer": "System"}


def as_it_is(doc: Json, report: Report) -> Json:  # noqa: ARG001  predictions carry no foreign blocks
    return doc


def request(chat: Json, report: Report) -> Json:
    """Raises Unsupported for tools in the conversation, and for parts that are neither text nor an
    image that the model takes."""
    chat, _ = foreign.settled(modern(chat), "replicate", report)
    chat = {key: value for key, value in chat.items() if value is not None}
    own = words(chat.get("model", ""))
    given = without(chat, _DONE_ELSEWHERE)
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key, reason in table.items():
            if key in own.takes or key in report.accepts:
                continue
            value = given.pop(key, None)
            if value is not None and value != _NEUTRAL.get(key, ()):
                tell(key, reason)
    given |= _ceiling(chat, own) | _stop(chat, own, report)
    _tell_forms(chat, report)
    given |= _conversation(chat["messages"], own, report)
    streamed = {"stream": True} if chat.get("stream") else {}
    return {"version": chat.get("model", ""), "input": given} | streamed


def _ceiling(chat: Json, own: Words) -> Json:
    for key in ("max_completion_tokens", "max_tokens"):
        if key in chat:
            return {own.ceiling: chat[key]}
    return {}


def _stop(chat: Json, own: Words, report: Report) -> Json:
    told = chat.get("stop") or []
    stops = [told] if isinstance(told, str) else told
    if not stops:
        return {}
    if not own.stop:
        report.dropped("stop", "this model has no stop sequences")
        return {}
    if any("," in stop for stop in stops):
        report.dropped("stop", "a stop sequence cannot hold a comma, which parts them")
        return {}
    return {own.stop: ",".join(stops)}


def _tell_forms(chat: Json, report: Report) -> None:
    if (chat.get("response_format") or {}).get("type", "text") != "text":
        report.dropped("response_format", "the form of answers cannot be chosen")
    if any(kind != "text" for kind in chat.get("modalities") or ()):
        report.dropped("modalities", "there is text only")


def _conversation(messages: list[Json], own: Words, report: Report) -> Json:
    """The input's members for the messages."""
    turns: list[tuple[str, str]] = []
    images: list[str] = []
    for place, message in enumerate(messages):
        turns.append(_turn(message, f"messages.{place}", report))
        images += _images(message, f"messages.{place}", own, report)
    out: Json = {}
    if images:
        if not own.many and len(images) > 1:
            raise Unsupported("this model takes one image", param="messages")
        out[own.images] = images if own.many else images[0]
    head = 0
    while head < len(turns) - 1 and turns[head][0] in {"system", "developer"}:
        head += 1
    rest = turns[head:]
    if len(rest) > 1 and own.messages and not images:
        return {"messages": [{"role": role, "content": text} for role, text in turns]}
    if head:
        out[own.system] = "\n\n".join(text for _, text in turns[:head])
    return out | {"prompt": _prompt(rest, report)}


def _prompt(turns: list[tuple[str, str]], report: Report) -> str:
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    report.coerced("messages->prompt (a transcript)")
    lines = [f"{_LABELS[role]}: {text}" for role, text in turns]
    return "\n\n".join([*lines, "Assistant:"] if turns[-1][0] != "assistant" else lines)


def _turn(message: Json, path: str, report: Report) -> tuple[str, str]:
    role = message["role"]
    if role not in _LABELS or tool_calls(message):
        raise Unsupported("there are no tools, nor their calls and results", param=path)
    if stranded(message, NAME):
        report.dropped(
            f"{path}.provider_blocks",
            "the items of another vendor's tools cannot be given to this one",
        )
    for key in sorted(message.keys() - _SAID):
        if message[key]:
            report.omitted(f"{path}.{key}", "a turn is a role and a text")
    return role, text_of(message.get("content")) or message.get("refusal") or ""


_SAID = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "provider_blocks"})


def _images(message: Json, path: str, own: Words, report: Report) -> list[str]:
    """The images of a turn, and a word on what its parts have beside their content."""
    content = message.get("content")
    found = []
    for place, part in enumerate(content if isinstance(content, list) else ()):
        kind, here = part.get("type"), f"{path}.content.{place}"
        told = part.get(kind) if kind in {"text", "refusal", "image_url"} else None
        url = told.get("url") if isinstance(told, dict) else None
        if told is None or (kind == "image_url" and not (url and own.images)):
            raise Unsupported(f"this model takes no content part of type {kind!r}", param=here)
        for key in sorted(part.keys() - {"type", kind}):
            report.omitted(f"{here}.{key}", "a part is its content alone")
        if url:
            found.append(url)
            if told.get("detail") not in {None, "auto"}:
                report.omitted(f"{here}.image_url.detail", "images have no grades of detail")
    return found
