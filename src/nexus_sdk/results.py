# ruff: noqa: SLF001 -- the stock client's own machinery builds what we cannot
"""Answers, streams and failures as the stock client hands them to its caller."""

from __future__ import annotations

import importlib
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import openai
from openai import AsyncStream, Stream
from openai._models import add_request_id

from nexus_sdk import embeddings
from nexus_sdk.refusals import no_answer, stream_error
from nexus_sdk.stock_objects import BUILD, EVENT, WHOLE, whole
from nexus_sdk.transports import byte_stream, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.model import Answer, Request
    from nexus_sdk.stock_objects import Build

FAMILY = next(
    base.__module__.partition(".")[0]
    for base in openai.DefaultHttpxClient.__mro__
    if base.__module__.startswith("httpx")
)
"""openai 3 sits on httpx2, openai 2 on httpx; whichever it is, its responses and exceptions are
made of that one."""
http: Any = importlib.import_module(FAMILY)


def result(client: Any, request: Request, answer: Answer, given: Mapping[str, Any]) -> Any:
    """The object for a whole answer to a call with the arguments `given`. Raises what the stock
    client raises for it."""
    if answer.status >= 400:
        raise failure(client, request, answer)
    if request.endpoint == "embeddings":
        built = _embeddings(client, request, answer, decode=embeddings.unsaid(given))
    else:
        built = _whole(client, request, answer)
    add_request_id(built, answer.headers.get("x-request-id"))
    return built


def _whole(client: Any, request: Request, answer: Answer) -> Any:
    built = whole(request.endpoint, answer.body)
    return _lenient(client, request, answer) if built is None else built


def _embeddings(client: Any, request: Request, answer: Answer, *, decode: bool) -> Any:
    built = embeddings.built(answer.body, decode=decode)
    if built is not None:
        return built
    lenient = _lenient(client, request, answer)
    return embeddings.decoded(lenient) if decode else lenient


def _lenient(client: Any, request: Request, answer: Answer) -> Any:
    return client._process_response_data(
        data=json.loads(answer.body),
        cast_to=WHOLE[request.endpoint],
        response=response_of(client, request, answer),
    )


def failure(client: Any, request: Request, answer: Answer) -> openai.APIError:
    """The exception for an answer that is an error, or for no answer at all."""
    if "x-nexus-failure" in answer.headers:
        return no_answer(answer, request_of(client, request))
    error: openai.APIError = client._make_status_error_from_response(
        response_of(client, request, answer)
    )
    return error


def request_of(client: Any, request: Request) -> Any:
    """The HTTP request that the stock client would have sent."""
    url = f"{str(client.base_url).rstrip('/')}{request.path}"
    return http.Request(request.method, url, headers=dict(request.headers), content=request.body)


def response_of(client: Any, request: Request, answer: Answer, events: Any = None) -> Any:
    """The answer as the stock client's HTTP library has it. With `events`, its body is that
    stream."""
    stream = None if events is None else byte_stream(FAMILY, events)
    response = http_response(FAMILY, answer, stream)
    response.request = request_of(client, request)
    if stream is None:
        response.read()
        response.elapsed = timedelta(
            milliseconds=max(time.time_ns() // 10**6 - _began(request.id), 0)
        )
    return response


def _began(request_id: str) -> int:
    """Unix time in milliseconds: the first 48 bits of a UUID of version 7 (RFC 9562, 5.7)."""
    return int(request_id.replace("-", "")[:12], 16)


class _Begun:
    """A stream's beginning. Its HTTP response is made when somebody looks at it: few do."""

    def __init__(self, client: Any, request: Request, events: Any) -> None:
        self.client = client
        self.request = request
        self.events = events
        self._response: Any = None

    @property
    def response(self) -> Any:
        """Its body is what the stream has not taken yet."""
        if self._response is None:
            self._response = response_of(self.client, self.request, self.events.answer, self.events)
            self._response.is_closed = self.events.ended
        return self._response

    def ended(self) -> None:
        if self._response is not None:
            self._response.is_closed = True

    def error(self, told: Any) -> openai.APIError:
        return stream_error(told, self.response)


def _objects(begun: _Begun, events: SyncEvents, build: Build) -> Generator[Any]:
    # No part of this frame leads back to the stream object, so that one that is dropped ends at
    # once.
    try:
        for event in events:
            doc = event.doc
            if doc is None:
                continue
            if "error" in doc and (told := doc["error"]):
                raise begun.error(told)
            yield build(event)
    finally:
        events.close()
        begun.ended()


async def _aobjects(begun: _Begun, events: AsyncEvents, build: Build) -> AsyncGenerator[Any]:
    try:
        async for event in events:
            doc = event.doc
            if doc is None:
                continue
            if "error" in doc and (told := doc["error"]):
                raise begun.error(told)
            yield build(event)
    finally:
        await events.close()
        begun.ended()


class GovernedStream(Stream[Any]):
    """`openai.Stream` over the pipeline's events."""

    def __init__(self, client: Any, request: Request, events: SyncEvents) -> None:
        self._begun = _Begun(client, request, events)
        self._cast_to = EVENT[request.endpoint]
        self._client = client
        self._iterator = _objects(self._begun, events, BUILD[request.endpoint])

    @property
    def response(self) -> Any:  # type: ignore[override]  # made when somebody looks at it
        """The HTTP response: status, headers, request."""
        return self._begun.response

    def close(self) -> None:
        """End the stream and the upstream call."""
        self._begun.events.close()
        self._begun.ended()


class GovernedAsyncStream(AsyncStream[Any]):
    """`openai.AsyncStream` over the pipeline's events."""

    def __init__(self, client: Any, request: Request, events: AsyncEvents) -> None:
        self._begun = _Begun(client, request, events)
        self._cast_to = EVENT[request.endpoint]
        self._client = client
        self._iterator = _aobjects(self._begun, events, BUILD[request.endpoint])

    @property
    def response(self) -> Any:  # type: ignore[override]  # made when somebody looks at it
        """The HTTP response: status, headers, request."""
        return self._begun.response

    async def close(self) -> None:
        """End the stream and the upstream call."""
        await self._begun.events.close()
        self._begun.ended()
