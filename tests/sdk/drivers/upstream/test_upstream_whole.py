"""Whole answers: what goes out, what comes back, and which connections are kept."""

from __future__ import annotations

import gzip
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream import MAX_ERROR_BYTES, MAX_WHOLE_BYTES
from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n"


def always(*answers: bytes, close: bool = False) -> Callable[[Any], None]:
    """Answers requests with each of `answers` in turn, then with the last."""

    def handler(peer: Any) -> None:
        at = 0
        while peer.hear():
            peer.say(answers[min(at, len(answers) - 1)])
            at += 1
            if close:
                peer.sock.close()
                return

    return handler


def test_a_request_goes_out_as_it_was_given(serve: Serve, side: Any, to: To) -> None:
    heard: list[bytes] = []

    def handler(peer: Any) -> None:
        heard.append(peer.hear())
        peer.answer()

    served = serve(handler)
    given = {
        "Authorization": "Bearer sk-1",
        "X-Stainless-Lang": "python",
        "x-name": "caf\xe9 ;\t=,",
        "Host": "elsewhere.example",
        "Content-Length": "999",
        "Transfer-Encoding": "chunked",
        "Accept-Encoding": "br, zstd",
        "Connection": "close",
        "user-agent": "app/1",
    }
    side.send(to(served, "/v1/x?a=%20&b=/%2e", headers=given, body=b"{}"))
    assert heard[0].decode("latin-1").split("\r\n") == [
        "POST /v1/x?a=%20&b=/%2e HTTP/1.1",
        f"host: 127.0.0.1:{served.port}",
        "Authorization: Bearer sk-1",
        "X-Stainless-Lang: python",
        "x-name: caf\xe9 ;\t=,",
        "user-agent: app/1",
        "content-length: 2",
        "accept-encoding: gzip",
        "",
        "{}",
    ]


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", False), ("DELETE", False), ("POST", True)]
)
def test_an_empty_body_has_a_length_only_where_a_body_is_usual(
    serve: Serve, side: Any, to: To, method: str, expected: bool
) -> None:
    heard: list[bytes] = []

    def handler(peer: Any) -> None:
        heard.append(peer.hear())
        peer.answer()

    side.send(to(serve(handler), method=method, body=b""))
    assert (b"\r\ncontent-length: 0\r\n" in heard[0]) is expected
    assert b"\r\nuser-agent: nexus-sdk\r\n" in heard[0]


@pytest.mark.parametrize(
    "headers",
    [{"x": "a\r\nb: c"}, {"x": "a\nb"}, {"x": "\0"}, {"x y": "1"}, {"x:": "1"}, {"x": "\u20ac"}],
)
def test_a_header_that_would_break_the_head_never_leaves(
    serve: Serve, side: Any, to: To, headers: dict[str, str]
) -> None:
    served = serve(lambda peer: peer.answer())
    reply, body = side.send(to(served, headers=headers))
    assert isinstance(reply, Failure)
    assert reply.kind == "protocol"
    assert body is None
    assert not served.accepted


def test_header_names_come_back_in_lower_case_and_repeated_ones_joined(
    serve: Serve, side: Any, to: To
) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2 \r\nX-Request-ID: r\r\nX-L: caf\xe9\r\n"
        b"Set-Cookie: a=1\r\nEmpty:\r\nContent-Length: 2\r\n\r\nok"
    )
    reply, body = side.send(to(serve(always(answer))))
    assert body is None
    assert reply == Response(
        200,
        {
            "x-a": "1, 2",
            "x-request-id": "r",
            "x-l": "caf\xe9",
            "set-cookie": "a=1",
            "empty": "",
            "content-length": "2",
        },
        b"ok",
    )


def test_a_redirect_comes_back_as_it_is(serve: Serve, side: Any, to: To) -> None:
    elsewhere = serve(lambda peer: peer.answer(b"never"))
    location = f"http://127.0.0.1:{elsewhere.port}/"
    served = serve(
        lambda peer: (peer.hear(), peer.answer(b"", f"location: {location}", status="307 Go"))
    )
    reply, _ = side.send(to(served))
    assert (reply.status, reply.headers["location"]) == (307, location)
    assert not elsewhere.accepted


def test_no_cookie_is_kept(serve: Serve, side: Any, to: To) -> None:
    heard: list[bytes] = []

    def handler(peer: Any) -> None:
        while data := peer.hear():
            heard.append(data)
            peer.answer(b"", "set-cookie: a=1; path=/")

    call = to(serve(handler))
    side.send(call)
    side.send(call)
    assert len(heard) == 2
    assert b"cookie" not in heard[1].lower()


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("POST", INTERIM + b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", b"a"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b""),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", b""),
        ("POST", CHUNKED + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: v\r\n\r\n", b"abc"),
        ("POST", b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok", b"ok"),
    ],
)
def test_bodies_end_where_http_says_and_the_connection_is_kept(
    serve: Serve, side: Any, to: To, method: str, answer: bytes, body: bytes
) -> None:
    served = serve(always(answer))
    sent = b"" if method in {"GET", "HEAD"} else b"{}"
    for _ in range(2):
        reply, _ = side.send(to(served, method=method, body=sent))
        assert isinstance(reply, Response)
        assert reply.body == body
        assert "link" not in reply.headers
        assert "t" not in reply.headers
    assert len(served.accepted) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nEXTRA",
    ],
)
def test_a_connection_that_may_hold_more_is_not_used_again(
    serve: Serve, side: Any, to: To, answer: bytes
) -> None:
    served = serve(always(answer))
    for _ in range(2):
        reply, _ = side.send(to(served))
        assert reply.body == b"ok"
    assert len(served.accepted) == 2


