"""A caller's own HTTP client carries our traffic: its mocks, hooks, proxies and certificates stay
in force. And the transports, for any SDK that is built on httpx or httpx2."""

from __future__ import annotations

import asyncio
import importlib
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sdk.client.conftest import ASK, MAIL

import nexus_sdk
from nexus_sdk.drivers import own_client
from nexus_sdk.results import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

FAMILIES = ("httpx", "httpx2")
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
    ],
}
CHUNKS = b"".join(
    b"data: %s\n\n" % json.dumps(doc).encode()
    for doc in (
        {
            **COMPLETION,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": text}}],
        }
        for text in ("Hel", "lo ")
    )
)
DONE = b"data: [DONE]\n\n"


def own(family: str, answer: Callable[[Any, Any], Any], **more: Any) -> Any:
    http: Any = importlib.import_module(family)
    return http.Client(transport=http.MockTransport(lambda request: answer(http, request)), **more)


def aown(family: str, answer: Callable[[Any, Any], Any], **more: Any) -> Any:
    http: Any = importlib.import_module(family)
    return http.AsyncClient(
        transport=http.MockTransport(lambda request: answer(http, request)), **more
    )


def completion(http: Any, request: Any) -> Any:
    return http.Response(200, json=COMPLETION, headers={"x-request-id": "req_mock"})


def stream(http: Any, request: Any) -> Any:
    return http.Response(200, content=CHUNKS + DONE, headers={"content-type": "text/event-stream"})


def cut(http: Any, request: Any) -> Any:
    def pieces() -> Any:
        yield CHUNKS
        raise http.ReadError("gone")

    return http.Response(200, content=pieces(), headers={"content-type": "text/event-stream"})


def refusing(http: Any, request: Any) -> Any:
    raise http.ConnectError("refused", request=request)


def slow(http: Any, request: Any) -> Any:
    raise http.ReadTimeout("slow", request=request)


def made(nexus: nexus_sdk.Nexus, client: Any, **more: Any) -> nexus_sdk.OpenAI:
    given = {"base_url": "http://up.test/v1", "api_key": "k", "max_retries": 0, **more}
    return nexus_sdk.OpenAI(nexus=nexus, http_client=client, **given)


