"""Counters against a plain model, in any order of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from nexus_sdk.model import Claim, Refused

if TYPE_CHECKING:
    from tests.sdk.drivers.stores.conftest import Clock, Make, Store

LEASE_S = 30.0
"""As the stores under test are made."""
ACCOUNTS = {"a": 10, "b": 25, "c": 3}
WINDOW_S = 100


class Counting(RuleBasedStateMachine):
    """Any order of reserving, settling, letting go and waiting: the store agrees with a plain
    model, and settled and live reservations together never exceed the maximum (amounts settled are
    at most the amounts reserved)."""

    reservations = Bundle("reservations")

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.store = store
        self.settled: dict[str, int] = {}
        self.live: dict[str, tuple[tuple[Claim, ...], float]] = {}
        self.late: dict[str, tuple[Claim, ...]] = {}

    def _used(self, account: str) -> int:
        held = sum(
            one.amount
            for claims, _ in self.live.values()
            for one in claims
            if one.account == account
        )
        return self.settled.get(account, 0) + held

    @rule(
        target=reservations,
        wanted=st.lists(
            st.tuples(st.sampled_from(sorted(ACCOUNTS)), st.integers(0, 9)), max_size=4
        ),
    )
    def reserve(self, wanted: list[tuple[str, int]]) -> Any:
        window = int(self.clock.now // WINDOW_S)
        left = (window + 1) * WINDOW_S - self.clock.now
        claims = tuple(
            Claim(f"{name}/{window}", name, "tokens", amount, ACCOUNTS[name], left)
            for name, amount in wanted
        )
        totals: dict[str, int] = {}
        fits = True
        for one in claims:
            totals[one.account] = totals.get(one.account, 0) + one.amount
            fits = fits and self._used(one.account) + totals[one.account] <= one.maximum
        got = self.store.reserve(claims)
        assert isinstance(got, str) is fits
        if isinstance(got, Refused):
            assert got.claim in claims
            return multiple()
        self.live[got] = (claims, self.clock.now + LEASE_S)
        return got

    @rule(reservation=reservations, share=st.floats(0, 1))
    def settle(self, reservation: str, share: float) -> None:
        """Also again, and after the lease; a late one can only be let go here, since it could
        exceed the maximum."""
        live = self.live.pop(reservation, None)
        late = self.late.pop(reservation, None)
        claims = live[0] if live else late or ()
        amounts = tuple(int(one.amount * share) if live else 0 for one in claims)
        self.store.settle(reservation, amounts)
        for one, amount in zip(claims, amounts, strict=True):
            self.settled[one.account] = self.settled.get(one.account, 0) + amount

    @rule(reservation=consumes(reservations))
    def forget(self, reservation: str) -> None:
        """A killed flow."""

    @rule(seconds=st.sampled_from([1.0, 7.0, LEASE_S, WINDOW_S]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        for reservation, (claims, deadline) in list(self.live.items()):
            if deadline <= self.clock.now:
                del self.live[reservation]
                self.late[reservation] = claims

    @invariant()
    def agrees(self) -> None:
        window = f"/{int(self.clock.now // WINDOW_S)}"
        rows = {row.account: row for row in self.store.usage()}
        assert all(name.endswith(window) for name in rows)
        for account, maximum in ((name + window, most) for name, most in ACCOUNTS.items()):
            used = rows[account].used if account in rows else 0
            assert used == self._used(account) <= maximum


def test_counters_agree_with_the_model(make_store: Make, clock: Clock) -> None:
    def machine() -> Counting:
        clock.now = 0.0
        return Counting(make_store(clock), clock)

    limits = settings(max_examples=100, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine, settings=limits)  # type: ignore[arg-type]  # takes any factory
