"""Two ways to reach a gate: `Wire` in memory, with a clock that the test turns, and `Listener` over
real sockets. And `stack`, a whole sidecar."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from tests.sidecar.app_stack import Stack
from uvicorn.server import ServerState

from nexus_sidecar.gate import Limits, gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BODY = 1000


class Echo:
    """An application that answers with what it was asked, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bytes]] = []
        self.waits = False
        """Waits for the client to leave, and counts it in `left`, instead of answering."""
        self.left = 0
        self.hold: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        self.calls.append((scope["method"], scope["path"], message["body"]))
        if self.waits:
            self.left += (await receive())["type"] == "http.disconnect"
            return
        if self.hold is not None:
            await self.hold.wait()
        said = f"{scope['method']} {scope['path']} ".encode() + message["body"]
        headers = [(b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})


class Clocked(asyncio.SelectorEventLoop):
    now = 1000.0

    def time(self) -> float:
        return self.now


class FakeTransport(asyncio.Transport):
    """Remembers what was written, and what was done to the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.done = ""
        self.reading = True
        self.half_closes = True

    def write(self, data: Any) -> None:
        assert not self.done
        self.sent += data

    def can_write_eof(self) -> bool:
        return self.half_closes

    def write_eof(self) -> None:
        self.done = "eof"

    def close(self) -> None:
        self.done = "closed"

    def abort(self) -> None:
        self.done = "aborted"

    def is_closing(self) -> bool:
        return self.done in {"closed", "aborted"}

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Wire:
    """Connections to one gate, in memory."""

    def __init__(self, loop: Clocked, limits: Limits) -> None:
        self.loop = loop
        self.app = Echo()
        config = uvicorn.Config(self.app, lifespan="off", log_config=None, ws="none")
        config.load()
        self._made: Callable[..., Any] = gate(limits)
        self._config = config
        self._state = ServerState()
        self._tasks = self._state.tasks
        self.gates: list[Any] = []

    def connect(self) -> tuple[Any, FakeTransport]:
        protocol = self._made(self._config, self._state, {}, self.loop)
        transport = FakeTransport()
        protocol.connection_made(transport)
        self.gates.append(protocol)
        return protocol, transport

    def feed(self, protocol: Any, *pieces: bytes) -> None:
        for piece in pieces:
            protocol.data_received(piece)
            self.spin()

    def spin(self) -> None:
        for _ in range(6):
            self.loop.run_until_complete(asyncio.sleep(0))

    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds
        self.spin()

    def close(self) -> None:
        for protocol in self.gates:
            if protocol.parser is not None:
                protocol.connection_lost(None)
        self.spin()
        assert not self._tasks


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A gate in memory; parametrise indirectly with other `Limits`."""
    loop = Clocked()
    wire = Wire(loop, getattr(request, "param", Limits(body=MAX_BODY)))
    yield wire
    wire.close()
    loop.close()


class Listener(uvicorn.Server):
    """A real server on a free port, in a thread."""

    def __init__(self, app: Echo) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                port=0,
                http=gate(Limits(body=MAX_BODY)),
                loop="uvloop",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
            )
        )
        self.app = app
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self.run)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    def __enter__(self) -> Listener:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.should_exit = True
        self._thread.join(10)

    def connect(self) -> socket.socket:
        port = self.servers[0].sockets[0].getsockname()[1]
        return socket.create_connection(("127.0.0.1", port), timeout=10)

    def exchange(self, *pieces: bytes) -> bytes:
        """Everything that comes back until the server ends the connection."""
        with self.connect() as sock:
            for piece in pieces:
                sock.sendall(piece)
            got = b""
            while data := sock.recv(65536):
                got += data
            return got


@pytest.fixture(scope="module")
def running() -> Iterator[Listener]:
    with Listener(Echo()) as listener:
        yield listener


@pytest.fixture
def listener(running: Listener) -> Listener:
    running.app.calls.clear()
    return running


@pytest.fixture(scope="session")
def _running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def stack(_running_stack: Stack) -> Stack:
    """A sidecar in front of a model server that has received nothing yet."""
    _running_stack.models.clear()
    return _running_stack
