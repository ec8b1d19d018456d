"""What a translation could not carry over as it was. Nothing is lost in silence: it is told here,
or it is an error."""

from __future__ import annotations

from typing import NamedTuple

from nexus_sdk.errors import Unsupported


class Loss(NamedTuple):
    """A part of the request that the target does not get. `param` is its address in the canonical
    form."""

    param: str
    reason: str


class Report:
    """Collects what the encoding of one request for one target changed and left out.

    `accepts` names the extensions of the OpenAI shape that this target takes although OpenAI does
    not (`cache_control`, `reasoning_content`, `top_k` ...). `max_output_tokens` is the target
    model's ceiling, when known.
    """

    __slots__ = ("_coerced", "_dropped", "_omitted", "accepts", "max_output_tokens")

    def __init__(
        self, *, accepts: frozenset[str] = frozenset(), max_output_tokens: int | None = None
    ) -> None:
        self.accepts = accepts
        self.max_output_tokens = max_output_tokens
        self._coerced: list[str] = []
        self._dropped: list[Loss] = []
        self._omitted: list[Loss] = []

    def coerced(self, what: str) -> None:
        """The target gets it in another form: `max_tokens->max_completion_tokens`."""
        self._coerced.append(what)

    def dropped(self, param: str, reason: str) -> None:
        """The answer will not do what the caller asked for. By policy this is an error."""
        self._dropped.append(Loss(param, reason))

    def omitted(self, param: str, reason: str) -> None:
        """A hint, a label or another vendor's private state: without it the answer may cost more or
        be less good, but means the same. Listed, never an error."""
        self._omitted.append(Loss(param, reason))

    @property
    def changes(self) -> tuple[str, ...]:
        return tuple(self._coerced)

    @property
    def drops(self) -> tuple[Loss, ...]:
        return tuple(self._dropped)

    @property
    def omissions(self) -> tuple[Loss, ...]:
        return tuple(self._omitted)

    def refuse_drops(self) -> None:
        """Raises Unsupported, naming the first thing that the target cannot express."""
        if self._dropped:
            param, reason = self._dropped[0]
            raise Unsupported(f"{param}: {reason}", param=param)
