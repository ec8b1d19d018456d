"""A light HTTP/1.1 client for measuring servers: some kept connections, on each one request
after the other."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httptools

from bench.measure import Sample, cpu_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measure import Turn
    from bench.servers import Server

ANSWER_TIMEOUT_S = 60.0


class BadAnswer(Exception):
    """The server did not answer as a chat endpoint does; the message shows how it did."""


class Connection(asyncio.Protocol):
    """One kept connection. `ask` one at a time."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[bytes] | None = None
        self._body = b""

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer. Raises BadAnswer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        self._transport.close()

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed: {exc}")

    # the parser calls these

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 or b'"chat.completion"' not in self._body:
            self._fail(f"{status} {self._body[:300]!r}")
        elif self._answered is not None and not self._answered.done():
            self._answered.set_result(self._body)

    def _fail(self, what: str) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(BadAnswer(what))


class Load:
    """`connections` kept connections to a server, for as long as the block lasts."""

    def __init__(
        self, runner: asyncio.Runner, server: Server, prompts: Iterator[str], connections: int
    ) -> None:
        self._runner = runner
        self._server = server
        self._prompts = prompts
        self._count = connections
        self._open: list[Connection] = []

    def __enter__(self) -> Load:
        self._runner.run(self._connect())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())

    def turn(self, count: int) -> Turn:
        """`count` requests over all connections; the CPU is the server's."""

        def run() -> Sample:
            requests = [self._request(next(self._prompts)) for _ in range(count)]
            walls: list[float] = []
            began = cpu_of(self._server.pid)
            self._runner.run(self._all(requests, walls.append))
            return Sample(cpu_of(self._server.pid) - began, tuple(walls))

        return run

    async def _all(self, requests: list[bytes], took: Callable[[float], None]) -> None:
        async def work(connection: Connection) -> None:
            while requests:
                request = requests.pop()
                start = time.perf_counter()
                await connection.ask(request)
                took(time.perf_counter() - start)

        async with (
            asyncio.timeout(ANSWER_TIMEOUT_S + len(requests) * 0.1),
            asyncio.TaskGroup() as group,
        ):
            for connection in self._open:
                group.create_task(work(connection))

    def _request(self, prompt: str) -> bytes:
        body = json.dumps(
            {"model": self._server.model, "messages": [{"role": "user", "content": prompt}]}
        ).encode()
        fields = {
            "host": urlsplit(self._server.url).netloc,
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self._server.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self._server.path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    async def _connect(self) -> None:
        url = urlsplit(self._server.url)
        assert url.hostname and url.port, self._server.url
        address = url.hostname, url.port
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(Connection, *address)
            self._open.append(connection)

    async def _close(self) -> None:
        for connection in self._open:
            connection.close()
        self._open.clear()
        await asyncio.sleep(0)
