"""The policy of every measurement: everything is on. And where a measured Nexus keeps its files."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus_sdk.nexus import Nexus
from nexus_sdk.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.rows import Plan

MODEL = "bench"


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


@contextlib.contextmanager
def governed(plan: Plan) -> Iterator[Nexus]:
    """A Nexus under the policy, its background work done."""
    from bench.measure import idle

    with tempfile.TemporaryDirectory() as state:
        nexus = Nexus(everything_on(), app="bench", settings=settings(plan, Path(state)))
        with nexus:
            idle()
            yield nexus


def flush(nexus: Nexus) -> None:
    """Write the audit events of a turn, so that their cost falls into it."""
    assert nexus.spool is not None, "the policy has an audit trail"
    nexus.spool.flush(30)
