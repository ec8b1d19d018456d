"""Kept connections. A lane holds those of one origin; a connection never changes lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.drivers.upstream.wire import MAX_IDLE

if TYPE_CHECKING:
    from nexus_sdk.drivers.upstream.origin import Origin
    from nexus_sdk.drivers.upstream.proxies import Proxy
    from nexus_sdk.drivers.upstream.surroundings import Surroundings
    from nexus_sdk.drivers.upstream.wire import Net, Wire

MAX_LANES = 1024


class Lane:
    """The way to one origin: through `proxy` or straight, on a private network or not. Connections
    that were made under the wider permission are not lent to the narrower one, because it is
    another lane.

    A list's `append` and `pop` are atomic, so threads share a lane without a lock.
    """

    __slots__ = ("_idle", "open", "origin", "private_network", "proxy")

    def __init__(self, origin: Origin, proxy: Proxy | None, *, private_network: bool) -> None:
        self.origin = origin
        self.proxy = proxy
        self.private_network = private_network
        self.open = True
        self._idle: list[Wire] = []

    def take(self) -> Wire | None:
        """The connection that was used last, the likeliest to be alive; None when a new one is
        needed."""
        while self._idle:
            try:
                wire = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if wire.wake():
                return wire
            wire.close()
        return None

    def put(self, wire: Wire) -> None:
        """Keep a connection whose response has ended."""
        wire.park()
        self._idle.append(wire)
        if not self.open or len(self._idle) > MAX_IDLE:
            self._drop_oldest()

    def close(self) -> None:
        """Close what is idle, and from now on all that comes back."""
        self.open = False
        while self._drop_oldest():
            pass

    def _drop_oldest(self) -> bool:
        try:
            self._idle.pop(0).close()
        except IndexError:
            return False
        return True


class Desk:
    """The lanes over one `net`: of a process for threads, of an event loop for tasks."""

    def __init__(self, net: Net, surroundings: Surroundings) -> None:
        self.net = net
        self.surroundings = surroundings
        self._lanes: dict[tuple[Origin, bool], Lane] = {}

    def lane(self, origin: Origin, *, private_network: bool) -> Lane:
        lane = self._lanes.get((origin, private_network))
        if lane is None:
            if len(self._lanes) >= MAX_LANES:
                self.close()
            proxy = self.surroundings.proxies.pick(origin)
            fresh = Lane(origin, proxy, private_network=private_network)
            lane = self._lanes.setdefault((origin, private_network), fresh)
        return lane

    def close(self) -> None:
        """Close the idle connections. Exchanges under way end undisturbed, and theirs close after
        them; an exchange that begins later opens new ones."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.close()
