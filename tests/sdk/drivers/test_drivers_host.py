"""Each host performs every effect but the door's own, the same in either colour."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, get_args

import pytest
from tests.sdk.drivers.exchange_lab import AsyncScript, SyncScript

from nexus_sdk import effects
from nexus_sdk.drivers import host as hosts
from nexus_sdk.drivers.host import AsyncHost, SyncHost
from nexus_sdk.drivers.memory import MemoryStore
from nexus_sdk.effects import Lookup, Record, Reserve, Send, Settle, Store, Wait
from nexus_sdk.model import Cached, Claim, Failure, Refused, Response, Upstream, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

COLOURS = pytest.mark.parametrize("colour", ["sync", "async"])
CLAIM = Claim("a", "limit", "requests", 1, 1, 60.0)
UPSTREAM = Upstream("POST", "https://up.example", {}, b"", stream=True)
STORED = Cached(200, {}, b"answer", False, Usage(), 0, "m", "p")


class FakeSpool:
    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    def append(self, event: Any) -> None:
        self.kept.append(("batched", event))

    def append_strict(self, event: Any) -> None:
        self.kept.append(("strict", event))

    async def append_strict_async(self, event: Any) -> None:
        await asyncio.sleep(0)
        self.kept.append(("strict", event))


class Both:
    """A host of either colour behind one face."""

    def __init__(
        self, colour: str, *replies: Any, store: MemoryStore | None = None, spool: Any = None
    ) -> None:
        self.seen: list[Any] = []
        self.spool = spool
        self.script: Any = (SyncScript if colour == "sync" else AsyncScript)(list(replies))
        made: Any = SyncHost if colour == "sync" else AsyncHost
        self.host: Any = made(store or MemoryStore(), spool, self.script, self.seen.append)
        self._colour = colour

    def perform(self, *performed: Any) -> list[Any]:
        return self._run(lambda: [self.host.perform(effect) for effect in performed])

    def release(self) -> None:
        self._run(lambda: [self.host.release()])

    def _run(self, work: Callable[[], list[Any]]) -> list[Any]:
        if self._colour == "sync":
            return work()

        async def main() -> list[Any]:
            return [await reply if hasattr(reply, "__await__") else reply for reply in work()]

        return asyncio.run(main())


@pytest.mark.parametrize("host", [SyncHost, AsyncHost])
def test_every_effect_but_the_door_s_own_is_performed(host: Any) -> None:
    stores, mine = get_args(effects.StoreEffect.__value__), get_args(effects.HostEffect.__value__)
    assert set(host._PERFORMING) == {*stores, *mine}
    with pytest.raises(KeyError):
        host(MemoryStore(), None, None).perform(effects.Finish())


@COLOURS
def test_reservations_are_the_store_s(colour: str) -> None:
    both = Both(colour)
    taken, refused = both.perform(Reserve((CLAIM,)), Reserve((CLAIM,)))
    assert isinstance(taken, str)
    assert isinstance(refused, Refused)
    both.perform(Settle(taken, (0,)))
    (again,) = both.perform(Reserve((CLAIM,), for_good=True))
    assert isinstance(again, str)


@COLOURS
def test_what_is_stored_is_found(colour: str) -> None:
    both = Both(colour)
    missed, _, found = both.perform(Lookup("k"), Store("k", STORED, 60.0), Lookup("k"))
    assert (missed, found) == (None, STORED)


@COLOURS
@pytest.mark.parametrize("strict", [False, True])
def test_an_event_is_observed_and_kept(colour: str, strict: bool) -> None:
    both = Both(colour, spool=FakeSpool())
    both.perform(Record({"id": 1}, strict=strict))
    assert both.seen == [{"id": 1}]
    assert both.spool.kept == [("strict" if strict else "batched", {"id": 1})]


@COLOURS
def test_without_a_spool_events_are_observed_only(colour: str) -> None:
    both = Both(colour)
    assert both.perform(Record({"id": 1}, strict=True)) == [None]
    assert both.seen == [{"id": 1}]


@COLOURS
def test_without_an_observer_nobody_is_told(colour: str) -> None:
    both = Both(colour, spool=FakeSpool())
    both.host._observe = None
    both.perform(Record({"id": 1}))
    assert both.spool.kept == [("batched", {"id": 1})]


@COLOURS
def test_a_wait_of_nothing_is_over_at_once(colour: str) -> None:
    assert Both(colour).perform(Wait(0.0)) == [None]


@COLOURS
def test_the_stream_of_an_attempt_that_missed_is_closed_by_the_next(colour: str) -> None:
    both = Both(colour, [b"one"], [b"two"], Failure("connect", "x"))
    (first,) = both.perform(Send(UPSTREAM))
    assert isinstance(first, Response)
    assert first.streamed
    both.perform(Send(UPSTREAM))
    one, two = both.script.bodies
    assert (one.closed, two.closed) == (1, 0)
    both.perform(Send(UPSTREAM))
    assert (two.closed, both.host.body) == (1, None)
    both.release()


@COLOURS
def test_release_closes_what_is_open(colour: str) -> None:
    both = Both(colour, [b"one"])
    both.perform(Send(UPSTREAM))
    both.release()
    assert both.script.bodies[0].closed == 1


# ---- equal requests in flight --------------------------------------------------------------------


@COLOURS
def test_a_leader_that_stores_wakes_those_who_wait(colour: str) -> None:
    store = MemoryStore()
    leader, follower = Both("sync", store=store), Both(colour, store=store)
    assert leader.perform(Lookup("k", fold=True)) == [None]
    found = _meanwhile(follower, lambda: leader.perform(Store("k", STORED, 60.0)))
    assert found == [STORED]


@COLOURS
@pytest.mark.parametrize("end", ["abandoned", "not shared"])
def test_a_leader_without_an_answer_lets_them_go_on(colour: str, end: str) -> None:
    store = MemoryStore()
    leader, follower = Both("sync", store=store), Both(colour, store=store)
    leader.perform(Lookup("k", fold=True))

    def ending() -> None:
        leader.perform(Store("k", None, 0.0)) if end == "not shared" else leader.release()

    assert _meanwhile(follower, ending) == [None]
    assert follower.host._leading == ("k" if end == "abandoned" else "")
    leader.release()
    assert leader.host._leading == ""
    follower.release()
    (free,) = Both("sync", store=store).perform(Lookup("k", fold=True))
    assert free is None, "nobody leads any more"


@COLOURS
def test_waiting_has_an_end(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "FOLD_WAIT_S", 0.01)
    store = MemoryStore()
    leader = Both("sync", store=store)
    leader.perform(Lookup("k", fold=True))
    assert _meanwhile(Both(colour, store=store), lambda: None) == [None]


@COLOURS
def test_a_request_that_does_not_fold_neither_leads_nor_waits(colour: str) -> None:
    store = MemoryStore()
    Both("sync", store=store).perform(Lookup("k", fold=True))
    both = Both(colour, store=store)
    assert both.perform(Lookup("k")) == [None]
    assert both.host._leading == ""
    both.perform(Store("other", STORED, 60.0))


def _meanwhile(follower: Both, ending: Callable[[], object]) -> list[Any]:
    """What the follower finds, in a thread of its own, while the leader comes to its end."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(follower.perform(Lookup("k", fold=True))))
    store = follower.host._store
    thread.start()
    while not _is_followed(store) and thread.is_alive():
        threading.Event().wait(0.001)
    ending()
    thread.join(10)
    return found


def _is_followed(store: MemoryStore) -> bool:
    flight = store._answers._flights.get("k")
    return flight is not None and flight.landed is not None


# ---- a loop that has ended -----------------------------------------------------------------------


def test_an_async_host_can_settle_without_a_loop() -> None:
    both = Both("async", spool=FakeSpool())
    blocking = both.host.blocking()
    blocking.perform(Record({"id": 1}))
    blocking.release()
    assert (both.seen, both.spool.kept) == ([{"id": 1}], [("batched", {"id": 1})])
    assert blocking.perform(Send(UPSTREAM)) == Failure(
        "connect", "the loop that it was sent on has ended"
    )
