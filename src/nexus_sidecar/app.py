"""The door of HTTP: HTTP in, the same pipeline, HTTP out. Raw ASGI, because nothing here needs a
framework.

It stands behind the gate (`gate.py`), which hands over whole requests only and says when a caller
goes away.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.upstream import StreamBroken
from nexus_sdk.errors import NexusError, NotFound
from nexus_sdk.model import Answer, Request
from nexus_sdk.stages.answering import dialect_of, error_headers
from nexus_sdk.wire.endpoints import PATHS, match
from nexus_sdk.wire.json import dumps
from nexus_sidecar.gate import DEPARTURE
from nexus_sidecar.refusal import operation_near

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nexus_sdk.drivers.exchanges import AsyncEvents
    from nexus_sdk.nexus import Nexus
    from nexus_sdk.wire.endpoints import Found
    from nexus_sidecar.metrics import Metrics
    from nexus_sidecar.operations import Operations
    from nexus_sidecar.watch import Watch

    type Scope = dict[str, Any]
    type Receive = Callable[[], Awaitable[dict[str, Any]]]
    type Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger("nexus.sidecar")


class App:
    """The ASGI application of one Nexus. `operations` answers what is no call of a model, `watch`
    looks after the policy's files for as long as the server runs."""

    def __init__(
        self, nexus: Nexus, metrics: Metrics, operations: Operations, watch: Watch
    ) -> None:
        self._nexus = nexus
        self._metrics = metrics
        self._operations = operations
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path: str = scope["path"]
        found = match(scope["method"], scope["raw_path"].decode("ascii"))
        if found is not None and found.served:
            request = _request(self._nexus.new_id(), found, scope, await _body(receive))
            await self._serve(request, scope, send)
        else:
            answer = self._operations.answer(scope["method"], path, _peer(scope))
            await _send_whole(send, answer or self._unknown(scope))

    async def _serve(self, request: Request, scope: Scope, send: Send) -> None:
        """Answer, unless the caller goes away first: then the upstream's call ends too, and the
        audit event says so."""
        departure = scope[DEPARTURE] = _Departure()
        self._metrics.begin()
        try:
            answer = await self._answer(request)
            if isinstance(answer, Answer):
                await _send_whole(send, answer)
            else:
                await _send_stream(send, answer)
        except asyncio.CancelledError:
            if not departure.told:
                raise
            departure.task.uncancel()
        finally:
            self._metrics.end()

    async def _answer(self, request: Request) -> Answer | AsyncEvents:
        try:
            return await self._nexus.arun(request)
        except Exception:
            log.exception("request %s met a fault of Nexus itself", request.id)
            fault = NexusError(
                "Nexus met a fault of its own; its log tells more under this request id"
            )
            return _refusal(fault, request)

    def _unknown(self, scope: Scope) -> Answer:
        self._metrics.refused("unknown_path")
        path = ascii(scope["path"])[:200]
        error = NotFound(
            f"{scope['method']} {path} is not served here; what is: {', '.join(PATHS.served())}",
            code="unknown_path",
        )
        operation = operation_near(scope["raw_path"])
        return _refusal(error, Request(self._nexus.new_id(), "sidecar", operation, b""))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch.run())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            watching.cancel()
        await self._nexus.aclose()
        await send({"type": "lifespan.shutdown.complete"})


class _Departure:
    """Cancels the task it was made in when it is called, and remembers that it was."""

    __slots__ = ("task", "told")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.told = False

    def __call__(self) -> None:
        self.told = True
        self.task.cancel()


def _request(request_id: str, found: Found, scope: Scope, body: bytes) -> Request:
    return Request(
        id=request_id,
        door="sidecar",
        endpoint=found.endpoint.key,
        body=body,
        headers=_headers(scope["headers"]),
        method=scope["method"],
        path=found.suffix,
        query=scope["query_string"].decode("latin-1"),
        peer=_peer(scope),
    )


async def _body(receive: Receive) -> bytes:
    message = await receive()
    assert not message["more_body"], "the gate hands over whole requests only"
    body: bytes = message["body"]
    return body


def _peer(scope: Scope) -> str:
    """The caller's IP address; empty for a Unix socket, which has none."""
    return scope["client"][0] if scope["client"] else ""


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _send_whole(send: Send, answer: Answer) -> None:
    await send(_start(answer, (b"content-length", b"%d" % len(answer.body))))
    await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(send: Send, events: AsyncEvents) -> None:
    """Events that became known together leave together. A stream that breaks here ends without its
    last chunk, so that nobody takes it for a whole one."""
    try:
        await send(_start(events.answer))
        async for batch in events.batches():
            body = b"".join([event.wire() for event in batch])
            await send({"type": "http.response.body", "body": body, "more_body": True})
    except StreamBroken:
        return  # the event says it; the connection is closed before the last chunk
    finally:
        await events.close()
    await send({"type": "http.response.body", "body": b""})


def _start(answer: Answer, *more: tuple[bytes, bytes]) -> dict[str, Any]:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.headers.items()
    ]
    return {"type": "http.response.start", "status": answer.status, "headers": [*headers, *more]}


def _refusal(error: NexusError, request: Request) -> Answer:
    """A refusal that no pipeline made, in the caller's dialect."""
    dialect = dialect_of(request)
    headers = {
        "content-type": "application/json",
        "x-nexus-request-id": request.id,
        "x-nexus-error": error.code,
        **error_headers(dialect, error.status),
    }
    return Answer(error.status, headers, dumps(dialect.encode_error(error, request.id)))
