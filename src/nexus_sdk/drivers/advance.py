"""The whole of the difference between synchronous and asynchronous code: these two functions.

A flow runs until it wants something of its door: a stream begun (`Relay`) or the last of an answer
(`Finish`).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from nexus_sdk.effects import Finish, Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.effects import Effect, Flow

    type Perform = Callable[[Effect], object]


def advance(
    flow: Flow[None], perform: Perform, reply: object = None, *, error: Exception | None = None
) -> Relay | Finish | None:
    """Perform effects until `flow` wants its door; None when it has ended. It goes on with `reply`,
    or with `error` raised where it waits."""
    try:
        effect = flow.send(reply) if error is None else flow.throw(error)
        while type(effect) is not Finish and type(effect) is not Relay:
            try:
                answer = perform(effect)
            except Exception as exc:  # noqa: BLE001  the flow decides, or lets it through
                effect = flow.throw(exc)
            else:
                effect = flow.send(answer)
    except StopIteration:
        return None
    return effect


async def aadvance(
    flow: Flow[None], perform: Perform, reply: object = None, *, error: Exception | None = None
) -> Relay | Finish | None:
    """As `advance`; a reply that is awaitable is awaited."""
    try:
        effect = flow.send(reply) if error is None else flow.throw(error)
        while type(effect) is not Finish and type(effect) is not Relay:
            try:
                answer = perform(effect)
                if isinstance(answer, Awaitable):
                    answer = await answer
            except Exception as exc:  # noqa: BLE001  the flow decides, or lets it through
                effect = flow.throw(exc)
            else:
                effect = flow.send(answer)
    except StopIteration:
        return None
    return effect
