"""The same calls through the stock client and through ours: results, exceptions, and what the
upstream was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.parity.calls import STREAMED, WHOLE
from tests.parity.portrait import differences
from tests.parity.sides import play

if TYPE_CHECKING:
    from tests.parity.sides import Call

COLOURS = ("sync", "async")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("call", WHOLE, ids=lambda call: call.name)
def test_a_whole_answer_is_the_same(call: Call, colour: str) -> None:
    stock, ours = play("stock", colour, call), play("ours", colour, call)
    assert not differences(ours.outcome, stock.outcome)
    assert not differences(ours.requests, stock.requests)
    assert len(ours.events) == 1


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)
def test_a_stream_is_the_same(call: Call, colour: str) -> None:
    stock, ours = play("stock", colour, call), play("ours", colour, call)
    assert not differences(ours.outcome, stock.outcome)
    assert len(ours.events) == 1
