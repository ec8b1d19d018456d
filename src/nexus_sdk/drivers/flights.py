"""Equal requests in flight: one leads, the others wait for its answer. Threads and asyncio tasks
wait alike.

Nothing here locks: `memory.py` calls under its own lock, and lands a flight outside of it.
"""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import get_ident


class Flight:
    """One leader's request. The future is made for the first follower only: most flights have
    none."""

    __slots__ = ("deadline", "landed", "thread")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.thread = get_ident()
        self.landed: Future[bool] | None = None

    def follow(self) -> Waiting:
        if self.landed is None:
            self.landed = Future()
        return Waiting(self)

    def land(self, *, look_again: bool) -> None:
        """Once only. Wakes every follower."""
        if self.landed is not None:
            self.landed.set_result(look_again)


class Waiting:
    """The leader of this key is still under way: wait, then look again, or go without.

    Both waits return True when looking again is worth it: the answer is stored, or the leader has
    gone and somebody has to lead. False: the leader got no answer that can be shared, or the time
    is over; send your own request. A follower that stops waiting, however it does, disturbs neither
    the leader nor the other followers.
    """

    __slots__ = ("_flight",)

    def __init__(self, flight: Flight) -> None:
        self._flight = flight

    def wait(self, timeout_s: float) -> bool:
        """Blocks this thread. At once False when the leader runs on this very thread: it could not
        go on meanwhile."""
        landed = self._landed()
        if self._flight.thread == get_ident() and not landed.done():
            return False
        try:
            return landed.result(timeout_s)
        except FutureTimeoutError:
            return False

    async def wait_async(self, timeout_s: float) -> bool:
        """`asyncio.wait` leaves the future alone when this task is cancelled; awaiting it would
        cancel it for all."""
        import asyncio

        landed = self._landed()
        done, _ = await asyncio.wait({asyncio.wrap_future(landed)}, timeout=timeout_s)
        return bool(done) and landed.result()

    def _landed(self) -> Future[bool]:
        landed = self._flight.landed
        assert landed is not None, "follow() made it"
        return landed
