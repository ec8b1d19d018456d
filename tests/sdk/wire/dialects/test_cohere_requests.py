"""What Cohere's chat takes, and what becomes of another API's request for it."""

from __future__ import annotations

import copy
import inspect
import json
from typing import TYPE_CHECKING, Any

import cohere
import pytest
from cohere.types import (
    ChatMessageV2,
    CitationOptions,
    Document,
    ResponseFormatV2,
    Thinking,
    ToolV2,
)
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, asked, user

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.cohere import schemas, words
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from pathlib import Path

COHERE = DIALECTS["cohere"]
MINIMAL: Any = {"model": "m", "messages": USER}


def to_cohere(chat: Any) -> tuple[Any, Report]:
    return asked("cohere", chat)


def there_and_back(doc: Any) -> Any:
    return COHERE.encode_request(COHERE.decode_request(copy.deepcopy(doc)), Report())


# ---- requests

FACTS = [
    ({}, Facts("m")),
    ({"max_tokens": 5, "stream": True}, Facts("m", True, 5, wants_stream_usage=True)),
    ({"temperature": 0}, Facts("m", deterministic=True)),
    ({"seed": 0, "tools": [{}]}, Facts("m", deterministic=True, tools=True)),
]


@pytest.mark.parametrize(("more", "facts"), FACTS)
def test_the_facts_of_a_request(more: Any, facts: Facts) -> None:
    assert COHERE.read(MINIMAL | more) == facts


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BAD = [
    ({"model": None}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
    ({"messages": user({"text": "x"})}, "messages.0.content.0.type"),
    ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls.0.id"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f"}}]}]},
        "messages.0.tool_calls.0.function.arguments",
    ),
    ({"tool_choice": {"type": "function"}}, "tool_choice"),
    ({"k": -1}, "k"),
    ({"p": "x"}, "p"),
    ({"documents": "x"}, "documents"),
    ({"thinking": True}, "thinking"),
    ({"safety_mode": 4}, "safety_mode"),
]


@pytest.mark.parametrize(("more", "param"), BAD)
def test_a_request_of_the_wrong_shape_is_refused_by_name(more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        COHERE.read(MINIMAL | more)
    assert refused.value.param == param


def test_the_known_keys_are_not_alike_themselves() -> None:
    assert len({key.casefold() for key in words.KNOWN}) == len(words.KNOWN)


def test_a_choice_of_tools_that_is_none_is_malformed() -> None:
    with pytest.raises(Malformed) as refused:
        COHERE.decode_request(MINIMAL | {"tool_choice": "auto"})
    assert refused.value.param == "tool_choice"


def test_a_part_that_is_not_known_is_refused_by_its_address() -> None:
    with pytest.raises(Unsupported) as refused:
        COHERE.decode_request(MINIMAL | {"messages": user({"type": "hologram"})})
    assert refused.value.param == "messages.0.content.0.type"
    turn = {"role": "assistant", "content": [{"type": "thinking"}]}
    with pytest.raises(Malformed) as bad:
        COHERE.decode_request(MINIMAL | {"messages": [turn]})
    assert bad.value.param == "messages.0.content.0.thinking"


SAMPLING = [
    ({"temperature": 1.4}, {"temperature": 1}, ["temperature: 1.4->1 (the most)"]),
    ({"top_p": 1}, {"p": 0.99}, ["top_p: 1->0.99 (the most)"]),
    ({"top_p": 0}, {"p": 0.01}, ["top_p: 0->0.01 (the least)"]),
    ({"top_k": 900}, {"k": 500}, ["top_k: 900->500 (the most)"]),
    (
        {"presence_penalty": 2, "frequency_penalty": 0.5},
        {"presence_penalty": 1, "frequency_penalty": 0.5},
        ["presence_penalty: 2->1 (the most)"],
    ),
    ({"seed": -3}, {"seed": 3}, ["seed: -3->3"]),
    ({"stop": "END"}, {"stop_sequences": ["END"]}, []),
    ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_tokens": 7}, []),
    ({"max_tokens": 5}, {"max_tokens": 5}, []),
    ({"stream_options": {"include_usage": True}}, {}, []),
]


@pytest.mark.parametrize(("chat", "members", "changes"), SAMPLING)
def test_numbers_are_brought_into_coheres_ranges(chat: Any, members: Any, changes: Any) -> None:
    body, report = to_cohere(chat)
    assert body == MINIMAL | members
    assert list(report.changes) == changes
    assert report.drops + report.omissions == ()


DROPS = [
    ({"presence_penalty": -1}, "presence_penalty"),
    ({"n": 2}, "n"),
    ({"parallel_tool_calls": False}, "parallel_tool_calls"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"tools": [{"type": "web_search"}]}, "tools.0"),
    ({"response_format": {"type": "grammar"}}, "response_format"),
    (
        {"response_format": {"type": "json_object"}, "documents": ["x"]},
        "response_format",
    ),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array"}}}},
        "response_format.json_schema.schema",
    ),
    (
        {"tools": [{"type": "custom", "custom": {"name": "f", "format": {"type": "grammar"}}}]},
        "tools.0.custom.format",
    ),
    (
        {"messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]},
        "messages.0.audio",
    ),
]


