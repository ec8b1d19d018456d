"""A flow runs to its door in either colour: replies go in, faults are raised where it waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.advance import aadvance, advance
from nexus_sdk.effects import Finish, Record, Relay, Wait
from nexus_sdk.model import Answer
from nexus_sdk.pipe import RawPipe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nexus_sdk.effects import Flow

ANSWER = Answer(200, {})
DOORS = [Finish(ANSWER), Relay(ANSWER, RawPipe())]


def advanced(
    colour: str, flow: Flow[None], perform: Callable[[Any], Any], *given: Any, **more: Any
) -> Any:
    """`advance` in both colours; the asynchronous one is given awaitables half of the time."""
    if colour == "sync":
        return advance(flow, perform, *given, **more)

    async def later(effect: Any) -> Any:
        await asyncio.sleep(0)
        return perform(effect)

    performing = later if colour == "awaited" else perform
    return asyncio.run(aadvance(flow, performing, *given, **more))


COLOURS = pytest.mark.parametrize("colour", ["sync", "async", "awaited"])


@COLOURS
@pytest.mark.parametrize("door", DOORS, ids=lambda door: type(door).__name__)
def test_a_flow_runs_until_it_wants_its_door(colour: str, door: Any) -> None:
    seen: list[Any] = []

    def flow() -> Generator[Any, Any, None]:
        seen.append((yield Wait(1)))
        seen.append((yield Record({})))
        seen.append((yield door))

    running: Flow[None] = flow()
    assert advanced(colour, running, lambda effect: type(effect).__name__) is door
    assert seen == ["Wait", "Record"]
    assert advanced(colour, running, lambda _: None, "outcome") is None
    assert seen == ["Wait", "Record", "outcome"]


@COLOURS
def test_a_fault_is_raised_where_the_flow_waits(colour: str) -> None:
    def perform(effect: Any) -> Any:
        raise ConnectionError(effect.seconds)

    def flow() -> Generator[Any, Any, None]:
        for seconds in (1, 2):
            with pytest.raises(ConnectionError, match=str(seconds)):
                yield Wait(seconds)
        yield DOORS[0]

    assert advanced(colour, flow(), perform) is DOORS[0]


@COLOURS
def test_a_fault_that_the_flow_does_not_know_goes_through(colour: str) -> None:
    def perform(effect: Any) -> Any:
        raise ZeroDivisionError

    def flow() -> Generator[Any, Any, None]:
        yield Wait(1)

    with pytest.raises(ZeroDivisionError):
        advanced(colour, flow(), perform)


@COLOURS
def test_an_error_can_be_told_to_a_waiting_flow(colour: str) -> None:
    caught: list[BaseException] = []

    def flow() -> Generator[Any, Any, None]:
        try:
            yield DOORS[0]
        except ValueError as err:
            caught.append(err)
        yield DOORS[1]

    running: Flow[None] = flow()
    assert advanced(colour, running, lambda _: None) is DOORS[0]
    told = ValueError("told")
    assert advanced(colour, running, lambda _: None, error=told) is DOORS[1]
    assert caught == [told]


@COLOURS
def test_an_interrupt_leaves_the_flow_where_it_waits(colour: str) -> None:
    def perform(effect: Any) -> Any:
        raise KeyboardInterrupt

    def flow() -> Generator[Any, Any, None]:
        try:
            yield Wait(1)
        except ValueError:
            yield DOORS[0]

    running: Flow[None] = flow()
    with pytest.raises(KeyboardInterrupt):
        advanced(colour, running, perform)
    assert advanced(colour, running, lambda _: None, error=ValueError()) is DOORS[0]
