"""Mistral's client through a sidecar: its chat API is a copy of OpenAI's."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from mistralai.client import Mistral, errors
from tests.sidecar.clients.doors import (
    ANN,
    ANSWER,
    ANTHROPIC,
    BEGUN,
    CALL,
    FORBIDDEN,
    GEMINI,
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


def client_of(doors: Doors, key: str = "good") -> Mistral:
    return Mistral(api_key=doors.keys.get(key, key), server_url=doors.url)


@pytest.fixture
def client(doors: Doors) -> Iterator[Mistral]:
    with client_of(doors) as made:
        yield made


def user(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def first(got: Any) -> Any:
    return got.choices[0]


@UPSTREAMS
def test_chat(client: Mistral, model: str) -> None:
    got = client.chat.complete(model=model, messages=user(SAID))
    assert first(got).message.content == ANSWER
    assert first(got).finish_reason == "stop"
    assert got.usage.prompt_tokens
    assert got.usage.completion_tokens


@UPSTREAMS
def test_chat_stream(client: Mistral, model: str) -> None:
    with client.chat.stream(model=model, messages=user(SAID)) as stream:
        choices = [choice for event in stream for choice in event.data.choices]
    pieces = [choice.delta.content for choice in choices if choice.delta.content]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 2
    assert choices[-1].finish_reason == "stop"


@UPSTREAMS
def test_from_tasks(doors: Doors, model: str) -> None:
    async def ask() -> tuple[Any, str]:
        async with client_of(doors) as client:
            got = await client.chat.complete_async(model=model, messages=user(SAID))
            stream: Any = await client.chat.stream_async(model=model, messages=user(SAID))
            pieces = [c.delta.content or "" async for e in stream for c in e.data.choices]
            return first(got).message.content, "".join(pieces)

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@UPSTREAMS
def test_settings(doors: Doors, client: Mistral, model: str) -> None:
    system: Any = [{"role": "system", "content": "Be brief."}]
    got = client.chat.complete(
        model=model,
        messages=[*system, *user("one two three")],
        max_tokens=1,
        temperature=0.5,
        stop=["#"],
    )
    assert first(got).finish_reason == "length"
    assert "Be brief." in doors.seen()[-1].text


def test_a_seed_has_the_name_that_the_target_knows(doors: Doors, client: Mistral) -> None:
    client.chat.complete(model=GEMINI, messages=user("hi"), random_seed=7)
    assert doors.sent()["generationConfig"]["seed"] == 7


@UPSTREAMS
def test_tools(client: Mistral, model: str) -> None:
    got = client.chat.complete(model=model, messages=user(CALL), tools=TOOLS)
    assert first(got).finish_reason == "tool_calls"
    (call,) = first(got).message.tool_calls
    assert call.function.name == "look_up"
    assert json.loads(call.function.arguments) == {"who": CALL}
    turns: Any = [
        first(got).message,
        {"role": "tool", "tool_call_id": call.id, "name": "look_up", "content": "found her"},
    ]
    final = client.chat.complete(model=model, messages=[*user(CALL), *turns], tools=TOOLS)
    assert first(final).message.content == "The tool said: found her"


@pytest.mark.parametrize("model", [ANTHROPIC, GEMINI])
def test_a_tool_that_must_be_called(client: Mistral, model: str) -> None:
    got = client.chat.complete(model=model, messages=user("hello"), tools=TOOLS, tool_choice="any")
    (call,) = first(got).message.tool_calls
    assert json.loads(call.function.arguments) == {"who": "hello"}


@UPSTREAMS
def test_structured_output(client: Mistral, model: str) -> None:
    got = client.chat.parse(model=model, messages=user(SOMEBODY), response_format=Person)
    assert first(got).message.parsed == ANN


@pytest.mark.parametrize("model", [ANTHROPIC, GEMINI])
def test_vision(doors: Doors, client: Mistral, model: str) -> None:
    """A picture's address stands where OpenAI has an object that holds it."""
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [{"type": "text", "text": "Which?"}, {"type": "image_url", "image_url": url}]
    got = client.chat.complete(model=model, messages=user(parts))
    assert first(got).message.content == "You said: Which?"
    assert PNG_BASE64 in doors.seen()[-1].text


def test_models(client: Mistral) -> None:
    told_of: list[Any] = client.models.list().data or []
    listed = {model.id: model for model in told_of}
    assert {OPENAI, ANTHROPIC, GEMINI} <= listed.keys()
    assert listed[OPENAI].capabilities.completion_chat is True
    one: Any = client.models.retrieve(model_id=GEMINI)
    assert one.id == GEMINI


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: Mistral, model: str, text: str) -> list[errors.SDKError]:
    """The error of a whole answer, and that of a stream."""
    with pytest.raises(errors.SDKError) as whole:
        client.chat.complete(model=model, messages=user(text))
    with pytest.raises(errors.SDKError) as late:
        client.chat.stream(model=model, messages=user(text))
    return [whole.value, late.value]


def told(error: errors.SDKError) -> tuple[int, Any]:
    return error.status_code, json.loads(error.body)["error"]


@UPSTREAMS
def test_a_blocked_prompt(doors: Doors, client: Mistral, model: str) -> None:
    for error in refused(client, model, FORBIDDEN):
        status, body = told(error)
        assert (status, body["code"]) == (403, "policy_blocked")
        assert "own.project" in body["message"]
    assert doors.seen() == ()


def test_a_blocked_answer(client: Mistral) -> None:
    """As the status, and in a stream as an event that is none, behind what could be said."""
    with pytest.raises(errors.SDKError) as whole:
        client.chat.complete(model=TELLTALE, messages=user("hi"))
    assert told(whole.value)[1]["code"] == "policy_blocked"
    events: list[Any] = []
    with (
        pytest.raises(errors.ResponseValidationError, match=r"own\.project"),
        client.chat.stream(model=TELLTALE, messages=user("hi")) as stream,
    ):
        events.extend(stream)
    deltas = [choice.delta for event in events for choice in event.data.choices]
    assert "".join(delta.content or "" for delta in deltas) == BEGUN


def test_a_limit(doors: Doors) -> None:
    with client_of(doors, "spent") as client:
        for error in refused(client, OPENAI, SAID):
            status, body = told(error)
            assert status == 429
            assert "one-token" in body["message"]
            assert int(error.headers["retry-after"]) <= 60
    assert doors.seen() == ()


def test_a_wrong_key_and_an_unknown_model(doors: Doors, client: Mistral) -> None:
    with client_of(doors, "nvk_wrong") as stranger:
        assert [told(error)[0] for error in refused(stranger, OPENAI, SAID)] == [401, 401]
    assert [told(error)[0] for error in refused(client, "nobody-has-it", SAID)] == [404, 404]


@pytest.mark.parametrize("model", ["broken", "cut"])
def test_an_upstream_that_fails(client: Mistral, model: str) -> None:
    for error in refused(client, model, SAID):
        assert told(error)[0] >= 500
