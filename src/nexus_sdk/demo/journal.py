"""What the model server received, kept for inspection: the newest requests, and how each of them
ended.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.demo.reader import Received

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Kept of each body; the rest of a longer one is forgotten."""

type Outcome = Literal["", "answered", "cut", "left"]
"""Empty: not yet. `cut`: broken off by us, as its script said. `left`: the client went away
first.
"""


@dataclass(slots=True)
class Seen:
    """One request received. `number` counts from 1."""

    number: int
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    outcome: Outcome = ""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "method": self.method,
            "path": self.target,
            "headers": dict(self.headers),
            "body": self.text,
            "outcome": self.outcome,
        }


class Journal:
    """Written by the server's thread, read by any."""

    def __init__(self, keep: int) -> None:
        self._seen: deque[Seen] = deque(maxlen=keep)
        self._changed = threading.Condition()
        self._number = 0

    def add(self, received: Received) -> Seen:
        with self._changed:
            self._number += 1
            body = received.body[:MAX_BODY_BYTES]
            seen = Seen(self._number, received.method, received.target, received.headers, body)
            self._seen.append(seen)
            self._changed.notify_all()
            return seen

    def end(self, seen: Seen, outcome: Outcome) -> None:
        with self._changed:
            seen.outcome = outcome
            self._changed.notify_all()

    def since(self, number: int = 0) -> tuple[Seen, ...]:
        """The requests kept whose number is above `number`, oldest first."""
        with self._changed:
            return tuple(seen for seen in self._seen if seen.number > number)

    def clear(self) -> None:
        """Forget the requests; the numbers go on."""
        with self._changed:
            self._seen.clear()

    def wait_for(self, wanted: Callable[[tuple[Seen, ...]], bool], timeout_s: float) -> bool:
        """True once `wanted` holds for the requests kept; False when it did not within
        `timeout_s`.
        """
        with self._changed:
            return self._changed.wait_for(lambda: wanted(tuple(self._seen)), timeout_s)
