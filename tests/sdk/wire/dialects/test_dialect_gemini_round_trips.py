"""Gemini's conversations come back as they were, also through the clients of other vendors."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.test_dialect_round_trips import calls, names, objects, words

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report


@st.composite
def gemini_contents(draw: st.DrawFn) -> list[Any]:
    contents: list[Any] = []
    for turn in range(draw(st.integers(1, 3))):
        contents.append({"role": "user", "parts": [{"text": draw(words)}]})
        signed: bool = draw(st.booleans())
        parts: list[Any] = []
        if draw(st.booleans()):
            parts.append({"text": draw(words), "thought": True})
        if draw(st.booleans()):
            parts.append({"executableCode": {"code": draw(words), "language": "PYTHON"}})
        spoken = draw(st.lists(words, min_size=1, max_size=2))
        parts += [{"text": text} | (signature(draw) if signed else {}) for text in spoken]
        named = draw(st.booleans())
        made = [
            {"name": name, "args": told} | ({"id": f"call_{turn}_{i}"} if named else {})
            for i, (name, told) in enumerate(draw(calls))
        ]
        for i, call in enumerate(made):
            parts.append({"functionCall": call} | (signature(draw) if i == 0 else {}))
        if draw(st.booleans()) and made:
            parts.append({"text": draw(words)})
        contents.append({"role": "model", "parts": parts})
        results = [
            {"functionResponse": {key: call[key] for key in ("id", "name") if key in call}
             | {"response": draw(objects | st.builds(lambda text: {"result": text}, words))}}
            for call in made
        ]  # fmt: skip
        if results:
            contents.append({"role": "user", "parts": results})
    return contents


def signature(draw: st.DrawFn) -> Any:
    return {"thoughtSignature": draw(names)}


@given(gemini_contents())
@settings(max_examples=150)
def test_any_gemini_conversation_survives_the_canonical_form(contents: Any) -> None:
    """Also when nothing but JSON is kept of it by a chat client."""
    dialect, doc = DIALECTS["gemini"], {"contents": contents}
    held = json.loads(json.dumps(dialect.decode_request(copy.deepcopy(doc))))
    again = DIALECTS["openai_chat"].decode_request({"model": "gemini-2.5-pro"} | held)
    assert dialect.encode_request(again, Report()) == doc


SIGNED = [
    {"text": "Add."},
    {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"},
    {"text": "4", "thoughtSignature": "dGV4dA=="},
    {"functionCall": {"id": "c", "name": "f", "args": {"a": [1]}}},
]


@pytest.mark.parametrize("client", ["openai_chat", "anthropic", "openai_responses"])
def test_geminis_signatures_come_back_on_their_parts_through_any_client(client: str) -> None:
    gemini, spoken = DIALECTS["gemini"], DIALECTS[client]
    content = {"role": "model", "parts": SIGNED}
    answer = {"responseId": "r", "candidates": [{"content": content, "finishReason": "STOP"}]}
    shown = spoken.encode_response(gemini.decode_response(answer), golden.reply())
    shown = json.loads(json.dumps(shown))
    again: Any = {"model": "m", "max_tokens": 9, "messages": list(golden.USER)}
    if client == "anthropic":
        again["messages"].append({"role": "assistant", "content": shown["content"]})
    elif client == "openai_chat":
        again["messages"].append(shown["choices"][0]["message"])
    else:
        again = {"model": "m", "input": [*golden.USER, *shown["output"]]}
    body = gemini.encode_request(spoken.decode_request(again), Report())
    assert body["contents"][1] == content
