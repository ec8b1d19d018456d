"""A caller's own httpx or httpx2 client as the upstream: its proxies, certificates, hooks and mocks
stay in force."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.upstream import MAX_WHOLE_BYTES, StreamBroken
from nexus_sdk.drivers.upstream.exchange import STREAM_TYPES, is_raw
from nexus_sdk.model import ANY_BYTES, Failure, Response

if TYPE_CHECKING:
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import FailureKind, Upstream

_KINDS: tuple[tuple[str, FailureKind], ...] = (
    ("TimeoutException", "timeout"),
    ("ConnectError", "connect"),
    ("RemoteProtocolError", "truncated"),
    ("NetworkError", "truncated"),
    ("HTTPError", "protocol"),
)
"""The families' own exception classes, the most particular first, and what each means to us."""


class _OwnClient:
    """What both colours share."""

    def __init__(self, client: Any) -> None:
        self.client = client
        package = next(
            name
            for base in type(client).__mro__
            if (name := base.__module__.partition(".")[0]) in ("httpx", "httpx2")
        )
        self._http: Any = importlib.import_module(package)

    def _request(self, upstream: Upstream) -> Any:
        timeout = self._http.Timeout(
            upstream.total_s, connect=upstream.connect_s, read=upstream.read_s
        )
        return self.client.build_request(
            upstream.method,
            upstream.url,
            headers=dict(upstream.headers),
            content=upstream.body,
            timeout=timeout,
        )

    def failure(self, error: Exception) -> Failure | None:
        """What an error of the family means; None for any other."""
        for name, kind in _KINDS:
            if isinstance(error, getattr(self._http, name)):
                return Failure(kind, f"{type(error).__name__}: {error}")
        return None

    @staticmethod
    def _response(reply: Any, body: bytes, *, streamed: bool) -> Response:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Response(reply.status_code, headers, body, streamed)

    @staticmethod
    def _streams(upstream: Upstream, reply: Any) -> bool:
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = upstream.streams_as
        known = (
            kind in STREAM_TYPES or kind == wanted != "" or (wanted == ANY_BYTES and is_raw(kind))
        )
        return upstream.stream and reply.status_code < 300 and known


def _too_large() -> Failure:
    return Failure("protocol", f"its answer is over {MAX_WHOLE_BYTES} bytes")


class SyncOwnClient(_OwnClient):
    """Has `send` as `SyncUpstream` does."""

    def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, _SyncBody | None]:
        """Make one exchange."""
        reply = None
        try:
            reply = self.client.send(self._request(upstream), stream=True)
            chunks = reply.iter_bytes()
            if self._streams(upstream, reply):
                return self._opened(reply, chunks, opening)
            return self._whole(reply, chunks), None
        except BaseException as err:
            if reply is not None:
                reply.close()
            failure = self.failure(err) if isinstance(err, Exception) else None
            if failure is None:
                raise
            return failure, None

    def close(self) -> None:
        """Close the caller's client, as the SDK that it was given to would."""
        self.client.close()

    def _whole(self, reply: Any, chunks: Any) -> Response | Failure:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > MAX_WHOLE_BYTES:
                reply.close()
                return _too_large()
        return self._response(reply, bytes(body), streamed=False)

    def _opened(
        self, reply: Any, chunks: Any, opening: Opening | None
    ) -> tuple[Response, _SyncBody]:
        head = bytearray()
        for chunk in chunks if opening is not None else ():
            head += chunk
            if opening is None or opening.feed(chunk):
                break
        return self._response(reply, bytes(head), streamed=True), _SyncBody(self, reply, chunks)


class _SyncBody:
    def __init__(self, owner: SyncOwnClient, reply: Any, chunks: Any) -> None:
        self._owner = owner
        self._reply = reply
        self._chunks = chunks

    def read(self) -> bytes:
        """The next bytes as soon as they are there; b"" at the end. Raises StreamBroken."""
        try:
            return next((chunk for chunk in self._chunks if chunk), b"")
        except Exception as err:
            if failure := self._owner.failure(err):
                raise StreamBroken(failure) from err
            raise

    def finish(self) -> None:
        """The stream's end marker has come. The client's own pool decides about the connection."""
        self.close()

    def close(self) -> None:
        """Any number of times."""
        self._reply.close()


class AsyncOwnClient(_OwnClient):
    """Has `send` as `AsyncUpstream` does."""

    async def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, _AsyncBody | None]:
        """Make one exchange."""
        reply = None
        try:
            reply = await self.client.send(self._request(upstream), stream=True)
            chunks = reply.aiter_bytes()
            if self._streams(upstream, reply):
                return await self._opened(reply, chunks, opening)
            return await self._whole(reply, chunks), None
        except BaseException as err:
            if reply is not None:
                await reply.aclose()
            failure = self.failure(err) if isinstance(err, Exception) else None
            if failure is None:
                raise
            return failure, None

    async def aclose(self) -> None:
        """Close the caller's client, as the SDK that it was given to would."""
        await self.client.aclose()

    async def _whole(self, reply: Any, chunks: Any) -> Response | Failure:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_WHOLE_BYTES:
                await reply.aclose()
                return _too_large()
        return self._response(reply, bytes(body), streamed=False)

    async def _opened(
        self, reply: Any, chunks: Any, opening: Opening | None
    ) -> tuple[Response, _AsyncBody]:
        head = bytearray()
        if opening is not None:
            async for chunk in chunks:
                head += chunk
                if opening.feed(chunk):
                    break
        return self._response(reply, bytes(head), streamed=True), _AsyncBody(self, reply, chunks)


class _AsyncBody:
    def __init__(self, owner: AsyncOwnClient, reply: Any, chunks: Any) -> None:
        self._owner = owner
        self._reply = reply
        self._chunks = chunks

    async def read(self) -> bytes:
        """The next bytes as soon as they are there; b"" at the end. Raises StreamBroken."""
        try:
            async for chunk in self._chunks:
                if chunk:
                    return bytes(chunk)
        except Exception as err:
            if failure := self._owner.failure(err):
                raise StreamBroken(failure) from err
            raise
        return b""

    async def finish(self) -> None:
        """The stream's end marker has come. The client's own pool decides about the connection."""
        await self.close()

    async def close(self) -> None:
        """Any number of times."""
        await self._reply.aclose()
