"""What every store of answers and counters promises, whichever holds them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from nexus_sdk.drivers.memory import Used
from nexus_sdk.model import Cached, Claim, Refused, Usage

if TYPE_CHECKING:
    from tests.sdk.drivers.stores.conftest import Clock, Store

LEASE_S = 30.0
"""As the stores under test are made."""
PATIENCE_S = 30.0
"""The longest a test waits for another thread; none that passes does."""


def answer(body: bytes = b"{}") -> Cached:
    return Cached(200, {}, body, stream=False, usage=Usage(), cost_pico=0, model="m", provider="p")


def claim(
    account: str = "a", amount: int = 1, maximum: int = 10, resets_in_s: float = 1000.0
) -> Claim:
    return Claim(account, account, "tokens", amount, maximum, resets_in_s)


def reserved(store: Store, *claims: Claim) -> str:
    reservation = store.reserve(claims)
    assert isinstance(reservation, str)
    return reservation


def used(store: Store) -> dict[str, int]:
    return {row.account: row.used for row in store.usage()}


# ---- cache


def test_an_answer_is_there_until_its_time_is_over(store: Store, clock: Clock) -> None:
    assert store.lookup("k") is None
    store.store("k", answer(), 10)
    clock.now += 9.9
    assert store.lookup("k") == answer()
    clock.now += 0.1
    assert store.lookup("k") is None


def test_a_newer_answer_takes_the_place_of_the_older(store: Store, clock: Clock) -> None:
    store.store("k", answer(b"1"), 10)
    clock.now += 9
    store.store("k", answer(b"2"), 10)
    clock.now += 9
    assert store.lookup("k") == answer(b"2")


def test_storing_nothing_keeps_what_is_there(store: Store) -> None:
    store.store("k", answer(), 10)
    store.store("k", None, 10)
    store.store("other", None, 10)
    store.store("third", answer(), 0)
    assert store.lookup("k") == answer()
    assert store.lookup("other") is None
    assert store.lookup("third") is None


# ---- counters


def test_a_reservation_takes_all_or_nothing(store: Store) -> None:
    reserved(store, claim("a", 4), claim("b", 9))
    fits_not = claim("b", 2)
    assert store.reserve((claim("a", 4), fits_not, claim("c", 1))) == Refused(fits_not, 9)
    assert used(store) | {"c": 0} == {"a": 4, "b": 9, "c": 0}
    reserved(store, claim("a", 6), claim("b", 1))
    assert store.reserve((claim("a", 1),)) == Refused(claim("a", 1), 10)


def test_nothing_to_claim_is_a_reservation_too(store: Store) -> None:
    store.settle(reserved(store), ())
    assert store.usage() == []


def test_two_claims_on_one_account_count_both(store: Store) -> None:
    assert store.reserve((claim("a", 6), claim("a", 6))) == Refused(claim("a", 6), 0)
    reserved(store, claim("a", 5), claim("a", 5))
    assert used(store) == {"a": 10}


def test_settling_puts_the_true_amount_in_the_place_of_the_reserved(store: Store) -> None:
    reservation = reserved(store, claim("a", 8), claim("b", 1))
    store.settle(reservation, (3, 7))
    assert used(store) == {"a": 3, "b": 7}


def test_settling_may_go_over_the_maximum_and_then_nothing_fits(store: Store) -> None:
    store.settle(reserved(store, claim("a", 1)), (25,))
    assert store.reserve((claim("a", 1),)) == Refused(claim("a", 1), 25)


def test_settling_twice_counts_once(store: Store) -> None:
    reservation = reserved(store, claim("a", 8))
    store.settle(reservation, (3,))
    store.settle(reservation, (5,))
    store.settle("no such reservation", (5,))
    assert used(store) == {"a": 3}


def test_what_nobody_settles_is_given_back(store: Store, clock: Clock) -> None:
    reserved(store, claim("a", 8))
    clock.now += LEASE_S - 1
    kept = reserved(store, claim("a", 2))
    clock.now += 1
    assert used(store) == {"a": 2}
    store.settle(kept, (1,))
    assert used(store) == {"a": 1}


def test_a_settlement_after_the_lease_still_counts_once(store: Store, clock: Clock) -> None:
    reservation = reserved(store, claim("a", 8))
    clock.now += LEASE_S
    assert used(store) == {"a": 0}
    store.settle(reservation, (3,))
    store.settle(reservation, (3,))
    assert used(store) == {"a": 3}


def test_a_window_that_has_ended_is_forgotten(store: Store, clock: Clock) -> None:
    reservation = reserved(
        store, claim("old", 8, resets_in_s=10), claim("long", 2, resets_in_s=500)
    )
    clock.now += 10
    assert used(store) == {"long": 2}
    store.settle(reservation, (5, 5))
    assert used(store) == {"long": 5}


def test_an_account_lives_as_long_as_any_claim_says(store: Store, clock: Clock) -> None:
    """The calendar's clock was set back in between."""
    store.settle(reserved(store, claim("a", 4, resets_in_s=10)), (4,))
    store.settle(reserved(store, claim("a", 1, resets_in_s=25)), (1,))
    clock.now += 20
    assert used(store) == {"a": 5}
    clock.now += 5
    assert used(store) == {}


def test_usage_tells_settled_and_reserved(store: Store, clock: Clock) -> None:
    store.settle(reserved(store, claim("a", 4)), (3,))
    reserved(store, claim("a", 2), claim("b", 1, resets_in_s=60))
    clock.now += 1
    assert store.usage() == [
        Used("a", "a", "tokens", used=5, reserved=2, maximum=10, resets_in_s=999.0),
        Used("b", "b", "tokens", used=1, reserved=1, maximum=10, resets_in_s=59.0),
    ]


def test_many_threads_never_take_more_than_there_is(store: Store) -> None:
    barrier = Barrier(16)

    def worker(number: int) -> int:
        barrier.wait(PATIENCE_S)
        taken = 0
        for turn in range(200):
            got = store.reserve((claim("shared", 3, 1000), claim(f"own {number}", 1, 1000)))
            if isinstance(got, str):
                store.settle(got, (2, 1) if turn % 2 else (0, 0))
                taken += 2 * (turn % 2)
        return taken

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(worker, range(16)))
    assert used(store)["shared"] == taken
    assert 1000 - 3 * 16 <= taken <= 1000
