from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.demo import reader as module
from nexus_sdk.demo.reader import BadRequest, Reader, Received

SIZED = b"POST /v1/x?a=1 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
)
PLAIN = b"GET / HTTP/1.0\r\n\r\n"


def read(*pieces: bytes) -> list[Received]:
    reader = Reader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (received := reader.next()) is not None:
            found.append(received)
    return found


def test_requests_are_read() -> None:
    sized, chunked, plain = read(SIZED + CHUNKED + PLAIN)
    assert (sized.method, sized.path, sized.query) == ("POST", "/v1/x", "a=1")
    assert sized.headers == {"host": "h", "x-a": "1, 2", "content-length": "5"}
    assert (sized.body, sized.keep_alive) == (b"hello", True)
    assert chunked.body == b"abcde"
    assert "trailer" not in chunked.headers
    assert (plain.body, plain.keep_alive) == (b"", False)


@given(st.lists(st.integers(0, len(SIZED + CHUNKED + PLAIN)), max_size=8))
def test_any_cut_gives_the_same_requests(places: list[int]) -> None:
    whole = SIZED + CHUNKED + PLAIN
    edges = [0, *sorted(places), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == read(whole)


@pytest.mark.parametrize(
    ("wish", "version", "keeps"),
    [("close", "1.1", False), ("Keep-Alive", "1.0", True), ("keep-alive", "1.1", True)],
)
def test_the_client_says_whether_the_connection_stays(wish: str, version: str, keeps: bool) -> None:
    (received,) = read(f"GET / HTTP/{version}\r\nConnection: {wish}\r\n\r\n".encode())
    assert received.keep_alive is keeps


@pytest.mark.parametrize(
    "wrong",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"x" * (module.MAX_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_request_is_refused(wrong: bytes) -> None:
    with pytest.raises(BadRequest):
        read(wrong)


def test_a_chunked_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 8)
    with pytest.raises(BadRequest, match="too long"):
        read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\naaaaa\r\n" * 2)


def test_a_client_that_waits_for_100_is_told_once() -> None:
    reader = Reader()
    assert not reader.awaits_continue
    reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.next() is None
    assert [reader.awaits_continue, reader.awaits_continue] == [True, False]
    reader.feed(b"ok")
    received = reader.next()
    assert received is not None
    assert received.body == b"ok"
