"""Google's client, `google-genai`, through a sidecar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
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

    type Opened = Callable[[Doors, types.HttpOptions], genai.Client]


def client_of(doors: Doors, key: str = "good", **more: Any) -> genai.Client:
    options = types.HttpOptions(base_url=doors.url, **more)
    return genai.Client(api_key=doors.keys[key], http_options=options)


@pytest.fixture
def client(doors: Doors) -> Iterator[genai.Client]:
    with client_of(doors) as made:
        yield made


def look_up(who: str) -> str:
    """Look somebody up.

    Args:
        who: whom to look for.
    """
    return f"found {who}"


DECLARED = types.GenerateContentConfig(
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name="look_up",
                    parameters=types.Schema(
                        type=types.Type.OBJECT,
                        properties={"who": types.Schema(type=types.Type.STRING)},
                        required=["who"],
                    ),
                )
            ]
        )
    ]
)


@UPSTREAMS
def test_generate_content(client: genai.Client, model: str) -> None:
    got = client.models.generate_content(model=model, contents=SAID)
    assert got.text == ANSWER
    assert got.candidates is not None
    assert got.candidates[0].finish_reason is types.FinishReason.STOP
    assert got.usage_metadata is not None
    assert got.usage_metadata.prompt_token_count
    assert got.usage_metadata.total_token_count


@UPSTREAMS
def test_generate_content_stream(client: genai.Client, model: str) -> None:
    chunks = list(client.models.generate_content_stream(model=model, contents=SAID))
    assert "".join(chunk.text or "" for chunk in chunks) == ANSWER
    assert len([chunk for chunk in chunks if chunk.text]) > 2
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.candidates_token_count


@UPSTREAMS
def test_from_tasks(doors: Doors, model: str) -> None:
    async def ask() -> tuple[str | None, str]:
        async with client_of(doors).aio as client:
            got = await client.models.generate_content(model=model, contents=SAID)
            streamed = await client.models.generate_content_stream(model=model, contents=SAID)
            return got.text, "".join([chunk.text or "" async for chunk in streamed])

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@UPSTREAMS
def test_settings(doors: Doors, client: genai.Client, model: str) -> None:
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", temperature=0.5, max_output_tokens=1, stop_sequences=["#"]
    )
    got = client.models.generate_content(model=model, contents="one two three", config=config)
    assert got.candidates is not None
    assert got.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert "Be brief." in doors.seen()[-1].text


@UPSTREAMS
def test_a_chat_of_two_turns(doors: Doors, client: genai.Client, model: str) -> None:
    chat = client.chats.create(model=model)
    first = chat.send_message(SAID)
    pieces = [chunk.text or "" for chunk in chat.send_message_stream("and two")]
    assert (first.text, "".join(pieces)) == (ANSWER, "You said: and two")
    assert "You said: I am " in doors.seen()[-1].text


@UPSTREAMS
def test_a_function_that_is_called(client: genai.Client, model: str) -> None:
    got = client.models.generate_content(model=model, contents=CALL, config=DECLARED)
    streamed = client.models.generate_content_stream(model=model, contents=CALL, config=DECLARED)
    (whole,) = got.function_calls or []
    (late,) = [call for chunk in streamed for call in chunk.function_calls or ()]
    for call in (whole, late):
        assert (call.name, call.args) == ("look_up", {"who": CALL})


@UPSTREAMS
def test_a_function_that_the_client_runs(client: genai.Client, model: str) -> None:
    """The client calls the function and sends its result, by itself."""
    config = types.GenerateContentConfig(tools=[look_up])
    chat = client.chats.create(model=model, config=config)
    assert chat.send_message(CALL).text == f"The tool said: found {CALL}"
    streamed = client.chats.create(model=model, config=config).send_message_stream(CALL)
    texts = [
        part.text
        for chunk in streamed
        for candidate in chunk.candidates or ()
        for part in (candidate.content and candidate.content.parts) or ()
        if part.text
    ]
    assert "".join(texts) == f"The tool said: found {CALL}"


@UPSTREAMS
def test_structured_output(client: genai.Client, model: str) -> None:
    json_type = "application/json"
    for config in (
        types.GenerateContentConfig(response_mime_type=json_type, response_schema=Person),
        types.GenerateContentConfig(
            response_mime_type=json_type, response_json_schema=Person.model_json_schema()
        ),
    ):
        got = client.models.generate_content(model=model, contents=SOMEBODY, config=config)
        assert Person.model_validate_json(got.text or "") == ANN
    config = types.GenerateContentConfig(response_mime_type=json_type, response_schema=list[Person])
    got = client.models.generate_content(model=model, contents=SOMEBODY, config=config)
    people: object = got.parsed
    assert people == [ANN]


@UPSTREAMS
def test_vision(doors: Doors, client: genai.Client, model: str) -> None:
    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    got = client.models.generate_content(model=model, contents=["What is it?", picture])
    assert got.text == "You said: What is it?"
    assert PNG_BASE64 in doors.seen()[-1].text


@EMBEDDERS
def test_embed_content(client: genai.Client, model: str) -> None:
    got = client.models.embed_content(model=model, contents=["one", SAID])
    assert [len(one.values or ()) for one in got.embeddings or ()] == [DIMENSIONS] * 2
    config = types.EmbedContentConfig(output_dimensionality=256)
    got = client.models.embed_content(model=model, contents="one", config=config)
    assert [len(one.values or ()) for one in got.embeddings or ()] == [256]


@UPSTREAMS
def test_count_tokens(client: genai.Client, model: str) -> None:
    assert client.models.count_tokens(model=model, contents="hello there").total_tokens == 6


def test_models(client: genai.Client) -> None:
    listed = {model.name: model for model in client.models.list()}
    assert "models/gpt-4o" in listed
    assert "generateContent" in (listed["models/gpt-4o"].supported_actions or ())
    assert client.models.get(model=GEMINI).name == f"models/{GEMINI}"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_versions_of_the_api(doors: Doors, version: str) -> None:
    with client_of(doors, api_version=version) as client:
        assert client.models.generate_content(model=OPENAI, contents=SAID).text == ANSWER
        assert "models/gpt-4o" in [model.name for model in client.models.list()]


# ---- in front of Vertex AI's places --------------------------------------------------------------


def with_a_key(doors: Doors, options: types.HttpOptions) -> genai.Client:
    return genai.Client(vertexai=True, api_key=doors.key, http_options=options)


def with_a_project(doors: Doors, options: types.HttpOptions) -> genai.Client:
    """The virtual key in the place of Google's token."""
    return genai.Client(
        vertexai=True,
        project="project-1",
        location="europe-west1",
        credentials=Credentials(doors.key),  # type: ignore[no-untyped-call]  # google-auth's
        http_options=options,
    )


