"""A lazily built automaton over the expressions of many rules: where could a match still be under
way?

The scanner finds matches in a text that is there. A stream needs to know more: the earliest place
from which some rule may still match once more text has come. Each place is followed by one
deterministic state for all rules together, and states are made only as text asks for them, so that
a character costs a few table look-ups.

What the automaton calls accepted is a superset of the true matches: it does not look at the right
boundary, the validators or the context. Nothing outside of what it reports can match.
"""

from __future__ import annotations

import importlib
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

type Boundary = Literal["word", "digit", "none"]
type Ranges = tuple[tuple[int, int], ...]

MAX_STATES = 50_000
"""States kept before the cache is dropped and grown again."""

_TOP = 0x10FFFF
_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 13), (32, 32))
_OTHER, _LETTER, _NUMBER = 0, 1, 2

# The standard library's own parser, so that an expression means here what it means to `re`.
_parser: Any = importlib.import_module("re._parser")
_codes: Any = importlib.import_module("re._constants")


class UnsupportedExpression(ValueError):
    """The expression uses a construct that a rule may not use. The message names it."""


class State:
    """One deterministic state. `next[class]` is the state after a character of that class, None
    when no rule can go on, and `_UNKNOWN` until asked for. `accepts`: rules of which a match ends
    here. `waits`: it may still be needed although nothing follows, because a right boundary is not
    yet seen."""

    __slots__ = ("accepts", "alive", "members", "next")

    def __init__(
        self, members: frozenset[int], accepts: frozenset[int], *, alive: bool, classes: int
    ) -> None:
        self.members = members
        self.accepts = accepts
        self.alive = alive
        self.next: list[State | None] = [_UNKNOWN] * classes


_UNKNOWN: Any = object()


class Automaton:
    """All expressions of one rule set, by their index."""

    def __init__(self, expressions: Sequence[tuple[str, Boundary, bool]]) -> None:
        """`expressions`: (expression, boundary, ignore case). Raises UnsupportedExpression."""
        builder = _Builder()
        starts = [builder.rule(index, *entry) for index, entry in enumerate(expressions)]
        self._edges = builder.edges
        self._accepts = builder.accepts
        self._strict_end = frozenset(
            i for i, (_, bound, _) in enumerate(expressions) if bound != "none"
        )
        self._closure = builder.closure
        self._alphabet = _Alphabet(builder.sets)
        self.ascii = self._alphabet.ascii
        self.kinds = bytes(_kind(code) for code in range(128))
        self._states: dict[frozenset[int], State] = {}
        self._seeds = [
            frozenset[int]().union(
                *(
                    self._closure(start)
                    for start, (_, bound, _) in zip(starts, expressions, strict=True)
                    if _may_follow(bound, kind)
                )
            )
            for kind in (_OTHER, _LETTER, _NUMBER)
        ]
        self.starts = [self._state(seed) for seed in self._seeds]

    def class_of(self, code: int) -> int:
        """The class of a character beyond ASCII; ASCII has the table `ascii`."""
        return self._alphabet.class_of(code)

    def step(self, state: State, symbol: int) -> State | None:
        """What `state.next[symbol]` is to be; remembered there."""
        targets: set[int] = set()
        members = self._alphabet.members
        for nfa in state.members:
            for charset, target in self._edges[nfa]:
                if members[charset] >> symbol & 1:
                    targets |= self._closure(target)
        found = self._state(frozenset(targets)) if targets else None
        state.next[symbol] = found
        return found

    def _state(self, members: frozenset[int]) -> State:
        known = self._states.get(members)
        if known is None:
            if len(self._states) >= MAX_STATES:
                self._forget()
            accepts = frozenset(self._accepts[nfa] for nfa in members if nfa in self._accepts)
            goes_on = any(self._edges[nfa] for nfa in members)
            alive = goes_on or bool(accepts & self._strict_end)
            known = State(members, accepts, alive=alive, classes=self._alphabet.size)
            self._states[members] = known
        return known

    def _forget(self) -> None:
        """Drop the cache. States in use go on working and find their successors anew."""
        for state in list(self._states.values()):  # another thread may add one meanwhile
            state.next = [_UNKNOWN] * self._alphabet.size
        self._states.clear()


