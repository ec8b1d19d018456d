"""The rest of the stock client's surface: helpers, raw and streamed responses, options, complaints
of wrong use."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from openai import OpenAI, pydantic_function_tool
from tests.parity.calls import ASK, FLAT_TOOLS, TOOLS
from tests.parity.portrait import differences, portrait, upstream_headers
from tests.parity.sides import watch

import nexus_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

RESPOND: dict[str, Any] = {"model": "gpt-4o", "input": "Say this is a test"}


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def parsed_chat(client: Any) -> Any:
    return client.chat.completions.parse(**ASK, response_format=Weather)


def parsed_response(client: Any) -> Any:
    return client.responses.parse(**RESPOND, text_format=Weather)


def parsed_tool(client: Any) -> Any:
    tool = pydantic_function_tool(Weather, name="weather")
    return client.chat.completions.parse(**ASK, tools=[tool], tool_choice="required")


def beta_parsed(client: Any) -> Any:
    return client.beta.chat.completions.parse(**ASK, response_format=Weather)


def with_other_options(client: Any) -> Any:
    other = client.with_options(max_retries=0, timeout=20, default_headers={"X-Other": "1"})
    return other.chat.completions.create(**ASK)


def copied(client: Any) -> Any:
    return client.copy(api_key="sk-other").responses.create(**RESPOND)


def changed_attributes(client: Any) -> Any:
    client.api_key = "sk-changed"
    client.timeout = 9
    client.base_url = str(client.base_url).replace("/v1", "")
    return client.chat.completions.create(**ASK)


def sent_back(client: Any) -> Any:
    """An answer's own objects as input."""
    from openai.types.chat import ChatCompletionMessage

    message = ChatCompletionMessage(role="assistant", content="Yes?")
    return client.chat.completions.create(
        model="gpt-4o", messages=[ASK["messages"][0], message, {"role": "user", "content": "Go on"}]
    )


def odd_values(client: Any) -> Any:
    """A generator, a tuple, an enumeration's member, a map with numbers for keys, text beyond the
    BMP."""
    return client.chat.completions.create(
        model="gpt-4o",
        messages=(message for message in ASK["messages"]),
        stop=("a", "b"),
        logit_bias={5: 1},
        metadata={"smile": "\U0001f600"},
    )


def own_request(client: Any) -> Any:
    return client.post("/chat/completions", cast_to=object, body=ASK)


def misspelt(client: Any) -> Any:
    return client.chat.completions.create(**ASK, temprature=1)


