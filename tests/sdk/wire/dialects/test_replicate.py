"""Replicate's predictions: requests and answers both ways, streams one way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.cutting import cuts
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects.dialect_golden import USER, user

from nexus_sdk.errors import Blocked, Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialect import ErrorFacts, Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.dialects.replicate import words
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.sse import Decoder, StreamEvent
from nexus_sdk.wire.texts import leaves

if TYPE_CHECKING:
    from pathlib import Path

REPLICATE = DIALECTS["replicate"]
LLAMA = "meta/meta-llama-3.1-405b-instruct"
MINIMAL: dict[str, Any] = {"version": LLAMA, "input": {"prompt": "hi"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}


def asked(chat: Any, model: str = LLAMA) -> tuple[Any, Report]:
    report = Report()
    body = REPLICATE.encode_request({"model": model, "messages": USER} | chat, report)
    return body, report


# ---- goldens


@pytest.mark.parametrize("source", golden.cases("predictions/requests"), ids=golden.name)
def test_a_prediction_reaches_another_upstream_as_its_golden_says(
    source: Path, *, regen: bool
) -> None:
    REPLICATE.read(golden.load(source))
    for target in golden.CHATS:
        report = Report()
        chat = REPLICATE.decode_request(golden.load(source))
        try:
            body = DIALECTS[target].encode_request(chat, report)
        except Unsupported as refused:
            told: dict[str, Any] = {"refused": refused.message, "param": refused.param}
        else:
            told = {"body": body, "changes": report.changes, "drops": report.drops}
            told["omissions"] = report.omissions
        golden.check(source, target, golden.pretty(told), regen=regen)


@pytest.mark.parametrize("source", golden.cases("predictions/requests"), ids=golden.name)
def test_a_prediction_survives_its_own_codec(source: Path) -> None:
    report = Report()
    doc = golden.load(source)
    assert REPLICATE.encode_request(REPLICATE.decode_request(doc), report) == golden.load(source)
    assert (report.changes, report.drops, report.omissions) == ((), (), ())


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_every_conversation_is_told_or_refused(source: Path, *, regen: bool) -> None:
    """What other dialects' requests become here, with all that is reported."""
    chat = DIALECTS[source.parent.name].decode_request(golden.load(source))
    told: dict[str, Any] = {}
    for model in (LLAMA, "openai/gpt-4o", "anthropic/claude-4-sonnet"):
        report = Report()
        try:
            body = REPLICATE.encode_request(chat | {"model": model}, report)
            told[model] = {"body": body, "changes": report.changes, "drops": report.drops}
            told[model]["omissions"] = report.omissions
        except Unsupported as err:
            told[model] = {"refused": err.message, "param": err.param}
    folder = golden.ROOT / "predictions" / "from_others"
    golden.check(
        folder / f"{golden.name(source)}.json", "replicate", golden.pretty(told), regen=regen
    )


@pytest.mark.parametrize("source", golden.cases("predictions/answers"), ids=golden.name)
def test_a_predictions_answer_reaches_another_client_as_its_golden_says(
    source: Path, *, regen: bool
) -> None:
    chat = REPLICATE.decode_response(golden.load(source))
    for target in golden.CHATS:
        body = DIALECTS[target].encode_response(chat, golden.reply())
        golden.check(source, target, golden.pretty(body), regen=regen)


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_another_vendors_answer_becomes_a_prediction(source: Path) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    if chat["choices"][0]["message"].get("tool_calls"):
        with pytest.raises(UpstreamFailed, match="tools"):
            REPLICATE.encode_response(chat, golden.reply(MINIMAL))
        return
    body = REPLICATE.encode_response(chat, golden.reply(MINIMAL))
    back = REPLICATE.decode_response(body)
    assert (body["status"], body["error"], body["input"]) == ("succeeded", None, {"prompt": "hi"})
    assert REPLICATE.usage(body) == DIALECTS["openai_chat"].usage(back)
    message = chat["choices"][0]["message"]
    said = message.get("content") or message.get("refusal") or ""
    assert back["choices"][0]["message"]["content"] == said


