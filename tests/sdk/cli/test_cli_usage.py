"""`nexus usage`: sums that are exact, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.cli.cli_lab import event, finding, nexus, record

from nexus_sdk.cli import tally
from nexus_sdk.cli.tally import GROUPINGS, OTHERS, Tally, Totals
from nexus_sdk.stages.cost import usd

if TYPE_CHECKING:
    from pathlib import Path

MIXED = [
    event(1),
    event(2, route={"provider": "anthropic", "model": "claude"}, duration_ms=300.0),
    event(3, cache="hit", cost=[], saved_usd="0.000045", duration_ms=1.0),
    event(4, outcome="blocked", findings=[finding("a.b", "block")], usage=None, cost=[]),
    event(5, findings=[finding("a.b"), finding("c.d"), finding("a.b")], redacted=3),
    event(6, outcome="failed", usage=None, cost=[], route={"provider": "", "model": ""}),
    event(7, outcome="caller_left"),
]


def told(*args: str) -> dict[str, Any]:
    found: dict[str, Any] = nexus("usage", "--json", *args).json
    return found


def groups(*args: str) -> dict[str, dict[str, Any]]:
    return {group["name"]: group for group in told(*args)["groups"]}


def test_the_total(state: Path) -> None:
    record(state, *MIXED)
    total = told()["total"]
    assert {name: total[name] for name in ("requests", "blocked", "redacted", "errors")} == {
        "requests": 7,
        "blocked": 1,
        "redacted": 3,
        "errors": 1,
    }
    assert (total["input_tokens"], total["output_tokens"]) == (400, 200), "none of a cached answer"
    assert (total["cost_usd"], total["saved_usd"]) == ("0.00018", "0.000045")


def test_groups(state: Path) -> None:
    record(state, *MIXED)
    assert {name: group["requests"] for name, group in groups("--by", "model").items()} == {
        "gpt-4o-mini": 5,
        "claude": 1,
        "fast": 1,
    }
    assert groups("--by", "provider")["(none)"]["errors"] == 1
    assert {n: g["requests"] for n, g in groups("--by", "rule").items()} == {"a.b": 2, "c.d": 1}
    assert list(groups("--by", "day")) == ["2026-02-01", "2026-02-02", "2026-02-03"]
    assert groups("--by", "user")["ada"]["requests"] == 7
    assert groups("--by", "key").keys() == {"k1"}
    assert groups("--by", "project").keys() == {"engine"}


def test_the_dearest_comes_first(state: Path) -> None:
    record(state, event(1), event(2, model="b", route={}, cost=[{"amount": 10**12}]))
    assert [group["name"] for group in told()["groups"]] == ["b", "gpt-4o-mini"]


def test_the_table_ends_with_the_total(state: Path) -> None:
    record(state, *MIXED)
    shown = nexus("usage", "--by", "provider").out.splitlines()
    assert shown[0].split()[:3] == ["provider", "requests", "input"]
    assert shown[-1].split()[:2] == ["total", "7"]


def test_a_period(state: Path) -> None:
    record(state, *MIXED)
    assert told("--since", "1h")["total"]["requests"] == 7
    assert told("--until", "1h")["total"]["requests"] == 0


@given(st.lists(st.integers(0, 10**15), max_size=50))
def test_costs_add_up_exactly(amounts: list[int]) -> None:
    totals = Totals()
    for amount in amounts:
        totals.add({"cost": [{"amount": amount}], "saved_usd": usd(amount)})
    assert (totals.cost, totals.saved) == (sum(amounts), sum(amounts))


@given(st.lists(st.floats(0.001, 1e7), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_percentiles_are_within_two_per_cent(durations: list[float], share: float) -> None:
    totals = Totals()
    for duration in durations:
        totals.add({"duration_ms": duration})
    exact = sorted(durations)[-(-len(durations) * round(share * 100) // 100) - 1]
    found = totals.percentile(share)
    assert found is not None
    assert found == pytest.approx(exact, rel=0.02, abs=0.001)


def test_without_durations_there_is_no_percentile() -> None:
    assert Totals().percentile(0.5) is None


def test_names_beyond_the_bound_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_GROUPS", 3)
    found = Tally("model")
    for number in range(10):
        found.add({"model": f"m{number}"})
    assert {name: totals.requests for name, totals in found.ranked()} == {
        OTHERS: 7,
        "m0": 1,
        "m1": 1,
        "m2": 1,
    }


@pytest.mark.parametrize("by", GROUPINGS)
def test_every_grouping_can_be_asked_for(state: Path, by: str) -> None:
    record(state, event(1, findings=[finding("a.b")]))
    assert nexus("usage", "--by", by).status == 0
