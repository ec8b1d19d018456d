"""Equal requests in flight: one calls, the others get its answer. From threads, from tasks, from
both."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import TYPE_CHECKING

from nexus_sdk.drivers.flights import Waiting
from nexus_sdk.drivers.memory import FLIGHT_S
from nexus_sdk.model import Cached, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sdk.drivers.stores.conftest import Clock, Store

PATIENCE_S = 30.0
"""The longest a test waits for another thread; none that passes does."""


def answer(body: bytes = b"{}") -> Cached:
    return Cached(200, {}, body, stream=False, usage=Usage(), cost_pico=0, model="m", provider="p")


def follower(store: Store, key: str = "k") -> Waiting:
    waiting = store.lookup(key, fold=True)
    assert isinstance(waiting, Waiting)
    return waiting


def test_the_first_leads_and_the_others_wait(store: Store) -> None:
    assert store.lookup("k", fold=True) is None
    follower(store)
    assert store.lookup("k") is None, "who does not fold does not wait"
    assert store.lookup("other", fold=True) is None


def test_a_stored_answer_releases_everybody(store: Store) -> None:
    store.lookup("k", fold=True)
    waiting = [follower(store) for _ in range(3)]
    store.store("k", answer(), 10)
    assert [one.wait(PATIENCE_S) for one in waiting] == [True] * 3
    assert store.lookup("k", fold=True) == answer()


def test_an_answer_that_cannot_be_shared_lets_everybody_go_alone(store: Store) -> None:
    """Not one after the other: that would make each wait for all before it."""
    store.lookup("k", fold=True)
    waiting = [follower(store) for _ in range(3)]
    store.store("k", None, 10)
    assert [one.wait(PATIENCE_S) for one in waiting] == [False] * 3


def test_an_abandoned_flight_gets_one_new_leader(store: Store) -> None:
    store.lookup("k", fold=True)
    waiting = [follower(store) for _ in range(3)]
    store.abandon("k")
    assert [one.wait(PATIENCE_S) for one in waiting] == [True] * 3
    assert store.lookup("k", fold=True) is None
    second = [follower(store), follower(store)]
    store.store("k", answer(), 10)
    assert [one.wait(PATIENCE_S) for one in second] == [True] * 2


def test_abandoning_what_has_landed_changes_nothing(store: Store) -> None:
    store.lookup("k", fold=True)
    store.store("k", answer(), 10)
    store.abandon("k")
    store.abandon("never")
    assert store.lookup("k") == answer()


def test_a_leader_on_the_same_thread_is_not_waited_for(store: Store) -> None:
    """It could not go on while this thread waits."""
    store.lookup("k", fold=True)
    assert follower(store).wait(1e9) is False


def test_a_wait_has_an_end(store: Store) -> None:
    _on_thread(lambda: store.lookup("k", fold=True))
    assert follower(store).wait(0.001) is False
    follower(store)
    store.store("k", answer(), 10)
    assert store.lookup("k", fold=True) == answer()


def test_a_leader_that_never_lands_is_taken_for_dead(store: Store, clock: Clock) -> None:
    store.lookup("k", fold=True)
    waiting = follower(store)
    clock.now += FLIGHT_S
    assert store.lookup("k", fold=True) is None
    assert waiting.wait(PATIENCE_S) is True
    follower(store)


def _on_thread(call: Callable[[], object]) -> None:
    thread = Thread(target=call)
    thread.start()
    thread.join()


def fetch(store: Store, key: str, call: Callable[[], Cached | None]) -> Cached | None:
    """A driver's way to use the store from a thread."""
    found = store.lookup(key, fold=True)
    while isinstance(found, Waiting):
        if not found.wait(PATIENCE_S):
            return call()
        found = store.lookup(key, fold=True)
    if found is None:
        found = call()
        store.store(key, found, 60)
    return found