class Watch:
    """Follows one text. Positions count code points from its beginning.

    `accepted`: by start, the furthest end of a possible match and the rules it may belong to.
    """

    __slots__ = ("_automaton", "_kind", "_live", "accepted", "position")

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self._live: dict[State, int] = {}
        self._kind = _OTHER
        self.position = 0
        self.accepted: dict[int, tuple[int, frozenset[int]]] = {}

    @property
    def earliest(self) -> int:
        """The first position from which a match may still be under way; the end of the text when
        there is none."""
        return min(self._live.values(), default=self.position)

    def feed(self, text: str) -> None:  # noqa: C901  one loop: it runs for every character
        """Go on through `text`."""
        automaton = self._automaton
        ascii_classes, kinds, starts = automaton.ascii, automaton.kinds, automaton.starts
        live, kind, position = self._live, self._kind, self.position
        for char in text:
            code = ord(char)
            symbol = ascii_classes[code] if code < 128 else automaton.class_of(code)
            following: dict[State, int] = {}
            for state, begin in live.items():
                after = state.next[symbol]
                if after is _UNKNOWN:
                    after = automaton.step(state, symbol)
                if after is not None:
                    if after.accepts:
                        self._accept(begin, position + 1, after.accepts)
                    if after.alive:
                        following.setdefault(after, begin)
            state = starts[kind]
            after = state.next[symbol]
            if after is _UNKNOWN:
                after = automaton.step(state, symbol)
            if after is not None:
                if after.accepts:
                    self._accept(position, position + 1, after.accepts)
                if after.alive:
                    following.setdefault(after, position)
            live = following
            kind = kinds[code] if code < 128 else _OTHER
            position += 1
        self._live, self._kind, self.position = live, kind, position

    def forget(self, position: int) -> None:
        """Drop what was accepted before `position`: that text has been dealt with."""
        if self.accepted:
            self.accepted = {at: found for at, found in self.accepted.items() if at >= position}

    def _accept(self, begin: int, end: int, rules: frozenset[int]) -> None:
        known = self.accepted.get(begin)
        self.accepted[begin] = (end, rules if known is None else known[1] | rules)


class _Builder:
    """Thompson's construction, backwards: each part is built knowing the state that follows it."""

    def __init__(self) -> None:
        self.edges: list[list[tuple[int, int]]] = []
        self.empties: list[list[int]] = []
        self.accepts: dict[int, int] = {}
        self.sets: dict[Ranges, int] = {}
        self._closures: dict[int, frozenset[int]] = {}
        self._charsets: dict[tuple[int, bool], tuple[object, int]] = {}

    def rule(self, index: int, expression: str, boundary: Boundary, ignore_case: bool) -> int:  # noqa: FBT001
        del boundary
        end = self._new()
        self.accepts[end] = index
        try:
            parsed = _parser.parse(expression, _codes.SRE_FLAG_ASCII | _codes.SRE_FLAG_DOTALL)
        except (re.error, OverflowError, RecursionError) as err:
            raise UnsupportedExpression(f"not a regular expression: {err}") from None
        return self._sequence(parsed, end, ignore_case=ignore_case)

    def closure(self, state: int) -> frozenset[int]:
        """The states with edges or acceptance that `state` reaches for free. Most are never asked
        for, so each is worked out when it is."""
        known = self._closures.get(state)
        if known is None:
            known = self._closures[state] = self._reached(state)
        return known

    def _reached(self, state: int) -> frozenset[int]:
        seen, todo = {state}, [state]
        while todo:
            for target in self.empties[todo.pop()]:
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return frozenset(s for s in seen if self.edges[s] or s in self.accepts)

    def _new(self) -> int:
        self.edges.append([])
        self.empties.append([])
        return len(self.edges) - 1

    def _sequence(self, items: Any, after: int, *, ignore_case: bool) -> int:
        for op, value in reversed(list(items)):
            after = self._item(op, value, after, ignore_case=ignore_case)
        return after

    def _item(self, op: Any, value: Any, after: int, *, ignore_case: bool) -> int:
        if op is _codes.MAX_REPEAT:
            low, high, body = value
            return self._repeat(low, high, body, after, ignore_case=ignore_case)
        if op is _codes.BRANCH:
            state = self._new()
            self.empties[state] = [
                self._sequence(way, after, ignore_case=ignore_case) for way in value[1]
            ]
            return state
        if op is _codes.SUBPATTERN:
            if value[1] or value[2]:
                raise UnsupportedExpression("flags inside an expression")
            return self._sequence(value[3], after, ignore_case=ignore_case)
        state = self._new()
        self.edges[state] = [(self._charset(op, value, ignore_case=ignore_case), after)]
        return state

    def _charset(self, op: Any, value: Any, *, ignore_case: bool) -> int:
        """The number of a set of characters. A repetition asks for the very same one many times."""
        if type(value) is not list:
            ranges = _ranges(op, value, ignore_case=ignore_case)
            return self.sets.setdefault(ranges, len(self.sets))
        key = (id(value), ignore_case)
        if key not in self._charsets:
            ranges = _ranges(op, value, ignore_case=ignore_case)
            # The list is kept, so that its id stays its own.
            self._charsets[key] = (value, self.sets.setdefault(ranges, len(self.sets)))
        return self._charsets[key][1]

    def _repeat(self, low: int, high: int, body: Any, after: int, *, ignore_case: bool) -> int:
        tail = after
        if high is _codes.MAXREPEAT:
            tail = self._new()
            self.empties[tail] = [self._sequence(body, tail, ignore_case=ignore_case), after]
        else:
            for _ in range(high - low):
                optional = self._new()
                self.empties[optional] = [
                    self._sequence(body, tail, ignore_case=ignore_case),
                    after,
                ]
                tail = optional
        for _ in range(low):
            tail = self._sequence(body, tail, ignore_case=ignore_case)
        return tail