def amade(nexus: nexus_sdk.Nexus, client: Any, **more: Any) -> nexus_sdk.AsyncOpenAI:
    given = {"base_url": "http://up.test/v1", "api_key": "k", "max_retries": 0, **more}
    return nexus_sdk.AsyncOpenAI(nexus=nexus, http_client=client, **given)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mocked_client_answers_on_the_fast_path(
    family: str, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    seen: list[Any] = []

    def answer(http: Any, request: Any) -> Any:
        seen.append(request)
        return completion(http, request)

    client = made(nexus, own(family, answer))
    got = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "I am ann@example.com"}]
    )
    assert got.choices[0].message.content == "Hi"
    assert got._request_id == "req_mock"
    assert str(seen[0].url) == "http://up.test/v1/chat/completions"
    assert b"ann@example.com" not in seen[0].content
    assert [(event["door"], event["decision"]) for event in events] == [("sdk", "redact")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("extra", [{}, {"extra_query": {"a": "1"}}], ids=("fast", "slow"))
def test_a_mocked_stream(
    family: str, extra: dict[str, Any], nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    chunks = made(nexus, own(family, stream)).chat.completions.create(**ASK, **extra, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello "
    assert [event["outcome"] for event in events] == ["complete"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mocked_async_client_answers(
    family: str, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    async def main() -> tuple[Any, str]:
        client = amade(nexus, aown(family, completion))
        whole = await client.chat.completions.create(**ASK)
        other = client.with_options(http_client=aown(family, stream))
        chunks = await other.chat.completions.create(**ASK, stream=True)
        return whole, "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    whole, text = asyncio.run(main())
    assert whole.choices[0].message.content == "Hi"
    assert text == "Hello "
    assert len(events) == 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("extra", [{}, {"extra_query": {"a": "1"}}], ids=("fast", "slow"))
@pytest.mark.parametrize(
    ("answer", "error"), [(refusing, openai.APIConnectionError), (slow, openai.APITimeoutError)]
)
def test_its_errors_are_the_stock_clients(
    family: str,
    extra: dict[str, Any],
    answer: Any,
    error: type[Exception],
    nexus: nexus_sdk.Nexus,
    events: list[Event],
) -> None:
    nexus.reload({"compliance": MAIL, "routing": {"retry": {"delay_s": 0}}})
    client = made(nexus, own(family, answer), max_retries=2)
    with pytest.raises(error) as told:
        client.chat.completions.create(**ASK, **extra)
    assert type(told.value) is error
    assert [len(event["route"]["attempts"]) for event in events] == [3]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mocked_stream_that_breaks_raises(
    family: str, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    items = []
    with pytest.raises(openai.APIConnectionError):  # noqa: PT012  it raises on the way
        for item in made(nexus, own(family, cut)).chat.completions.create(**ASK, stream=True):
            items.append(item)  # noqa: PERF402  what came before the error counts
    assert items
    assert [event["outcome"] for event in events] == ["truncated"]


def broken(http: Any, request: Any) -> Any:
    def pieces() -> Any:
        yield b'{"id": '
        raise http.ReadError("gone")

    return http.Response(200, content=pieces())


def abroken(http: Any, request: Any) -> Any:
    async def pieces() -> Any:
        yield b'{"id": '
        raise http.ReadError("gone")

    return http.Response(200, content=pieces())


def too_long(http: Any, request: Any) -> Any:
    return http.Response(200, json={**COMPLETION, "padding": "x" * 3000})


def bug(http: Any, request: Any) -> Any:
    raise ZeroDivisionError("in the mock")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [(broken, "gone"), (too_long, "over 2000 bytes"), (refusing, "refused")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_whole_answer_comes(
    family: str,
    answer: Any,
    reason: str,
    nexus: nexus_sdk.Nexus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_client, "MAX_WHOLE_BYTES", 2000)
    with pytest.raises(openai.APIConnectionError, match=reason):
        made(nexus, own(family, answer)).chat.completions.create(**ASK)

    async def main() -> None:
        async with amade(nexus, aown(family, abroken if answer is broken else answer)) as client:
            with pytest.raises(openai.APIConnectionError, match=reason):
                await client.chat.completions.create(**ASK)

    asyncio.run(main())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_async_stream_that_breaks_raises(family: str, nexus: nexus_sdk.Nexus) -> None:
    def cut_async(http: Any, request: Any) -> Any:
        async def pieces() -> Any:
            yield CHUNKS
            raise http.ReadError("gone")

        kind = {"content-type": "text/event-stream"}
        return http.Response(200, content=pieces(), headers=kind)

    async def main() -> None:
        async with amade(nexus, aown(family, cut_async)) as client:
            chunks = await client.chat.completions.create(**ASK, stream=True)
            await anext(chunks)
            with pytest.raises(openai.APIConnectionError):
                [chunk async for chunk in chunks]

    asyncio.run(main())


def test_an_async_error_that_is_none_of_http_goes_through(nexus: nexus_sdk.Nexus) -> None:
    async def main() -> None:
        async with amade(nexus, aown(FAMILY, bug)) as client:
            with pytest.raises(ZeroDivisionError):
                await client.chat.completions.create(**ASK)

    asyncio.run(main())


def test_an_interrupt_goes_through_and_is_recorded(
    nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    def interrupted(http: Any, request: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(nexus, own(FAMILY, interrupted)).chat.completions.create(**ASK)
    assert [event["outcome"] for event in events] == ["caller_left"]


def test_an_error_that_is_none_of_http_goes_through_and_is_recorded(
    nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    with pytest.raises(ZeroDivisionError, match="in the mock"):
        made(nexus, own(FAMILY, bug)).chat.completions.create(**ASK)
    assert [event["outcome"] for event in events] == ["failed"]


def test_its_own_settings_hold(nexus: nexus_sdk.Nexus) -> None:
    seen: list[Any] = []
    given = own(
        FAMILY,
        completion,
        headers={"x-own": "1"},
        event_hooks={"request": [seen.append]},
        timeout=7,
    )
    client = made(nexus, given)
    client.chat.completions.create(**ASK)
    assert seen[0].headers["x-own"] == "1"
    assert client.timeout == given.timeout
    assert seen[0].extensions["timeout"]["read"] == 7
    assert made(nexus, given, timeout=3).timeout == 3


@pytest.mark.parametrize("follow", [True, False])
def test_it_follows_redirects_if_it_does(
    nexus: nexus_sdk.Nexus, events: list[Event], *, follow: bool
) -> None:
    def answer(http: Any, request: Any) -> Any:
        if request.url.host == "up.test":
            return http.Response(307, headers={"location": "http://moved.test/v1/chat/completions"})
        return completion(http, request)

    client = made(nexus, own(FAMILY, answer, follow_redirects=follow))
    if follow:
        assert client.chat.completions.create(**ASK).id == "c1"
        return
    with pytest.raises(openai.APIStatusError) as told:
        client.chat.completions.create(**ASK)
    assert told.value.status_code == 307


def test_closing_the_client_closes_it(nexus: nexus_sdk.Nexus) -> None:
    given = own(FAMILY, completion)
    with made(nexus, given) as client:
        client.with_options(timeout=3).chat.completions.create(**ASK)
    assert given.is_closed


@pytest.mark.parametrize("wrong", [object(), "http://proxy"])
def test_anything_else_is_no_client(wrong: Any, nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(TypeError, match="http_client"):
        made(nexus, wrong)


def test_the_other_colour_is_no_client(nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(TypeError, match="http_client"):
        made(nexus, aown(FAMILY, completion))


# ---- transports, and clients that were made before
# -----------------------------------------------------------------

BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "I am ann@example.com"}],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_client_is_governed(
    family: str, nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    http: Any = importlib.import_module(family)
    with http.Client(
        transport=nexus.transport(family, user="ann", tags={"team": "blue"})
    ) as client:
        answer = client.post(f"{upstream.url}/v1/chat/completions", json=BODY)
    assert answer.status_code == 200
    assert "ann@example.com" in answer.json()["choices"][0]["message"]["content"]
    assert "ann@example.com" not in upstream.requests[0].text
    assert int(answer.headers["content-length"]) == len(answer.content)
    (event,) = events
    assert (event["door"], event["caller"]["user"], event["caller"]["tags"]) == (
        "transport",
        "ann",
        {"team": "blue"},
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_async_client_is_governed(
    family: str, nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    http: Any = importlib.import_module(family)

    async def main() -> str:
        url = f"{upstream.url}/v1/chat/completions"
        async with (
            http.AsyncClient(transport=nexus.async_transport(family)) as client,
            client.stream("POST", url, json={**BODY, "stream": True}) as answer,
        ):
            return "".join([line async for line in answer.aiter_lines()])

    assert asyncio.run(main()).endswith("data: [DONE]")
    assert [event["outcome"] for event in events] == ["complete"]
    assert "ann@example.com" not in upstream.requests[0].text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_transport_raises_its_familys_errors(family: str, nexus: nexus_sdk.Nexus) -> None:
    http: Any = importlib.import_module(family)
    client = http.Client(transport=nexus.transport(family), timeout=0.1)
    with pytest.raises(http.ConnectError):
        client.post("http://127.0.0.1:1/v1/chat/completions", json=BODY)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_refusal_is_a_response(
    family: str, nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    http: Any = importlib.import_module(family)
    nexus.reload({"compliance": MAIL, "switches": {"kill": True, "kill_reason": "an incident"}})
    client = http.Client(transport=nexus.transport(family))
    answer = client.post(f"{upstream.url}/v1/chat/completions", json=BODY)
    assert answer.status_code == 403
    assert "an incident" in answer.json()["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert not upstream.requests
    assert len(events) == 1


def test_a_password_in_the_address_is_told_to_nobody(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    http: Any = importlib.import_module(FAMILY)
    url = upstream.url.replace("http://", "http://ann:s3cret@")
    answer = http.Client(transport=nexus.transport(FAMILY)).post(
        f"{url}/v1/chat/completions", json=BODY
    )
    assert answer.status_code == 200
    assert upstream.requests[0].headers["authorization"].startswith("Basic ")
    assert "s3cret" not in json.dumps(events) + str(answer.headers)


def test_an_unknown_family_is_refused(nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(ValueError, match="httpx, httpx2"):
        nexus.transport("requests")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_that_was_made_before_is_governed(
    family: str, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    seen: list[Any] = []

    def answer(http: Any, request: Any) -> Any:
        seen.append(request)
        return completion(http, request)

    client = own(family, answer, headers={"x-own": "1"})
    assert nexus.wrap(client) is client
    assert nexus.wrap(client) is client
    got = client.post("http://up.test/v1/chat/completions", json=BODY)
    assert got.json()["choices"][0]["message"]["content"] == "Hi"
    assert b"ann@example.com" not in seen[0].content
    assert seen[0].headers["x-own"] == "1"
    assert len(events) == 1


def test_the_stock_client_is_wrapped(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    stock = openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="k")
    client = nexus.wrap(stock)
    assert client is stock
    client.chat.completions.create(**ASK)
    client.with_options(timeout=9).responses.create(model="gpt-4o", input="Hello")
    assert len(events) == 2
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(
            **ASK, extra_headers={"x-demo": "status=500;retry-after-ms=1"}
        )
    assert len(events) == 3


def test_an_azure_client_is_wrapped(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    azure = openai.AzureOpenAI(
        azure_endpoint=upstream.url, api_key="k", api_version="2024-10-21", azure_deployment="dep"
    )
    nexus.wrap(azure)
    answer = azure.chat.completions.create(**BODY)
    assert "ann@example.com" in answer.choices[0].message.content
    assert upstream.requests[0].target == (
        "/openai/deployments/dep/chat/completions?api-version=2024-10-21"
    )
    assert "ann@example.com" not in upstream.requests[0].text
    assert [event["endpoint"] for event in events] == ["chat"]


def test_what_is_no_http_client_is_refused(nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(TypeError, match="not built on httpx"):
        nexus.wrap(object())


def test_a_redirect_of_the_policys_own_provider_is_a_failure(
    nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    """To follow it would only come back to the same provider."""
    provider = {
        "kind": "openai",
        "api_key": "sk-policy",
        "base_url": f"{upstream.url}/v1",
        "private_network": True,
    }
    nexus.reload(
        {
            "compliance": MAIL,
            "providers": {"acme": provider},
            "routing": {"models": {"gpt-4o": "acme/m;status=307;location=/v1/models"}},
        }
    )
    client = nexus_sdk.OpenAI(api_key="k", nexus=nexus, max_retries=0)
    with pytest.raises(openai.APIConnectionError, match="redirection"):
        client.chat.completions.create(**ASK)
    assert len(upstream.requests) == 1
    assert [event["outcome"] for event in events] == ["failed"]
