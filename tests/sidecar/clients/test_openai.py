"""OpenAI's client through a sidecar, as `OpenAI`, `AsyncOpenAI` and `AzureOpenAI`."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sidecar.clients.doors import (
    ANN,
    ANSWER,
    ANTHROPIC,
    BEGUN,
    CALL,
    DIMENSIONS,
    EMBEDDERS,
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
    from collections.abc import Callable, Iterator

    from tests.sidecar.clients.doors import Doors

TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "parameters": LOOK_UP}}]
FUNCTIONS: Any = [{"type": "function", "name": "look_up", "parameters": LOOK_UP, "strict": False}]
PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"

type Client = openai.OpenAI | openai.AzureOpenAI


def plain(doors: Doors, key: str = "good", **more: Any) -> openai.OpenAI:
    given = {"max_retries": 0, **more}
    return openai.OpenAI(base_url=f"{doors.url}/v1", api_key=doors.keys.get(key, key), **given)


def azure(doors: Doors, key: str = "good", **more: Any) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(
        azure_endpoint=doors.url,
        api_key=doors.keys.get(key, key),
        api_version="2024-10-21",
        **{"max_retries": 0, **more},
    )


def with_a_token(doors: Doors, key: str = "good", **more: Any) -> openai.AzureOpenAI:
    """As with Entra ID: the virtual key in the place of its token."""
    return openai.AzureOpenAI(
        azure_endpoint=doors.url,
        azure_ad_token_provider=lambda: doors.keys.get(key, key),
        api_version="2024-10-21",
        **{"max_retries": 0, **more},
    )


@pytest.fixture(params=[plain, azure, with_a_token], ids=["OpenAI", "Azure", "token"])
def opener(request: pytest.FixtureRequest) -> Callable[..., Client]:
    made: Callable[..., Client] = request.param
    return made


@pytest.fixture
def client(doors: Doors, opener: Callable[..., Client]) -> Iterator[Client]:
    with opener(doors) as made:
        yield made


def user(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def streamed(client: Client, **asked: Any) -> list[Any]:
    return list(client.chat.completions.create(stream=True, **asked))


# ---- chat completions ----------------------------------------------------------------------------


@UPSTREAMS
def test_chat(client: Client, model: str) -> None:
    got = client.chat.completions.create(model=model, messages=user(SAID))
    assert got.choices[0].message.content == ANSWER
    assert got.choices[0].finish_reason == "stop"
    assert got.usage is not None
    assert got.usage.total_tokens > got.usage.prompt_tokens > 0


@UPSTREAMS
def test_chat_stream(client: Client, model: str) -> None:
    chunks = streamed(
        client, model=model, messages=user(SAID), stream_options={"include_usage": True}
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(filter(None, pieces)) == ANSWER
    assert len(list(filter(None, pieces))) > 2
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0


@UPSTREAMS
def test_chat_from_tasks(doors: Doors, model: str) -> None:
    async def ask() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=f"{doors.url}/v1", api_key=doors.key) as client:
            got = await client.chat.completions.create(model=model, messages=user(SAID))
            async with client.chat.completions.stream(model=model, messages=user(SAID)) as stream:
                final = await stream.get_final_completion()
            return got.choices[0].message.content, final.choices[0].message.content or ""

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@UPSTREAMS
def test_settings(doors: Doors, client: Client, model: str) -> None:
    system: Any = [{"role": "system", "content": "Be brief."}]
    got = client.chat.completions.create(
        model=model,
        messages=[*system, *user("one two three")],
        max_tokens=1,
        temperature=0.5,
        stop=["#"],
    )
    assert got.choices[0].finish_reason == "length"
    assert "Be brief." in doors.seen()[-1].text


@UPSTREAMS
def test_tools(client: Client, model: str) -> None:
    asked: Any = {"model": model, "messages": user(CALL), "tools": TOOLS}
    got = client.chat.completions.create(**asked)
    assert got.choices[0].finish_reason == "tool_calls"
    (call,) = got.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"who": CALL}
    deltas = [d for c in streamed(client, **asked) if c.choices for d in _calls(c)]
    assert [d.function.name for d in deltas if d.function.name] == ["look_up"]
    assert json.loads("".join(d.function.arguments or "" for d in deltas)) == {"who": CALL}
    turns: Any = [
        got.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "found her"},
    ]
    final = client.chat.completions.create(model=model, messages=[*user(CALL), *turns], tools=TOOLS)
    assert final.choices[0].message.content == "The tool said: found her"


def _calls(chunk: Any) -> list[Any]:
    return chunk.choices[0].delta.tool_calls or []


@UPSTREAMS
def test_structured_output(client: Client, model: str) -> None:
    got = client.chat.completions.parse(
        model=model, messages=user(SOMEBODY), response_format=Person
    )
    assert got.choices[0].message.parsed == ANN


@UPSTREAMS
def test_vision(doors: Doors, client: Client, model: str) -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
    ]
    got = client.chat.completions.create(model=model, messages=user(parts))
    assert got.choices[0].message.content == "You said: What is it?"
    assert PNG_BASE64 in doors.seen()[-1].text


@pytest.mark.parametrize("model", [ANTHROPIC, GEMINI])
def test_completions(client: Client, model: str) -> None:
    """The legacy API, in front of models of the chat API."""
    got = client.completions.create(model=model, prompt=SAID)
    assert got.choices[0].text == ANSWER
    pieces = client.completions.create(model=model, prompt=SAID, stream=True)
    assert "".join(chunk.choices[0].text for chunk in pieces if chunk.choices) == ANSWER


# ---- Responses -----------------------------------------------------------------------------------


@UPSTREAMS
def test_responses(client: Client, model: str) -> None:
    got = client.responses.create(model=model, input=SAID)
    events: list[Any] = list(client.responses.create(model=model, input=SAID, stream=True))
    assert (got.output_text, got.status) == (ANSWER, "completed")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == ANSWER
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.output_tokens > 0


@UPSTREAMS
def test_responses_with_tools(client: Client, model: str) -> None:
    got = client.responses.create(model=model, input=CALL, tools=FUNCTIONS)
    (call,) = [item for item in got.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"who": CALL}
    turns: Any = [
        *user(CALL),
        *got.output,
        {"type": "function_call_output", "call_id": call.call_id, "output": "found her"},
    ]
    final = client.responses.create(model=model, input=turns, tools=FUNCTIONS)
    with client.responses.stream(model=model, input=CALL, tools=FUNCTIONS) as stream:
        late: Any = stream.get_final_response().output[-1]
    assert final.output_text == "The tool said: found her"
    assert json.loads(late.arguments) == {"who": CALL}


@UPSTREAMS
def test_responses_with_a_schema_and_a_picture(doors: Doors, client: Client, model: str) -> None:
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
    ]
    parsed = client.responses.parse(model=model, input=SOMEBODY, text_format=Person)
    seen = client.responses.create(model=model, input=user(parts))
    assert parsed.output_parsed == ANN
    assert seen.output_text == "You said: What is it?"
    assert PNG_BASE64 in doors.seen()[-1].text


@pytest.mark.parametrize("model", [ANTHROPIC, GEMINI])
def test_responses_that_are_kept(client: Client, model: str) -> None:
    """By the sidecar: these providers keep none."""
    first = client.responses.create(model=model, input=SAID)
    second = client.responses.create(model=model, input="and two", previous_response_id=first.id)
    assert second.output_text == "You said: and two"
    assert client.responses.retrieve(first.id).output_text == ANSWER
    assert [item.type for item in client.responses.input_items.list(first.id)] == ["message"]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_responses_from_tasks(doors: Doors) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{doors.url}/v1", api_key=doors.key) as client:
            return (await client.responses.create(model=ANTHROPIC, input=SAID)).output_text

    assert asyncio.run(ask()) == ANSWER


# ---- the others ----------------------------------------------------------------------------------


@EMBEDDERS
def test_embeddings(client: Client, model: str) -> None:
    got = client.embeddings.create(model=model, input=["one", SAID])
    assert [len(one.embedding) for one in got.data] == [DIMENSIONS] * 2
    got = client.embeddings.create(model=model, input="one", dimensions=256)
    assert len(got.data[0].embedding) == 256


@UPSTREAMS
def test_input_tokens(client: Client, model: str) -> None:
    assert client.responses.input_tokens.count(model=model, input="hello there").input_tokens == 6


def test_moderations(doors: Doors) -> None:
    with plain(doors) as client:
        got = client.moderations.create(model="omni-moderation-latest", input=f"kill {SAID}")
        assert got.results[0].flagged
        with pytest.raises(openai.PermissionDeniedError):
            client.moderations.create(model="omni-moderation-latest", input=FORBIDDEN)


def test_models(client: Client) -> None:
    assert {OPENAI, ANTHROPIC, GEMINI} <= {model.id for model in client.models.list()}
    assert client.models.retrieve(GEMINI).id == GEMINI


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: Client, model: str, text: str) -> list[openai.APIStatusError]:
    """The error of a whole answer, and that of a stream."""
    with pytest.raises(openai.APIStatusError) as whole:
        client.chat.completions.create(model=model, messages=user(text))
    with pytest.raises(openai.APIStatusError) as late:
        streamed(client, model=model, messages=user(text))
    return [whole.value, late.value]


@UPSTREAMS
def test_a_blocked_prompt(doors: Doors, client: Client, model: str) -> None:
    for error in refused(client, model, FORBIDDEN):
        assert isinstance(error, openai.PermissionDeniedError)
        assert (error.code, error.type) == ("policy_blocked", "policy_violation")
        assert "own.project" in error.message
        assert error.request_id
    assert doors.seen() == ()


def test_a_blocked_answer(client: Client) -> None:
    """As the status, and in a stream behind what could be said."""
    with pytest.raises(openai.PermissionDeniedError, match=r"own\.project"):
        client.chat.completions.create(model=TELLTALE, messages=user("hi"))
    chunks: list[Any] = []
    stream = client.chat.completions.create(model=TELLTALE, messages=user("hi"), stream=True)
    with pytest.raises(openai.APIError, match=r"own\.project") as caught:
        chunks.extend(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == BEGUN
    assert caught.value.code == "policy_blocked"
    with pytest.raises(openai.APIError, match=r"own\.project"):
        list(client.responses.create(model=TELLTALE, input="hi", stream=True))


def test_a_limit(doors: Doors, opener: Callable[..., Client]) -> None:
    """Which the client does not try again, whatever its patience: it is told not to."""
    with opener(doors, "spent", max_retries=5) as client:
        for error in refused(client, OPENAI, SAID):
            assert isinstance(error, openai.RateLimitError)
            assert "one-token" in error.message
            assert int(error.response.headers["retry-after"]) <= 60
    assert doors.seen() == ()


def test_a_wrong_key_and_an_unknown_model(
    doors: Doors, client: Client, opener: Callable[..., Client]
) -> None:
    with opener(doors, "nvk_wrong") as stranger:
        for error in refused(stranger, OPENAI, SAID):
            assert isinstance(error, openai.AuthenticationError)
    for error in refused(client, "nobody-has-it", SAID):
        assert isinstance(error, openai.NotFoundError)


@pytest.mark.parametrize("model", ["broken", "cut"])
def test_an_upstream_that_fails(client: Client, model: str) -> None:
    for error in refused(client, model, SAID):
        assert isinstance(error, openai.InternalServerError)
