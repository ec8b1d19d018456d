"""A stream whose events hold plain text, on its way to clients of other dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cutting import cuts
from tests.sdk.compliance.stage_lab import EVERYTHING, effective, hook, inspector

from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Outcome
from nexus_sdk.pipe import StreamPipe
from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import Decoder

RULES = effective(hook(EVERYTHING))
CALLERS = ("openai_chat", "anthropic", "openai_responses")


def output(text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: output\nid: 1:0\n{lines}\n".encode()


DONE = b"event: done\ndata: {}\n\n"


def run(*pieces: bytes, caller: str = "openai_chat") -> tuple[StreamPipe, str]:
    """The pipe at its end, and the wire that the caller got."""
    dialect = DIALECTS[caller]
    enforcer = StreamEnforcer(dialect, inspector(RULES), RULES, restoring=False)
    pipe = StreamPipe(DIALECTS["replicate"], dialect, Reply({}, "r", "m", 1), enforcer)
    out = [event for piece in pieces for event in pipe.feed(piece)]
    out += pipe.end(Outcome())
    return pipe, b"".join(event.wire() for event in out).decode()


def said(wire: str) -> str:
    """The text of a chat stream."""
    found = Decoder()
    told = found.feed(wire.encode()) + found.close()
    docs: list[Any] = [json.loads(event.data) for event in told if event.data != b"[DONE]"]
    choices = [choice for doc in docs for choice in doc["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


TEXTS = [
    "A pike",
    " is",
    " ",
    "\n",
    "\n\n",
    '{"a": 1}',
    "[DONE]",
    '{"error": {"message": "no"}}',
    "ü",
]


def test_text_arrives_as_it_was_however_it_looks_and_was_cut() -> None:
    stream = b"".join(map(output, TEXTS)) + DONE
    for pieces in cuts(stream):
        pipe, wire = run(*pieces)
        assert said(wire) == "".join(TEXTS)
        assert wire.rstrip().endswith("[DONE]")
        assert (pipe.complete, pipe.error) == (True, None)


@pytest.mark.parametrize("caller", CALLERS)
def test_rules_hold_across_the_pieces(caller: str) -> None:
    for text in ("bob@corp-mail.com", "I am bob@corp"):
        _, wire = run(output(text), output("-mail.com. "), DONE, caller=caller)
        assert "bob@corp" not in wire
        assert "[REDACTED:EMAIL]" in wire


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"event: output\ndata: half",
        b'event: done\ndata: {"reason": "canceled"}\n\n',
        b'event: error\ndata: {"detail": "out of memory"}\n\n',
        b"event: done\ndata: 4\n\n",
        b"data: loose text\n\n",
    ],
)
def test_a_stream_without_its_end_never_looks_whole(caller: str, end: bytes) -> None:
    pipe, wire = run(output("A pike"), end, caller=caller)
    assert isinstance(pipe.error, UpstreamFailed)
    assert "half" not in wire
    for mark in ("[DONE]", "message_stop", "response.completed"):
        assert mark not in wire
    assert pipe.error.code in wire
