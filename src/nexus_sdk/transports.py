# ruff: noqa: SLF001 -- httpx has no public way to put another transport in place
"""Transports that put any SDK built on httpx or httpx2 under the policy.

Both families have the same shape and do not mix, so the classes are made from the module they are
for.

A redirect is an answer like any other here: the client that owns the transport follows it if it
wants to, and the request that it makes then is governed like the first."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.own_client import AsyncOwnClient, SyncOwnClient
from nexus_sdk.drivers.upstream import StreamBroken
from nexus_sdk.model import Answer, Origin, Patience, Request
from nexus_sdk.wire.endpoints import match

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.model import Caller, Door
    from nexus_sdk.nexus import Nexus

FAMILIES = ("httpx", "httpx2")
RETRIES = "nexus_retries"
"""The extension of an httpx request that says how often its caller is willing to try again."""

_ERRORS = {
    "connect": "ConnectError",
    "refused_address": "ConnectError",
    "tls": "ConnectError",
    "timeout": "ReadTimeout",
    "truncated": "RemoteProtocolError",
    "protocol": "RemoteProtocolError",
    "credentials": "ConnectError",
}
"""By `FailureKind`: what a family's own transport raises for it."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all requests of one transport have in common. `upstream` makes the HTTP exchanges: one
    of `drivers/own_client.py`, or None for the policy's own. `failed` makes the exception for an
    upstream that gave no answer; without it, it is the family's own."""

    nexus: Nexus
    caller: Caller
    door: Door = "transport"
    upstream: Any = None
    failed: Callable[[Answer, Any], Exception] | None = None


def sync_transport(traffic: Traffic, family: str) -> Any:
    """A `BaseTransport` of that family."""
    return _sync_class(_known(family))(traffic)


def async_transport(traffic: Traffic, family: str) -> Any:
    """An `AsyncBaseTransport` of that family."""
    return _async_class(_known(family))(traffic)


def traffic_of(client: Any) -> Traffic | None:
    """What governs an httpx or httpx2 client; None when nothing does."""
    found = getattr(getattr(client, "_transport", None), "traffic", None)
    return found if isinstance(found, Traffic) else None


def wrap(nexus: Nexus, client: Any) -> None:
    """Govern a client that was made already, an SDK's or a plain one of httpx or httpx2, and all
    that share its connections. Its own transport, with its proxies and certificates, carries what
    the policy sends to the client's upstream. Raises TypeError."""
    inner: Any = client if family_of(client) else getattr(client, "_client", None)
    family = family_of(inner)
    if not family:
        raise TypeError(
            f"cannot govern {type(client).__name__}: it is not built on httpx or httpx2"
        )
    if traffic_of(inner) is not None:
        return
    http: Any = importlib.import_module(family)
    evented = isinstance(inner, http.AsyncClient)
    below = (http.AsyncClient if evented else http.Client)(
        transport=inner._transport, trust_env=False
    )
    below._mounts, inner._mounts = inner._mounts, {}
    own, make = (AsyncOwnClient, async_transport) if evented else (SyncOwnClient, sync_transport)
    inner._transport = make(Traffic(nexus, nexus.app, upstream=own(below)), family)


def family_of(client: object) -> str:
    """`httpx` or `httpx2` for a client of theirs, else nothing."""
    for base in type(client).__mro__:
        package = base.__module__.partition(".")[0]
        if package in FAMILIES and base.__name__ in ("Client", "AsyncClient"):
            return package
    return ""


def family_error(family: str, kind: str, reason: str, request: Any) -> Exception:
    """What the family's own transport would have raised."""
    made: Exception = getattr(importlib.import_module(family), _ERRORS[kind])(
        reason, request=request
    )
    return made


def byte_stream(family: str, events: Any) -> Any:
    """A stream of the family that gives the bytes of `events` and closes them."""
    return (_async_bytes if hasattr(events, "__aiter__") else _sync_bytes)(family)(events)


def http_response(family: str, answer: Answer, stream: Any = None) -> Any:
    """An answer as the family has it, its body `stream` or still to be read."""
    http: Any = importlib.import_module(family)
    headers = list(answer.headers.items())
    if stream is None:
        headers.append(("content-length", str(len(answer.body))))
        stream = http.ByteStream(answer.body)
    return http.Response(answer.status, headers=headers, stream=stream)


