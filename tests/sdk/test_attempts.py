"""Each target in turn, from the same inspected call: reserved, sent, tried again, given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.playbook import FixedClock, chat, play, snapshot
from tests.sdk.test_pipeline import delta, error, event, finish, opened, routed, said, sends, sse

from nexus_sdk.effects import Finish, Record, Relay, Reserve, Send, Settle, Wait
from nexus_sdk.model import Failure, Patience, Refused, Response, Usage
from nexus_sdk.pipeline import handle

CLOCK = FixedClock()
ONCE = {"retry": {"attempts": 1}}
PER_PROVIDER = {
    "limits": [
        {"name": "rpm", "unit": "requests", "max": 1, "window": "minute", "per": ["provider"]}
    ]
}


def begins(effect: Any, data: bytes) -> Response:
    """A stream of which no more has come than `data`, and then its end."""
    effect.opening.feed(data)
    return Response(200, {"content-type": "text/event-stream"}, data, streamed=True)


def refused(effect: Any) -> Refused:
    return Refused(effect.claims[0], 1)


def test_a_target_without_budget_is_passed_over() -> None:
    flow = handle(chat(), snapshot({**routed(**ONCE), **PER_PROVIDER}), CLOCK)
    first: Any = flow.send(None)
    assert "one" in first.claims[0].account
    second: Any = flow.send(refused(first))
    assert type(second) is Reserve
    assert "two" in second.claims[0].account
    sent: Any = flow.send("r2")
    assert sent.upstream.url.startswith("https://two.example")
    assert type(flow.send(said("ok"))) is Settle
    event(outcome="complete", route__provider="two")(flow.send(None))
    finish(200, b"ok")(flow.send(None))


def test_when_no_target_has_budget_the_last_refusal_is_told() -> None:
    flow = handle(chat(), snapshot({**routed(**ONCE), **PER_PROVIDER}), CLOCK)
    second: Any = flow.send(refused(flow.send(None)))
    recorded: Any = flow.send(refused(second))
    event(outcome="limited", status=429, route__attempts=[])(recorded)
    finish(429, b"rpm")(flow.send(None))


def test_a_budget_behind_a_failure_is_what_is_told() -> None:
    flow = handle(chat(), snapshot({**routed(**ONCE), **PER_PROVIDER}), CLOCK)
    flow.send(None)
    assert type(flow.send("r1")) is Send
    given_back: Any = flow.send(error(500))
    assert (type(given_back), given_back.reservation, given_back.amounts) == (Settle, "r1", (0,))
    second: Any = flow.send(None)
    event(outcome="limited", status=429)(flow.send(refused(second)))


def test_a_target_is_tried_as_often_as_the_policy_says() -> None:
    policy = routed(retry={"attempts": 3, "delay_s": 1.0, "max_delay_s": 8.0})
    play(
        handle(chat(), snapshot(policy), CLOCK),
        (sends(url="https://one.example/v1/chat/completions"), error(503)),
        (Wait(0.5), None),
        (sends(url="https://one.example/v1/chat/completions"), Failure("timeout", "silent")),
        (Wait(1.0), None),
        (sends(url="https://one.example/v1/chat/completions"), error(503)),
        (sends(url="https://two.example/v1/chat/completions"), said("ok")),
        (event(outcome="complete", status=200), None),
        (finish(200, b"ok"), None),
    )


@pytest.mark.parametrize(("retries", "sent"), [(0, 1), (2, 3)])
def test_the_caller_s_own_patience_counts_attempts(retries: int, sent: int) -> None:
    request = replace(chat(), patience=Patience(retries=retries))
    policy = routed(retry={"attempts": 2})
    policy["routing"]["models"] = {"m": "one/a"}
    flow = handle(request, snapshot(policy), CLOCK)
    effect: Any = flow.send(None)
    count = 0
    while type(effect) in (Send, Wait):
        count += type(effect) is Send
        effect = flow.send(error(503) if type(effect) is Send else None)
    assert count == sent
    event(status=503)(effect)


def test_every_attempt_is_recorded_and_told_in_a_header() -> None:
    flow = handle(chat(), snapshot(routed(retry={"attempts": 2})), CLOCK)
    flow.send(None)
    flow.send(Failure("connect", "refused"))
    flow.send(None)
    recorded: Any = flow.send(said("ok"))
    attempts = recorded.event["route"]["attempts"]
    assert [attempt.get("failure") or attempt["status"] for attempt in attempts] == ["connect", 200]
    last: Any = flow.send(None)
    assert last.answer.headers["x-nexus-attempts"] == "2"


def test_what_a_translation_changed_is_told() -> None:
    policy = routed(**ONCE)
    policy["providers"]["one"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://one.example",
    }
    policy["on_unsupported"] = "drop"
    flow = handle(chat(seed=5), snapshot(policy), CLOCK)
    flow.send(None)
    body = b'{"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'
    recorded: Any = flow.send(Response(200, {"content-type": "application/json"}, body))
    assert any("seed" in dropped for dropped in recorded.event["fidelity"]["dropped"])
    last: Any = flow.send(None)
    assert "seed" in last.answer.headers["x-nexus-dropped"]


# ---- streams that do not begin -------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b": keep-alive\n\n",
        b'data: {"choices":[',
        b'data: {"error":{"message":"overloaded"}}\n\n',
        b"data: <html>\n\n",
        b'data: {"choices":5}\n\n',
    ],
)
def test_a_stream_that_does_not_begin_goes_to_the_next_target(data: bytes) -> None:
    flow = handle(chat(stream=True), snapshot(routed(**ONCE)), CLOCK)
    second: Any = flow.send(begins(flow.send(None), data))
    assert type(second) is Send
    assert second.upstream.url.startswith("https://two.example")
    relay: Any = flow.send(opened(second, sse(delta("ok"))))
    assert type(relay) is Relay


def test_a_stream_that_nobody_begins_is_a_failure_with_its_own_status() -> None:
    flow = handle(chat(stream=True), snapshot(routed(**ONCE)), CLOCK)
    second = flow.send(begins(flow.send(None), b""))
    recorded: Any = flow.send(begins(second, b""))
    event(outcome="failed", status=502)(recorded)
    last: Any = flow.send(None)
    assert (type(last), last.answer.status) == (Finish, 502)
    assert b"ended before it said anything" in last.answer.body


def test_a_stream_that_has_begun_is_never_sent_again() -> None:
    flow = handle(chat(stream=True), snapshot(routed(**ONCE)), CLOCK)
    data = sse(delta("Hel"), {"error": {"message": "overloaded"}})
    relay: Any = flow.send(begins(flow.send(None), data))
    assert type(relay) is Relay
    assert relay.pipe.stopped


def test_a_stream_that_policy_blocks_at_once_goes_nowhere_else() -> None:
    policy = routed(**ONCE)
    own = {"id": "own.bird", "words": ["bluebird"]}
    hook = {"name": "b", "stages": ["response"], "own": [own], "action": "block"}
    policy["compliance"] = {"hooks": [hook]}
    flow = handle(chat(stream=True), snapshot(policy), CLOCK)
    recorded: Any = flow.send(begins(flow.send(None), sse(delta("bluebird. "))))
    event(outcome="blocked", status=403)(recorded)
    assert type(recorded) is Record
    finish(403, b"own.bird")(flow.send(None))


# ---- what is learnt of a provider ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (error(429, **{"retry-after": "20"}), "degraded"),
        (error(429), "available"),
        (error(400), "available"),
        (said("ok"), "available"),
        (Failure("connect", "x"), "available"),
    ],
)
def test_a_provider_s_health_is_learnt_from_its_replies(reply: Any, state: str) -> None:
    taken = snapshot(routed(**ONCE))
    flow = handle(chat(), taken, CLOCK)
    flow.send(None)
    flow.send(reply)
    assert taken.health.at(CLOCK.ticks())("one") == state


def test_five_failures_in_a_row_and_the_other_provider_is_asked_first() -> None:
    taken = snapshot(routed(retry={"attempts": 5, "delay_s": 0.1}))
    flow = handle(chat(), taken, CLOCK)
    effect: Any = flow.send(None)
    for _ in range(5):
        assert effect.upstream.url.startswith("https://one.example")
        effect = flow.send(error(500))
        effect = flow.send(None) if type(effect) is Wait else effect
    assert effect.upstream.url.startswith("https://two.example")
    flow.close()
    following: Any = handle(chat(), taken, CLOCK).send(None)
    assert following.upstream.url.startswith("https://two.example")


# ---- the reservation -----------------------------------------------------------------------------

BUDGET = {
    "limits": [
        {"name": "tokens", "unit": "tokens", "max": 10_000, "window": "day", "per": ["user"]}
    ]
}


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({}, 2 + 1024),
        ({"max_tokens": 10}, 2 + 10),
        ({"max_completion_tokens": 10, "n": 3}, 2 + 30),
    ],
)
def test_what_a_request_may_take_at_most_is_reserved(more: Any, tokens: int) -> None:
    reserve: Any = handle(chat("hello", **more), snapshot(BUDGET), CLOCK).send(None)
    (claim,) = reserve.claims
    assert claim.amount == tokens


def test_what_it_took_is_settled_though_the_answer_is_blocked() -> None:
    own = {"id": "own.bird", "words": ["bluebird"]}
    hook = {"name": "b", "stages": ["response"], "own": [own], "action": "block"}
    flow = handle(chat(), snapshot({**BUDGET, "compliance": {"hooks": [hook]}}), CLOCK)
    flow.send(None)
    flow.send("r1")
    settle: Any = flow.send(said("bluebird", tokens=7))
    assert (settle.reservation, settle.amounts) == ("r1", (14,))
    event(outcome="blocked")(flow.send(None))


def test_a_bug_gives_the_reservation_back_and_is_recorded_and_raised() -> None:
    flow = handle(chat(), snapshot(BUDGET), CLOCK)
    flow.send(None)
    flow.send("r1")
    settle: Any = flow.throw(ZeroDivisionError("a bug"))
    assert (type(settle), settle.amounts) == (Settle, (0,))
    recorded: Any = flow.send(None)
    event(outcome="failed", status=500, error__code="internal_error")(recorded)
    assert "a bug" not in recorded.event["error"]["message"]
    with pytest.raises(ZeroDivisionError):
        flow.send(None)


def test_a_whole_answer_without_counts_is_estimated() -> None:
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"}}]}'
    flow = handle(chat("hello"), snapshot(), CLOCK)
    flow.send(None)
    recorded: Any = flow.send(Response(200, {"content-type": "application/json"}, body))
    usage = Usage(2, -(-len(body) // 4), estimated=True)
    assert recorded.event["usage"]["estimated"] is True
    assert (recorded.event["usage"]["input"], recorded.event["usage"]["output"]) == (
        usage.input,
        usage.output,
    )


def test_a_limit_that_does_not_hold_reserves_nothing() -> None:
    (limit,) = BUDGET["limits"]
    policy = {"limits": [limit | {"when": {"user": ["eve"]}}]}
    assert type(handle(chat(), snapshot(policy), CLOCK).send(None)) is Send
