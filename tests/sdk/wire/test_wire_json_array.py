"""A streamed JSON array: the same elements wherever the bytes are cut, and nothing that is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cutting import PLACES, cut, cuts

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire import json_array
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.json_array import Decoder, Encoder
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Sequence


def decode(pieces: Sequence[bytes]) -> list[bytes]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    return [event.data for event in events]


STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "empty": (b"[]", []),
    "one": (b'[{"a":1}]', [b'{"a":1}']),
    "as Google sends it": (
        b'[{\n  "a": 1\n}\n,\r\n{\n  "b": [2, {"c": 3}]\n}\n]\n',
        [b'{  "a": 1}', b'{  "b": [2, {"c": 3}]}'],
    ),
    "brackets in strings": (
        b'[{"a":"]}{["},{"}":"\\"}]"},{"b":"\\\\"}]',
        [b'{"a":"]}{["}', b'{"}":"\\"}]"}', b'{"b":"\\\\"}'],
    ),
    "escapes": (b'[{"a":"\\\\\\"}"}]', [b'{"a":"\\\\\\"}"}']),
    "an object alone": (b' {"error":{"code":429}}\n', [b'{"error":{"code":429}}']),
    "blanks": (b' \t\r\n[ {"a":1} , {"b":2} ] \r\n', [b'{"a":1}', b'{"b":2}']),
    "letters of two bytes": ('[{"a":"Zürich ✓"}]'.encode(), ['{"a":"Zürich ✓"}'.encode()]),
    "cut off": (b'[{"a":1},{"b":', [b'{"a":1}']),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_elements_are_the_same_however_the_bytes_are_cut(name: str) -> None:
    raw, elements = STREAMS[name]
    for pieces in cuts(raw):
        assert decode(pieces) == elements


documents = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
    max_size=3,
)


@given(st.lists(documents, max_size=4), st.booleans(), PLACES)
def test_any_documents_are_found(docs: list[object], indented: bool, places: list[int]) -> None:
    raw = json.dumps(docs, indent=2 if indented else None, ensure_ascii=False).encode()
    assert [json.loads(data) for data in decode(cut(raw, places))] == docs


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"[1]",
        b'["a"]',
        b"[[]]",
        b"[,",
        b'[{"a":1}{"b":2}]',
        b'[{"a":1},]',
        b'[{"a":1}]x',
        b'[{"a":1}][',
        b'{"a":1}{"b":2}',
        b'{"a":1},',
        b"data: {}",
        b"\xef\xbb\xbf[]",
    ],
)
def test_what_is_no_array_of_objects_is_the_upstreams_failure(raw: bytes) -> None:
    for pieces in cuts(raw):
        with pytest.raises(UpstreamFailed) as failed:
            decode(pieces)
        assert failed.value.failure is not None
        assert failed.value.failure.kind == "protocol"


def test_the_end_of_the_array_is_known() -> None:
    decoder = Decoder()
    decoder.feed(b'[{"a":1}')
    assert not decoder.closed
    decoder.feed(b"]")
    assert decoder.closed


def test_an_element_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "MAX_EVENT_BYTES", 20)
    assert decode([b'[{"a":"0123456789"}', b',{"a":"0123456789"}]']) == [b'{"a":"0123456789"}'] * 2
    for pieces in ([b'[{"a":"0123456789abcdef"}'], [b'[{"a":"0123456789', b"abcdefgh"]):
        with pytest.raises(UpstreamFailed, match="over 20 bytes"):
            decode(pieces)


def write(events: Sequence[StreamEvent]) -> bytes:
    encoder = Encoder()
    return b"".join(map(encoder.feed, events)) + encoder.close()


def test_untouched_elements_keep_their_bytes() -> None:
    raw = b'[{\n  "a": 1\n},\r\n{\n  "b": 2\n}]'
    events = Decoder().feed(raw)
    assert write(events) == raw
    events[1].raw, events[1].data = None, b'{"b":"***"}'
    assert write(events) == b'[{\n  "a": 1\n},\r\n{"b":"***"}]'


def test_events_of_our_own_make_an_array() -> None:
    assert write([]) == b"[]"
    told = [new_event("", {"a": 1}), StreamEvent("", b"[DONE]"), new_event("", {"error": {}})]
    assert json.loads(write(told)) == [{"a": 1}, {"error": {}}]
