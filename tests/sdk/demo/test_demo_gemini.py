"""The model server through Google's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google import genai
from google.genai import errors, types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer

MODEL = "gemini-2.5-flash"
SCHEMA = types.Schema(
    type=types.Type.OBJECT,
    properties={
        "place": types.Schema(type=types.Type.STRING),
        "days": types.Schema(type=types.Type.INTEGER),
    },
    required=["place", "days"],
)
TOOL = types.Tool(
    function_declarations=[types.FunctionDeclaration(name="weather", parameters=SCHEMA)]
)
SAID = "weather in Rome for 3 days"


@pytest.fixture
def client(server: ModelServer) -> Iterator[genai.Client]:
    with genai.Client(api_key="any", http_options=types.HttpOptions(base_url=server.url)) as made:
        yield made


def test_an_answer_and_its_counts(client: genai.Client) -> None:
    got = client.models.generate_content(model=MODEL, contents="hi")
    assert got.text == "You said: hi"
    usage = got.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (4, 3)
    assert usage.total_token_count == 7


def test_a_stream_ends_with_its_reason(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == "You said: hi"
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert reasons == [None, None, None, types.FinishReason.STOP]


def test_thoughts_are_not_said(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True)
    )
    got = client.models.generate_content(model=MODEL, contents="hi", config=config)
    parts = got.parts or []
    assert [part.thought for part in parts] == [True, None]
    assert got.text == "You said: hi"
    assert got.usage_metadata is not None
    assert got.usage_metadata.thoughts_token_count


def test_a_function_is_called_when_the_prompt_names_it(client: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[TOOL])
    (call,) = (
        client.models.generate_content(model=MODEL, contents=SAID, config=config).function_calls
        or []
    )
    assert call.args == {"place": SAID, "days": 3}
    assert not client.models.generate_content(
        model=MODEL, contents="hi", config=config
    ).function_calls


@pytest.mark.parametrize(("mode", "calls"), [("ANY", 1), ("NONE", 0)])
def test_a_function_that_must_or_may_not_be_called(
    client: genai.Client, mode: str, calls: int
) -> None:
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode))
    config = types.GenerateContentConfig(
        tools=[TOOL], tool_config=types.ToolConfig(function_calling_config=calling)
    )
    got = client.models.generate_content(model=MODEL, contents=SAID, config=config)
    assert len(got.function_calls or ()) == calls


def test_a_schema_is_filled(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=SCHEMA
    )
    got = client.models.generate_content(model=MODEL, contents="Rome, 3", config=config)
    assert got.parsed == {"place": "Rome, 3", "days": 3}


def test_a_refusal_has_no_words(client: genai.Client) -> None:
    got = client.models.generate_content(model=f"{MODEL};refuse=no", contents="hi")
    assert got.candidates is not None
    assert got.candidates[0].finish_reason is types.FinishReason.SAFETY
    assert not got.text


def test_vectors_and_counts(client: genai.Client) -> None:
    config = types.EmbedContentConfig(output_dimensionality=64)
    got = client.models.embed_content(
        model="gemini-embedding-001", contents=["a", "b"], config=config
    )
    assert [len(one.values or ()) for one in got.embeddings or ()] == [64, 64]
    assert client.models.count_tokens(model=MODEL, contents="hi").total_tokens == 4


def test_an_error(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=f"{MODEL};status=429", contents="hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
