"""A bare forwarder, to know what a proxy without any policy costs: raw ASGI on uvicorn, and one
HTTP client.

`python -m bench.forwarder UPSTREAM CLIENT` prints its URL. It needs uvicorn and that client,
nothing else. The request's body and credential go on, the answer's status, type and body come back;
nothing is looked at.
"""

from __future__ import annotations

import importlib
import socket
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    type Forward = Callable[[bytes, bytes], Awaitable[tuple[int, bytes]]]

JSON = "application/json"
TOTAL_S = 60.0


def through_ours(url: str) -> Forward:
    from nexus_sdk.drivers.upstream import AsyncUpstream
    from nexus_sdk.model import Response, Upstream

    client = AsyncUpstream()

    async def forward(body: bytes, credential: bytes) -> tuple[int, bytes]:
        headers = {"content-type": JSON, "authorization": credential.decode()}
        call = Upstream("POST", url, headers, body, stream=False, private_network=True)
        reply, _ = await client.send(call)
        return (
            (reply.status, reply.body)
            if isinstance(reply, Response)
            else (502, reply.reason.encode())
        )

    return forward


def through_httpx2(url: str) -> Forward:
    http = importlib.import_module("httpx2")
    client = http.AsyncClient(timeout=TOTAL_S)

    async def forward(body: bytes, credential: bytes) -> tuple[int, bytes]:
        headers = {"content-type": JSON, "authorization": credential.decode()}
        reply = await client.post(url, content=body, headers=headers)
        return reply.status_code, reply.content

    return forward


def through_aiohttp(url: str) -> Forward:
    http = importlib.import_module("aiohttp")
    sessions: list[Any] = []  # made in the running loop, as aiohttp demands

    async def forward(body: bytes, credential: bytes) -> tuple[int, bytes]:
        if not sessions:
            sessions.append(http.ClientSession(connector=http.TCPConnector(limit=0)))
        headers = {"content-type": JSON, "authorization": credential.decode()}
        async with sessions[0].post(url, data=body, headers=headers) as reply:
            return reply.status, await reply.read()

    return forward


CLIENTS: dict[str, Callable[[str], Forward]] = {
    "ours": through_ours,
    "httpx2": through_httpx2,
    "aiohttp": through_aiohttp,
}


class App:
    """The ASGI application."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        credential = next(
            (value for name, value in scope["headers"] if name == b"authorization"), b""
        )
        status, answer = await self._forward(body, credential)
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def main() -> None:
    upstream, client = sys.argv[1:]
    app = App(CLIENTS[client](f"{upstream}/v1/chat/completions"))
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
