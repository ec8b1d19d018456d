from __future__ import annotations

from importlib.resources import files

import orjson
import pytest

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy.document import Price
from nexus_sdk.providers.prices import Prices
from nexus_sdk.providers.table import ALL
from nexus_sdk.stages.cost import rates_of

RAW = orjson.loads(files("nexus_sdk.providers").joinpath("prices.json").read_bytes())


def test_every_part_of_the_table_belongs_to_a_provider_and_names_its_source() -> None:
    for kind, part in RAW["kinds"].items():
        assert kind in {row.name for row in ALL}
        assert part["source"].startswith("https://")
        assert part["taken_from"]
        assert len(part["taken_on"]) == len("2026-01-31")


@pytest.mark.parametrize(
    ("kind", "model"), [(k, m) for k, part in RAW["kinds"].items() for m in part["models"]]
)
def test_every_price_is_a_valid_one_and_is_found(kind: str, model: str) -> None:
    row = RAW["kinds"][kind]["models"][model]
    audio = {"audio_input", "audio_output"}
    Price.model_validate({field: value for field, value in row.items() if field not in audio})
    found = Prices({}).find("any-name", kind, model)
    assert found == rates_of(row)
    assert found.cache_read <= found.input
    assert found.tier is None or found.tier.input > found.input


@pytest.mark.parametrize(
    ("kind", "model", "input_usd"),
    [
        ("openai", "gpt-4o", 2.5),
        ("openai", "gpt-4o-2024-08-06", 2.5),
        ("openai", "gpt-4o-2024-05-13", 5),
        ("openai", "gpt-4o-mini-2024-07-18", 0.15),
        ("openai", "text-embedding-3-small", 0.02),
        ("anthropic", "claude-sonnet-4-5-20250929", 3),
        ("anthropic", "claude-sonnet-4-5@20250929", 3),
        ("anthropic", "claude-3-5-haiku-latest", 0.8),
        ("anthropic", "claude-opus-4-20250514", 15),
    ],
)
def test_a_snapshot_costs_as_its_family(kind: str, model: str, input_usd: float) -> None:
    found = Prices({}).find("p", kind, model)
    assert found is not None
    assert found.input == input_usd * 10**6


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o-realtime-preview"),
        ("openai", "gpt-4o-mini-audio"),
        ("openai", "gpt-4-0613x"),
        ("openai", "no-such-model"),
        ("openai", "claude-sonnet-4-5"),
        ("openai_compatible", "gpt-4o"),
        ("no-such-kind", "gpt-4o"),
        ("openai", ""),
        ("openai", "-latest"),
    ],
)
def test_what_is_not_known_has_no_price(kind: str, model: str) -> None:
    assert Prices({}).find("p", kind, model) is None


def test_the_policys_price_wins_the_most_particular_first() -> None:
    prices = Prices(
        {
            "*": Price(input=1),
            "gpt-*": Price(input=2),
            "azure/gpt-*": Price(input=3),
            "gpt-4o": Price(input=4),
            "azure/gpt-4o": Price(input=5),
            "gpt-4*": Price(input=6),
        }
    )

    def at(provider: str, model: str) -> int:
        found = prices.find(provider, "openai", model)
        assert found is not None
        return found.input // 10**6

    assert at("azure", "gpt-4o") == 5
    assert at("other", "gpt-4o") == 4
    assert at("azure", "gpt-5") == 3
    assert at("other", "gpt-5") == 2
    assert at("other", "gpt-4.1") == 6
    assert at("other", "llama") == 1


def test_a_price_of_zero_is_a_price() -> None:
    found = Prices({"local/*": Price(input=0)}).find("local", "openai_compatible", "llama")
    assert found is not None
    assert found.free


def test_a_tier_without_its_threshold_is_refused() -> None:
    with pytest.raises(
        BadPolicy, match=r"prices\.x: 'tier' and 'above_input_tokens' need each other"
    ):
        Prices({"x": Price(input=1, tier=Price(input=2))})
    with pytest.raises(BadPolicy, match=r"prices\.x\.tier: "):
        Prices(
            {"x": Price(input=1, above_input_tokens=5, tier=Price(input=2, above_input_tokens=9))}
        )


def test_many_invented_names_do_not_fill_the_memory() -> None:
    prices = Prices({})
    for i in range(10_000):
        prices.find("p", "openai", f"invented-{i}")
    assert len(prices._remembered) <= 4096
    assert prices.find("p", "openai", "gpt-4o") is prices.find("p", "openai", "gpt-4o")
