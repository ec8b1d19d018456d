"""What an exchange costs: token counts times whole picodollars, itemised, exact.

A price of P USD for a million tokens is P * 10^6 picodollars for one token, a whole number for
every price with up to six decimals. So nothing is ever rounded after a price was read, and sums are
exact in any order.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Literal

from nexus_sdk.model import PICO_PER_USD
from nexus_sdk.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Usage

type Kind = Literal[
    "input", "cache_read", "cache_write", "audio_input", "output", "reasoning", "audio_output"
]

KINDS: tuple[Kind, ...] = (
    "input",
    "cache_read",
    "cache_write",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
)
"""Each is an attribute of Rates."""

_PICO_PER_TOKEN = PICO_PER_USD // 10**6
"""Of a price of 1 USD for a million tokens."""


@value
class Rates:
    """Picodollars for one token of each kind. From `above_input_tokens` of input on, `tier` holds
    for the whole request."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    audio_input: int
    audio_output: int
    above_input_tokens: int | None = None
    tier: Rates | None = None

    @property
    def free(self) -> bool:
        """Nothing of this model costs anything, in any tier."""
        return not any(getattr(self, kind) for kind in KINDS) and (
            self.tier is None or self.tier.free
        )


@value
class Item:
    """One line: `tokens` at `rate` picodollars each make `amount` picodollars."""

    kind: Kind
    tokens: int
    rate: int
    amount: int


@value
class Bill:
    """Kinds of which there was no token have no line. `total` is in picodollars."""

    items: tuple[Item, ...]
    total: int


def cost(usage: Usage, rates: Rates) -> Bill:
    """Each token is billed once, under its most particular kind: what was read from or written to
    the provider's cache, or was audio, is not plain input; what was reasoning or audio is not plain
    output.

    Where an upstream reports parts that exceed their whole, the parts are billed as reported and
    nothing is plain.
    """
    rates = _tier(usage.input, rates)
    plain_input = usage.input - usage.cache_read - usage.cache_write - usage.audio_input
    lines: tuple[tuple[Kind, int, int], ...] = (
        ("input", plain_input, rates.input),
        ("cache_read", usage.cache_read, rates.cache_read),
        ("cache_write", usage.cache_write, rates.cache_write),
        ("audio_input", usage.audio_input, rates.audio_input),
        ("output", usage.output - usage.reasoning - usage.audio_output, rates.output),
        ("reasoning", usage.reasoning, rates.reasoning),
        ("audio_output", usage.audio_output, rates.audio_output),
    )
    items = [Item(kind, count, rate, count * rate) for kind, count, rate in lines if count > 0]
    return Bill(tuple(items), sum([item.amount for item in items]))


def rough(input_tokens: int, output_tokens: int, rates: Rates) -> int:
    """Picodollars for so many plain tokens, without the lines of a bill."""
    rates = _tier(input_tokens, rates)
    return input_tokens * rates.input + output_tokens * rates.output


def _tier(input_tokens: int, rates: Rates) -> Rates:
    while (
        rates.tier is not None
        and rates.above_input_tokens is not None
        and input_tokens >= rates.above_input_tokens
    ):
        rates = rates.tier
    return rates


def rates_of(price: Mapping[str, Any]) -> Rates:
    """A price as it is written, in USD for a million tokens: the fields of the policy's `Price`
    that are set, and `audio_input` and `audio_output`. What is absent costs as the plain kind."""
    rate = {kind: pico_per_token(price[kind]) for kind in KINDS if kind in price}
    plain_input, plain_output = rate.get("input", 0), rate.get("output", 0)
    return Rates(
        input=plain_input,
        output=plain_output,
        cache_read=rate.get("cache_read", plain_input),
        cache_write=rate.get("cache_write", plain_input),
        reasoning=rate.get("reasoning", plain_output),
        audio_input=rate.get("audio_input", plain_input),
        audio_output=rate.get("audio_output", plain_output),
        above_input_tokens=price.get("above_input_tokens"),
        tier=rates_of(price["tier"]) if "tier" in price else None,
    )


def pico_per_token(usd_per_million: float) -> int:
    """A decimal as it was written, not as binary floating point holds it: 0.1 is exactly 100
    000."""
    exact = Decimal(repr(usd_per_million)) * _PICO_PER_TOKEN
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def pico(usd_amount: float) -> int:
    """Picodollars of an amount in USD, as it was written."""
    return int((Decimal(repr(usd_amount)) * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def usd(amount: int) -> str:
    """Picodollars as decimal USD, exact, without trailing zeros: `0.0000125`, `3`, `-0.5`."""
    if not amount:
        return "0"
    whole, rest = divmod(abs(amount), PICO_PER_USD)
    decimals = f"{rest:012d}".rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"
