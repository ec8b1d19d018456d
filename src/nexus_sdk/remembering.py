"""The Responses API's memory, as flows: what a request follows, and what is kept of its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.effects import Recall, Retain
from nexus_sdk.stages import keeping
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.json import at
from nexus_sdk.wire.texts import leaves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.effects import Flow
    from nexus_sdk.exchange import Exchange
    from nexus_sdk.model import Kept
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_DIALECT = DIALECTS[keeping.DIALECT]


def begin(exchange: Exchange, call: Call) -> Flow[Call]:
    """Recall what the request follows, and judge it anew: the policy may have changed since. Raises
    Malformed for an answer that its caller does not have, Blocked."""
    memory = keeping.memory(call, exchange.snapshot.policy.responses, exchange.trail.caller)
    if memory is None:
        return call
    exchange.memory = memory
    if memory.texts:
        call = replace(call, kept_as=keeping.id_for(call))
    previous = call.doc.get("previous_response_id")
    if not previous:
        return call
    memory.history = yield from Recall(memory.owner, previous, chain=True)
    if not memory.history:
        if call.request.origin is None or keeping.is_ours(previous):
            raise keeping.unknown_previous(previous)
        return call
    know(exchange, memory.history)
    memory.turns = keeping.turns(memory.history)
    before = {"turns": [turn.items for turn in memory.turns]}
    texts = leaves(before, _DIALECT.text)
    call = replace(call, input_chars=call.input_chars + sum(len(leaf.text) for leaf in texts))
    exchange.read(call)
    for path, text in exchange.request_inspector(call).texts(texts).items():
        at(before, path[:-1])[path[-1]] = text
    return call


def claim(exchange: Exchange, call: Call, first: Sequence[StreamEvent]) -> Flow[bool]:
    """Remember who makes an answer that its provider keeps, as soon as its id is known: it goes on
    there when its stream is left. Replies whether the texts are to be kept here, at the end."""
    memory = exchange.memory
    assert memory is not None
    if not _native(exchange, call):
        return memory.texts
    if (doc := keeping.began(first)) is not None:
        yield from _retain(exchange, call, doc, None)
    return memory.wants and memory.rule.store == "always"


def keep(
    exchange: Exchange, call: Call, body: bytes, events: tuple[StreamEvent, ...] = ()
) -> Flow[None]:
    """Keep an answer as the caller was given it: whole in `body`, or streamed."""
    doc = keeping.final(events) if events else orjson.loads(body)
    if doc is not None and not doc.get("error"):
        yield from _retain(exchange, call, doc, events)


def _retain(
    exchange: Exchange, call: Call, doc: Json, events: tuple[StreamEvent, ...] | None
) -> Flow[None]:
    """`events`: None for an answer that has only begun."""
    memory, target = exchange.memory, exchange.trail.target
    assert memory is not None
    assert target is not None, "an answer came from somewhere"
    restores = exchange.response_rules(call).restore
    native, whole = _native(exchange, call), events is not None
    said = keeping.Said(doc, native, restores, events or (), whole=whole)
    kept = keeping.kept(memory, call, target, said, exchange.vault.issued())
    if kept is not None:
        yield from Retain(kept, memory.rule.ttl_s)


def _native(exchange: Exchange, call: Call) -> bool:
    target = exchange.trail.target
    assert target is not None
    return keeping.is_native(target, exchange.snapshot.account(target, call))


def know(exchange: Exchange, history: Sequence[Kept]) -> None:
    """The values that the caller gave earlier, if policy lets it have them back."""
    for kept in history:
        if kept.values:
            exchange.vault.adopt(orjson.loads(kept.values))
