"""Retries, timeouts, refused connections, redirects: the same outcome and the same number of
requests, whichever of our two ways a call takes. And the differences that are meant."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.parity.calls import ASK, chat, respond
from tests.parity.portrait import differences
from tests.parity.sides import Call, play, watch

from nexus_sdk.results import http

if TYPE_CHECKING:
    from collections.abc import Iterator

COLOURS = ("sync", "async")
ROUTES = ("fast", "slow")
QUICK = {"routing": {"retry": {"delay_s": 0}}, "compliance": {"hooks": []}}


def by(route: str, call: Call) -> Call:
    """The same call the long way: the stock machinery alone knows `default_query`."""
    if route == "fast":
        return call
    return Call(
        call.method, call.arguments, call.demo, {**call.options, "default_query": {"a": "1"}}
    )


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_a_call_is_tried_again_as_often(status: int, route: str, colour: str) -> None:
    call = by(route, chat(f"status={status};times=2;retry-after-ms=1", {"max_retries": 2}))
    stock, ours = (
        play("stock", colour, call, policy=QUICK),
        play("ours", colour, call, policy=QUICK),
    )
    assert stock.outcome[0] == "returned"
    assert not differences(ours.outcome, stock.outcome)
    assert not differences(ours.requests, stock.requests)
    assert len(ours.events) == 1


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
def test_the_last_of_many_failures_is_raised(route: str, colour: str) -> None:
    call = by(route, chat("status=500;retry-after-ms=1", {"max_retries": 2}))
    stock, ours = (
        play("stock", colour, call, policy=QUICK),
        play("ours", colour, call, policy=QUICK),
    )
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.requests) == len(stock.requests) == 3
    assert len(ours.events) == 1


@pytest.mark.parametrize(("status", "told", "asked"), [(400, "true", 2), (500, "false", 1)])
def test_the_upstream_says_whether_to_try_again(status: int, told: str, asked: int) -> None:
    """`x-should-retry` wins over the status, and the caller sees it."""

    def outcome(side: str) -> tuple[list[Any], int]:
        seen: list[Any] = []

        def answer(request: Any) -> Any:
            seen.append(request)
            headers = {"x-should-retry": told, "retry-after-ms": "1"}
            return http.Response(status, json={"error": {"message": "No"}}, headers=headers)

        mocked = http.Client(transport=http.MockTransport(answer))
        more = {"http_client": mocked, "max_retries": 1}
        found = watch(
            side, "sync", lambda client: client.chat.completions.create(**ASK), policy=QUICK, **more
        )
        return found.outcome, len(seen)

    stock, ours = outcome("stock"), outcome("ours")
    assert not differences(ours[0], stock[0])
    assert ours[1] == stock[1] == asked
    assert ours[0][1]["response"]["headers"]["x-should-retry"] == told


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("demo", ["hang", "hang-after=40"])
def test_silence_is_a_timeout(demo: str, route: str, colour: str) -> None:
    call = by(route, chat(demo, {"timeout": 0.1}))
    stock, ours = play("stock", colour, call), play("ours", colour, call)
    assert stock.outcome[1]["type"] == "openai.APITimeoutError"
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.requests) == len(stock.requests) == 1


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refused_connection(route: str, colour: str, closed_port: str, *, streamed: bool) -> None:
    call = by(route, chat(options={"base_url": closed_port}, stream=streamed))
    stock, ours = play("stock", colour, call), play("ours", colour, call)
    assert stock.outcome[1]["type"] == "openai.APIConnectionError"
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.events) == 1
    assert len(ours.events[0]["route"]["attempts"]) == 1


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_connection_that_is_refused_is_tried_as_often_as_the_caller_says(
    route: str, colour: str, closed_port: str
) -> None:
    call = by(route, chat(options={"base_url": closed_port, "max_retries": 2}))
    ours = play("ours", colour, call, policy=QUICK)
    assert ours.outcome[1]["type"] == "openai.APIConnectionError"
    assert len(ours.events) == 1
    assert len(ours.events[0]["route"]["attempts"]) == 3


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_as_the_stock_client_does(status: int, colour: str) -> None:
    call = chat(f"status={status};location=/v1/models;times=2")
    stock, ours = play("stock", colour, call), play("ours", colour, call)
    assert not differences(ours.outcome, stock.outcome)


# ---- differences that are meant
# ----------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ask", [chat, respond])
@pytest.mark.parametrize(
    "demo", ["no-done", "end-after=700", "cut-after=700", "cut-after=700;reset"]
)
def test_a_stream_that_is_cut_raises(demo: str, ask: Any, colour: str) -> None:
    """The stock client takes a stream without an end marker for a whole one."""
    ours = play("ours", colour, ask(f"chunks=50;{demo}", stream=True))
    *items, raised, error, _ = ours.outcome[1:]
    assert items
    assert raised == "raised"
    assert error["type"] == "openai.APIConnectionError"
    assert [event["outcome"] for event in ours.events] == ["truncated"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_that_falls_silent_raises_a_timeout(colour: str) -> None:
    ours = play("ours", colour, chat("chunks=50;hang-after=1500", {"timeout": 0.2}, stream=True))
    *items, raised, error, _ = ours.outcome[1:]
    assert items
    assert raised == "raised"
    assert error["type"] == "openai.APITimeoutError"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("demo", ["html", "garbage", "empty", "error-in-200"])
def test_what_is_no_answer_raises(demo: str, route: str, colour: str) -> None:
    """The stock client returns a page of HTML as a text, an error as a completion without choices,
    and lets the JSON parser's own exception out for anything else."""
    ours = play("ours", colour, by(route, chat(demo)))
    assert ours.outcome[0] == "raised"
    assert ours.outcome[1]["type"] == "openai.APIConnectionError"
    assert [event["outcome"] for event in ours.events] == ["failed"]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("ask", "demo"), [(chat, "bom"), (respond, "no-blank"), (respond, "bom")])
def test_nothing_of_an_oddly_framed_stream_is_lost(ask: Any, demo: str, colour: str) -> None:
    """The stock client loses the first event behind a byte order mark, and the last one without a
    blank line."""
    odd, plain = (play("ours", colour, ask(script, stream=True)) for script in (demo, ""))
    assert odd.outcome[:-1] == plain.outcome[:-1]


def test_the_reason_is_told(closed_port: str) -> None:
    ours = watch("ours", "sync", _said, base_url=closed_port)
    assert ours.outcome[1][1].startswith("'Connection error: ")
    assert "refused" in ours.outcome[1][1]


def _said(client: Any) -> str:
    with pytest.raises(openai.APIConnectionError) as told:
        client.chat.completions.create(**ASK)
    return str(told.value)
