"""Predictions, driven: created, asked for, read along, cancelled; as a script, and over real
sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.playbook import FixedClock, chat, play, snapshot
from tests.predictions_server import Predictions
from tests.sdk.test_pipeline import JSON, event, finish

from nexus_sdk.drivers.exchanges import SyncEvents
from nexus_sdk.effects import Finish, Record, Relay, Send, Wait
from nexus_sdk.errors import CallerLeft
from nexus_sdk.model import Answer, Failure, Outcome, Patience, Response
from nexus_sdk.nexus import Nexus
from nexus_sdk.pipeline import handle
from nexus_sdk.settings import Settings
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "https://api.replicate.com/v1"
GET = f"{BASE}/predictions/p1"
STREAM = "https://stream.replicate.com/v1/files/p1"
CLOCK = FixedClock()


def policy(url: str = BASE, **more: Any) -> dict[str, Any]:
    provider = {"kind": "replicate", "api_key": "the-replicate-key", "base_url": url}
    return {
        "providers": {"rep": {**provider, "private_network": url != BASE, **more}},
        "routing": {
            "models": {"m": "rep/meta/llama"}
            | {
                name: f"rep/{name}"
                for name in ("quick", "slow", "endless", "mute", "broken", "astray", "flaky")
            },
            "retry": {"attempts": 1},
        },
    }


def prediction(status: str, *, streams: bool = False, **more: Any) -> Response:
    urls = {"get": GET, "cancel": f"{GET}/cancel"}
    doc = {"id": "p1", "status": status, "urls": urls | ({"stream": STREAM} if streams else {})}
    return Response(201, JSON, dumps({**doc, **more}))


DONE: dict[str, Any] = {
    "output": ["Hello ", "there"],
    "metrics": {"input_token_count": 7, "output_token_count": 2},
}


def asks(method: str, url: str, **headers: str) -> Any:
    def check(effect: Any) -> None:
        assert type(effect) is Send, effect
        upstream = effect.upstream
        assert (upstream.method, upstream.url) == (method, url)
        assert upstream.headers["authorization"] == "Bearer the-replicate-key"
        if url != f"{BASE}/predictions":
            assert upstream.body == b""
            assert "content-type" not in upstream.headers
        for name, value in headers.items():
            assert upstream.headers.get(name.replace("_", "-")) == value

    return check


def creates(effect: Any) -> None:
    asks("POST", f"{BASE}/predictions", prefer="wait", cancel_after="600s")(effect)
    assert orjson.loads(effect.upstream.body)["version"] == "meta/llama"
    assert effect.upstream.stream is False


# ---- as a script ---------------------------------------------------------------------------------


def test_one_that_ended_at_once_is_the_answer() -> None:
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, prediction("succeeded", **DONE)),
        (event(outcome="complete", status=200, usage__input=7, usage__output=2), None),
        (finish(200, b'"content":"Hello there"'), None),
    )


def test_one_that_goes_on_is_asked_for_until_it_has_ended_and_is_one_attempt() -> None:
    noted: list[Any] = []
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, prediction("starting")),
        (Wait(0.5), None),
        (asks("GET", GET), prediction("processing")),
        (Wait(1.0), None),
        (asks("GET", GET), prediction("succeeded", **DONE)),
        (noted.append, None),
        (finish(200, b"Hello there"), None),
    )
    assert len(noted[0].event["route"]["attempts"]) == 1


def test_a_question_that_is_not_answered_is_put_again_and_nothing_is_created_twice() -> None:
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, prediction("starting")),
        (Wait(0.5), None),
        (asks("GET", GET), Failure("connect", "refused")),
        (Wait(1.0), None),
        (asks("GET", GET), Response(503, JSON, b"{}")),
        (Wait(2.0), None),
        (asks("GET", GET), prediction("succeeded", **DONE)),
        (Record, None),
        (finish(200), None),
    )


def test_one_of_which_nothing_is_heard_any_more_is_cancelled() -> None:
    lost = Failure("connect", "refused")
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, prediction("starting")),
        (Wait(0.5), None),
        (asks("GET", GET), lost),
        (Wait(1.0), None),
        (asks("GET", GET), lost),
        (Wait(2.0), None),
        (asks("GET", GET), lost),
        (Wait(4.0), None),
        (asks("GET", GET), lost),
        (asks("POST", f"{GET}/cancel"), lost),
        (event(outcome="failed", status=502), None),
        (finish(502, b"refused"), None),
    )


def test_the_caller_s_patience_ends_it() -> None:
    request = replace(chat(), patience=Patience(total_s=0.4))
    play(
        handle(request, snapshot(policy()), CLOCK),
        (
            asks("POST", f"{BASE}/predictions", prefer="wait=1", cancel_after="5s"),
            prediction("starting"),
        ),
        (asks("POST", f"{GET}/cancel"), prediction("canceled")),
        (event(error__code="upstream_timeout"), None),
        (finish(502, b"longer than the time allowed"), None),
    )


@pytest.mark.parametrize("where", [Wait, Send])
def test_a_caller_who_leaves_cancels_it(where: type) -> None:
    first: list[Any] = [(creates, prediction("starting"))]
    if where is Wait:
        first.append((Wait(0.5), CallerLeft("gone")))
    else:
        first += [(Wait(0.5), None), (asks("GET", GET), CallerLeft("gone"))]
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        *first,
        (asks("POST", f"{GET}/cancel"), prediction("canceled")),
        (event(outcome="caller_left"), None),
        (Finish, None),
    )


def test_one_that_failed_goes_to_the_next_target_and_is_not_tried_again() -> None:
    own = policy()
    own["routing"]["models"]["m"] = {"fallback": ["rep/a", "rep/b"]}
    own["routing"]["retry"]["attempts"] = 3
    play(
        handle(chat(), snapshot(own), CLOCK),
        (Send, prediction("failed", error="CUDA out of memory")),
        (Send, prediction("failed", error="prompt too long for this model")),
        (event(status=502), None),
        (finish(502, b"prompt too long for this model", b"prediction_failed"), None),
    )


def test_an_address_elsewhere_is_not_asked() -> None:
    urls = {"get": "https://evil.example/v1/predictions/p1", "cancel": f"{GET}/cancel"}
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, prediction("starting", urls=urls)),
        (asks("POST", f"{GET}/cancel"), prediction("canceled")),
        (event(outcome="failed"), None),
        (finish(502, b"address that is not the provider's"), None),
    )


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'{"status":"odd"}'])
def test_an_answer_that_is_no_prediction_is_a_failure(body: bytes) -> None:
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, Response(201, JSON, body)),
        (event(outcome="failed"), None),
        (finish(502, b"no prediction"), None),
    )


def test_an_error_of_its_creation_is_told_in_the_caller_s_dialect() -> None:
    body = dumps({"title": "Invalid version", "detail": "no such version", "status": 422})
    play(
        handle(chat(), snapshot(policy()), CLOCK),
        (creates, Response(422, JSON, body)),
        (event(status=422), None),
        (finish(422, b'"message":"no such version"', b"invalid_request_error"), None),
    )


SAID = b"event: output\ndata: Hello \n\nevent: output\ndata: there\n\n"


def reads(data: bytes) -> Any:
    def check(effect: Any) -> None:
        asks("GET", STREAM, accept="text/event-stream", cache_control="no-store")(effect)
        assert effect.upstream.stream is True
        effect.opening.feed(data)

    return check


def streamed(data: bytes) -> Response:
    return Response(200, {"content-type": "text/event-stream"}, data, streamed=True)


def relayed(data: bytes) -> Any:
    def check(effect: Any) -> None:
        assert type(effect) is Relay
        effect.pipe.feed(data)

    return check


def creates_a_stream(effect: Any) -> None:
    asks("POST", f"{BASE}/predictions", cancel_after="600s")(effect)
    assert "prefer" not in effect.upstream.headers
    assert orjson.loads(effect.upstream.body)["stream"] is True


def test_a_stream_is_read_at_its_own_address() -> None:
    play(
        handle(chat(stream=True), snapshot(policy()), CLOCK),
        (creates_a_stream, prediction("starting", streams=True)),
        (reads(SAID), streamed(SAID)),
        (relayed(b"event: done\ndata: {}\n\n"), Outcome()),
        (event(outcome="complete", status=200), None),
        (Finish, None),
    )


def test_a_stream_that_its_caller_leaves_is_cancelled() -> None:
    play(
        handle(chat(stream=True), snapshot(policy()), CLOCK),
        (Send, prediction("starting", streams=True)),
        (reads(SAID), streamed(SAID)),
        (Relay, Outcome(caller_left=True)),
        (asks("POST", f"{GET}/cancel"), Failure("connect", "refused")),
        (event(outcome="caller_left"), None),
        (Finish, None),
    )


def test_a_stream_that_does_not_begin_is_cancelled() -> None:
    play(
        handle(chat(stream=True), snapshot(policy()), CLOCK),
        (Send, prediction("starting", streams=True)),
        (reads(b""), Response(404, JSON, b"{}")),
        (asks("POST", f"{GET}/cancel"), prediction("canceled")),
        (event(status=404), None),
        (finish(404), None),
    )


def test_what_cannot_be_read_along_is_polled_and_streamed_in_one_piece() -> None:
    told: list[Any] = []
    play(
        handle(chat(stream=True), snapshot(policy()), CLOCK),
        (Send, prediction("starting")),
        (Wait(0.5), None),
        (asks("GET", GET), prediction("succeeded", **DONE | {"output": "one\r\ntwo\rthree"})),
        (told.append, Outcome()),
        (event(outcome="complete", usage__input=7, usage__output=2), None),
        (Finish, None),
    )
    deltas = [one.doc["choices"][0]["delta"] for one in told[0].first if one.doc]
    said = "".join(delta.get("content") or "" for delta in deltas)
    tail = told[0].pipe._tail
    assert (said + "".join(one.data.decode() for one in tail)).startswith("one\ntwo\nthree")


def test_what_has_no_output_is_no_stream() -> None:
    play(
        handle(chat(stream=True), snapshot(policy()), CLOCK),
        (Send, prediction("succeeded")),
        (event(outcome="failed", status=502), None),
        (finish(502, b"no output"), None),
    )


def test_a_router_may_be_a_prediction() -> None:
    own = policy()
    choices = {"a": {"about": "this", "to": "rep/a"}, "b": {"about": "that", "to": "rep/b"}}
    own["routing"]["models"]["m"] = {"smart": choices, "router": "rep/judge", "otherwise": "rep/a"}
    flow = handle(chat(), snapshot(own), CLOCK)
    flow.send(None)
    assert flow.send(prediction("starting")) == Wait(0.5)
    flow.send(None)
    sent: Any = flow.send(prediction("succeeded", output='{"choice":"b"}'))
    assert orjson.loads(sent.upstream.body)["version"] == "b"


# ---- over real sockets ---------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Predictions]:
    with Predictions() as running:
        yield running


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def nexus(server: Predictions, tmp_path: Path, events: list[Any]) -> Iterator[Nexus]:
    settings = Settings(state_dir=tmp_path / "state", cache_dir=tmp_path / "cache", node="test")
    with Nexus(policy(server.url), settings=settings, observe=events.append) as made:
        yield made


def paths(server: Predictions) -> list[str]:
    return [f"{method} {path}" for method, path, _, _ in server.asked]


def test_a_quick_one_takes_one_exchange(nexus: Nexus, server: Predictions) -> None:
    answer = nexus.run(chat("hi there", model="quick"))
    assert isinstance(answer, Answer)
    assert orjson.loads(answer.body)["choices"][0]["message"]["content"] == "You said: hi there "
    assert paths(server) == ["POST /v1/predictions"]
    assert server.asked[0][2]["prefer"] == "wait"


@pytest.mark.parametrize("evented", [False, True])
def test_a_slow_one_is_asked_for_with_the_account_s_key(
    nexus: Nexus, server: Predictions, events: list[Any], *, evented: bool
) -> None:
    request = chat("hi", model="slow")
    answer = asyncio.run(nexus.arun(request)) if evented else nexus.run(request)
    assert isinstance(answer, Answer)
    assert (answer.status, b"You said: hi " in answer.body) == (200, True)
    assert paths(server) == ["POST /v1/predictions", *["GET /v1/predictions/p0"] * 3]
    assert events[0]["usage"]["output"] == 5


def test_a_stream_comes_from_its_own_address(nexus: Nexus, server: Predictions) -> None:
    found = nexus.run(chat("a b", model="slow", stream=True))
    assert isinstance(found, SyncEvents)
    text = b"".join(one.wire() for one in found)
    assert b"You " in text
    assert b"[DONE]" in text
    assert paths(server) == ["POST /v1/predictions", "GET /v1/streams/p0"]
    assert server.cancelled == []


def test_a_stream_that_is_closed_is_cancelled(
    nexus: Nexus, server: Predictions, events: list[Any]
) -> None:
    found = nexus.run(chat("a b", model="endless", stream=True))
    assert isinstance(found, SyncEvents)
    next(iter(found))
    found.close()
    assert server.cancelled == ["p0"]
    assert events[0]["outcome"] == "caller_left"


def test_a_task_that_is_cancelled_cancels_the_prediction(
    nexus: Nexus, server: Predictions, events: list[Any]
) -> None:
    async def main() -> None:
        async with asyncio.timeout(0.8):
            await nexus.arun(chat("hi", model="endless"))

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert server.cancelled == ["p0"]
    assert [one["outcome"] for one in events] == ["caller_left"]


def test_a_failure_and_a_stranger_s_address_are_told(nexus: Nexus, server: Predictions) -> None:
    broken: Any = nexus.run(chat("hi", model="broken"))
    assert (broken.status, b"CUDA out of memory" in broken.body) == (502, True)
    astray: Any = nexus.run(chat("hi", model="astray"))
    assert (astray.status, b"not the provider's" in astray.body) == (502, True)
    assert server.cancelled == ["p1"]


def test_a_model_without_a_stream_and_a_stumbling_server(nexus: Nexus, server: Predictions) -> None:
    found = nexus.run(chat("a", model="mute", stream=True))
    assert isinstance(found, SyncEvents)
    assert b"You said: a " in b"".join(one.wire() for one in found)
    flaky: Any = nexus.run(chat("hi", model="flaky"))
    assert (flaky.status, len(server.made)) == (200, 2)
