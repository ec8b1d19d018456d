"""The answer is given, settled and recorded, in that order of promises; a stored one too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.playbook import FixedClock, chat, play, snapshot
from tests.sdk.test_pipeline import (
    BUDGET,
    CACHE,
    JSON,
    delta,
    error,
    event,
    finish,
    opened,
    routed,
    said,
    sse,
    texts,
)

from nexus_sdk.effects import Finish, Lookup, Record, Relay, Send, Settle, Store
from nexus_sdk.errors import AuditUnavailable, CallerLeft
from nexus_sdk.model import Failure, Outcome, Request, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.stages.caching import STORED_AT

CLOCK = FixedClock()
STREAM = {"content-type": "text/event-stream"}
WHOLE = sse(delta("Hel"), delta("lo. "), delta(None, "stop"), b"[DONE]")
STRICT = {"audit": {"mode": "strict"}}


def relayed(flow: Any, data: bytes, effect: Any = None) -> Any:
    """The relay of a stream whose first piece is `data`."""
    relay = flow.send(opened(flow.send(None) if effect is None else effect, data))
    assert type(relay) is Relay
    return relay


# ---- streams -------------------------------------------------------------------------------------


def test_a_stream_is_settled_by_what_it_told() -> None:
    counts = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    flow = handle(chat(stream=True), snapshot(BUDGET), CLOCK)
    flow.send(None)
    relay = relayed(flow, sse(delta("Hi. ")), flow.send("r1"))
    relay.pipe.feed(sse(delta(None, "stop"), {"choices": [], "usage": counts}, b"[DONE]"))
    settle: Any = flow.send(Outcome())
    assert (type(settle), settle.amounts) == (Settle, (5 * 1_000_000 + 7 * 2_000_000,))
    recorded: Any = flow.send(None)
    event(outcome="complete", usage__estimated=False)(recorded)
    assert recorded.event["bytes"]["out"] > 0


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome(caller_left=True), "caller_left"),
        (Outcome(failure=Failure("truncated", "cut")), "truncated"),
        (Outcome(), "truncated"),
    ],
)
def test_a_stream_that_does_not_end_well_is_settled_by_an_estimate(
    outcome: Outcome, word: str
) -> None:
    flow = handle(chat("hello", stream=True), snapshot(BUDGET), CLOCK)
    flow.send(None)
    relayed(flow, sse(delta("Hi. you")), flow.send("r1"))
    settle: Any = flow.send(outcome)
    assert settle.amounts == (2 * 1_000_000 + 2 * 2_000_000,)
    event(outcome=word, usage__estimated=True)(flow.send(None))
    last: Any = flow.send(None)
    assert bool(last.tail) == (word == "truncated")


def test_a_strict_trail_that_fails_ends_the_stream_with_an_error() -> None:
    flow = handle(chat(stream=True), snapshot(STRICT), CLOCK)
    relay = relayed(flow, WHOLE)
    assert texts(relay.first) == "Hello. "
    recorded: Any = flow.send(Outcome())
    assert recorded.strict
    again: Any = flow.throw(AuditUnavailable("the disk is full"))
    assert (type(again), again.strict) == (Record, False)
    event(status=503, error__code="audit_unavailable")(again)
    last: Any = flow.send(None)
    assert type(last) is Finish
    assert [told.doc["error"]["code"] for told in last.tail] == ["audit_unavailable"]


def test_what_is_held_most_is_told() -> None:
    flow = handle(chat(stream=True), snapshot(), CLOCK)
    relayed(flow, sse(delta("key sk-proj-" + "a" * 20)))
    recorded: Any = flow.send(Outcome(caller_left=True))
    assert recorded.event["held_chars"] >= len("sk-proj-" + "a" * 20)


def other(**more: Any) -> Request:
    given = {"endpoint": "", "path": "/audio/speech", "body": b'{"input":"hi"}', "headers": JSON}
    return replace(chat(), **{**given, **more})


def test_a_stream_that_no_dialect_reads_is_relayed_and_said_so() -> None:
    flow = handle(other(), snapshot(), CLOCK)
    send: Any = flow.send(None)
    assert send.opening is None
    relay: Any = flow.send(Response(200, STREAM, b"", streamed=True))
    assert [told.wire() for told in relay.pipe.feed(b"abc")] == [b"abc"]
    recorded: Any = flow.send(Outcome())
    event(outcome="complete")(recorded)
    assert "no dialect reads" in recorded.event["notes"][0]
    last: Any = flow.send(None)
    assert (type(last), last.answer, last.tail) == (Finish, None, ())
    with pytest.raises(StopIteration):
        flow.send(None)


def test_an_answer_that_no_dialect_reads_is_relayed_whole() -> None:
    play(
        handle(other(), snapshot(), CLOCK),
        (Send, Response(201, {"content-type": "audio/mpeg", "server": "x"}, b"\x00\x01")),
        (event(status=201, usage=None), None),
        (
            lambda effect: (
                effect.answer.body == b"\x00\x01"
                and effect.answer.headers["content-type"] == "audio/mpeg"
            ),
            None,
        ),
    )


@pytest.mark.parametrize(
    ("more", "uninspected", "status"),
    [
        ({"body": b"--x", "headers": {"content-type": "multipart/form-data"}}, "refuse", 403),
        ({"body": b"--x", "headers": {"content-type": "multipart/form-data"}}, "allow", 200),
        ({"body": b"", "headers": {}}, "refuse", 200),
        ({}, "refuse", 200),
    ],
)
def test_what_the_rules_cannot_read_is_refused_or_noted(
    more: Any, uninspected: str, status: int
) -> None:
    flow = handle(other(**more), snapshot({"on_uninspected": uninspected}), CLOCK)
    effect: Any = flow.send(None)
    if status == 403:
        event(status=403, error__code="uninspectable")(effect)
        return
    assert type(effect) is Send
    recorded: Any = flow.send(Response(200, {}, b""))
    assert bool(recorded.event["notes"]) == (more.get("body") == b"--x")


def test_other_json_is_inspected() -> None:
    request = other(body=b'{"input":"mail bob@corp-mail.com"}')
    send: Any = handle(request, snapshot(), CLOCK).send(None)
    assert b"corp-mail" not in send.upstream.body


# ---- whole answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "told"), [("sdk", None), ("transport", "false")])
def test_clients_that_would_retry_are_told_not_to(door: Any, told: str | None) -> None:
    policy = {"routing": {"retry": {"attempts": 1}}}
    flow = handle(replace(chat(), door=door), snapshot(policy), CLOCK)
    flow.send(None)
    flow.send(error(500))
    last: Any = flow.send(None)
    assert last.answer.headers.get("x-should-retry") == told


def test_an_answer_that_cannot_be_translated_is_paid_for_and_the_upstream_s_fault() -> None:
    policy = {**routed(retry={"attempts": 1}), **BUDGET}
    policy["providers"]["one"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://one.example",
    }
    policy["routing"]["models"] = {"m": "one/m"}
    flow = handle(chat(), snapshot(policy), CLOCK)
    flow.send(None)
    flow.send("r1")
    body = b'{"type":"message","content":[5],"usage":{"input_tokens":1,"output_tokens":1}}'
    settle: Any = flow.send(Response(200, JSON, body))
    assert settle.amounts == (3_000_000,)
    event(outcome="failed", status=502)(flow.send(None))
    finish(502, b"cannot be translated from anthropic")(flow.send(None))


# ---- stored answers ------------------------------------------------------------------------------


def stored(flow: Any) -> Any:
    effect = flow.send(Outcome())
    assert type(effect) is Store
    return effect.answer


def test_a_stored_stream_is_given_again_as_it_was() -> None:
    asked = chat("mail bob@corp-mail.com", stream=True)
    flow = handle(asked, snapshot(CACHE), CLOCK)
    assert type(flow.send(None)) is Lookup
    relay = relayed(flow, WHOLE, flow.send(None))
    kept = stored(flow)
    assert kept.stream
    flow.send(None)
    last: Any = flow.send(None)
    first_time = [told.wire() for told in (*relay.first, *last.tail)]

    again = handle(asked, snapshot(CACHE), CLOCK)
    again.send(None)
    event(cache="hit", cost_usd="0", status=200)(again.send(kept))
    served: Any = again.send(None)
    assert [told.wire() for told in served.tail] == first_time
    assert texts(served.tail) == "Hello. ", (
        "each event has its document: clients in process read it"
    )
    assert served.tail[-1].doc is None
    headers = served.answer.headers
    assert (headers["x-nexus-cache"], headers["age"]) == ("hit", "0")
    assert STORED_AT not in headers


@pytest.mark.parametrize(
    "data", [sse(delta("x. ")), sse(delta("x. "), {"error": {"message": "no"}})]
)
def test_a_stream_that_did_not_end_well_is_not_stored(data: bytes) -> None:
    flow = handle(chat(stream=True), snapshot(CACHE), CLOCK)
    flow.send(None)
    relayed(flow, data, flow.send(None))
    assert stored(flow) is None


def test_an_answer_from_elsewhere_in_the_plan_is_stored_under_its_own_name() -> None:
    flow = handle(chat(), snapshot({**routed(retry={"attempts": 1}), **CACHE}), CLOCK)
    flow.send(None)
    flow.send(None)
    flow.send(Failure("connect", "x"))
    kept: Any = flow.send(said("ok"))
    assert (kept.answer.provider, kept.answer.model) == ("two", "b")
    assert kept.answer.headers["x-nexus-provider"] == "two"


@pytest.mark.parametrize("header", [{"x-nexus-cache": "off"}, {"cache-control": "no-cache"}])
def test_who_wants_a_fresh_answer_gets_one(header: dict[str, str]) -> None:
    flow = handle(replace(chat(), headers=header), snapshot(CACHE), CLOCK)
    assert type(flow.send(None)) is Send


def test_a_follower_is_not_made_of_a_stream() -> None:
    whole: Any = handle(chat(), snapshot(CACHE), CLOCK).send(None)
    stream: Any = handle(chat(stream=True), snapshot(CACHE), CLOCK).send(None)
    assert (whole.fold, stream.fold) == (True, False)
    assert whole.key != stream.key


# ---- a caller who leaves -------------------------------------------------------------------------


def test_who_leaves_while_the_event_is_written_has_the_one_event() -> None:
    flow = handle(chat(), snapshot(STRICT), CLOCK)
    flow.send(None)
    assert type(flow.send(said("ok"))) is Record
    last: Any = flow.throw(CallerLeft("gone"))
    assert (type(last), last.answer.status) == (Finish, 499)


def test_who_leaves_before_is_recorded() -> None:
    flow = handle(chat(), snapshot(CACHE), CLOCK)
    flow.send(None)
    event(outcome="caller_left", status=499)(flow.throw(CallerLeft("gone")))


def form(**fields: Any) -> Request:
    made = httpx.Request("POST", "http://x/", files=fields)
    headers = {"content-type": made.headers["content-type"]}
    return other(path="/files", body=made.read(), headers=headers)


LINE = b'{"custom_id":"1","body":{"input":"mail bob@corp-mail.com"}}\n'


def test_a_file_of_json_lines_is_inspected_and_its_form_kept() -> None:
    request = form(purpose=(None, "batch"), file=("b.jsonl", LINE * 2, "application/jsonl"))
    flow = handle(request, snapshot({"on_uninspected": "refuse"}), CLOCK)
    sent: Any = flow.send(None)
    assert sent.upstream.headers["content-type"] == request.headers["content-type"]
    before, after = request.body.split(LINE * 2)
    assert sent.upstream.body.startswith(before)
    assert sent.upstream.body.endswith(after)
    assert b"corp-mail" not in sent.upstream.body
    assert sent.upstream.body.count(b'{"custom_id":"1","body":{"input":"mail ') == 2
    recorded: Any = flow.send(Response(200, JSON, b'{"id":"file-1"}'))
    event(decision="redact", redacted=2, notes=[])(recorded)


@pytest.mark.parametrize("uninspected", ["refuse", "allow"])
def test_a_part_that_is_no_text_is_refused_or_noted(uninspected: str) -> None:
    flow = handle(
        form(file=("a.mp3", b"\xff", "audio/mpeg")),
        snapshot({"on_uninspected": uninspected}),
        CLOCK,
    )
    effect: Any = flow.send(None)
    if uninspected == "refuse":
        event(status=403, error__code="uninspectable")(effect)
        finish(403, b"file (audio/mpeg)")(flow.send(None))
        return
    noted: Any = flow.send(Response(200, JSON, b"{}"))
    assert noted.event["notes"] == ["unscanned: parts of the form are no text: file (audio/mpeg)"]


MEDIA = {
    "providers": {"p": {"kind": "openai", "api_key": "k"}},
    "routing": {"models": {"m": "p/n"}},
}


@pytest.mark.parametrize(
    ("kind", "body", "answer", "notes"),
    [
        ("application/json", b'{"text": "x"}', b'{"text": "x"}', ["unpriced: p/n"]),
        ("application/json", b'["x"]', b'["x"]', ["unpriced: p/n"]),
        (
            "application/json",
            b'{"a":1,"a":2}',
            b'{"a":1,"a":2}',
            ["unscanned: the answer is application/json", "unpriced: p/n"],
        ),
        (
            "text/plain",
            b"\xff",
            b"\xff",
            ["unscanned: the answer is text/plain", "unpriced: p/n"],
        ),
        ("", b"x", b"x", ["unscanned: the answer is of no content type", "unpriced: p/n"]),
        ("audio/mpeg", b"", b"", ["unpriced: p/n"]),
    ],
)
def test_an_answer_that_no_dialect_reads_is_inspected_where_it_is_text(
    kind: str, body: bytes, answer: bytes, notes: list[str]
) -> None:
    request = other(endpoint="speech", body=b'{"model":"m","input":"hi"}')
    flow = handle(request, snapshot(MEDIA), CLOCK)
    sent: Any = flow.send(None)
    assert sent.upstream.body == b'{"model":"n","input":"hi"}'
    recorded: Any = flow.send(Response(200, {"content-type": kind}, body))
    event(notes=notes, cost_usd=None)(recorded)
    finish(200, answer)(flow.send(None))
