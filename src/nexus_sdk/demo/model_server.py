"""A model server on this machine: real HTTP/1.1, the real wire formats, deterministic answers.

    with ModelServer() as server:
        client = OpenAI(base_url=server.url + "/v1", api_key="any")

It serves chat completions, Responses, embeddings, moderations, Anthropic messages, Gemini's
generateContent, Voyage's rerank and the list of models, whole and streamed; every path also without
the `/v1`. Any credential will do. By default an answer is `You said: <the user's last words>`; what
else there is (tools, JSON, faults of every kind) is asked for by the header `x-demo` or in the
model's name: the table stands in `script.py`. `model: bench` gets one reply made beforehand.

What was received is kept: `server.requests` here, `GET /_seen?since=N` over HTTP, `DELETE /_seen`
to forget.

`python -m nexus_sdk.demo.model_server --port 0` runs it in a process of its own and prints its URL
as one line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from nexus_sdk.demo.connection import Connection
from nexus_sdk.demo.journal import Journal
from nexus_sdk.demo.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.demo.journal import Seen

HOST = "127.0.0.1"
KEPT_REQUESTS = 1000
BACKLOG = 1024
START_TIMEOUT_S = 10.0


class ModelServer:
    """A model server in a thread of its own. Port 0 takes a free one; `keep` is the number of
    requests kept.
    """

    def __init__(
        self, port: int = 0, *, keep: int = KEPT_REQUESTS, clock: Callable[[], float] = time.time
    ) -> None:
        self.url = ""
        self._port = port
        self._journal = Journal(keep)
        self._service = Service(self._journal, clock)
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] = lambda: None
        self._problem: OSError | None = None

    @property
    def requests(self) -> tuple[Seen, ...]:
        """The requests kept, oldest first."""
        return self._journal.since()

    def clear(self) -> None:
        self._journal.clear()

    def wait_for(self, wanted: Callable[[tuple[Seen, ...]], bool], timeout_s: float = 5.0) -> bool:
        """Wait until `wanted` holds for `requests`. False when it did not within `timeout_s`."""
        return self._journal.wait_for(wanted, timeout_s)

    def start(self) -> str:
        """Listen, and give the URL. Raises OSError when the port is taken."""
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self._thread.start()
        self._started.wait(START_TIMEOUT_S)
        if self._problem is not None:
            raise self._problem
        return self.url

    def stop(self) -> None:
        """Close every connection and end the thread. Does nothing when it has ended."""
        self._stop()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped before
                loop.call_soon_threadsafe(over.set)

        self._stop = stop
        try:
            await serve(self._service, self._port, over, self._announce)
        except OSError as problem:
            self._problem = problem
        finally:
            self._started.set()

    def _announce(self, url: str) -> None:
        self.url = url
        self._started.set()


async def serve(
    service: Service, port: int, over: asyncio.Event, ready: Callable[[str], None]
) -> None:
    """Serve until `over` is set. `ready` is called with the URL once connections are accepted.
    Raises OSError.
    """
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service, connections), HOST, port, backlog=BACKLOG
    )
    async with server:
        ready(f"http://{HOST}:{server.sockets[0].getsockname()[1]}")
        await over.wait()
        server.close()
        for connection in tuple(connections):
            connection.abort()


async def _main(port: int, keep: int) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in a loop
            loop.add_signal_handler(number, over.set)
    await serve(Service(Journal(keep), time.time), port, over, _print)


def _print(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="nexus_sdk.demo.model_server", description="A local model server."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--keep", type=int, default=KEPT_REQUESTS, help="requests kept for /_seen")
    options = parser.parse_args(argv)
    asyncio.run(_main(options.port, options.keep))


if __name__ == "__main__":
    main()
