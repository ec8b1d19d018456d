"""The order of the stages, and nothing else: what happens to a request, as a story.

Every wait is an effect that a driver performs; every decision is a plain function of `stages` or
`compliance`. A request ends as exactly one audit event, whatever happened to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk import attempts, delivery, planning, recalling, remembering
from nexus_sdk.effects import Finish, Lookup, Reserve
from nexus_sdk.errors import NexusError, NotAllowed
from nexus_sdk.exchange import Exchange
from nexus_sdk.model import Refused
from nexus_sdk.stages import (
    admission,
    answering,
    caching,
    catalog,
    identity,
    keeping,
    limits,
    reading,
)

if TYPE_CHECKING:
    from nexus_sdk.effects import Flow
    from nexus_sdk.model import Request
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.routing import Plan
    from nexus_sdk.stages.trail import Clock


def handle(request: Request, snapshot: Snapshot, clock: Clock) -> Flow[None]:
    """Serve one request to its end."""
    exchange = Exchange(request, snapshot, clock)
    try:
        yield from _serve(request, exchange)
    except NexusError as err:
        yield from delivery.record_refusal(exchange, err)
        yield from Finish(answering.refusal(err, exchange.trail))
    except Exception as bug:
        if not exchange.trail.told:
            fault = NexusError(
                f"an unexpected {type(bug).__name__}; see the traceback where it was raised"
            )
            yield from delivery.record_refusal(exchange, fault)
        raise


def _serve(request: Request, exchange: Exchange) -> Flow[None]:
    """The eleven steps. The body is parsed only when it is known that its sender may come in
    (`docs/decisions/0007-order-of-the-first-steps.md`)."""
    snapshot, trail, now = exchange.snapshot, exchange.trail, exchange.clock.now()
    # 2 identify, 3 admit
    admission.admit(snapshot.gate, body_bytes=len(request.body), peer=request.peer)
    if request.door == "sidecar":
        trail.caller = identity.identify(snapshot.keys, request.headers, now, query=request.query)
    if request.endpoint in _ASKED_OF_US and (yield from _told(request, exchange)):
        return
    # 1 read
    call = reading.read(request)
    exchange.read(call)
    trail.mark("read")
    snapshot.keys.require_model(trail.caller, call.facts.model)
    yield from _admit_rate(exchange)
    if request.endpoint == "responses":
        call = yield from remembering.begin(exchange, call)
    # 4 inspect the request
    call = _inspect_request(exchange, call)
    trail.mark("inspect_request")
    # 5 plan
    plan = yield from planning.plan(exchange, call)
    trail.mark("plan")
    # 6 look up
    key = _cache_key(exchange, call, plan)
    if key:
        hit = yield from Lookup(key, fold=snapshot.policy.cache.fold and not call.facts.stream)
        trail.cache = "miss" if hit is None else "hit"
        if hit is not None:
            yield from delivery.again(exchange, call, hit)
            return
    # 7 reserve, 8 send
    sent = yield from attempts.send(exchange, call, plan)
    # 9 inspect the response, 10 answer, 11 settle
    if sent.response.streamed:
        yield from delivery.stream(exchange, call, sent, key)
    else:
        yield from delivery.whole(exchange, call, sent, key)


_ASKED_OF_US = catalog.LISTS | keeping.OPERATIONS
"""What no model is asked."""


def _told(request: Request, exchange: Exchange) -> Flow[bool]:
    """False: this list is to come from the caller's own upstream."""
    if request.endpoint in keeping.OPERATIONS:
        yield from _kept_answer(request, exchange)
        return True
    if request.origin is not None:
        return False
    yield from _catalog(exchange)
    return True


def _catalog(exchange: Exchange) -> Flow[None]:
    answer = catalog.answer(exchange.snapshot, exchange.trail.caller, exchange.trail.request)
    exchange.trail.status = answer.status
    yield from delivery.record(exchange)
    yield from Finish(answer)


def _kept_answer(request: Request, exchange: Exchange) -> Flow[None]:
    """An operation on an answer that is kept: admitted and recorded as any other."""
    call = recalling.read(request)
    exchange.read(call)
    yield from _admit_rate(exchange)
    yield from recalling.serve(exchange, call)


def _admit_rate(exchange: Exchange) -> Flow[None]:
    """Limits that only count requests: taken at once and kept, whatever becomes of the request."""
    claims = limits.admission_claims(exchange.snapshot.limits, exchange.ask, exchange.clock.now())
    if claims:
        taken = yield from Reserve(claims, for_good=True)
        if isinstance(taken, Refused):
            raise limits.refusal(taken)


def _inspect_request(exchange: Exchange, call: Call) -> Call:
    """Judge every text before anything leaves. What cannot be read is recorded as unscanned, or
    refused."""
    if call.doc is None and (unread := reading.unread(call)):
        exchange.trail.notes.append(f"unscanned: {unread}")
        if exchange.snapshot.policy.on_uninspected == "refuse":
            raise NotAllowed(
                f"the policy refuses what its rules cannot read: {unread}", code="uninspectable"
            )
    return call.edited(exchange.request_inspector(call).texts(list(call.texts)))


def _cache_key(exchange: Exchange, call: Call, plan: Plan) -> str | None:
    cache, snapshot = exchange.snapshot.policy.cache, exchange.snapshot
    if not cache.enabled or call.dialect is None or caching.refused_by(call.request.headers):
        return None
    targets = [step.target for step in plan.steps]
    return caching.key(cache, exchange.ask, targets, call.doc, snapshot.hash)
