"""A stream's text, enforced as it comes: what no rule can still reach is released, and nothing else
is held.

A text may be cut where no possible match begins before and ends after the cut. So the parts that
are released one by one are judged exactly as the whole would be, however the stream was cut into
fragments.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from nexus_sdk.compliance.automaton import Automaton, Watch
from nexus_sdk.compliance.context import CONTEXT_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.compliance.automaton import Boundary
    from nexus_sdk.compliance.scanner import Scanner
    from nexus_sdk.compliance.verdict import Edit, Found

    type Decide = Callable[[str, list[Found]], list[Edit]]


class StreamRules:
    """The rules that can change or stop a stream, ready to watch it. Shared by all streams of a
    policy."""

    __slots__ = ("ahead", "automaton", "scanner")

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.ahead = [expression.ahead for expression in scanner.expressions]
        self.automaton = _automaton(
            tuple((e.source, e.boundary, e.ignore_case) for e in scanner.expressions)
        )


@lru_cache(maxsize=16)
def _automaton(expressions: tuple[tuple[str, Boundary, bool], ...]) -> Automaton:
    """One for all policies of the process that watch for the same: the built-in rules take a good
    part of a second of CPU time, and a policy is often reloaded without a change of its rules."""
    return Automaton(expressions)


class TextGuard:
    """One channel's text. `decide(text, hits)` gives the edits for the hits in a text; it may raise
    to stop the stream, and then nothing more of the channel is released."""

    __slots__ = ("_context", "_decide", "_pending", "_released", "_rules", "_watch")

    def __init__(self, rules: StreamRules, decide: Decide) -> None:
        self._rules = rules
        self._decide = decide
        self._watch = Watch(rules.automaton)
        self._pending = ""
        self._context = ""
        self._released = 0

    @property
    def held(self) -> int:
        """Characters that wait."""
        return len(self._pending)

    def feed(self, text: str) -> list[tuple[int, str | None]]:
        """What may go out now, in order: (characters of the input, None when they go unchanged,
        else what goes in their place)."""
        self._watch.feed(text)
        self._pending += text
        return self._release(self._cut())

    def close(self) -> list[tuple[int, str | None]]:
        """The end of the text: all that waits."""
        return self._release(self._watch.position)

    def _cut(self) -> int:
        """The furthest place that no possible match spans, with what must be seen behind it."""
        cut = self._watch.earliest
        accepted = self._watch.accepted
        moved = bool(accepted)
        ahead = self._rules.ahead
        while moved:
            moved = False
            for start, (end, rules) in accepted.items():
                if start < cut < end + max(map(ahead.__getitem__, rules)):
                    cut, moved = start, True
        return cut

    def _release(self, cut: int) -> list[tuple[int, str | None]]:
        size = cut - self._released
        if size <= 0:
            return []
        edits = self._edits(cut) if self._watch.accepted else []
        segment, self._pending = self._pending[:size], self._pending[size:]
        self._context = (self._context + segment)[-CONTEXT_CHARS:]
        self._released = cut
        self._watch.forget(cut)
        out: list[tuple[int, str | None]] = []
        done = 0
        for start, end, replacement in edits:
            if start > done:
                out.append((start - done, None))
            out.append((end - start, replacement))
            done = end
        if done < size:
            out.append((size - done, None))
        return out

    def _edits(self, cut: int) -> list[Edit]:
        fired: set[int] = set()
        for start, (_, rules) in self._watch.accepted.items():
            if start < cut:
                fired |= rules
        if not fired:
            return []
        shift = len(self._context)
        text = self._context + self._pending
        stop = shift + cut - self._released
        hits = self._rules.scanner.confirm(text, sorted(fired), shift, stop)
        if not hits:
            return []
        edits = self._decide(text, hits)
        return [edit._replace(start=edit.start - shift, end=edit.end - shift) for edit in edits]
