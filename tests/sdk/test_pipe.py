"""A streamed answer on its way: whatever an upstream sends, the caller gets whole events, and never
a broken stream that looks whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cutting import PLACES, cut, cuts
from tests.sdk.compliance.stage_lab import EVERYTHING, effective, hook, inspector
from tests.sdk.compliance.stream_lab import CHANNELS, chunk, events, heard

from nexus_sdk.compliance.streams import StreamEnforcer
from nexus_sdk.errors import Blocked, UpstreamFailed
from nexus_sdk.model import Failure, Outcome, Usage
from nexus_sdk.pipe import Opening, RawPipe, StreamPipe
from nexus_sdk.stages.usage_chunks import hide_usage
from nexus_sdk.wire.dialect import Reply, event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import Decoder, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.compliance.hooks import Effective

NAMES = sorted(CHANNELS)
PAIRS = [(source, target) for source in NAMES for target in NAMES]
EMAIL = "bob@corp-mail.com"
RULES = effective(hook(EVERYTHING))
DONE = StreamEvent("", b"[DONE]")


def pipe(source: str, target: str = "", rules: Effective = RULES, **more: Any) -> StreamPipe:
    caller = DIALECTS[target or source]
    enforcer = StreamEnforcer(caller, inspector(rules), rules, restoring=False)
    return StreamPipe(DIALECTS[source], caller, Reply({}, "req-1", "m", 1), enforcer, **more)


def wire(given: Sequence[StreamEvent]) -> bytes:
    return b"".join(told.wire() for told in given)


TEXT = dict.fromkeys(CHANNELS, 1) | {"openai_chat": 0, "openai_responses": 2}
"""Which of a dialect's channels is the answer's text."""


def stream(dialect: str, *said: str | tuple[int, str]) -> bytes:
    """A whole stream of pieces of the answer's text, or of (which channel, piece)."""
    told = [(TEXT[dialect], one) if isinstance(one, str) else one for one in said]
    return wire(events(dialect, [(CHANNELS[dialect][place], text) for place, text in told]))


SAID = ("I am bob@corp", "-mail.com, ", "and fine. ")


def run(running: StreamPipe, *pieces: bytes, outcome: Outcome | None = None) -> list[StreamEvent]:
    out = [told for piece in pieces for told in running.feed(piece)]
    return [*out, *running.end(outcome or Outcome())]


def read_back(data: bytes) -> list[StreamEvent]:
    """The events as a client reads them."""
    found = Decoder()
    given = found.feed(data) + found.close()
    for told in given:
        told.doc = orjson.loads(told.data) if told.data[:1] == b"{" else None
    return given


def ends_well(dialect: str, given: Sequence[StreamEvent]) -> bool:
    """Would a client take this for a whole answer?"""
    spoken = DIALECTS[dialect]
    return any(spoken.terminal(told) and not spoken.stream_error(told) for told in given)


def ends_badly(dialect: str, given: Sequence[StreamEvent]) -> bool:
    return any(DIALECTS[dialect].stream_error(told) for told in given)


# ---- whole streams -------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_whole_stream_ends_well_in_every_dialect(source: str, target: str) -> None:
    running = pipe(source, target)
    out = read_back(wire(run(running, stream(source, *SAID))))
    assert running.complete
    assert running.error is None
    assert ends_well(target, out)
    assert not ends_badly(target, out)
    assert "I am [REDACTED:EMAIL], and fine. " in heard(target, out).texts.values()
    assert running.output_chars() >= sum(map(len, SAID))


@pytest.mark.parametrize("dialect", NAMES)
def test_what_policy_does_not_touch_is_relayed_byte_for_byte(dialect: str) -> None:
    data = stream(dialect, "Hello ", (1, "there. "), "friend. ")
    assert wire(run(pipe(dialect), data)) == data
    spaced = data.replace(b'{"', b'{ "')
    assert wire(run(pipe(dialect), spaced)) == spaced


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=40, deadline=None)
@given(places=PLACES)
def test_the_bytes_may_come_in_any_pieces(source: str, target: str, places: list[int]) -> None:
    data = stream(source)
    assert wire(run(pipe(source, target), *cut(data, places))) == wire(
        run(pipe(source, target), data)
    )


@pytest.mark.parametrize("dialect", NAMES)
def test_one_byte_at_a_time(dialect: str) -> None:
    data = stream(dialect, *SAID)
    *_, bytewise = cuts(data)
    assert wire(run(pipe(dialect), *bytewise)) == wire(run(pipe(dialect), data))


