"""What `read` makes of a request, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.wire.dialects.dialect_golden import MINIMAL, USER

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.anthropic import words as anthropic_words
from nexus_sdk.wire.dialects.bedrock import words as bedrock_words
from nexus_sdk.wire.dialects.gemini import words as gemini_words
from nexus_sdk.wire.dialects.openai_chat import words as chat_words
from nexus_sdk.wire.dialects.openai_responses import words as responses_words

if TYPE_CHECKING:
    from collections.abc import Callable

FACTS = [
    ("openai_chat", {}, Facts("m")),
    (
        "openai_chat",
        {"max_tokens": 5, "max_completion_tokens": None},
        Facts("m", max_output_tokens=5),
    ),
    ("openai_chat", {"max_tokens": 5, "max_completion_tokens": 7}, Facts("m", max_output_tokens=7)),
    ("openai_chat", {"n": 3, "seed": 0}, Facts("m", n=3, deterministic=True)),
    ("openai_chat", {"temperature": 0.0}, Facts("m", deterministic=True)),
    ("openai_chat", {"temperature": 0.1, "seed": None}, Facts("m")),
    ("openai_chat", {"stream": True}, Facts("m", stream=True)),
    (
        "openai_chat",
        {"stream": True, "stream_options": {"include_usage": True}},
        Facts("m", stream=True, wants_stream_usage=True),
    ),
    ("openai_chat", {"stream_options": {"include_usage": True}}, Facts("m")),
    ("openai_chat", {"functions": [{"name": "f"}], "user": "u"}, Facts("m", tools=True, user="u")),
    ("openai_chat", {"tools": [], "safety_identifier": "s"}, Facts("m", user="s")),
    ("anthropic", {}, Facts("m", max_output_tokens=9)),
    (
        "anthropic",
        {"stream": True, "temperature": 0, "tools": [{"name": "f"}], "metadata": {"user_id": "u"}},
        Facts("m", True, 9, tools=True, deterministic=True, wants_stream_usage=True, user="u"),
    ),
    (
        "openai_responses",
        {"max_output_tokens": 16, "user": "u"},
        Facts("m", max_output_tokens=16, user="u"),
    ),
    ("openai_responses", {"stream": True}, Facts("m", stream=True, wants_stream_usage=True)),
    ("openai_responses", {"input": None, "previous_response_id": "r"}, Facts("m")),
    ("gemini", {}, Facts("", wants_stream_usage=True)),
    (
        "gemini",
        {"generation_config": {"max_output_tokens": 5, "candidateCount": 2}, "tools": [{}]},
        Facts("", max_output_tokens=5, n=2, tools=True, wants_stream_usage=True),
    ),
    (
        "gemini",
        {"generationConfig": {"temperature": 0}},
        Facts("", deterministic=True, wants_stream_usage=True),
    ),
    (
        "gemini",
        {"contents": {"parts": {"text": "hi"}}, "generationConfig": {"seed": 1}},
        Facts("", deterministic=True, wants_stream_usage=True),
    ),
    ("openai_embeddings", {"input": [1, 2], "user": "u"}, Facts("m", deterministic=True, user="u")),
    ("bedrock", {}, Facts("", wants_stream_usage=True)),
    (
        "bedrock",
        {
            "inferenceConfig": {"maxTokens": 5, "temperature": 0},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]},
        },
        Facts("", False, 5, tools=True, deterministic=True, wants_stream_usage=True),
    ),
    ("bedrock", {"messages": None, "promptVariables": {}}, Facts("", wants_stream_usage=True)),
]


@pytest.mark.parametrize(("dialect", "more", "facts"), FACTS)
def test_the_facts_of_a_request(dialect: str, more: Any, facts: Facts) -> None:
    assert DIALECTS[dialect].read(MINIMAL[dialect] | more) == facts


BAD = [
    ("openai_chat", {"model": None}, "model"),
    ("openai_chat", {"model": 4}, "model"),
    ("openai_chat", {"messages": None}, "messages"),
    ("openai_chat", {"messages": []}, "messages"),
    ("openai_chat", {"messages": "hi"}, "messages"),
    ("openai_chat", {"messages": ["hi"]}, "messages"),
    ("openai_chat", {"messages": [{"content": "hi"}]}, "messages.0.role"),
    ("openai_chat", {"messages": [{"role": "user", "content": 4}]}, "messages.0.content"),
    (
        "openai_chat",
        {"messages": [*USER, {"role": "user", "content": ["hi"]}]},
        "messages.1.content",
    ),
    (
        "openai_chat",
        {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
        "messages.0.content.0.type",
    ),
    (
        "openai_chat",
        {"messages": [{"role": "assistant", "tool_calls": [{}]}]},
        "messages.0.tool_calls.0.id",
    ),
    (
        "openai_chat",
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}],
                }
            ]
        },
        "messages.0.tool_calls.0.function.arguments",
    ),
    ("openai_chat", {"max_tokens": -1}, "max_tokens"),
    ("openai_chat", {"max_tokens": 1.5}, "max_tokens"),
    ("openai_chat", {"max_tokens": True}, "max_tokens"),
    ("openai_chat", {"n": 0}, "n"),
    ("openai_chat", {"temperature": -0.1}, "temperature"),
    ("openai_chat", {"temperature": "0"}, "temperature"),
    ("openai_chat", {"stream": "yes"}, "stream"),
    ("openai_chat", {"stop": [1]}, "stop"),
    ("openai_chat", {"tools": {}}, "tools"),
    ("openai_chat", {"user": 4}, "user"),
    ("anthropic", {"max_tokens": None}, "max_tokens"),
    ("anthropic", {"max_tokens": -1}, "max_tokens"),
    ("anthropic", {"messages": [{"role": "user"}]}, "messages.0.content"),
    ("anthropic", {"system": 4}, "system"),
    ("anthropic", {"system": [{"text": "x"}]}, "system.0.type"),
    ("anthropic", {"tool_choice": "auto"}, "tool_choice"),
    ("openai_responses", {"input": None}, "input"),
    ("openai_responses", {"input": 4}, "input"),
    ("openai_responses", {"input": [{"content": 4}]}, "input.0.content"),
    ("openai_responses", {"input": [{"content": [{"text": "x"}]}]}, "input.0.content.0.type"),
    ("openai_responses", {"max_output_tokens": -1}, "max_output_tokens"),
    ("bedrock", {"messages": "hi"}, "messages"),
    ("bedrock", {"messages": [{"content": []}]}, "messages.0.role"),
    ("bedrock", {"messages": [{"role": "user", "content": "hi"}]}, "messages.0.content"),
    (
        "bedrock",
        {"messages": [{"role": "user", "content": [{"text": 4}]}]},
        "messages.0.content.0.text",
    ),
    (
        "bedrock",
        {"messages": [{"role": "user", "content": [{"toolUse": {"name": "f"}}]}]},
        "messages.0.content.0.toolUse.toolUseId",
    ),
    (
        "bedrock",
        {"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "t"}}]}]},
        "messages.0.content.0.toolResult.content",
    ),
    ("bedrock", {"system": "be brief"}, "system"),
    ("bedrock", {"system": [{"text": {}}]}, "system.0.text"),
    ("bedrock", {"inferenceConfig": {"maxTokens": -1}}, "inferenceConfig.maxTokens"),
    ("bedrock", {"toolConfig": {"tools": {}}}, "toolConfig.tools"),
    ("bedrock", {"toolConfig": {"toolChoice": "auto"}}, "toolConfig.toolChoice"),
    ("gemini", {"contents": None}, "contents"),
    ("gemini", {"contents": []}, "contents"),
    ("gemini", {"contents": "hi"}, "contents"),
    ("gemini", {"contents": [{"role": 4}]}, "contents.0.role"),
    ("gemini", {"contents": [{"parts": ["hi"]}]}, "contents.0.parts"),
    ("gemini", {"contents": [{"parts": [{"text": 4}]}]}, "contents.0.parts.0.text"),
    (
        "gemini",
        {"contents": [{"parts": [{"thought_signature": 4}]}]},
        "contents.0.parts.0.thoughtSignature",
    ),
    ("gemini", {"systemInstruction": "hi"}, "systemInstruction"),
    ("gemini", {"system_instruction": {"parts": [4]}}, "systemInstruction.parts"),
    ("gemini", {"tools": 4}, "tools"),
    ("gemini", {"tools": [{"functionDeclarations": [4]}]}, "tools.0.functionDeclarations"),
    ("gemini", {"generationConfig": {"maxOutputTokens": -1}}, "generationConfig.maxOutputTokens"),
    ("gemini", {"generationConfig": {"temperature": "0"}}, "generationConfig.temperature"),
    ("gemini", {"generationConfig": {}, "generation_config": {}}, "generation_config"),
    ("openai_embeddings", {"input": None}, "input"),
    ("openai_embeddings", {"input": []}, "input"),
    ("openai_embeddings", {"input": [None]}, "input"),
    ("openai_embeddings", {"dimensions": 0}, "dimensions"),
    ("openai_embeddings", {"stream": True}, "stream"),
]


@pytest.mark.parametrize(("dialect", "more", "param"), BAD)
def test_a_request_of_the_wrong_shape_is_refused_by_name(
    dialect: str, more: Any, param: str
) -> None:
    with pytest.raises(Malformed) as refused:
        DIALECTS[dialect].read(MINIMAL[dialect] | more)
    assert refused.value.param == param
    assert param in refused.value.message


@pytest.mark.parametrize("dialect", MINIMAL)
@pytest.mark.parametrize("doc", [None, [], "text", 4])
def test_a_body_that_is_no_object_is_refused(dialect: str, doc: Any) -> None:
    with pytest.raises(Malformed, match="object"):
        DIALECTS[dialect].read(doc)


@pytest.mark.parametrize("dialect", MINIMAL)
@pytest.mark.parametrize("twin", [str.capitalize, str.upper, lambda key: "ｍ" + key[1:]])
def test_two_keys_that_a_lenient_reader_takes_for_one_are_refused(
    dialect: str, twin: Callable[[str], str]
) -> None:
    key = next(iter(MINIMAL[dialect]))
    with pytest.raises(Malformed, match="alike"):
        DIALECTS[dialect].read(MINIMAL[dialect] | {twin(key): "other"})


def test_lookalikes_are_found_in_messages_parts_and_calls() -> None:
    part = {"type": "text", "text": "hi", "Text": "other"}
    call = {"id": "c", "function": {"name": "f", "arguments": "{}", "ARGUMENTS": "{}"}}
    for message in (
        {"role": "user", "Role": "system", "content": "hi"},
        {"role": "user", "content": [part]},
        {"role": "assistant", "tool_calls": [call]},
    ):
        with pytest.raises(Malformed, match="alike"):
            DIALECTS["openai_chat"].read({"model": "m", "messages": [message]})


def test_the_users_own_data_may_have_keys_that_are_alike() -> None:
    tool = {"name": "f", "input_schema": {"properties": {"id": {}, "ID": {}}}}
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1, "A": 2}}
    messages = [*USER, {"role": "assistant", "content": [block]}]
    DIALECTS["anthropic"].read(MINIMAL["anthropic"] | {"tools": [tool], "messages": messages})
    schema = {"type": "function", "function": {"name": "f", "parameters": {"a": 1, "A": 2}}}
    DIALECTS["openai_chat"].read(
        MINIMAL["openai_chat"] | {"tools": [schema], "metadata": {"a": "", "A": ""}}
    )


@pytest.mark.parametrize(
    "words", [chat_words, anthropic_words, responses_words, bedrock_words, gemini_words]
)
def test_the_known_keys_are_not_alike_themselves(words: Any) -> None:
    assert len({key.casefold() for key in words.KNOWN}) == len(words.KNOWN)
