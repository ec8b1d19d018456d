"""Money is exact. The invoices are worked out by hand from the providers' published prices."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.model import PICO_PER_USD, Usage
from nexus_sdk.stages.cost import KINDS, Rates, cost, pico, pico_per_token, rates_of, usd

SONNET = rates_of({"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75})
GPT_4O = rates_of({"input": 2.5, "output": 10, "cache_read": 1.25})
TIERED = rates_of(
    {
        "input": 3,
        "output": 15,
        "cache_read": 0.3,
        "above_input_tokens": 200_001,
        "tier": {"input": 6, "output": 22.5, "cache_read": 0.6},
    }
)


@pytest.mark.parametrize(
    ("rates", "usage", "invoice"),
    [
        # 1000 x 2.50 + 500 x 10 per million
        (GPT_4O, Usage(1000, 500), "0.0075"),
        # 2006 in, of which 1920 cached: 86 x 2.50 + 1920 x 1.25 + 300 x 10 (the example of OpenAI's
        # caching guide)
        (GPT_4O, Usage(2006, 300, cache_read=1920), "0.005615"),
        # reasoning is part of the output and costs the same: 75 x 2.50 + 1186 x 10
        (GPT_4O, Usage(75, 1186, reasoning=1024), "0.0120475"),
        # written to and read from the cache: 50 x 3 + 100 000 x 0.30 + 248 x 3.75 + 503 x 15
        (SONNET, Usage(100_298, 503, cache_read=100_000, cache_write=248), "0.038625"),
        # at 200 000 tokens of input the base holds, one more and the tier holds for all of it
        (TIERED, Usage(200_000, 1000), "0.615"),
        (TIERED, Usage(200_001, 1000), "1.222506"),
        (TIERED, Usage(200_001, 1000, cache_read=200_000), "0.142506"),
        (GPT_4O, Usage(), "0"),
    ],
)
def test_golden_invoices(rates: Rates, usage: Usage, invoice: str) -> None:
    assert usd(cost(usage, rates).total) == invoice


def test_a_bill_is_itemised() -> None:
    rates = rates_of(
        {
            "input": 1,
            "output": 2,
            "cache_read": 3,
            "cache_write": 4,
            "reasoning": 5,
            "audio_input": 6,
            "audio_output": 7,
        }
    )
    usage = Usage(
        input=1000,
        output=100,
        cache_read=200,
        cache_write=300,
        reasoning=30,
        audio_input=50,
        audio_output=20,
    )
    bill = cost(usage, rates)
    assert [(item.kind, item.tokens, item.rate) for item in bill.items] == [
        ("input", 450, 1_000_000),
        ("cache_read", 200, 3_000_000),
        ("cache_write", 300, 4_000_000),
        ("audio_input", 50, 6_000_000),
        ("output", 50, 2_000_000),
        ("reasoning", 30, 5_000_000),
        ("audio_output", 20, 7_000_000),
    ]
    assert all(item.amount == item.tokens * item.rate for item in bill.items)


def test_what_a_price_leaves_out_costs_as_the_plain_kind() -> None:
    rates = rates_of({"input": 1, "output": 2})
    assert (rates.cache_read, rates.cache_write, rates.audio_input) == (1_000_000,) * 3
    assert (rates.reasoning, rates.audio_output) == (2_000_000,) * 2


def test_a_price_of_zero_is_not_a_missing_one() -> None:
    assert rates_of({"input": 1, "output": 2, "cache_read": 0}).cache_read == 0


def test_parts_that_exceed_their_whole_are_billed_as_reported() -> None:
    bill = cost(
        Usage(input=10, output=5, cache_read=20, reasoning=9), rates_of({"input": 1, "output": 1})
    )
    assert [(item.kind, item.tokens) for item in bill.items] == [
        ("cache_read", 20),
        ("reasoning", 9),
    ]


def test_tiers_may_follow_each_other() -> None:
    inner = {"input": 4, "output": 0, "above_input_tokens": 100, "tier": {"input": 9, "output": 0}}
    rates = rates_of({"input": 1, "output": 0, "above_input_tokens": 10, "tier": inner})
    assert [cost(Usage(input=n), rates).total for n in (9, 10, 99, 100)] == [
        9e6,
        40e6,
        396e6,
        900e6,
    ]


def test_free_means_free_in_every_tier() -> None:
    assert rates_of({"input": 0, "output": 0}).free
    assert not rates_of({"input": 0, "output": 0, "cache_write": 1}).free
    assert not rates_of({"input": 0, "above_input_tokens": 9, "tier": {"input": 1}}).free


MICRO = st.integers(0, 10**9)
"""Prices as they are published: up to six decimals."""
TOKENS = st.integers(0, 10**7)


@given(price=MICRO)
def test_a_price_is_read_as_it_is_written(price: int) -> None:
    assert pico_per_token(price / 10**6) == price


@given(
    rates=st.lists(MICRO, min_size=7, max_size=7), parts=st.lists(TOKENS, min_size=7, max_size=7)
)
def test_a_bill_equals_decimal_arithmetic(rates: list[int], parts: list[int]) -> None:
    price: dict[str, float] = {kind: rate / 10**6 for kind, rate in zip(KINDS, rates, strict=True)}
    tokens = dict(zip(KINDS, parts, strict=True))
    usage = Usage(
        input=tokens["input"]
        + tokens["cache_read"]
        + tokens["cache_write"]
        + tokens["audio_input"],
        output=tokens["output"] + tokens["reasoning"] + tokens["audio_output"],
        cache_read=tokens["cache_read"],
        cache_write=tokens["cache_write"],
        reasoning=tokens["reasoning"],
        audio_input=tokens["audio_input"],
        audio_output=tokens["audio_output"],
    )
    exact = sum(
        Decimal(count) * Decimal(rate) / 10**12 for count, rate in zip(parts, rates, strict=True)
    )
    bill = cost(usage, rates_of(price))
    assert Decimal(usd(bill.total)) == exact
    assert bill.total == sum(item.amount for item in bill.items)


@given(amount=st.integers(-(10**18), 10**18))
def test_usd_is_exact_and_plain(amount: int) -> None:
    text = usd(amount)
    assert Decimal(text) * PICO_PER_USD == amount
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (PICO_PER_USD, "1"),
        (12_500_000, "0.0000125"),
        (-PICO_PER_USD // 2, "-0.5"),
    ],
)
def test_usd_reads_well(amount: int, text: str) -> None:
    assert usd(amount) == text


@given(cents=st.integers(0, 10**12))
def test_an_amount_is_read_as_it_is_written(cents: int) -> None:
    assert pico(cents / 100) == cents * PICO_PER_USD // 100
