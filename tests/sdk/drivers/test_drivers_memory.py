"""What only the store in memory promises: its bounds."""

from __future__ import annotations

import pytest

from nexus_sdk.drivers.memory import ENTRY_OVERHEAD_BYTES, MemoryStore
from nexus_sdk.model import Cached, Claim, Usage


def answer(body: bytes = b"{}") -> Cached:
    return Cached(
        200, {"a": "b"}, body, stream=False, usage=Usage(), cost_pico=0, model="m", provider="p"
    )


def held(store: MemoryStore) -> str:
    """The keys, least recently used first."""
    return "".join(store._answers._entries)


def test_the_least_recently_used_answer_goes_first() -> None:
    store = MemoryStore(max_entries=3, clock=lambda: 0.0)
    for key in "abc":
        store.store(key, answer(), 10)
    store.lookup("a")
    store.store("d", answer(), 10)
    assert held(store) == "cad"


def test_the_bytes_of_all_answers_are_bounded() -> None:
    size = ENTRY_OVERHEAD_BYTES + 100 + 2 + 1
    store = MemoryStore(max_bytes=3 * size, clock=lambda: 0.0)
    for key in "abcd":
        store.store(key, answer(b"x" * 100), 10)
    assert held(store) == "bcd"
    store.store("b", answer(b"x" * 101), 10)
    assert held(store) == "db"
    assert store._answers._bytes == 2 * size + 1


def test_an_answer_larger_than_all_room_is_not_kept_and_drives_nothing_out() -> None:
    store = MemoryStore(max_bytes=10_000, clock=lambda: 0.0)
    store.store("a", answer(), 10)
    store.store("b", answer(b"x" * 10_000), 10)
    assert held(store) == "a"


def test_a_smaller_bound_holds_at_once() -> None:
    store = MemoryStore(max_entries=5, clock=lambda: 0.0)
    for key in "abcde":
        store.store(key, answer(), 10)
    store.bound(2)
    assert held(store) == "de"


def test_settled_reservations_leave_nothing_behind() -> None:
    now = 0.0
    store = MemoryStore(lease_s=1, clock=lambda: now)
    for i in range(10_000):
        claim = Claim(f"a{i}", "l", "tokens", 1, 10, 0.5)
        got = store.reserve((claim,))
        assert isinstance(got, str)
        if i % 2:
            store.settle(got, (1,))
        now += 1
    store.usage()
    counters = store._counters
    assert len(counters._accounts) <= 1
    assert len(counters._ending) <= 1
    assert len(counters._open) <= 1
    assert len(counters._late) <= 4096


def test_settling_with_the_wrong_number_of_amounts_is_a_bug_and_is_told() -> None:
    store = MemoryStore(clock=lambda: 0.0)
    got = store.reserve((Claim("a", "l", "tokens", 1, 10, 60),))
    assert isinstance(got, str)
    with pytest.raises(ValueError, match="zip"):
        store.settle(got, (1, 2))