def incomplete(client: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o")


def class_as_format(client: Any) -> Any:
    return client.chat.completions.create(**ASK, response_format=Weather)


def not_a_number(client: Any) -> Any:
    return client.chat.completions.create(**ASK, temperature=float("nan"))


def not_encodable(client: Any) -> Any:
    return client.chat.completions.create(**ASK, metadata={"a": object()})


def bad_header(client: Any) -> Any:
    return client.chat.completions.create(**ASK, extra_headers={"X-A": "caf\u00e9\u2603"})


def header_taken_away(client: Any) -> Any:
    from openai._types import Omit

    return client.chat.completions.create(**ASK, extra_headers={"User-Agent": Omit()})


ACTS = (
    parsed_chat,
    parsed_response,
    parsed_tool,
    beta_parsed,
    with_other_options,
    copied,
    changed_attributes,
    sent_back,
    odd_values,
    own_request,
    misspelt,
    incomplete,
    class_as_format,
    not_a_number,
    not_encodable,
    bad_header,
    header_taken_away,
)


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_it_works_as_the_stock_client_does(act: Callable[[Any], Any], colour: str) -> None:
    demo = (
        "say=%7B%22city%22%3A%22Rome%22%2C%22degrees%22%3A20%7D" if "parsed" in act.__name__ else ""
    )
    demo = "" if act is parsed_tool else demo
    stock, ours = (watch(side, colour, act, demo=demo) for side in ("stock", "ours"))
    assert not differences(ours.outcome, stock.outcome)
    assert not differences(ours.requests, stock.requests)
    assert len(ours.events) == len(stock.requests)


def streamed_chat(client: Any) -> list[Any]:
    with client.chat.completions.stream(**ASK, tools=TOOLS) as stream:
        events = [portrait(event) for event in stream]
        return [*events, stream.get_final_completion()]


async def astreamed_chat(client: Any) -> list[Any]:
    async with client.chat.completions.stream(**ASK, tools=TOOLS) as stream:
        events = [portrait(event) async for event in stream]
        return [*events, await stream.get_final_completion()]


def streamed_response(client: Any) -> list[Any]:
    with client.responses.stream(**RESPOND, tools=FLAT_TOOLS) as stream:
        events = [portrait(event) for event in stream]
        return [*events, stream.get_final_response()]


async def astreamed_response(client: Any) -> list[Any]:
    async with client.responses.stream(**RESPOND, tools=FLAT_TOOLS) as stream:
        events = [portrait(event) async for event in stream]
        return [*events, await stream.get_final_response()]


def raw_whole(client: Any) -> list[Any]:
    raw = client.chat.completions.with_raw_response.create(**ASK)
    return [raw.parse(), _facts(raw), raw.text, raw.retries_taken]


async def araw_whole(client: Any) -> list[Any]:
    raw = await client.chat.completions.with_raw_response.create(**ASK)
    return [raw.parse(), _facts(raw), raw.text, raw.retries_taken]


def raw_stream(client: Any) -> list[Any]:
    raw = client.chat.completions.with_raw_response.create(**ASK, stream=True)
    return [_facts(raw), *raw.parse()]


async def araw_stream(client: Any) -> list[Any]:
    raw = await client.chat.completions.with_raw_response.create(**ASK, stream=True)
    return [_facts(raw), *[item async for item in raw.parse()]]


def streaming_whole(client: Any) -> list[Any]:
    with client.responses.with_streaming_response.create(**RESPOND) as raw:
        return [_facts(raw), b"".join(raw.iter_bytes())]


async def astreaming_whole(client: Any) -> list[Any]:
    async with client.responses.with_streaming_response.create(**RESPOND) as raw:
        return [_facts(raw), b"".join([piece async for piece in raw.iter_bytes()])]


def streaming_lines(client: Any) -> list[Any]:
    with client.responses.with_streaming_response.create(**RESPOND, stream=True) as raw:
        return [_facts(raw), *[line for line in raw.iter_lines() if line]]


async def astreaming_lines(client: Any) -> list[Any]:
    async with client.responses.with_streaming_response.create(**RESPOND, stream=True) as raw:
        return [_facts(raw), *[line async for line in raw.iter_lines() if line]]


def streaming_raw_bytes(client: Any) -> list[Any]:
    with client.embeddings.with_streaming_response.create(model="m", input="x") as raw:
        return [b"".join(raw.http_response.iter_raw()), raw.http_response.num_bytes_downloaded]


def stream_by_hand(client: Any) -> list[Any]:
    """One by `next`, the rest by two loops, then nothing more."""
    stream = client.chat.completions.create(**ASK, stream=True)
    first = next(stream)
    some = [chunk for chunk, _ in zip(stream, range(2), strict=False)]
    return [first, *some, *stream, *stream]


async def astream_by_hand(client: Any) -> list[Any]:
    stream = await client.chat.completions.create(**ASK, stream=True)
    first = await anext(stream)
    return [first, *[chunk async for chunk in stream], *[chunk async for chunk in stream]]


def every_model(client: Any) -> list[Any]:
    return list(client.models.list())


async def aevery_model(client: Any) -> list[Any]:
    return [model async for model in client.models.list()]


def _facts(raw: Any) -> Any:
    return [
        raw.status_code,
        raw.request_id,
        raw.method,
        raw.url.path,
        upstream_headers(raw.headers),
    ]


@pytest.mark.parametrize(
    "act",
    [
        streamed_chat,
        streamed_response,
        raw_whole,
        raw_stream,
        streaming_whole,
        streaming_lines,
        streaming_raw_bytes,
        stream_by_hand,
        every_model,
    ],
    ids=lambda act: act.__name__,
)
def test_a_helper_works_as_the_stock_clients(act: Callable[[Any], Any]) -> None:
    stock, ours = (watch(side, "sync", act) for side in ("stock", "ours"))
    assert stock.outcome[0] == "returned"
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.events) == 1


