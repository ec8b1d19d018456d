"""Counts that we asked for and the caller did not: the stream is as it would have been without."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nexus_sdk.stages.usage_chunks import hide_usage
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.sse import Decoder, StreamEvent

COUNTS = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHOICE = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}


def hidden(raw: bytes, doc: Any) -> StreamEvent | None:
    (event,) = Decoder().feed(raw)
    event.doc = doc
    return hide_usage(event)


def as_sent(doc: Any) -> bytes:
    return b"data: " + dumps(doc) + b"\n\n"


@pytest.mark.parametrize("doc", [{"choices": [CHOICE]}, {"choices": []}, {"error": {}}])
def test_an_event_without_counts_is_not_touched(doc: Any) -> None:
    kept = hidden(as_sent(doc), doc)
    assert kept is not None
    assert (kept.doc, kept.wire()) == (doc, as_sent(doc))


def test_a_marker_is_not_touched() -> None:
    kept = hidden(b"data: [DONE]\n\n", None)
    assert kept is not None
    assert kept.wire() == b"data: [DONE]\n\n"


@pytest.mark.parametrize("choices", [{"choices": []}, {"choices": None}, {}])
def test_the_event_that_only_counts_is_gone(choices: Any) -> None:
    doc = {"id": "x", **choices, "usage": COUNTS}
    assert hidden(as_sent(doc), doc) is None


def test_counts_beside_an_answer_stay() -> None:
    doc = {"choices": [CHOICE], "usage": COUNTS}
    kept = hidden(as_sent(doc), dict(doc))
    assert kept is not None
    assert (kept.doc, kept.wire()) == (doc, as_sent(doc))


def test_empty_counts_are_cut_out_of_the_bytes() -> None:
    kept = hidden(
        as_sent({"choices": [CHOICE], "usage": None}), {"choices": [CHOICE], "usage": None}
    )
    assert kept is not None
    assert kept.doc == {"choices": [CHOICE]}
    assert kept.wire() == as_sent({"choices": [CHOICE]})


@pytest.mark.parametrize(
    "raw",
    [
        b'data: {"usage": null, "choices": [{"index":0}]}\n\n',
        b'data: {"usage":null,"choices":[{"index":0}]}\n\n',
        b'data: {"choices":[{"delta":{"content":",\\"usage\\":null"}}],"usage" : null}\n\n',
        b'data: {"usage":null,"choices":[{"index":0,"usage":null}]}\n\n',
        b'data: {"choices":[{"a":1,"usage":null}],"usage":null}\n\n',
    ],
)
def test_where_the_bytes_are_written_otherwise_the_event_is_written_anew(raw: bytes) -> None:
    doc = orjson.loads(raw[6:])
    kept = hidden(raw, doc)
    assert kept is not None
    wanted = {key: value for key, value in orjson.loads(raw[6:]).items() if key != "usage"}
    assert kept.doc == orjson.loads(kept.data) == wanted
    assert kept.wire() == as_sent(wanted)
