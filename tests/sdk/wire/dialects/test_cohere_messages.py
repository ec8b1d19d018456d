"""Messages and documents on their way to Cohere, and back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from cohere.types import ChatMessageV2, CitationOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.sdk.wire.dialects.dialect_golden import USER, asked, user

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

COHERE = DIALECTS["cohere"]
MINIMAL: Any = {"model": "m", "messages": USER}


def to_cohere(chat: Any) -> tuple[Any, Report]:
    return asked("cohere", chat)


def there_and_back(doc: Any) -> Any:
    return COHERE.encode_request(COHERE.decode_request(copy.deepcopy(doc)), Report())


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


# ---- messages


def test_roles_and_turns_become_coheres() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": "hi"},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{"type": "refusal", "refusal": "No?"}]},
        {"role": "user", "content": [{"type": "text", "text": "1", "citations": [{}]}]},
    ]
    body, report = to_cohere({"messages": messages})
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
        {"role": "user", "content": [{"type": "text", "text": "No?"}]},
        {"role": "user", "content": [{"type": "text", "text": "1"}]},
    ]
    assert report.changes == (
        "messages.0.role: developer->system",
        "messages.3: an empty turn->(left out)",
    )
    assert [loss.param for loss in report.omissions] == [
        "messages.1.name",
        "messages.5.content.0.citations",
    ]
    TypeAdapter(list[ChatMessageV2]).validate_python(body["messages"])


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "narrator", "content": "x"}, "messages.0.role"),
        (user({"type": "input_audio", "input_audio": {}})[0], "messages.0.content.0.type"),
        (
            user({"type": "image_url", "image_url": {"file_id": "f"}})[0],
            "messages.0.content.0.image_url",
        ),
        (
            user({"type": "document", "source": {"type": "file", "file_id": "f"}})[0],
            "messages.0.content.0.type",
        ),
    ],
)
def test_content_that_cohere_cannot_take_is_refused(message: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        to_cohere({"messages": [message]})
    assert refused.value.param == param


def test_reasoning_without_a_block_is_a_plan_before_calls_and_thinking_before_text() -> None:
    said = {"role": "assistant", "reasoning_content": "Hm."}
    messages = [said | {"content": "4"}, said | {"content": None, "tool_calls": [CALL]}]
    body, report = to_cohere({"messages": messages})
    assert body["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "4"},
    ]
    assert body["messages"][1] == {"role": "assistant", "tool_calls": [CALL], "tool_plan": "Hm."}
    assert report.changes == ("messages.1.reasoning_content->tool_plan",)


def test_what_other_vendors_made_stays_out_of_a_turn() -> None:
    message = {
        "role": "assistant",
        "content": "4",
        "reasoning_content": "Hm.",
        "reasoning_blocks": [{"origin": "x", "block": {"type": "thinking", "thinking": "Hm."}}],
        "provider_blocks": [{"origin": "x", "block": {"type": "search"}}],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}],
    }
    body, report = to_cohere({"messages": [message]})
    assert body["messages"] == [{"role": "assistant", "content": "4"}]
    assert [loss.param for loss in report.omissions] == [
        "messages.0.reasoning_blocks",
        "messages.0.annotations",
    ]
    assert [loss.param for loss in report.drops] == ["messages.0.provider_blocks"]


def test_a_custom_tool_is_a_function_of_its_text() -> None:
    tool = {"type": "custom", "custom": {"name": "run", "description": "Runs."}}
    call = {"id": "c", "type": "custom", "custom": {"name": "run", "input": 'print("x")'}}
    turns = [{"role": "assistant", "tool_calls": [call]}]
    body, report = to_cohere({"tools": [tool], "messages": turns})
    made = body["messages"][0]["tool_calls"][0]["function"]
    assert json.loads(made["arguments"]) == {"input": 'print("x")'}
    assert body["tools"][0]["function"]["parameters"]["required"] == ["input"]
    assert len(report.changes) == 2


def test_a_result_holds_text_and_documents_and_its_images_follow() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/i.png"}}
    parts = [{"type": "text", "text": "See."}, image]
    found = {"type": "search_result", "source": "https://e.com", "title": "E", "content": []}
    messages = [
        {"role": "tool", "tool_call_id": "a", "content": parts},
        {"role": "tool", "tool_call_id": "b", "is_error": True, "content": [image]},
        {"role": "tool", "tool_call_id": "c", "content": [found]},
    ]
    body, report = to_cohere({"messages": messages})
    told = body["messages"]
    assert [message["content"] for message in told[:2]] == [[parts[0]], ""]
    assert told[2]["content"][0]["document"]["data"] == {
        "title": "E",
        "url": "https://e.com",
        "text": "",
    }
    assert told[3] == {"role": "user", "content": [image, image]}
    assert len(report.changes) == 4
    TypeAdapter(list[ChatMessageV2]).validate_python(told)


# ---- documents


def test_anthropics_documents_go_beside_the_messages() -> None:
    parts = [
        {
            "type": "document",
            "source": {"type": "text", "data": "Plain."},
            "title": "Notes",
            "cache_control": {"type": "ephemeral"},
        },
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": '{"a":1}'}]},
        },
        {"type": "text", "text": "Compare."},
    ]
    body, report = to_cohere({"messages": [{"role": "user", "content": parts}]})
    assert body["documents"] == [{"data": {"title": "Notes", "text": "Plain."}}, {"data": {"a": 1}}]
    assert body["messages"] == user({"type": "text", "text": "Compare."})
    assert len(report.changes) == 2
    assert [loss.param for loss in report.omissions] == ["messages.0.content.0.cache_control"]


def test_documents_are_text_where_the_answer_is_to_have_a_form() -> None:
    part = {"type": "document", "source": {"type": "text", "data": "{no json"}}
    chat = {"messages": user(part), "response_format": {"type": "json_object"}}
    body, report = to_cohere(chat)
    assert body["messages"] == user({"type": "text", "text": "{no json"})
    assert "documents" not in body
    assert report.changes == ("messages.0.content.0: document->text",)
    assert to_cohere({"messages": user(part)})[0]["documents"] == [{"data": {"text": "{no json"}}]


def test_coheres_own_members_are_told_at_every_other_target() -> None:
    doc = MINIMAL | {
        "documents": [{"id": "d", "data": {"text": "Plain."}}],
        "safety_mode": "STRICT",
        "priority": 3,
        "citation_options": {"mode": "OFF"},
        "raw_prompting": True,
    }
    for target in ("openai_chat", "openai_responses", "anthropic"):
        report = Report()
        body = DIALECTS[target].encode_request(COHERE.decode_request(copy.deepcopy(doc)), report)
        assert not body.keys() & doc.keys() - {"model", "messages"}
        assert "Plain." in json.dumps(body)
        assert "enabled" not in json.dumps(body)
        assert [loss.param for loss in report.drops] == ["safety_mode", "raw_prompting"]
        assert {"citation_options", "priority"} <= {loss.param for loss in report.omissions}
        assert "documents->parts of the last user message" in report.changes


def test_documents_without_a_user_are_a_message_of_their_own() -> None:
    doc = {"model": "m", "documents": ["x"], "messages": [{"role": "system", "content": "s"}]}
    body = DIALECTS["openai_chat"].encode_request(COHERE.decode_request(doc), Report())
    assert body["messages"][1] == {"role": "user", "content": "x"}


def test_cohere_takes_its_own_switches_as_they_are() -> None:
    doc = MINIMAL | {
        "documents": ["x", {"data": {"a": 1}, "id": "d"}],
        "safety_mode": "OFF",
        "priority": 3,
        "citation_options": {"mode": "FAST"},
        "raw_prompting": True,
        "logprobs": True,
        "new_field": {"a": 1},
    }
    assert there_and_back(doc) == doc
    TypeAdapter(CitationOptions).validate_python(doc["citation_options"])


# ---- any conversation

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
data = st.dictionaries(texts, texts | st.integers(0, 9), max_size=3)
text_parts = st.builds(lambda text: {"type": "text", "text": text}, texts)
thoughts = st.builds(lambda text: {"type": "thinking", "thinking": text}, texts)


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    messages: list[Any] = []
    for turn in range(draw(st.integers(1, 3))):
        content = draw(texts | st.lists(text_parts, min_size=1, max_size=2))
        messages.append({"role": draw(st.sampled_from(["user", "system"])), "content": content})
        calls = [
            {
                "id": f"call_{turn}_{i}",
                "type": "function",
                "function": {"name": "f", "arguments": json.dumps(told)},
            }
            for i, told in enumerate(draw(st.lists(data, max_size=2)))
        ]
        said: Any = {"role": "assistant"}
        thought: Any = draw(st.lists(thoughts, max_size=2))
        text: Any = draw(st.lists(text_parts, max_size=1))
        if thought or text or not calls:
            said["content"] = thought + text if thought else (text or draw(texts))
        if calls:
            said["tool_calls"] = calls
            if plan := draw(st.none() | texts):
                said["tool_plan"] = plan
        messages.append(said)
        for call in calls:
            block = {"type": "document", "document": {"data": draw(data)}}
            told = draw(texts | st.just([block]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": told})
    return messages


@given(conversations())
@settings(max_examples=150)
def test_any_conversation_survives_the_canonical_form(messages: Any) -> None:
    doc = {"model": "m", "messages": messages}
    assert plain(there_and_back(doc)["messages"]) == plain(messages)


def plain(messages: Any) -> Any:
    """An assistant's one text as a string: both forms say the same."""
    out = copy.deepcopy(messages)
    for message in out:
        content = message.get("content")
        if isinstance(content, list) and [part["type"] for part in content] == ["text"]:
            message["content"] = content[0]["text"]
    return out


@given(conversations())
@settings(max_examples=75)
def test_any_conversation_survives_a_chat_clients_form(messages: Any) -> None:
    held = json.loads(json.dumps(COHERE.decode_request({"model": "m", "messages": messages})))
    back = COHERE.encode_request(DIALECTS["openai_chat"].decode_request(held), Report())
    assert plain(back["messages"]) == plain(messages)
