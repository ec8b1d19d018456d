"""What becomes of a request, an answer or a stream in another dialect: what was told of it, and
what is missing although nobody told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from bench.recorded.differences import general
from bench.recorded.facts import SAME_NAME, Fact, facts, of_message, plain, strings
from bench.recorded.round_trips import again, canonical_request, chunks, told_events
from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.recorded.exchanges import Exchange
    from nexus_sdk.wire.json import Json

CHATS = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock", "cohere")
EMBEDDINGS = (
    "openai_embeddings", "cohere_embed", "bedrock_cohere_embed", "gemini_embed",
    "gemini_batch_embed", "titan_embed", "nova_embed", "voyage_embed", "vertex_embed",
)  # fmt: skip
COUNTS = ("anthropic_count", "openai_count")
FAMILIES = (CHATS, EMBEDDINGS, COUNTS)
_MODEL = {"bedrock": "anthropic.claude-sonnet-4-5", "gemini": "gemini-3-pro"}


@dataclass(slots=True)
class Crossing:
    """Of one document. `told`: kind and address of what the report says; `untold`: addresses of
    what is missing without a word."""

    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    untold: list[str] = field(default_factory=list)


def targets(name: str) -> tuple[str, ...]:
    """The dialects of the same family. OpenAI's chat completions are one of their own too: their
    encoder is for OpenAI alone, and others' chat completions hold more."""
    for family in FAMILIES:
        if name in family:
            return tuple(other for other in family if other != name or name == "openai_chat")
    return ()


def request(exchange: Exchange, target: str) -> Crossing:
    out, report = Crossing(), Report()
    dialect = DIALECTS[target]
    chat = canonical_request(exchange) | {"model": _MODEL.get(target, "model")}
    try:
        body = dialect.encode_request(again(chat), report)
    except Unsupported as refused:
        if not refused.param:
            out.untold.append(f"refused without a parameter: {refused.message}")
        out.told["refused", general(str(refused.param))] += 1
        return out
    dialect.read(again(body) | {"model": "model"} if target not in _MODEL else again(body))
    for kind, losses in (("dropped", report.drops), ("omitted", report.omissions)):
        for loss in losses:
            out.told[kind, general(loss.param)] += 1
    for change in report.changes:
        out.told["coerced", general(change)] += 1
    if target in CHATS:
        back = dialect.decode_request(again(body))
        out.untold = [general(fact.address) for fact in _missing(facts(chat), body, back, report)]
    return out


def _missing(said: Iterable[Fact], body: Json, back: Json, report: Report) -> list[Fact]:
    texts = _Texts(body)
    told = [loss.param for loss in report.drops + report.omissions]
    told += [one.replace("reasoning_blocks", "reasoning_content") for one in told]
    if any(one.startswith("tools.") for one in told):
        # Without the tool there is no choice of it.
        told.append("tool_choice")
    if "reasoning" in told:
        told.append("reasoning_effort")
    if any(change.startswith("tool_choice") for change in report.changes):
        # The others are not given: that is how the choice is told.
        told.append("tools")
    changed = [change.partition("->")[0].partition(":")[0] for change in report.changes]
    return [
        fact
        for fact in said
        if not _is_kept(fact, texts, body, back)
        and not any(_covers(address, fact.address) for address in (*told, *changed))
    ]


def _covers(told: str, address: str) -> bool:
    told, address = SAME_NAME.get(told.strip(), told.strip()), SAME_NAME.get(address, address)
    if told.endswith(".cache_control") and address.endswith(".cache_control"):
        address = told if address.startswith(told.removesuffix("cache_control")) else address
    return f"{address}.".startswith(f"{told}.") or f"{told}.".startswith(f"{address}.")


class _Texts:
    """The strings of a document, once as they are and once without the blanks that writers of JSON
    differ in."""

    def __init__(self, doc: Json) -> None:
        told = list(strings(doc))
        self._all = "\0".join(told)
        self._bare = _bare(self._all)

    def hold(self, text: str) -> bool:
        return text.strip() in self._all or _bare(text) in self._bare


def _bare(text: str) -> str:
    return "".join(text.replace("\\", "").split())


def _is_kept(fact: Fact, texts: _Texts, body: Json, back: Json) -> bool:
    if fact.kind == "said":
        return texts.hold(fact.value) or _is_held_as_json(fact.value, texts)
    if fact.kind == "known":
        return texts.hold(fact.address.rpartition(".")[2]) or _is_known(fact, back)
    if _NEUTRAL.get(fact.address, _NONE) == fact.value:
        return True
    if body.get(fact.address) == fact.value:
        return True
    name = SAME_NAME.get(fact.address, fact.address)
    for key in (fact.address, name):
        if key in back and plain(key, back[key], back) == fact.value:
            return True
    return name in {"safety_identifier", "user"} and texts.hold(fact.value)


def _is_held_as_json(text: str, texts: _Texts) -> bool:
    """A tool's result of JSON may be told as an object."""
    if text[:1] not in {"{", "["}:
        return False
    try:
        return all(texts.hold(one) for one in strings(orjson.loads(text)))
    except orjson.JSONDecodeError:
        return False


_NONE = object()
_NEUTRAL: dict[str, Json] = {
    "n": 1,
    "modalities": ["text"],
    "tool_choice": "auto",
    "logit_bias": {},
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "stop": [],
    "parallel_tool_calls": True,
    "safety_mode": "CONTEXTUAL",
    "raw_prompting": False,
    "service_tier": "auto",
}
"""Settings that ask for what would be done anyway."""