# ---- requests


FACTS: list[tuple[Any, Facts]] = [
    ({}, Facts(LLAMA)),
    ({"version": None, "model": "a/b"}, Facts("a/b")),
    ({"version": None}, Facts("")),
    ({"input": {"prompt": "x", "max_tokens": 5}}, Facts(LLAMA, max_output_tokens=5)),
    ({"input": {"prompt": "x", "max_output_tokens": 6}}, Facts(LLAMA, max_output_tokens=6)),
    ({"input": {"prompt": "x", "temperature": 0}}, Facts(LLAMA, deterministic=True)),
    ({"input": {"prompt": "x", "seed": 0}}, Facts(LLAMA, deterministic=True)),
    ({"input": {"messages": USER}}, Facts(LLAMA)),
]


@pytest.mark.parametrize(("more", "facts"), FACTS)
def test_the_facts_of_a_prediction(more: Any, facts: Facts) -> None:
    assert REPLICATE.read(MINIMAL | more) == facts


BAD: list[tuple[Any, str]] = [
    ({"input": None}, "input"),
    ({"input": {}}, "input.prompt"),
    ({"input": {"prompt": 4}}, "input.prompt"),
    ({"input": {"prompt": "x", "max_tokens": -1}}, "input.max_tokens"),
    ({"input": {"prompt": "x", "messages": 4}}, "input.messages"),
    ({"input": {"prompt": "x", "image": "a secret"}}, "input.image"),
    ({"input": {"prompt": "x", "image_input": ["a secret"]}}, "input.image_input"),
    ({"version": 4}, "version"),
    ({"stream": True}, "stream"),
    ({"stream": "yes"}, "stream"),
]


@pytest.mark.parametrize(("more", "param"), BAD)
def test_a_prediction_of_the_wrong_shape_is_refused_by_name(more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        REPLICATE.read(MINIMAL | more)
    assert refused.value.param == param


@pytest.mark.parametrize("doc", [None, [], "text", 4])
def test_a_body_that_is_no_object_is_refused(doc: Any) -> None:
    with pytest.raises(Malformed, match="object"):
        REPLICATE.read(doc)


def test_two_keys_that_a_lenient_reader_takes_for_one_are_refused() -> None:
    for doc in (MINIMAL | {"Input": {}}, {"input": {"prompt": "x", "PROMPT": "y"}}):
        with pytest.raises(Malformed, match="alike"):
            REPLICATE.read(doc)
    assert len({key.casefold() for key in words.KNOWN}) == len(words.KNOWN)


def test_every_text_of_a_prediction_is_seen_and_nothing_else() -> None:
    doc = {
        "version": LLAMA,
        "input": {
            "prompt": "one",
            "system_prompt": "two",
            "messages": [{"role": "user", "content": "three"}],
            "image": "data:image/png;base64,aWk=",
            "image_input": ["data:image/png;base64,aWk="],
            "anything": ["four"],
        },
    }
    assert [leaf.text for leaf in leaves(doc, REPLICATE.text)] == ["one", "two", "three", "four"]
    answer = {"id": "x", "status": "succeeded", "output": ["five"], "urls": {"get": "https://x"}}
    assert [leaf.text for leaf in leaves(answer, REPLICATE.text)] == ["five"]


def test_messages_may_be_written_as_json() -> None:
    doc = {"version": "openai/gpt-4o", "input": {"messages": json.dumps(USER)}}
    REPLICATE.read(doc)
    assert REPLICATE.decode_request(doc)["messages"] == USER
    for bad in ("[", "{}", "[]", "[4]"):
        with pytest.raises(Malformed, match="messages"):
            REPLICATE.decode_request({"input": {"messages": bad}})


@pytest.mark.parametrize("key", ["webhook", "webhook_events_filter"])
def test_an_answer_goes_to_the_caller_alone(key: str) -> None:
    with pytest.raises(Unsupported) as refused:
        REPLICATE.decode_request(MINIMAL | {key: "https://x"})
    assert refused.value.param == key


TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a fish."},
    {"role": "assistant", "content": "Pike."},
    {"role": "user", "content": "Another?"},
]


