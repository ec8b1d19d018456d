"""The response reader, fed in every way, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.drivers.upstream.failures import CutShort, Garbled, Unanswered
from nexus_sdk.drivers.upstream.http1 import MAX_HEAD_BYTES, MAX_HEADERS, Reader, encode_head

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def read(pieces: list[bytes], *, method: str = "POST", clean: bool = True) -> tuple[Reader, bytes]:
    reader = Reader(method, "host:1")
    body = b"".join(reader.feed(piece) for piece in pieces)
    reader.eof(clean=clean)
    return reader, body


def chunked(body: bytes, size: int, trailer: bytes = b"") -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%X;q\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer + b"\r\n"


def cuts(whole: bytes) -> list[list[bytes]]:
    """In one piece, in two at every place, and byte by byte."""
    halves = [[whole[:i], whole[i:]] for i in range(1, len(whole))]
    return [[whole], *halves, [whole[i : i + 1] for i in range(len(whole))]]


MESSAGES = {
    "sized": (OK + b"Content-Length: 5\r\nX: 1\r\nx: 2\r\n\r\nhello", b"hello", True),
    "empty": (OK + b"content-length: 0\r\n\r\n", b"", True),
    "chunked": (CHUNKED + chunked(b"hello world", 4), b"hello world", True),
    "trailers": (CHUNKED + chunked(b"hello", 5, b"a: 1\r\nb: 2\r\n"), b"hello", True),
    "no chunk": (CHUNKED + b"0\r\n\r\n", b"", True),
    "until close": (OK + b"\r\nhello", b"hello", False),
    "interim": (b"HTTP/1.1 102 P\r\na: b\r\n\r\n" + OK + b"content-length: 1\r\n\r\nx", b"x", True),
    "old, kept": (
        b"HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx",
        b"x",
        True,
    ),
    "closing": (OK + b"connection: foo, Close\r\ncontent-length: 1\r\n\r\nx", b"x", False),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_response_is_the_same_however_it_is_cut(name: str) -> None:
    whole, expected, reusable = MESSAGES[name]
    for pieces in cuts(whole):
        reader, body = read(pieces)
        assert (body, reader.ended, reader.reusable, reader.status) == (
            expected,
            True,
            reusable,
            200,
        ), pieces
        assert "a" not in reader.headers


@given(
    st.binary(max_size=300),
    st.integers(1, 50),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_any_chunks_in_any_cuts(body: bytes, size: int, steps: list[int]) -> None:
    whole = CHUNKED + chunked(body, size)
    pieces, at, turn = [], 0, 0
    while at < len(whole):
        pieces.append(whole[at : at + steps[turn % len(steps)]])
        at += len(pieces[-1])
        turn += 1
    reader, got = read(pieces)
    assert got == body
    assert reader.reusable


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer_or_a_named_trouble(data: bytes) -> None:
    for prefix in (b"", b"HTTP/1.1 ", OK, CHUNKED, OK + b"content-length: "):
        try:
            reader, _ = read([prefix + data])
        except (Garbled, CutShort, Unanswered):
            continue
        assert reader.ended


@pytest.mark.parametrize("name", [name for name in MESSAGES if name != "until close"])
def test_every_prefix_is_cut_short(name: str) -> None:
    whole = MESSAGES[name][0]
    for end in range(1, len(whole)):
        with pytest.raises(CutShort):
            read([whole[:end]])


def test_nothing_is_no_answer() -> None:
    with pytest.raises(Unanswered):
        read([])


def test_a_body_until_close_needs_a_clean_end() -> None:
    with pytest.raises(CutShort):
        read([OK + b"\r\nhello"], clean=False)


GARBLED = (
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.2 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 600 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b"http/1.1 200 OK\r\n\r\n",
    b" HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 O\nK\r\n\r\n",
    OK + b"a: 1\r\n b: 2\r\n\r\n",
    OK + b"a : 1\r\n\r\n",
    OK + b": 1\r\n\r\n",
    OK + b"a\r\n\r\n",
    OK + b"a: 1\nb: 2\r\n\r\n",
    OK + b"a: 1\rb: 2\r\n\r\n",
    OK + b"a: \0\r\n\r\n",
    OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    OK + b"transfer-encoding: chunked, chunked\r\n\r\n",
    OK + b"transfer-encoding: gzip\r\n\r\n",
    OK + b"transfer-encoding: identity\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    *(
        OK + b"content-length: " + value + b"\r\n\r\n"
        for value in (b"", b"-1", b"+1", b"0x1", b"1_0", b"1, 2", b"9" * 19)
    ),
    *(
        CHUNKED + line
        for line in (
            b"\r\n",
            b"-1\r\n",
            b"0x3\r\n",
            b"+3\r\n",
            b"g\r\n",
            b"1" * 16 + b"\r\n",
            b" 1\r\n",
        )
    ),
    CHUNKED + b"1\r\nabc",
    CHUNKED + b"1\r\na\n",
    CHUNKED + b"1;" + b"x" * 2000,
    CHUNKED + b"0\r\n" + b"x" * (MAX_HEAD_BYTES + 1),
    OK + b"x: " + b"y" * MAX_HEAD_BYTES,
    OK + b"x: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n",
    OK + b"x: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
)


@pytest.mark.parametrize("data", GARBLED, ids=range(len(GARBLED)))
def test_what_two_readers_could_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled) as garbled:
        Reader("POST", "host:1").feed(data)
    assert "yyy" not in str(garbled.value)


def test_garbage_is_known_from_its_first_byte() -> None:
    with pytest.raises(Garbled):
        Reader("POST", "host:1").feed(b"S")


TOKENS = st.text(alphabet="!#$%&'*+.^_`|~09AZaz-", min_size=1, max_size=20)
VALUES = st.text(
    alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30
)


@given(st.dictionaries(TOKENS, VALUES, max_size=8))
def test_a_head_holds_exactly_the_given_headers(headers: dict[str, str]) -> None:
    from nexus_sdk.drivers.upstream.http1 import FRAMING

    head = encode_head("POST", "/p", "host", headers, 3).decode("latin-1")
    lines = head.split("\r\n")
    assert lines[:2] == ["POST /p HTTP/1.1", "host: host"]
    assert lines[-1] == "content-length: 3"
    given_lines = [
        f"{name}: {value}" for name, value in headers.items() if name.lower() not in FRAMING
    ]
    assert [line for line in lines[2:-1] if line != "user-agent: nexus-sdk"] == given_lines
