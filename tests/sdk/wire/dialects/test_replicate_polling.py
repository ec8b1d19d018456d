"""What is asked next for a prediction, and of whom it is never asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.wire.dialects.replicate import polling
from nexus_sdk.wire.dialects.replicate.polling import Done, Failed, Poll, Stream, next_step

BASE = "https://api.replicate.com/v1"
GET = f"{BASE}/predictions/gm3q"
STREAMS = "https://stream.replicate.com/v1/files/bcwr-pq2f"


def prediction(status: str, **urls: str) -> Any:
    return {"id": "gm3q", "status": status, "urls": {"get": GET} | urls}


def test_a_prediction_that_succeeded_is_done() -> None:
    assert next_step(prediction("succeeded"), BASE) == Done()


@pytest.mark.parametrize("status", ["starting", "processing"])
def test_one_that_goes_on_is_asked_for_again(status: str) -> None:
    assert next_step(prediction(status), BASE) == Poll(GET, 0.5)


def test_the_waits_grow_and_stay_bounded() -> None:
    waits = []
    for polls in (0, 1, 2, 3, 4, 10**6):
        step = next_step(prediction("processing"), BASE, polls=polls)
        assert isinstance(step, Poll)
        waits.append(step.after_s)
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("status", ["failed", "canceled", "aborted"])
def test_one_that_ended_badly_has_failed(status: str) -> None:
    step = next_step(prediction(status) | {"error": "CUDA out of memory"}, BASE, stream=True)
    assert isinstance(step, Failed)
    assert step.error.message == "CUDA out of memory"
    assert step.error.code == f"prediction_{status}"


def test_a_stream_is_read_where_there_is_one_and_polled_where_there_is_none() -> None:
    told = prediction("starting", stream=STREAMS)
    assert next_step(told, BASE, stream=True) == Stream(STREAMS)
    assert next_step(told, BASE) == Poll(GET, 0.5)
    assert next_step(prediction("starting"), BASE, stream=True) == Poll(GET, 0.5)


def test_the_stream_of_a_quick_prediction_is_still_read() -> None:
    told = prediction("succeeded", stream=STREAMS)
    assert next_step(told, BASE, stream=True) == Stream(STREAMS)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "x",
        {},
        {"status": "new"},
        {"status": "starting"},
        {"status": "starting", "urls": {"get": 4}},
    ],
)
def test_what_is_no_prediction_has_failed(answer: Any) -> None:
    step = next_step(answer, BASE)
    assert isinstance(step, Failed)
    assert step.error.failure is not None
    assert step.error.failure.kind == "protocol"


ELSEWHERE = [
    "http://api.replicate.com/v1/predictions/x",
    "https://api.replicate.com.evil.example/v1/predictions/x",
    "https://evil.example/v1/predictions/x",
    "https://api.replicate.com@evil.example/v1/predictions/x",
    "https://user:pw@api.replicate.com/v1/predictions/x",
    "https://api.replicate.com:8443/v1/predictions/x",
    "https://api.replicate.com/v2/predictions/x",
    "https://api.replicate.com/v1x/predictions",
    "https://api.replicate.com/v1",
    "https://api.replicate.com/v1/../admin",
    "https://api.replicate.com/v1/%2e%2e/admin",
    "https://api.replicate.com/v1/%2E%2E%2Fadmin",
    "https://api.replicate.com\\@evil.example/v1/x",
    "https://api.replicate.com/v1/x\n",
    "https://api.replicate.com/v1/x y",
    "https://api.replicate.com/v1/ä",
    "https://api.replicate.com:x/v1/p",
    "https://[::1/v1/p",
    "//api.replicate.com/v1/predictions/x",
    "/v1/predictions/x",
    "file:///v1/predictions/x",
    "",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_an_address_that_is_not_the_providers_is_never_asked(url: str) -> None:
    step = next_step({"status": "starting", "urls": {"get": url}}, BASE)
    assert isinstance(step, Failed)
    assert not polling.on_base(url, BASE)
    streamed = next_step(
        {"status": "starting", "urls": {"get": GET, "stream": url}}, BASE, stream=True
    )
    assert isinstance(streamed, Failed) or url in SAME_HOUSE


SAME_HOUSE = {
    "https://api.replicate.com/v2/predictions/x",
    "https://api.replicate.com/v1x/predictions",
    "https://api.replicate.com/v1",
}
"""A stream may have another path on Replicate's hosts."""