def test_a_conversation_is_a_transcript_for_models_that_take_one_prompt() -> None:
    body, report = asked({"messages": TURNS})
    assert body["input"] == {
        "system_prompt": "Be brief.",
        "prompt": "User: Name a fish.\n\nAssistant: Pike.\n\nUser: Another?\n\nAssistant:",
    }
    assert report.changes == ("messages->prompt (a transcript)",)


def test_a_conversation_is_one_for_models_that_take_messages() -> None:
    body, report = asked({"messages": TURNS}, "openai/gpt-4o")
    assert body["input"] == {"messages": TURNS}
    assert report.changes == ()


def test_an_answer_that_was_begun_goes_on() -> None:
    begun = [*USER, {"role": "assistant", "content": "Well,"}]
    assert asked({"messages": begun})[0]["input"]["prompt"] == "User: hi\n\nAssistant: Well,"


def test_each_owners_words_are_used() -> None:
    chat = {"max_tokens": 9, "temperature": 0.5, "messages": [TURNS[0], *USER]}
    assert asked(chat, "google/gemini-2.5-flash")[0]["input"] == {
        "max_output_tokens": 9,
        "temperature": 0.5,
        "system_instruction": "Be brief.",
        "prompt": "hi",
    }
    body, report = asked(chat, "anthropic/claude-4-sonnet")
    assert body["input"] == {"max_tokens": 9, "system_prompt": "Be brief.", "prompt": "hi"}
    assert [loss.param for loss in report.drops] == ["temperature"]


def test_stop_sequences_are_one_text_with_commas() -> None:
    assert asked({"stop": ["a", "b"]})[0]["input"]["stop_sequences"] == "a,b"
    assert asked({"stop": "a"})[0]["input"]["stop_sequences"] == "a"
    for chat, model in (({"stop": ["a,b"]}, LLAMA), ({"stop": "a"}, "openai/gpt-4o")):
        assert [loss.param for loss in asked(chat, model)[1].drops] == ["stop"]


DROPPED: list[dict[str, Any]] = [
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"n": 2},
    {"seed": 7},
    {"logprobs": True},
    {"response_format": {"type": "json_object"}},
    {"modalities": ["text", "audio"]},
]


@pytest.mark.parametrize("more", DROPPED)
def test_what_predictions_cannot_do_is_reported_by_name(more: Any) -> None:
    body, report = asked(more)
    assert [loss.param for loss in report.drops] == list(more)
    assert not body["input"].keys() & more.keys()


def test_what_asks_for_nothing_is_not_reported() -> None:
    chat = {"n": 1, "tools": [], "logit_bias": {}, "response_format": {"type": "text"}}
    report = asked(chat | {"stream_options": {"include_usage": True}})[1]
    assert (report.drops, report.omissions) == ((), ())


def test_unknown_members_are_inputs_and_a_stream_is_asked_for() -> None:
    body, _ = asked({"min_tokens": 3, "stream": True})
    assert body == {
        "version": LLAMA,
        "input": {"prompt": "hi", "min_tokens": 3},
        "stream": True,
    }


REFUSED: list[tuple[str, Any, str]] = [
    (LLAMA, user(IMAGE), "messages.0.content.0"),
    ("openai/gpt-4o", user({"type": "file", "file": {}}), "messages.0.content.0"),
    ("anthropic/claude-4-sonnet", [*user(IMAGE), *user(IMAGE)], "messages"),
    (LLAMA, [*USER, {"role": "tool", "tool_call_id": "c", "content": "x"}], "messages.1"),
    (
        LLAMA,
        [
            *USER,
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
            },
        ],
        "messages.1",
    ),
]


