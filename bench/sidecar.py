"""The sidecar with one worker, everything on, 16 connections; beside it bare forwarders and
other gateways."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.load import BadAnswer, Load
from bench.measure import interleave
from bench.peers import PEERS
from bench.policy import NotMeasured
from bench.prompts import SENSITIVE, prompts
from bench.rows import ABSENT, Row, Target
from bench.servers import CannotStart, asked, forwarder, model_server, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bench.measure import Result, Turn
    from bench.rows import Plan
    from bench.servers import Server

    type Start = Callable[[], AbstractContextManager[Server]]

KIB = 1024
CONNECTIONS = 16
OURS = "sidecar"
REDACTING = "sidecar, 3 redactions"
FORWARDERS = {
    "a bare forwarder on our upstream client": "ours",
    "a bare forwarder on httpx2": "httpx2",
}
BOUND = Target("ours", 350, 250)
WARM_S = 1.0
"""How long a server is called before it counts: compilers that run while it serves, files that
are made."""


def run(plan: Plan) -> list[Row]:
    with asyncio.Runner() as runner, model_server() as upstream, contextlib.ExitStack() as stack:
        group = Group(runner, upstream, stack)
        ours = stack.enter_context(sidecar(upstream, plan.work / "cache"))
        group.add(OURS, lambda: contextlib.nullcontext(ours), plan.of(500, 150))
        group.add(
            REDACTING, lambda: contextlib.nullcontext(ours), plan.of(500, 150), holding=SENSITIVE
        )
        for name, client in FORWARDERS.items():
            group.add(name, partial(forwarder, upstream, client), plan.of(300, 100))
        for peer in PEERS if plan.peers or not plan.quick else ():
            path = peer.installed()
            if path is None:
                group.absent[peer.name] = ABSENT
            else:
                group.add(peer.name, partial(peer.start, upstream, path), plan.of(100, 50))
        found = interleave(group.turns, plan.of(9, 4))
    return _rows(found, group.absent)


class Group:
    """The servers of the comparison. `absent`: those that are not there, and why."""

    def __init__(self, runner: asyncio.Runner, upstream: str, stack: contextlib.ExitStack) -> None:
        self._runner = runner
        self._upstream = upstream
        self._stack = stack
        self.turns: dict[str, Turn] = {}
        self.absent: dict[str, str] = {}

    def add(self, name: str, start: Start, count: int, *, holding: str = "") -> None:
        """Start it, call it until it is warm, and measure it in turns of `count` calls."""
        try:
            server = self._stack.enter_context(start())
            load = Load(self._runner, server, prompts(KIB, holding=holding), CONNECTIONS)
            self._warm(name, load.turn(count), count)
        except (CannotStart, OSError) as err:
            self.absent[name] = f"{ABSENT}: {' '.join(str(err).split())}"
        except ExceptionGroup as group:
            bad = group.subgroup(BadAnswer)
            if bad is None:
                raise
            self.absent[name] = f"{ABSENT}: {bad.exceptions[0]}"
        else:
            self.turns[name] = load.turn(count)

    def _warm(self, name: str, turn: Turn, count: int) -> None:
        """Raises NotMeasured when it answers without asking the upstream."""
        until = time.monotonic() + WARM_S
        before, sent = asked(self._upstream), 0
        while time.monotonic() < until:
            turn()
            sent += count + CONNECTIONS
        if asked(self._upstream) - before < sent:
            raise NotMeasured(f"{name} asked the upstream fewer than {sent} times for {sent} calls")


def _rows(found: dict[str, Result], absent: dict[str, str]) -> list[Row]:
    ours = found[OURS]
    rows = [
        Row("sidecar, per request: CPU", "us", ours.cpu_us, target=BOUND),
        Row("sidecar: wall p50", "ms", ours.p50_ms),
        Row("sidecar: wall p99", "ms", ours.p99_ms),
        Row("sidecar, 3 redactions: CPU", "us", found[REDACTING].cpu_us),
    ]
    for name in [name for name in found if name not in (OURS, REDACTING)]:
        rows.append(Row("sidecar: CPU", "us", ours.cpu_us, found[name].cpu_us, name))
        rows.append(Row("sidecar: wall p50", "ms", ours.p50_ms, found[name].p50_ms, name))
    rows += [
        Row("sidecar: CPU", "us", ours.cpu_us, None, name, note=why) for name, why in absent.items()
    ]
    return rows
