"""A type checker sees the stock client's types. mypy reads this file in `make check`: an
`assert_type` that does not hold is an error, and so is a `type: ignore` that nothing needs."""

from __future__ import annotations

import asyncio
from typing import assert_type

import openai
import pytest
from openai import AsyncStream, Stream
from openai.pagination import SyncPage
from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionUserMessageParam
from openai.types.responses import Response, ResponseStreamEvent

import nexus_sdk

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Hello"}]


def test_the_sync_client(client: nexus_sdk.OpenAI) -> None:
    stock: openai.OpenAI = client
    assert stock.api_key == "sk-test"
    whole = client.chat.completions.create(model="gpt-4o", messages=[*HELLO])
    assert_type(whole, ChatCompletion)
    chunks = client.chat.completions.create(model="gpt-4o", messages=[*HELLO], stream=True)
    assert_type(chunks, Stream[ChatCompletionChunk])
    with chunks as opened:
        assert_type(next(opened), ChatCompletionChunk)
    response = client.responses.create(model="gpt-4o", input="Hello")
    assert_type(response, Response)
    with client.responses.create(model="gpt-4o", input="Hello", stream=True) as events:
        assert_type(next(events), ResponseStreamEvent)
    vectors = client.embeddings.create(model="m", input="Hello")
    assert_type(vectors, CreateEmbeddingResponse)
    assert_type(client.models.list(), SyncPage[Model])
    assert_type(client.with_options(timeout=3), nexus_sdk.OpenAI)


def test_the_async_client(aclient: nexus_sdk.AsyncOpenAI) -> None:
    async def main() -> None:
        whole = await aclient.chat.completions.create(model="gpt-4o", messages=[*HELLO])
        assert_type(whole, ChatCompletion)
        chunks = await aclient.chat.completions.create(
            model="gpt-4o", messages=[*HELLO], stream=True
        )
        assert_type(chunks, AsyncStream[ChatCompletionChunk])
        assert [chunk async for chunk in chunks]
        assert_type(aclient.copy(), nexus_sdk.AsyncOpenAI)

    asyncio.run(main())


def test_wrong_arguments_are_seen(client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(TypeError):
        client.chat.completions.create(model="gpt-4o", messages=[*HELLO], temprature=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        client.embeddings.create(model="m")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        nexus_sdk.OpenAI(api_kee="k", nexus=nexus)  # type: ignore[call-arg]


def test_errors_have_their_own_facts() -> None:
    def told(error: nexus_sdk.PolicyBlocked | nexus_sdk.QuotaExceeded) -> tuple[object, ...]:
        if isinstance(error, nexus_sdk.PolicyBlocked):
            return assert_type(error.rules, tuple[str, ...])
        return (assert_type(error.retry_after, float), assert_type(error.limit, str))

    assert told.__annotations__
    assert issubclass(nexus_sdk.PolicyBlocked, openai.PermissionDeniedError)
    assert issubclass(nexus_sdk.QuotaExceeded, openai.RateLimitError)
