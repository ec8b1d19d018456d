"""The Responses API whole, in process: the clients' own methods over the policy's transport."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sdk.client.conftest import MAIL

import nexus_sdk
from nexus_sdk.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

SAID = "I am bob@example.com"


@pytest.fixture(params=[False, True], ids=["memory", "file"])
def elsewhere(
    upstream: ModelServer,
    events: list[Event],
    request: pytest.FixtureRequest,
) -> Iterator[nexus_sdk.Nexus]:
    """A policy under which every model is Anthropic's."""
    anthropic = {
        "kind": "anthropic",
        "base_url": upstream.url,
        "api_key": "k",
        "private_network": True,
    }
    policy = {
        "providers": {"anthropic": anthropic},
        "routing": {"models": {"m": "anthropic/claude-opus-5"}},
        "compliance": MAIL,
    }
    with nexus_sdk.Nexus(policy, observe=events.append, durable=request.param) as made:
        yield made


def test_a_conversation_goes_on_and_is_read(
    elsewhere: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    client = nexus_sdk.OpenAI(api_key="k", nexus=elsewhere, max_retries=0)
    first = client.responses.create(model="m", input=SAID)
    *_, end = client.responses.create(
        model="m", input="on", previous_response_id=first.id, stream=True
    )
    second: Any = end.response  # type: ignore[union-attr]
    assert client.responses.retrieve(second.id).output_text == second.output_text
    assert [event.type for event in client.responses.retrieve(second.id, stream=True)][-1] == (
        "response.completed"
    )
    items = client.responses.input_items.list(second.id, order="asc")
    assert [item.model_dump()["content"][0]["text"] for item in items] == [
        SAID,
        first.output_text,
        "on",
    ]
    client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)
    other = nexus_sdk.OpenAI(api_key="k", nexus=elsewhere, user="eve", max_retries=0)
    with pytest.raises(openai.NotFoundError):
        other.responses.retrieve(first.id)
    assert len(upstream.requests) == 2
    assert all("bob@example.com" not in seen.text for seen in upstream.requests)
    assert [event["endpoint"] for event in events] == [
        *["responses"] * 2,
        *["response"] * 2,
        "response_items",
        "response_delete",
        *["response"] * 2,
    ]


def test_a_conversation_goes_on_in_tasks(elsewhere: nexus_sdk.Nexus, upstream: ModelServer) -> None:
    async def talk() -> None:
        async with nexus_sdk.AsyncOpenAI(api_key="k", nexus=elsewhere, max_retries=0) as client:
            first = await client.responses.create(model="m", input=SAID)
            stream = await client.responses.create(
                model="m", input="on", previous_response_id=first.id, stream=True
            )
            ended = [event async for event in stream][-1]
            made: Any = ended.response  # type: ignore[union-attr]
            assert await client.responses.retrieve(made.id) == made
            again = await client.responses.retrieve(made.id, stream=True)
            assert [event async for event in again][-1] == ended
            await client.responses.delete(made.id)
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(made.id)

    asyncio.run(talk())
    assert len(upstream.requests) == 2


def test_an_upstream_of_the_application_s_own_is_asked_itself(
    client: nexus_sdk.OpenAI, upstream: ModelServer
) -> None:
    made = client.responses.create(model="gpt-4o", input=SAID)
    with pytest.raises(openai.NotFoundError):  # the model server has none of these
        client.responses.retrieve(made.id)
    assert upstream.requests[-1].target == f"/v1/responses/{made.id}"


@pytest.mark.parametrize("made", [nexus_sdk.OpenAI, nexus_sdk.AsyncOpenAI])
def test_no_socket_goes_past_the_policy(made: Any, nexus: nexus_sdk.Nexus) -> None:
    client = made(api_key="k", nexus=nexus)
    with pytest.raises(NotAllowed, match=r"use responses\.create"):
        client.responses.connect()
    with pytest.raises(NotAllowed, match=r"^realtime\.connect opens"):
        client.realtime.connect(model="gpt-realtime")
    if hasattr(client.realtime, "translations"):  # openai 2 has none
        with pytest.raises(NotAllowed, match="past the policy"):
            client.realtime.translations.connect(model="gpt-realtime")
    with pytest.raises(NotAllowed, match=r"beta\.realtime\.connect"):
        client.beta.realtime.connect(model="gpt-realtime")
