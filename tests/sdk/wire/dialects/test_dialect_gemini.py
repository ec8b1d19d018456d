"""Gemini: what google-genai's own types take, and the corners of its protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, answer, chunk
from tests.sdk.wire.dialects.gemini_lab import CALL, GEMINI, GEMINI_USER, ask, message, strictly
from tests.sdk.wire.dialects.test_dialect_sdk_types import gemini_client

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.gemini.words import SKIP_SIGNATURE
from nexus_sdk.wire.fidelity import Report

# ---- google-genai's own types


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_our_requests_are_of_the_vendors_types(source: Any) -> None:
    report = Report()
    try:
        body = GEMINI.encode_request(golden.chat(source), report)
    except Unsupported:
        return
    strictly(body)


def test_the_vendors_client_reads_our_whole_answers() -> None:
    for source in golden.cases("answers"):
        chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
        body = json.dumps(GEMINI.encode_response(chat, golden.reply())).encode()
        client = gemini_client(body)
        read = client.models.generate_content(model="m", contents="hi")
        said = [choice["message"].get("content") or "" for choice in chat["choices"]]
        refused = chat["choices"][0]["message"].get("refusal") or ""
        assert (read.text or "") == said[0] + refused
        calls = [call.name for call in read.function_calls or ()]
        made = chat["choices"][0]["message"].get("tool_calls") or ()
        assert calls == [(call.get("function") or call["custom"])["name"] for call in made]


# ---- calls and their results


def test_calls_without_ids_have_stable_ones_that_do_not_go_back() -> None:
    parts = [{"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "f"}}]
    first, again = message(*parts), message(*parts)
    ids = [call["id"] for call in first["tool_calls"]]
    assert first == again
    assert len(set(ids)) == 2
    assert all(len(one) <= 40 for one in ids)
    results = [
        {"role": "tool", "tool_call_id": one, "content": text}
        for one, text in zip(reversed(ids), ("second", "first"), strict=True)
    ]
    body, _ = ask({"messages": [*USER, first, *results]})
    assert [part["functionCall"].get("id") for part in body["contents"][1]["parts"]] == [None, None]
    told_back = [part["functionResponse"] for part in body["contents"][2]["parts"]]
    assert told_back == [
        {"name": "f", "response": {"result": "first"}},
        {"name": "f", "response": {"result": "second"}},
    ]


def test_results_are_matched_by_id_or_by_name_and_order() -> None:
    model: list[Any] = [{"functionCall": {"name": name, "args": {}}} for name in ("f", "g", "f")]
    results = [{"functionResponse": {"name": n, "response": {"n": n}}} for n in ("g", "f", "f")]
    stray = {"functionResponse": {"name": "h", "response": {}}}
    contents = [
        {"role": "model", "parts": model},
        {"role": "function", "parts": [*results, stray, {"text": "and?"}]},
    ]
    messages = GEMINI.decode_request({"contents": contents})["messages"]
    ids = [call["id"] for call in messages[0]["tool_calls"]]
    assert [one["tool_call_id"] for one in messages[1:4]] == [ids[1], ids[0], ids[2]]
    assert messages[4]["name"] == "h"
    assert messages[5] == {"role": "user", "content": "and?"}


WRAPPINGS: list[tuple[Any, str, bool]] = [
    ({"result": "fine"}, "fine", False),
    ({"result": ""}, "", False),
    ({"output": "fine"}, '{"output":"fine"}', False),
    ({"a": [1]}, '{"a":[1]}', False),
    ({}, "{}", False),
    ({"result": '{"a":1}'}, '{"result":"{\\"a\\":1}"}', False),
    ({"error": "no"}, "no", True),
    ({"error": {"code": 4}}, '{"error":{"code":4}}', True),
    ({"error": "no", "more": 1}, '{"error":"no","more":1}', True),
]


@pytest.mark.parametrize(("response", "text", "failed"), WRAPPINGS)
def test_a_result_is_text_and_becomes_the_same_object(
    response: Any, text: str, failed: bool
) -> None:
    call = {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f", "args": {}}}]}
    result = {"functionResponse": {"id": "c", "name": "f", "response": response}}
    doc = {"contents": [call, {"role": "user", "parts": [result]}]}
    decoded = GEMINI.decode_request(doc)["messages"][1]
    assert (decoded["content"], decoded.get("is_error", False)) == (text, failed)
    body, _ = ask({"messages": [{"role": "assistant", "tool_calls": [CALL]}, decoded]})
    assert body["contents"][1]["parts"][0]["functionResponse"]["response"] == response


def test_media_of_a_result_stands_in_it_from_gemini_3_on() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}}
    content = [{"type": "text", "text": "see"}, image]
    result = {"role": "tool", "tool_call_id": "c1", "content": content}
    messages = [*USER, {"role": "assistant", "tool_calls": [CALL]}, result]
    blob = {"inlineData": {"mimeType": "image/png", "data": "aWk="}}
    body, _ = ask({"messages": messages})
    assert body["contents"][2]["parts"][0]["functionResponse"]["parts"] == [blob]
    body, report = ask({"messages": messages}, "gemini-2.5-flash")
    assert body["contents"][2]["parts"][1] == blob
    assert report.changes == ("messages.2.content->parts after the results with its media",)


# ---- signatures


def test_calls_of_other_vendors_have_googles_word_where_it_is_asked_for() -> None:
    messages = [*USER, {"role": "assistant", "tool_calls": [CALL, CALL | {"id": "c2"}]}]
    body, report = ask({"messages": [*messages, *messages]})
    marks = [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]
    assert marks == [SKIP_SIGNATURE, None]
    assert len(report.changes) == 1
    body, _ = ask({"messages": messages}, "gemini-2.5-pro")
    assert "thoughtSignature" not in body["contents"][1]["parts"][0]
    shown = GEMINI.encode_response(answer({"tool_calls": [CALL]}), golden.reply())
    part = shown["candidates"][0]["content"]["parts"][0]
    assert part["thoughtSignature"] == SKIP_SIGNATURE
    back = GEMINI.decode_request({"contents": [shown["candidates"][0]["content"]]})
    assert "reasoning_blocks" not in back["messages"][0]


def test_pieces_of_another_vendors_thought_are_one_when_they_come_back() -> None:
    block = {"type": "thinking", "thinking": "So be it.", "signature": "c2ln"}
    entry = {"index": 0, "origin": "anthropic", "block": block}
    chunks = [
        chunk({"reasoning_content": "So "}),
        chunk({"reasoning_content": "be it."}),
        chunk({"reasoning_blocks": [entry]}),
        chunk({"content": "Yes"}, "stop"),
    ]
    events = golden.encoded("gemini", chunks)
    parts = [part for one in events for part in one.doc["candidates"][0]["content"]["parts"]]
    back = GEMINI.decode_request({"contents": [{"role": "model", "parts": parts}]})["messages"][0]
    assert back["reasoning_blocks"] == [{"origin": "anthropic", "block": block}]
    assert back["reasoning_content"] == "So be it."


def test_a_changed_text_keeps_its_signature_on_an_empty_part() -> None:
    held = message({"text": "Long words"}, {"text": "more", "thoughtSignature": "c2ln"})
    body, _ = ask({"messages": [*USER, held | {"content": "No"}]})
    parts = body["contents"][1]["parts"]
    assert {"text": "", "thoughtSignature": "c2ln"} in parts
    odd = held["reasoning_blocks"][0] | {"block": {"type": "text", "format": "x", "signature": "s"}}
    body, _ = ask({"messages": [*USER, held | {"reasoning_blocks": [odd]}]})
    assert {"text": "", "thoughtSignature": "s"} in body["contents"][1]["parts"]


@pytest.mark.parametrize("token", ["bmV4dXMuMSxx", "nexus.1.!!", "bmV4dXMuMS7_"])
def test_a_signature_that_only_looks_sealed_is_no_block(token: str) -> None:
    part = {"text": "So", "thought": True, "thought_signature": token}
    doc = {"contents": [*GEMINI_USER, {"role": "model", "parts": [part, {"text": "4"}]}]}
    chat = GEMINI.decode_request(doc)
    assert chat["messages"][1]["reasoning_blocks"][0]["origin"] == "gemini"
    report = Report()
    kept = GEMINI.strip_foreign(doc, report)
    assert kept["contents"][1]["parts"] == [{"text": "4"}]
    assert [loss.param for loss in report.omissions] == ["contents.1.parts"]


def test_thoughts_of_a_whole_answer_are_parts_each() -> None:
    parts = [{"text": "One", "thought": True}, {"text": "Two", "thought": True}]
    held = message(*parts)
    assert held["reasoning_content"] == "One\n\nTwo"
    body, _ = ask({"messages": [*USER, held]})
    assert body["contents"][1]["parts"] == parts


def test_a_turn_that_was_cut_in_two_is_one_again() -> None:
    parts: list[Any] = [
        {"text": "A", "thoughtSignature": "YQ=="},
        {"text": "B", "thoughtSignature": "Yg=="},
        {"executableCode": {"code": "1"}},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "Yw=="},
    ]
    whole = message(*parts)
    (first, second, call) = whole["reasoning_blocks"]
    calls = {"tool_calls": whole["tool_calls"]}
    code = {"provider_blocks": [whole["provider_blocks"][0] | {"at": 1, "order": 1}]}
    halves = [
        {"role": "assistant", "content": "A", "reasoning_blocks": [first, second]},
        {"role": "assistant", "content": "B", "reasoning_blocks": [call | {"at": 1}]}
        | calls
        | code,
    ]
    body, _ = ask({"messages": [*USER, *halves]})
    assert body["contents"][1:] == [{"role": "model", "parts": parts}]
    apart = [halves[0] | {"reasoning_blocks": [first]}, {"role": "assistant", "content": "B"}]
    body, _ = ask({"messages": [*USER, *apart]})
    assert len(body["contents"]) == 3
    moved = [halves[0] | {"reasoning_blocks": [first, call | {"at": 1}]}, halves[1]]
    body, _ = ask({"messages": [*USER, *moved, *USER]})
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