def test_the_end_marker_is_kept_until_the_answer_is_settled() -> None:
    running = pipe("openai_chat")
    released = running.feed(stream("openai_chat", "hi. "))
    assert released
    assert all(told.data != b"[DONE]" for told in released)
    assert running.stopped
    assert [told.data for told in running.end(Outcome())] == [b"[DONE]"]


@pytest.mark.parametrize(
    "more", [b"data: {}\n\n", b"\xff\xff", b"data: <html>\n\n", b"event: error\n\n"]
)
@pytest.mark.parametrize("dialect", [name for name in NAMES if not DIALECTS[name].trailing])
def test_what_comes_after_the_end_marker_is_not_read(dialect: str, more: bytes) -> None:
    data = stream(dialect, "hi. ")
    for pieces in ([data + more], [data, more]):
        running = pipe(dialect)
        assert wire(run(running, *pieces)) == data
        assert running.error is None


def test_where_nothing_marks_the_last_event_the_stream_is_read_to_its_end() -> None:
    """One candidate may end before another; and an older model gave a reason with every event."""
    whole = [told.doc for told in read_back(stream("gemini", "one. ", "two. "))]
    early = [
        doc | {"candidates": [doc["candidates"][0] | {"finishReason": "STOP"}]} for doc in whole
    ]
    data = wire([event("", doc) for doc in early])
    running = pipe("gemini")
    assert wire(run(running, data)) == data
    assert running.complete
    chat = read_back(wire(run(pipe("gemini", "openai_chat"), data)))
    finishes = [
        told.doc["choices"][0]["finish_reason"] for told in chat[:-1] if told.doc["choices"]
    ]
    assert [one for one in finishes if one] == ["stop"]
    assert heard("openai_chat", chat).texts[0, "content"] == "one. two. "


def test_an_error_after_a_candidates_end_is_an_error() -> None:
    data = stream("gemini", "one. ")
    for target in NAMES:
        running = pipe("gemini", target)
        out = run(running, data, ERRORS["an object"])
        assert running.error is not None
        assert ends_badly(target, out[-1:])


@pytest.mark.parametrize("dialect", NAMES)
def test_the_last_event_may_lack_its_blank_line(dialect: str) -> None:
    data = stream(dialect, "hi. ")
    for missing in (1, 2):
        running = pipe(dialect)
        assert wire(run(running, data[:-missing])) == data
        assert running.complete


def test_what_was_released_can_be_kept_for_a_cache() -> None:
    running = pipe("openai_chat")
    first = running.feed(wire([chunk(0, {"content": "one. "})]))
    assert running.kept == []
    running.keep = True
    second = running.feed(wire([chunk(0, {"content": "two. "})]))
    assert running.kept == second
    assert first != second


def test_what_was_held_and_sent_is_measured() -> None:
    running = pipe("openai_chat")
    running.feed(wire([chunk(0, {"content": EMAIL}), chunk(0, {"content": " so. "})]))
    assert running.held_most == len(EMAIL)
    assert running.bytes_out > 0


# ---- streams that break --------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_stream_cut_at_any_byte_never_looks_whole(source: str, target: str) -> None:
    data = stream(source, "to ", EMAIL)
    whole = len(data) - len(data.rstrip(b"\n"))
    for place in range(0, len(data) - whole, 1 if source == target == "openai_chat" else 5):
        for outcome in (Outcome(), Outcome(failure=Failure("truncated", "cut"))):
            running = pipe(source, target)
            out = read_back(wire(run(running, data[:place], outcome=outcome)))
            if running.complete:  # everything but the rest of the last event's end had come
                assert ends_well(target, out)
                continue
            assert isinstance(running.error, UpstreamFailed)
            assert running.error.code == "upstream_truncated"
            assert not ends_well(target, out)
            assert ends_badly(target, out[-1:])
            assert b"corp" not in wire(out)


def test_the_reason_of_a_cut_is_told() -> None:
    for failure, code in (
        (Failure("timeout", "the peer was silent for 5 s"), "upstream_timeout"),
        (Failure("truncated", "the connection was cut"), "upstream_truncated"),
        (None, "upstream_truncated"),
    ):
        running = pipe("openai_chat")
        *_, last = run(
            running, wire([chunk(0, {"content": "x. "})]), outcome=Outcome(failure=failure)
        )
        assert last.doc["error"]["code"] == code
        assert (failure.reason if failure else "end marker") in last.doc["error"]["message"]


def test_a_caller_who_left_is_told_nothing() -> None:
    running = pipe("openai_chat")
    out = run(running, wire([chunk(0, {"content": EMAIL})]), outcome=Outcome(caller_left=True))
    assert running.error is None
    assert not running.complete
    assert not ends_badly("openai_chat", out)


