"""Whatever an upstream answers, our way of building its object and the stock client's way give the
same."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from tests.parity.portrait import differences, portrait

from nexus_sdk import embeddings, stock_objects
from nexus_sdk.wire.sse import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = {
    "prompt_tokens": 4,
    "completion_tokens": 3,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {
                "content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}],
                "refusal": None,
            },
            "message": {
                "role": "assistant",
                "content": "Hello",
                "refusal": None,
                "tool_calls": [
                    CALL,
                    {"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}},
                ],
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0,
                            "end_index": 1,
                            "title": "t",
                            "url": "u",
                        },
                    }
                ],
            },
        }
    ],
    "usage": USAGE,
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": "Hel", "tool_calls": [{"index": 0, **CALL}]},
            "logprobs": None,
            "finish_reason": None,
        }
    ],
    "usage": USAGE,
}
ITEMS = [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "No"},
        ],
    },
    {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
]
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {"a": "b"},
    "model": "gpt-4o",
    "output": ITEMS,
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
    "top_p": 1,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 4,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    },
}
EVENTS = [
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE},
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": ITEMS[0],
    },
    {
        "type": "response.output_text.delta",
        "sequence_number": 2,
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "delta": "Hi",
        "logprobs": [],
    },
    {"type": "error", "sequence_number": 3, "code": "x", "message": "m", "param": None},
    {"type": "response.completed", "sequence_number": 4, "response": RESPONSE},
]
VECTORS = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -1.5]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["function", "message", "default", "newer_word", "assistant", "text", "0"]),
    st.lists(st.integers(0, 9) | st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=4), st.none() | st.integers(0, 9), max_size=2),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in a document."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])


@st.composite
def spoiled(draw: st.DrawFn, doc: dict[str, Any]) -> dict[str, Any]:
    """The document with some of its values gone, replaced, or joined by unknown ones."""
    found: dict[str, Any] = copy.deepcopy(doc)
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(list(places(found))))
        what = draw(st.sampled_from(["replace", "add", "remove"]))
        if what == "remove":
            del container[key]
        elif what == "add" and isinstance(container, dict):
            container["unknown_" + draw(st.text("abc", max_size=2))] = draw(VALUES)
        else:
            container[key] = draw(VALUES)
        if not found:
            break
    return found


def stock(kind: Any, doc: Any) -> Any:
    client = openai.OpenAI(api_key="k")
    return client._process_response_data(data=doc, cast_to=kind, response=None)  # type: ignore[arg-type]


def event(doc: dict[str, Any]) -> StreamEvent:
    data = json.dumps(doc).encode()
    return StreamEvent("", data, json.loads(data))


def same(ours: Any, theirs: Any) -> None:
    assert not differences(portrait(ours), portrait(theirs))


@pytest.mark.parametrize(
    ("endpoint", "doc"), [("chat", COMPLETION), ("responses", RESPONSE)], ids=("chat", "responses")
)
def test_the_samples_are_built_the_quick_way(endpoint: str, doc: dict[str, Any]) -> None:
    built = stock_objects.whole(endpoint, json.dumps(doc).encode())
    assert built is not None
    same(built, stock(stock_objects.WHOLE[endpoint], doc))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_spoiled_whole_answer_is_built_as_the_stock_client_does(data: st.DataObject) -> None:
    endpoint, doc = data.draw(st.sampled_from([("chat", COMPLETION), ("responses", RESPONSE)]))
    doc = data.draw(spoiled(doc))
    body, kind = json.dumps(doc).encode(), stock_objects.WHOLE[endpoint]
    for built in (stock_objects.whole(endpoint, body), stock_objects.from_document(kind, doc)):
        if built is not None:
            same(built, stock(kind, doc))


@settings(max_examples=200, deadline=None)
@given(spoiled(CHUNK))
def test_a_spoiled_chunk_is_built_as_the_stock_client_does(doc: dict[str, Any]) -> None:
    same(
        stock_objects.chunk(event(doc)),
        construct_type(type_=stock_objects.EVENT["chat"], value=doc),
    )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EVENTS).flatmap(spoiled))
def test_a_spoiled_event_is_built_as_the_stock_client_does(doc: dict[str, Any]) -> None:
    same(
        stock_objects.response_event(event(doc)),
        construct_type(type_=stock_objects.EVENT["responses"], value=doc),
    )


@settings(max_examples=200, deadline=None)
@given(spoiled(VECTORS))
def test_spoiled_embeddings_are_built_as_the_stock_client_does(doc: dict[str, Any]) -> None:
    built = embeddings.built(json.dumps(doc).encode(), decode=False)
    if built is not None:
        same(built, stock(stock_objects.WHOLE["embeddings"], doc))


@given(st.lists(st.floats(width=32), max_size=5))
def test_vectors_are_decoded_as_the_stock_client_does(vector: list[float]) -> None:
    import array
    import base64

    text = base64.b64encode(array.array("f", vector)).decode()
    assert repr(embeddings.floats(text)) == repr(vector)
