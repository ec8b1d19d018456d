"""What can be known of an expression without running it: may a rule use it, how long is a match,
what must be in it.

The dialect of rules is what Hyperscan, `re` and our own automaton understand alike: literals,
classes, groups, alternation and greedy repetition, over ASCII classes. All three read the same
text.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LENGTH = 2_000
MAX_REPEAT = 1_000
MAX_NESTED_REPEAT = 20_000
"""The product of the counts of repetitions inside one another: what an engine may have to unroll or
try."""
_MAX_LITERALS = 64

# The standard library's own parser, so that an expression means here what it means to `re`.
_parser: Any = importlib.import_module("re._parser")
_codes: Any = importlib.import_module("re._constants")
_ALLOWED_FLAGS = int(_codes.SRE_FLAG_ASCII | _codes.SRE_FLAG_DOTALL)

_LOOKAROUND = "lookaround is not allowed: say it with `boundary`, `validator` or `context`"
_FLAGS = "flags inside an expression are not allowed: say it with `ignore_case`"
_FORBIDDEN = {
    _codes.AT: "anchors and \\b are not allowed: say it with `boundary`",
    _codes.ASSERT: _LOOKAROUND,
    _codes.ASSERT_NOT: _LOOKAROUND,
    _codes.GROUPREF: "backreferences are not allowed",
    _codes.GROUPREF_EXISTS: "backreferences are not allowed",
    _codes.MIN_REPEAT: "lazy repetition is not allowed: repeat a narrower class",
    _codes.POSSESSIVE_REPEAT: "possessive repetition is not allowed",
    _codes.ATOMIC_GROUP: "atomic groups are not allowed",
}
_PIECE = re.compile(r"\\x..|\\[0-7]{3}|\\.|.", re.DOTALL)
_WIDE_ESCAPE = re.compile(r"\\(?:[uUN]|x[89a-fA-F]|[2-7][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Facts:
    """`literals`: lower-case, at least one of them is in every lower-cased match; empty when there
    is no such set. `max_length`: characters of the longest match, None when there is no bound.
    `problems`: why a rule may not use it; the rest is only meant when there are none."""

    problems: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    max_length: int | None = None


def examine(expression: str) -> Facts:
    """The facts about `expression`. Raises nothing: what is wrong with it is in `problems`."""
    if len(expression) > MAX_LENGTH:
        return Facts((f"{len(expression)} characters; at most {MAX_LENGTH} are allowed",))
    try:
        tree = _parser.parse(expression, _ALLOWED_FLAGS)
        low, high = tree.getwidth()
    except (ValueError, OverflowError, RecursionError, _codes.error) as err:
        return Facts((f"does not compile: {err}",))
    problems = list(dict.fromkeys([*_spelling_problems(expression), *_problems(tree, 1)]))
    if tree.state.flags & ~_ALLOWED_FLAGS:
        problems.append(_FLAGS)
    if tree.state.groups > 2:
        problems.append("more than one capture group: use `(?:...)` for all but the value")
    if low == 0:
        problems.append("matches the empty string")
    if problems:
        return Facts(tuple(problems))
    return Facts((), _required(tree), None if high >= int(_codes.MAXREPEAT) else high)


def _spelling_problems(expression: str) -> Iterator[str]:
    """What means one thing to `re`, which reads characters, and another to engines of bytes."""
    in_class = False
    for piece in _PIECE.findall(expression):
        if _WIDE_ESCAPE.match(piece):
            yield "escapes beyond ASCII are not allowed: write the character itself"
        elif piece in "[]":
            in_class = piece == "["
        elif in_class and not piece.isascii():
            yield "characters beyond ASCII cannot be in a class: use alternation"


def _problems(items: Any, unrolled: int) -> Iterator[str]:
    """`unrolled`: the product of the repetitions around."""
    for op, value in items:
        if op in _FORBIDDEN:
            yield _FORBIDDEN[op]
        elif op is _codes.MAX_REPEAT:
            yield from _repeat_problems(value, unrolled)
        elif op is _codes.SUBPATTERN and (value[1] or value[2]):
            yield _FLAGS
        for part in _parts(op, value):
            yield from _problems(part, unrolled)


def _parts(op: Any, value: Any) -> list[Any]:
    """What an alternation or a group holds."""
    if op is _codes.BRANCH:
        return list(value[1])
    return [value[3]] if op is _codes.SUBPATTERN else []


def _repeat_problems(value: Any, unrolled: int) -> Iterator[str]:
    """The repetition itself, then what is in it. Repetition without bound inside of repetition
    takes exponential time in `re`, and so does a bounded one when the counts multiply."""
    low, high, body = value
    bounded = high is not _codes.MAXREPEAT
    if max(low, high if bounded else 0) > MAX_REPEAT:
        yield f"repeats more than {MAX_REPEAT} times: leave the bound away, or lower it"
    if not bounded and unrolled > 1:
        yield "repetition without a bound inside of repetition: bound the inner one"
    if len(body) == 1 and body[0][0] is _codes.LITERAL and body[0][1] > 127:
        yield "repeats a character beyond ASCII: put more than it in the group"
    unrolled *= high if bounded else MAX_REPEAT
    if unrolled > MAX_NESTED_REPEAT:
        yield f"repetitions inside one another multiply to more than {MAX_NESTED_REPEAT}"
    yield from _problems(body, unrolled)


# ---- what must be in every match -----------------------------------------------------------------


def _required(items: Any) -> tuple[str, ...]:
    """The best set of strings of which one is in every match: the one whose shortest string is
    longest."""
    exact, best = _study(items)
    found = _better(best, exact)
    return tuple(
        sorted(one for one in found if not any(other != one and other in one for other in found))
    )


type _Strings = frozenset[str]
_NONE: _Strings = frozenset()
_EMPTY: _Strings = frozenset({""})


def _study(items: Any) -> tuple[_Strings, _Strings]:
    """(all strings that it can be, or nothing when they are too many; its best required set)."""
    exact = run = _EMPTY
    best = _NONE
    for op, value in items:
        strings, inner = _study_item(op, value)
        joined = _join(run, strings)
        if not joined:
            best = _better(_better(best, run), inner)
            joined = strings or _EMPTY
        elif not strings - _EMPTY:
            best = _better(best, inner)
        run = joined
        exact = _join(exact, strings)
    return exact, _better(best, run)


def _study_item(op: Any, value: Any) -> tuple[_Strings, _Strings]:
    if op is _codes.LITERAL:
        return (
            _NONE if chr(value) == "Σ" else frozenset({chr(value).lower()})
        ), _NONE  # its lower case varies
    if op is _codes.IN:
        return _few(value), _NONE
    if op is _codes.SUBPATTERN:
        return _study(value[3])
    if op is _codes.BRANCH:
        return _study_branch([_study(way) for way in value[1]])
    if op is _codes.MAX_REPEAT:
        return _study_repeat(*value)
    return _NONE, _NONE


def _study_branch(ways: Iterable[tuple[_Strings, _Strings]]) -> tuple[_Strings, _Strings]:
    ways = list(ways)
    exact = frozenset[str]().union(*(way for way, _ in ways))
    if not all(way for way, _ in ways) or len(exact) > _MAX_LITERALS:
        exact = _NONE
    each = [_better(best, way) for way, best in ways]
    best = frozenset[str]().union(*each) if all(each) else _NONE
    return exact, best if len(best) <= _MAX_LITERALS else _NONE


def _study_repeat(low: int, high: int, body: Any) -> tuple[_Strings, _Strings]:
    strings, inner = _study(body)
    least = _power(strings, low) if low else _NONE
    best = _better(inner, least) if low else _NONE
    if low == high:
        return least, best
    return (strings | _EMPTY if (low, high) == (0, 1) and strings else _NONE), best


def _power(strings: _Strings, count: int) -> _Strings:
    """The strings in a row `count` times, or as often as there are not too many of them."""
    out = strings
    for _ in range(count - 1):
        longer = _join(out, strings)
        if not longer:
            return _NONE
        out = longer
    return out


def _few(items: Any) -> _Strings:
    """The characters of a small class."""
    if any(op is not _codes.LITERAL for op, _ in items) or len(items) > 4:
        return _NONE
    characters = {chr(value) for _, value in items}
    return frozenset(char.lower() for char in characters) if "Σ" not in characters else _NONE


def _join(left: _Strings, right: _Strings) -> _Strings:
    if len(left) * len(right) > _MAX_LITERALS or sum(map(len, left)) > 4_000:
        return _NONE
    return frozenset(a + b for a, b in product(left, right))


def _better(one: _Strings, other: _Strings) -> _Strings:
    """The set that says more: a longer shortest string, then fewer strings."""

    def rank(strings: _Strings) -> tuple[int, int]:
        return (min(map(len, strings)), -len(strings)) if strings else (0, 0)

    usable = [strings for strings in (one, other) if strings and "" not in strings]
    return max(usable, key=rank, default=_NONE)
