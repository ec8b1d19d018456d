"""What was granted, until shortly before it expires. One of many asks anew, the others wait for it
or go on with what still holds."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from typing import TYPE_CHECKING

from nexus_sdk.drivers.credentials import local
from nexus_sdk.drivers.credentials.sources import Grant, World, steps
from nexus_sdk.errors import NexusError
from nexus_sdk.model import Failure, Response, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.drivers.credentials.sources import Steps
    from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
    from nexus_sdk.model import Credential
    from nexus_sdk.providers.oauth import TokenRequest

WITHIN_S = 20.0
"""For one exchange with whoever grants."""
SPARED_S = 1.0
"""After a failure nobody asks again for so long, so that a crowd does not ask in a row."""
MAX_KEPT = 256


class Keeper:
    """The grants of a process, shared by its threads and loops."""

    def __init__(
        self,
        sync: SyncUpstream,
        evented: AsyncUpstream,
        lookup: Callable[[str], str | None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sync = sync
        self._async = evented
        self.world = World(lookup, now)
        self._grants: dict[Credential, Grant] = {}
        self._failed: dict[Credential, tuple[float, Failure]] = {}
        self._locks: dict[Credential, threading.Lock] = {}
        self._loops: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Credential, asyncio.Lock]
        ] = weakref.WeakKeyDictionary()

    def known(self, credential: Credential) -> Grant | Failure | None:
        """What is at hand: a fresh grant, or a failure of a moment ago. None: somebody has to
        ask."""
        now = self.world.now()
        grant = self._grants.get(credential)
        if grant is not None and grant.fresh(now):
            return grant
        until, failure = self._failed.get(credential, (0.0, None))
        if failure is None or now >= until:
            return None
        return self._held(credential) or failure

    def get(self, credential: Credential) -> Grant | Failure:
        """Blocks while somebody asks."""
        if (known := self.known(credential)) is not None:
            return known
        with self._locks.setdefault(credential, threading.Lock()):
            known = self.known(credential)
            return self._asked(credential) if known is None else known

    async def aget(self, credential: Credential) -> Grant | Failure:
        """As `get`, on the running loop."""
        if (known := self.known(credential)) is not None:
            return known
        locks = self._loops.setdefault(asyncio.get_running_loop(), {})
        async with locks.setdefault(credential, asyncio.Lock()):
            known = self.known(credential)
            return await self._asked_async(credential) if known is None else known

    def _asked(self, credential: Credential) -> Grant | Failure:
        try:
            flow = steps(credential, self.world)
            step = _advanced(flow)
            while not isinstance(step, Grant):
                step = _advanced(flow, self._fetched(step))
        except NexusError as err:
            return self._fail(credential, err)
        return self._keep(credential, step)

    async def _asked_async(self, credential: Credential) -> Grant | Failure:
        try:
            flow = steps(credential, self.world)
            step = _advanced(flow)
            while not isinstance(step, Grant):
                step = _advanced(flow, await self._fetched_async(step))
        except NexusError as err:
            return self._fail(credential, err)
        return self._keep(credential, step)

    def _fetched(self, request: TokenRequest) -> Response | Failure:
        if request.local:
            return local.fetch(request)
        reply, _ = self._sync.send(_upstream(request))
        return reply

    async def _fetched_async(self, request: TokenRequest) -> Response | Failure:
        if request.local:
            return await asyncio.to_thread(local.fetch, request)
        reply, _ = await self._async.send(_upstream(request))
        return reply

    def _keep(self, credential: Credential, grant: Grant) -> Grant:
        if len(self._grants) >= MAX_KEPT:
            self._grants.clear()
        self._grants[credential] = grant
        self._failed.pop(credential, None)
        return grant

    def _fail(self, credential: Credential, error: NexusError) -> Grant | Failure:
        failure = Failure("credentials", error.message)
        self._failed[credential] = (self.world.now() + SPARED_S, failure)
        return self._held(credential) or failure

    def _held(self, credential: Credential) -> Grant | None:
        """What is to be renewed, but still holds."""
        grant = self._grants.get(credential)
        return grant if grant is not None and grant.fresh(self.world.now(), 0.0) else None


def _advanced(flow: Steps, reply: Response | Failure | None = None) -> TokenRequest | Grant:
    """The next exchange, or the end."""
    try:
        return next(flow) if reply is None else flow.send(reply)
    except StopIteration as end:
        grant: Grant = end.value
        return grant


def _upstream(request: TokenRequest) -> Upstream:
    return Upstream(
        request.method,
        request.url,
        dict(request.headers),
        request.body,
        stream=False,
        read_s=WITHIN_S,
        total_s=WITHIN_S,
    )
