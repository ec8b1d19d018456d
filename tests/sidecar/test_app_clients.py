"""The official clients through a sidecar, each against both vendors' formats."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest
from tests.sidecar.app_stack import chat

if TYPE_CHECKING:
    from tests.sidecar.app_stack import Stack

SAID = "I am emp-123456"
ANSWER = "You said: I am emp-123456"
CHAT_MODELS = ("gpt-4o", "gpt-by-anthropic")
MESSAGE_MODELS = ("claude-opus-5", "claude-by-openai")
USER: Any = [{"role": "user", "content": SAID}]
ASK_FOR_TOOL: Any = [{"role": "user", "content": "call look_up for emp-123456"}]
PARAMETERS: Any = {
    "type": "object",
    "properties": {"who": {"type": "string"}},
    "required": ["who"],
}


@pytest.fixture(autouse=True)
def _nothing_leaks(stack: Stack) -> Any:
    """Whatever a test does: the provider does not see the value, and each request is one event."""
    before = len(stack.events())
    yield
    assert stack.seen()
    for seen in stack.seen():
        assert "emp-123456" not in seen.text
        assert stack.key not in json.dumps(dict(seen.headers))
    fresh = stack.events()[before:]
    assert len(fresh) == len(stack.seen())
    assert stack.key not in json.dumps(fresh)


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_chat(stack: Stack, model: str) -> None:
    with stack.openai() as client:
        got = client.chat.completions.create(model=model, messages=USER)
        streamed = client.chat.completions.create(model=model, messages=USER, stream=True)
        pieces = [c.choices[0].delta.content or "" for c in streamed if c.choices]
    assert got.choices[0].message.content == ANSWER
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 2
    assert got.usage is not None
    assert got.usage.prompt_tokens > 0


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_chat_from_tasks(stack: Stack, model: str) -> None:
    async def ask() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=stack.key) as client:
            got = await client.chat.completions.create(model=model, messages=USER)
            streamed = await client.chat.completions.create(model=model, messages=USER, stream=True)
            pieces = [c.choices[0].delta.content or "" async for c in streamed if c.choices]
            return got.choices[0].message.content, "".join(pieces)

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_chat_with_tools(stack: Stack, model: str) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}]
    with stack.openai() as client:
        got = client.chat.completions.create(model=model, messages=ASK_FOR_TOOL, tools=tools)
        streamed = client.chat.completions.create(
            model=model, messages=ASK_FOR_TOOL, tools=tools, stream=True
        )
        deltas = [c.choices[0].delta.tool_calls for c in streamed if c.choices]
    (call,) = got.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert "emp-123456" in json.loads(call.function.arguments)["who"]
    told = "".join(d.function.arguments or "" for ds in deltas for d in ds or () if d.function)
    assert json.loads(told) == json.loads(call.function.arguments)


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_responses(stack: Stack, model: str) -> None:
    with stack.openai() as client:
        got = client.responses.create(model=model, input=SAID)
        events = list(client.responses.create(model=model, input=SAID, stream=True))
    assert got.output_text == ANSWER
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == ANSWER
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == ANSWER


@pytest.mark.parametrize("model", MESSAGE_MODELS)
def test_messages(stack: Stack, model: str) -> None:
    with stack.anthropic() as client:
        got = client.messages.create(model=model, max_tokens=64, messages=USER)
        with client.messages.stream(model=model, max_tokens=64, messages=USER) as streamed:
            pieces = list(streamed.text_stream)
            final = streamed.get_final_message()
    assert got.content[0].type == "text"
    assert got.content[0].text == ANSWER
    assert "".join(pieces) == ANSWER
    assert final.stop_reason == got.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@pytest.mark.parametrize("model", MESSAGE_MODELS)
def test_messages_with_tools_from_tasks(stack: Stack, model: str) -> None:
    tools: Any = [{"name": "look_up", "input_schema": PARAMETERS}]

    async def ask() -> tuple[Any, Any]:
        async with anthropic.AsyncAnthropic(base_url=stack.url, api_key=stack.key) as client:
            given: Any = {"model": model, "max_tokens": 64, "messages": ASK_FOR_TOOL}
            got = await client.messages.create(**given, tools=tools)
            async with client.messages.stream(**given, tools=tools) as streamed:
                final = await streamed.get_final_message()
            return got.content[-1], final.content[-1]

    for block in asyncio.run(ask()):
        assert block.type == "tool_use"
        assert "emp-123456" in block.input["who"]


def test_embeddings(stack: Stack) -> None:
    with stack.openai() as client:
        got = client.embeddings.create(model="text-embedding-3-small", input=[SAID, "two"])
    assert len(got.data) == 2
    assert len(got.data[0].embedding) > 100


def test_the_key_may_stand_where_a_client_puts_it(stack: Stack) -> None:
    for header in ("x-api-key", "api-key", "x-nexus-virtual-key"):
        given = {"authorization": "", header: stack.key}
        answered = stack.post("/v1/chat/completions", chat(SAID), **given)
        assert answered.status == 200, header


# ---- paths that name the model -------------------------------------------------------------------


@pytest.mark.parametrize("deployment", CHAT_MODELS)
def test_azure_s_client(stack: Stack, deployment: str) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=stack.url, api_key=stack.key, api_version="2024-10-21", max_retries=0
    ) as client:
        got = client.chat.completions.create(model=deployment, messages=USER)
        streamed = client.chat.completions.create(model=deployment, messages=USER, stream=True)
        pieces = [c.choices[0].delta.content or "" for c in streamed if c.choices]
    assert got.choices[0].message.content == ANSWER
    assert "".join(pieces) == ANSWER


def test_a_deployment_without_a_model_in_the_body(stack: Stack) -> None:
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    told = httpx.post(f"{stack.url}{path}", json={"messages": USER}, headers={"api-key": stack.key})
    assert told.status_code == 200
    assert told.json()["choices"][0]["message"]["content"] == ANSWER
