"""A light HTTP/1.1 client for measuring servers: some kept connections, on each one request
after the other."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httptools

from bench.measure import Sample, cpu_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        if self._transport.is_closing():
            raise BadAnswer("the server closed the connection between two requests")
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

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-nexus-cache" and value != b"miss":
            self._fail(f"not the upstream's answer: {name!r}: {value!r}")

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


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to one server over `connections` connections. Each turn opens its own: servers close
    those that wait through the turns of others."""

    runner: asyncio.Runner
    server: Server
    prompts: Iterator[str]
    connections: int

    def turn(self, count: int) -> Turn:
        """`count` requests over all connections, after one on each that does not count; the CPU is
        the server's."""

        def run() -> Sample:
            first = [self._request() for _ in range(self.connections)]
            requests = [self._request() for _ in range(count)]
            return self.runner.run(self._measured(first, requests))

        return run

    async def _measured(self, first: list[bytes], requests: list[bytes]) -> Sample:
        url, loop = urlsplit(self.server.url), asyncio.get_running_loop()
        assert url.hostname is not None
        assert url.port is not None
        opened: list[Connection] = []
        try:
            for _ in range(self.connections):
                _, made = await loop.create_connection(Connection, url.hostname, url.port)
                opened.append(made)
            await _all(opened, first)
            began = cpu_of(self.server.pid)
            walls = await _all(opened, requests)
            return Sample(cpu_of(self.server.pid) - began, tuple(walls))
        finally:
            for connection in opened:
                connection.close()

    def _request(self) -> bytes:
        message = {"role": "user", "content": next(self.prompts)}
        body = json.dumps({"model": self.server.model, "messages": [message]}).encode()
        fields = {
            "host": urlsplit(self.server.url).netloc,
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self.server.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self.server.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _all(connections: list[Connection], requests: list[bytes]) -> list[float]:
    """Wall seconds of each request. Raises BadAnswer in a group, and TimeoutError."""
    walls: list[float] = []
    left = list(requests)

    async def work(connection: Connection) -> None:
        while left:
            request = left.pop()
            start = time.perf_counter()
            await connection.ask(request)
            walls.append(time.perf_counter() - start)

    async with asyncio.timeout(ANSWER_TIMEOUT_S), asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(work(connection))
    return walls
