"""One pass over all texts of a document for all rules of a stage.

A matcher (Hyperscan, `drivers/matcher.py`) says which expressions match and where their matches
end; only what it names pays for the rest: finding the exact place with `re`, boundaries, validator,
entropy, context. Until a matcher is attached, a search for the rules' literals decides which
expressions are tried: slower, with the same result.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Protocol

from nexus_sdk.compliance import numbers
from nexus_sdk.compliance.context import in_context
from nexus_sdk.compliance.entropy import looks_like_placeholder, shannon
from nexus_sdk.compliance.validators import VALIDATORS
from nexus_sdk.compliance.verdict import Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nexus_sdk.compliance.automaton import Boundary
    from nexus_sdk.compliance.rules import Rule

SEPARATOR = "\x1e"
"""Stands between the texts of one pass. A match across it is never confirmed."""
NUMBER_LOOKAHEAD = 2
"""Characters behind a number that tell whether it is a piece of something longer
(`numbers.resolve`)."""
NUMBER_BOUNDARY: Boundary = "digit"

_BOUNDARIES: dict[Boundary, tuple[str, str]] = {
    "word": ("(?<![A-Za-z0-9_])", "(?![A-Za-z0-9_])"),
    "digit": ("(?<![0-9])", "(?![0-9])"),
    "none": ("", ""),
}


class Matcher(Protocol):
    """Says which expressions match in `data`, by index, with the byte offset of each match's
    end."""

    def __call__(self, data: bytes) -> list[tuple[int, int]]: ...


class Expression:
    """One compiled expression: of one rule, or the shared candidate of all number rules (`rule` is
    None)."""

    __slots__ = (
        "ahead",
        "boundary",
        "ignore_case",
        "literals",
        "pattern",
        "reach",
        "rule",
        "source",
    )

    def __init__(self, source: str, boundary: Boundary, rule: Rule | None) -> None:
        before, after = _BOUNDARIES[boundary]
        self.source = source
        self.boundary = boundary
        self.rule = rule
        self.ignore_case = rule is not None and rule.ignore_case
        self.literals = rule.literals if rule else ()
        self.ahead = 0 if rule else NUMBER_LOOKAHEAD
        self.reach = rule.max_length if rule else numbers.MAX_LENGTH
        flags = re.ASCII | re.DOTALL | (re.IGNORECASE if self.ignore_case else 0)
        self.pattern = re.compile(f"{before}(?:{source}){after}", flags)

    def windows(self, text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
        """The stretches of `text` that hold every match with these ends; one character more for the
        boundaries."""
        if self.reach is None:
            yield 0, len(text)
            return
        low, high = -1, -1
        for start, stop in sorted({self._window(text, end, self.reach) for end in ends}):
            if start <= high:
                high = max(high, stop)
                continue
            if high >= 0:
                yield low, high
            low, high = start, stop
        yield low, high

    def _window(self, text: str, end: int, reach: int) -> tuple[int, int]:
        """Where a match that ends here can stand, whole. A number rule's candidates consist of few
        characters, which narrows it to the run of those."""
        low, high = max(0, end - reach - 1), min(len(text), end + reach + 1)
        if self.rule is None:
            return numbers.run_around(text, low, end, high)
        return low, high


class Scanner:
    """The rules of one stage, compiled. Immutable but for `matcher`, which is attached once it is
    ready."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._numbers = tuple(rule for rule in self.rules if rule.digits)
        self.expressions = [
            Expression(rule.expression, rule.boundary, rule) for rule in rules if not rule.digits
        ]
        if self._numbers:
            self.expressions.append(Expression(numbers.CANDIDATE, NUMBER_BOUNDARY, None))
        self.matcher: Matcher | None = None

    def find(self, texts: Sequence[str]) -> dict[int, list[Found]]:
        """Every hit, by the index of its text. Texts without a hit are absent."""
        if not self.expressions or not texts:
            return {}
        if self.matcher is None:
            return self._find_slowly(texts)
        joined = SEPARATOR.join(texts)
        data = joined.encode()
        hits = self.matcher(data)
        if not hits:
            return {}
        ends = _by_text(hits, texts, ascii_only=len(data) == len(joined))
        found: dict[int, list[Found]] = {}
        for (index, number), places in ends.items():
            text = texts[index]
            expression = self.expressions[number]
            for low, high in expression.windows(text, places):
                for hit in self._confirm(expression, text, low, high):
                    found.setdefault(index, []).append(hit)
        return found

    def confirm(self, text: str, fired: Iterable[int], start: int, stop: int) -> list[Found]:
        """Hits of these expressions that begin in `start:stop`; what stands around is looked at,
        not matched."""
        return [
            hit
            for number in fired
            for hit in self._confirm(self.expressions[number], text, start, len(text))
            if hit.start < stop
        ]

    def _find_slowly(self, texts: Sequence[str]) -> dict[int, list[Found]]:
        found: dict[int, list[Found]] = {}
        for index, text in enumerate(texts):
            lower = text.lower()
            for expression in self.expressions:
                if _may_match(expression, lower) and (
                    hits := list(self._confirm(expression, text, 0, len(text)))
                ):
                    found.setdefault(index, []).extend(hits)
        return found

    def _confirm(self, expression: Expression, text: str, low: int, high: int) -> Iterator[Found]:
        rule = expression.rule
        place = low
        while match := expression.pattern.search(text, place, high):
            place = match.end()
            if rule is None:
                yield from numbers.resolve(text, match.start(), place, self._numbers)
            elif span := _value(rule, text, match):
                yield Found(*span, rule)
                if not expression.pattern.groups:
                    place = span[1]


def _may_match(expression: Expression, lower: str) -> bool:
    return not expression.literals or any(literal in lower for literal in expression.literals)


def _value(rule: Rule, text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """The span of the value, when this match is one."""
    start, end = match.span(1) if match.re.groups and match.group(1) is not None else match.span()
    if rule.validator:
        inner = VALIDATORS[rule.validator](text[start:end])
        if inner is None:
            return None
        start, end = start + inner[0], start + inner[1]
    if rule.entropy:
        value = text[start:end]
        if shannon(value) < rule.entropy or looks_like_placeholder(value):
            return None
    if rule.context_required and not in_context(rule, text, match.start()):
        return None
    return start, end


def _by_text(
    hits: Sequence[tuple[int, int]], texts: Sequence[str], *, ascii_only: bool
) -> dict[tuple[int, int], list[int]]:
    """Ends by (text, expression), as code points of their text."""
    starts: list[int] = []
    offset = 0
    encoded = None if ascii_only else [text.encode() for text in texts]
    for index, text in enumerate(texts):
        starts.append(offset)
        offset += (len(text) if encoded is None else len(encoded[index])) + len(SEPARATOR)
    out: dict[tuple[int, int], list[int]] = {}
    for number, end in hits:
        index = bisect_right(starts, end - 1) - 1
        place = end - starts[index]
        if encoded is not None:
            place = len(encoded[index][:place].decode(errors="ignore"))
        out.setdefault((index, number), []).append(min(place, len(texts[index])))
    return out
