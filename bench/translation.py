"""Translation alone: what it costs to put a document of one dialect into another's.

Every pair of chat dialects is measured. What is sent is parsed beforehand, and a stream's events
are written, as the pipeline does both.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import orjson

from bench.measure import calls, interleave
from bench.prompts import prompts
from bench.rows import Row, Target
from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Turn
    from bench.rows import Plan
    from nexus_sdk.wire.json import Json

CHATS = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock", "cohere")
PAIRS = tuple((one, other) for one in CHATS for other in CHATS if one != other)
TOOL_TURNS = 50
CHUNKS = 200
REPLY = Reply({}, "request", "model", 1)


class Kind(NamedTuple):
    """`each`: a call's figure is for so many."""

    what: str
    unit: str
    once: Callable[[str, str, Json], object]
    document: Callable[[str], Json]
    most_us: float
    calls: tuple[int, int]
    each: int = 1


def run(plan: Plan) -> list[Row]:
    return [row for kind in KINDS for row in _rows(plan, kind)]


def _rows(plan: Plan, kind: Kind) -> list[Row]:
    written = {name: orjson.dumps(kind.document(name)) for name in CHATS}
    contenders: dict[tuple[str, str], Turn] = {
        pair: calls(
            partial(kind.once, *pair),
            partial(orjson.loads, written[pair[0]]),
            plan.of(*kind.calls),
        )
        for pair in PAIRS
    }
    found = interleave(contenders, plan.of(15, 5))
    costs = {pair: result.cpu_us / kind.each for pair, result in found.items()}
    worst = max(costs, key=costs.__getitem__)
    scale = 1000 if kind.unit == "ms" else 1
    return [
        Row(
            f"translation, {kind.what}, the worst pair",
            kind.unit,
            costs[worst] / scale,
            target=Target("ours", kind.most_us / scale),
            note=f"{worst[0]} to {worst[1]}",
        ),
        Row(
            f"translation, {kind.what}, the median",
            kind.unit,
            median(costs.values()) / scale,
            note=f"{len(costs)} pairs",
        ),
    ]


# ---- what is translated


def _request(source: str, target: str, doc: Json) -> Json:
    chat = DIALECTS[source].decode_request(doc)
    chat.setdefault("model", "model")
    return DIALECTS[target].encode_request(chat, Report())


def _stream(source: str, target: str, docs: list[Json]) -> None:
    decoder, encoder = DIALECTS[source].stream_decoder(), DIALECTS[target].stream_encoder(REPLY)
    for name, doc in docs:
        for chunk in decoder.feed(StreamEvent(name, b"", doc)):
            encoder.feed(chunk)


def small(dialect: str) -> Json:
    """A system prompt, a question and a tool: 1 KB as a chat completion."""
    return _in(dialect, {"model": "model", "messages": _opening(520), "tools": [TOOL]} | SETTINGS)


def long(dialect: str) -> Json:
    """A conversation of 50 calls and their results: 100 KB."""
    texts = prompts(1850)
    messages = _opening(520)
    for turn in range(TOOL_TURNS):
        arguments = orjson.dumps({"query": f"part {turn}", "limit": turn}).decode()
        function = {"name": TOOL["function"]["name"], "arguments": arguments}
        call = {"id": f"call_{turn}", "type": "function", "function": function}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": next(texts)},
        ]
    return _in(dialect, {"model": "model", "messages": messages, "tools": [TOOL]} | SETTINGS)


def said(dialect: str) -> list[Json]:
    """An answer of 200 pieces of text."""
    return _events(dialect, [{"content": f" piece {place}"} for place in range(CHUNKS)])


def called(dialect: str) -> list[Json]:
    """A call whose arguments come in 200 pieces."""
    call = {"index": 0, "id": "call_1", "type": "function"}
    deltas: list[Json] = [
        {"tool_calls": [call | {"function": {"name": "look_up", "arguments": '{"query": "'}}]}
    ]
    pieces = [f"part {place} " for place in range(CHUNKS - 2)]
    deltas += [
        {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        for piece in (*pieces, '"}')
    ]
    return _events(dialect, deltas)


def _events(dialect: str, told: list[Json]) -> list[Json]:
    """Name and document of the events of an answer."""
    head = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "model"}
    deltas = [{"role": "assistant", "content": ""}, *told]
    encoder = DIALECTS[dialect].stream_encoder(REPLY)
    events = [
        event
        for delta in deltas
        for event in encoder.feed(
            head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        )
    ]
    return [[event.name, orjson.loads(event.data)] for event in events]


def _in(dialect: str, chat: Json) -> Json:
    return DIALECTS[dialect].encode_request(chat, Report())


def _opening(size: int) -> list[Json]:
    return [
        {"role": "system", "content": "Answer in one paragraph and name what you looked up."},
        {"role": "user", "content": next(prompts(size))},
    ]


SETTINGS: Json = {"temperature": 0.5, "max_completion_tokens": 500, "tool_choice": "auto"}
TOOL: Json = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look something up.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["query"],
        },
    },
}
KINDS = (
    Kind("a request of 1 KB", "us", _request, small, 60, (300, 60)),
    Kind("a streamed chunk of text", "us", _stream, said, 15, (4, 2), CHUNKS),
    Kind("a streamed chunk of arguments", "us", _stream, called, 15, (4, 2), CHUNKS),
    Kind("100 KB with 50 tool turns", "ms", _request, long, 3000, (10, 4)),
)
