"""Digit runs, and which identifiers they are.

Cards, social security numbers, telephone numbers and addresses share one shape: digits with
separators. One expression finds the runs; code decides by count, shape, check digit and context
which parts are which. So `4111 1111 1111 1111 536-90-4399` is a card and a social security number,
although one greedy expression would read sixteen digits too many.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from nexus_sdk.compliance.context import Before
from nexus_sdk.compliance.validators import CHECKSUMS, VALIDATORS
from nexus_sdk.compliance.verdict import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nexus_sdk.compliance.rules import Rule

__all__ = ["CANDIDATE", "Found", "resolve"]

CANDIDATE = (
    r"[+(]{0,2}[0-9](?:[ \t.\-/()]{0,2}[0-9]){6,99}|[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
)
"""Seven to a hundred digits with at most two separators between them; or a short dotted quad
(`8.8.8.8`)."""
_CHARACTERS = "0123456789+( \t.-/)"
"""All that a candidate can hold."""
MAX_LENGTH = 300
"""Characters of the longest candidate."""

MAX_GROUPS = 8
"""Groups of digits in one identifier. The longest that people write are the French NIR and
telephone numbers."""

_GROUP = re.compile(r"[0-9]+")
_WORD = re.compile(r"[A-Za-z0-9_]")
_HANGS = ("-", ".", "/")
_ANY_SHAPE = r"[0-9+(].*"
_WHOLE_PART = re.compile(r"(?<![0-9.])[0-9]{1,3}\.$")
_LABEL_REACH = 32
# A label that says a number is something else than a person's: "part no. 423-19-5749", "version
# 1.2.3.4".
_OTHER_LABEL = re.compile(
    r"\b(?:part|item|model|catalog(?:ue)?|serial|sku|isbn|issn|doi|version|ver|v|build|release"
    r"|revision|firmware|tracking|lot|batch|figure|section|chapter|rfc)"
    r"(?:[ _-]?(?:no|nos|nr|num|number|id|code))?[.:#=\s\"']{0,4}$",
    re.IGNORECASE,
)


type _Shape = Callable[[str], re.Match[str] | None]


class _Reading(NamedTuple):
    """A number rule, ready to be tried."""

    rule: Rule
    shape: _Shape
    validate: Callable[[str], tuple[int, int] | None] | None
    checked: bool


class _Count(NamedTuple):
    """All rules for one count of digits. `shape` matches what any of theirs does."""

    shape: _Shape
    readings: tuple[_Reading, ...]


class _Run(NamedTuple):
    """Some groups of a candidate: `text[start:end]`. `first` and `last` are the separators next to
    the outer groups, empty when there is one group only."""

    start: int
    end: int
    first: str
    last: str


class _Walls(NamedTuple):
    """What stands around a run: it touches a word character, a digit; it is the fraction of a
    decimal number; it is a piece of something longer."""

    word: bool
    digit: bool
    fraction: bool
    piece: bool


class _Claim(NamedTuple):
    """A part of a candidate that one rule would have; the smaller rank wins."""

    rank: tuple[bool, bool, bool, int, int, bool, str]
    start: int
    end: int
    rule: Rule


@lru_cache(maxsize=256)
def _counts(rules: tuple[Rule, ...]) -> Mapping[int, _Count]:
    """The number rules among `rules`, by count of digits."""
    readings: dict[int, list[_Reading]] = {}
    for rule in sorted(rules, key=lambda rule: rule.id):
        shape = re.compile(rule.shape or _ANY_SHAPE, re.ASCII).fullmatch
        reading = _Reading(rule, shape, VALIDATORS.get(rule.validator), rule.validator in CHECKSUMS)
        for count in rule.digits:
            readings.setdefault(count, []).append(reading)
    return {count: _Count(_any_of(found), tuple(found)) for count, found in readings.items()}


def _any_of(readings: Sequence[_Reading]) -> _Shape:
    shapes = dict.fromkeys(reading.rule.shape or _ANY_SHAPE for reading in readings)
    return re.compile("|".join(f"(?:{shape})" for shape in shapes), re.ASCII).fullmatch


def resolve(text: str, start: int, end: int, rules: tuple[Rule, ...]) -> list[Found]:
    """What the number rules find in the candidate `text[start:end]`, in order and without overlap.

    Every run of whole digit groups is tried against every rule of its count. Of claims that
    overlap, one with a check digit wins over one without, then one in context, then one that cuts
    nothing off, then the longer, the leftmost, and one that needs no context; the order of `rules`
    is of no consequence. Words of context are looked for before the whole candidate, so that a
    label before a list goes for all of it.
    """
    counts = _counts(rules)
    claims: list[_Claim] = []
    is_near = Before(text, start).names
    for run, count in _runs(text, start, end, counts):
        value = text[run.start : run.end]
        wanted = [
            reading
            for reading in count.readings
            if reading.shape(value) and (not reading.rule.context_required or is_near(reading.rule))
        ]
        if wanted:
            walls = _walls(text, run, value)
            claims += [
                _claim(text, run, reading, near=is_near(reading.rule))
                for reading in wanted
                if not _is_walled(walls, reading) and _is_valid(text, run, reading, is_near)
            ]
    taken: list[Found] = []
    for claim in sorted(claims, key=lambda claim: claim.rank):
        if all(claim.end <= found.start or found.end <= claim.start for found in taken):
            taken.append(Found(claim.start, claim.end, claim.rule))
    return sorted(taken, key=lambda found: found.start)


def run_around(text: str, low: int, end: int, high: int) -> tuple[int, int]:
    """The run of a candidate's characters in `text[low:high]` that `end` is in or behind, and one
    more on each side: all that a candidate which ends there can be."""
    before, after = text[low:end], text[end:high]
    start = low + len(before.rstrip(_CHARACTERS))
    stop = high - len(after.lstrip(_CHARACTERS))
    return max(start - 1, low), min(stop + 1, high)


def _runs(
    text: str, start: int, end: int, counts: Mapping[int, _Count]
) -> Iterator[tuple[_Run, _Count]]:
    """The runs of groups that have the count and the shape of some rule; with their leading signs,
    and without."""
    most = max(counts, default=0)
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    before = start
    for index, (begin, first_end) in enumerate(groups):
        lead = _lead(text, before, begin)
        before = first_end
        digits = 0
        for low, stop in groups[index : index + MAX_GROUPS]:
            digits += stop - low
            if digits > most:
                break
            count = counts.get(digits)
            if count is None:
                continue
            first, last = (text[first_end], text[low - 1]) if stop > first_end else ("", "")
            for at in (lead, begin) if lead < begin else (begin,):
                if count.shape(text[at:stop]):
                    yield _Run(at, stop, first, last), count


def _lead(text: str, after: int, begin: int) -> int:
    """The place of the `+` or `(` that belongs to the group at `begin`."""
    while begin > after and text[begin - 1] in "+(":
        begin -= 1
    return begin


def _is_valid(text: str, run: _Run, reading: _Reading, is_near: Callable[[Rule], bool]) -> bool:
    """Does the validator take it, and no label say that it is something else?"""
    if reading.validate is not None and reading.validate(text[run.start : run.end]) is None:
        return False
    if reading.checked or is_near(reading.rule):
        return True
    return _OTHER_LABEL.search(text[max(0, run.start - _LABEL_REACH) : run.start]) is None


def _claim(text: str, run: _Run, reading: _Reading, *, near: bool) -> _Claim:
    start, end, rule = run.start, run.end, reading.rule
    weak = (not reading.checked, not near, _is_cut(text, start, end))
    rank = (*weak, start - end, start, rule.context_required, rule.id)
    return _Claim(rank, start, end, rule)


def _walls(text: str, run: _Run, value: str) -> _Walls:
    before, after = text[max(run.start - 1, 0) : run.start], text[run.end : run.end + 1]
    return _Walls(
        word=_WORD.match(before) is not None or _WORD.match(after) is not None,
        digit=_GROUP.match(before) is not None or _GROUP.match(after) is not None,
        fraction=_is_fraction(text, run.start, value),
        piece=_is_piece(text, run),
    )


def _is_walled(walls: _Walls, reading: _Reading) -> bool:
    """Does what stands around forbid the number to this rule?"""
    boundary = reading.rule.boundary
    if (
        walls.fraction
        or (walls.word and boundary == "word")
        or (walls.digit and boundary == "digit")
    ):
        return True
    return walls.piece and not reading.checked


def _is_fraction(text: str, start: int, value: str) -> bool:
    """Is it the part behind the point of a decimal number (`0.6511772622175621`)? One in ten of
    those passes Luhn."""
    return (
        text[start - 1 : start] == "."
        and value.isdigit()
        and bool(_WHOLE_PART.search(text[max(0, start - 5) : start]))
    )


def _is_piece(text: str, run: _Run) -> bool:
    """Is the number a piece of something longer?

    It is when it goes on with the separator that it uses itself (`1.2.3.4` of `1.2.3.4.5`; a list
    of small numbers), or hangs on a word (`INS-509908516`, `Chrome/120.0.10.20`, `1.2.3.4-beta`). A
    leading `+` begins a number whatever comes before.
    """
    after, following = text[run.end : run.end + 1], text[run.end + 1 : run.end + 2]
    if following.isdigit() and after == run.last and text[run.start] != "+":
        return True
    if following.isalpha() and after == "-":
        return True
    before, previous = (
        text[max(run.start - 1, 0) : run.start],
        text[max(run.start - 2, 0) : max(run.start - 1, 0)],
    )
    if text[run.start] in "+(":
        return False
    if previous.isdigit():
        return before == run.first
    return previous.isalpha() and before in _HANGS


def _is_cut(text: str, start: int, end: int) -> bool:
    """Does a tight separator with a digit behind it stand at one of the ends?"""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    return (before[-1:] in _HANGS and before[:1].isdigit()) or (
        after[:1] in _HANGS and after[1:].isdigit()
    )