class _Alphabet:
    """Characters that no set of the rules tells apart share a class."""

    def __init__(self, sets: dict[Ranges, int]) -> None:
        cuts = sorted(
            {0, 128} | {edge for ranges in sets for low, high in ranges for edge in (low, high + 1)}
        )
        cuts = [cut for cut in cuts if cut <= _TOP]
        by_set = sorted(sets.items(), key=lambda item: item[1])
        classes: dict[tuple[bool, ...], int] = {}
        of_cut = [
            classes.setdefault(tuple(_holds(ranges, cut) for ranges, _ in by_set), len(classes))
            for cut in cuts
        ]
        self._cuts = cuts
        self._of_cut = of_cut
        self.size = len(classes)
        self.members = [
            sum(1 << symbol for signature, symbol in classes.items() if signature[index])
            for index in range(len(by_set))
        ]
        self.ascii = [self.class_of(code) for code in range(128)]

    def class_of(self, code: int) -> int:
        return self._of_cut[bisect_right(self._cuts, code) - 1]


def _holds(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)


def _kind(code: int) -> int:
    if _holds(_DIGIT, code):
        return _NUMBER
    return _LETTER if _holds(_WORD, code) else _OTHER


def _may_follow(boundary: Boundary, kind: int) -> bool:
    """May a match begin after a character of this kind?"""
    return kind == _OTHER or boundary == "none" or (boundary == "digit" and kind == _LETTER)


def _ranges(op: Any, value: Any, *, ignore_case: bool) -> Ranges:
    if op is _codes.ANY:
        return ((0, _TOP),)
    if op is _codes.NOT_LITERAL:
        return _inverted(_folded([(value, value)], ignore_case=ignore_case))
    if op is _codes.LITERAL:
        return _merged(_folded([(value, value)], ignore_case=ignore_case))
    if op is _codes.IN:
        return _class_ranges(value, ignore_case=ignore_case)
    raise UnsupportedExpression(f"{str(op).lower()} is not allowed in a rule")


_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGIT,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_SPACE": _SPACE,
}


def _class_ranges(items: Any, *, ignore_case: bool) -> Ranges:
    negated = False
    found: list[tuple[int, int]] = []
    for op, value in items:
        if op is _codes.NEGATE:
            negated = True
        elif op is _codes.LITERAL:
            found.append((value, value))
        elif op is _codes.RANGE:
            found.append(value)
        else:
            name = str(value)
            plain = _CATEGORIES[name.replace("_NOT_", "_")]
            found += _inverted(list(plain)) if "_NOT_" in name else plain
    found = _folded(found, ignore_case=ignore_case)
    return _inverted(found) if negated else _merged(found)


def _folded(ranges: Iterable[tuple[int, int]], *, ignore_case: bool) -> list[tuple[int, int]]:
    """With the other case of every ASCII letter, as `re.ASCII | re.IGNORECASE` has it."""
    found = list(ranges)
    if ignore_case:
        for low, high in list(found):
            for first, last, shift in ((65, 90, 32), (97, 122, -32)):
                start, stop = max(low, first), min(high, last)
                if start <= stop:
                    found.append((start + shift, stop + shift))
    return found


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def _inverted(ranges: Iterable[tuple[int, int]]) -> Ranges:
    out: list[tuple[int, int]] = []
    start = 0
    for low, high in _merged(ranges):
        if low > start:
            out.append((start, low - 1))
        start = high + 1
    if start <= _TOP:
        out.append((start, _TOP))
    return tuple(out)
