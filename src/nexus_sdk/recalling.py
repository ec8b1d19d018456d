"""The operations on answers of the Responses API that are kept, as flows: read, listed, deleted,
cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from nexus_sdk import attempts, delivery
from nexus_sdk.effects import Finish, Forget, Recall
from nexus_sdk.errors import Malformed
from nexus_sdk.model import Answer, Target
from nexus_sdk.remembering import know
from nexus_sdk.stages import answering, keeping, kept_answers
from nexus_sdk.stages.reading import Call
from nexus_sdk.stages.routing import Plan
from nexus_sdk.stages.tree import Step
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS, located
from nexus_sdk.wire.json import at, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nexus_sdk.effects import Flow
    from nexus_sdk.exchange import Exchange
    from nexus_sdk.model import Kept, Request
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.sse import StreamEvent

_DIALECT = DIALECTS[keeping.DIALECT]
_JSON = {"content-type": "application/json"}
_STREAM = {"content-type": "text/event-stream; charset=utf-8"}


def read(request: Request) -> Call:
    """An operation on a kept answer. It has no body."""
    endpoint = ENDPOINTS[request.endpoint]
    streams = request.endpoint == "response" and _query(request).get("stream") == "true"
    return Call(request, endpoint, _DIALECT, {}, b"", Facts(model="", stream=streams))


def serve(exchange: Exchange, call: Call) -> Flow[None]:
    """Raises NotFound for an answer that its caller does not have, whoever else has it."""
    assert call.endpoint is not None
    found = located(call.endpoint, call.request.path)
    assert found is not None, "its path names an answer"
    owner, request = keeping.owner(exchange.trail.caller), call.request
    chain = request.endpoint == "response_items"
    history = yield from Recall(owner, found.id, chain=chain)
    head = history[0] if history else None
    know(exchange, history)
    if head is None or head.native:
        target = _provider(exchange, call, head)
        if target is None:
            raise keeping.unknown(found.id)
        yield from _at_its_provider(exchange, call, head, target)
        return
    exchange.trail.model, exchange.trail.target = head.asked, head.target
    yield from _OURS[request.endpoint](exchange, call, history)


def _provider(exchange: Exchange, call: Call, head: Kept | None) -> Target | None:
    """Who may be asked. An application's own upstream knows the answers of its own account; a
    provider of the policy serves many callers, so it is asked for what this one made only."""
    snapshot, own = exchange.snapshot, call.request.origin is not None
    if head is not None:
        return head.target if own or head.target.provider in snapshot.accounts else None
    if not own or keeping.is_ours(call.request.path) or snapshot.routes.unlisted == "refuse":
        return None
    return Target(snapshot.origin_name(call.request), "")


def _at_its_provider(
    exchange: Exchange, call: Call, head: Kept | None, target: Target
) -> Flow[None]:
    """What a provider gives again was paid for, and is judged as any answer."""
    exchange.reads_back = True
    exchange.trail.model = "" if head is None else head.asked
    sent = yield from attempts.send(exchange, call, Plan((Step(target),)))
    gone = sent.response.status < 300 or sent.response.status == 404
    if call.request.endpoint == "response_delete" and head is not None and gone:
        yield from Forget(head.owner, head.id)
    if sent.response.streamed:
        yield from delivery.stream(exchange, call, sent, None)
    else:
        yield from delivery.whole(exchange, call, sent, None)


def _get(exchange: Exchange, call: Call, history: Sequence[Kept]) -> Flow[None]:
    kept = history[0]
    doc = _inspected(exchange, call, orjson.loads(kept.body))
    if not call.facts.stream:
        yield from _answered(exchange, doc)
        return
    events = _events(exchange, call, kept, doc)
    after = _query(call.request).get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal():
        raise Malformed("starting_after must be a number", param="starting_after")
    tail = tuple(event for event in events if event.doc["sequence_number"] > int(after[:18]))
    answer = Answer(200, _STREAM | answering.own_headers(exchange.trail))
    yield from _finish(exchange, answer, tail)


def _events(exchange: Exchange, call: Call, kept: Kept, doc: Json) -> list[StreamEvent]:
    """The events of a kept answer again. Where the policy now takes out more than it did, the
    pieces of its texts stay out as well: each one alone cannot be judged."""
    redacted = exchange.trail.inspectors[-1].redacted
    if not kept.events or redacted:
        return kept_answers.told_again(doc)
    inspector, told = exchange.response_inspector(call), kept_answers.recorded(kept.events)
    for event in told:
        if edits := inspector.document(event.doc, _DIALECT.text):
            _put(event.doc, edits)
            event.data, event.raw = dumps(event.doc), None
    return told


def _delete(exchange: Exchange, call: Call, history: Sequence[Kept]) -> Flow[None]:  # noqa: ARG001
    kept = history[0]
    yield from Forget(kept.owner, kept.id)
    yield from _answered(exchange, {"id": kept.id, "object": "response", "deleted": True})


def _cancel(exchange: Exchange, call: Call, history: Sequence[Kept]) -> Flow[None]:  # noqa: ARG001
    """What we keep has ended already."""
    yield from ()
    raise Malformed("Cannot cancel a synchronous response.")


def _items(exchange: Exchange, call: Call, history: Sequence[Kept]) -> Flow[None]:
    page = kept_answers.page(tuple(history), _query(call.request))
    yield from _answered(exchange, _inspected(exchange, call, page))


_OURS: Mapping[str, Callable[[Exchange, Call, Sequence[Kept]], Flow[None]]] = {
    "response": _get,
    "response_delete": _delete,
    "response_cancel": _cancel,
    "response_items": _items,
}


def _inspected(exchange: Exchange, call: Call, doc: Json) -> Json:
    """`doc` as the policy in force lets it pass, the caller's own values put back, in place."""
    inspector = exchange.response_inspector(call)
    exchange.trail.inspected_by(inspector)
    _put(doc, inspector.document(doc, _DIALECT.text))
    return doc


def _put(doc: Json, edits: Mapping[Path, Json]) -> None:
    for path, text in edits.items():
        at(doc, path[:-1])[path[-1]] = text


def _answered(exchange: Exchange, doc: Json) -> Flow[None]:
    answer = Answer(200, _JSON | answering.own_headers(exchange.trail), dumps(doc))
    yield from _finish(exchange, answer, ())


def _finish(exchange: Exchange, answer: Answer, tail: tuple[StreamEvent, ...]) -> Flow[None]:
    trail = exchange.trail
    trail.status = answer.status
    trail.bytes_out = len(answer.body) + sum(len(event.data) for event in tail)
    yield from delivery.record(exchange)
    yield from Finish(answer, tail)


def _query(request: Request) -> Mapping[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))
