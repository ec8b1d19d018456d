"""Streamed answers: chunks at once, cuts that are named, and connections that close when nobody
reads on."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream import AsyncUpstream, StreamBroken
from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]

PROMPT_S = 0.25
"""How soon a peer must see that its client has gone."""


class After:
    """An opening that is decided once `mark` has been seen, and keeps what it was fed."""

    def __init__(self, mark: bytes = b"") -> None:
        self.mark = mark
        self.seen = b""

    def feed(self, data: bytes) -> bool:
        self.seen += data
        return self.mark in self.seen


def rest(side: Any, body: Any) -> bytes:
    data = b""
    while piece := side.read(body):
        data += piece
    return data


def test_a_chunk_is_there_before_the_next_is_sent(serve: Serve, side: Any, to: To) -> None:
    go_on = threading.Semaphore(0)

    def handler(peer: Any) -> None:
        assert b"\r\naccept-encoding: identity\r\n" in peer.hear()
        peer.start_stream()
        for i in range(3):
            peer.chunk(b"data: %d\n\n" % i)
            assert go_on.acquire(timeout=5)
        peer.say(b"0\r\n\r\n")

    reply, body = side.send(to(serve(handler), stream=True), After(b"0"))
    assert (reply.status, reply.streamed, reply.body) == (200, True, b"data: 0\n\n")
    for i in (1, 2):
        go_on.release()
        assert side.read(body) == b"data: %d\n\n" % i
    go_on.release()
    assert side.read(body) == b""
    assert side.read(body) == b""


def test_the_opening_reads_until_it_has_decided(serve: Serve, side: Any, to: To) -> None:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        for i in range(5):
            peer.chunk(b"%d" % i)
        peer.say(b"0\r\n\r\n")

    served = serve(handler)
    opening = After(b"3")
    reply, body = side.send(to(served, stream=True), opening)
    assert reply.body == opening.seen
    assert reply.body + rest(side, body) == b"01234"


def test_without_an_opening_nothing_is_read_ahead(serve: Serve, side: Any, to: To) -> None:
    served = serve(
        lambda peer: (peer.hear(), peer.start_stream(), peer.chunk(b"a"), peer.say(b"0\r\n\r\n"))
    )
    reply, body = side.send(to(served, stream=True))
    assert reply.body == b""
    assert rest(side, body) == b"a"


def test_a_stream_that_ends_before_it_is_decided_is_given_whole(
    serve: Serve, side: Any, to: To
) -> None:
    served = serve(
        lambda peer: (peer.hear(), peer.start_stream(), peer.chunk(b"a"), peer.say(b"0\r\n\r\n"))
    )
    reply, body = side.send(to(served, stream=True), After(b"never"))
    assert (reply.body, reply.streamed) == (b"a", True)
    assert side.read(body) == b""


def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next(
    serve: Serve, side: Any, to: To
) -> None:
    def handler(peer: Any) -> None:
        while peer.hear():
            peer.start_stream()
            peer.chunk(b"a")
            peer.say(b"0\r\n\r\n")

    served = serve(handler)
    for _ in range(3):
        _, body = side.send(to(served, stream=True), After())
        assert rest(side, body) == b""
        side.close(body)
    assert len(served.accepted) == 1


@pytest.mark.parametrize(
    "kind",
    ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/vnd.amazon.eventstream"],
)
def test_the_types_that_are_streamed(serve: Serve, side: Any, to: To, kind: str) -> None:
    served = serve(lambda peer: (peer.hear(), peer.answer(b"abc", f"content-type: {kind}")))
    reply, body = side.send(to(served, stream=True), After())
    assert reply.streamed
    assert reply.body + rest(side, body) == b"abc"


@pytest.mark.parametrize(
    ("status", "kind"),
    [("200 OK", "application/json"), ("429 No", "text/event-stream"), ("200 OK", "")],
)
def test_an_answer_that_is_no_stream_is_read_whole(
    serve: Serve, side: Any, to: To, status: str, kind: str
) -> None:
    served = serve(
        lambda peer: (peer.hear(), peer.answer(b"{}", f"content-type: {kind}", status=status))
    )
    opening = After()
    reply, body = side.send(to(served, stream=True), opening)
    assert (reply.body, reply.streamed, body, opening.seen) == (b"{}", False, None, b"")


def cut(peer: Any) -> None:
    peer.hear()
    peer.start_stream()
    peer.chunk(b"a")
    peer.sock.close()


def fall_silent(peer: Any) -> None:
    peer.hear()
    peer.start_stream()
    peer.chunk(b"a")
    peer.wait_gone()


@pytest.mark.parametrize(("handler", "kind"), [(cut, "truncated"), (fall_silent, "timeout")])
def test_a_broken_stream_is_never_an_end(
    serve: Serve, side: Any, to: To, handler: Any, kind: str
) -> None:
    served = serve(handler)
    reply, body = side.send(to(served, stream=True, read_s=0.15))
    assert isinstance(reply, Response)
    with pytest.raises(StreamBroken) as broken:
        assert rest(side, body) == b"never"
    assert broken.value.failure.kind == kind
    assert "CANARY" not in str(broken.value)
    with pytest.raises(StreamBroken):
        side.read(body)


@pytest.mark.parametrize(("garbage", "kind"), [(b"what?\r\n", "protocol"), (None, "truncated")])
def test_a_stream_that_goes_wrong_later(
    serve: Serve, side: Any, to: To, garbage: bytes | None, kind: str
) -> None:
    go_on = threading.Event()

    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        peer.chunk(b"a")
        go_on.wait(5)
        if garbage is None:
            peer.reset()
        else:
            peer.say(garbage)

    reply, body = side.send(to(serve(handler), stream=True), After(b"a"))
    assert reply.body == b"a"
    go_on.set()
    with pytest.raises(StreamBroken) as broken:
        side.read(body)
    assert broken.value.failure.kind == kind


@pytest.mark.parametrize(("handler", "kind"), [(cut, "truncated"), (fall_silent, "timeout")])
def test_a_stream_that_breaks_before_it_is_decided_is_a_failure(
    serve: Serve, side: Any, to: To, handler: Any, kind: str
) -> None:
    reply, body = side.send(to(serve(handler), stream=True, read_s=0.15), After(b"never"))
    assert isinstance(reply, Failure)
    assert (reply.kind, body) == (kind, None)


def test_a_stream_may_take_longer_than_the_total(serve: Serve, side: Any, to: To) -> None:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        peer.sock.settimeout(0.1)
        for _ in range(3):
            peer.chunk(b"a")
            with pytest.raises(TimeoutError):
                peer.sock.recv(1)
        peer.say(b"0\r\n\r\n")

    _, body = side.send(to(serve(handler), stream=True, total_s=0.15))
    assert rest(side, body) == b"aaa"


def test_close_in_the_middle_closes_the_upstream(serve: Serve, side: Any, to: To) -> None:
    gone: list[float] = []
    done = threading.Event()

    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        peer.chunk(b"a")
        gone.append(peer.wait_gone())
        done.set()

    served = serve(handler)
    _, body = side.send(to(served, stream=True), After(b"a"))
    closed = time.monotonic()
    side.close(body)
    side.close(body)
    assert done.wait(5)
    assert gone[0] - closed < PROMPT_S
    with pytest.raises(StreamBroken, match="closed by its reader"):
        side.read(body)


def test_a_stream_that_is_dropped_closes_the_upstream(serve: Serve, side: Any, to: To) -> None:
    done = threading.Event()

    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        peer.chunk(b"a")
        peer.wait_gone()
        done.set()

    _, body = side.send(to(serve(handler), stream=True), After(b"a"))
    del body
    gc.collect()
    if hasattr(side, "runner"):
        side.runner.run(asyncio.sleep(0))
    assert done.wait(5)


def test_an_opening_that_raises_closes_the_upstream(serve: Serve, side: Any, to: To) -> None:
    done = threading.Event()

    class Bad:
        def feed(self, data: bytes) -> bool:
            raise UpstreamFailed("too large")

    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream()
        peer.chunk(b"a")
        peer.wait_gone()
        done.set()

    served = serve(handler)
    with pytest.raises(UpstreamFailed, match="too large"):
        side.send(to(served, stream=True), Bad())
    if hasattr(side, "runner"):
        side.runner.run(asyncio.sleep(0))
    assert done.wait(5)


def test_a_stream_that_is_compressed_all_the_same_is_decoded_in_bounded_pieces(
    serve: Serve, side: Any, to: To
) -> None:
    packed = gzip.compress(bytes(5 << 20))

    def handler(peer: Any) -> None:
        peer.hear()
        peer.start_stream("content-encoding: gzip")
        peer.chunk(packed)
        peer.say(b"0\r\n\r\n")

    _, body = side.send(to(serve(handler), stream=True))
    sizes = []
    while piece := side.read(body):
        sizes.append(len(piece))
    assert sum(sizes) == 5 << 20
    assert max(sizes) <= 1 << 20


def test_a_reader_that_lags_makes_the_peer_wait(serve: Serve, to: To) -> None:
    total = 32 << 20
    sent = 0

    def handler(peer: Any) -> None:
        nonlocal sent
        peer.hear()
        peer.start_stream()
        for _ in range(total >> 16):
            peer.chunk(bytes(1 << 16))
            sent += 1 << 16
        peer.say(b"0\r\n\r\n")

    served = serve(handler)

    async def scenario() -> None:
        client = AsyncUpstream()
        _, body = await client.send(to(served, stream=True))
        assert body is not None
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert before < total // 2
        got = 0
        while piece := await body.read():
            got += len(piece)
        assert got == total

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "where", ["before the head", "in a whole body", "in the opening", "in a stream"]
)
def test_a_cancelled_task_closes_the_upstream_at_once(serve: Serve, to: To, where: str) -> None:
    gone: list[float] = []
    reached, done = threading.Event(), threading.Event()

    def handler(peer: Any) -> None:
        if peer.number == 1:
            peer.hear()
            peer.answer(b"mine")
            return
        peer.hear()
        if where == "in a whole body":
            peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        elif where != "before the head":
            peer.start_stream()
            peer.chunk(b"a")
        reached.set()
        gone.append(peer.wait_gone())
        done.set()

    served = serve(handler)
    stream = where in {"in the opening", "in a stream"}

    async def scenario() -> float:
        client = AsyncUpstream()

        async def call() -> None:
            opening = After(b"never") if where == "in the opening" else After(b"a")
            _, body = await client.send(to(served, stream=stream), opening)
            assert body is not None
            await body.read()

        task = asyncio.ensure_future(call())
        await asyncio.to_thread(reached.wait, 5)
        await asyncio.sleep(0.02)
        cancelled = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(done.wait, 5)
        reply, _ = await client.send(to(served))
        assert isinstance(reply, Response)
        assert reply.body == b"mine"
        return cancelled

    cancelled = asyncio.run(scenario())
    assert gone[0] - cancelled < PROMPT_S
    assert len(served.accepted) == 2
