"""The same calls through the stock client and through ours: results, exceptions, and what the
upstream was told."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from tests.parity.calls import STREAMED, WHOLE
from tests.parity.portrait import differences
from tests.parity.sides import Call, play

if TYPE_CHECKING:
    from tests.parity.portrait import Portrait

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


DEFAULT: dict[str, object] = {}
SAFE = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "I am ann@example.com, card 4111 1111 1111 1111"}],
}


@pytest.mark.parametrize("colour", COLOURS)
def test_under_the_default_policy_an_answer_is_the_same(colour: str) -> None:
    """What was redacted on its way out is back in the answer."""
    call = Call("chat.completions.create", SAFE)
    stock, ours = play("stock", colour, call), play("ours", colour, call, policy=DEFAULT)
    answers = [seen.outcome[1]["fields"] for seen in (stock, ours)]
    said, got = (text(fields["choices"]) for fields in answers)
    assert got == said
    assert "ann@example.com" in got
    assert "ann@example.com" not in str(ours.requests)


@pytest.mark.parametrize("colour", COLOURS)
def test_under_the_default_policy_a_stream_says_the_same(colour: str) -> None:
    """Its pieces may be others: what could still become a match waits for the next piece."""
    call = Call("chat.completions.create", {**SAFE, "stream": True})
    stock, ours = play("stock", colour, call), play("ours", colour, call, policy=DEFAULT)
    said, got = ("".join(map(piece, seen.outcome[1:-1])) for seen in (stock, ours))
    assert got == said
    assert "ann@example.com" in got
    assert "ann@example.com" not in str(ours.requests)


def text(choices: Portrait) -> str:
    return str(choices[1]["fields"]["message"]["fields"]["content"])


def piece(chunk: Portrait) -> str:
    choices = chunk["fields"]["choices"][1:]
    said = choices[0]["fields"]["delta"]["fields"]["content"] if choices else ("NoneType", "None")
    return ast.literal_eval(said[1]) or ""