@pytest.mark.parametrize(("chat", "param"), DROPS)
def test_what_cohere_cannot_do_is_told(chat: Any, param: str) -> None:
    assert [loss.param for loss in to_cohere(chat)[1].drops] == [param]


def test_what_is_a_label_elsewhere_is_left_out_and_listed() -> None:
    chat = {"user": "u", "service_tier": "flex", "stream_options": {"x": 1}, "reasoning": {"a": 1}}
    body, report = to_cohere(chat)
    assert body == MINIMAL
    assert {loss.param for loss in report.omissions} == set(chat)


EFFORTS = [
    ({"reasoning_effort": "none"}, {"type": "disabled"}),
    ({"reasoning_effort": "low"}, {"type": "enabled", "token_budget": 1024}),
    ({"reasoning": {"effort": "medium"}}, {"type": "enabled", "token_budget": 8192}),
    ({"reasoning_effort": "xhigh"}, {"type": "enabled"}),
    ({"thinking": {"type": "adaptive", "display": "x"}}, {"type": "enabled"}),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning_effort": "low"},
        {"type": "enabled", "token_budget": 2000},
    ),
]


@pytest.mark.parametrize(("chat", "thinking"), EFFORTS)
def test_an_effort_becomes_a_budget(chat: Any, thinking: Any) -> None:
    body, _ = to_cohere(chat)
    assert body["thinking"] == thinking
    TypeAdapter(Thinking).validate_python(body["thinking"])


def test_an_effort_that_nobody_knows_is_left_out() -> None:
    body, report = to_cohere({"reasoning_effort": "heroic"})
    assert "thinking" not in body
    assert [loss.param for loss in report.omissions] == ["reasoning_effort"]


def function(name: str, **more: Any) -> Any:
    return {"type": "function", "function": {"name": name} | more}


CHOICES = [
    ("auto", None, ["f", "g"]),
    ("required", "REQUIRED", ["f", "g"]),
    ("none", "NONE", ["f", "g"]),
    ({"type": "function", "function": {"name": "g"}}, "REQUIRED", ["g"]),
    (
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        },
        None,
        ["f"],
    ),
    (
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [function("f"), function("g")]},
        },
        "REQUIRED",
        ["f", "g"],
    ),
]


@pytest.mark.parametrize(("choice", "word", "names"), CHOICES)
def test_a_named_tool_is_the_only_one_that_is_given(choice: Any, word: Any, names: Any) -> None:
    chat = {"tools": [function("f"), function("g")], "tool_choice": choice}
    body, report = to_cohere(chat)
    assert body.get("tool_choice") == word
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert bool(report.changes) == (len(names) == 1)
    TypeAdapter(list[ToolV2]).validate_python(body["tools"])


@pytest.mark.parametrize(
    ("strict", "told", "changes"),
    [([True, True], True, 0), ([True, None], True, 1), ([False, False], False, 0)],
)
def test_strictness_holds_for_all_tools(strict: Any, told: bool, changes: int) -> None:
    tools = [function(f"f{i}", strict=one) for i, one in enumerate(strict)]
    body, report = to_cohere({"tools": tools})
    assert body["strict_tools"] is told
    assert all("strict" not in tool["function"] for tool in body["tools"])
    assert len(report.changes) == changes


