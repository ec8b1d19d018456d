"""Answers as the very objects that the stock client returns.

pydantic-core validates an answer's bytes forty times faster than the stock client's own `construct`, with the same result
wherever strict validation says yes. Wherever it says no (a word that is newer than the installed package, a number
where text was expected) the stock code builds the object, leniently, as it always does.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import openai
import orjson
import pydantic
from openai import AsyncStream, Stream
from openai._models import add_request_id, construct_type
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from nexus_sdk.refusals import stream_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.model import Answer, Request
    from nexus_sdk.wire.sse import StreamEvent

# openai 3 sits on httpx2, openai 2 on httpx; whichever it is, its exceptions and responses are made of that one.
http: Any = importlib.import_module("httpx2" if hasattr(importlib.import_module("openai._base_client"), "httpx2") else "httpx")

_WHOLE: dict[str, Any] = {
    "chat": ChatCompletion,
    "responses": Response,
    "embeddings": CreateEmbeddingResponse,
}


def result(client: Any, request: Request, answer: Answer) -> Any:
    """The object for a whole answer. Raises what the stock client raises for it."""
    if answer.status >= 400:
        raise failure(client, request, answer)
    kind = _WHOLE[request.endpoint]
    try:
        built = kind.__pydantic_validator__.validate_json(answer.body, strict=True)
    except pydantic.ValidationError:
        built = client._process_response_data(  # noqa: SLF001
            data=orjson.loads(answer.body), cast_to=kind, response=response_of(client, request, answer)
        )
    add_request_id(built, answer.headers.get("x-request-id"))
    return built


def failure(client: Any, request: Request, answer: Answer) -> openai.APIError:
    """The exception for an answer that is an error, or for no answer at all."""
    kind = answer.headers.get("x-nexus-failure")
    if kind == "timeout":
        return openai.APITimeoutError(request=request_of(client, request))
    if kind is not None:
        reason = answer.headers.get("x-nexus-failure-reason", "Connection error.")
        return openai.APIConnectionError(message=f"Connection error: {reason}", request=request_of(client, request))
    error: openai.APIError = client._make_status_error_from_response(  # noqa: SLF001
        response_of(client, request, answer)
    )
    return error


def request_of(client: Any, request: Request) -> Any:
    """The HTTP request that the stock client would have sent."""
    url = f"{str(client.base_url).rstrip('/')}{request.path}"
    return http.Request(request.method, url, headers=dict(request.headers), content=request.body)


def response_of(client: Any, request: Request, answer: Answer) -> Any:
    """The answer as the stock client's HTTP library has it."""
    return http.Response(
        answer.status,
        headers=list(answer.headers.items()),
        content=answer.body,
        request=request_of(client, request),
    )


@cache
def _event_types() -> dict[str, Any]:
    """The model of each Responses event, by its `type`."""
    union = get_args(ResponseStreamEvent)[0]
    found: dict[str, Any] = {}
    for model in get_args(union):
        for name in get_args(model.model_fields["type"].annotation):
            found[name] = model
    return found


def _chunk(event: StreamEvent) -> Any:
    try:
        return ChatCompletionChunk.__pydantic_validator__.validate_json(event.data, strict=True)
    except pydantic.ValidationError:
        return construct_type(type_=ChatCompletionChunk, value=event.doc)


def _response_event(event: StreamEvent) -> Any:
    model = _event_types().get(event.doc.get("type", ""))
    if model is not None:
        try:
            return model.__pydantic_validator__.validate_json(event.data, strict=True)
        except pydantic.ValidationError:
            pass
    return construct_type(type_=ResponseStreamEvent, value=event.doc)


_BUILD = {"chat": _chunk, "responses": _response_event}
_EVENT_KIND: dict[str, Any] = {"chat": ChatCompletionChunk, "responses": ResponseStreamEvent}


class _Begun:
    """What a governed stream knows. The HTTP response is made when somebody looks at it: few do."""

    _nexus_client: Any
    _nexus_request: Request
    _nexus_events: Any
    _nexus_response: Any = None

    @property
    def response(self) -> Any:
        """The HTTP response, its body already taken by the stream."""
        if self._nexus_response is None:
            self._nexus_response = response_of(self._nexus_client, self._nexus_request, self._nexus_events.answer)
        return self._nexus_response

    def _error(self, event: StreamEvent) -> openai.APIError | None:
        doc = event.doc
        found = doc.get("error") if type(doc) is dict else None
        return stream_error(found, self.response) if found else None


class GovernedStream(_Begun, Stream[Any]):
    """`openai.Stream` over the pipeline's events."""

    def __init__(self, client: Any, request: Request, events: SyncEvents) -> None:
        self._nexus_client = client
        self._nexus_request = request
        self._nexus_events = events
        self._cast_to = _EVENT_KIND[request.endpoint]
        self._client = client
        self._iterator = self.__stream__()

    def __stream__(self) -> Iterator[Any]:
        build = _BUILD[self._nexus_request.endpoint]
        try:
            for event in self._nexus_events:
                if event.doc is None:
                    continue
                if "error" in event.doc and (error := self._error(event)):
                    raise error
                yield build(event)
        finally:
            self._nexus_events.close()

    def close(self) -> None:
        """End the stream and the upstream call."""
        self._nexus_events.close()


class GovernedAsyncStream(_Begun, AsyncStream[Any]):
    """`openai.AsyncStream` over the pipeline's events."""

    def __init__(self, client: Any, request: Request, events: AsyncEvents) -> None:
        self._nexus_client = client
        self._nexus_request = request
        self._nexus_events = events
        self._cast_to = _EVENT_KIND[request.endpoint]
        self._client = client
        self._iterator = self.__stream__()

    async def __stream__(self) -> AsyncIterator[Any]:
        build = _BUILD[self._nexus_request.endpoint]
        try:
            async for event in self._nexus_events:
                if event.doc is None:
                    continue
                if "error" in event.doc and (error := self._error(event)):
                    raise error
                yield build(event)
        finally:
            await self._nexus_events.close()

    async def close(self) -> None:
        """End the stream and the upstream call."""
        await self._nexus_events.close()