def test_the_base_may_have_a_port_a_slash_and_another_case() -> None:
    assert polling.on_base("https://api.replicate.com:443/v1/p", BASE)
    assert polling.on_base("https://API.replicate.com/v1/p", BASE + "/")
    assert polling.on_base("http://localhost:9/p/1", "http://localhost:9")
    assert not polling.on_base("http://localhost/p/1", "http://localhost:9")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (STREAMS, True),
        ("https://stream-b.svc.ric1.c.replicate.net/v1/streams/x", True),
        ("https://streaming.api.replicate.com/v1/predictions/x", True),
        ("http://stream.replicate.com/v1/files/x", False),
        ("https://stream.replicate.com:8443/v1/files/x", False),
        ("https://evilreplicate.com/v1/files/x", False),
        ("https://replicate.com.evil.example/x", False),
    ],
)
def test_streams_are_on_replicates_hosts(url: str, allowed: bool) -> None:
    assert polling.on_stream_host(url, BASE) is allowed


def test_another_base_has_its_streams_on_itself() -> None:
    told = prediction("starting", stream=STREAMS)
    assert isinstance(next_step(told, "https://proxy.example/replicate", stream=True), Failed)
    own = prediction("starting", stream="https://proxy.example/replicate/streams/x")
    base = "https://proxy.example/replicate"
    assert next_step(own, base, stream=True) == Stream("https://proxy.example/replicate/streams/x")


@given(st.text(max_size=60))
def test_no_text_makes_it_raise_or_lead_elsewhere(url: str) -> None:
    if polling.on_base(url, BASE):
        assert url.lower().startswith("https://api.replicate.com")


@pytest.mark.parametrize(
    ("patience_s", "silence_s", "headers"),
    [
        (None, None, {"prefer": "wait"}),
        (600.0, 600.0, {"prefer": "wait", "cancel-after": "600s"}),
        (600.0, 20.5, {"prefer": "wait=19", "cancel-after": "600s"}),
        (30.2, 600.0, {"prefer": "wait=29", "cancel-after": "31s"}),
        (0.5, None, {"prefer": "wait=1", "cancel-after": "5s"}),
        (None, 61.0, {"prefer": "wait"}),
    ],
)
def test_the_first_answer_is_held_back_no_longer_than_the_caller_waits(
    patience_s: float | None, silence_s: float | None, headers: dict[str, str]
) -> None:
    assert polling.creation(patience_s, silence_s, streams=False) == headers


def test_a_stream_is_not_waited_for_and_has_a_deadline_all_the_same() -> None:
    assert polling.creation(600.0, 600.0, streams=True) == {"cancel-after": "600s"}
    assert polling.creation(None, None, streams=True) == {}
    assert polling.STREAM_HEADERS["accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("status", "url", "found"),
    [
        ("processing", f"{GET}/cancel", f"{GET}/cancel"),
        ("starting", f"{GET}/cancel", f"{GET}/cancel"),
        ("succeeded", f"{GET}/cancel", ""),
        ("processing", "https://evil.example/cancel", ""),
        ("processing", 7, ""),
    ],
)
def test_what_is_under_way_is_cancelled_at_the_provider(status: str, url: Any, found: str) -> None:
    assert polling.cancel_url(prediction(status, cancel=url), BASE) == found


@pytest.mark.parametrize("answer", [None, [], {}, {"status": "starting", "urls": []}])
def test_an_answer_that_is_no_prediction_has_nothing_to_cancel(answer: Any) -> None:
    assert polling.cancel_url(answer, BASE) == ""
