"""The policy of every measurement: everything is on. And where a measured Nexus keeps its files."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import idle
from nexus_sdk.nexus import Nexus
from nexus_sdk.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.rows import Plan
    from nexus_sdk.drivers.host import Observe
    from nexus_sdk.model import Event

MODEL = "bench"
GOOD = (("miss", 200, "complete"), ("off", 200, "complete"))
"""Cache, status and outcome of an exchange that counts."""
DEFAULT: dict[str, Any] = {"audit": {"mode": "batched"}}
"""The default policy."""


def everything_on(upstream: str = "") -> dict[str, Any]:
    """The default hooks on requests and answers, the cache for every request, a limit of each
    unit, prices, and the audit trail in batches. With `upstream`, a provider there that serves
    the model; without, callers bring their own."""
    policy: dict[str, Any] = {
        "organisation": "bench",
        "cache": {"enabled": True, "when": "always"},
        "limits": [
            {"name": "calls", "unit": "requests", "max": 1e9, "window": "hour", "per": ["key"]},
            {"name": "tokens", "unit": "tokens", "max": 1e12, "window": "day", "per": ["key"]},
            {"name": "money", "unit": "usd", "max": 1e6, "window": "month", "per": ["key"]},
        ],
        "prices": {MODEL: {"input": 2.5, "output": 10, "cache_read": 1.25}},
        "audit": {"mode": "batched"},
    }
    if upstream:
        provider = {
            "kind": "openai",
            "base_url": f"{upstream}/v1",
            "api_key": "sk-bench",
            "private_network": True,
        }
        policy["providers"] = {"local": provider}
        policy["routing"] = {"models": {MODEL: f"local/{MODEL}"}}
    return policy


def settings(plan: Plan, state: Path) -> Settings:
    """Compiled rules are kept between runs; what must last is kept nowhere."""
    return Settings(state_dir=state, cache_dir=plan.work / "cache", node="bench")


class NotMeasured(Exception):
    """Something else happened than what a row claims; the message says what."""


class Witness:
    """Counts what became of the exchanges: a measurement is one of answers that the upstream gave,
    not of the cache, and not of refusals."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, int, str]] = Counter()

    def observe(self, event: Event) -> None:
        self._seen[event["cache"], event["status"], event["outcome"]] += 1

    def check(self) -> None:
        """Raises NotMeasured."""
        others = {kind: count for kind, count in self._seen.items() if kind not in GOOD}
        if others or not self._seen:
            raise NotMeasured(f"not only {GOOD}: {others or 'no exchange at all'}")


@contextlib.contextmanager
def governed(plan: Plan, policy: dict[str, Any] | None = None) -> Iterator[Nexus]:
    """A Nexus under the policy (None: with everything on), its background work done. Raises
    NotMeasured when an exchange was anything but an answer of the upstream."""
    witness = Witness()
    with unused(plan, witness.observe, policy) as nexus:
        yield nexus
    witness.check()


@contextlib.contextmanager
def unused(
    plan: Plan, observe: Observe | None = None, policy: dict[str, Any] | None = None
) -> Iterator[Nexus]:
    """As `governed`, for measurements that make no exchange."""
    with tempfile.TemporaryDirectory() as state:
        where = settings(plan, Path(state))
        ruled = everything_on() if policy is None else policy
        with Nexus(ruled, app="bench", settings=where, observe=observe) as nexus:
            idle()
            yield nexus


def flush(nexus: Nexus) -> None:
    """Write the audit events of a turn, so that their cost falls into it."""
    assert nexus.spool is not None, "the policy has an audit trail"
    nexus.spool.flush(30)
