"""The writer thread of one process: takes what is queued, commits it, and decides what a failing
disk means."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers.spool.frame import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.drivers.spool.chain import Chain
    from nexus_sdk.drivers.spool.pending import Gap, Item, Pending

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 5.0
"""Between two tries on a failing disk; doubled each time, cut short when a strict caller comes."""
CLOSE_WAIT_S = 5.0
"""How long `close` waits for a disk that does not answer."""

_log = logging.getLogger(__name__)


class Engine:
    """Owns the chain. `failure` is why the last try failed, empty while the disk works."""

    def __init__(self, chain: Chain, pending: Pending, *, gather_s: float) -> None:
        self.chain = chain
        self.pending = pending
        self.failure = ""
        self._gather_s = gather_s
        self._thread = threading.Thread(target=self._run, name="nexus-audit-spool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_degraded(self) -> bool:
        """Events are late, lost and not yet told of, or not covered by the head."""
        return bool(self.failure) or self.chain.is_head_stale or self.pending.gap.events > 0

    def close(self) -> bool:
        """Write what is queued and end the chain; False when something could not be written."""
        self.pending.close()
        self._thread.join(CLOSE_WAIT_S)
        return not self._thread.is_alive() and not self.failure and self.pending.events == 0

    def _run(self) -> None:
        while (items := self.pending.take(self._gather_s)) is not None:
            if not self._settle(items):
                break
        self._end()

    def _settle(self, items: Sequence[Item]) -> bool:
        """Commit all of these and the gap, however long it takes; False when the spool closes
        before that."""
        delay_s = FIRST_DELAY_S
        while items or self.pending.gap.events:
            gap = self.pending.gap
            try:
                taken = self.chain.commit([item.payload for item in items], _told(gap))
            except Exception as error:  # noqa: BLE001  # callers must hear of it and the thread must live
                self._report(error)
                self.pending.fail(items, self.failure)
                if not self.pending.back_off(FIRST_DELAY_S, delay_s):
                    return False
                delay_s = min(delay_s * 2, MAX_DELAY_S)
                continue
            if self.failure:
                _log.warning("the audit spool writes again")
            self.failure, delay_s = "", FIRST_DELAY_S
            self.pending.done(items[:taken], gap)
            items = items[taken:]
            self.chain.tidy()
        return True

    def _end(self) -> None:
        try:
            if not self.failure:
                self.chain.finish()
        except OSError as error:
            self._report(error)
        self.chain.forsake()

    def _report(self, error: Exception) -> None:
        reason = error.strerror or str(error) if isinstance(error, OSError) else repr(error)
        if not self.failure:
            _log.error("the audit spool cannot write: %s", reason, exc_info=error)
        self.failure = reason


def _told(gap: Gap) -> dict[str, Any] | None:
    """The `gap` record."""
    if not gap.events:
        return None
    return {
        "events": gap.events,
        "bytes": gap.bytes,
        "first_at": stamp(gap.first_at),
        "last_at": stamp(gap.last_at),
        "reason": "the queue was full while the disk could not write",
    }
