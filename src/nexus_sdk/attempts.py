"""Steps 7 and 8: each target in turn, from the same inspected call: reserve, encode, send, retry,
fail over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from nexus_sdk import predictions
from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.effects import Reserve, Send, Settle, Wait
from nexus_sdk.errors import LimitExceeded, UpstreamFailed
from nexus_sdk.model import Failure, Refused, Response
from nexus_sdk.pipe import Opening, StreamPipe
from nexus_sdk.stages import answering, keeping, limits, retry
from nexus_sdk.stages.sending import patience_retries, prepare
from nexus_sdk.stages.usage_chunks import hide_usage
from nexus_sdk.values import value
from nexus_sdk.wire.framing import SSE

if TYPE_CHECKING:
    from nexus_sdk.compliance.inspection import Inspector
    from nexus_sdk.effects import Flow
    from nexus_sdk.exchange import Exchange
    from nexus_sdk.model import Claim, Target
    from nexus_sdk.policy.snapshot import Account
    from nexus_sdk.stages.reading import Call
    from nexus_sdk.stages.routing import Plan
    from nexus_sdk.stages.sending import Prepared
    from nexus_sdk.stages.tree import Fault, Step
    from nexus_sdk.wire.json import Json


@dataclass(slots=True)
class Sent:
    """The response that is the answer, and what goes with it: its inspector, its document when it
    is whole, for a stream its pipe and what that already released, and in the end what was reserved
    for it."""

    prepared: Prepared
    response: Response
    inspector: Inspector
    opening: Opening | None = None
    doc: Json = None
    claims: tuple[Claim, ...] = ()
    reservation: str = ""


@value
class _Missed:
    """A target that gave no answer. `sent` is its error response, when it gave one."""

    fault: Fault
    reply: Response | Failure
    sent: Sent | None = None


def send(exchange: Exchange, call: Call, plan: Plan) -> Flow[Sent]:
    """Raises UpstreamFailed when nobody answers, LimitExceeded when the budget does not allow any
    target."""
    index: int | None = 0
    refused: LimitExceeded | None = None
    while index is not None:
        try:
            found = yield from _target(exchange, call, plan.steps[index])
        except LimitExceeded as err:
            refused = err
            index = plan.moves_on(index, "429")
            continue
        if isinstance(found, Sent):
            return found
        missed, refused = found, None
        index = plan.moves_on(index, missed.fault)
    if refused is not None:
        raise refused
    if isinstance(missed.reply, Failure):
        raise answering.failed(missed.reply, exchange.trail.attempts)
    assert missed.sent is not None
    return missed.sent


def _target(exchange: Exchange, call: Call, step: Step) -> Flow[Sent | _Missed]:
    """All attempts at one target, under one reservation."""
    snapshot, trail = exchange.snapshot, exchange.trail
    account = snapshot.account(step.target, call)
    memory = exchange.memory
    told = call if memory is None else keeping.told(memory, call, step.target, account)
    prepared = prepare(
        told, step.target, account, refuse_drops=snapshot.policy.on_unsupported == "refuse"
    )
    trail.target, trail.arm = step.target, step.arm
    trail.coerced[:] = prepared.report.changes
    if memory is not None:
        trail.coerced += keeping.changes(call, told)
    trail.dropped[:] = [
        f"{loss.param} ({loss.reason})"
        for loss in prepared.report.drops + prepared.report.omissions
    ]
    if prepared.answer:
        return _answered(exchange, call, prepared)
    claims, reservation = yield from _reserve(exchange, call, step.target)
    try:
        found = yield from _attempts(exchange, call, prepared, account)
    except Exception:
        yield from _give_back(claims, reservation)
        raise
    if isinstance(found, Sent):
        found.claims, found.reservation = claims, reservation
    else:
        yield from _give_back(claims, reservation)
    return found


def _answered(exchange: Exchange, call: Call, prepared: Prepared) -> Sent:
    """An answer of our own: nothing was sent, and nothing has to be paid for."""
    response = Response(200, {"content-type": "application/json"}, prepared.answer)
    return Sent(
        prepared, response, exchange.response_inspector(call), doc=orjson.loads(prepared.answer)
    )


def _reserve(exchange: Exchange, call: Call, target: Target) -> Flow[tuple[tuple[Claim, ...], str]]:
    if not exchange.snapshot.limits.target:
        return (), ""
    rates = exchange.snapshot.rates(target)
    facts = call.facts
    amounts = limits.estimate(call.input_chars, facts.max_output_tokens, rates, answers=facts.n)
    claims = limits.target_claims(
        exchange.snapshot.limits, exchange.ask, target, amounts, exchange.clock.now()
    )
    if not claims:
        return (), ""
    taken = yield from Reserve(claims)
    if isinstance(taken, Refused):
        raise limits.refusal(taken)
    return claims, taken


def _give_back(claims: tuple[Claim, ...], reservation: str) -> Flow[None]:
    if reservation:
        yield from Settle(reservation, limits.released(claims))


def _attempts(
    exchange: Exchange, call: Call, prepared: Prepared, account: Account
) -> Flow[Sent | _Missed]:
    snapshot, trail, clock = exchange.snapshot, exchange.trail, exchange.clock
    rule = snapshot.retry(
        patience_retries(call.request.patience, snapshot.policy.routing.retry.attempts)
    )
    attempt = 0
    while True:
        attempt += 1
        inspector = exchange.response_inspector(call)
        opening = _opening(exchange, call, prepared, inspector)
        began = clock.ticks()
        snapshot.health.begin(account.name, began)
        if prepared.predicts:
            reply = yield from predictions.send(prepared, account.base_url, clock, opening)
        else:
            reply = yield from Send(prepared.upstream, opening)
        reply, doc = _judged(reply, call, opening, own=account.own)
        trail.attempt(prepared.target, reply, began)
        _learn(exchange, account, reply)
        trail.mark("upstream")
        step = retry.after(attempt, reply, rule, draw=clock.draw(), now=clock.now())
        if isinstance(step, retry.Again):
            yield from Wait(step.wait_s)
            continue
        sent = (
            None if isinstance(reply, Failure) else Sent(prepared, reply, inspector, opening, doc)
        )
        if isinstance(step, retry.NextTarget):
            return _Missed(step.fault, reply, sent)
        assert sent is not None, "a failure is never final"
        return sent


def _opening(
    exchange: Exchange, call: Call, prepared: Prepared, inspector: Inspector
) -> Opening | None:
    if not call.facts.stream or call.dialect is None or prepared.dialect is None:
        return None
    enforcer = StreamEnforcer(
        call.dialect,
        inspector,
        exchange.response_rules(call),
        restoring=len(exchange.vault) > 0,
    )
    hide = hide_usage if prepared.hide_usage else None
    reply = call.reply(int(exchange.clock.now()))
    pipe = StreamPipe(prepared.dialect, call.dialect, reply, enforcer, hide)
    if not (prepared.framing == call.framing == SSE):
        pipe.frame(prepared.framing, call.framing)
    return Opening(pipe)


def _judged(
    reply: Response | Failure, call: Call, opening: Opening | None, *, own: bool
) -> tuple[Response | Failure, Json]:
    """A stream that ended, or told of an error, before it said anything has not begun: it can still
    go elsewhere. A refusal by policy cannot."""
    if isinstance(reply, Failure):
        return reply, None
    if opening is not None and reply.streamed and not opening.first:
        error = opening.pipe.error
        if isinstance(error, UpstreamFailed):
            kind = error.failure.kind if error.failure else "protocol"
            return Failure(kind, f"its stream began with an error: {error.message}"), None
        if error is None and not (opening.pipe.stopped or opening.pipe.complete):
            return Failure("truncated", "its stream ended before it said anything"), None
    return answering.judged(reply, call, own=own)


def _learn(exchange: Exchange, account: Account, reply: Response | Failure) -> None:
    seen = retry.outcome(reply)
    if seen is None:
        return
    if seen == "ok":
        exchange.snapshot.health.record(account.name, seen, exchange.clock.ticks())
        return
    wait_s = (
        None
        if isinstance(reply, Failure)
        else retry.retry_after_s(reply.headers, exchange.clock.now())
    )
    exchange.snapshot.health.record(
        account.name, seen, exchange.clock.ticks(), retry_after_s=wait_s
    )
