"""A caller's own httpx or httpx2 client as the upstream: its proxies, certificates, hooks and mocks stay in force."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.upstream import MAX_WHOLE_BYTES, StreamBroken
from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Upstream

_KINDS = (
    ("ConnectTimeout", "timeout"),
    ("PoolTimeout", "timeout"),
    ("TimeoutException", "timeout"),
    ("ConnectError", "connect"),
    ("RemoteProtocolError", "truncated"),
    ("ReadError", "truncated"),
    ("HTTPError", "protocol"),
)
"""The families' own exception classes, the most particular first, and what each means to us."""


def _family(client: Any) -> Any:
    """The module that this client's class comes from."""
    for base in type(client).__mro__:
        name = base.__module__.split(".")[0]
        if name in ("httpx", "httpx2"):
            return importlib.import_module(name)
    raise TypeError(f"http_client must be an httpx or httpx2 client, not {type(client).__name__}")


class _OwnClient:
    """What both colours share."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._http = _family(client)

    def _request(self, upstream: Upstream) -> Any:
        timeout = self._http.Timeout(upstream.total_s, connect=upstream.connect_s, read=upstream.read_s)
        return self._client.build_request(
            upstream.method,
            upstream.url,
            headers=dict(upstream.headers),
            content=upstream.body,
            timeout=timeout,
        )

    def _failure(self, error: Exception) -> Failure:
        for name, kind in _KINDS:
            if isinstance(error, getattr(self._http, name)):
                return Failure(kind, f"{type(error).__name__}: {error}")  # type: ignore[arg-type]
        raise error

    @staticmethod
    def _response(reply: Any, *, body: bytes, streamed: bool) -> Response:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Response(reply.status_code, headers, body, streamed)

    @staticmethod
    def _streams(upstream: Upstream, reply: Any) -> bool:
        kind = reply.headers.get("content-type", "")
        return upstream.stream and reply.status_code < 300 and "text/event-stream" in kind


def _too_large() -> Failure:
    return Failure("protocol", f"its answer is over {MAX_WHOLE_BYTES} bytes")


class SyncOwnClient(_OwnClient):
    """Has `send` as `SyncUpstream` does."""

    def send(self, upstream: Upstream, opening: Opening | None = None) -> tuple[Response | Failure, Any]:
        """Make one exchange."""
        try:
            reply = self._client.send(self._request(upstream), stream=True)
            chunks = reply.iter_bytes()
            if self._streams(upstream, reply):
                return self._opened(reply, chunks, opening)
            body = bytearray()
            for chunk in chunks:
                body += chunk
                if len(body) > MAX_WHOLE_BYTES:
                    reply.close()
                    return _too_large(), None
        except self._http.HTTPError as err:
            return self._failure(err), None
        return self._response(reply, body=bytes(body), streamed=False), None

    def _opened(self, reply: Any, chunks: Any, opening: Opening | None) -> tuple[Response, Any]:
        head = bytearray()
        for chunk in chunks:
            head += chunk
            if opening is None or opening.feed(chunk):
                break
        return self._response(reply, body=bytes(head), streamed=True), _SyncBody(self, reply, chunks)


class _SyncBody:
    def __init__(self, owner: SyncOwnClient, reply: Any, chunks: Any) -> None:
        self._owner = owner
        self._reply = reply
        self._chunks = chunks

    def read(self) -> bytes:
        try:
            return next((chunk for chunk in self._chunks if chunk), b"")
        except self._owner._http.HTTPError as err:  # noqa: SLF001  one module
            raise StreamBroken(self._owner._failure(err)) from err  # noqa: SLF001

    def close(self) -> None:
        self._reply.close()


class AsyncOwnClient(_OwnClient):
    """Has `send` as `AsyncUpstream` does."""

    async def send(self, upstream: Upstream, opening: Opening | None = None) -> tuple[Response | Failure, Any]:
        """Make one exchange."""
        try:
            reply = await self._client.send(self._request(upstream), stream=True)
            chunks = reply.aiter_bytes()
            if self._streams(upstream, reply):
                return await self._opened(reply, chunks, opening)
            body = bytearray()
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_WHOLE_BYTES:
                    await reply.aclose()
                    return _too_large(), None
        except self._http.HTTPError as err:
            return self._failure(err), None
        return self._response(reply, body=bytes(body), streamed=False), None

    async def _opened(self, reply: Any, chunks: Any, opening: Opening | None) -> tuple[Response, Any]:
        head = bytearray()
        async for chunk in chunks:
            head += chunk
            if opening is None or opening.feed(chunk):
                break
        return self._response(reply, body=bytes(head), streamed=True), _AsyncBody(self, reply, chunks)


class _AsyncBody:
    def __init__(self, owner: AsyncOwnClient, reply: Any, chunks: Any) -> None:
        self._owner = owner
        self._reply = reply
        self._chunks = chunks

    async def read(self) -> bytes:
        try:
            async for chunk in self._chunks:
                if chunk:
                    return bytes(chunk)
        except self._owner._http.HTTPError as err:  # noqa: SLF001  one module
            raise StreamBroken(self._owner._failure(err)) from err  # noqa: SLF001
        return b""

    async def close(self) -> None:
        await self._reply.aclose()
