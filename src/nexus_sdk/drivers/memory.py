"""Cache and counters of one process. The embedded default, and the model that other stores are
tested against.

Thread-safe, and safe to call from any event loop: nothing here waits but `Waiting`, and no lock is
held while anything foreign runs. Performs `Lookup`, `Store`, `Reserve` and `Settle`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heappop, heappush
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from nexus_sdk.drivers.flights import Flight, Waiting
from nexus_sdk.model import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nexus_sdk.model import Cached, Claim

MAX_CACHE_BYTES = 256 * 1024 * 1024
ENTRY_OVERHEAD_BYTES = 1024
"""Counted for every entry besides body, headers and key, so that many small ones cannot outgrow the
bound."""
LEASE_S = 900.0
"""A reservation that nobody settled is given back after this time."""
FLIGHT_S = 900.0
"""A leader that has not landed by then is taken for dead, and the next asker leads."""
_MAX_LATE = 4096
"""Reservations whose lease ran out are remembered up to this number: a settlement that comes late
still counts."""


@dataclass(frozen=True, slots=True)
class Used:
    """One account as it stands: `used` holds what is settled and what is reserved, `reserved` the
    latter alone."""

    account: str
    limit: str
    unit: str
    used: int
    reserved: int
    maximum: int
    resets_in_s: float


class MemoryStore:
    """`clock` gives seconds that never go back; only its differences are used."""

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = MAX_CACHE_BYTES,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._answers = _Answers(max_entries, max_bytes, clock)
        self._counters = _Counters(lease_s, clock)
        self.bound = self._answers.bound
        self.lookup = self._answers.lookup
        self.store = self._answers.store
        self.abandon = self._answers.abandon
        self.reserve = self._counters.reserve
        self.settle = self._counters.settle
        self.usage = self._counters.usage


# ---- cache ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Entry:
    answer: Cached
    size: int
    expires: float


class _Answers:
    """Least recently used out first, bounded by entries and by bytes."""

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._flights: dict[str, Flight] = {}

    def lookup(self, key: str, *, fold: bool = False) -> Cached | Waiting | None:
        """The answer; with `fold` also Waiting while an equal request is in flight. None with
        `fold` makes the asker the leader: it owes a `store` or an `abandon`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                if entry.expires > self._clock():
                    self._entries.move_to_end(key)
                    return entry.answer
                self._drop(key)
            if not fold:
                return None
            now = self._clock()
            flight = self._flights.get(key)
            if flight is not None and flight.deadline > now:
                return flight.follow()
            self._flights[key] = Flight(now + FLIGHT_S)
        if flight is not None:
            flight.land(look_again=True)
        return None

    def store(self, key: str, answer: Cached | None, ttl_s: float) -> None:
        """None keeps nothing, and lets those who wait go their own way."""
        with self._lock:
            if answer is not None and ttl_s > 0:
                self._put(key, answer, ttl_s)
            flight = self._flights.pop(key, None)
        if flight is not None:
            flight.land(look_again=answer is not None)

    def abandon(self, key: str) -> None:
        """The leader ends without an answer of either kind: one of those who wait leads on. For
        leaders only."""
        with self._lock:
            flight = self._flights.pop(key, None)
        if flight is not None:
            flight.land(look_again=True)

    def bound(self, max_entries: int) -> None:
        """A policy with another `cache.max_entries` has come into force."""
        with self._lock:
            self._max_entries = max_entries
            self._evict()

    def _put(self, key: str, answer: Cached, ttl_s: float) -> None:
        self._drop(key)
        size = _size(key, answer)
        if size > self._max_bytes:
            return
        self._entries[key] = _Entry(answer, size, self._clock() + ttl_s)
        self._bytes += size
        self._evict()

    def _evict(self) -> None:
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size


def _size(key: str, answer: Cached) -> int:
    headers = answer.headers
    names, values = sum(map(len, headers)), sum(map(len, headers.values()))
    return len(answer.body) + names + values + len(key) + ENTRY_OVERHEAD_BYTES