def test_the_last_tool_that_goes_takes_the_choice_with_it() -> None:
    body, _ = to_cohere({"tools": [{"type": "web_search"}], "tool_choice": "required"})
    assert body == MINIMAL


def test_a_schema_may_stand_under_its_former_name() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    doc = MINIMAL | {"response_format": {"type": "json_object", "schema": schema}}
    back = there_and_back(doc)
    assert back["response_format"] == {"type": "json_object", "json_schema": schema}
    TypeAdapter(ResponseFormatV2).validate_python(back["response_format"])
    for kind in ({"type": "text"}, {"type": "json_object"}):
        assert there_and_back(MINIMAL | {"response_format": kind})["response_format"] == kind


# ---- schemas


SCHEMAS = [
    (True, True),
    ({"properties": {"a": {}}, "type": "string"}, {"properties": {"a": {}}, "type": "string"}),
    ({"type": "integer", "minimum": 1}, {"type": "integer", "description": "minimum: 1"}),
    (
        {"type": "string", "description": "A name", "maxLength": 9, "format": "email"},
        {"type": "string", "description": 'A name (format: "email", maxLength: 9)'},
    ),
    ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    ({"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "[a-z]+"}),
    (
        {"type": "string", "pattern": "^(?=a)b"},
        {"type": "string", "description": 'pattern: "^(?=a)b"'},
    ),
    ({"oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}]}),
    ({"allOf": [{"$ref": "#/$defs/a"}], "title": "A"}, {"$ref": "#/$defs/a", "title": "A"}),
    (
        {"type": "object", "properties": {"a": {"minimum": 1}}},
        {
            "type": "object",
            "properties": {"a": {"description": "minimum: 1"}},
            "required": ["a"],
        },
    ),
    (
        {"type": "array", "items": {"minItems": 1}, "prefixItems": [{"uniqueItems": True}]},
        {
            "type": "array",
            "items": {"description": "minItems: 1"},
            "prefixItems": [{"description": "uniqueItems: true"}],
        },
    ),
    ({"$defs": {"a": {"maximum": 1}}}, {"$defs": {"a": {"description": "maximum: 1"}}}),
    (
        {"additionalProperties": {"minLength": 1}},
        {"additionalProperties": {"description": "minLength: 1"}},
    ),
]


@pytest.mark.parametrize(("schema", "pruned"), SCHEMAS)
def test_a_schema_is_pruned_to_what_cohere_enforces(schema: Any, pruned: Any) -> None:
    report = Report()
    assert schemas.pruned(schema, "s", report) == pruned
    assert bool(report.changes) == (schema != pruned)
    assert all(change.startswith("s") for change in report.changes)


@pytest.mark.parametrize("key", ["not", "allOf"])
def test_a_composition_that_cannot_be_told_is_dropped(key: str) -> None:
    report = Report()
    parts: Any = {"type": "string"} if key == "not" else [{"type": "string"}, {"type": "integer"}]
    assert schemas.pruned({"properties": {}, key: parts}, "s", report) == {"properties": {}}
    assert [loss.param for loss in report.drops] == [f"s.{key}"]


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    inner = {"minimum": {"type": "string"}, "not": {"type": "string"}}
    schema = {"type": "object", "properties": inner, "required": ["not"]}
    report = Report()
    assert schemas.pruned(schema, "s", report) is schema
    assert report.changes + report.drops == ()


# ---- what we send

TYPES: dict[str, Any] = {
    "messages": list[ChatMessageV2],
    "tools": list[ToolV2],
    "documents": list[str | Document],
    "response_format": ResponseFormatV2,
    "thinking": Thinking,
    "citation_options": CitationOptions,
}


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_every_request_that_we_send_is_of_the_vendors_types(source: Path) -> None:
    try:
        chat = DIALECTS[source.parent.name].decode_request(golden.load(source))
        # The model of some dialects stands in the path.
        body = COHERE.encode_request({"model": "m"} | chat, Report())
    except Unsupported as refused:
        assert refused.param  # noqa: PT017  some fixtures hold what Cohere cannot take
        return
    COHERE.read(body)
    known = {"stream", *inspect.signature(cohere.ClientV2.chat).parameters}
    assert body.keys() <= known
    for key in TYPES.keys() & body.keys():
        TypeAdapter(TYPES[key]).validate_json(json.dumps(body[key]))