def test_a_body_without_a_length_ends_with_the_connection(serve: Serve, side: Any, to: To) -> None:
    served = serve(always(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True))
    assert side.send(to(served))[0].body == b"all of it"


def test_a_kept_connection_that_the_peer_closed_is_replaced(
    serve: Serve, side: Any, to: To, until: Any
) -> None:
    served = serve(always(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", close=True))
    side.send(to(served))
    until(lambda: served.accepted[0].sock.fileno() < 0)
    assert side.send(to(served))[0].body == b"ok"
    assert len(served.accepted) == 2


def test_a_request_that_meets_a_closing_connection_is_sent_once_more(
    serve: Serve, side: Any, to: To
) -> None:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.answer()
        if peer.number == 0:
            peer.hear()
            peer.reset()

    served = serve(handler)
    side.send(to(served))
    assert side.send(to(served))[0].body == b"ok"
    assert len(served.accepted) == 2


def test_a_first_request_is_never_sent_twice(serve: Serve, side: Any, to: To) -> None:
    served = serve(lambda peer: (peer.hear(), peer.reset()))
    reply, _ = side.send(to(served))
    assert isinstance(reply, Failure)
    assert reply.kind == "connect"
    assert len(served.accepted) == 1


def test_a_large_request_and_a_large_answer_pass(serve: Serve, side: Any, to: To) -> None:
    body = bytes(range(256)) * 8192
    served = serve(lambda peer: peer.answer(peer.hear().partition(b"\r\n\r\n")[2]))
    assert side.send(to(served, body=body))[0].body == body


def test_an_answer_before_the_request_is_read_is_heard(serve: Serve, side: Any, to: To) -> None:
    def handler(peer: Any) -> None:
        peer.sock.recv(100)
        peer.answer(b"too large", "connection: close", status="413 Too Large")
        peer.wait_gone()

    reply, _ = side.send(to(serve(handler), body=b"x" * 8_000_000, read_s=0.5))
    assert isinstance(reply, Failure | Response)
    if isinstance(reply, Failure):  # the rest did not fit into the system's buffers
        assert reply.kind == "timeout"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
def test_a_compressed_body_is_decoded(serve: Serve, side: Any, to: To, coding: str) -> None:
    packed = gzip.compress(b"a" * 100_000, mtime=0) + gzip.compress(b"b")
    served = serve(lambda peer: (peer.hear(), peer.answer(packed, f"content-encoding: {coding}")))
    reply, _ = side.send(to(served))
    assert reply == Response(200, {}, b"a" * 100_000 + b"b")


@pytest.mark.parametrize(
    ("packed", "coding", "kind"),
    [
        (gzip.compress(b"hello", mtime=0)[:-1], "gzip", "truncated"),
        (b"not gzip", "gzip", "protocol"),
        (b"hello", "br", "protocol"),
        (b"hello", "gzip, br", "protocol"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_a_failure(
    serve: Serve, side: Any, to: To, packed: bytes, coding: str, kind: str
) -> None:
    served = serve(lambda peer: (peer.hear(), peer.answer(packed, f"content-encoding: {coding}")))
    reply, _ = side.send(to(served))
    assert isinstance(reply, Failure)
    assert reply.kind == kind


def test_a_bomb_of_a_gibibyte_takes_no_more_than_the_bound(serve: Serve, side: Any, to: To) -> None:
    packed = gzip.compress(bytes(16 << 20)) * 64
    served = serve(lambda peer: (peer.hear(), peer.answer(packed, "content-encoding: gzip")))
    tracemalloc.start()
    try:
        reply, _ = side.send(to(served, total_s=30.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(reply, Failure)
    assert reply.kind == "protocol"
    assert str(MAX_WHOLE_BYTES) in reply.reason
    assert peak < MAX_WHOLE_BYTES + (4 << 20)


@pytest.mark.parametrize("stream", [False, True])
def test_the_body_of_an_error_is_cut_and_its_status_kept(
    serve: Serve, side: Any, to: To, stream: bool
) -> None:
    body = b"e" * (MAX_ERROR_BYTES + 100_000)
    served = serve(lambda peer: (peer.hear(), peer.answer(body, status="500 Oh")))
    reply, rest = side.send(to(served, stream=stream))
    assert (reply.status, len(reply.body), rest) == (500, MAX_ERROR_BYTES, None)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "127.0.0.1/",
        "http://a b/",
        "http://u:p@127.0.0.1/",
        "http:///x",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:70000/",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1/\u00e9",
        "http://127.0.0.1/a b",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "",
    ],
)
def test_a_url_that_is_not_plain_is_refused(side: Any, to: To, url: str, serve: Serve) -> None:
    served = serve(lambda peer: peer.answer())
    reply, _ = side.send(replace(to(served), url=url))
    assert isinstance(reply, Failure)
    assert reply.kind == "refused_address"
