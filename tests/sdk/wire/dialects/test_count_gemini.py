"""`countTokens`, of the Gemini API and of Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.gemini import sealing
from nexus_sdk.wire.fidelity import Report

COUNT, VERTEX = DIALECTS["gemini_count"], DIALECTS["vertex_count"]
USER: list[Any] = [{"role": "user", "parts": [{"text": "hi"}]}]
REQUEST: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": USER,
}


@pytest.mark.parametrize(
    "doc",
    [
        REQUEST,
        {"generateContentRequest": REQUEST | {"model": "models/m"}},
        {"generate_content_request": REQUEST | {"model": "models/m"}},
    ],
)
def test_both_forms_are_read_and_written_as_their_api_has_them(doc: Any) -> None:
    assert COUNT.read(doc) == Facts("", max_output_tokens=0, deterministic=True)
    chat = COUNT.decode_request(doc) | {"model": "m"}
    report = Report()
    assert COUNT.encode_request(chat, report) == {
        "generateContentRequest": {"model": "models/m"} | REQUEST
    }
    assert VERTEX.encode_request(chat, report) == REQUEST
    assert (report.changes, report.drops, report.omissions) == ((), (), ())


@pytest.mark.parametrize(
    "doc",
    [
        [],
        {},
        {"generateContentRequest": 4},
        {"generateContentRequest": REQUEST, "contents": USER},
        {"generateContentRequest": REQUEST, "generate_content_request": REQUEST},
    ],
)
def test_what_is_no_request_to_count_is_refused(doc: Any) -> None:
    with pytest.raises(Malformed):
        COUNT.read(doc)


def test_an_anthropic_count_is_asked_of_gemini_and_answered() -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    chat = DIALECTS["anthropic_count"].decode_request(asked)
    body = COUNT.encode_request(chat, Report())
    assert body == {"contents": USER}, "the short form, as nothing else counts"
    longer = COUNT.encode_request(
        {**chat, "messages": [{"role": "system", "content": "x"}, *chat["messages"]]}, Report()
    )
    assert longer["generateContentRequest"]["model"] == "models/m"
    told = COUNT.decode_response({"totalTokens": 7, "cachedContentTokenCount": 3})
    answer = DIALECTS["anthropic_count"].encode_response(told, golden.reply())
    assert answer == {"input_tokens": 7}
    back = COUNT.encode_response(told, golden.reply())
    assert back == {"totalTokens": 7, "cachedContentTokenCount": 3}
    assert types.CountTokensResponse.model_validate(back).total_tokens == 7
    assert COUNT.usage(back) == Usage()


@pytest.mark.parametrize("doc", [None, [], {}, {"totalTokens": "7"}])
def test_an_answer_without_a_number_is_none(doc: Any) -> None:
    with pytest.raises(UpstreamFailed, match="totalTokens"):
        COUNT.decode_response(doc)


def test_the_body_s_model_follows_the_path_s() -> None:
    assert COUNT.repeats is not None
    doc = {"generateContentRequest": REQUEST | {"model": "models/m"}}
    assert COUNT.repeats(doc, "m") == {}
    assert COUNT.repeats(doc, "n") == {("generateContentRequest", "model"): "models/n"}
    assert COUNT.repeats(REQUEST, "n") == {}


def test_another_vendor_s_thoughts_are_not_counted() -> None:
    sealed = sealing.seal({"origin": "anthropic", "block": {"type": "thinking", "signature": "s"}})
    part = {"text": "t", "thought": True, "thoughtSignature": sealed}
    inner = {"contents": [{"role": "model", "parts": [part, {"text": "a"}]}]}
    for doc in (inner, {"generateContentRequest": inner}):
        report = Report()
        kept = COUNT.strip_foreign(doc, report)
        assert "thoughtSignature" not in repr(kept)
        assert len(report.omissions) == 1
    plain = {"generateContentRequest": REQUEST}
    assert COUNT.strip_foreign(plain, Report()) is plain
