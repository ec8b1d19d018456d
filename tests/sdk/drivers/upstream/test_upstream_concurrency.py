"""Threads, event loops and forks over one client."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream, wire
from nexus_sdk.model import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]


def echo(peer: Any) -> None:
    while data := peer.hear():
        peer.answer(data.partition(b"\r\n\r\n")[2])


def body_of(reply: object) -> bytes:
    assert isinstance(reply, Response), reply
    return reply.body


def test_eight_threads_get_their_own_answers(serve: Serve, to: To) -> None:
    served = serve(echo)
    client, call = SyncUpstream(), to(served)

    def work(thread: int) -> None:
        for i in range(50):
            body = b"%d/%d" % (thread, i)
            assert body_of(client.send(replace(call, body=body))[0]) == body

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(served.accepted) <= 8
    client.close()


def test_fifty_tasks_get_their_own_answers(serve: Serve, to: To) -> None:
    served = serve(echo)

    async def scenario() -> None:
        client, call = AsyncUpstream(), to(served)

        async def work(task: int) -> None:
            for i in range(10):
                body = b"%d/%d" % (task, i)
                assert body_of((await client.send(replace(call, body=body)))[0]) == body

        async with asyncio.TaskGroup() as group:
            for task in range(50):
                group.create_task(work(task))

    asyncio.run(scenario())
    assert len(served.accepted) <= 50


async def _twice(client: AsyncUpstream, call: Upstream) -> None:
    for _ in range(2):
        reply, _ = await client.send(call)
        assert body_of(reply) == call.body


def test_three_loops_one_after_another(serve: Serve, to: To, until: Any) -> None:
    served = serve(echo)
    client = AsyncUpstream()
    for loops in range(1, 4):
        asyncio.run(_twice(client, to(served)))
        assert len(served.accepted) == loops
    until(lambda: all(peer.sock.recv(1) == b"" for peer in served.accepted))
    assert len(client._desks) == 1


def test_three_loops_in_threads(serve: Serve, to: To) -> None:
    served = serve(echo)
    client = AsyncUpstream()
    together = threading.Barrier(3)

    async def scenario(i: int) -> None:
        together.wait(5)
        for _ in range(20):
            await _twice(client, replace(to(served), body=b"%d" % i))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda i: asyncio.run(scenario(i)), range(3)))
    assert len(served.accepted) == 3


def test_aclose_closes_what_is_idle_and_the_client_stays_usable(serve: Serve, to: To) -> None:
    served = serve(echo)

    async def scenario() -> None:
        client = AsyncUpstream()
        await _twice(client, to(served))
        await client.aclose()
        await client.aclose()
        await asyncio.to_thread(served.accepted[0].wait_gone)
        await _twice(client, to(served))

    asyncio.run(scenario())
    assert len(served.accepted) == 2


def test_close_closes_what_is_idle_and_later_what_comes_back(serve: Serve, to: To) -> None:
    def handler(peer: Any) -> None:
        peer.hear()
        if peer.number == 0:
            peer.start_stream()
            peer.chunk(b"a")
            peer.say(b"0\r\n\r\n")
        else:
            peer.answer()
        peer.wait_gone()

    served = serve(handler)
    client = SyncUpstream()
    _, body = client.send(to(served, stream=True))
    client.send(to(served))
    client.close()
    served.accepted[1].wait_gone()
    assert body is not None
    while body.read():
        pass
    served.accepted[0].wait_gone()


def test_an_idle_connection_is_given_up_in_time(
    serve: Serve, to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus_sdk.drivers.upstream import blocking, evented

    for module in (wire, blocking, evented):
        monkeypatch.setattr(module, "IDLE_S", 0.05)
    served = serve(echo)

    async def scenario() -> None:
        client = AsyncUpstream()
        await _twice(client, to(served))
        await asyncio.to_thread(served.accepted[0].wait_gone)
        await _twice(client, to(served))

    asyncio.run(scenario())
    monkeypatch.setattr(blocking, "IDLE_S", -1.0)
    client = SyncUpstream()
    client.send(to(served))
    client.send(to(served))
    assert len(served.accepted) == 4
    client.close()


def test_a_client_that_is_dropped_closes_what_is_idle(serve: Serve, to: To) -> None:
    served = serve(echo)

    async def scenario() -> None:
        await _twice(AsyncUpstream(), to(served))
        gc.collect()
        await asyncio.to_thread(served.accepted[0].wait_gone)

    asyncio.run(scenario())


def test_at_most_so_many_idle_connections_are_kept(
    serve: Serve, to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus_sdk.drivers.upstream import lanes

    monkeypatch.setattr(lanes, "MAX_IDLE", 1)
    together = threading.Barrier(2)

    def handler(peer: Any) -> None:
        peer.hear()
        together.wait(5)
        peer.answer()
        peer.wait_gone()

    served = serve(handler)
    client, call = SyncUpstream(), to(served)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: client.send(call), range(2)))
    idle = next(iter(client._desk._lanes.values()))._idle
    assert len(idle) == 1
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_calls_on_connections_of_its_own(serve: Serve, to: To) -> None:
    served = serve(echo)
    client, call = SyncUpstream(), to(served)
    client.send(call)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            right = body_of(client.send(replace(call, body=b"child"))[0]) == b"child"
            grandchild = os.fork()
            if grandchild == 0:
                right = body_of(client.send(replace(call, body=b"grand"))[0]) == b"grand"
            else:
                right = right and os.waitpid(grandchild, 0)[1] == 0
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert body_of(client.send(replace(call, body=b"parent"))[0]) == b"parent"
    assert len(served.accepted) == 3
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_runs_a_loop_of_its_own(serve: Serve, to: To) -> None:
    served = serve(echo)
    client = AsyncUpstream()
    asyncio.run(_twice(client, to(served)))
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            asyncio.run(_twice(client, to(served)))
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(_twice(client, to(served)))


@pytest.mark.skipif(os.name == "nt", reason="needs a signal that interrupts")
def test_an_interrupt_ends_a_blocking_call_and_closes_its_connection(serve: Serve, to: To) -> None:
    gone = threading.Event()

    def handler(peer: Any) -> None:
        peer.hear()
        signal.pthread_kill(main, signal.SIGINT)
        peer.wait_gone()
        gone.set()

    main = threading.get_ident()
    served = serve(handler)
    client = SyncUpstream()
    with pytest.raises(KeyboardInterrupt):
        client.send(to(served))
    assert gone.wait(5)


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system names it otherwise")
def test_connections_are_probed_and_undelayed(serve: Serve, side: Any, to: To) -> None:
    side.send(to(serve(echo)))
    desks = side.client._desks.values() if hasattr(side, "runner") else [(side.client._desk,)]
    lane = next(iter(next(iter(desks))[0]._lanes.values()))
    kept = lane._idle[0]
    sock = kept._sock if hasattr(kept, "_sock") else kept._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == wire.KEEPALIVE_S
