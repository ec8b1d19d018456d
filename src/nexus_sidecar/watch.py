"""Keeps the policy in force that its files hold."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.nexus import Nexus

log = logging.getLogger("nexus.sidecar")

LOOK_EVERY_S = 1.0
"""A look is one `stat` for each file. A changed policy is in force about a second after it was
written (its rules are compiled beside the traffic); SIGHUP does not wait for the next look."""


class Watch:
    """Puts a changed policy in force. One that is not valid is told of in the log, and the last
    good one stays."""

    def __init__(self, nexus: Nexus) -> None:
        self._nexus = nexus
        self._seen = nexus.stamps_in_force
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read the policy again now, changed or not. To be called on the server's loop."""
        self._asked.set()

    async def run(self) -> None:
        """For ever; cancel it."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """One look."""
        stamps = self._nexus.source_stamps()
        if stamps == self._seen and not self._asked.is_set():
            return
        self._asked.clear()
        self._seen = stamps
        try:
            await asyncio.to_thread(self._nexus.try_reload)
        except Exception:
            log.exception(
                "reading the policy again met a fault of Nexus itself; the one in force stays"
            )
