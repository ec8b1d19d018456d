"""Upstreams that follow a script, in both colours, and exchanges that are run with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.playbook import FixedClock, snapshot

from nexus_sdk.drivers.exchanges import arun, run
from nexus_sdk.drivers.host import AsyncHost, SyncHost
from nexus_sdk.drivers.memory import MemoryStore
from nexus_sdk.drivers.upstream import StreamBroken
from nexus_sdk.model import Answer, Failure, Response
from nexus_sdk.pipeline import handle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.model import Event, Request, Upstream
    from nexus_sdk.policy.snapshot import Snapshot

type Reply = Response | Failure | Sequence[bytes | Failure]
"""A list is a stream: its pieces, and the failure that it may end with."""

STREAM = {"content-type": "text/event-stream"}


class Body:
    """The rest of a stream, for both colours. `wakes` is set when the reader asks for more than the
    script has and `hangs`."""

    def __init__(self, pieces: list[bytes | Failure], *, hangs: bool = False) -> None:
        self.pieces = pieces
        self.hangs = hangs
        self.closed = 0
        self.finished = 0

    def next(self) -> bytes:
        if self.closed:
            raise StreamBroken(Failure("truncated", "closed by its reader"))
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Failure):
            raise StreamBroken(piece)
        return piece


class SyncScriptBody(Body):
    def read(self) -> bytes:
        return self.next()

    def finish(self) -> None:
        self.finished += 1

    def close(self) -> None:
        self.closed += 1


class AsyncScriptBody(Body):
    waiting: asyncio.Event | None = None
    woken: asyncio.Event | None = None

    async def read(self) -> bytes:
        if self.hangs and not self.pieces and not self.closed:
            self.waiting, self.woken = self.waiting or asyncio.Event(), asyncio.Event()
            self.waiting.set()
            await self.woken.wait()
        else:
            await asyncio.sleep(0)
        return self.next()

    async def finish(self) -> None:
        await asyncio.sleep(0)
        self.finished += 1

    async def close(self) -> None:
        self.closed += 1
        if self.woken is not None:
            self.woken.set()


@dataclass
class Script:
    """What the upstream answers, in turn; `sent` is what it was asked. A request too many fails."""

    replies: list[Reply]
    sent: list[Upstream] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    hangs: bool = False

    def begin(self, upstream: Upstream, opening: Any, kind: type[Body]) -> tuple[Any, Any]:
        self.sent.append(upstream)
        reply = self.replies.pop(0)
        if isinstance(reply, Response | Failure):
            return reply, None
        pieces = list(reply)
        while pieces and isinstance(pieces[0], bytes):
            if opening is None or opening.feed(pieces.pop(0)):
                break
        body = kind(pieces, hangs=self.hangs)
        self.bodies.append(body)
        return Response(200, STREAM, b"", streamed=True), body


class SyncScript(Script):
    def send(self, upstream: Upstream, opening: Any = None) -> tuple[Any, Any]:
        return self.begin(upstream, opening, SyncScriptBody)


class AsyncScript(Script):
    async def send(self, upstream: Upstream, opening: Any = None) -> tuple[Any, Any]:
        await asyncio.sleep(0)
        return self.begin(upstream, opening, AsyncScriptBody)


class Lab:
    """One policy with its store; exchanges run in either colour, their events in `recorded`."""

    def __init__(self, policy: dict[str, Any] | None = None) -> None:
        self.snapshot: Snapshot = snapshot(policy)
        self.store = MemoryStore()
        self.recorded: list[Event] = []

    def host(self, script: Any, spool: Any = None) -> SyncHost:
        return SyncHost(self.store, spool, script, self.recorded.append)

    def ahost(self, script: Any, spool: Any = None) -> AsyncHost:
        return AsyncHost(self.store, spool, script, self.recorded.append)

    def run(self, request: Request, script: Any, spool: Any = None) -> Answer | SyncEvents:
        return run(handle(request, self.snapshot, FixedClock()), self.host(script, spool))

    async def arun(self, request: Request, script: Any, spool: Any = None) -> Answer | AsyncEvents:
        return await arun(handle(request, self.snapshot, FixedClock()), self.ahost(script, spool))
