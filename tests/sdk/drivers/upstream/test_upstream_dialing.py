"""New connections over a network that is a table: which address is taken, and in which time."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream import dialing, surroundings
from nexus_sdk.drivers.upstream.blocking import finish
from nexus_sdk.drivers.upstream.dialing import dial
from nexus_sdk.drivers.upstream.failures import Late, Refused, Trouble, Unreachable
from nexus_sdk.drivers.upstream.lanes import Desk, Lane
from nexus_sdk.drivers.upstream.origin import parse_origin
from nexus_sdk.drivers.upstream.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

V4, V6 = "93.184.216.34", "2606:2800::1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(dialing, "time", clock)
    monkeypatch.setattr(surroundings, "time", clock)
    return clock


class FakeNet:
    """Answers lookups in turn; connects as `outcomes` says by address: None works, a number takes
    that long."""

    def __init__(
        self, clock: Clock, answers: list[Any], outcomes: dict[str, Any] | None = None
    ) -> None:
        self.clock = clock
        self.answers = answers
        self.outcomes = outcomes or {}
        self.lookups = 0
        self.tried: list[tuple[str, int, float | None]] = []

    async def lookup(self, name: str, port: int, within_s: float | None) -> Sequence[str]:
        answer = self.answers[min(self.lookups, len(self.answers) - 1)]
        self.lookups += 1
        if isinstance(answer, Exception):
            raise answer
        found: Sequence[str] = answer
        return found

    async def connect(self, address: str, port: int, within_s: float | None) -> Any:
        self.tried.append((address, port, within_s))
        outcome = self.outcomes.get(address)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            assert within_s is not None
            self.clock.now += min(outcome, within_s)
            if outcome > within_s:
                raise TimeoutError
        return f"wire to {address}"


def dialled(
    net: FakeNet, url: str = "http://api.example", *, desk: Desk | None = None, **permissions: Any
) -> Any:
    connect_s = permissions.pop("connect_s", 10.0)
    lane = Lane(parse_origin(url), None, private_network=permissions.get("private_network", False))
    return finish(dial(desk or new_desk(net), lane, connect_s))


def new_desk(net: FakeNet) -> Desk:
    return Desk(net, Surroundings({}, "", lambda name, port: ()))


def test_the_connection_goes_to_the_address_that_was_judged(clock: Clock) -> None:
    net = FakeNet(clock, [[V4], ["127.0.0.1"]])
    assert dialled(net, "http://api.example:81") == f"wire to {V4}"
    assert (net.lookups, net.tried) == (1, [(V4, 81, 10.0)])


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], [V4, "10.0.0.1"], ["::ffff:127.0.0.1", V4], [V6, "fe80::1%eth0"]]
)
def test_one_bad_address_refuses_the_name(clock: Clock, found: list[str]) -> None:
    net = FakeNet(clock, [found])
    with pytest.raises(Refused, match=r"api\.example:80 may not be called, because its address is"):
        dialled(net)
    assert net.tried == []


def test_a_name_that_changes_its_mind_is_judged_again_each_time_it_is_asked(clock: Clock) -> None:
    net = FakeNet(clock, [[V4], ["127.0.0.1"], [V4]])
    desk = new_desk(net)
    assert dialled(net, desk=desk) == f"wire to {V4}"
    clock.now += surroundings.NAMES_TTL_S + 1
    with pytest.raises(Refused):
        dialled(net, desk=desk)


def test_private_networks_need_leave_and_metadata_has_none(clock: Clock) -> None:
    net = FakeNet(clock, [["10.1.2.3"]])
    with pytest.raises(
        Refused, match="private; a provider on a private network needs `private_network`"
    ):
        dialled(net)
    assert dialled(net, private_network=True) == "wire to 10.1.2.3"
    for address in ("169.254.169.254", "[fd00:ec2::254]", "2852039166"):
        with pytest.raises(Refused):
            dialled(net, f"http://{address}", private_network=True)


def test_a_literal_needs_no_lookup(clock: Clock) -> None:
    net = FakeNet(clock, [])
    assert dialled(net, "http://127.1:8080", private_network=True) == "wire to 127.0.0.1"
    assert dialled(net, "http://[::1]:8080", private_network=True) == "wire to ::1"
    assert net.lookups == 0


def test_an_answer_is_remembered_for_a_while(clock: Clock) -> None:
    net = FakeNet(clock, [[V4], [V6]])
    desk = new_desk(net)
    assert dialled(net, desk=desk) == dialled(net, desk=desk) == f"wire to {V4}"
    clock.now += surroundings.NAMES_TTL_S + 1
    assert dialled(net, desk=desk) == f"wire to {V6}"
    assert net.lookups == 2


@pytest.mark.parametrize("error", [socket.gaierror(-3, "Temporary failure"), TimeoutError()])
def test_the_last_answer_holds_while_the_resolver_is_out(clock: Clock, error: OSError) -> None:
    net = FakeNet(clock, [[V4], error])
    desk = new_desk(net)
    dialled(net, desk=desk)
    clock.now += 100 * surroundings.NAMES_TTL_S
    assert dialled(net, desk=desk) == f"wire to {V4}"
    assert net.lookups == 2


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [(socket.gaierror(-2, "No"), Unreachable), (TimeoutError(), Late), ((), Unreachable)],
)
def test_without_any_answer_there_is_no_connection(
    clock: Clock, answer: Any, trouble: type[Trouble]
) -> None:
    with pytest.raises(trouble, match=r"api\.example:80"):
        dialled(FakeNet(clock, [answer]))


def test_the_next_address_is_tried_when_one_refuses(clock: Clock) -> None:
    net = FakeNet(clock, [[V6, V4]], {V6: OSError(101, "Network is unreachable")})
    assert dialled(net) == f"wire to {V4}"


def test_a_silent_address_leaves_time_for_the_next(clock: Clock) -> None:
    net = FakeNet(clock, [[V6, V4]], {V6: 100.0})
    assert dialled(net, connect_s=10.0) == f"wire to {V4}"
    assert net.tried == [(V6, 80, 5.0), (V4, 80, 5.0)]


def test_all_together_take_no_longer_than_allowed(clock: Clock) -> None:
    net = FakeNet(clock, [[V6, V4]], {V6: 100.0, V4: 100.0})
    with pytest.raises(Late, match="took longer than the 10 s allowed"):
        dialled(net, connect_s=10.0)
    assert clock.now == 1010.0


def test_only_so_many_addresses_are_tried(clock: Clock) -> None:
    found = [f"93.184.216.{i}" for i in range(10)]
    net = FakeNet(clock, [found], dict.fromkeys(found, ConnectionRefusedError()))
    with pytest.raises(Unreachable, match="refused the connection"):
        dialled(net)
    assert len(net.tried) == dialing.MAX_ADDRESSES


def test_names_that_are_remembered_are_bounded(clock: Clock) -> None:
    known = Surroundings({}, "", lambda name, port: ())
    for i in range(surroundings.MAX_NAMES + 1):
        known.remember(f"h{i}", 80, [V4])
    assert len(known._names) <= surroundings.MAX_NAMES
    assert known.recall(f"h{surroundings.MAX_NAMES}", 80) == (V4,)