def request_of(traffic: Traffic, request: Any, body: bytes) -> Request:
    """An httpx request as ours. Its origin is where it was going, less the endpoint's own path."""
    url = request.url
    path, _, query = url.raw_path.decode("ascii").partition("?")
    found = match(request.method, path)
    suffix = found.suffix if found else path
    timeout = request.extensions.get("timeout", {})
    return Request(
        id=traffic.nexus.new_id(),
        door=traffic.door,
        endpoint=found.endpoint.key if found else "",
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        method=request.method,
        path=suffix,
        query=query,
        caller=traffic.caller,
        origin=Origin(f"{url.scheme}://{url.netloc.decode('ascii')}{path.removesuffix(suffix)}"),
        patience=Patience(
            connect_s=timeout.get("connect"),
            read_s=timeout.get("read"),
            retries=request.extensions.get(RETRIES),
        ),
    )


def _known(family: str) -> str:
    if family not in FAMILIES:
        raise ValueError(f"{family!r} is no family of HTTP clients; known: {', '.join(FAMILIES)}")
    return family


@cache
def _sync_bytes(family: str) -> type:
    http: Any = importlib.import_module(family)

    class SyncBytes(http.SyncByteStream):  # type: ignore[misc]
        def __init__(self, events: SyncEvents) -> None:
            self._events = events

        def __iter__(self) -> Iterator[bytes]:
            try:
                for event in self._events:
                    yield event.wire()
            except StreamBroken as err:
                raise family_error(family, err.failure.kind, str(err), None) from err

        def close(self) -> None:
            self._events.close()

    return SyncBytes


@cache
def _async_bytes(family: str) -> type:
    http: Any = importlib.import_module(family)

    class AsyncBytes(http.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, events: AsyncEvents) -> None:
            self._events = events

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for event in self._events:
                    yield event.wire()
            except StreamBroken as err:
                raise family_error(family, err.failure.kind, str(err), None) from err

        async def aclose(self) -> None:
            await self._events.close()

    return AsyncBytes


def _response(family: str, traffic: Traffic, answer: Any, request: Any) -> Any:
    """The family's response for an answer or for a stream's events. Raises what the stock transport
    would have raised where there is none."""
    if not isinstance(answer, Answer):
        return http_response(family, answer.answer, byte_stream(family, answer))
    kind = answer.headers.get("x-nexus-failure")
    if kind is None:
        return http_response(family, answer)
    if traffic.failed is not None:
        raise traffic.failed(answer, request)
    reason = answer.headers.get("x-nexus-failure-reason", kind)
    raise family_error(family, kind, reason, request)


@cache
def _sync_class(family: str) -> type:
    http: Any = importlib.import_module(family)

    class Transport(http.BaseTransport):  # type: ignore[misc]
        """Runs every request through the pipeline, in this thread."""

        def __init__(self, traffic: Traffic) -> None:
            self.traffic = traffic

        def handle_request(self, request: Any) -> Any:
            traffic = self.traffic
            own = request_of(traffic, request, request.read())
            answer = traffic.nexus.run(own, upstream=traffic.upstream)
            return _response(family, traffic, answer, request)

        def close(self) -> None:
            if self.traffic.upstream is not None:
                self.traffic.upstream.close()

    return Transport


@cache
def _async_class(family: str) -> type:
    http: Any = importlib.import_module(family)

    class AsyncTransport(http.AsyncBaseTransport):  # type: ignore[misc]
        """Runs every request through the pipeline, on the running loop."""

        def __init__(self, traffic: Traffic) -> None:
            self.traffic = traffic

        async def handle_async_request(self, request: Any) -> Any:
            traffic = self.traffic
            own = request_of(traffic, request, await request.aread())
            answer = await traffic.nexus.arun(own, upstream=traffic.upstream)
            return _response(family, traffic, answer, request)

        async def aclose(self) -> None:
            if self.traffic.upstream is not None:
                await self.traffic.upstream.aclose()

    return AsyncTransport
