"""The order of the stages, and nothing else: what happens to a request, as a story.

Every wait is an effect that a driver performs; every decision is a plain function of `stages` or `compliance`. A request
ends as exactly one audit event, whatever happened to it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nexus_sdk import attempts, planning
from nexus_sdk.effects import Finish, Lookup, Record, Relay, Reserve, Settle, Store
from nexus_sdk.errors import AuditUnavailable, CallerLeft, NexusError, NotAllowed
from nexus_sdk.exchange import Exchange
from nexus_sdk.model import Answer, Cached, Outcome, Refused
from nexus_sdk.pipe import RawPipe
from nexus_sdk.stages import admission, answering, caching, catalog, identity, limits, reading
from nexus_sdk.wire.sse import Decoder

if TYPE_CHECKING:
    from nexus_sdk.attempts import Sent
    from nexus_sdk.effects import Flow
    from nexus_sdk.model import Request, Usage
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.trail import Clock


def handle(request: Request, snapshot: Snapshot, clock: Clock) -> Flow[None]:
    """Serve one request to its end."""
    exchange = Exchange(request, snapshot, clock)
    try:
        yield from _serve(request, exchange)
    except NexusError as err:
        yield from _record_refusal(exchange, err)
        yield from Finish(answering.refusal(err, exchange.trail))


def _serve(request: Request, exchange: Exchange) -> Flow[None]:
    snapshot, trail, now = exchange.snapshot, exchange.trail, exchange.clock.now()
    admission.admit(snapshot.gate, body_bytes=len(request.body), peer=request.peer)
    if request.door == "sidecar":
        trail.caller = identity.identify(snapshot.keys, request.headers, now, query=request.query)
    if request.endpoint == "models" and request.origin is None:
        yield from _catalog(exchange)
        return
    call = reading.read(request)
    exchange.read(call)
    trail.mark("read")
    snapshot.keys.require_model(trail.caller, call.facts.model)
    yield from _admit_rate(exchange)
    call = _inspect_request(exchange, call)
    trail.mark("inspect_request")
    plan = yield from planning.plan(exchange, call)
    trail.mark("plan")
    key = _cache_key(exchange, call, tuple(step.target for step in plan.steps))
    if key:
        hit = yield from Lookup(key, fold=snapshot.policy.cache.fold and not call.facts.stream)
        trail.cache = "miss" if hit is None else "hit"
        if hit is not None:
            yield from _answer_again(exchange, hit)
            return
    sent = yield from attempts.send(exchange, call, plan)
    if sent.response.streamed:
        yield from _answer_stream(exchange, call, sent, key)
    else:
        yield from _answer_whole(exchange, call, sent, key)


def _catalog(exchange: Exchange) -> Flow[None]:
    answer = catalog.answer(exchange.snapshot, exchange.trail.caller, exchange.trail.request)
    exchange.trail.status = answer.status
    yield from _record(exchange)
    yield from Finish(answer)


def _admit_rate(exchange: Exchange) -> Flow[None]:
    """Limits that only count requests: taken at once and kept, whatever becomes of the request."""
    claims = limits.admission_claims(exchange.snapshot.limits, exchange.ask, exchange.clock.now())
    if claims:
        taken = yield from Reserve(claims, for_good=True)
        if isinstance(taken, Refused):
            raise limits.refusal(taken)


def _inspect_request(exchange: Exchange, call: Call) -> Call:
    """Judge every text before anything leaves. What cannot be read is recorded as unscanned, or refused."""
    if call.doc is None:
        if call.body:
            exchange.trail.notes.append("unscanned: the body is not JSON")
            if exchange.snapshot.policy.on_uninspected == "refuse":
                raise NotAllowed(
                    "the policy refuses what its rules cannot read, and this body is not JSON",
                    code="uninspectable",
                )
        return call
    return call.edited(exchange.request_inspector(call).texts(list(call.texts)))


def _cache_key(exchange: Exchange, call: Call, targets: tuple[object, ...]) -> str | None:
    if call.dialect is None or caching.refused_by(call.request.headers):
        return None
    policy, snapshot = exchange.snapshot.policy, exchange.snapshot
    return caching.key(policy.cache, exchange.ask, targets, call.doc, snapshot.hash)  # type: ignore[arg-type]


def _answer_again(exchange: Exchange, hit: Cached) -> Flow[None]:
    """A stored answer: it was inspected when it was stored, under this very policy; it costs nothing."""
    trail = exchange.trail
    trail.status = hit.status
    trail.served_from(hit)
    headers = caching.hit_headers(hit.headers, exchange.clock.now()) | answering.own_headers(trail)
    yield from _record(exchange)
    if hit.stream:
        yield from Finish(Answer(hit.status, headers), tuple(Decoder().feed(hit.body)))
    else:
        yield from Finish(Answer(hit.status, headers, hit.body))


def _answer_whole(exchange: Exchange, call: Call, sent: Sent, key: str | None) -> Flow[None]:
    trail, response = exchange.trail, sent.response
    trail.status = response.status
    trail.inspected_by(sent.inspector)
    good = response.status < 300 and call.dialect is not None
    usage: Usage | None = None
    try:
        if good:
            usage = answering.usage_of(call, sent)
            body = answering.whole(call, sent)
        else:
            body = answering.upstream_error(call, sent)
    except NexusError:
        yield from _settle(exchange, sent, usage)
        raise
    trail.mark("inspect_response")
    yield from _settle(exchange, sent, usage)
    headers = answering.relayed_headers(response.headers, call.request.door) | answering.own_headers(trail)
    if call.dialect is not None:
        headers["content-type"] = "application/json"
    if response.status >= 400 and call.request.door != "sdk":  # that door's clients know that we have retried
        headers["x-should-retry"] = "false"
    trail.bytes_out = len(body)
    if key:
        yield from _keep(exchange, key, Cached(response.status, headers, body, False, *_worth(exchange)), complete=good)
    yield from _record(exchange)
    yield from Finish(Answer(response.status, headers, body))


def _answer_stream(exchange: Exchange, call: Call, sent: Sent, key: str | None) -> Flow[None]:
    trail, response = exchange.trail, sent.response
    trail.status = response.status
    trail.inspected_by(sent.inspector)
    headers = answering.relayed_headers(response.headers, call.request.door) | answering.own_headers(trail)
    if sent.opening is None:
        trail.notes.append("unscanned: a stream in a format that no dialect reads")
        outcome = yield from Relay(Answer(response.status, headers), RawPipe())
        yield from _record(exchange, outcome=outcome)
        yield from Finish()
        return
    pipe = sent.opening.pipe
    if pipe.error is not None and not sent.opening.first:
        # Refused before the caller was given anything: an answer of our own, with its own status.
        yield from _settle(exchange, sent, pipe.usage or answering.estimated(call, pipe.output_chars()))
        raise pipe.error
    pipe.keep = key is not None
    outcome = yield from Relay(Answer(response.status, headers), pipe, tuple(sent.opening.first))
    tail = pipe.end(outcome)
    trail.held_most, trail.bytes_out = pipe.held_most, pipe.bytes_out
    trail.mark("stream")
    usage = pipe.usage or answering.estimated(call, pipe.output_chars())
    yield from _settle(exchange, sent, usage)
    if key:
        first = b"".join(event.wire() for event in sent.opening.first)
        body = first + pipe.kept() + b"".join(event.wire() for event in tail)
        entry = Cached(response.status, headers, body, True, *_worth(exchange))
        yield from _keep(exchange, key, entry, complete=pipe.complete and pipe.error is None)
    yield from _record(exchange, error=pipe.error, outcome=outcome)
    yield from Finish(tail=tail)


def _settle(exchange: Exchange, sent: Sent, usage: Usage | None) -> Flow[None]:
    """The true cost in place of the reserved one. An answer that was refused was paid for all the same."""
    if usage is not None:
        exchange.book(sent.prepared.target, usage)
    if sent.reservation:
        amounts = (
            limits.settled(sent.claims, usage, exchange.cost_pico)
            if usage is not None
            else limits.released(sent.claims)
        )
        yield from Settle(sent.reservation, amounts)


def _worth(exchange: Exchange) -> tuple[Usage, int, str, str]:
    target = exchange.trail.target
    assert target is not None
    return exchange.usage, exchange.cost_pico, target.model, target.provider


def _keep(exchange: Exchange, key: str, entry: Cached, *, complete: bool) -> Flow[None]:
    cache = exchange.snapshot.policy.cache
    keep = caching.storable(cache, entry, complete=complete)
    stamped = (
        Cached(
            entry.status,
            caching.stamped(entry.headers, exchange.clock.now()),
            entry.body,
            entry.stream,
            entry.usage,
            entry.cost_pico,
            entry.model,
            entry.provider,
        )
        if keep
        else None
    )
    yield from Store(key, stamped, cache.ttl_s)


def _record_refusal(exchange: Exchange, error: NexusError) -> Flow[None]:
    """The event of a request that was refused. Nothing is given to the caller that an event was promised for, so a
    trail that cannot be written does not change the refusal; the spool counts what it could not keep. A caller that
    left while its event was being written has its event."""
    if exchange.trail.told and isinstance(error, CallerLeft):
        return
    strict = exchange.snapshot.policy.audit.mode == "strict" and not isinstance(error, AuditUnavailable)
    with suppress(AuditUnavailable):
        yield from Record(exchange.trail.event(error=error), strict=strict)


def _record(
    exchange: Exchange, *, error: NexusError | None = None, outcome: Outcome | None = None
) -> Flow[None]:
    """The exchange's one audit event."""
    event = exchange.trail.event(error=error, outcome=outcome)
    yield from Record(event, strict=exchange.snapshot.policy.audit.mode == "strict")
