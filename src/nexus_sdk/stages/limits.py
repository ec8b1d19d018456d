"""Limits as claims: what a request must be able to take from which account, before it goes any
further.

A limit that needs no target and no amount but "one request" is checked at admission. All others are
checked for each target in turn, since only then model, provider and price are known. An unknown
axis value counts under the empty value, so nobody escapes a limit by leaving a field out. The
caller's request is never changed to fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_sdk.errors import LimitExceeded, NotAllowed, QuotaExceeded
from nexus_sdk.model import Claim
from nexus_sdk.stages.cost import pico, rough, usd
from nexus_sdk.stages.selectors import AXES, compile_when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nexus_sdk.model import Refused, Target, Usage
    from nexus_sdk.policy import document as doc
    from nexus_sdk.policy.document import Unit, Window
    from nexus_sdk.stages.cost import Rates
    from nexus_sdk.stages.selectors import Ask

type Phase = Literal["admission", "target"]

DEFAULT_OUTPUT_TOKENS = 1024
"""Held for a request that does not bound its answer."""
MAX_OUTPUT_TOKENS = 131_072
"""More is never held, whatever the request says: no model of the price table writes more in one
answer (developers.openai.com/api/docs/models, platform.claude.com/docs/en/models: 128 000)."""
NO_MAXIMUM = 2**62
"""The maximum of a claim that only counts (`enforce: false`). The limit's own is in the policy."""

# ---- the estimate --------------------------------------------------------------------------------


class Amounts(NamedTuple):
    """In each unit, what a request is held for. `usd_pico` None: the target's price is not
    known."""

    requests: int = 1
    tokens: int = 0
    usd_pico: int | None = 0


def estimate(
    input_chars: int, max_output_tokens: int | None, rates: Rates | None, *, answers: int = 1
) -> Amounts:
    """What a request will take at most, roughly: four characters to a token in, what it allows (or
    `DEFAULT_OUTPUT_TOKENS`) out, times the number of `answers` it asks for."""
    tokens_in = -(-input_chars // 4)
    allowed = DEFAULT_OUTPUT_TOKENS if max_output_tokens is None else max(max_output_tokens, 0)
    tokens_out = min(allowed, MAX_OUTPUT_TOKENS) * max(answers, 1)
    price = None if rates is None else rough(tokens_in, tokens_out, rates)
    return Amounts(1, tokens_in + tokens_out, price)


# ---- windows -------------------------------------------------------------------------------------

_DAY = 86_400
_MONDAY = 4 * _DAY
"""Unix time begins on a Thursday; the first Monday, where ISO 8601 weeks begin, is four days
later."""


def _aligned(length: int, offset: int = 0) -> Callable[[int], tuple[int, int]]:
    def bounds(now: int) -> tuple[int, int]:
        start = (now - offset) // length * length + offset
        return start, start + length

    return bounds


def _month(now: int) -> tuple[int, int]:
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0)
    next_first = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()), int(next_first.timestamp())


_WINDOWS: dict[Window, Callable[[int], tuple[int, int]]] = {
    "minute": _aligned(60),
    "hour": _aligned(3600),
    "day": _aligned(_DAY),
    "week": _aligned(7 * _DAY, _MONDAY),
    "month": _month,
}


