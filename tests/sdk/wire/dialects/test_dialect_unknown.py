"""What is newer than our tables: events, deltas, blocks and parts that no dialect knows yet. In
their own dialect they travel; to others they are told or refused with a parameter; nothing ever
crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.ten_turns import ORIGINS, stream
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import CHATS, MINIMAL

from nexus_sdk.errors import Malformed, NexusError, Unsupported
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.shape import MISSHAPEN

names = st.sampled_from(
    ["type", "index", "id", "delta", "text", "item", "part", "message", "content", "usage", "role"]
) | st.from_regex(r"[a-z_]{1,9}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, values, max_size=4)
kinds = st.from_regex(r"(response\.)?brand_new[a-z_.]{0,8}", fullmatch=True)


def passed(source: str, target: str, events: list[Any]) -> list[Any]:
    """The events of `target` that a caller gets for these of `source`."""
    return golden.encoded(target, golden.chunks(source, events))


def said(source: str) -> list[Any]:
    told = [event(name, doc) for name, doc in stream(source, ORIGINS[source](2))]
    return golden.events(golden.wire(told))


@pytest.mark.parametrize("source", ["bedrock", "cohere"])
def test_an_unknown_event_travels_in_dialects_of_aws_and_cohere_too(source: str) -> None:
    usual = passed("anthropic", "cohere", said("anthropic")) if source == "cohere" else said(source)
    events = golden.events(golden.wire(usual))
    doc = {"type": "brand-new", "a": 1}
    told = passed(source, source, [*events[:3], event("brand-new", doc), *events[3:]])
    assert [one.doc for one in told if one.name == "brand-new"] == [doc]
    for target in set(CHATS) - {source}:
        with_it = passed(source, target, [*events[:3], event("brand-new", doc), *events[3:]])
        assert [one.data for one in with_it] == [one.data for one in passed(source, target, events)]


def test_geminis_last_event_may_hold_counts_alone() -> None:
    *first, (name, last) = stream("gemini", ORIGINS["gemini"](1))
    counts = {"usageMetadata": last.pop("usageMetadata")}
    events = golden.events(
        golden.wire([event(*one) for one in [*first, (name, last), ("", counts)]])
    )
    answer = golden.merged(golden.chunks("gemini", events))
    assert answer["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize("source", ["anthropic", "openai_responses"])
@given(kind=kinds, more=objects, place=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_an_unknown_event_travels_in_its_dialect_and_hurts_no_other(
    source: str, kind: str, more: Any, place: int
) -> None:
    doc = {key: value for key, value in more.items() if key != "index"} | {"type": kind}
    events = said(source)
    events.insert(1 + place % (len(events) - 1), event(kind, doc))
    own = [json.loads(told.data) for told in passed(source, source, events)]
    found = [told for told in own if told["type"] == kind]
    assert len(found) == 1
    assert doc.items() <= found[0].items()
    for target in CHATS:
        if target != source:
            without = [told.data for told in passed(source, target, said(source))]
            assert [told.data for told in passed(source, target, events)] == without


@given(more=objects, words=st.lists(st.text(max_size=4), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_an_unknown_block_and_its_deltas_travel_in_anthropics_dialect(
    more: Any, words: list[str]
) -> None:
    """Pieces of text under one name are joined."""
    block = {key: value for key, value in more.items() if key != "note"} | {"type": "brand_new"}
    deltas = [{"type": "brand_new_delta", "note": word} for word in words]
    docs: list[Any] = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": told} for told in deltas),
        {"type": "content_block_stop", "index": 0},
    ]
    start, *rest = said("anthropic")
    given_events = [start, *(event(doc["type"], doc) for doc in docs), *rest[-2:]]
    own = [json.loads(told.data) for told in passed("anthropic", "anthropic", given_events)]
    begun = [told["content_block"] for told in own if told["type"] == "content_block_start"]
    assert begun == [block | {"note": "".join(words)}]
    for target in CHATS:
        passed("anthropic", target, given_events)


@pytest.mark.parametrize("source", [*ORIGINS])
@given(place=st.integers(0, 50), more=objects, data=st.data())
@settings(max_examples=80, deadline=None)
def test_members_that_are_new_anywhere_in_a_stream_hurt_nobody(
    source: str, place: int, more: Any, data: st.DataObject
) -> None:
    told = stream(source, ORIGINS[source](1))
    name, doc = told[place % len(told)]
    inner = data.draw(st.sampled_from([key for key in doc if isinstance(doc[key], dict)] or [""]))
    fresh = {f"new_{key}": value for key, value in more.items()}
    told[place % len(told)] = (name, doc | ({inner: doc[inner] | fresh} if inner else fresh))
    events = golden.events(golden.wire([event(*one) for one in told]))
    for target in CHATS:
        assert passed(source, target, events)


WHERE: dict[str, Any] = {
    "openai_chat": lambda part: {"messages": [{"role": "user", "content": [part]}]},
    "openai_responses": lambda part: {"input": [{"role": "user", "content": [part]}]},
    "anthropic": lambda part: {"messages": [{"role": "user", "content": [part]}]},
    "cohere": lambda part: {"messages": [{"role": "user", "content": [part]}]},
    "bedrock": lambda part: {"messages": [{"role": "user", "content": [part]}]},
    "gemini": lambda part: {"contents": [{"role": "user", "parts": [part]}]},
}


@pytest.mark.parametrize("source", CHATS)
@given(kind=st.sampled_from(["brand_new", "brand_new_call"]), more=objects)
@settings(max_examples=60, deadline=None)
def test_an_unknown_part_of_a_request_is_told_or_refused_and_never_a_crash(
    source: str, kind: str, more: Any
) -> None:
    part = {kind: more} if source in {"bedrock", "gemini"} else more | {"type": kind}
    doc = MINIMAL[source] | WHERE[source](part)
    dialect = DIALECTS[source]
    assert dialect.strip_foreign(doc, Report()) is doc
    for target in CHATS:
        report = Report()
        try:
            chat = {"model": "m"} | dialect.decode_request(json.loads(json.dumps(doc)))
            DIALECTS[target].encode_request(chat, report)
            told = bool(report.drops or report.omissions or report.changes)
        except (Malformed, Unsupported) as refused:
            told = bool(refused.param)
        assert told


@pytest.mark.parametrize("source", CHATS)
@given(told=objects | values)
@settings(max_examples=60, deadline=None)
def test_an_answer_of_any_shape_is_read_or_refused(source: str, told: Any) -> None:
    for target in CHATS:
        try:
            chat = DIALECTS[source].decode_response(told)
        except (NexusError, *MISSHAPEN):
            return
        DIALECTS[target].encode_response(chat, golden.reply())
