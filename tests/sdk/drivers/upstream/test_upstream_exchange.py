"""The order of an exchange over a scripted wire: what is sent twice, and what never is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nexus_sdk.drivers.upstream import exchange as module
from nexus_sdk.drivers.upstream.blocking import finish
from nexus_sdk.drivers.upstream.exchange import exchange
from nexus_sdk.drivers.upstream.lanes import MAX_LANES, Desk
from nexus_sdk.drivers.upstream.origin import parse_origin
from nexus_sdk.drivers.upstream.surroundings import Surroundings
from nexus_sdk.drivers.upstream.wire import WRITE_BYTES
from nexus_sdk.model import Failure, Response, Upstream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
CALL = Upstream("POST", "http://8.8.8.8/v1", {}, b"{}", stream=False)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class ScriptedWire:
    """Gives `reads` in turn: bytes, an exception to raise, or a number of seconds that pass."""

    def __init__(self, clock: Clock, *reads: Any, write: Exception | None = None) -> None:
        self.clock = clock
        self.reads = list(reads)
        self.write_error = write
        self.written = b""
        self.closed = False
        self.awake = True

    async def write(self, data: bytes, within_s: float | None) -> None:
        self.written += data
        if self.write_error is not None:
            raise self.write_error

    async def read(self, within_s: float | None) -> bytes:
        step = self.reads.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            self.clock.now += step
            return await self.read(within_s)
        data: bytes = step
        return data

    def park(self) -> None:
        assert not self.closed

    def wake(self) -> bool:
        return self.awake

    def close(self) -> None:
        self.closed = True


class ScriptedNet:
    def __init__(self, *wires: ScriptedWire) -> None:
        self.wires = list(wires)

    async def connect(self, address: str, port: int, within_s: float | None) -> ScriptedWire:
        return self.wires.pop(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def desk_over(*wires: ScriptedWire) -> Desk:
    net: Any = ScriptedNet(*wires)
    return Desk(net, Surroundings({}, "", lambda name, port: ()))


def send(desk: Desk, call: Upstream = CALL, opening: Any = None) -> Any:
    return finish(exchange(desk, call, opening))[0]


@pytest.mark.parametrize("end", [b"", ConnectionResetError()])
def test_a_kept_connection_that_ends_at_once_is_replaced(clock: Clock, end: Any) -> None:
    kept, fresh = ScriptedWire(clock, OK, end), ScriptedWire(clock, OK)
    desk = desk_over(kept, fresh)
    send(desk)
    assert send(desk) == Response(200, {"content-length": "2"}, b"ok")
    assert kept.closed
    assert fresh.written == kept.written[: len(kept.written) // 2]


@pytest.mark.parametrize(
    "reads",
    [
        (module.STALE_S + 0.1, b""),
        (b"H", b""),
        (b"H", ConnectionResetError()),
        (TimeoutError(),),
        (b"garbage",),
    ],
)
def test_what_the_peer_may_have_worked_on_is_not_sent_again(clock: Clock, reads: Any) -> None:
    kept = ScriptedWire(clock, OK, *reads)
    desk = desk_over(kept)
    send(desk)
    assert isinstance(send(desk), Failure)
    assert kept.closed


def test_a_connection_that_does_not_wake_is_closed(clock: Clock) -> None:
    kept, fresh = ScriptedWire(clock, OK), ScriptedWire(clock, OK)
    desk = desk_over(kept, fresh)
    send(desk)
    kept.awake = False
    assert send(desk).body == b"ok"
    assert kept.closed


def test_an_answer_to_half_a_request_counts_and_ends_the_connection(clock: Clock) -> None:
    answer = b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n"
    wire = ScriptedWire(clock, answer, write=BrokenPipeError())
    assert send(desk_over(wire)).status == 413
    assert wire.closed


def test_time_that_passes_between_pieces_counts_for_the_total(clock: Clock) -> None:
    wire = ScriptedWire(clock, OK[:20], 700.0, OK[20:30], OK[30:])
    reply = send(desk_over(wire))
    assert reply == Failure("timeout", "8.8.8.8:80 took longer than the 600 s allowed in total")
    assert wire.closed


def test_an_interim_head_is_not_an_answer_to_a_large_request(clock: Clock) -> None:
    body = b"x" * (WRITE_BYTES * 2 + 1)
    wire = ScriptedWire(clock, b"HTTP/1.1 100 Continue\r\n\r\n", OK)
    assert send(desk_over(wire), replace(CALL, body=body)).body == b"ok"
    assert wire.written.endswith(body)


def test_a_stream_that_never_begins_is_bounded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never:
        def feed(self, data: bytes) -> bool:
            return False

    monkeypatch.setattr(module, "MAX_WHOLE_BYTES", 10)
    wire = ScriptedWire(clock, SSE + b"123456", b"789012")
    reply = send(desk_over(wire), replace(CALL, stream=True), Never())
    assert reply == Failure("protocol", "8.8.8.8:80 sent a stream of 12 bytes that does not begin")
    assert wire.closed


def test_a_bug_of_ours_is_not_a_failure_but_closes(clock: Clock) -> None:
    wire = ScriptedWire(clock, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        send(desk_over(wire))
    assert wire.closed


def test_a_wire_that_suspends_is_a_bug() -> None:
    class Suspending:
        def __await__(self) -> Any:
            yield

    async def steps() -> None:
        await Suspending()

    with pytest.raises(RuntimeError, match="suspended"):
        finish(steps())


def test_lanes_are_bounded_and_closed_together(clock: Clock) -> None:
    wire = ScriptedWire(clock, OK)
    desk = desk_over(wire)
    send(desk)
    for i in range(MAX_LANES):
        desk.lane(parse_origin(f"http://h{i}"), private_network=False)
    assert wire.closed
    assert len(desk._lanes) <= MAX_LANES


def test_the_wider_permission_shares_no_connection_with_the_narrower(clock: Clock) -> None:
    wide, narrow = ScriptedWire(clock, OK), ScriptedWire(clock, OK)
    desk = desk_over(wide, narrow)
    send(desk, replace(CALL, private_network=True))
    send(desk, replace(CALL, private_network=False))
    assert wide.written == narrow.written
