"""Framings are found by name, and a stream goes out in the caller's, whatever it came in."""

from __future__ import annotations

import pytest
from tests.framing_lab import LINES

from nexus_sdk.wire import framing
from nexus_sdk.wire.framing import FRAMINGS, SSE, Framing, Reframer
from nexus_sdk.wire.sse import StreamEvent


@pytest.fixture(autouse=True)
def _lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "FRAMINGS", {**FRAMINGS, LINES.name: LINES})


@pytest.mark.parametrize("row", FRAMINGS.values(), ids=lambda row: row.name)
def test_a_framing_reads_what_it_writes(row: Framing) -> None:
    event = StreamEvent("", b'{"a":1}', {"a": 1})
    encoder = row.encoder()
    data = encoder.feed(event) + encoder.close()
    decoder = row.decoder()
    (found,) = [*decoder.feed(data), *decoder.close()]
    assert found.data == event.data
    assert row.content_type.partition("/")[0] in ("text", "application")


def test_events_of_another_framing_are_written_anew() -> None:
    came = StreamEvent("", b'{"a":1}', raw=b'data: {"a":1}\n\n')
    reframer = Reframer(SSE, LINES.name)
    assert [event.wire() for event in reframer.feed([came])] == [b'[{"a":1}\n']
    assert [event.wire() for event in reframer.close()] == [b"]\n"]


def test_events_of_the_same_framing_keep_their_bytes() -> None:
    came = StreamEvent("", b'{"a":1}', raw=b'{ "a": 1 }')
    reframer = Reframer(LINES.name, LINES.name)
    assert [event.wire() for event in reframer.feed([came])] == [b'[{ "a": 1 }\n']


def test_server_sent_events_need_no_end() -> None:
    reframer = Reframer(LINES.name, SSE)
    came = StreamEvent("x", b"{}", raw=b"{}")
    assert [event.wire() for event in reframer.feed([came])] == [b"event: x\ndata: {}\n\n"]
    assert reframer.close() == []
