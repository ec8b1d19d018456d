"""The model server through the official Anthropic client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic import Anthropic
from pydantic import BaseModel

from nexus_sdk.demo.messages import signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer

SAID = "Please get weather for ann@example.org in 3 days"
TOOLS: Any = [
    {
        "name": "get_weather",
        "input_schema": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["place", "days"],
        },
    }
]
ARGUMENTS = {"place": SAID, "days": 3}


class Trip(BaseModel):
    place: str
    days: int


@pytest.fixture
def client(server: ModelServer) -> Iterator[Anthropic]:
    with Anthropic(base_url=server.url, api_key="any", max_retries=0) as client:
        yield client


def messages(*texts: str) -> Any:
    return [{"role": "user", "content": text} for text in texts]


def test_the_last_words_of_the_user_come_back(client: Anthropic) -> None:
    answer = client.messages.create(
        model="claude", max_tokens=100, system="Be short.", messages=messages("hello")
    )
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "You said: hello"
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 4)


def test_the_raw_events_come_in_order(client: Anthropic) -> None:
    events = client.messages.create(
        model="claude", max_tokens=100, messages=messages("abc"), stream=True
    )
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]  # the client leaves out `ping`


def test_a_stream_with_thinking_and_a_tool(client: Anthropic) -> None:
    with client.messages.stream(
        model="claude",
        max_tokens=3000,
        messages=messages(SAID),
        tools=TOOLS,
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds.count("input_json") > 5
    assert kinds.count("thinking") > 5
    thinking, call = final.content
    assert thinking.type == "thinking"
    assert thinking.thinking == f"The user said: {SAID}"
    assert thinking.signature == signature(thinking.thinking)
    assert call.type == "tool_use"
    assert call.input == ARGUMENTS
    assert final.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("said", "choice", "reason"),
    [
        ("nothing", {"type": "auto"}, "end_turn"),
        ("nothing", {"type": "any"}, "tool_use"),
        ("nothing", {"type": "tool", "name": "get_weather"}, "tool_use"),
        ("get_weather", {"type": "none"}, "end_turn"),
    ],
)
def test_tool_choice_is_obeyed(client: Anthropic, said: str, choice: Any, reason: str) -> None:
    answer = client.messages.create(
        model="claude", max_tokens=99, messages=messages(said), tools=TOOLS, tool_choice=choice
    )
    assert answer.stop_reason == reason


def test_the_result_of_a_tool_ends_the_loop(client: Anthropic) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"days": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    talk: Any = [
        *messages(SAID),
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    answer = client.messages.create(model="claude", max_tokens=99, messages=talk, tools=TOOLS)
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "The tool said: sunny"


def test_structured_output_is_parsed(client: Anthropic) -> None:
    answer = client.messages.parse(
        model="claude", max_tokens=99, messages=messages(SAID), output_format=Trip
    )
    assert answer.parsed_output == Trip(place=SAID, days=3)


def test_the_prompt_cache_is_asked_for(client: Anthropic) -> None:
    text = "You know everything about the following. " * 150

    def usage(**marks: Any) -> tuple[int | None, int | None, int]:
        system: Any = [{"type": "text", "text": text, **marks}]
        answer = client.messages.create(
            model="claude", max_tokens=9, system=system, messages=messages("hi")
        )
        used = answer.usage
        return used.cache_read_input_tokens, used.cache_creation_input_tokens, used.input_tokens

    assert usage() == (0, 0, 1545)
    assert usage(cache_control={"type": "ephemeral"}) == (0, 1536, 9)
    assert usage(cache_control={"type": "ephemeral"}) == (1536, 0, 9)


def test_refusing_and_the_token_limit(client: Anthropic) -> None:
    refused = client.messages.create(model="claude;refuse=no", max_tokens=9, messages=messages("x"))
    assert refused.stop_reason == "refusal"
    cut = client.messages.create(model="claude", max_tokens=2, messages=messages(SAID))
    assert cut.stop_reason == "max_tokens"


def test_tokens_are_counted_and_models_listed(client: Anthropic) -> None:
    counted = client.messages.count_tokens(model="claude", messages=messages("hello"))
    assert counted.input_tokens == 5
    assert "claude-sonnet-4-5" in [model.id for model in client.models.list()]
    assert client.models.retrieve("bench").display_name == "bench"


def test_errors_speak_the_dialect(client: Anthropic) -> None:
    with pytest.raises(anthropic.OverloadedError) as caught:
        client.messages.create(
            model="claude;status=529;retry-after=7", max_tokens=9, messages=messages("x")
        )
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["request-id"].startswith("req_")
    body: Any = caught.value.body
    assert body["error"]["type"] == "overloaded_error"


def test_an_error_event_is_raised_by_the_client(client: Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIStatusError, match="the model failed"),
        client.messages.stream(
            model="claude;error-event-after=4", max_tokens=99, messages=messages(SAID)
        ) as stream,
    ):
        stream.until_done()


def test_the_bench_model_serves_this_format_too(client: Anthropic) -> None:
    answer = client.messages.create(model="bench", max_tokens=9, messages=messages("x"))
    assert answer.content[0].type == "text"
    assert answer.content[0].text.startswith("The benchmark's answer")
