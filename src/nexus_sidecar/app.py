"""The `/v1` door: HTTP in, the same pipeline, HTTP out. Raw ASGI, because nothing here needs a framework."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from nexus_sdk.errors import NexusError, NotFound
from nexus_sdk.model import Answer, Request
from nexus_sdk.stages.answering import dialect_of
from nexus_sdk.wire.endpoints import match
from nexus_sdk.wire.json import dumps
from nexus_sidecar.metrics import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nexus_sdk.drivers.exchanges import AsyncEvents
    from nexus_sdk.nexus import Nexus

    type Scope = dict[str, Any]
    type Receive = Callable[[], Awaitable[dict[str, Any]]]
    type Send = Callable[[dict[str, Any]], Awaitable[None]]

API = "/v1/"
LOOPBACK = ("127.0.0.1", "::1")
WATCH_S = 2.0
"""How often the policy's files are looked at."""


class App:
    """The ASGI application of one Nexus. `metrics_anywhere`: `/metrics` answers to other machines too."""

    def __init__(self, nexus: Nexus, metrics: Metrics, *, metrics_anywhere: bool = False) -> None:
        self._nexus = nexus
        self._metrics = metrics
        self._metrics_anywhere = metrics_anywhere
        self._plain: dict[str, Callable[[Scope], Answer]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._render_metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"].startswith(API):
            await self._api(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") and scope["path"] in self._plain:
            await _send_whole(send, self._plain[scope["path"]](scope))
        else:
            await _send_whole(send, self._unknown(scope))

    # ---- the API ------------------------------------------------------------------------------

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = match(scope["method"], scope["path"])
        if endpoint is None or scope["path"] != f"/v1{endpoint.suffix}":
            await _send_whole(send, self._unknown(scope))
            return
        request = Request(
            id=self._nexus.new_id(),
            door="sidecar",
            endpoint=endpoint.key,
            body=await _body(receive),
            headers=_headers(scope["headers"]),
            method=scope["method"],
            path=endpoint.suffix,
            query=scope["query_string"].decode("latin-1"),
            peer=scope["client"][0] if scope["client"] else "",
        )
        self._metrics.begin()
        try:
            await self._serve(request, receive, send)
        finally:
            self._metrics.end()

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        """Answer, unless the caller goes away first: then the upstream call is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda future: None if future.cancelled() else task.cancel())
        left = False
        try:
            answer = await self._nexus.arun(request)
            if isinstance(answer, Answer):
                await _send_whole(send, answer)
            else:
                await _send_stream(send, answer)
        except asyncio.CancelledError:
            left = gone.done()
            if not left:
                raise
            task.uncancel()
        finally:
            gone.cancel()

    def _unknown(self, scope: Scope) -> Answer:
        path = ascii(scope["path"])[:200]
        error = NotFound(
            f"{scope['method'][:16]} {path} is not served here; see /v1/chat/completions, /v1/responses, "
            "/v1/embeddings, /v1/messages, /v1/models",
            code="unknown_path",
        )
        return _refusal(error, self._nexus.new_id(), scope)

    # ---- operations ---------------------------------------------------------------------------

    def _healthz(self, _scope: Scope) -> Answer:
        return _json(200, {"status": "ok"})

    def _readyz(self, _scope: Scope) -> Answer:
        """Ready means: a policy is in force, and its audit trail can be written."""
        snapshot, spool = self._nexus.snapshot, self._nexus.spool
        degraded = spool is not None and spool.degraded
        doc = {
            "status": "degraded" if degraded else "ok",
            "policy": snapshot.hash,
            "audit": "off"
            if spool is None
            else "degraded"
            if degraded
            else snapshot.policy.audit.mode,
            "providers": sorted(snapshot.accounts),
            "limits": [limit.name for limit in snapshot.policy.limits],
            "keys": len(snapshot.keys),
            "kill_switch": snapshot.policy.switches.kill,
            "scanner": "compiled" if snapshot.request_hooks.scanner.matcher else "searching",
        }
        return _json(503 if degraded else 200, doc)

    def _render_metrics(self, scope: Scope) -> Answer:
        peer = scope["client"][0] if scope["client"] else ""
        if peer not in LOOPBACK and not self._metrics_anywhere:
            return _json(
                403,
                {"error": "/metrics is for this machine; start with --metrics-anywhere to open it"},
            )
        if self._nexus.spool is not None:
            stats = self._nexus.spool.stats()
            self._metrics.spool(events=stats.queued, size_bytes=stats.bytes, oldest_s=0.0)
        return Answer(200, {"content-type": CONTENT_TYPE}, self._metrics.render())

    # ---- the process --------------------------------------------------------------------------

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            watching.cancel()
        await self._nexus.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        """Put a changed policy in force; a policy that is not valid is told of, and the last good one stays."""
        seen = self._nexus.source_stamps()
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(WATCH_S)
                stamps = self._nexus.source_stamps()
                if stamps != seen:
                    seen = stamps
                    await asyncio.to_thread(self._nexus.try_reload)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _start(answer: Answer, length: int | None) -> dict[str, Any]:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.headers.items()
    ]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _send_whole(send: Send, answer: Answer) -> None:
    await send(_start(answer, len(answer.body)))
    await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(send: Send, events: AsyncEvents) -> None:
    await send(_start(events.answer, None))
    try:
        async for event in events:
            await send({"type": "http.response.body", "body": event.wire(), "more_body": True})
    finally:
        await events.close()
    await send({"type": "http.response.body", "body": b""})


def _json(status: int, doc: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, dumps(doc))


def _refusal(error: NexusError, request_id: str, scope: Scope) -> Answer:
    probe = Request(request_id, "sidecar", "messages" if "/messages" in scope["path"] else "", b"")
    return _json(error.status, dialect_of(probe).encode_error(error, request_id))
