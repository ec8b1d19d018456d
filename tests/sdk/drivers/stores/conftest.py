"""The stores under test, each behind the same fixture, and the clock they tell the time by.

`STORES` is the list to extend: every test of this folder runs for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from nexus_sdk.drivers.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nexus_sdk.drivers.flights import Waiting
    from nexus_sdk.drivers.memory import Used
    from nexus_sdk.model import Cached, Claim, Refused

LEASE_S = 30.0


class Store(Protocol):
    """The contract."""

    def lookup(self, key: str, *, fold: bool = False) -> Cached | Waiting | None: ...
    def store(self, key: str, answer: Cached | None, ttl_s: float) -> None: ...
    def abandon(self, key: str) -> None: ...
    def reserve(self, claims: Sequence[Claim]) -> str | Refused: ...
    def settle(self, reservation: str, amounts: Sequence[int]) -> None: ...
    def usage(self) -> list[Used]: ...


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


type Make = Callable[[Clock], Store]


def memory(clock: Clock) -> Store:
    return MemoryStore(lease_s=LEASE_S, clock=clock)


STORES: list[Make] = [memory]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def make_store(request: pytest.FixtureRequest) -> Make:
    make: Make = request.param
    return make


@pytest.fixture
def store(make_store: Make, clock: Clock) -> Store:
    return make_store(clock)
