"""Server-sent events: the same events wherever the bytes are cut, and nothing that a client cannot
read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.cutting import PLACES, cut, cuts

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import sse
from nexus_sdk.wire.sse import Decoder, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

BOM = b"\xef\xbb\xbf"


def decode(pieces: Sequence[bytes]) -> list[tuple[str, bytes, bytes]]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    return [(event.name, event.data, event.wire()) for event in events]


def read(stream: bytes) -> list[tuple[str, bytes]]:
    return [(name, data) for name, data, _ in decode([stream])]


STREAMS = {
    "plain": (b"data: one\n\ndata: two\n\n", [("", b"one"), ("", b"two")]),
    "named": (b"event: ping\ndata: {}\n\ndata: x\n\n", [("ping", b"{}"), ("", b"x")]),
    "crlf": (b"event: a\r\ndata: one\r\n\r\ndata: two\r\n\r\n", [("a", b"one"), ("", b"two")]),
    "cr": (b"event: a\rdata: one\r\rdata: two\r\r", [("a", b"one"), ("", b"two")]),
    "mixed line ends": (
        b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n",
        [("", b"a\nb\nc"), ("", b"d")],
    ),
    "byte order mark": (BOM + b"data: one\n\n", [("", b"one")]),
    "no mark but its first bytes": (b"\xef\xbbdata: one\n\ndata: two\n\n", [("", b"two")]),
    "the mark again is data": (b"data: " + BOM + b"x\n\n", [("", BOM + b"x")]),
    "lines joined": (b'data: {"a":\ndata: 1}\n\n', [("", b'{"a":\n1}')]),
    "a comment between": (b"data: a\n: keep-alive\ndata: b\n\n", [("", b"a\nb")]),
    "comments alone": (b": OPENROUTER PROCESSING\n\n:\n\ndata: x\n\n", [("", b"x")]),
    "one space removed": (
        b"data:a\n\ndata: b\n\ndata:  c\n\n",
        [("", b"a"), ("", b"b"), ("", b" c")],
    ),
    "no data": (b"event: ping\n\nevent: x\ndata:\n\ndata\n\ndata: \n\ndata: y\n\n", [("", b"y")]),
    "unknown fields": (b"id: 1\nretry: x\n data: no\nData: no\ndata: yes\n\n", [("", b"yes")]),
    "separators of str": (
        "data: a\u2028b\x85c\x0bd\x1ce\n\n".encode(),
        [("", "a\u2028b\x85c\x0bd\x1ce".encode())],
    ),
    "blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [("", b"a"), ("", b"b")]),
    "the end without a blank line": (b"data: a\n\ndata: b", [("", b"a"), ("", b"b")]),
    "the end after one line end": (b"data: a\n\ndata: b\r\n", [("", b"a"), ("", b"b")]),
    "the end inside a name": (b"data: a\n\nevent: b", [("", b"a")]),
    "two byte characters": ("data: naïve 東京 🙂\n\n".encode(), [("", "naïve 東京 🙂".encode())]),
    "a name that is not UTF-8": (b"event: \xff\ndata: x\n\n", [("\ufffd", b"x")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_gives_the_same_events(name: str) -> None:
    stream, events = STREAMS[name]
    assert read(stream) == events
    whole = decode([stream])
    for pieces in cuts(stream):
        assert decode(pieces) == whole, pieces


SOUP = st.lists(
    st.sampled_from(
        [
            b"\n",
            b"\n",
            b"\r",
            b"\r\n",
            b"data: ",
            b"data:",
            b"event: ",
            b": c",
            b"a",
            b"{}",
            BOM,
            b"\xef",
            b" ",
        ]
    ),
    max_size=16,
).map(b"".join)


@settings(max_examples=2000, deadline=None)
@given(SOUP, PLACES)
@example(b"data: a\n\r", [7, 8])
@example(b"data: a\n\r\ndata: b", [8, 9])
def test_cuts_do_not_matter(stream: bytes, places: list[int]) -> None:
    assert decode(cut(stream, places)) == decode([stream])


@given(SOUP)
@example(b"\n" + BOM + b"data: \ndata: x")
def test_what_it_writes_it_reads(stream: bytes) -> None:
    written = b"".join(wire for _, _, wire in decode([stream]))
    assert read(written) == read(stream)


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert [event.data for event in decoder.feed(b"\nda")] == [b"a"]
    assert [event.data for event in decoder.feed(b"ta: b\n\n")] == [b"b"]
    assert decoder.close() == []


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 40)
    return 40


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_is_bounded_however_it_comes(small: int, size: int) -> None:
    fits = b"data: " + b"x" * (small - 6)
    assert len(decode([fits + b"\n\n"])) == 1
    stream = b"data: a\n\n" + fits + b"y\n\n"
    with pytest.raises(UpstreamFailed, match="over 40 bytes"):
        decode([stream[at : at + size] for at in range(0, len(stream), size)])


def test_the_bound_is_on_one_event_not_on_the_stream(small: int) -> None:
    assert len(decode([b"data: 0123456789\n\n" * 100])) == 100
    assert len(decode([b"data: 0123456789\n", b"\n"] * 100)) == 100


def test_an_event_of_our_own_is_written_out() -> None:
    assert StreamEvent("", b"{}").wire() == b"data: {}\n\n"
    assert StreamEvent("ping", b"{}").wire() == b"event: ping\ndata: {}\n\n"
    assert StreamEvent("ping", b"{}", raw=b"as it came").wire() == b"as it came"


def test_its_repr_shows_no_content() -> None:
    assert repr(StreamEvent("ping", b"secret")) == "StreamEvent('ping', 6 bytes)"


def test_blanks_are_data_where_data_is_text_and_nothing_elsewhere() -> None:
    stream = b"event: out\ndata:  \n\nevent: out\ndata:\ndata:\n\nevent: out\ndata:\n\ndata:  \n\n"
    for pieces in cuts(stream):
        decoder = Decoder(frozenset({"out"}))
        found = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
        assert [(event.name, event.data) for event in found] == [("out", b" "), ("out", b"\n")]
    assert Decoder().feed(stream) == []