async def fetch_async(
    store: Store, key: str, call: Callable[[], Awaitable[Cached | None]]
) -> Cached | None:
    found = store.lookup(key, fold=True)
    while isinstance(found, Waiting):
        if not await found.wait_async(PATIENCE_S):
            return await call()
        found = store.lookup(key, fold=True)
    if found is None:
        try:
            found = await call()
        except BaseException:
            store.abandon(key)
            raise
        store.store(key, found, 60)
    return found


def test_equal_requests_of_many_threads_make_one_call(store: Store) -> None:
    barrier, calls = Barrier(16), list[int]()

    def call() -> Cached:
        calls.append(1)
        return answer(b"x")

    def one(_: int) -> Cached | None:
        barrier.wait(PATIENCE_S)
        return fetch(store, "k", call)

    with ThreadPoolExecutor(16) as pool:
        assert set(map(id, pool.map(one, range(16)))) == {id(store.lookup("k"))}
    assert calls == [1]


def test_equal_requests_of_many_tasks_make_one_call(store: Store) -> None:
    async def main() -> int:
        calls, gate = 0, asyncio.Event()

        async def call() -> Cached:
            nonlocal calls
            calls += 1
            await gate.wait()
            return answer()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch_async(store, "k", call)) for _ in range(20)]
            await asyncio.sleep(0)
            gate.set()
        assert all(task.result() == answer() for task in tasks)
        return calls

    assert asyncio.run(main()) == 1


def test_a_thread_follows_a_task(store: Store) -> None:
    looked = Event()

    def on_thread() -> bool:
        waiting = follower(store)
        looked.set()
        return waiting.wait(PATIENCE_S)

    async def main() -> None:
        store.lookup("k", fold=True)
        async with asyncio.TaskGroup() as group:
            thread = group.create_task(asyncio.to_thread(on_thread))
            await asyncio.to_thread(looked.wait, PATIENCE_S)
            store.store("k", answer(), 60)
        assert thread.result() is True

    asyncio.run(main())


def test_a_task_follows_a_thread(store: Store) -> None:
    async def main() -> None:
        await asyncio.to_thread(store.lookup, "k", fold=True)
        waiting = follower(store)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(waiting.wait_async(PATIENCE_S))
            group.create_task(asyncio.to_thread(store.store, "k", answer(), 60))
        assert task.result() is True

    asyncio.run(main())


def test_a_cancelled_follower_disturbs_nobody(store: Store) -> None:
    async def main() -> None:
        store.lookup("k", fold=True)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follower(store).wait_async(PATIENCE_S)) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.sleep(0)
            assert isinstance(store.lookup("k", fold=True), Waiting)
            store.store("k", answer(), 60)
        assert tasks[0].cancelled()
        assert [task.result() for task in tasks[1:]] == [True, True]

    asyncio.run(main())


def test_a_follower_whose_time_is_over_disturbs_nobody(store: Store) -> None:
    async def main() -> None:
        store.lookup("k", fold=True)
        patient = follower(store)
        assert await follower(store).wait_async(0) is False
        store.store("k", answer(), 60)
        assert await patient.wait_async(PATIENCE_S) is True

    asyncio.run(main())


def test_a_cancelled_leader_is_followed_by_another(store: Store) -> None:
    async def main() -> None:
        async def never() -> Cached:
            await asyncio.Event().wait()
            raise AssertionError

        async def good() -> Cached:
            return answer(b"second")

        async with asyncio.TaskGroup() as group:
            leader = group.create_task(fetch_async(store, "k", never))
            await asyncio.sleep(0)
            others = [group.create_task(fetch_async(store, "k", good)) for _ in range(5)]
            await asyncio.sleep(0)
            leader.cancel()
        assert {id(task.result()) for task in others} == {id(store.lookup("k"))}

    asyncio.run(main())


def test_a_follower_whose_loop_has_gone_does_not_hinder_the_leader(store: Store) -> None:
    async def main() -> bool:
        return await follower(store).wait_async(0)

    store.lookup("k", fold=True)
    assert asyncio.run(main()) is False
    store.store("k", answer(), 60)
    assert store.lookup("k") == answer()
