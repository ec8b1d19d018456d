"""Transports that put any SDK built on httpx or httpx2 under the policy.

Both families have the same shape and do not mix, so the classes are made from the module they are for.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nexus_sdk.model import Answer, Origin, Patience, Request
from nexus_sdk.wire.endpoints import match

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.model import Caller
    from nexus_sdk.nexus import Nexus

FAMILIES = ("httpx", "httpx2")
_RETRIES = "x-nexus-max-retries"


def sync_transport(nexus: Nexus, family: str, caller: Caller | None = None, upstream: Any = None) -> Any:
    """A `BaseTransport` of that family. `upstream`: who makes the HTTP exchanges; the policy's own client by default."""
    return _classes(_known(family))[0](nexus, caller or nexus.app, upstream)


def async_transport(nexus: Nexus, family: str, caller: Caller | None = None, upstream: Any = None) -> Any:
    """An `AsyncBaseTransport` of that family."""
    return _classes(_known(family))[1](nexus, caller or nexus.app, upstream)


def wrap(nexus: Nexus, client: Any) -> Any:
    """A governed client like `client`: an SDK's with `with_options`, or a plain `httpx.Client`, which is changed itself."""
    inner = getattr(client, "_client", client)
    family = next((base.__module__.split(".")[0] for base in type(inner).__mro__ if _is_client(base)), "")
    if family not in FAMILIES:
        raise TypeError(f"cannot govern {type(client).__name__}: it is not built on httpx or httpx2")
    http = importlib.import_module(family)
    make = async_transport if isinstance(inner, http.AsyncClient) else sync_transport
    if inner is client:
        client._transport = make(nexus, family)  # noqa: SLF001  no public way to change it
        client._mounts.clear()  # noqa: SLF001
        return client
    kind = http.AsyncClient if isinstance(inner, http.AsyncClient) else http.Client
    governed = kind(transport=make(nexus, family), timeout=inner.timeout, base_url=inner.base_url)
    return client.with_options(http_client=governed)


def _is_client(base: type) -> bool:
    return base.__name__ in ("Client", "AsyncClient") and base.__module__.split(".")[0] in FAMILIES


def _known(family: str) -> str:
    if family not in FAMILIES:
        raise ValueError(f"{family!r} is no family of HTTP clients; known: {', '.join(FAMILIES)}")
    return family


def request_of(nexus: Nexus, request: Any, body: bytes, caller: Caller) -> Request:
    """An httpx request as ours. The origin is where it was going, less the endpoint's own path."""
    url = urlsplit(str(request.url))
    endpoint = match(request.method, url.path)
    suffix = endpoint.suffix if endpoint else url.path
    timeout = request.extensions.get("timeout", {})
    headers = {name.lower(): value for name, value in request.headers.items()}
    retries = headers.pop(_RETRIES, "")
    return Request(
        id=nexus.new_id(),
        door="transport",
        endpoint=endpoint.key if endpoint else "",
        body=body,
        headers=headers,
        method=request.method,
        path=suffix,
        query=url.query,
        caller=caller,
        origin=Origin(f"{url.scheme}://{url.netloc}{url.path.removesuffix(suffix)}"),
        patience=Patience(
            connect_s=timeout.get("connect"),
            read_s=timeout.get("read"),
            retries=int(retries) if retries.isdigit() else None,
        ),
    )


@cache
def _classes(family: str) -> tuple[type, type]:
    http: Any = importlib.import_module(family)

    def raise_failure(answer: Answer, request: Any) -> None:
        """What the stock transport would have raised for a failure to connect or to be answered."""
        kind = answer.headers.get("x-nexus-failure")
        if kind is None:
            return
        reason = answer.headers.get("x-nexus-failure-reason", kind)
        names = {"connect": "ConnectError", "timeout": "ReadTimeout", "tls": "ConnectError"}
        raise getattr(http, names.get(kind, "RemoteProtocolError"))(reason, request=request)

    def whole(answer: Answer, request: Any) -> Any:
        raise_failure(answer, request)
        return http.Response(answer.status, headers=list(answer.headers.items()), content=answer.body)

    class SyncBytes(http.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, events: SyncEvents) -> None:
            self._events = events

        def __iter__(self) -> Iterator[bytes]:
            for event in self._events:
                yield event.wire()

        def close(self) -> None:
            self._events.close()

    class AsyncBytes(http.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, events: AsyncEvents) -> None:
            self._events = events

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for event in self._events:
                yield event.wire()

        async def aclose(self) -> None:
            await self._events.close()

    class Transport(http.BaseTransport):  # type: ignore[misc, name-defined]
        """Runs every request through the pipeline, in this thread."""

        def __init__(self, nexus: Nexus, caller: Caller, upstream: Any) -> None:
            self.nexus = nexus
            self.caller = caller
            self.upstream = upstream

        def handle_request(self, request: Any) -> Any:
            own = request_of(self.nexus, request, request.read(), self.caller)
            answer = self.nexus.run(own, upstream=self.upstream)
            if isinstance(answer, Answer):
                return whole(answer, request)
            head = answer.answer
            return http.Response(head.status, headers=list(head.headers.items()), stream=SyncBytes(answer))

    class AsyncTransport(http.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        """Runs every request through the pipeline, on the running loop."""

        def __init__(self, nexus: Nexus, caller: Caller, upstream: Any) -> None:
            self.nexus = nexus
            self.caller = caller
            self.upstream = upstream

        async def handle_async_request(self, request: Any) -> Any:
            own = request_of(self.nexus, request, await request.aread(), self.caller)
            answer = await self.nexus.arun(own, upstream=self.upstream)
            if isinstance(answer, Answer):
                return whole(answer, request)
            head = answer.answer
            return http.Response(head.status, headers=list(head.headers.items()), stream=AsyncBytes(answer))

    return Transport, AsyncTransport
