"""Streams: as the whole answer, however they are cut, and without a text that enforcement does not
see."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.dialect import event as new_event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.sse import Decoder, StreamEvent

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = golden.cases("streams")


def clean(answer: Any) -> Any:
    """An answer for comparison: arguments as values, empty members away."""
    choice = answer["choices"][0]
    message = {
        key: value for key, value in choice["message"].items() if value not in (None, "", [])
    }
    for call in message.get("tool_calls") or ():
        if "function" in call:
            call["function"]["arguments"] = json.loads(call["function"]["arguments"] or "{}")
    rest = {
        key: choice.get(key) for key in ("finish_reason", "native_finish_reason", "stop_sequence")
    }
    usage = {
        key: value for key, value in (answer.get("usage") or {}).items() if key.endswith("_tokens")
    }
    own = {key: value for key, value in message.items() if key != "native"}
    return own | {"finish": rest, "usage": usage}


@pytest.mark.parametrize("source", SOURCES, ids=golden.name)
def test_a_stream_says_what_the_whole_answer_says(source: Path) -> None:
    """Where an answer of the same name stands beside the stream, both are one."""
    whole = golden.ROOT / "answers" / source.parent.name / f"{source.stem}.json"
    if not whole.exists() or (source.parent.name == "anthropic" and source.stem == "searched"):
        return
    told = golden.merged(golden.chunks(source.parent.name, golden.events(source.read_bytes())))
    said = DIALECTS[source.parent.name].decode_response(golden.load(whole))
    assert clean(told) == clean(said)


def test_some_streams_have_their_whole_answer_beside_them() -> None:
    both = {golden.name(path) for path in SOURCES} & {
        golden.name(path) for path in golden.cases("answers")
    }
    assert {name.partition("-")[0] for name in both} == set(golden.CHATS)


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_a_stream_reads_the_same_however_it_is_cut(dialect: str, path: Path) -> None:
    raw = path.read_bytes()
    whole = [(event.name, event.data) for event in golden.events(raw)]
    step = max(len(raw) // 300, 1)
    for cut in range(1, len(raw), step):
        decoder = Decoder()
        events = decoder.feed(raw[:cut]) + decoder.feed(raw[cut:]) + decoder.close()
        assert [(event.name, event.data) for event in events] == whole
    decoder = Decoder()
    events = [
        event for i in range(len(raw)) for event in decoder.feed(raw[i : i + 1])
    ] + decoder.close()
    for event in events:
        event.doc = json.loads(event.data) if event.data.startswith(b"{") else None
    assert golden.chunks(dialect, events) == golden.chunks(dialect, golden.events(raw))


# ---- any answer, cut anywhere

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20
)
arguments = st.dictionaries(words, words | st.integers(0, 9), max_size=2).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)


@st.composite
def answers(draw: st.DrawFn) -> Any:
    message: Any = {"role": "assistant", "content": draw(st.none() | words)}
    if draw(st.booleans()):
        text = draw(words)
        block = {"type": "thinking", "thinking": text, "signature": "c2ln"}
        message |= {
            "reasoning_content": text,
            "reasoning_blocks": [{"origin": "anthropic", "block": block}],
        }
    told = draw(st.lists(arguments, max_size=3))
    if told:
        message["tool_calls"] = [
            {
                "id": f"call_{i}",
                "type": "function",
                "function": {"name": f"f{i}", "arguments": text},
            }
            for i, text in enumerate(told)
        ]
    finish = "tool_calls" if told else draw(st.sampled_from(["stop", "length", "content_filter"]))
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "a1", "model": "m", "created": 1, "choices": [choice], "usage": usage}


def cut(draw: st.DrawFn, text: str) -> list[str]:
    at = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=3)))
    edges = [0, *(place for place in at if place < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@st.composite
def cut_answers(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """An answer, and chunks of it: its texts cut anywhere, the fragments of its calls in any order
    between calls."""
    answer = draw(answers())
    message = answer["choices"][0]["message"]
    deltas: list[Any] = [{"role": "assistant", "content": ""}]
    deltas += [
        {"reasoning_content": piece} for piece in cut(draw, message.get("reasoning_content") or "")
    ]
    deltas += [
        {"reasoning_blocks": [{"index": 0} | entry]}
        for entry in message.get("reasoning_blocks") or ()
    ]
    deltas += [{"content": piece} for piece in cut(draw, message["content"] or "")]
    calls = message.get("tool_calls") or ()
    waiting = [cut(draw, call["function"]["arguments"]) for call in calls]
    for i, call in enumerate(calls):
        head = call | {"index": i, "function": {"name": call["function"]["name"], "arguments": ""}}
        deltas.append({"tool_calls": [head]})
    while any(waiting):
        index = draw(st.sampled_from([i for i, pieces in enumerate(waiting) if pieces]))
        deltas.append(
            {"tool_calls": [{"index": index, "function": {"arguments": waiting[index].pop(0)}}]}
        )
    head = {"id": "a1", "model": "m", "created": 1, "object": "chat.completion.chunk"}
    chunks = [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": answer["choices"][0]["finish_reason"]}
    return answer, [
        *chunks,
        head | {"choices": [last]},
        head | {"choices": [], "usage": answer["usage"]},
    ]


@pytest.mark.parametrize("target", golden.CHATS)
@given(cut_answers())
@settings(max_examples=120)
def test_a_stream_that_we_make_says_what_the_whole_that_we_make_says(
    target: str, both: Any
) -> None:
    answer, chunks = both
    dialect = DIALECTS[target]
    whole = dialect.decode_response(dialect.encode_response(answer, golden.reply()))
    told = golden.merged(golden.chunks(target, golden.encoded(target, chunks)))
    assert clean(told) == clean(whole)


@given(cut_answers())
@settings(max_examples=120)
def test_anthropics_blocks_open_and_close_one_after_the_other(both: Any) -> None:
    opened, next_index = None, 0
    for event in golden.encoded("anthropic", both[1])[1:-2]:
        kind, index = event.doc["type"], event.doc["index"]
        if kind == "content_block_start":
            assert opened is None
            assert index == next_index
            opened, next_index = index, next_index + 1
        else:
            assert index == opened
            opened = None if kind == "content_block_stop" else opened
    assert opened is None


@given(cut_answers())
@settings(max_examples=120)
def test_responses_events_are_numbered_and_paired(both: Any) -> None:
    events = golden.encoded("openai_responses", both[1])
    assert [event.doc["sequence_number"] for event in events] == list(range(len(events)))
    assert all(event.name == event.doc["type"] for event in events)
    added = [
        event.doc["output_index"] for event in events if event.name.endswith("output_item.added")
    ]
    ended = {
        event.doc["output_index"]: event.doc["item"]
        for event in events
        if event.name.endswith("item.done")
    }
    assert added == list(range(len(added)))
    assert events[-1].doc["response"]["output"] == [ended[index] for index in added]


def test_a_call_streams_at_once_when_the_one_before_it_is_complete() -> None:
    """No fragment waits for the end of the answer (one gateway held them for two minutes)."""
    encoder = DIALECTS["anthropic"].stream_encoder(golden.reply())
    source = golden.ROOT / "streams/openai_chat/parallel_tools.sse"
    seen: list[bytes] = []
    for chunk in golden.chunks("openai_chat", golden.events(source.read_bytes())):
        out = b"".join(event.data for event in encoder.feed(chunk))
        for call in (chunk["choices"] or [{}])[0].get("delta", {}).get("tool_calls") or ():
            seen.append(out)
            assert not call["function"]["arguments"] or b"input_json_delta" in out
    assert len(seen) == 5


def test_a_piece_of_a_call_without_an_index_belongs_to_the_last_call() -> None:
    head = {"id": "c", "model": "m", "object": "chat.completion.chunk"}
    pieces = [
        {"id": "call_1", "function": {"name": "f", "arguments": ""}},
        {"function": {"arguments": '{"a":1}'}},
        {"id": "call_2", "function": {"name": "g", "arguments": "{}"}},
    ]
    chunks = [
        head | {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces
    ]
    told = golden.merged(golden.chunks("anthropic", golden.encoded("anthropic", chunks)))
    calls = [
        (call["id"], call["function"]["arguments"])
        for call in told["choices"][0]["message"]["tool_calls"]
    ]
    assert calls == [("call_1", '{"a":1}'), ("call_2", "{}")]


def test_a_chat_caller_who_did_not_ask_gets_no_counts() -> None:
    source = golden.ROOT / "streams/openai_chat/reasoning.sse"
    chunks = golden.chunks("openai_chat", golden.events(source.read_bytes()))
    quiet = golden.encoded("openai_chat", chunks, {"stream_options": None})
    assert b"prompt_tokens" not in golden.wire(quiet)
    assert b"prompt_tokens" in golden.wire(golden.encoded("openai_chat", chunks))


def test_choices_beyond_the_first_reach_clients_that_know_several() -> None:
    head = {"id": "c", "model": "m", "created": 1, "object": "chat.completion.chunk"}
    chunks = [
        head | {"choices": [{"index": i, "delta": {"content": text}, "finish_reason": None}]}
        for i, text in enumerate(["one", "two"])
    ]
    for target in ("anthropic", "openai_responses", "bedrock"):
        assert b"two" not in golden.wire(golden.encoded(target, chunks))
    for target in ("openai_chat", "gemini"):
        assert b"two" in golden.wire(golden.encoded(target, chunks))


# ---- the end and errors


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_only_the_last_event_ends_a_stream(dialect: str, path: Path) -> None:
    events = golden.events(path.read_bytes())
    told = [DIALECTS[dialect].terminal(event) for event in events]
    assert told[-1]
    if DIALECTS[dialect].trailing:
        told = told[: told.index(True) + 1]
    assert told == [False] * (len(told) - 1) + [True]
    assert [DIALECTS[dialect].stream_error(event) for event in events] == [None] * len(events)


ERRORS = [
    (
        "",
        {"error": {"message": "too much", "type": "server_error", "code": "overloaded"}},
        "overloaded",
    ),
    ("error", {"error": {"message": "too much", "type": "overloaded"}}, "overloaded"),
    ("error", {"message": "too much", "code": "overloaded"}, "overloaded"),
    ("", {"object": "error", "message": "too much", "code": 503}, "503"),
    (
        "error",
        {"type": "error", "error": {"type": "overloaded_error", "message": "too much"}},
        "overloaded_error",
    ),
    ("", {"id": "c", "choices": [], "error": {"message": "too much", "code": 429}}, "429"),
    ("", {"error": "too much"}, "upstream_failed"),
]


@pytest.mark.parametrize(("name", "doc", "code"), ERRORS)
@pytest.mark.parametrize("dialect", golden.CHATS)
def test_an_error_in_any_shape_ends_a_stream(dialect: str, name: str, doc: Any, code: str) -> None:
    event = new_event(name, doc)
    err = DIALECTS[dialect].stream_error(event)
    assert isinstance(err, UpstreamFailed)
    assert (err.message, err.code) == ("too much", code)
    assert DIALECTS[dialect].terminal(event)
    assert not any(chunk.get("choices") for chunk in golden.chunks("anthropic", [event]))


def test_an_error_event_that_is_no_json_is_an_error() -> None:
    event = StreamEvent("error", b"<html>bad gateway</html>")
    for dialect in golden.CHATS:
        err = DIALECTS[dialect].stream_error(event)
        assert err is not None
        assert "bad gateway" in err.message


def test_a_failed_response_is_an_error_with_its_code() -> None:
    failed = {
        "id": "r",
        "status": "failed",
        "error": {"code": "rate_limit_exceeded", "message": "slow down"},
    }
    event = new_event("response.failed", {"type": "response.failed", "response": failed})
    err = DIALECTS["openai_responses"].stream_error(event)
    assert err is not None
    assert (err.message, err.code) == ("slow down", "rate_limit_exceeded")


def test_openrouters_done_after_the_last_event_ends_a_responses_stream_too() -> None:
    assert DIALECTS["openai_responses"].terminal(StreamEvent("", b"[DONE]"))


@pytest.mark.parametrize(("dialect", "path"), golden.STREAMS, ids=golden.dialect_and_case)
def test_a_streams_counts_are_read_from_its_events(dialect: str, path: Path) -> None:
    events = golden.events(path.read_bytes())
    told = [DIALECTS[dialect].stream_usage(event.doc) for event in events if event.doc is not None]
    last = [usage for usage in told if usage is not None][-1]
    assert last.output == 42
    source = path.parent.name
    if dialect != "anthropic" or source != "anthropic":
        assert (last.input, last.cache_read) == (33, 20)
