"""Cohere's client through a sidecar: version 2 of its API."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import cohere
import pytest
from cohere.core.api_error import ApiError
from tests.sidecar.clients.doors import (
    ANSWER,
    BEGUN,
    CALL,
    DIMENSIONS,
    EMBEDDERS,
    FORBIDDEN,
    LOOK_UP,
    OPENAI,
    PNG,
    PNG_BASE64,
    SAID,
    SOMEBODY,
    TELLTALE,
    UPSTREAMS,
    Person,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sidecar.clients.doors import Doors

TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "parameters": LOOK_UP}}]
ONCE: Any = {"max_retries": 0}


def user(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def client_of(doors: Doors, key: str = "good") -> cohere.ClientV2:
    return cohere.ClientV2(api_key=doors.keys.get(key, key), base_url=doors.url)


@pytest.fixture
def client(doors: Doors) -> Iterator[cohere.ClientV2]:
    with client_of(doors) as made:
        yield made


def text(got: Any) -> str:
    return "".join(item.text for item in got.message.content)


def streamed_text(events: list[Any]) -> str:
    deltas = [event.delta.message.content for event in events if event.type == "content-delta"]
    return "".join(content.text for content in deltas)


@UPSTREAMS
def test_chat(client: cohere.ClientV2, model: str) -> None:
    got = client.chat(model=model, messages=user(SAID))
    assert text(got) == ANSWER
    assert got.finish_reason == "COMPLETE"
    assert got.usage is not None
    assert got.usage.tokens is not None
    assert got.usage.tokens.input_tokens
    assert got.usage.tokens.output_tokens


@UPSTREAMS
def test_chat_stream(client: cohere.ClientV2, model: str) -> None:
    events: list[Any] = list(client.chat_stream(model=model, messages=user(SAID)))
    kinds = [event.type for event in events]
    assert streamed_text(events) == ANSWER
    assert kinds.count("content-delta") > 2
    assert (kinds[0], kinds[-1]) == ("message-start", "message-end")
    assert events[-1].delta.finish_reason == "COMPLETE"
    assert events[-1].delta.usage.tokens.output_tokens > 0


@UPSTREAMS
def test_from_tasks(doors: Doors, model: str) -> None:
    async def ask() -> tuple[str, str]:
        async with cohere.AsyncClientV2(api_key=doors.key, base_url=doors.url) as client:
            got = await client.chat(model=model, messages=user(SAID))
            streamed = client.chat_stream(model=model, messages=user(SAID))
            return text(got), streamed_text([event async for event in streamed])

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@UPSTREAMS
def test_settings(doors: Doors, client: cohere.ClientV2, model: str) -> None:
    system: Any = [{"role": "system", "content": "Be brief."}]
    got = client.chat(
        model=model,
        messages=[*system, *user("one two three")],
        max_tokens=1,
        temperature=0.5,
        p=0.9,
        stop_sequences=["#"],
    )
    assert got.finish_reason == "MAX_TOKENS"
    assert "Be brief." in doors.seen()[-1].text


@UPSTREAMS
def test_tools(client: cohere.ClientV2, model: str) -> None:
    got = client.chat(model=model, messages=user(CALL), tools=TOOLS)
    assert got.finish_reason == "TOOL_CALL"
    (call,) = got.message.tool_calls or []
    assert call.function is not None
    assert call.function.name == "look_up"
    assert json.loads(call.function.arguments or "") == {"who": CALL}
    events: list[Any] = list(client.chat_stream(model=model, messages=user(CALL), tools=TOOLS))
    (start,) = [event for event in events if event.type == "tool-call-start"]
    assert start.delta.message.tool_calls.function.name == "look_up"
    pieces = [
        event.delta.message.tool_calls.function.arguments
        for event in events
        if event.type == "tool-call-delta"
    ]
    begun = start.delta.message.tool_calls.function.arguments or ""
    assert json.loads(begun + "".join(pieces)) == {"who": CALL}


@UPSTREAMS
def test_the_result_of_a_tool(client: cohere.ClientV2, model: str) -> None:
    got = client.chat(model=model, messages=user(CALL), tools=TOOLS)
    (call,) = got.message.tool_calls or []
    turns: Any = [
        {"role": "assistant", "tool_calls": [call], "tool_plan": got.message.tool_plan},
        {"role": "tool", "tool_call_id": call.id, "content": "found her"},
    ]
    final = client.chat(model=model, messages=[*user(CALL), *turns], tools=TOOLS)
    assert text(final) == "The tool said: found her"


@UPSTREAMS
def test_structured_output(client: cohere.ClientV2, model: str) -> None:
    wanted: Any = {"type": "json_object", "json_schema": Person.model_json_schema()}
    got = client.chat(model=model, messages=user(SOMEBODY), response_format=wanted)
    assert Person.model_validate_json(text(got)).age == 7


@UPSTREAMS
def test_vision(doors: Doors, client: cohere.ClientV2, model: str) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    got = client.chat(model=model, messages=user(parts))
    assert text(got) == "You said: What is it?"
    assert PNG_BASE64 in doors.seen()[-1].text


@EMBEDDERS
def test_embed(client: cohere.ClientV2, model: str) -> None:
    got = client.embed(
        model=model, texts=["one", SAID], input_type="search_document", embedding_types=["float"]
    )
    assert [len(one) for one in got.embeddings.float_ or []] == [DIMENSIONS] * 2


def test_rerank(doors: Doors, client: cohere.ClientV2) -> None:
    """By a provider that has it in another form."""
    documents = ["a boat", f"{SAID} and no boat"]
    got = client.rerank(model="rerank-2.5", query=SAID, documents=documents, top_n=1)
    (best,) = got.results
    assert best.index == 1
    assert 0.5 < best.relevance_score <= 1
    assert doors.sent()["top_k"] == 1


def test_models(client: cohere.ClientV2) -> None:
    listed = {model.name: model.endpoints for model in client.models.list().models}
    assert listed[OPENAI] == ["chat", "embed"]
    assert client.models.get(OPENAI).name == OPENAI


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: cohere.ClientV2, model: str, said: str) -> list[ApiError]:
    """The error of a whole answer, and that of a stream."""
    asked: Any = {"model": model, "messages": user(said), "request_options": ONCE}
    with pytest.raises(ApiError) as whole:
        client.chat(**asked)
    with pytest.raises(ApiError) as streamed:
        list(client.chat_stream(**asked))
    return [whole.value, streamed.value]


def test_a_blocked_prompt(doors: Doors, client: cohere.ClientV2) -> None:
    for error in refused(client, OPENAI, FORBIDDEN):
        assert isinstance(error, cohere.ForbiddenError)
        assert error.status_code == 403
        assert "own.project" in error.body["message"]
    assert doors.seen() == ()


def test_a_blocked_answer(client: cohere.ClientV2) -> None:
    """As the status, and in a stream as its last event, behind what could be said."""
    with pytest.raises(cohere.ForbiddenError):
        client.chat(model=TELLTALE, messages=user("hi"), request_options=ONCE)
    events: list[Any] = list(client.chat_stream(model=TELLTALE, messages=user("hi")))
    assert streamed_text(events) == BEGUN
    assert events[-1].delta.finish_reason == "ERROR"
    assert "own.project" in events[-1].delta.error


def test_a_limit(doors: Doors) -> None:
    with client_of(doors, "spent") as client:
        for error in refused(client, OPENAI, SAID):
            assert isinstance(error, cohere.TooManyRequestsError)
            assert error.status_code == 429
            assert "one-token" in error.body["message"]
            assert int((error.headers or {})["retry-after"]) <= 60
    assert doors.seen() == ()


def test_a_wrong_key_and_an_unknown_model(doors: Doors, client: cohere.ClientV2) -> None:
    with client_of(doors, "nvk_wrong") as stranger:
        for error in refused(stranger, OPENAI, SAID):
            assert isinstance(error, cohere.UnauthorizedError)
    for error in refused(client, "nobody-has-it", SAID):
        assert isinstance(error, cohere.NotFoundError)


@pytest.mark.parametrize("model", ["broken", "cut"])
def test_an_upstream_that_fails(client: cohere.ClientV2, model: str) -> None:
    for error in refused(client, model, SAID):
        assert (error.status_code or 0) >= 500
        assert error.body["message"]


def test_a_stream_that_breaks_is_no_whole_one(client: cohere.ClientV2) -> None:
    """The client raises for no event; the last one says that the generation failed."""
    events: list[Any] = list(client.chat_stream(model="error-event", messages=user(SAID)))
    assert events[-1].type == "message-end"
    assert events[-1].delta.finish_reason == "ERROR"
    assert events[-1].delta.error


def test_a_path_that_is_not_served(client: cohere.ClientV2) -> None:
    with pytest.raises(cohere.NotFoundError) as caught:
        client.tokenize(text=SAID, model=OPENAI, offline=False)
    assert caught.value.status_code == 404