def _is_known(fact: Fact, back: Json) -> bool:
    """Does the canonical form that comes back name it anywhere?"""
    return _Texts([back.get("messages"), back.get("tools")]).hold(fact.address.rpartition(".")[2])


def _reply(exchange: Exchange) -> Reply:
    """To a caller who wants the counts."""
    wanted = {"stream_options": {"include_usage": True}}
    return Reply(wanted, "request", exchange.model or "model", 1)


def answer(exchange: Exchange, target: str) -> Crossing:
    """An answer's text, reasoning, calls and finish must be there; what else is missing is what the
    other dialect has no place for."""
    chat = DIALECTS[exchange.dialect].decode_response(again(exchange.answer))
    dialect = DIALECTS[target]
    body = dialect.encode_response(again(chat), _reply(exchange))
    if target not in CHATS:
        return Crossing()
    return _compared(chat, dialect.decode_response(again(body)), body)


def stream(exchange: Exchange, target: str) -> Crossing:
    told = chunks(DIALECTS[exchange.dialect], exchange.events)
    dialect = DIALECTS[target]
    events = told_events(dialect, told, _reply(exchange))
    for event in events:
        event.doc = document(event.data)
    if not dialect.terminal(events[-1]):
        return Crossing(untold=["(no end)"])
    back = chunks(dialect, events)
    return _compared(merged(told), merged(back), [event.doc for event in events])


def document(data: bytes) -> Json:
    return orjson.loads(data) if data[:1] == b"{" else None


def _compared(chat: Json, back: Json, body: Json) -> Crossing:
    out = Crossing()
    choice, other = chat["choices"][0], back["choices"][0]
    texts = _Texts([body, other.get("message")])
    message, again_message = choice["message"], other["message"]
    for key in ("reasoning_blocks", "provider_blocks"):
        if not _same_blocks(message.get(key), again_message.get(key)):
            _tell(out, f"message.{key}")
    for fact in of_message("message", without(message, {"reasoning_blocks", "provider_blocks"})):
        if not texts.hold(str(fact.value)):
            _tell(out, fact.address)
    refused = {"content_filter"} if message.get("refusal") else set()
    if _finish(other) not in {_finish(choice)} | refused:
        _tell(out, "finish_reason")
    told = [key for key in _BESIDE if choice.get(key) and not other.get(key)]
    if message.get("annotations") and not again_message.get("annotations"):
        told.append("message.annotations")
    if len(chat["choices"]) > len(back["choices"]):
        told.append("choices")
    for address in [*told, *_miscounted(chat.get("usage") or {}, back.get("usage") or {})]:
        _tell(out, address)
    return out


_BESIDE = ("logprobs", "native_finish_reason", "stop_sequence")


def _miscounted(before: Json, after: Json) -> list[str]:
    keys = ("prompt_tokens", "completion_tokens")
    return [f"usage.{key}" for key in keys if before.get(key) and before[key] != after.get(key)]


_MUST = ("message.content", "message.tool_calls", "message.reasoning_content", "message.refusal",
         "finish_reason", "usage")  # fmt: skip


def _tell(out: Crossing, address: str) -> None:
    if address.startswith(_MUST):
        out.untold.append(general(address))
    else:
        out.told["no place", general(address)] += 1


def _same_blocks(before: Json, after: Json) -> bool:
    """Does every block that has an origin come back to it as it was?"""
    told = [[entry["origin"], entry["block"]] for entry in after or ()]
    return all([entry["origin"], entry["block"]] in told for entry in before or ())


def _finish(choice: Json) -> str:
    """Some call tools and say `stop`, or use their own tools and say `tool_calls`."""
    reason = choice.get("finish_reason") or "stop"
    if reason in {"stop", "tool_calls", "function_call"}:
        message = choice["message"]
        called = message.get("tool_calls") or message.get("function_call")
        return "tool_calls" if called else "stop"
    return str(reason)


def merged(told: list[Json]) -> Json:
    """The chunks of a stream as one answer."""
    message: Json = {"content": "", "reasoning_content": "", "refusal": ""}
    out: Json = {"choices": [{"message": message}], "usage": {}}
    calls: dict[int, Json] = {}
    for chunk in told:
        out["usage"] = chunk.get("usage") or out["usage"]
        for choice in chunk["choices"]:
            if choice.get("index", 0) == 0:
                _merge(message, choice.get("delta") or {}, calls)
                out["choices"][0] |= {
                    key: value
                    for key, value in choice.items()
                    if key != "delta" and value is not None
                }
    message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return out


def _merge(message: Json, delta: Json, calls: dict[int, Json]) -> None:
    for key in ("content", "reasoning_content", "refusal"):
        message[key] += delta.get(key) or ""
    for key in ("reasoning_blocks", "provider_blocks", "annotations"):
        message.setdefault(key, []).extend(delta.get(key) or ())
    for piece in delta.get("tool_calls") or ():
        kind = "custom" if "custom" in piece else "function"
        body = "input" if kind == "custom" else "arguments"
        call = calls.setdefault(piece.get("index", 0), {kind: {"name": "", body: ""}})
        told = piece.get(kind) or {}
        call[kind]["name"] = told.get("name") or call[kind]["name"]
        call[kind][body] += told.get(body) or ""
