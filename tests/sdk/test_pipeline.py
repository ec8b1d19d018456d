"""The order of the stages, played as conversations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.playbook import FixedClock, chat, play, snapshot

from nexus_sdk.effects import Finish, Lookup, Record, Relay, Reserve, Send, Settle, Store, Wait
from nexus_sdk.errors import AuditUnavailable, CallerLeft
from nexus_sdk.model import Answer, Failure, Origin, Outcome, Refused, Request, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.stages.identity import digest
from nexus_sdk.wire.json import dumps

CLOCK = FixedClock()
JSON = {"content-type": "application/json"}


def said(text: str, tokens: int = 10) -> Response:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": 2 * tokens}
    doc = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    return Response(200, JSON, dumps(doc))


def error(status: int, **headers: str) -> Response:
    return Response(
        status, {**JSON, **headers}, dumps({"error": {"message": "no", "type": "t", "code": "c"}})
    )


def event(**expected: Any) -> Any:
    """A check of the audit event: these members, by dotted path."""

    def check(effect: Any) -> None:
        assert type(effect) is Record, effect
        for path, value in expected.items():
            found = effect.event
            for step in path.split("__"):
                found = found[step]
            assert found == value, (path, found)

    return check


def finish(status: int, *parts: bytes) -> Any:
    def check(effect: Any) -> None:
        assert type(effect) is Finish, effect
        assert effect.answer is not None
        assert effect.answer.status == status, effect.answer
        for part in parts:
            assert part in effect.answer.body, effect.answer.body

    return check


def sends(*parts: bytes, url: str = "") -> Any:
    def check(effect: Any) -> None:
        assert type(effect) is Send, effect
        for part in parts:
            assert part in effect.upstream.body, effect.upstream.body
        if url:
            assert effect.upstream.url == url

    return check


def test_a_plain_call() -> None:
    play(
        handle(chat("hello"), snapshot(), CLOCK),
        (
            sends(b'"content":"hello"', url="https://up.example/v1/chat/completions"),
            said("hi there"),
        ),
        (event(outcome="complete", status=200, decision="approve", usage__input=10), None),
        (finish(200, b"hi there"), None),
    )


def test_what_policy_does_not_touch_goes_out_byte_for_byte() -> None:
    request = chat("hello", temperature=0.25, unknown={"a": [1, None]})
    play(
        handle(request, snapshot(), CLOCK),
        (lambda effect: effect.upstream.body == request.body, said("hi")),
        (Record, None),
        (lambda effect: effect.answer.body == said("hi").body, None),
    )


def test_values_are_redacted_on_the_way_out_and_restored_on_the_way_back() -> None:
    sent: list[bytes] = []

    def look(effect: Any) -> None:
        sent.append(effect.upstream.body)
        assert b"bob@corp-mail.com" not in effect.upstream.body

    flow = handle(chat("mail bob@corp-mail.com"), snapshot(), CLOCK)
    look(flow.send(None))
    token = sent[0].split(b"mail ")[1].split(b'"')[0].decode()
    assert token.startswith("<EMAIL_")
    recorded = flow.send(said(f"I wrote to {token}."))
    event(decision="redact", redacted=1, restored=1)(recorded)
    assert "corp-mail" not in repr(recorded)
    finish(200, b"I wrote to bob@corp-mail.com.")(flow.send(None))


def test_a_blocked_prompt_leaves_nothing_and_is_recorded_once() -> None:
    policy = {
        "compliance": {
            "hooks": [
                {"name": "b", "own": [{"id": "own.bird", "words": ["bluebird"]}], "action": "block"}
            ]
        }
    }
    play(
        handle(chat("about bluebird"), snapshot(policy), CLOCK),
        (event(outcome="blocked", decision="block", status=403, error__rules=["own.bird"]), None),
        (finish(403, b"policy_blocked", b"own.bird"), None),
    )


def test_a_blocked_answer_was_paid_for_and_is_not_shown() -> None:
    policy = {
        "compliance": {
            "hooks": [
                {
                    "name": "b",
                    "stages": ["response"],
                    "own": [{"id": "own.bird", "words": ["bluebird"]}],
                    "action": "block",
                }
            ]
        }
    }
    play(
        handle(chat(), snapshot(policy), CLOCK),
        (Send, said("the bluebird sings")),
        (event(outcome="blocked", usage__output=10), None),
        (lambda effect: b"sings" not in effect.answer.body and effect.answer.status == 403, None),
    )


def routed(**routing: Any) -> dict[str, Any]:
    def provider(name: str) -> dict[str, Any]:
        return {
            "kind": "openai_compatible",
            "base_url": f"https://{name}.example/v1",
            "api_key": f"key-{name}",
        }

    return {
        "providers": {name: provider(name) for name in ("one", "two")},
        "routing": {"models": {"m": {"fallback": ["one/a", "two/b"]}}, **routing},
    }


def test_the_next_target_gets_the_same_redacted_request_under_its_own_name_and_key() -> None:
    seen: list[Any] = []
    play(
        handle(chat("mail bob@corp-mail.com"), snapshot(routed(retry={"attempts": 1})), CLOCK),
        (seen.append, Failure("connect", "refused")),
        (seen.append, said("ok")),
        (event(route__provider="two", route__model="b", outcome="complete"), None),
        (finish(200), None),
    )
    first, second = (effect.upstream for effect in seen)
    assert (first.url, second.url) == (
        "https://one.example/v1/chat/completions",
        "https://two.example/v1/chat/completions",
    )
    assert first.headers["authorization"] == "Bearer key-one"
    assert second.headers["authorization"] == "Bearer key-two"
    assert first.body.replace(b'"a"', b'"b"') == second.body
    assert b"corp-mail" not in first.body


def test_a_retry_waits_as_long_as_the_provider_asks() -> None:
    play(
        handle(chat(), snapshot(routed()), CLOCK),
        (Send, error(429, **{"retry-after": "2"})),
        (Wait(2.0), None),
        (Send, said("ok")),
        (event(outcome="complete"), None),
        (finish(200), None),
    )


def test_the_caller_s_own_fault_goes_nowhere_else() -> None:
    play(
        handle(chat(), snapshot(routed()), CLOCK),
        (Send, error(400)),
        (event(status=400, outcome="complete"), None),
        (finish(400, b'"message":"no"'), None),
    )


def test_when_nobody_answers_the_last_reason_is_told() -> None:
    play(
        handle(chat(), snapshot(routed(retry={"attempts": 1})), CLOCK),
        (Send, Failure("connect", "cannot connect to one.example:443")),
        (Send, Failure("timeout", "two.example:443 was silent for 5 s")),
        (event(outcome="failed", status=502), None),
        (finish(502, b"two.example:443 was silent"), None),
    )


def test_html_with_status_200_is_no_answer() -> None:
    play(
        handle(chat(), snapshot(routed(retry={"attempts": 1})), CLOCK),
        (Send, Response(200, {"content-type": "text/html"}, b"<html>")),
        (Send, Response(200, JSON, dumps({"error": {"code": "overloaded"}}))),
        (event(outcome="failed"), None),
        (finish(502, b"overloaded"), None),
    )


BUDGET = {
    "limits": [{"name": "budget", "unit": "usd", "max": 1, "window": "day", "per": ["user"]}],
    "prices": {"m": {"input": 1.0, "output": 2.0}},
}


def test_money_is_reserved_before_and_settled_after() -> None:
    def reserved(effect: Any) -> None:
        (claim,) = effect.claims
        assert (claim.limit, claim.unit, claim.maximum) == ("budget", "usd", 10**12)
        assert claim.amount >= 1024 * 2_000_000

    play(
        handle(chat(), snapshot(BUDGET), CLOCK),
        (reserved, "r1"),
        (Send, said("ok", tokens=10)),
        (Settle("r1", (10 * 1_000_000 + 10 * 2_000_000,)), None),
        (event(cost_usd="0.00003"), None),
        (finish(200), None),
    )


def test_a_spent_budget_refuses_before_anything_is_sent() -> None:
    flow = handle(chat(), snapshot(BUDGET), CLOCK)
    (claim,) = flow.send(None).claims  # type: ignore[union-attr]
    recorded = flow.send(Refused(claim, 10**12))
    event(outcome="limited", status=429, error__code="quota_exceeded")(recorded)
    last: Any = flow.send(None)
    assert last.answer.status == 429
    assert int(last.answer.headers["retry-after"]) == 86400


@pytest.mark.parametrize("reply", [Failure("connect", "refused"), error(400)])
def test_what_was_not_used_is_given_back(reply: Any) -> None:
    policy = {**BUDGET, "routing": {"retry": {"attempts": 1}}}
    play(
        handle(chat(), snapshot(policy), CLOCK),
        (Reserve, "r1"),
        (Send, reply),
        (Settle("r1", (0,)), None),
        (Record, None),
        (Finish, None),
    )


def test_a_caller_who_leaves_is_settled_and_recorded() -> None:
    play(
        handle(chat(), snapshot(BUDGET), CLOCK),
        (Reserve, "r1"),
        (Send, CallerLeft("gone")),
        (Settle("r1", (0,)), None),
        (event(outcome="caller_left", status=499), None),
        (Finish, None),
    )


CACHE = {"cache": {"enabled": True, "scope": "all", "when": "always"}}


def test_a_miss_is_stored_and_a_hit_costs_nothing() -> None:
    stored: list[Any] = []
    play(
        handle(chat(), snapshot(CACHE), CLOCK),
        (Lookup, None),
        (Send, said("answer")),
        (stored.append, None),
        (event(cache="miss"), None),
        (finish(200, b"answer"), None),
    )
    assert type(stored[0]) is Store
    play(
        handle(chat(), snapshot(CACHE), CLOCK),
        (Lookup, stored[0].answer),
        (event(cache="hit", cost_usd="0", route__attempts=[]), None),
        (finish(200, b"answer"), None),
    )


def test_an_error_is_not_stored_and_lets_those_who_wait_go_on() -> None:
    play(
        handle(chat(), snapshot(CACHE | {"routing": {"retry": {"attempts": 1}}}), CLOCK),
        (Lookup, None),
        (Send, error(500)),
        (lambda effect: type(effect) is Store and effect.answer is None, None),
        (Record, None),
        (finish(500), None),
    )


def test_the_kill_switch_refuses_everything() -> None:
    policy = {"switches": {"kill": True, "kill_reason": "incident 7"}}
    play(
        handle(chat(), snapshot(policy), CLOCK),
        (event(status=403, error__code="kill_switch"), None),
        (finish(403, b"incident 7"), None),
    )


def test_the_emergency_bypass_finds_and_records_but_does_not_act() -> None:
    policy = {
        "switches": {
            "bypass_compliance_until": "2026-01-01T01:00:00Z",
            "bypass_reason": "a reason of some length",
        }
    }
    play(
        handle(chat("mail bob@corp-mail.com"), snapshot(policy), CLOCK),
        (sends(b"bob@corp-mail.com"), said("ok")),
        (lambda effect: [f["rule"] for f in effect.event["findings"]] == ["pii.email"], None),
        (finish(200), None),
    )


def test_a_body_that_cannot_be_read_is_refused_in_the_caller_s_words() -> None:
    request = replace(chat(), body=b'{"model":"m","model":"n","messages":[]}')
    play(
        handle(request, snapshot(), CLOCK),
        (event(status=400, error__code="malformed_request"), None),
        (finish(400, b"invalid_request_error", b"twice"), None),
    )


def test_an_audit_trail_that_fails_in_strict_mode_fails_the_call() -> None:
    flow = handle(chat(), snapshot({"audit": {"mode": "strict"}}), CLOCK)
    flow.send(None)
    record: Any = flow.send(said("ok"))
    assert record.strict
    retold: Any = flow.throw(AuditUnavailable("the disk is full"))
    assert type(retold) is Record
    assert not retold.strict
    last: Any = flow.send(None)
    assert last.answer.status == 503
    assert b"ok" not in last.answer.body


def sse(*docs: Any) -> bytes:
    return b"".join(
        b"data: " + (dumps(doc) if isinstance(doc, dict) else doc) + b"\n\n" for doc in docs
    )


def delta(text: str | None, finish_reason: str | None = None) -> dict[str, Any]:
    part = {} if text is None else {"content": text}
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": part, "finish_reason": finish_reason}],
    }


def opened(effect: Any, data: bytes) -> Response:
    assert type(effect) is Send
    assert effect.opening is not None
    effect.opening.feed(data)
    return Response(200, {"content-type": "text/event-stream"}, data, streamed=True)


def texts(events: Any) -> str:
    return "".join(
        e.doc["choices"][0]["delta"].get("content") or ""
        for e in events
        if e.doc and e.doc.get("choices")
    )


def test_a_stream_is_relayed_settled_recorded_and_only_then_ended() -> None:
    flow = handle(chat(stream=True), snapshot(), CLOCK)
    relay: Any = flow.send(opened(flow.send(None), sse(delta("Hel"))))
    assert type(relay) is Relay
    assert relay.answer == Answer(200, relay.answer.headers)
    released = [*relay.first, *relay.pipe.feed(sse(delta("lo"), delta(None, "stop"), b"[DONE]"))]
    assert texts(released) == "Hello"
    assert relay.pipe.stopped
    event(outcome="complete", stream=True)(flow.send(Outcome()))
    last: Any = flow.send(None)
    assert [e.data for e in last.tail] == [b"[DONE]"]


def test_a_cut_stream_ends_with_an_error_and_never_with_done() -> None:
    flow = handle(chat(stream=True), snapshot(), CLOCK)
    flow.send(opened(flow.send(None), sse(delta("Hel"))))
    event(outcome="truncated", error__code="upstream_truncated")(flow.send(Outcome()))
    last: Any = flow.send(None)
    assert b"[DONE]" not in b"".join(e.wire() for e in last.tail)
    assert last.tail[-1].doc["error"]["code"] == "upstream_truncated"


def test_an_error_in_the_first_event_still_goes_to_the_next_target() -> None:
    flow = handle(chat(stream=True), snapshot(routed(retry={"attempts": 1})), CLOCK)
    second = flow.send(
        opened(flow.send(None), sse({"error": {"message": "overloaded", "code": "x"}}))
    )
    assert type(second) is Send
    assert second.upstream.url.startswith("https://two.example")
    relay: Any = flow.send(opened(second, sse(delta("ok"))))
    assert type(relay) is Relay


def test_a_blocked_word_in_a_stream_stops_it() -> None:
    policy = {
        "compliance": {
            "hooks": [
                {
                    "name": "b",
                    "stages": ["response"],
                    "own": [{"id": "own.bird", "words": ["bluebird"]}],
                    "action": "block",
                }
            ]
        }
    }
    flow = handle(chat(stream=True), snapshot(policy), CLOCK)
    relay: Any = flow.send(opened(flow.send(None), sse(delta("the "))))
    out = [*relay.first, *relay.pipe.feed(sse(delta("blue"), delta("bird "), delta("sings")))]
    assert texts(out) == "the "
    assert relay.pipe.stopped
    event(outcome="blocked", decision="block")(flow.send(Outcome()))
    last: Any = flow.send(None)
    assert last.tail[-1].doc["error"]["code"] == "policy_blocked"


# ---- the sidecar's door --------------------------------------------------------------------------

KEY = "nvk_" + "a" * 64
KEYED = {"keys": [{"id": "k1", "user": "eve", "digest": digest(KEY, b"p" * 32), "models": ["m"]}]}


def knocking(**more: Any) -> Request:
    headers = {"authorization": f"Bearer {KEY}"}
    return replace(chat(), **({"door": "sidecar", "origin": None, "headers": headers} | more))


def test_a_caller_of_the_sidecar_is_known_by_its_key_and_the_key_goes_nowhere() -> None:
    flow = handle(knocking(), snapshot({**routed(), **KEYED}), CLOCK)
    sent: Any = flow.send(None)
    assert sent.upstream.headers["authorization"] == "Bearer key-one"
    assert KEY not in repr(sent) + str(sent.upstream.headers)
    recorded: Any = flow.send(said("ok"))
    event(caller__key="k1", caller__user="eve", door="sidecar")(recorded)
    assert KEY not in repr(recorded)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"headers": {}}, 401, "missing_api_key"),
        ({"headers": {"x-api-key": "nvk_wrong"}}, 401, "invalid_api_key"),
        ({"query": f"key={KEY}"}, 400, "key_in_url"),
        ({"body": b"{"}, 400, "malformed_request"),
        (
            {"body": b'{"model":"other","messages":[{"role":"user","content":"x"}]}'},
            403,
            "model_not_allowed",
        ),
        ({"headers": {}, "body": b"{"}, 401, "missing_api_key"),
    ],
)
def test_who_may_not_come_in_is_refused_and_recorded(more: Any, status: int, code: str) -> None:
    play(
        handle(knocking(**more), snapshot({**routed(), **KEYED}), CLOCK),
        (event(status=status, error__code=code, outcome="refused"), None),
        (finish(status, code.encode()), None),
    )


def test_the_list_of_models_is_our_own_answer_and_recorded() -> None:
    request = knocking(endpoint="models", method="GET", body=b"")
    play(
        handle(request, snapshot({**routed(), **KEYED}), CLOCK),
        (event(status=200, outcome="complete", endpoint="models"), None),
        (finish(200, b'"id":"m"'), None),
    )
    own = replace(request, door="sdk", origin=Origin("https://up.example/v1"), path="/models")
    assert type(handle(own, snapshot(), CLOCK).send(None)) is Send, (
        "an application asks its own upstream"
    )


# ---- limits that count requests ------------------------------------------------------------------

RATE = {"limits": [{"name": "rpm", "unit": "requests", "max": 1, "window": "minute"}]}


def test_a_request_is_counted_once_and_for_good() -> None:
    def counts(effect: Any) -> None:
        assert (type(effect), effect.for_good) == (Reserve, True)
        assert [(claim.limit, claim.amount) for claim in effect.claims] == [("rpm", 1)]

    play(
        handle(chat(), snapshot({**RATE, "routing": {"retry": {"attempts": 1}}}), CLOCK),
        (counts, ""),
        (Send, error(500)),
        (event(status=500), None),
        (finish(500), None),
    )


def test_one_request_too_many_is_refused() -> None:
    flow = handle(chat(), snapshot(RATE), CLOCK)
    effect: Any = flow.send(None)
    event(outcome="limited", error__code="rate_limit_exceeded")(
        flow.send(Refused(effect.claims[0], 1))
    )
    finish(429, b"rpm")(flow.send(None))


# ---- bugs ----------------------------------------------------------------------------------------


def test_a_bug_is_recorded_once_and_raised() -> None:
    flow = handle(chat(), snapshot(), CLOCK)
    flow.send(None)
    recorded = flow.throw(ZeroDivisionError("about bluebird"))
    event(outcome="failed", status=500, error__code="internal_error")(recorded)
    assert "bluebird" not in repr(recorded)
    with pytest.raises(ZeroDivisionError):
        flow.send(None)


def test_a_bug_behind_the_event_is_raised_alone() -> None:
    flow = handle(chat(), snapshot(), CLOCK)
    flow.send(None)
    assert type(flow.send(said("ok"))) is Record
    with pytest.raises(ZeroDivisionError):
        flow.throw(ZeroDivisionError)