@pytest.mark.parametrize(
    "act",
    [
        astreamed_chat,
        astreamed_response,
        araw_whole,
        araw_stream,
        astreaming_whole,
        astreaming_lines,
        astream_by_hand,
        aevery_model,
    ],
    ids=lambda act: act.__name__,
)
def test_an_async_helper_works_as_the_stock_clients(act: Callable[[Any], Any]) -> None:
    stock, ours = (watch(side, "async", act) for side in ("stock", "ours"))
    assert stock.outcome[0] == "returned"
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.events) == 1


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_stream_of_the_helper_is_left_early(colour: str) -> None:
    def act(client: Any) -> Any:
        with client.chat.completions.stream(**ASK) as stream:
            return [portrait(next(iter(stream)))]

    async def aact(client: Any) -> Any:
        async with client.chat.completions.stream(**ASK) as stream:
            return [portrait(await anext(aiter(stream)))]

    wanted = act if colour == "sync" else aact
    stock, ours = (watch(side, colour, wanted, demo="chunks=500") for side in ("stock", "ours"))
    assert not differences(ours.outcome, stock.outcome)
    assert [event["outcome"] for event in ours.events] == ["caller_left"]


def test_the_signatures_are_the_stock_ones() -> None:
    stock, ours = OpenAI(api_key="k"), nexus_sdk.OpenAI(api_key="k", policy={})
    for path in ("chat.completions.create", "responses.create", "embeddings.create"):
        first: Any = stock
        second: Any = ours
        for name in path.split("."):
            first, second = getattr(first, name), getattr(second, name)
        assert inspect.signature(second) == inspect.signature(first)
        assert second.__doc__ == first.__doc__
    ours.close()


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_closed_client_complains_as_the_stock_one(colour: str) -> None:
    def act(client: Any) -> Any:
        client.close()
        return client.chat.completions.create(**ASK)

    async def aact(client: Any) -> Any:
        await client.close()
        return await client.chat.completions.create(**ASK)

    wanted = act if colour == "sync" else aact
    stock, ours = (watch(side, colour, wanted) for side in ("stock", "ours"))
    assert stock.outcome[0] == "raised"
    assert not differences(ours.outcome, stock.outcome)


def test_a_key_from_a_function_is_asked_for_each_call() -> None:
    keys = iter(["sk-1", "sk-2"])

    def act(client: Any) -> Any:
        return [client.chat.completions.create(**ASK).id for _ in range(2)]

    ours = watch("ours", "sync", act, api_key=lambda: next(keys))
    assert [request["headers"]["authorization"] for request in ours.requests] == [
        "Bearer sk-1",
        "Bearer sk-2",
    ]


def test_an_async_key_from_a_function_is_asked_for_each_call() -> None:
    async def key() -> str:
        await asyncio.sleep(0)
        return "sk-async"

    ours = watch("ours", "async", lambda client: client.chat.completions.create(**ASK), api_key=key)
    assert ours.requests[0]["headers"]["authorization"] == "Bearer sk-async"


def test_missing_credentials_are_said_by_the_stock_client() -> None:
    with pytest.raises(Exception) as stock:  # noqa: PT011  the stock client's own
        OpenAI()
    with pytest.raises(type(stock.value)) as ours:
        nexus_sdk.OpenAI()
    assert str(ours.value) == str(stock.value)
