"""Steps 9 to 11: inspect the answer, give it to the caller, settle what it took, record the event.

The event is promised before the caller has the last byte; so is the settlement.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nexus_sdk import remembering
from nexus_sdk.effects import Finish, Record, Relay, Send, Settle, Store
from nexus_sdk.errors import AuditUnavailable, CallerLeft, NexusError
from nexus_sdk.model import Answer, Cached
from nexus_sdk.pipe import RawPipe, replayed
from nexus_sdk.stages import answering, caching, limits
from nexus_sdk.wire import counts
from nexus_sdk.wire.framing import FRAMINGS

if TYPE_CHECKING:
    from nexus_sdk.attempts import Sent
    from nexus_sdk.effects import Flow
    from nexus_sdk.exchange import Exchange
    from nexus_sdk.model import Outcome, Usage
    from nexus_sdk.pipe import StreamPipe
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.wire.sse import StreamEvent


def again(exchange: Exchange, call: Call, hit: Cached) -> Flow[None]:
    """A stored answer: it was inspected when it was stored, under this very policy; it costs
    nothing."""
    trail = exchange.trail
    trail.status = hit.status
    trail.served_from(hit)
    headers = caching.hit_headers(hit.headers, exchange.clock.now()) | answering.own_headers(trail)
    events = replayed(hit.body, call.framing) if hit.stream else ()
    if exchange.memory is not None:
        yield from remembering.keep(exchange, call, hit.body, events)
    yield from record(exchange)
    if hit.stream:
        yield from Finish(Answer(hit.status, headers), events)
    else:
        yield from Finish(Answer(hit.status, headers, hit.body))


def whole(exchange: Exchange, call: Call, sent: Sent, key: str | None) -> Flow[None]:
    trail, response = exchange.trail, sent.response
    trail.status = response.status
    trail.inspected_by(sent.inspector)
    complete = False
    usage: Usage | None = None
    try:
        if response.status < 300 and call.dialect is not None:
            usage = answering.usage_of(call, sent)
            body, doc = answering.whole(call, sent, int(exchange.clock.now()))
            complete = not caching.is_unfinished(doc)
        elif response.status < 300 and call.endpoint is not None:
            body, usage = _passed_on(exchange, sent)
        else:
            body = answering.upstream_error(call, sent)
    except NexusError:
        yield from _settle(exchange, sent, usage)
        raise
    trail.mark("inspect_response")
    yield from _settle(exchange, sent, usage)
    answer = Answer(response.status, _headers(exchange, call, sent), body)
    trail.bytes_out = len(body)
    if exchange.memory is not None and response.status < 300:
        yield from remembering.keep(exchange, call, body)
    if key:
        yield from _keep(exchange, key, answer, stream=False, complete=complete)
    yield from record(exchange)
    yield from Finish(answer)


def _passed_on(exchange: Exchange, sent: Sent) -> tuple[bytes, Usage | None]:
    """An answer that no dialect reads, and its tokens where it counts them as OpenAI does."""
    body, doc, note = answering.passed_on(sent)
    if note:
        exchange.trail.notes.append(note)
    usage = counts.read(doc.get("usage")) if isinstance(doc, dict) else None
    if usage is None:
        exchange.unpriced(sent.prepared.target)
    return body, usage


def stream(exchange: Exchange, call: Call, sent: Sent, key: str | None) -> Flow[None]:
    trail, response = exchange.trail, sent.response
    trail.status = response.status
    trail.inspected_by(sent.inspector)
    answer = Answer(response.status, _headers(exchange, call, sent))
    dialect = call.dialect
    opening = sent.opening
    if opening is None or dialect is None:
        yield from _unread(exchange, call, sent, answer)
        return
    pipe, first = opening.pipe, tuple(opening.first)
    if pipe.error is not None and not first:
        # Refused before the caller was given anything: an answer of our own, with its own status.
        yield from _settle(exchange, sent, _streamed_usage(call, pipe))
        raise pipe.error
    keeps = exchange.memory is not None and (yield from remembering.claim(exchange, call, first))
    pipe.keep = keeps or key is not None
    outcome = yield from Relay(answer, pipe, first)
    tail = pipe.end(outcome)
    trail.held_most, trail.bytes_out = pipe.held_most, pipe.bytes_out
    trail.mark("stream")
    if opening.cancel is not None and not pipe.complete:
        yield from Send(opening.cancel)
    yield from _settle(exchange, sent, _streamed_usage(call, pipe))
    said = (*first, *pipe.kept, *tail)
    complete = pipe.complete and pipe.error is None
    if keeps and complete:
        yield from remembering.keep(exchange, call, b"", said)
    if key:
        body = b"".join(event.wire() for event in said)
        yield from _keep(exchange, key, replace(answer, body=body), stream=True, complete=complete)
    yield from _end(exchange, call, pipe, outcome, tail)


def _end(
    exchange: Exchange,
    call: Call,
    pipe: StreamPipe,
    outcome: Outcome,
    tail: tuple[StreamEvent, ...],
) -> Flow[None]:
    """The event, and the last events. The stream has begun, so that its end has to say it when the
    event could not be written."""
    try:
        yield from record(exchange, error=pipe.error, outcome=outcome)
    except AuditUnavailable as err:
        yield from record_refusal(exchange, err)
        assert call.dialect is not None
        tail = tuple(call.dialect.error_events(err, call.request.id))
    yield from Finish(tail=tail)


def _unread(exchange: Exchange, call: Call, sent: Sent, answer: Answer) -> Flow[None]:
    yield from _settle(exchange, sent, None)
    if call.endpoint is not None:
        exchange.unpriced(sent.prepared.target)
    exchange.trail.notes.append("unscanned: a stream in a format that no dialect reads")
    outcome = yield from Relay(answer, RawPipe())
    yield from record(exchange, outcome=outcome)
    yield from Finish()


def _streamed_usage(call: Call, pipe: StreamPipe) -> Usage:
    return pipe.usage or answering.estimated(call, pipe.output_chars())


def _headers(exchange: Exchange, call: Call, sent: Sent) -> dict[str, str]:
    """The upstream's headers and our own. Clients of the `sdk` door know without being told that we
    have retried already."""
    response, door = sent.response, call.request.door
    headers = answering.relayed_headers(response.headers, door)
    headers |= answering.own_headers(exchange.trail)
    if not response.streamed and call.dialect is not None:
        headers["content-type"] = "application/json"
    if response.streamed and call.framing != sent.prepared.framing:
        headers["content-type"] = FRAMINGS[call.framing].content_type
    if response.status >= 400:
        if call.dialect is not None and call.dialect is not sent.prepared.dialect:
            headers |= answering.error_headers(call.dialect, response.status)
        if door != "sdk":
            headers["x-should-retry"] = "false"
    return headers


def _settle(exchange: Exchange, sent: Sent, usage: Usage | None) -> Flow[None]:
    """The true cost in place of the reserved one. An answer that was refused was paid for all the
    same."""
    if exchange.reads_back:
        usage = None
    if usage is not None:
        exchange.book(sent.prepared.target, usage)
    if sent.reservation:
        amounts = (
            limits.settled(sent.claims, usage, exchange.cost_pico)
            if usage is not None
            else limits.released(sent.claims)
        )
        yield from Settle(sent.reservation, amounts)


def _keep(
    exchange: Exchange, key: str, answer: Answer, *, stream: bool, complete: bool
) -> Flow[None]:
    """Store the answer, or let those who wait for it go their own way."""
    cache, target = exchange.snapshot.policy.cache, exchange.trail.target
    assert target is not None, "an answer came from somewhere"
    entry = Cached(
        status=answer.status,
        headers=caching.stamped(answer.headers, exchange.clock.now()),
        body=answer.body,
        stream=stream,
        usage=exchange.usage,
        cost_pico=exchange.cost_pico,
        model=target.model,
        provider=target.provider,
    )
    keep = caching.storable(cache, entry, complete=complete)
    yield from Store(key, entry if keep else None, cache.ttl_s)


def record_refusal(exchange: Exchange, error: NexusError) -> Flow[None]:
    """The event of a request that was refused. Nothing is given to the caller that an event was
    promised for, so a trail that cannot be written does not change the refusal; the spool counts
    what it could not keep. A caller that left while its event was being written has its event."""
    if exchange.trail.told and isinstance(error, CallerLeft):
        return
    strict = exchange.snapshot.policy.audit.mode == "strict" and not isinstance(
        error, AuditUnavailable
    )
    with suppress(AuditUnavailable):
        yield from Record(exchange.trail.event(error=error), strict=strict)


def record(
    exchange: Exchange, *, error: NexusError | None = None, outcome: Outcome | None = None
) -> Flow[None]:
    """The exchange's one audit event."""
    event = exchange.trail.event(error=error, outcome=outcome)
    yield from Record(event, strict=exchange.snapshot.policy.audit.mode == "strict")
