"""AWS event streams: the same events wherever the bytes are cut, every damage an error, and
botocore as the judge of both directions."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cutting import PLACES, cut, cuts

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import aws_events
from nexus_sdk.wire.aws_events import Decoder
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVENT = {":event-type": "messageStart", ":message-type": "event"}
STREAM = aws_events.write(EVENT, b'{"role":"assistant"}') + aws_events.wire(
    StreamEvent("throttlingException", '{"message":"zu schnell, 東京"}'.encode())
)


def decode(pieces: Sequence[bytes]) -> list[tuple[str, bytes, bytes]]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    return [(event.name, event.data, event.wire()) for event in events]


def raw_message(headers: bytes, payload: bytes = b"{}") -> bytes:
    """A message around any bytes, with the checksums that are right for them."""
    lengths = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    body = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def header(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([kind]) + value


# ---- reading


def test_every_cut_gives_the_same_events() -> None:
    whole = decode([STREAM])
    assert [(name, data) for name, data, _ in whole] == [
        ("messageStart", b'{"role":"assistant"}'),
        ("throttlingException", '{"message":"zu schnell, 東京"}'.encode()),
    ]
    assert b"".join(raw for _, _, raw in whole) == STREAM
    for pieces in cuts(STREAM):
        assert decode(pieces) == whole, pieces


def test_an_error_of_the_connection_is_an_error_event() -> None:
    head = {":message-type": "error", ":error-code": "Gone", ":error-message": "too late"}
    raw = aws_events.write(head, b"")
    assert decode([raw]) == [("error", b'{"code":"Gone","message":"too late"}', raw)]


def test_a_message_without_payload_says_nothing_unless_it_is_an_exception() -> None:
    assert decode([aws_events.write(EVENT, b"")]) == []
    head = {":message-type": "exception", ":exception-type": "validationException"}
    assert [event[:2] for event in decode([aws_events.write(head, b"")])] == [
        ("validationException", b"{}")
    ]


def test_headers_of_every_type_are_read_over() -> None:
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    told = b"".join(header(b"h%d" % kind, kind, b"\1" * size) for kind, size in sizes.items())
    told += header(b"bytes", 6, b"\0\2ab") + header(b":event-type", 7, b"\0\1x")
    assert aws_events.read(raw_message(told)) == ({":event-type": "x"}, b"{}")
    buffer = EventStreamBuffer()
    buffer.add_data(raw_message(told))
    assert next(iter(buffer)).headers[":event-type"] == "x"


DAMAGE: dict[str, bytes] = {
    "the checksum of the lengths": STREAM[:8] + b"\0\0\0\0" + STREAM[12:],
    "the checksum of the message": STREAM[:40] + b"!" + STREAM[41:],
    "less than the least": (
        struct.pack(">II", 15, 0) + struct.pack(">I", crc32(struct.pack(">II", 15, 0)))
    ),
    "headers beyond the message": (
        struct.pack(">II", 20, 5) + struct.pack(">I", crc32(struct.pack(">II", 20, 5)))
    ),
    "a length without end": (
        struct.pack(">II", 2**32 - 1, 0)
        + struct.pack(">I", crc32(struct.pack(">II", 2**32 - 1, 0)))
    ),
    "headers without end": (
        struct.pack(">II", 2**24, 2**20)
        + struct.pack(">I", crc32(struct.pack(">II", 2**24, 2**20)))
    ),
    "an unknown type": raw_message(header(b"h", 10, b"")),
    "no type": raw_message(b"\1h"),
    "a name beyond the headers": raw_message(b"\x09h"),
    "a value beyond the headers": raw_message(header(b"h", 7, b"\0\5ab")),
    "half of a length": raw_message(header(b"h", 7, b"\0")),
    "a number beyond the headers": raw_message(header(b"h", 5, b"\0")),
    "an empty name": raw_message(header(b"", 7, b"\0\1x")),
    "a name twice": raw_message(header(b"h", 7, b"\0\1x") * 2),
    "a value that is not UTF-8": raw_message(header(b"h", 7, b"\0\1\xff")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_an_error_wherever_the_bytes_are_cut(name: str) -> None:
    for pieces in cuts(DAMAGE[name]):
        with pytest.raises(UpstreamFailed, match="damaged") as raised:
            decode(pieces)
        assert raised.value.failure is not None
        assert raised.value.failure.kind == "protocol"


def test_every_flipped_byte_is_seen() -> None:
    """A length that grew is believed only with its checksum, so nothing waits for its end."""
    for place in range(len(STREAM)):
        damaged = STREAM[:place] + bytes([STREAM[place] ^ 0x40]) + STREAM[place + 1 :]
        with pytest.raises(UpstreamFailed, match="damaged"):
            decode([damaged])


def test_a_stream_that_ends_inside_a_message_is_cut() -> None:
    first = len(aws_events.write(EVENT, b'{"role":"assistant"}'))
    for end in range(1, len(STREAM)):
        if end == first:
            continue
        decoder = Decoder()
        decoder.feed(STREAM[:end])
        with pytest.raises(UpstreamFailed, match="inside a message") as raised:
            decoder.close()
        assert raised.value.code == "upstream_truncated"


def test_a_message_has_the_length_that_it_says() -> None:
    one = aws_events.write(EVENT, b"{}")
    for raw in (b"", one[:-1], one + b"x"):
        with pytest.raises(UpstreamFailed, match="length"):
            aws_events.read(raw)


def test_a_large_message_in_small_pieces_is_read_in_one_go() -> None:
    payload = b'"' + b"x" * 2_000_000 + b'"'
    raw = aws_events.write(EVENT, payload)
    pieces = [raw[place : place + 1000] for place in range(0, len(raw), 1000)]
    assert decode(pieces) == [("messageStart", payload, raw)]


# ---- writing


WRITERS: dict[str, Callable[[], bytes]] = {
    "payload": lambda: aws_events.write(EVENT, bytes(aws_events.MAX_PAYLOAD_BYTES + 1)),
    "name": lambda: aws_events.write({"n" * 256: ""}, b""),
    "value": lambda: aws_events.write({"n": "v" * 65536}, b""),
    "headers": lambda: aws_events.write({f"n{i}": "v" * 65000 for i in range(3)}, b""),
}


@pytest.mark.parametrize("what", WRITERS)
def test_what_the_format_cannot_hold_is_not_written(what: str) -> None:
    with pytest.raises(ValueError, match="AWS event stream"):
        WRITERS[what]()


def test_an_untouched_message_keeps_its_bytes() -> None:
    event = StreamEvent("x", b"{}", raw=b"as it came")
    assert aws_events.wire(event) == b"as it came"


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r":?[a-z-]{1,12}", fullmatch=True)
payloads = texts.map(lambda text: b'{"text":"' + text.encode() + b'"}')
kinds = st.sampled_from(["messageStop", "serviceUnavailableException"])
events = st.lists(st.tuples(kinds, payloads), max_size=4)


@given(st.dictionaries(names, texts, max_size=4), payloads)
@settings(max_examples=200)
def test_botocore_reads_what_we_write(headers: dict[str, str], payload: bytes) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(aws_events.write(headers, payload))
    (message,) = list(buffer)
    assert (message.headers, message.payload) == (headers, payload)


@given(events, PLACES)
@settings(max_examples=200)
def test_we_and_botocore_read_any_stream_alike(
    sent: list[tuple[str, bytes]], places: list[int]
) -> None:
    raw = b"".join(aws_events.wire(StreamEvent(name, data)) for name, data in sent)
    buffer = EventStreamBuffer()
    told = []
    for piece in cut(raw, places):
        buffer.add_data(piece)
        told += [message.to_response_dict() for message in buffer]
    read = decode(cut(raw, places))
    assert [(name, data) for name, data, _ in read] == sent
    for message, (name, data) in zip(told, sent, strict=True):
        refused = name.endswith("Exception")
        assert message["status_code"] == (400 if refused else 200)
        assert message["headers"][":exception-type" if refused else ":event-type"] == name
        assert message["body"] == data