@pytest.mark.parametrize(("model", "messages", "param"), REFUSED)
def test_content_that_a_model_cannot_take_is_refused_by_its_address(
    model: str, messages: Any, param: str
) -> None:
    with pytest.raises(Unsupported) as refused:
        asked({"messages": messages}, model)
    assert refused.value.param == param


def test_images_go_where_the_owner_has_them() -> None:
    message = [{"role": "user", "content": [{"type": "text", "text": "hi"}, IMAGE]}]
    wanted: dict[str, Any] = {
        "openai/gpt-4o": {"image_input": ["https://x/y.png"]},
        "google/gemini-2.5-flash": {"images": ["https://x/y.png"]},
        "anthropic/claude-4-sonnet": {"image": "https://x/y.png"},
    }
    for model, images in wanted.items():
        assert asked({"messages": message}, model)[0]["input"] == images | {"prompt": "hi"}


def test_what_a_turn_has_beside_its_text_is_told() -> None:
    marked = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}}
    message = {"role": "user", "name": "eve", "content": [marked, image]}
    omitted = asked({"messages": [message]}, "openai/gpt-4o")[1].omissions
    assert [loss.param for loss in omitted] == [
        "messages.0.name",
        "messages.0.content.0.cache_control",
        "messages.0.content.1.image_url.detail",
    ]


def test_the_items_of_anothers_tools_are_dropped_by_name() -> None:
    entry = {"origin": "anthropic", "block": {"type": "server_tool_use"}}
    turn = {"role": "assistant", "content": "a", "provider_blocks": [entry]}
    drops = asked({"messages": [*USER, turn, *USER]})[1].drops
    assert [loss.param for loss in drops] == ["messages.1.provider_blocks"]


def test_anothers_reasoning_is_left_out_and_told() -> None:
    replayed = [*USER, {"role": "assistant", "content": "a", "reasoning_content": "hm"}, *USER]
    omitted = asked({"messages": replayed})[1].omissions
    assert [loss.param for loss in omitted] == ["messages.1.reasoning_content"]


def test_a_prediction_goes_on_to_replicate_as_it_is() -> None:
    assert REPLICATE.strip_foreign(MINIMAL, Report()) is MINIMAL


# ---- answers


def test_the_accounts_own_addresses_stay_with_it() -> None:
    (pieces,) = (path for path in golden.cases("predictions/answers") if path.stem == "pieces")
    assert "api.replicate.com" in pieces.read_text("utf-8")
    assert "api.replicate.com" not in json.dumps(REPLICATE.decode_response(golden.load(pieces)))


@pytest.mark.parametrize("status", ["failed", "canceled", "aborted"])
def test_a_prediction_that_ended_badly_is_no_answer(status: str) -> None:
    with pytest.raises(UpstreamFailed, match="CUDA") as failed:
        REPLICATE.decode_response({"status": status, "error": "CUDA out of memory"})
    assert failed.value.code == f"prediction_{status}"
    with pytest.raises(UpstreamFailed, match=status):
        REPLICATE.decode_response({"status": status, "error": None})


