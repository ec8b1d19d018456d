"""A vendor's stream of reasoning, text and calls, in the vendor's own framing, cut at every byte:
each caller gets an error in its own dialect, and no stream that looks whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.sdk.compliance.stage_lab import effective, inspector
from tests.sdk.ten_turns import ORIGINS, stream
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure, Outcome
from nexus_sdk.pipe import StreamPipe
from nexus_sdk.wire.dialect import Reply, event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.framing import FRAMINGS, SSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.wire.sse import StreamEvent

RULES = effective()
FRAMING = {"bedrock": "aws_events", "gemini": "json_array"}
SOURCES = (*ORIGINS, "openai_chat", "cohere")
CALLS = 2


def events(source: str) -> list[StreamEvent]:
    """Reasoning with a signature, text, and two calls."""
    if source in ORIGINS:
        return [event(name, doc) for name, doc in stream(source, ORIGINS[source](CALLS))]
    told = golden.events(golden.wire(events("anthropic")))
    return golden.encoded(source, golden.chunks("anthropic", told))


def framed(dialect: str, told: Sequence[StreamEvent]) -> bytes:
    encoder = FRAMINGS[FRAMING.get(dialect, SSE)].encoder()
    return b"".join(map(encoder.feed, told)) + encoder.close()


def run(source: str, client: str, data: bytes, outcome: Outcome) -> tuple[StreamPipe, list[Any]]:
    """The pipe, and what the client reads."""
    caller = DIALECTS[client]
    enforcer = StreamEnforcer(caller, inspector(RULES), RULES, restoring=False)
    pipe = StreamPipe(DIALECTS[source], caller, Reply({}, "req-1", "m", 1), enforcer)
    goes = FRAMING.get(client, SSE)
    pipe.frame(FRAMING.get(source, SSE), goes)
    out = [*pipe.feed(data), *pipe.end(outcome)]
    if goes == SSE:
        return pipe, golden.events(golden.wire(out))
    decoder = FRAMINGS[goes].decoder()
    return pipe, [*decoder.feed(b"".join(told.wire() for told in out)), *decoder.close()]


def with_documents(told: list[Any]) -> list[Any]:
    for one in told:
        if one.doc is None and one.data[:1] == b"{":
            one.doc = orjson.loads(one.data)
    return told


@pytest.mark.parametrize("source", SOURCES)
def test_whole_it_is_whole_for_every_caller(source: str) -> None:
    data = framed(source, events(source))
    for client in golden.CHATS:
        pipe, out = run(source, client, data, Outcome())
        told = with_documents(out)
        assert (pipe.complete, pipe.error) == (True, None)
        assert any(map(DIALECTS[client].terminal, told))
        message = golden.merged(golden.chunks(client, told))["choices"][0]["message"]
        assert len(message["tool_calls"]) == CALLS
        assert message["content"] == "Turn 2."


@pytest.mark.parametrize("source", SOURCES)
def test_cut_at_any_byte_it_is_an_error_for_its_caller(source: str) -> None:
    """Each place is tried with one of the callers, by turns."""
    data = framed(source, events(source))
    failed = Outcome(failure=Failure("truncated", "the connection was cut"))
    refused = 0
    for place in range(len(data)):
        client = golden.CHATS[place % len(golden.CHATS)]
        pipe, out = run(source, client, data[:place], (Outcome(), failed)[place % 2])
        told, spoken = with_documents(out), DIALECTS[client]
        if pipe.complete:
            continue
        refused += 1
        assert isinstance(pipe.error, UpstreamFailed)
        assert pipe.error.code == "upstream_truncated"
        assert spoken.stream_error(told[-1])
        assert not any(spoken.terminal(one) and not spoken.stream_error(one) for one in told)
    assert refused >= len(data) - len(framed(source, events(source)[-1:])) - 1
