"""A conversation with the pipeline as a list: what it asks of the world, and what it is answered.

No mock, no clock, no loop: the test is the specification of the order.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from nexus_sdk.model import Origin, Request
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.snapshot import compile_policy
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.effects import Effect, Flow
    from nexus_sdk.policy.snapshot import Snapshot

UPSTREAM = "https://up.example/v1"
ANY: Any = object()


class FixedClock:
    """The first second of 2026, UTC, over and over; chance always says 0.5."""

    def now(self) -> float:
        return 1767225600.0

    def ticks(self) -> float:
        return 1000.0

    def draw(self) -> float:
        return 0.5


def snapshot(policy: dict[str, Any] | None = None, **environ: str) -> Snapshot:
    loaded = load_policy(policy or {}, environ_lookup=environ.get)
    return compile_policy(loaded, node="test", pepper=b"p" * 32, placeholder_key=b"k" * 32)


def chat(text: str = "hello", **more: Any) -> Request:
    """A chat request of an application to its own upstream."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return Request(
        id="req-1",
        door="sdk",
        endpoint="chat",
        body=dumps(body),
        path="/chat/completions",
        origin=Origin(UPSTREAM),
    )


def play(flow: Flow[None], *steps: tuple[Any, Any]) -> None:
    """Each step: the effect that must come next (or a check of it), and the reply. An exception as
    reply is raised."""
    reply: Any = None
    raising: Exception | None = None
    for number, (expected, answer) in enumerate(steps):
        try:
            effect = flow.send(reply) if raising is None else flow.throw(raising)
        except StopIteration:
            raise AssertionError(
                f"step {number}: the flow has ended, expected {expected!r}"
            ) from None
        _compare(number, effect, expected)
        raising = answer if isinstance(answer, Exception) else None
        reply = None if raising else answer
    try:
        extra = flow.send(reply) if raising is None else flow.throw(raising)
    except StopIteration:
        return
    raise AssertionError(f"the flow goes on with {extra!r}")


def _compare(number: int, effect: Effect, expected: Any) -> None:
    if isinstance(expected, type):
        assert type(effect) is expected, f"step {number}: {effect!r} is no {expected.__name__}"
    elif callable(expected):
        check: Callable[[Effect], object] = expected
        assert check(effect) is not False, f"step {number}: {effect!r}"
    else:
        assert is_dataclass(effect)
        assert type(effect) is type(expected), f"step {number}: {effect!r}, expected {expected!r}"
        for field in fields(effect):
            wanted = getattr(expected, field.name)
            assert wanted is ANY or getattr(effect, field.name) == wanted, (
                f"step {number}: {field.name}"
            )
