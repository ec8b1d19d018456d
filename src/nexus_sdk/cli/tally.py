"""Sums over audit events, in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import ceil, exp, log
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nexus_sdk.cli import events
from nexus_sdk.model import PICO_PER_USD
from nexus_sdk.stages.cost import usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.model import Event

MAX_GROUPS = 10_000
"""A caller may send any name for a model. What comes beyond is summed as `OTHERS`."""
OTHERS = "(others)"
UNKNOWN = "(none)"
_NO_ERROR = frozenset({"complete", "blocked", "caller_left"})
_STEP = log(1.02)
"""Durations are counted in buckets 2 % wide: so far off may a percentile be."""


def _one(place: str) -> Callable[[Event], list[str]]:
    return lambda event: [events.word(event, place)]


GROUPINGS: Mapping[str, Callable[[Event], list[str]]] = MappingProxyType(
    {
        "key": _one("caller.key"),
        "user": _one("caller.user"),
        "project": _one("caller.project"),
        "model": lambda event: [events.word(event, "route.model") or events.word(event, "model")],
        "provider": _one("route.provider"),
        "rule": events.rules,
        "day": lambda event: [events.word(event, "at")[:10]],
    }
)
"""What `--by` may name: the groups that an event counts in. Several rules of one request count it
several times."""


@dataclass(slots=True)
class Totals:
    """`cost` and `saved` in picodollars. `durations` counts buckets of milliseconds. Tokens of
    answers out of the cache are not counted: nobody was paid for them."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    saved: int = 0
    blocked: int = 0
    redacted: int = 0
    errors: int = 0
    durations: Counter[int] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        self.requests += 1
        if events.word(event, "cache") != "hit":
            self.input_tokens += events.number(event, "usage.input")
            self.output_tokens += events.number(event, "usage.output")
        self.cost += _cost(event)
        self.saved += _pico(events.at(event, "saved_usd"))
        self.blocked += events.word(event, "outcome") == "blocked"
        self.redacted += events.number(event, "redacted")
        self.errors += events.word(event, "outcome") not in _NO_ERROR
        duration = events.at(event, "duration_ms")
        if isinstance(duration, int | float) and duration > 0:
            self.durations[ceil(log(duration) / _STEP)] += 1

    def percentile(self, share: float) -> float | None:
        """Milliseconds, within 2 %; None when no duration is known."""
        wanted = ceil(self.durations.total() * share)
        for bucket, count in sorted(self.durations.items()):
            wanted -= count
            if wanted <= 0:
                return round(exp((bucket - 0.5) * _STEP), 3)
        return None

    def told(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": usd(self.cost),
            "saved_usd": usd(self.saved),
            "blocked": self.blocked,
            "redacted": self.redacted,
            "errors": self.errors,
            "p50_ms": self.percentile(0.5),
            "p95_ms": self.percentile(0.95),
        }


class Tally:
    """Totals of all events, and by group."""

    def __init__(self, by: str) -> None:
        self.total = Totals()
        self.groups: dict[str, Totals] = {}
        self._names = GROUPINGS[by]

    def add(self, event: Event) -> None:
        self.total.add(event)
        for name in self._names(event):
            self._group(name or UNKNOWN).add(event)

    def ranked(self) -> list[tuple[str, Totals]]:
        """The dearest first, then those with most requests."""
        return sorted(
            self.groups.items(), key=lambda item: (-item[1].cost, -item[1].requests, item[0])
        )

    def _group(self, name: str) -> Totals:
        if name not in self.groups and len(self.groups) >= MAX_GROUPS:
            name = OTHERS
        return self.groups.setdefault(name, Totals())


def _cost(event: Event) -> int:
    """Exact: what each line of the bill says, in whole picodollars."""
    return sum(events.number(item, "amount") for item in events.listed(event, "cost"))


def _pico(text: object) -> int:
    if not isinstance(text, str):
        return 0
    try:
        return int(Decimal(text) * PICO_PER_USD)
    except (InvalidOperation, ValueError, OverflowError):
        return 0
