"""Counts of tokens as operations: `count_tokens` and `input_tokens`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import MessageTokensCount
from openai.types.responses import InputTokenCountResponse
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import token_counts
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.texts import leaves

COUNTS = ("anthropic_count", "openai_count")
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
ANTHROPIC: dict[str, Any] = {
    "model": "m",
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [TOOL],
    "tool_choice": {"type": "any"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "cache_control": {"type": "ephemeral"},
}
OPENAI: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}],
    "tool_choice": "required",
    "reasoning": {"effort": "low"},
}
REQUESTS = {"anthropic_count": ANTHROPIC, "openai_count": OPENAI}
ANSWERS: dict[str, Any] = {
    "anthropic_count": {"input_tokens": 51},
    "openai_count": {"object": "response.input_tokens", "input_tokens": 51},
}
TYPES: dict[str, Any] = {
    "anthropic_count": MessageTokensCount,
    "openai_count": InputTokenCountResponse,
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_read_like_what_it_counts_and_writes_nothing(name: str) -> None:
    facts = Facts("m", max_output_tokens=0, tools=True, deterministic=True)
    assert DIALECTS[name].read(REQUESTS[name]) == facts


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_survives_its_own_codec(name: str) -> None:
    report = Report(accepts=frozenset({"thinking", "cache_control"}))
    dialect = DIALECTS[name]
    assert dialect.encode_request(dialect.decode_request(REQUESTS[name]), report) == REQUESTS[name]
    assert (report.changes, report.drops, report.omissions) == ((), (), ())


def test_an_anthropic_count_is_asked_of_openai_and_the_other_way_around() -> None:
    report = Report()
    chat = DIALECTS["anthropic_count"].decode_request(ANTHROPIC)
    body = DIALECTS["openai_count"].encode_request(chat, report)
    DIALECTS["openai_count"].read(body)
    assert body.keys() == {"model", "instructions", "input", "tools", "tool_choice"}
    assert {loss.param for loss in report.omissions} == {"thinking", "cache_control"}
    report = Report()
    chat = DIALECTS["openai_count"].decode_request(OPENAI)
    body = DIALECTS["anthropic_count"].encode_request(chat, report)
    DIALECTS["anthropic_count"].read(body)
    assert body["output_config"] == {"effort": "low"}
    assert "max_tokens" not in body
    assert (report.changes, report.drops, report.omissions) == ((), (), ())


@pytest.mark.parametrize("name", COUNTS)
def test_settings_that_add_no_input_are_not_sent(name: str) -> None:
    settings: dict[str, Any] = dict.fromkeys(token_counts.SETTINGS, 1)
    report = Report()
    body = DIALECTS[name].encode_request({"model": "m", "messages": USER} | settings, report)
    assert body.keys() <= {"model", "messages", "input"}
    assert (report.changes, report.drops, report.omissions) == ((), (), ())


@pytest.mark.parametrize(
    ("name", "more", "param"),
    [
        ("anthropic_count", {"messages": []}, "messages"),
        ("anthropic_count", {"messages": [{"role": "user"}]}, "messages.0.content"),
        ("anthropic_count", {"model": None}, "model"),
        ("anthropic_count", {"stream": True}, "stream"),
        ("anthropic_count", {"max_tokens": -1}, "max_tokens"),
        ("openai_count", {"input": None}, "input"),
        ("openai_count", {"stream": True}, "stream"),
    ],
)
def test_a_count_of_the_wrong_shape_is_refused_by_name(name: str, more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        DIALECTS[name].read(REQUESTS[name] | more)
    assert refused.value.param == param


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("doc", [None, [], "text"])
def test_a_body_that_is_no_object_is_refused(name: str, doc: Any) -> None:
    with pytest.raises(Malformed, match="object"):
        DIALECTS[name].read(doc)


def test_what_relies_on_openais_server_is_refused_for_other_targets() -> None:
    chat = DIALECTS["openai_count"].decode_request(OPENAI | {"previous_response_id": "resp_1"})
    with pytest.raises(Unsupported) as refused:
        DIALECTS["anthropic_count"].encode_request(chat, Report())
    assert refused.value.param == "previous_response_id"


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("source", COUNTS)
def test_an_answer_reaches_the_caller_in_the_type_of_its_package(name: str, source: str) -> None:
    told = DIALECTS[source].decode_response(ANSWERS[source])
    answer = DIALECTS[name].encode_response(told, golden.reply())
    assert answer == ANSWERS[name]
    assert TypeAdapter(TYPES[name]).validate_json(json.dumps(answer)).input_tokens == 51


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("doc", [None, {}, {"input_tokens": "51"}, {"input_tokens": None}])
def test_an_answer_without_a_number_is_none(name: str, doc: Any) -> None:
    with pytest.raises(UpstreamFailed, match="count"):
        DIALECTS[name].decode_response(doc)


@pytest.mark.parametrize("name", COUNTS)
def test_counting_takes_no_tokens(name: str) -> None:
    assert DIALECTS[name].usage(ANSWERS[name]) == Usage()


@pytest.mark.parametrize("name", COUNTS)
def test_the_texts_that_are_counted_are_seen(name: str) -> None:
    found = [leaf.text for leaf in leaves(REQUESTS[name], DIALECTS[name].text)]
    assert {"hi", "Be brief."} <= set(found)
