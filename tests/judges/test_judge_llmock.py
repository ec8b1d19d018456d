"""A model server that we did not write (`llmock`) behind every client, in the dialect of nine
providers: it answers, calls tools, breaks, and says in the end what the client did wrong."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import BASE_PATHS, LLMockServer

import nexus_sdk
from nexus_sdk.nexus import Nexus
from nexus_sdk.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDERS = (
    "openai", "anthropic", "gemini", "mistral", "cohere", "groq", "together", "perplexity", "xai",
)  # fmt: skip
ASKED: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]


END = ("stop", "eos")
"""Together's own word is the second; in OpenAI's dialect it passes through as it is."""


@pytest.fixture(scope="module")
def server() -> Iterator[LLMockServer]:
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = LLMockServer().start()
    yield started
    started.stop()


@pytest.fixture
def judge(server: LLMockServer) -> Iterator[LLMock]:
    """Its verdict is asked for at the end of each test."""
    mock = LLMock(server).reset()
    yield mock
    mock.assert_resilient(strict=True)


@pytest.fixture(scope="module")
def nexus(server: LLMockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nexus]:
    folder = tmp_path_factory.mktemp("nexus")
    settings = Settings(state_dir=folder / "state", cache_dir=folder / "cache", node="test")
    with Nexus(policy(server), settings=settings) as made:
        yield made


def policy(server: LLMockServer) -> dict[str, Any]:
    """Each provider at its place on the server, and a model of its own name that goes there."""
    return {
        "providers": {
            name: {
                "kind": name,
                "api_key": "k",
                "private_network": True,
                "base_url": server.url + BASE_PATHS[name],
            }
            for name in PROVIDERS
        },
        "routing": {
            "models": {name: f"{name}/some-model" for name in PROVIDERS},
            "retry": {"attempts": 3, "delay_s": 0.2},
        },
    }


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_chat_client_is_answered(judge: LLMock, nexus: Nexus, provider: str) -> None:
    judge.reply("Grey, and no wind.", times=None)
    client = nexus_sdk.OpenAI(nexus=nexus, api_key="k")
    whole = client.chat.completions.create(model=provider, messages=ASKED)
    assert whole.choices[0].message.content == "Grey, and no wind."
    assert whole.choices[0].finish_reason in END
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 0
    pieces = list(client.chat.completions.create(model=provider, messages=ASKED, stream=True))
    told = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    assert told == "Grey, and no wind."
    assert [p.choices[0].finish_reason for p in pieces if p.choices][-1] in END


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "perplexity"])
def test_a_tool_is_called_and_its_result_is_read(
    judge: LLMock, nexus: Nexus, provider: str, stream: bool
) -> None:
    """Perplexity's models call no tools."""
    client = nexus_sdk.OpenAI(nexus=nexus, api_key="k")
    asked = {"model": provider, "messages": ASKED, "tools": TOOLS}
    if stream:
        with client.chat.completions.stream(**asked) as events:
            message: Any = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**asked).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "get_weather"
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    again = client.chat.completions.create(
        model=provider, messages=[*ASKED, message, result], tools=TOOLS
    )
    assert again.choices[0].message.content
    assert not again.choices[0].message.tool_calls
    assert judge.verdict().findings == ()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_anthropics_client_is_answered(judge: LLMock, nexus: Nexus, provider: str) -> None:
    judge.reply("Grey, and no wind.", times=None)
    with httpx2.Client(transport=nexus.transport("httpx2")) as http:
        client = anthropic.Anthropic(api_key="k", http_client=http)
        asked: Any = {"model": provider, "max_tokens": 64, "messages": ASKED}
        whole: Any = client.messages.create(**asked)
        assert whole.content[0].text == "Grey, and no wind."
        assert whole.stop_reason == "end_turn"
        with client.messages.stream(**asked) as events:
            final: Any = events.get_final_message()
        assert final.content[0].text == "Grey, and no wind."


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_rate_limit_is_waited_for_as_long_as_it_asks(
    judge: LLMock, nexus: Nexus, provider: str
) -> None:
    judge.rate_limit(times=1, retry_after=1)
    client = nexus_sdk.OpenAI(nexus=nexus, api_key="k")
    assert client.chat.completions.create(model=provider, messages=ASKED).choices
    assert len(judge.requests) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_no_retry_mends_is_not_asked_again(judge: LLMock, nexus: Nexus, provider: str) -> None:
    judge.fail(400, times=None)
    client = nexus_sdk.OpenAI(nexus=nexus, api_key="k")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=provider, messages=ASKED)
    assert len(judge.requests) == 1


@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_breaks_is_an_error_of_the_clients_own(
    judge: LLMock, nexus: Nexus, provider: str, fault: str
) -> None:
    """The clients by themselves take some of these for a whole answer. With us the caller hears of
    it; `llmock` sees no other request, and may warn that nobody tried again: a stream that was
    begun cannot be."""
    judge.reply("one two three four five six seven eight", times=None)
    getattr(judge, fault)(after_chunks=3)
    client = nexus_sdk.OpenAI(nexus=nexus, api_key="k", max_retries=0)
    heard = ""
    with pytest.raises(openai.APIError):  # noqa: PT012
        for piece in client.chat.completions.create(model=provider, messages=ASKED, stream=True):
            heard += piece.choices[0].delta.content or "" if piece.choices else ""
    assert heard != "one two three four five six seven eight"
    judge.reset()