@pytest.mark.parametrize(
    "doc",
    [
        None,
        [],
        {},
        {"status": "processing", "output": ["half"]},
        {"status": "starting"},
        {"status": "succeeded", "output": None},
    ],
)
def test_a_prediction_without_an_end_or_an_output_is_no_answer(doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        REPLICATE.decode_response(doc)


def test_an_output_may_be_one_text_and_counts_may_be_missing() -> None:
    chat = REPLICATE.decode_response({"id": "x", "status": "succeeded", "output": "Zander"})
    assert chat["choices"][0]["message"]["content"] == "Zander"
    assert "usage" not in chat
    assert REPLICATE.encode_response(chat, golden.reply(MINIMAL))["metrics"] == {}


USAGES: list[tuple[Any, Usage | None]] = [
    ({"metrics": {"input_token_count": 14, "output_token_count": 3}}, Usage(14, 3)),
    ({"metrics": {"output_token_count": 3}}, Usage(0, 3)),
    ({"metrics": {"predict_time": 1.5}}, None),
    ({"metrics": None}, None),
]


@pytest.mark.parametrize(("doc", "usage"), USAGES)
def test_tokens_are_counted_in_the_metrics(doc: Any, usage: Usage | None) -> None:
    assert REPLICATE.usage(doc) == usage


def test_errors_are_told_with_title_and_detail() -> None:
    err = Malformed("no such n", param="n")
    assert REPLICATE.encode_error(err, "req_1") == {
        "title": "invalid_request_error",
        "detail": "no such n",
        "status": 400,
        "code": "malformed_request",
        "request_id": "req_1",
        "param": "n",
    }
    assert REPLICATE.encode_error(Blocked("no", rules=["r"]), "req_1")["rules"] == ["r"]
    assert REPLICATE.relay_error(ErrorFacts(422, "no", "t"), "req_1") == {
        "title": "t",
        "detail": "no",
        "status": 422,
        "request_id": "req_1",
    }
    told = REPLICATE.decode_error(
        422, b'{"title":"Invalid","detail":"no such version","status":422}'
    )
    assert (told.status, told.message) == (422, "no such version")


# ---- streams


def events(raw: list[bytes]) -> list[StreamEvent]:
    """As the pipeline hands them over: text has no document."""
    decoder = Decoder(REPLICATE.plain)
    told = [event for piece in raw for event in decoder.feed(piece)] + decoder.close()
    for event in told:
        if event.name not in REPLICATE.plain:
            event.doc = orjson.loads(event.data)
    return told


STREAM = golden.cases("predictions/streams")[0]
SAID = 'A pike is a fish.\n {"error": "none, it is “Hecht”"}'


def test_a_stream_is_the_same_however_it_was_cut() -> None:
    for pieces in cuts(STREAM.read_bytes()):
        chunks = golden.chunks("replicate", events(list(pieces)))
        answer = golden.merged(chunks)["choices"][0]
        assert answer["message"] == {"role": "assistant", "content": SAID}
        assert answer["finish_reason"] == "stop"


def test_a_stream_reaches_another_client_as_its_golden_says(*, regen: bool) -> None:
    told = golden.chunks("replicate", events([STREAM.read_bytes()]))
    for target in golden.CHATS:
        text = golden.wire(golden.encoded(target, told)).decode()
        golden.check(STREAM, target, text, regen=regen)


def test_only_done_and_errors_end_a_stream() -> None:
    told = events([STREAM.read_bytes()])
    assert [event.name for event in told if REPLICATE.terminal(event)] == ["done"]
    assert [REPLICATE.stream_error(event) for event in told] == [None] * len(told)


ENDS: list[tuple[bytes, str, str]] = [
    (b'event: done\ndata: {"reason": "canceled"}\n\n', "canceled", "prediction_canceled"),
    (b'event: done\ndata: {"reason": "error"}\n\n', "failed", "prediction_failed"),
    (b'event: error\ndata: {"detail": "out of memory"}\n\n', "out of memory", "upstream_failed"),
]


@pytest.mark.parametrize(("raw", "said", "code"), ENDS)
def test_a_stream_that_ended_badly_says_why(raw: bytes, said: str, code: str) -> None:
    (event,) = events([raw])
    error = REPLICATE.stream_error(event)
    assert error is not None
    assert said in error.message
    assert error.code == code
    assert REPLICATE.terminal(event)


def test_a_prediction_has_no_stream_of_its_own_here() -> None:
    for refused in (
        lambda: REPLICATE.stream_encoder(golden.reply(MINIMAL)),
        lambda: REPLICATE.slots({}, "output"),
    ):
        with pytest.raises(Unsupported, match="address of its own"):
            refused()
