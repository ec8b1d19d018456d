"""Whom and what a rule of the policy speaks of: names with `*`, conditions, and the axes of
stickiness and limits.

Shared by routing, limits and prices. Everything is compiled once per policy and only read
afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nexus_sdk.model import Caller
from nexus_sdk.values import value
from nexus_sdk.wire.framing import SSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nexus_sdk.model import Target
    from nexus_sdk.policy.document import Axis, When

type Health = Literal["available", "degraded"]

NOBODY = Caller()


@value
class Ask:
    """What rules may read of one request. Nothing of its content.

    `model` is the name the caller asked for. `dialect` is the wire format it speaks. `origin` is
    the name under which the pipeline sends to the caller's own upstream, another one for another
    base URL (it is part of cache keys), empty when it has none. `prompt_hash` is stable for the
    same conversation start. `draw` is random in [0, 1). `framing` is that of a streamed answer.
    `health` tells of a provider; None: all are available.
    """

    model: str
    endpoint: str = ""
    dialect: str = ""
    stream: bool = False
    tools: bool = False
    input_tokens: int = 0
    caller: Caller = NOBODY
    origin: str = ""
    prompt_hash: str = ""
    draw: float = 0.0
    framing: str = SSE
    health: Callable[[str], Health] | None = None


class Names:
    """A set of names, some with `*` for any run of characters. Letters count as they are written.

    Matching is linear in the name: a pattern of the policy against a name of the caller's choice
    must not be a way to burn time, so this is not a regular expression.
    """

    __slots__ = ("_exact", "_globs")

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self._exact = frozenset(p for p in patterns if "*" not in p)
        self._globs = tuple(p.split("*") for p in patterns if "*" in p)

    def __contains__(self, name: str) -> bool:
        return name in self._exact or any(_fits(pieces, name) for pieces in self._globs)


def _fits(pieces: list[str], name: str) -> bool:
    """Whether `name` is the pieces in order, with anything between them. The first and last are
    anchored."""
    first, *middle, last = pieces
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def specificity(pattern: str) -> tuple[bool, int]:
    """Orders patterns: an exact name above any with `*`, then by the number of fixed characters."""
    return "*" not in pattern, len(pattern) - pattern.count("*")


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled `When`. `parts` are (description, check); all must hold, and no part at all always
    holds."""

    parts: tuple[tuple[str, Callable[[Ask], bool]], ...] = ()

    def holds(self, ask: Ask) -> bool:
        return all(check(ask) for _, check in self.parts)

    def why_not(self, ask: Ask) -> str:
        """The first part that does not hold, in words; empty when all hold."""
        return next((text for text, check in self.parts if not check(ask)), "")


_NAMED: dict[str, Callable[[Ask], str]] = {
    "model": lambda ask: ask.model,
    "user": lambda ask: ask.caller.user,
    "key": lambda ask: ask.caller.key_id,
    "project": lambda ask: ask.caller.project,
    "organisation": lambda ask: ask.caller.organisation,
    "endpoint": lambda ask: ask.endpoint,
}


def compile_when(when: When | None) -> Condition:
    """None and an empty `When` hold for everything."""
    if when is None:
        return Condition()
    parts = [
        _named(field, names, read)
        for field, read in _NAMED.items()
        if (names := getattr(when, field)) is not None
    ]
    parts += [_tagged(tag, pattern) for tag, pattern in (when.tags or {}).items()]
    if (stream := when.stream) is not None:
        parts.append((f"stream is {stream}", lambda ask: ask.stream is stream))
    if (tools := when.tools) is not None:
        parts.append((f"tools is {tools}", lambda ask: ask.tools is tools))
    if (least := when.min_input_tokens) is not None:
        parts.append((f"at least {least} input tokens", lambda ask: ask.input_tokens >= least))
    if (most := when.max_input_tokens) is not None:
        parts.append((f"at most {most} input tokens", lambda ask: ask.input_tokens <= most))
    return Condition(tuple(parts))


def _named(
    field: str, patterns: list[str], read: Callable[[Ask], str]
) -> tuple[str, Callable[[Ask], bool]]:
    names = Names(patterns)
    return f"{field} is one of {', '.join(patterns) or 'nothing'}", lambda ask: read(ask) in names


def _tagged(tag: str, pattern: str) -> tuple[str, Callable[[Ask], bool]]:
    """A caller without the tag never fits, not even `*`."""
    names = Names([pattern])

    def check(ask: Ask) -> bool:
        value = ask.caller.tags.get(tag)
        return value is not None and value in names

    return f"tag {tag} is {pattern}", check


AXES: dict[Axis, Callable[[Caller, Target | None], str]] = {
    "key": lambda caller, _: caller.key_id,
    "user": lambda caller, _: caller.user,
    "project": lambda caller, _: caller.project,
    "organisation": lambda caller, _: caller.organisation,
    "provider": lambda _, target: target.provider if target else "",
    "model": lambda _, target: target.model if target else "",
}
"""The value of an axis, empty when it is not known. `provider` and `model` are the target's, not
the caller's words."""
