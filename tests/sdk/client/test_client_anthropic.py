"""The official `anthropic` client through the transport: whole answers, streams, tools, refusals,
faults."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from tests.parity.portrait import differences, portrait

from nexus_sdk.transports import family_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import nexus_sdk
    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

ASK: dict[str, Any] = {
    "model": "claude-demo",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "I am ann@example.com, say this is a test"}],
}
COUNTED = {"id", "_request_id", "request_id", "json", "set json"}
WATCHING: dict[str, Any] = {"compliance": {"hooks": []}}
TOOLS = [
    {
        "name": "weather",
        "description": "The weather in a city",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]
USE_TOOL: dict[str, Any] = {**ASK, "tools": TOOLS, "tool_choice": {"type": "any"}}
FAMILY = family_of(anthropic.Anthropic(api_key="k")._client)


def through_transport(nexus: nexus_sdk.Nexus, upstream: ModelServer) -> anthropic.Anthropic:
    http: Any = importlib.import_module(FAMILY)
    client = http.Client(transport=nexus.transport(FAMILY))
    return anthropic.Anthropic(
        base_url=upstream.url, api_key="k", http_client=client, max_retries=0
    )


def wrapped(nexus: nexus_sdk.Nexus, upstream: ModelServer) -> anthropic.Anthropic:
    return nexus.wrap(anthropic.Anthropic(base_url=upstream.url, api_key="k", max_retries=0))


WAYS = (through_transport, wrapped)


def whole(client: Any) -> Any:
    return client.messages.create(**ASK)


def tool(client: Any) -> Any:
    return client.messages.create(**USE_TOOL)


def events_of_stream(client: Any) -> Any:
    return list(client.messages.create(**ASK, stream=True))


def helper(client: Any) -> Any:
    with client.messages.stream(**ASK) as stream:
        return [*stream.text_stream, stream.get_final_message()]


def tool_stream(client: Any) -> Any:
    with client.messages.stream(**USE_TOOL) as stream:
        return [*stream, stream.get_final_message()]


def thinking(client: Any) -> Any:
    asked = {**ASK, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    with client.messages.stream(**asked, extra_headers={"x-demo": "think=Hm."}) as stream:
        return [*stream, stream.get_final_message()]


def raw(client: Any) -> Any:
    answer = client.messages.with_raw_response.create(**ASK)
    return [answer.status_code, answer.headers["request-id"][:4], answer.parse()]


def without_ids(seen: Any) -> Any:
    """The upstream counts its answers."""
    if isinstance(seen, dict):
        return {k: without_ids(v) for k, v in seen.items() if k not in COUNTED}
    return [without_ids(item) for item in seen] if isinstance(seen, list) else seen


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    "act",
    [whole, tool, events_of_stream, helper, tool_stream, thinking, raw],
    ids=lambda act: act.__name__,
)
def test_it_works_as_without_us(
    act: Callable[[Any], Any],
    way: Callable[..., Any],
    nexus: nexus_sdk.Nexus,
    upstream: ModelServer,
    events: list[Event],
) -> None:
    nexus.reload(WATCHING)
    stock = anthropic.Anthropic(base_url=upstream.url, api_key="k", max_retries=0)
    expected, got = portrait(act(stock)), portrait(act(way(nexus, upstream)))
    assert not differences(without_ids(got), without_ids(expected))
    first, second = upstream.requests
    assert second.body == first.body
    assert [(event["door"], event["endpoint"], event["outcome"]) for event in events] == [
        ("transport", "messages", "complete")
    ]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_personal_data_stays_here(
    way: Callable[..., Any], nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    client = way(nexus, upstream)
    with client.messages.stream(**ASK) as stream:
        assert "ann@example.com" in "".join(stream.text_stream)
    assert "ann@example.com" in client.messages.create(**ASK).content[0].text
    assert not any("ann@example.com" in request.text for request in upstream.requests)
    assert [event["decision"] for event in events] == ["redact", "redact"]


def test_a_refusal_is_the_sdks_own_exception(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    rule = {"id": "acme.mail", "words": ["example.com"]}
    nexus.reload({"compliance": {"hooks": [{"name": "mail", "own": [rule], "action": "block"}]}})
    client = through_transport(nexus, upstream).with_options(max_retries=2)
    with pytest.raises(anthropic.PermissionDeniedError, match=r"acme\.mail") as told:
        client.messages.create(**ASK)
    assert told.value.request_id == events[0]["id"]
    assert len(events) == 1


def test_an_upstreams_error_is_the_sdks_own_exception(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    client = through_transport(nexus, upstream).with_options(max_retries=2)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**ASK, extra_headers={"x-demo": "status=400"})
    with pytest.raises(anthropic.APIStatusError):
        list(
            client.messages.create(
                **ASK, stream=True, extra_headers={"x-demo": "error-event-after=3"}
            )
        )
    assert [event["outcome"] for event in events] == ["complete", "failed"]


def test_a_stream_that_is_cut_raises(nexus: nexus_sdk.Nexus, upstream: ModelServer) -> None:
    client = through_transport(nexus, upstream)
    with pytest.raises(anthropic.APIError):
        list(
            client.messages.create(
                **ASK, stream=True, extra_headers={"x-demo": "chunks=50;end-after=900"}
            )
        )


def test_the_async_client_works_too(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    http: Any = importlib.import_module(FAMILY)

    async def main() -> None:
        inner = http.AsyncClient(transport=nexus.async_transport(FAMILY))
        async with anthropic.AsyncAnthropic(
            base_url=upstream.url, api_key="k", http_client=inner
        ) as client:
            message = await client.messages.create(**ASK)
            assert "ann@example.com" in message.content[0].text
            async with client.messages.stream(**USE_TOOL) as stream:
                final = await stream.get_final_message()
            assert final.stop_reason == "tool_use"

    asyncio.run(main())
    assert [event["outcome"] for event in events] == ["complete", "complete"]
