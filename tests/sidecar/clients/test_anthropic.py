"""Anthropic's client through a sidecar."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
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

TOOLS: Any = [{"name": "look_up", "input_schema": LOOK_UP}]


def client_of(doors: Doors, key: str = "good", **more: Any) -> anthropic.Anthropic:
    given = {"max_retries": 0, **more}
    return anthropic.Anthropic(base_url=doors.url, api_key=doors.keys.get(key, key), **given)


@pytest.fixture
def client(doors: Doors) -> Iterator[anthropic.Anthropic]:
    with client_of(doors) as made:
        yield made


def asked(model: str, content: Any, **more: Any) -> Any:
    message = {"role": "user", "content": content}
    return {"model": model, "max_tokens": 100, "messages": [message], **more}


def text(got: Any) -> str:
    return "".join(block.text for block in got.content if block.type == "text")


@UPSTREAMS
def test_messages(client: anthropic.Anthropic, model: str) -> None:
    got = client.messages.create(**asked(model, SAID))
    assert text(got) == ANSWER
    assert (got.type, got.role, got.stop_reason) == ("message", "assistant", "end_turn")
    assert got.usage.input_tokens > 0
    assert got.usage.output_tokens > 0


@UPSTREAMS
def test_the_stream_helper(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(**asked(model, SAID)) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == text(final) == ANSWER
    assert len(pieces) > 2
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@UPSTREAMS
def test_the_events_of_a_stream(client: anthropic.Anthropic, model: str) -> None:
    events: list[Any] = list(client.messages.create(**asked(model, SAID), stream=True))
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(deltas) == ANSWER


@UPSTREAMS
def test_from_tasks(doors: Doors, model: str) -> None:
    async def ask() -> tuple[str, str]:
        async with anthropic.AsyncAnthropic(base_url=doors.url, api_key=doors.key) as client:
            got = await client.messages.create(**asked(model, SAID))
            async with client.messages.stream(**asked(model, SAID)) as stream:
                return text(got), text(await stream.get_final_message())

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@UPSTREAMS
def test_settings(doors: Doors, client: anthropic.Anthropic, model: str) -> None:
    more = {"system": "Be brief.", "max_tokens": 1, "stop_sequences": ["#"]}
    got = client.messages.create(**asked(model, "one two three") | more)
    assert got.stop_reason == "max_tokens"
    assert "Be brief." in doors.seen()[-1].text


@UPSTREAMS
def test_tools(client: anthropic.Anthropic, model: str) -> None:
    given = asked(model, CALL, tools=TOOLS)
    got = client.messages.create(**given)
    with client.messages.stream(**given) as stream:
        late = stream.get_final_message()
    messages: list[Any] = [got, late]
    for message in messages:
        assert message.stop_reason == "tool_use"
        (use,) = [block for block in message.content if block.type == "tool_use"]
        assert (use.name, use.input) == ("look_up", {"who": CALL})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "found her"}
    given["messages"] += [
        {"role": "assistant", "content": late.content},
        {"role": "user", "content": [result]},
    ]
    assert text(client.messages.create(**given)) == "The tool said: found her"


@UPSTREAMS
def test_a_tool_that_the_client_runs(client: anthropic.Anthropic, model: str) -> None:
    @anthropic.beta_tool
    def look_up(who: str) -> str:
        """Look somebody up.

        Args:
            who: whom to look for.
        """
        return f"found {who}"

    runner = client.beta.messages.tool_runner(**asked(model, CALL), tools=[look_up])
    assert text(runner.until_done()) == f"The tool said: found {CALL}"


@UPSTREAMS
def test_structured_output(client: anthropic.Anthropic, model: str) -> None:
    got = client.messages.parse(**asked(model, SOMEBODY), output_format=Person)
    assert got.parsed_output == ANN


@UPSTREAMS
def test_vision(doors: Doors, client: anthropic.Anthropic, model: str) -> None:
    data = base64.b64encode(PNG).decode()
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": data},
    }
    got = client.messages.create(**asked(model, [{"type": "text", "text": "Which?"}, picture]))
    assert text(got) == "You said: Which?"
    assert PNG_BASE64 in doors.seen()[-1].text


@UPSTREAMS
def test_count_tokens(client: anthropic.Anthropic, model: str) -> None:
    messages: Any = [{"role": "user", "content": "hello there"}]
    counted = client.messages.count_tokens(model=model, messages=messages).input_tokens
    assert counted == client.beta.messages.count_tokens(model=model, messages=messages).input_tokens
    assert counted == 6


def test_models(client: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {OPENAI, ANTHROPIC, GEMINI} <= listed.keys()
    assert client.models.retrieve(GEMINI).display_name == GEMINI


def test_a_bearer_token(doors: Doors) -> None:
    with anthropic.Anthropic(base_url=doors.url, auth_token=doors.key) as client:
        assert text(client.messages.create(**asked(OPENAI, SAID))) == ANSWER


def test_below_a_path_of_its_own(doors: Doors) -> None:
    with anthropic.Anthropic(base_url=f"{doors.url}/anthropic", api_key=doors.key) as client:
        assert text(client.messages.create(**asked(OPENAI, SAID))) == ANSWER
        assert client.models.retrieve(OPENAI).id == OPENAI


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: anthropic.Anthropic, model: str, said: str) -> list[anthropic.APIStatusError]:
    """The error of a whole answer, and that of a stream."""
    with pytest.raises(anthropic.APIStatusError) as whole:
        client.messages.create(**asked(model, said))
    with (
        pytest.raises(anthropic.APIStatusError) as late,
        client.messages.stream(**asked(model, said)) as stream,
    ):
        stream.until_done()
    return [whole.value, late.value]


def told(error: anthropic.APIStatusError) -> tuple[str, str]:
    body: Any = error.body
    return body["error"]["type"], body["error"]["message"]


@UPSTREAMS
def test_a_blocked_prompt(doors: Doors, client: anthropic.Anthropic, model: str) -> None:
    for error in refused(client, model, FORBIDDEN):
        assert isinstance(error, anthropic.PermissionDeniedError)
        assert told(error)[0] == "permission_error"
        assert "own.project" in told(error)[1]
        assert error.request_id
    assert doors.seen() == ()


def test_a_blocked_answer(client: anthropic.Anthropic) -> None:
    """As the status, and in a stream behind what could be said."""
    with pytest.raises(anthropic.PermissionDeniedError, match=r"own\.project"):
        client.messages.create(**asked(TELLTALE, "hi"))
    pieces: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(**asked(TELLTALE, "hi")) as stream,
    ):
        pieces.extend(stream.text_stream)
    assert "".join(pieces) == BEGUN
    assert told(caught.value)[0] == "permission_error"


def test_a_limit(doors: Doors) -> None:
    """Which the client does not try again, whatever its patience: it is told not to."""
    with client_of(doors, "spent", max_retries=5) as client:
        for error in refused(client, OPENAI, SAID):
            assert isinstance(error, anthropic.RateLimitError)
            assert told(error)[0] == "rate_limit_error"
            assert "one-token" in told(error)[1]
            assert int(error.response.headers["retry-after"]) <= 60
    assert doors.seen() == ()


def test_a_wrong_key_and_an_unknown_model(doors: Doors, client: anthropic.Anthropic) -> None:
    with client_of(doors, "nvk_wrong") as stranger:
        for error in refused(stranger, OPENAI, SAID):
            assert isinstance(error, anthropic.AuthenticationError)
    for error in refused(client, "nobody-has-it", SAID):
        assert isinstance(error, anthropic.NotFoundError)
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody-has-it")


@pytest.mark.parametrize("model", ["broken", "cut"])
def test_an_upstream_that_fails(client: anthropic.Anthropic, model: str) -> None:
    for error in refused(client, model, SAID):
        assert isinstance(error, anthropic.InternalServerError)
