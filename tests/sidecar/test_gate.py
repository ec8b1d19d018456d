"""The front as a whole: what reaches the application, and what is refused before it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httptools
import pytest
from tests.sidecar.gate_corpus import (
    CHUNKED,
    CLOSE,
    GET,
    HOST,
    POST,
    REFUSED,
    REFUSED_OTHERWISE,
    SERVED,
)

from nexus_sidecar import gate as module
from nexus_sidecar.gate import Limits
from nexus_sidecar.strict_http import Sized

if TYPE_CHECKING:
    from tests.sidecar.conftest import Listener, Wire

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
ALL_REFUSED = {name: (400, raw) for name, raw in REFUSED.items()} | REFUSED_OTHERWISE


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def error(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def request(path: bytes, body: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body)


# ---- over real sockets ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL_REFUSED)
def test_a_malformed_request_is_refused_and_the_connection_closed(
    listener: Listener, name: str
) -> None:
    expected, raw = ALL_REFUSED[name]
    answer = listener.exchange(raw + SMUGGLED)
    assert status(answer) == expected
    assert b"\r\nconnection: close\r\n" in answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head  # and no second answer behind it
    assert error(answer)["error"]["code"]
    assert listener.app.calls == []


@pytest.mark.parametrize("name", SERVED)
def test_its_wellformed_twin_is_served(listener: Listener, name: str) -> None:
    raw, says = SERVED[name]
    answer = listener.exchange(raw)
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n" + says)
    assert len(listener.app.calls) == 1


def test_pipelined_requests_are_answered_in_order(listener: Listener) -> None:
    answer = listener.exchange(
        request(b"/one", b"1"),
        request(b"/two") + CHUNKED + b"\r\n1\r\n3\r\n0\r\n\r\n" + request(b"/four", b"4" * 900),
        SMUGGLED,
    )
    places = [answer.index(b"POST /%b " % name) for name in (b"one", b"two", b"v1/x", b"four")]
    assert places == sorted(places)
    assert answer.endswith(b"GET /smuggled ")


def test_a_malformed_request_behind_a_good_one_does_not_take_its_answer(
    listener: Listener,
) -> None:
    answer = listener.exchange(request(b"/one") + GET + b"\r\n" + SMUGGLED)
    assert status(answer) == 200
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 400 Bad Request" in answer
    assert [path for _, path, _ in listener.app.calls] == ["/one"]


def test_a_client_that_asks_first_is_told_to_go_on(listener: Listener) -> None:
    with listener.connect() as sock:
        sock.sendall(POST + CLOSE + b"Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert b"POST /v1/x abc" in sock.recv(1000)


def test_a_client_that_sends_much_too_much_still_gets_its_answer(listener: Listener) -> None:
    with listener.connect() as sock:
        sock.sendall(POST + b"Content-Length: 4000000\r\n\r\n" + b"a" * 4_000_000)
        assert status(sock.recv(1000)) == 413
    assert listener.app.calls == []


# ---- in memory ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_is_refused_however_it_is_cut(wire: Wire, name: str) -> None:
    whole = REFUSED[name]
    for size in (1, 2, 7):
        protocol, transport = wire.connect()
        wire.feed(protocol, *(whole[at : at + size] for at in range(0, len(whole), size)), SMUGGLED)
        assert status(transport.sent) == 400, size
        assert transport.done == "eof"
    assert wire.app.calls == []


def test_every_cut_of_a_request_gives_the_same_result(wire: Wire) -> None:
    whole = (
        request(b"/one?x=1", b"abc")
        + CHUNKED
        + b"X-A: 1\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        + SMUGGLED
    )
    expected = [("POST", "/one", b"abc"), ("POST", "/v1/x", b"abcde"), ("GET", "/smuggled", b"")]
    answers = set()
    for at in range(len(whole)):
        wire.app.calls.clear()
        protocol, transport = wire.connect()
        wire.feed(protocol, whole[:at], whole[at:])
        assert wire.app.calls == expected, at
        answers.add(transport.sent)
    protocol, transport = wire.connect()
    wire.feed(protocol, *(whole[at : at + 1] for at in range(len(whole))))
    assert answers == {transport.sent}
    assert transport.done == "closed"


def test_the_application_sees_a_request_only_when_it_is_whole(wire: Wire) -> None:
    protocol, _ = wire.connect()
    wire.feed(protocol, POST + b"Content-Length: 3\r\n\r\n", b"ab")
    assert wire.app.calls == []
    wire.feed(protocol, b"c")
    assert wire.app.calls == [("POST", "/v1/x", b"abc")]


def test_one_request_is_served_at_a_time(wire: Wire) -> None:
    wire.app.hold = asyncio.Event()
    protocol, transport = wire.connect()
    wire.feed(protocol, request(b"/one") + request(b"/two"))
    assert [path for _, path, _ in wire.app.calls] == ["/one"]
    assert transport.reading
    wire.feed(protocol, b"POST " + b"x" * module.PIPELINED_BYTES)
    assert not transport.reading
    wire.app.hold.set()
    wire.spin()
    assert [path for _, path, _ in wire.app.calls] == ["/one", "/two"]
    assert transport.reading


def test_a_client_that_leaves_is_noticed(wire: Wire) -> None:
    wire.app.waits = True
    protocol, _ = wire.connect()
    wire.feed(protocol, request(b"/one"))
    assert wire.app.left == 0
    protocol.connection_lost(None)
    wire.spin()
    assert wire.app.left == 1


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", "invalid_request_error"),
        (b"POST /v1/messages HTTP/9\r\n\r\n", "invalid_request_error"),
        (
            b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n",
            "request_too_large",
        ),
        (
            b"POST /v1/messages?a=b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "invalid_request_error",
        ),
    ],
)
def test_anthropic_callers_get_their_dialect(wire: Wire, raw: bytes, kind: str) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, raw)
    body = error(transport.sent)
    assert body["type"] == "error"
    assert body["error"]["type"] == kind


def test_a_refusal_repeats_nothing_that_was_sent(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, GET + HOST + b"X-A: secret\x00\r\n\r\n")
    assert b"secret" not in transport.sent


def test_what_a_refused_client_still_sends_is_bounded(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, GET + b"\r\n")
    wire.feed(protocol, *[b"x" * 1_000_000] * 16)
    assert transport.done == "eof"
    wire.feed(protocol, b"x" * 1_000_000)
    assert transport.done == "aborted"


def test_a_refused_client_that_stays_is_cut_off(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, GET + b"\r\n")
    wire.pass_time(module.LINGER_S + 0.1)
    assert transport.done == "aborted"


# ---- slow clients ---------------------------------------------------------------------------


def test_a_silent_connection_is_closed(wire: Wire) -> None:
    _, transport = wire.connect()
    wire.pass_time(9.9)
    assert transport.done == ""
    wire.pass_time(0.2)
    assert (transport.done, transport.sent) == ("closed", b"")


def test_a_slow_head_is_refused_though_it_never_pauses(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, GET)
    for _ in range(9):
        wire.pass_time(1)
        wire.feed(protocol, b"X-A: 1\r\n")
    assert transport.done == ""
    wire.pass_time(1.1)
    assert status(transport.sent) == 408
    assert transport.done == "eof"


def test_a_slow_second_head_is_refused_too(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.pass_time(5)
    wire.feed(protocol, request(b"/one"))
    wire.pass_time(3)
    wire.feed(protocol, b"GET")
    wire.pass_time(9.9)
    assert transport.done == ""
    wire.pass_time(0.2)
    assert status(transport.sent[transport.sent.rindex(b"HTTP/1.1 ") :]) == 408


@pytest.mark.parametrize("framing", [b"Content-Length: 900\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_that_falls_silent_is_refused(wire: Wire, framing: bytes) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, POST + framing + b"\r\n100\r\n")
    for _ in range(5):
        wire.pass_time(29)
        wire.feed(protocol, b"a")
    assert transport.done == ""
    wire.pass_time(30.1)
    assert status(transport.sent) == 408
    assert wire.app.calls == []


def test_a_body_that_drips_is_refused_in_the_end(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, POST + b"Content-Length: 900\r\n\r\n")
    for _ in range(29):
        wire.pass_time(20)
        wire.feed(protocol, b"a")
    assert transport.done == ""
    wire.pass_time(20.1)
    assert status(transport.sent) == 408


def test_an_answer_may_take_its_time(wire: Wire) -> None:
    wire.app.hold = asyncio.Event()
    protocol, transport = wire.connect()
    wire.feed(protocol, request(b"/slow", b"abc"))
    wire.pass_time(5000)
    assert transport.done == ""
    wire.app.hold.set()
    wire.spin()
    assert transport.sent.endswith(b"POST /slow abc")


# ---- many clients ---------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [Limits(connections=2)], indirect=True)
def test_connections_are_bounded(wire: Wire) -> None:
    first, _ = wire.connect()
    second, _ = wire.connect()
    _, refused = wire.connect()
    assert status(refused.sent) == 503
    assert b"\r\nretry-after: 1\r\n" in refused.sent
    wire.feed(second, request(b"/still"))
    assert [path for _, path, _ in wire.app.calls] == ["/still"]
    first.connection_lost(None)
    wire.gates[2].connection_lost(None)
    _, again = wire.connect()
    assert again.sent == b""


@pytest.mark.parametrize("wire", [Limits(body=1000, buffered=1500)], indirect=True)
def test_unfinished_bodies_are_bounded_together(wire: Wire) -> None:
    begun = POST + b"Content-Length: 1000\r\n\r\n" + b"a" * 800
    first, _ = wire.connect()
    second, refused = wire.connect()
    wire.feed(first, begun)
    wire.feed(second, begun)
    assert status(refused.sent) == 503
    wire.feed(first, b"a" * 200)
    assert len(wire.app.calls) == 1
    third, _ = wire.connect()
    wire.feed(third, begun)
    third.connection_lost(None)
    fourth, served = wire.connect()
    wire.feed(fourth, begun, b"a" * 200)
    assert status(served.sent) == 200
    assert fourth.shared.buffered == 0


TOLD: list[str] = []


@pytest.mark.parametrize("wire", [Limits(refused=lambda it: TOLD.append(it.code))], indirect=True)
def test_refusals_are_told(wire: Wire) -> None:
    protocol, _ = wire.connect()
    wire.feed(protocol, GET + b"\r\n")
    assert TOLD == ["malformed_request"]


# ---- where the parser behind the gate sees something else -----------------------------------


@pytest.mark.parametrize(
    ("behind", "says"),
    [
        (b"3\r\nabc\r\n0\r\nX-A: evil\r\n\r\n", "a header behind the body"),
        (b"3\r\nabc\r\n0\r\n\r\n", "the body ends before it should"),
        (b"3;\x00\r\n", "not a request of HTTP/1.1"),
    ],
)
def test_what_the_parser_alone_finds_is_refused(wire: Wire, behind: bytes, says: str) -> None:
    protocol, _ = wire.connect()
    wire.feed(protocol, CHUNKED + b"\r\n")
    with pytest.raises(httptools.HttpParserError) as caught:
        protocol.parser.feed_data(behind)
    assert says in module._cause(caught.value).message
    assert wire.app.calls == []


def test_a_body_that_goes_on_for_the_parser_is_refused(wire: Wire) -> None:
    protocol, transport = wire.connect()
    wire.feed(protocol, CHUNKED + b"\r\n")
    protocol._body = Sized(3)
    wire.feed(protocol, b"3\r\n")
    assert status(transport.sent) == 400
    assert wire.app.calls == []


def test_the_parser_is_never_asked_to_change_the_protocol(wire: Wire) -> None:
    protocol, _ = wire.connect()
    with pytest.raises(httptools.HttpParserError) as caught:
        protocol.parser.feed_data(GET + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert "no other protocol" in module._cause(caught.value).message


def test_a_connection_that_cannot_be_half_closed_is_cut_off_later(wire: Wire) -> None:
    protocol, transport = wire.connect()
    transport.half_closes = False
    wire.feed(protocol, GET + b"\r\n")
    assert (status(transport.sent), transport.done) == (400, "")
    wire.pass_time(module.LINGER_S + 0.1)
    assert transport.done == "aborted"
