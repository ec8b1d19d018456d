"""Nothing is lost: a conversation that goes through another vendor's form comes back as it was."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.gemini_lab import GEMINIS_FORMS

from nexus_sdk.wire import carrier
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from pathlib import Path

LENIENT = frozenset(
    {
        "cache_control",
        "reasoning_content",
        "reasoning_blocks",
        "provider_blocks",
        "thinking",
        "reasoning",
    }
)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=3)


def same_dialect(name: str, doc: Any) -> Any:
    dialect = DIALECTS[name]
    chat = dialect.decode_request(copy.deepcopy(doc))
    return dialect.encode_request(chat, Report(accepts=LENIENT))


def included(small: Any, large: Any, path: str = "") -> None:
    """Everything in `small` is in `large`. Defaults may be added; an empty member may go."""
    if isinstance(small, dict):
        for key, value in small.items():
            if value not in (None, [], ""):
                assert key in large, f"{path}.{key} is lost"
                included(value, large[key], f"{path}.{key}")
    elif isinstance(small, list):
        assert len(small) == len(large), f"{path}: {small} and {large}"
        for place, pair in enumerate(zip(small, large, strict=True)):
            included(*pair, f"{path}.{place}")
    else:
        assert small == large, path


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_a_request_survives_its_own_dialects_codec(source: Path) -> None:
    doc = golden.load(source)
    if source.stem == "former_functions":
        return  # the codec's very purpose is to change it
    back = same_dialect(source.parent.name, doc)
    for item in doc.get("input") or () if isinstance(doc.get("input"), list) else ():
        item.pop("status", None)
    if isinstance(doc.get("input"), str):
        doc["input"] = [{"role": "user", "content": doc["input"]}]
    if source.parent.name == "openai_responses":
        doc.pop("truncation", None)
        doc["input"] = [
            {k: v for k, v in item.items() if k != "type" or v != "message"}
            for item in doc["input"]
        ]
    if source.parent.name == "openai_chat":
        plain(doc)
        plain(back)
    if source.parent.name == "gemini":
        doc = GEMINIS_FORMS[source.stem](doc)
    included(doc, back)


def plain(doc: Any) -> None:
    for message in doc["messages"]:
        content = message.get("content")
        if (
            isinstance(content, list)
            and len(content) == 1
            and content[0].keys() == {"type", "text"}
        ):
            message["content"] = content[0]["text"]


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_an_answer_survives_its_own_dialects_codec(source: Path) -> None:
    doc = golden.load(source)
    dialect = DIALECTS[source.parent.name]
    included(doc, dialect.encode_response(dialect.decode_response(doc), golden.reply(doc)))


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_an_answer_survives_a_chat_client(source: Path) -> None:
    """What a chat client is given, and sends back, makes the same answer again at its origin."""
    doc = golden.load(source)
    dialect, chat = DIALECTS[source.parent.name], DIALECTS["openai_chat"]
    given_to_client = chat.encode_response(dialect.decode_response(doc), golden.reply())
    back = chat.decode_response(json.loads(json.dumps(given_to_client)))
    included(doc, dialect.encode_response(back, golden.reply(doc)))


# ---- conversations of any kind

calls = st.lists(st.tuples(names, objects), max_size=3)
thinking = st.none() | st.tuples(words, names)


@st.composite
def anthropic_messages(draw: st.DrawFn) -> list[Any]:
    messages: list[Any] = []
    for turn in range(draw(st.integers(1, 3))):
        messages.append(
            {"role": "user", "content": draw(words | st.lists(user_blocks, min_size=1, max_size=3))}
        )
        content: list[Any] = []
        if (thought := draw(thinking)) is not None:
            content.append({"type": "thinking", "thinking": thought[0], "signature": thought[1]})
        content += [{"type": "text", "text": draw(words)}]
        made = [
            {"type": "tool_use", "id": f"toolu_{turn}_{i}", "name": name, "input": told}
            for i, (name, told) in enumerate(draw(calls))
        ]
        messages.append({"role": "assistant", "content": content + made})
        if made:
            results = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": draw(words)}
                for call in made
            ]
            messages.append(
                {"role": "user", "content": [*results, {"type": "text", "text": draw(words)}]}
            )
    return messages


user_blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, words),
    st.builds(
        lambda text: {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}, words
    ),
    st.just(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWk="}}
    ),
    st.just({"type": "image", "source": {"type": "url", "url": "https://example.com/i.png"}}),
)
tools = st.lists(
    st.builds(lambda name, schema: {"name": name, "input_schema": schema}, names, objects),
    max_size=2,
)


@given(anthropic_messages(), tools)
@settings(max_examples=150)
def test_any_anthropic_conversation_survives_the_canonical_form(messages: Any, own: Any) -> None:
    doc = {"model": "m", "max_tokens": 9, "messages": messages} | ({"tools": own} if own else {})
    assert same_dialect("anthropic", doc) == doc


@given(anthropic_messages())
@settings(max_examples=100)
def test_any_anthropic_conversation_survives_a_chat_clients_form(messages: Any) -> None:
    """Canonical messages are what a chat client holds: nothing but JSON may be needed to go
    back."""
    dialect = DIALECTS["anthropic"]
    doc = {"model": "m", "max_tokens": 9, "messages": messages}
    held = json.loads(json.dumps(dialect.decode_request(copy.deepcopy(doc))))
    assert dialect.encode_request(DIALECTS["openai_chat"].decode_request(held), Report()) == doc


@st.composite
def response_items(draw: st.DrawFn) -> list[Any]:
    items: list[Any] = []
    for turn in range(draw(st.integers(1, 3))):
        items.append({"role": "user", "content": draw(words)})
        if draw(st.booleans()):
            summary = [{"type": "summary_text", "text": draw(words)}]
            items.append(
                {
                    "type": "reasoning",
                    "id": f"rs_{turn}",
                    "summary": summary,
                    "encrypted_content": "Z0",
                }
            )
        part = {"type": "output_text", "text": draw(words), "annotations": []}
        items.append(
            {"type": "message", "id": f"msg_{turn}", "role": "assistant", "content": [part]}
        )
        made = draw(calls)
        for i, (name, told) in enumerate(made):
            call = {
                "type": "function_call",
                "id": f"fc_{turn}_{i}",
                "call_id": f"call_{turn}_{i}",
                "name": name,
            }
            items.append(call | {"arguments": json.dumps(told)})
        items += [
            {"type": "function_call_output", "call_id": f"call_{turn}_{i}", "output": draw(words)}
            for i in range(len(made))
        ]
    return items


@given(response_items())
@settings(max_examples=150)
def test_any_responses_conversation_survives_the_canonical_form(items: Any) -> None:
    back = same_dialect("openai_responses", {"model": "m", "input": items})
    for item in back["input"]:
        item.pop("status", None)
    assert back == {"model": "m", "input": items, "store": False}


bedrock_blocks = st.one_of(
    st.builds(lambda text: {"text": text}, words),
    st.builds(lambda text: {"guardContent": {"text": {"text": text}}}, words),
    st.just({"image": {"format": "png", "source": {"bytes": "aWk="}}}),
    st.just({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v"}}}}),
    st.just({"audio": {"format": "mp3", "source": {"bytes": "aWk="}}}),
)
bedrock_results = st.lists(
    st.builds(lambda text: {"text": text}, words)
    | st.builds(lambda value: {"json": value}, objects),
    min_size=1,
    max_size=2,
)
POINT = {"cachePoint": {"type": "default"}}


@st.composite
def bedrock_turns(draw: st.DrawFn) -> list[Any]:
    turns: list[Any] = []
    for turn in range(draw(st.integers(1, 3))):
        content = draw(st.lists(bedrock_blocks, min_size=1, max_size=3))
        if turns and "toolUse" in turns[-1]["content"][-1]:
            calls = [block["toolUse"] for block in turns[-1]["content"] if "toolUse" in block]
            results = [
                {"toolUseId": call["toolUseId"], "content": draw(bedrock_results)} for call in calls
            ]
            results[-1]["status"] = draw(st.sampled_from(["success", "error"]))
            content = [{"toolResult": result} for result in results] + content
        turns.append({"role": "user", "content": content + draw(st.sampled_from([[], [POINT]]))})
        answer: list[Any] = []
        if (thought := draw(thinking)) is not None:
            told: Any = {"text": thought[0]} | ({"signature": thought[1]} if thought[1] else {})
            answer.append({"reasoningContent": {"reasoningText": told}})
        if draw(st.booleans()):
            answer.append({"reasoningContent": {"redactedContent": "ZGF0YQ=="}})
        answer.append({"text": draw(words)})
        if draw(st.booleans()):
            citation = {"title": draw(words), "location": {"documentChar": {"start": 1, "end": 2}}}
            cited = {"content": [{"text": draw(words)}], "citations": [citation]}
            answer.append({"citationsContent": cited})
        answer += [
            {"toolUse": {"toolUseId": f"tooluse_{turn}_{i}", "name": name, "input": told}}
            for i, (name, told) in enumerate(draw(calls_made))
        ]
        turns.append({"role": "assistant", "content": answer})
    return turns


calls_made = calls
fields = st.fixed_dictionaries(
    {},
    optional={
        "system": st.lists(st.builds(lambda text: {"text": text}, words), min_size=1, max_size=2),
        "inferenceConfig": st.just({"maxTokens": 5, "topP": 0.5, "stopSequences": ["x"]}),
        "guardrailConfig": st.just({"guardrailIdentifier": "g", "guardrailVersion": "1"}),
        "serviceTier": st.sampled_from([{"type": "flex"}, {"type": "reserved"}]),
        "requestMetadata": st.just({"team": "a"}),
        "performanceConfig": st.just({"latency": "optimized"}),
        "additionalModelRequestFields": objects.filter(bool)
        | st.sampled_from(
            [
                {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 4},
                {"reasoning_config": "high"},
                {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
                {"output_config": {"effort": "high"}},
            ]
        ),
        "outputConfig": st.just({"effort": "max"}),
    },
)


@given(bedrock_turns(), fields)
@settings(max_examples=150)
def test_any_bedrock_conversation_survives_the_canonical_form(turns: Any, more: Any) -> None:
    doc = {"messages": turns} | more
    report = Report()
    held = json.loads(json.dumps(DIALECTS["bedrock"].decode_request(copy.deepcopy(doc))))
    back = DIALECTS["bedrock"].encode_request(held, report)
    calls = any("toolUse" in block for turn in turns for block in turn["content"])
    if calls:
        assert report.changes == ("tools: absent->those that the conversation calls",)
        back.pop("toolConfig")
    assert back == doc
    assert (report.drops, report.omissions) == ((), ())


# ---- reasoning through another vendor's client

THOUGHT = {"type": "thinking", "thinking": "Add them.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Add them."}],
    "encrypted_content": "Z0FB",
}


SIGNED = {"type": "reasoningText", "text": "Add them.", "signature": "c2ln"}
SEALED = {"type": "redactedContent", "data": "ZGF0YQ=="}
ON_BEDROCK: Any = {
    "reasoningText": {"reasoningText": {"text": "Add them.", "signature": "c2ln"}},
    "redactedContent": {"redactedContent": "ZGF0YQ=="},
}


@pytest.mark.parametrize(
    ("origin", "block", "client"),
    [
        ("anthropic", THOUGHT, "openai_responses"),
        ("anthropic", HIDDEN, "openai_responses"),
        ("openai_responses", ITEM, "anthropic"),
        ("anthropic", THOUGHT, "bedrock"),
        ("anthropic", HIDDEN, "bedrock"),
        ("openai_responses", ITEM, "bedrock"),
        ("bedrock", SIGNED, "anthropic"),
        ("bedrock", SEALED, "anthropic"),
        ("bedrock", SIGNED, "openai_responses"),
        ("bedrock", SEALED, "openai_responses"),
        ("anthropic", THOUGHT, "gemini"),
        ("anthropic", HIDDEN, "gemini"),
        ("openai_responses", ITEM, "gemini"),
    ],
)
def test_reasoning_comes_back_through_another_vendors_client(
    origin: str, block: Any, client: str
) -> None:
    message: Any = {"role": "assistant", "content": "4"}
    message["reasoning_content"] = carrier.text_of(block)
    message["reasoning_blocks"] = [{"origin": origin, "block": block}]
    chat = {
        "id": "a",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    shown = DIALECTS[client].encode_response(chat, golden.reply())
    chat = {"model": "m"} | DIALECTS[client].decode_request(asked_again(client, shown))
    body = DIALECTS[origin].encode_request(chat, Report())
    if origin == "anthropic":
        assert body["messages"][1]["content"][0] == block
    elif origin == "bedrock":
        assert body["messages"][1]["content"][0] == {"reasoningContent": ON_BEDROCK[block["type"]]}
    else:
        assert body["input"][1] == block


def asked_again(client: str, shown: Any) -> Any:
    """What a client sends next, with the answer that it was shown."""
    question: Any = {"role": "user", "content": "2+2"}
    if client == "openai_responses":
        return {"model": "m", "input": [question, *shown["output"]]}
    if client == "bedrock":
        question = {"role": "user", "content": [{"text": "2+2"}]}
        return {"messages": [question, shown["output"]["message"]]}
    if client == "gemini":
        turn = shown["candidates"][0]["content"]
        return {"contents": [{"role": "user", "parts": [{"text": "2+2"}]}, turn]}
    answer = {"role": "assistant", "content": shown["content"]}
    return {"model": "m", "max_tokens": 9, "messages": [question, answer]}


@pytest.mark.parametrize("client", ["anthropic", "openai_responses", "bedrock", "gemini"])
def test_a_switch_to_the_clients_own_vendor_leaves_foreign_reasoning_out(client: str) -> None:
    """What stays in the client's own form passes untouched, so it must not hold what that vendor
    did not make."""
    entry = {"origin": "x", "block": THOUGHT}
    message = {
        "role": "assistant",
        "content": "4",
        "reasoning_content": "Add them.",
        "reasoning_blocks": [entry],
    }
    chat = {
        "id": "a",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    shown = DIALECTS[client].encode_response(chat, golden.reply())
    report = Report()
    if client == "anthropic":
        doc = {
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": shown["content"]},
            ]
        }
        kept = DIALECTS[client].strip_foreign(doc, report)["messages"][1]["content"]
        assert kept == [{"type": "text", "text": "4"}]
    elif client == "bedrock":
        doc = asked_again(client, shown)
        assert DIALECTS[client].strip_foreign(doc, report)["messages"][1]["content"] == [
            {"text": "4"}
        ]
    elif client == "gemini":
        doc = {"contents": [shown["candidates"][0]["content"]]}
        assert DIALECTS[client].strip_foreign(doc, report)["contents"] == [
            {"role": "model", "parts": [{"text": "4"}]}
        ]
    else:
        kept = DIALECTS[client].strip_foreign({"input": shown["output"]}, report)["input"]
        assert [(item["type"], "id" in item) for item in kept] == [("message", False)]
    assert len(report.omissions) == 1


def test_our_own_blocks_leave_a_chat_request_that_goes_to_openai() -> None:
    doc = golden.load(golden.ROOT / "requests/openai_chat/replayed_reasoning.json")
    report = Report()
    kept = DIALECTS["openai_chat"].strip_foreign(doc, report)
    assert kept["messages"][1].keys() == {"role", "content", "reasoning_content"}
    assert [loss.param for loss in report.omissions] == ["messages.1.reasoning_blocks"]


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_a_request_without_foreign_parts_is_left_the_same_object(source: Path) -> None:
    if source.stem == "replayed_reasoning":
        return
    doc = golden.load(source)
    report = Report()
    assert DIALECTS[source.parent.name].strip_foreign(doc, report) is doc
    assert report.omissions == ()


# ---- the carrier


@given(words, words)
def test_a_packed_block_is_unpacked(text: str, signature: str) -> None:
    block = {"type": "thinking", "thinking": text, "signature": signature}
    told = {"origin": "anthropic", "block": block}
    assert carrier.unpack(carrier.pack(told), text) == told


@given(values, values, values, words)
def test_whatever_a_token_holds_it_is_a_block_or_none(
    origin: Any, form: Any, kept: Any, text: str
) -> None:
    shape = {"summary": form, "content": kept}
    for told in ([origin, form, kept], [origin, shape, {"type": form}], ["a", shape, {}], form):
        token = carrier.PREFIX + base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        back = carrier.unpack(token, text)
        assert back is None or isinstance(back["block"], dict)


def test_an_items_parts_are_cut_again_as_they_were() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": text} for text in ("One", "", "Two\n\n3")],
        "content": None,
        "encrypted_content": "Z0",
        "status": None,
    }
    told = {"origin": "openai_responses", "block": item}
    assert carrier.unpack(carrier.pack(told), carrier.text_of(item)) == told
    changed = carrier.unpack(carrier.pack(told), "Another text")
    assert changed is not None
    assert changed["block"]["summary"] == [{"type": "summary_text", "text": "Another text"}]


def test_the_readable_text_is_never_packed() -> None:
    token = carrier.pack({"origin": "anthropic", "block": THOUGHT | {"note": "secret words"}})
    back = carrier.unpack(token, "other")
    assert back == {"origin": "anthropic", "block": THOUGHT | {"thinking": "other"}}


@pytest.mark.parametrize(
    "token",
    [
        "c2ln",
        "nexus.1.!!",
        "nexus.1.bm90IGpzb24=",
        "nexus.1.MQ==",
        "nexus.1.WzFd",
        "nexus.1." + base64.urlsafe_b64encode(b'["a","thinking",{"text":"hidden"}]').decode(),
        "nexus.1." + base64.urlsafe_b64encode(b'["a","thinking",{"signature":{"a":1}}]').decode(),
        "nexus.1." + base64.urlsafe_b64encode(b'[1,"thinking",{}]').decode(),
        "nexus.1."
        + base64.urlsafe_b64encode(b'["a","thinking",{"id":"' + b"x" * 200 + b'"}]').decode(),
    ],
)
def test_a_token_that_we_did_not_make_is_no_block(token: str) -> None:
    assert carrier.unpack(token, "text") is None