@pytest.mark.parametrize("opened", [with_a_key, with_a_project])
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_vertex(doors: Doors, version: str, opened: Opened) -> None:
    options = types.HttpOptions(base_url=doors.url, api_version=version)
    with opened(doors, options) as client:
        assert client.models.generate_content(model=OPENAI, contents=SAID).text == ANSWER
        chunks = client.models.generate_content_stream(model=ANTHROPIC, contents=SAID)
        assert "".join(chunk.text or "" for chunk in chunks) == ANSWER
        got = client.models.embed_content(model="text-embedding-3-small", contents=SAID)
        assert [len(one.values or ()) for one in got.embeddings or ()] == [DIMENSIONS]
        assert OPENAI in {
            (model.name or "").removeprefix("models/") for model in client.models.list()
        }
        assert (client.models.get(model=OPENAI).name or "").endswith(OPENAI)
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model=OPENAI, contents=FORBIDDEN)
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


# ---- what the policy does ------------------------------------------------------------------------


def refused(client: genai.Client, model: str, text: str) -> Iterator[errors.APIError]:
    """The error of a whole answer, and that of a stream."""
    with pytest.raises(errors.APIError) as caught:
        client.models.generate_content(model=model, contents=text)
    yield caught.value
    with pytest.raises(errors.APIError) as caught:
        list(client.models.generate_content_stream(model=model, contents=text))
    yield caught.value


def test_a_blocked_prompt(doors: Doors, client: genai.Client) -> None:
    for error in refused(client, OPENAI, FORBIDDEN):
        assert isinstance(error, errors.ClientError)
        assert (error.code, error.status) == (403, "PERMISSION_DENIED")
        assert "own.project" in (error.message or "")
    assert doors.seen() == ()


def test_a_blocked_answer(client: genai.Client) -> None:
    """As the status, and in a stream behind what could be said."""
    for error in refused(client, TELLTALE, "hi"):
        assert isinstance(error, errors.ClientError)
        assert (error.code, error.status) == (403, "PERMISSION_DENIED")
    chunks: list[Any] = []
    with pytest.raises(errors.ClientError, match=r"own\.project"):
        chunks.extend(client.models.generate_content_stream(model=TELLTALE, contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == BEGUN


def test_a_limit(doors: Doors) -> None:
    with client_of(doors, "spent") as client:
        for error in refused(client, OPENAI, SAID):
            assert isinstance(error, errors.ClientError)
            assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
            assert "one-token" in (error.message or "")
    assert doors.seen() == ()


def test_a_client_that_tries_again(doors: Doors) -> None:
    """It retries when told to, and then as often as it was told."""
    options = types.HttpRetryOptions(attempts=3, initial_delay=0.01, max_delay=0.02)
    with client_of(doors, retry_options=options) as client:
        for error in refused(client, "busy", SAID):
            assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
    assert len(doors.seen()) == 6


def test_a_wrong_key_and_an_unknown_model(doors: Doors, client: genai.Client) -> None:
    options = types.HttpOptions(base_url=doors.url)
    with genai.Client(api_key="nvk_wrong", http_options=options) as stranger:
        for error in refused(stranger, OPENAI, SAID):
            assert (error.code, error.status) == (401, "UNAUTHENTICATED")
    for error in refused(client, "nobody-has-it", SAID):
        assert (error.code, error.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError, match="not among those"):
        client.models.get(model="nobody-has-it")


@pytest.mark.parametrize(("model", "code"), [("broken", 500), ("cut", 502), ("error-event", 502)])
def test_an_upstream_that_fails(client: genai.Client, model: str, code: int) -> None:
    """As the status, or inside the stream."""
    with pytest.raises(errors.ServerError) as caught:
        list(client.models.generate_content_stream(model=model, contents=SAID))
    assert (caught.value.code, caught.value.status) == (code, "INTERNAL")


def test_a_path_that_is_not_served(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        list(client.files.list())
    assert caught.value.code == 404
    assert "is not served here" in (caught.value.message or "")
