"""The prompt is found in every shape that a format allows."""

from __future__ import annotations

import base64
import struct

from nexus_sdk.demo import chat, embeddings, messages, responses


def test_messages_blocks() -> None:
    body = {
        "model": "claude",
        "system": [{"type": "text", "text": "rules"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "tool_use", "name": "f", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "content": [{"type": "text", "text": "done"}]},
                    {"type": "text", "text": "and now?"},
                ],
            },
        ],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    }
    prompt = messages.read(body)
    assert prompt.texts == ("rules", "look", 'hm\n{"a":1}', "done\nand now?")
    assert (prompt.said, prompt.result, prompt.tools) == ("and now?", "done", ())
    assert not prompt.caches
    assert messages.read(body | {"cache_control": {"type": "ephemeral"}}).caches


def test_responses_items() -> None:
    body = {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "function_call", "name": "f", "arguments": '{"a":1}', "call_id": "c"},
            {"type": "function_call_output", "call_id": "c", "output": "done"},
        ],
        "tools": [{"type": "web_search"}],
        "text": {"format": {"type": "json_object"}},
    }
    prompt = responses.read(body)
    assert prompt.texts == ("go", '{"a":1}', "done")
    assert (prompt.said, prompt.result, prompt.tools) == ("go", "done", ())
    assert prompt.schema["properties"].keys() == {"answer"}


def test_chat_without_a_user() -> None:
    prompt = chat.read({"model": "m", "messages": [{"role": "system", "content": "x"}]})
    assert (prompt.said, prompt.result, prompt.limit) == ("", None, None)
    assert chat.read({"model": "m", "messages": []}).said == ""


def test_base64_is_little_endian_floats() -> None:
    body = {"model": "e", "input": "one two", "dimensions": 4, "encoding_format": "base64"}
    (row,) = embeddings.whole(body)["data"]
    values = list(struct.unpack("<4f", base64.b64decode(row["embedding"])))
    assert [round(value, 6) for value in values] == [
        round(value, 6) for value in embeddings.vector("one two", 4)
    ]