@pytest.mark.parametrize(
    "data",
    [
        b"data: <html><body>502</body></html>\n\n",
        b'data: {"choices":[}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data: [{"choices":[]}]\n\n',
        b'data: "bob@corp-mail.com"\n\n',
        b"data: ping\n\n",
        b"data: 5\n\n",
    ],
)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_event_that_is_no_json_object_ends_the_stream(
    source: str, target: str, data: bytes
) -> None:
    running = pipe(source, target)
    out = run(running, data, stream(source, *SAID))
    assert isinstance(running.error, UpstreamFailed)
    assert running.error.failure is not None
    assert running.error.failure.kind == "protocol"
    assert ends_badly(target, out)
    assert not ends_well(target, out)
    assert b"corp-mail" not in wire(out)


def test_json_behind_a_second_space_is_judged_like_any_other() -> None:
    data = wire([chunk(0, {"content": f"{EMAIL} "})]).replace(b"data: ", b"data:   ")
    assert EMAIL.encode() not in wire(run(pipe("openai_chat"), data, DONE.wire()))


BROKEN = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["index", "delta", "text", "type", "content"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


def places_of(doc: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inside = doc.items() if isinstance(doc, dict) else enumerate(doc if type(doc) is list else ())
    for key, value in inside:
        found += places_of(value, (*path, key))
    return found


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_an_event_of_any_shape_is_relayed_or_ends_the_stream(
    source: str, target: str, data: st.DataObject
) -> None:
    given = read_back(stream(source, (1, "one "), (2, "two "), (3, '{"a":1}'), (0, "four ")))
    broken = data.draw(st.sampled_from([told for told in given if told.doc]))
    *path, last = data.draw(st.sampled_from(places_of(broken.doc)))
    holder = broken.doc
    for step in path:
        holder = holder[step]
    holder[last] = data.draw(BROKEN)
    broken.data, broken.raw = orjson.dumps(broken.doc), None
    running = pipe(source, target)
    out = read_back(wire(run(running, wire(given))))
    if running.error is None:
        assert running.complete
        assert ends_well(target, out)
    else:
        assert isinstance(running.error, UpstreamFailed)
        assert ends_badly(target, out)
        assert not ends_well(target, out)


# ---- errors inside a stream ----------------------------------------------------------------------

ERRORS: dict[str, bytes] = {
    "an object": b'data: {"error":{"message":"overloaded","code":"busy"}}\n\n',
    "named": b'event: error\ndata: {"error":{"message":"overloaded","code":"busy"}}\n\n',
    "vLLM": b'data: {"object":"error","message":"overloaded","code":"busy"}\n\n',
    "flat": b'event: error\ndata: {"message":"overloaded","code":"busy"}\n\n',
    "a type": b'data: {"type":"error","error":{"message":"overloaded","code":"busy"}}\n\n',
    "plain words": b"event: error\ndata: overloaded\n\n",
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_error_inside_the_stream_ends_it(source: str, target: str, name: str) -> None:
    running = pipe(source, target)
    data = stream(source, *SAID)
    out = run(running, data[: len(data) // 2].rpartition(b"\n\n")[0] + b"\n\n", ERRORS[name], data)
    assert isinstance(running.error, UpstreamFailed)
    assert running.error.message == "overloaded"
    assert running.stopped
    assert not running.complete
    assert not ends_well(target, out)
    assert ends_badly(target, out[-1:])
    if source == target:
        assert wire(out[-1:]) == ERRORS[name], "the very event"


def test_text_beside_an_error_is_judged_too() -> None:
    told = {"error": {"message": f"no {EMAIL}"}, **chunk(0, {"content": f"at {EMAIL} "}).doc}
    out = wire(run(pipe("openai_chat"), wire([event("", told)])))
    assert EMAIL.encode() not in out
    assert b"[REDACTED:EMAIL]" in out


# ---- blocking ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_block_ends_the_stream_with_an_error(source: str, target: str) -> None:
    running = pipe(source, target)
    out = run(running, stream(source, "it is top ", "secret, so ", "and more"))
    assert isinstance(running.error, Blocked)
    assert not ends_well(target, out)
    assert ends_badly(target, out[-1:])
    assert "it is " in heard(target, out).texts.values()
    assert b"secret" not in wire(out)
    assert b"and more" not in wire(out)


def test_a_block_at_the_very_end_keeps_the_end_marker_back() -> None:
    running = pipe("openai_chat")
    out = run(running, wire([chunk(0, {"content": "top secret"}), DONE]))
    assert isinstance(running.error, Blocked)
    assert b"[DONE]" not in wire(out)
    assert b"secret" not in wire(out)


# ---- token counts --------------------------------------------------------------------------------

COUNTS = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def test_counts_are_taken_from_the_stream() -> None:
    running = pipe("openai_chat")
    last = event("", {"choices": [], "usage": COUNTS})
    out = run(running, wire([chunk(0, {"content": "x. "}), last, DONE]))
    assert running.usage == Usage(input=5, output=7)
    assert b"prompt_tokens" in wire(out)


def test_counts_that_the_caller_did_not_ask_for_are_hidden() -> None:
    running = pipe("openai_chat", hide=hide_usage)
    last = event("", {"choices": [], "usage": COUNTS})
    given = [chunk(0, {"content": "x. "}), last, DONE]
    out = run(running, wire(given))
    assert running.usage == Usage(input=5, output=7)
    assert wire(out) == wire([given[0], DONE])


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"output_tokens": 9}, Usage(input=16, output=9, cache_read=2, cache_write=4)),
        ({"input_tokens": 11, "output_tokens": 9}, Usage(input=11, output=9)),
    ],
)
def test_the_last_counts_hold_and_the_first_where_the_last_say_nothing(
    told: dict[str, int], usage: Usage
) -> None:
    first = {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 4,
    }
    start = {"type": "message_start", "message": {"usage": first}}
    end = {"type": "message_delta", "delta": {}, "usage": told}
    stop = {"type": "message_stop"}
    running = pipe("anthropic")
    run(running, wire([event(doc["type"], doc) for doc in (start, end, stop)]))  # type: ignore[arg-type]
    assert running.usage == usage


# ---- the other two -------------------------------------------------------------------------------


def test_an_opening_waits_for_the_first_event() -> None:
    opening = Opening(pipe("openai_chat"))
    assert not opening.feed(b": comment\n\ndata: ")
    assert opening.first == []
    assert opening.feed(wire([chunk(0, {"content": "x. "})]).removeprefix(b"data: "))
    assert len(opening.first) == 1


def test_an_opening_is_decided_by_a_failure_too() -> None:
    opening = Opening(pipe("openai_chat"))
    assert opening.feed(ERRORS["an object"])
    assert opening.first == []
    assert opening.pipe.error is not None


def test_a_raw_pipe_relays_bytes() -> None:
    raw = RawPipe()
    assert [told.wire() for piece in (b"a", b"", b"b") for told in raw.feed(piece)] == [b"a", b"b"]
    assert not raw.stopped


def test_its_repr_shows_nothing_of_the_text() -> None:
    running = pipe("openai_chat")
    running.feed(wire([chunk(0, {"content": EMAIL})]))
    assert EMAIL not in repr(running) + json.dumps([repr(told) for told in running.kept])


class _Late:
    """A decoder that gives everything at the end."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []

    def feed(self, told: StreamEvent) -> list[Any]:
        self._chunks += [told.doc] if told.doc else []
        return []

    def close(self) -> list[Any]:
        return self._chunks


def test_what_a_decoder_still_holds_at_the_end_goes_out_judged() -> None:
    late = replace(DIALECTS["openai_chat"], stream_decoder=_Late)
    caller = DIALECTS["anthropic"]
    enforcer = StreamEnforcer(caller, inspector(RULES), RULES, restoring=False)
    running = StreamPipe(late, caller, Reply({}, "req-1", "m", 1), enforcer)
    assert running.feed(stream("openai_chat", *SAID)) == []
    out = running.end(Outcome())
    assert ends_well("anthropic", out)
    assert "I am [REDACTED:EMAIL], and fine. " in heard("anthropic", out).texts.values()


def test_the_error_that_ends_a_stream_is_numbered_on() -> None:
    running = pipe("openai_chat", "openai_responses")
    out = running.feed(stream("openai_chat", *SAID)[:-60])
    out += running.end(Outcome())
    assert out[-1].name == "error"
    numbers = [told.doc["sequence_number"] for told in out if isinstance(told.doc, dict)]
    assert numbers == list(range(len(out)))


def test_a_stream_that_says_all_at_its_end_is_whole_before_it_says_anything() -> None:
    """Gemini's callers get a call in one piece, and Bedrock tells its counts after its end mark."""
    running = pipe("bedrock", "gemini")
    told = [
        ("messageStart", {"role": "assistant"}),
        (
            "contentBlockStart",
            {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}},
        ),
        (
            "contentBlockDelta",
            {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{}"}}},
        ),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "tool_use"}),
    ]
    assert running.feed(wire([event(name, doc) for name, doc in told])) == []
    assert (running.complete, running.stopped) == (True, False)
    assert b"functionCall" in wire(running.end(Outcome()))