# ---- counters ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Account:
    used: int
    ends: float
    claim: Claim


@dataclass(slots=True)
class _Reservation:
    claims: Sequence[Claim]
    deadline: float


class _Counters:
    """Accounts live until their window ends. One lock: a reservation is a handful of additions."""

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._lock = Lock()
        self._accounts: dict[str, _Account] = {}
        self._ending: list[tuple[float, str]] = []
        self._open: OrderedDict[str, _Reservation] = (
            OrderedDict()
        )  # in the order of their deadlines
        self._late: OrderedDict[str, Sequence[Claim]] = OrderedDict()
        self._count = 0

    def reserve(self, claims: Sequence[Claim], *, for_good: bool = False) -> str | Refused:
        """The id of the reservation, or the first claim that does not fit; then nothing is
        counted. What is taken `for_good` needs no settlement and has no id."""
        with self._lock:
            now = self._clock()
            self._expire(now)
            for index, claim in enumerate(claims):
                account = self._accounts.get(claim.account)
                if account is None:
                    account = self._open_account(claim, now)
                elif account.ends < now + claim.resets_in_s:
                    account.ends = now + claim.resets_in_s
                if account.used + claim.amount > claim.maximum:
                    self._give_back(claims[:index])
                    return Refused(claim, account.used)
                account.used += claim.amount
            if for_good:
                return ""
            self._count += 1
            reservation = str(self._count)
            self._open[reservation] = _Reservation(claims, now + self._lease_s)
            return reservation

    def settle(self, reservation: str, amounts: Sequence[int]) -> None:
        """Replaces the reserved amounts by the true ones, in the order of the claims. An id that is
        not known, or was settled before, changes nothing."""
        with self._lock:
            held = self._open.pop(reservation, None)
            late = self._late.pop(reservation, None) if held is None else None
            claims = held.claims if held is not None else late
            if claims is None:
                return
            for claim, amount in zip(claims, amounts, strict=True):
                self._add(claim, amount - claim.amount if held is not None else amount)

    def usage(self) -> list[Used]:
        """Every account of a window that has not ended, by name."""
        with self._lock:
            now = self._clock()
            self._expire(now)
            reserved: dict[str, int] = {}
            for held in self._open.values():
                for claim in held.claims:
                    reserved[claim.account] = reserved.get(claim.account, 0) + claim.amount
            return [
                Used(
                    name,
                    account.claim.limit,
                    account.claim.unit,
                    account.used,
                    reserved.get(name, 0),
                    account.claim.maximum,
                    account.ends - now,
                )
                for name, account in sorted(self._accounts.items())
            ]

    def _open_account(self, claim: Claim, now: float) -> _Account:
        account = _Account(0, now + claim.resets_in_s, claim)
        self._accounts[claim.account] = account
        heappush(self._ending, (account.ends, claim.account))
        return account

    def _expire(self, now: float) -> None:
        """Forgets windows that have ended, and gives back what leases that ran out still held.

        An account may end later than it seemed when it was opened: the calendar's clock can be set
        back.
        """
        while self._ending and self._ending[0][0] <= now:
            name = heappop(self._ending)[1]
            ends = self._accounts[name].ends
            if ends > now:
                heappush(self._ending, (ends, name))
            else:
                del self._accounts[name]
        while self._open:
            reservation, held = next(iter(self._open.items()))
            if held.deadline > now:
                return
            del self._open[reservation]
            self._give_back(held.claims)
            self._late[reservation] = held.claims
            if len(self._late) > _MAX_LATE:
                self._late.popitem(last=False)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._add(claim, -claim.amount)

    def _add(self, claim: Claim, amount: int) -> None:
        """An account whose window has ended is gone, and with it what was to be added."""
        account = self._accounts.get(claim.account)
        if account is not None:
            account.used = max(account.used + amount, 0)