def window(name: Window, now: float) -> tuple[int, int]:
    """Start and end in Unix seconds of the calendar window (UTC) that holds `now`; the end is
    outside."""
    return _WINDOWS[name](int(now // 1))


# ---- claims --------------------------------------------------------------------------------------


class _Limit:
    """A limit, compiled. Remembers the calendar window it was last asked in, and how the accounts
    of that window begin."""

    __slots__ = ("_axes", "_current", "condition", "enforce", "maximum", "name", "unit", "window")

    def __init__(self, limit: doc.Limit) -> None:
        """Fractions of a request or a token are cut off; USD are exact to the picodollar."""
        maximum = pico(limit.max) if limit.unit == "usd" else int(limit.max)
        self.name = limit.name
        self.unit: Unit = limit.unit
        self.window: Window = limit.window
        self.enforce = limit.enforce
        self.maximum = maximum if limit.enforce else NO_MAXIMUM
        self.condition = compile_when(limit.when)
        self._axes = tuple((axis, AXES[axis]) for axis in limit.per)
        self._current = (0, 0, "")

    def account(self, ask: Ask, target: Target | None, now: float) -> tuple[str, float]:
        """The account's name, and in how many seconds its window ends.

        `name@unit/window/start` and each axis with its value. A value is preceded by its length:
        whatever characters it holds, two different lists of values never read the same.
        """
        start, end, account = self._current
        if not start <= now < end:
            start, end = window(self.window, now)
            account = f"{self.name}@{self.unit}/{self.window}/{start}"
            self._current = (start, end, account)
        for axis, read in self._axes:
            value = read(ask.caller, target)
            account = f"{account}|{axis}={len(value)}:{value}"
        return account, end - now


@dataclass(frozen=True, slots=True)
class Limits:
    """Compiled, by the phase in which they are checked."""

    admission: tuple[_Limit, ...]
    target: tuple[_Limit, ...]


_OF_TARGET = frozenset({"provider", "model"})


def compile_limits(limits: Iterable[doc.Limit]) -> Limits:
    phases: dict[Phase, list[_Limit]] = {"admission": [], "target": []}
    for limit in limits:
        needs_target = limit.unit != "requests" or not _OF_TARGET.isdisjoint(limit.per)
        phases["target" if needs_target else "admission"].append(_Limit(limit))
    return Limits(tuple(phases["admission"]), tuple(phases["target"]))


def admission_claims(limits: Limits, ask: Ask, now: float) -> tuple[Claim, ...]:
    """One request, from every limit that needs no target. `now` in Unix seconds."""
    return _claims(limits.admission, ask, None, Amounts(), now) if limits.admission else ()


def target_claims(
    limits: Limits, ask: Ask, target: Target, amounts: Amounts, now: float
) -> tuple[Claim, ...]:
    """`amounts` from every limit that depends on the target. What costs nothing takes nothing from
    a USD limit, so a free model stays open to a caller whose money is used up.

    Raises NotAllowed (`unpriced_model`) when an enforced USD limit holds and the target's price is
    not known.
    """
    return _claims(limits.target, ask, target, amounts, now) if limits.target else ()


def _claims(
    limits: tuple[_Limit, ...], ask: Ask, target: Target | None, amounts: Amounts, now: float
) -> tuple[Claim, ...]:
    claims = []
    for limit in limits:
        if limit.condition.parts and not limit.condition.holds(ask):
            continue
        amount = _amount(limit, target, amounts)
        if amount == 0 and limit.unit == "usd":
            continue
        account, left_s = limit.account(ask, target, now)
        claims.append(Claim(account, limit.name, limit.unit, amount, limit.maximum, left_s))
    return tuple(claims)


def _amount(limit: _Limit, target: Target | None, amounts: Amounts) -> int:
    if limit.unit == "requests":
        return amounts.requests
    if limit.unit == "tokens":
        return amounts.tokens
    if amounts.usd_pico is not None:
        return amounts.usd_pico
    if not limit.enforce:
        return 0
    model = f"{target.provider}/{target.model}" if target else ""
    raise NotAllowed(
        f"limit {limit.name!r} is in USD and {model!r} has no price: add it to 'prices'",
        code="unpriced_model",
    )


# ---- what became of them -------------------------------------------------------------------------


def settled(claims: tuple[Claim, ...], usage: Usage, cost_pico: int) -> tuple[int, ...]:
    """The true amounts, for `Settle`."""
    true = {"requests": 1, "tokens": usage.input + usage.output, "usd": cost_pico}
    return tuple(true[claim.unit] for claim in claims)


def released(claims: tuple[Claim, ...]) -> tuple[int, ...]:
    """The amounts of a request that used nothing, for `Settle`."""
    return (0,) * len(claims)


_SHORT = frozenset({"minute", "hour"})


def refusal(refused: Refused) -> LimitExceeded:
    """A rate limit for requests or tokens by the minute or hour: waiting helps. Otherwise a
    quota."""
    claim = refused.claim
    name = _window_of(claim)
    kind = LimitExceeded if claim.unit != "usd" and name in _SHORT else QuotaExceeded
    if claim.amount > claim.maximum:
        way_out = "more than the whole limit: ask for less, or raise it"
    else:
        way_out = f"it resets in {_spoken(claim.resets_in_s)}"
    return kind(
        f"limit {claim.limit!r} ({claim.unit} per {name}) is reached: "
        f"{_shown(claim, refused.used)} of {_shown(claim, claim.maximum)} used or reserved, "
        f"this request needs "
        f"{_shown(claim, claim.amount)}; {way_out}",
        limit=claim.limit,
        retry_after_s=max(claim.resets_in_s, 0.0),
    )


def headers(refused: Refused) -> dict[str, str]:
    """The state of the limit that refused: its maximum and the rest in its own unit (USD as a
    decimal), and whole seconds until it resets, which is also Retry-After."""
    claim = refused.claim
    reset = str(max(ceil(claim.resets_in_s), 1))
    return {
        "retry-after": reset,
        "x-ratelimit-limit": _plain(claim, claim.maximum),
        "x-ratelimit-remaining": _plain(claim, max(claim.maximum - refused.used, 0)),
        "x-ratelimit-reset": reset,
    }


def _window_of(claim: Claim) -> str:
    """The account says it, right behind the name, which holds no `@` and no `/`."""
    return claim.account.partition("@")[2].split("/", 2)[1]


def _plain(claim: Claim, amount: int) -> str:
    return usd(amount) if claim.unit == "usd" else str(amount)


def _shown(claim: Claim, amount: int) -> str:
    return f"{usd(amount)} USD" if claim.unit == "usd" else f"{amount:,}"


def _spoken(seconds: float) -> str:
    whole = max(ceil(seconds), 1)
    for unit_s, unit in ((_DAY, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * unit_s:
            return f"{ceil(whole / unit_s)} {unit}"
    return f"{whole} s"
