"""The model server through the official OpenAI client: chat completions, Responses, models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer

SAID = "Please get weather for ann@example.org in 3 days"
PARAMETERS = {
    "type": "object",
    "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["place", "days"],
    "additionalProperties": False,
}
CHAT_TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "get_weather", "strict": True, "parameters": PARAMETERS},
    }
]
RESPONSE_TOOLS: Any = [
    {"type": "function", "name": "get_weather", "strict": True, "parameters": PARAMETERS}
]
ARGUMENTS = {"place": SAID, "days": 3}


class Trip(BaseModel):
    place: str
    days: int
    notes: list[str]


@pytest.fixture
def client(server: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0) as client:
        yield client


def messages(*texts: str) -> Any:
    return [{"role": "user", "content": text} for text in texts]


def script(text: str) -> Any:
    return {"x-demo": text}


def test_the_last_words_of_the_user_come_back(client: OpenAI) -> None:
    parts = [{"type": "text", "text": "and"}, {"type": "text", "text": "this"}]
    talk: Any = [
        {"role": "system", "content": "Be short."},
        *messages("first"),
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": parts},
    ]
    answer = client.chat.completions.create(model="gpt-4o", messages=talk)
    assert answer.choices[0].message.content == "You said: and\nthis"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.created) == ("gpt-4o", 1_750_000_000)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 20
    assert answer.usage.completion_tokens == 5
    assert answer.usage.total_tokens == 25


def test_the_path_without_v1_is_served(server: ModelServer) -> None:
    with OpenAI(base_url=server.url, api_key="any") as client:
        answer = client.chat.completions.create(model="m", messages=messages("hi"))
    assert answer.choices[0].message.content == "You said: hi"


def test_a_chat_stream_is_the_whole_answer_in_pieces(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="m", messages=messages(SAID), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    said = [chunk.choices[0].delta.content for chunk in chunks[1:-2]]
    assert "".join(filter(None, said)) == f"You said: {SAID}"
    assert len(said) == 15
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(said)
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_chat_stream_without_usage_asked_for_has_none(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="m", messages=messages("x"), stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_several_choices_are_interleaved(client: OpenAI) -> None:
    asked = {"model": "m", "messages": messages("hi"), "n": 2}
    whole = client.chat.completions.create(**asked)
    assert [choice.index for choice in whole.choices] == [0, 1]
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert [chunk.choices[0].index for chunk in chunks[:4]] == [0, 1, 0, 1]


def test_a_tool_that_is_mentioned_is_called(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=messages(SAID), tools=CHAT_TOOLS)
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == ARGUMENTS


def test_a_streamed_tool_call_comes_in_fragments(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="m", messages=messages(SAID), tools=CHAT_TOOLS
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("tool_calls.function.arguments.delta") > 5
    assert kinds.count("tool_calls.function.arguments.done") == 1
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.parsed_arguments == ARGUMENTS


@pytest.mark.parametrize(
    ("said", "choice", "calls"),
    [
        ("nothing to do", "auto", 0),
        ("use a tool", "auto", 1),
        ("nothing to do", "required", 1),
        ("nothing to do", {"type": "function", "function": {"name": "get_weather"}}, 1),
        ("get_weather", "none", 0),
    ],
)
def test_tool_choice_is_obeyed(client: OpenAI, said: str, choice: Any, calls: int) -> None:
    answer = client.chat.completions.create(
        model="m", messages=messages(said), tools=CHAT_TOOLS, tool_choice=choice
    )
    assert len(answer.choices[0].message.tool_calls or ()) == calls


def test_parallel_calls_have_their_own_ids(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="m;calls=3;tool=get_weather", messages=messages("x"), tools=CHAT_TOOLS
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert len({call.id for call in calls}) == 3


def test_the_result_of_a_tool_ends_the_loop(client: OpenAI) -> None:
    talk: Any = [
        *messages(SAID),
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    answer = client.chat.completions.create(model="m", messages=talk, tools=CHAT_TOOLS)
    assert answer.choices[0].message.content == "The tool said: sunny"


def test_structured_output_is_parsed(client: OpenAI) -> None:
    whole = client.chat.completions.parse(model="m", messages=messages(SAID), response_format=Trip)
    with client.chat.completions.stream(
        model="m", messages=messages(SAID), response_format=Trip
    ) as stream:
        streamed = stream.get_final_completion()
    expected = Trip(place=SAID, days=3, notes=[SAID])
    assert whole.choices[0].message.parsed == expected
    assert streamed.choices[0].message.parsed == expected


def test_json_mode_gives_an_object(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m", messages=messages("hi"), response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {"answer": "hi"}


def test_the_token_limit_cuts_the_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m", messages=messages(SAID), max_completion_tokens=2
    )
    assert answer.choices[0].message.content == "You said"
    assert answer.choices[0].finish_reason == "length"


def test_thinking_and_refusing(client: OpenAI) -> None:
    asked = {"model": "m;think=hmm%20so;refuse=I%20will%20not", "messages": messages("hi")}
    message = client.chat.completions.create(**asked).choices[0].message
    assert (message.content, message.refusal) == (None, "I will not")
    assert message.reasoning_content == "hmm so"
    with client.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0].message
    assert streamed.refusal == "I will not"


def test_a_long_prompt_seen_before_is_cached(client: OpenAI) -> None:
    system = "You know everything about the following. " * 150

    def cached(said: str) -> int | None:
        talk: Any = [{"role": "system", "content": system}, *messages(said)]
        usage = client.chat.completions.create(model="cache", messages=talk).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        return usage.prompt_tokens_details.cached_tokens

    assert [cached("a"), cached("b")] == [0, 1536]


def test_a_responses_answer(client: OpenAI) -> None:
    answer = client.responses.create(model="m", input="hello", instructions="Be kind.")
    assert answer.output_text == "You said: hello"
    assert answer.status == "completed"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 4)


def test_a_responses_stream_has_the_whole_sequence(client: OpenAI) -> None:
    stream = client.responses.create(
        model="m", input=[{"role": "user", "content": "abc"}], stream=True
    )
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 4,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_responses_stream_through_the_accumulator(client: OpenAI) -> None:
    with client.responses.stream(
        model="m", input=SAID, tools=RESPONSE_TOOLS, extra_headers=script("think=first%20this")
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert "response.reasoning_summary_text.delta" in kinds
    assert "response.function_call_arguments.delta" in kinds
    reasoning, call = final.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == "first this"
    assert call.type == "function_call"
    assert call.parsed_arguments == ARGUMENTS


def test_responses_parse_and_stream_a_format(client: OpenAI) -> None:
    expected = Trip(place="go", days=1, notes=["go"])
    whole = client.responses.parse(model="m", input="go", text_format=Trip)
    with client.responses.stream(model="m", input="go", text_format=Trip) as stream:
        streamed = stream.get_final_response()
    assert [whole.output_parsed, streamed.output_parsed] == [expected, expected]


def test_responses_take_the_result_of_a_tool(client: OpenAI) -> None:
    turn: Any = [
        *messages("get weather"),
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "rain"},
    ]
    answer = client.responses.create(model="m", input=turn, tools=RESPONSE_TOOLS)
    assert answer.output_text == "The tool said: rain"


def test_an_incomplete_response_says_why(client: OpenAI) -> None:
    events = list(client.responses.create(model="m", input=SAID, max_output_tokens=2, stream=True))
    last: Any = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.output_text == "You said"


def test_responses_refuse(client: OpenAI) -> None:
    with client.responses.stream(model="m;refuse=no", input="x") as stream:
        kinds = [event.type for event in stream]
    assert "response.refusal.delta" in kinds
    assert "response.refusal.done" in kinds


def test_models_are_listed_and_found(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-4o" in names
    assert client.models.retrieve("bench").owned_by == "demo"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("unknown")


def test_providers_headers_come_along(client: OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(model="m", messages=messages("x"))
    headers = answer.headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-processing-ms"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "9999"


def test_the_bench_model_answers_the_same_every_time(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response
    answers = [raw.create(model="bench", messages=messages(said)).content for said in "ab"]
    assert answers[0] == answers[1]
    assert 1000 <= len(answers[0]) <= 1100
    chunks = client.chat.completions.create(model="bench", messages=messages("x"), stream=True)
    assert sum(bool(chunk.choices[0].delta.content) for chunk in chunks) == 100
