"""What a model costs: the policy's own prices, then the table that comes with the library
(`prices.json`).

The table holds the standard tier of well-known models; its file names source and date of every
part. A model that is in neither has no price, which is not the same as being free: the audit event
says `unpriced`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import BadPolicy
from nexus_sdk.stages.cost import rates_of
from nexus_sdk.stages.selectors import Names, specificity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nexus_sdk.policy.document import Price
    from nexus_sdk.stages.cost import Rates

_MAX_REMEMBERED = 4096
"""Callers may ask for any name; what is remembered of them is bounded."""
_SNAPSHOT = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$", re.ASCII)
"""What providers append to a model's name for one version of it: `-2024-08-06`, `-20250929`,
`@20250929`, `-latest`."""


class Prices:
    """The prices of one policy. Looked up once for each (provider, kind, model), then
    remembered."""

    __slots__ = ("_own", "_remembered")

    def __init__(self, own: Mapping[str, Price]) -> None:
        """`own` by `provider/model` or `model`, which may hold `*`; the most particular pattern
        wins.

        Raises BadPolicy for a price whose tier would never hold.
        """
        if problems := [
            text for name, price in own.items() for text in _problems(f"prices.{name}", price)
        ]:
            raise BadPolicy(problems)
        self._own = tuple(
            (Names([pattern]), rates_of(own[pattern].model_dump(exclude_none=True)))
            for pattern in sorted(own, key=_particular, reverse=True)
        )
        self._remembered: dict[tuple[str, str, str], Rates | None] = {}

    def find(self, provider: str, kind: str, model: str) -> Rates | None:
        """The rates of `model` at `provider`, whose row in the table of providers is `kind`. None:
        not known."""
        key = (provider, kind, model)
        try:
            return self._remembered[key]
        except KeyError:
            found = self._own_rates(provider, model) or _built_in(kind, model)
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = found
        return found

    def _own_rates(self, provider: str, model: str) -> Rates | None:
        full = f"{provider}/{model}"
        return next((rates for names, rates in self._own if full in names or model in names), None)


def _problems(path: str, price: Price) -> Iterator[str]:
    if (price.tier is None) != (price.above_input_tokens is None):
        yield f"{path}: 'tier' and 'above_input_tokens' need each other"
    if price.tier is not None:
        yield from _problems(f"{path}.tier", price.tier)


def _particular(pattern: str) -> tuple[bool, int, str]:
    """The pattern itself last, so that equals have one order whatever the document's."""
    return (*specificity(pattern), pattern)


def _built_in(kind: str, model: str) -> Rates | None:
    """By the exact name, else by the family of which it is a snapshot.

    No looser than that: `gpt-4o-realtime-preview` begins with `gpt-4o` and costs twice as much.
    """
    models = _table().get(kind, {})
    return models.get(model) or models.get(_SNAPSHOT.sub("", model))


@cache
def _table() -> dict[str, dict[str, Rates]]:
    raw = orjson.loads(files("nexus_sdk.providers").joinpath("prices.json").read_bytes())
    return {
        kind: {model: rates_of(price) for model, price in part["models"].items()}
        for kind, part in raw["kinds"].items()
    }
