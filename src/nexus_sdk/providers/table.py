"""The providers we can send to: a row each, no code.

A row says where a provider is, how it takes a key, and which dialect it speaks at which path. What
differs from the usual has its reason and source in `because`, and in each of its quirks. The
policy's provider wins over its row: base URL, headers, and whether usage is asked for in streams.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.providers import compatible, vendors
from nexus_sdk.providers.row import AUTH, Family, Row
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.framing import FRAMINGS
from nexus_sdk.wire.ways import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALL", "AUTH", "TABLE", "Family", "Row", "Way", "auth_headers", "url"]

ALL = (*vendors.ROWS, *compatible.ROWS)


def _spoken(ways: Mapping[str, Way]) -> Mapping[str, Way]:
    """The ways whose operation, dialect and framing there are."""
    return {
        key: way
        for key, way in ways.items()
        if key in ENDPOINTS
        and way.framing in FRAMINGS
        and (not way.dialect or way.dialect in DIALECTS)
    }


def _served(row: Row) -> Row:
    families = tuple(replace(part, endpoints=_spoken(part.endpoints)) for part in row.families)
    return replace(row, endpoints=_spoken(row.endpoints), families=families)


TABLE: Mapping[str, Row] = MappingProxyType(
    {row.name: row for row in map(_served, ALL) if row.dialects}
)


def url(row: Row, base_url: str | None, endpoint: str) -> str:
    """Where a request of `endpoint` goes. `base_url` (the policy's) wins over the row's; one that
    ends in a slash means the same. Raises KeyError when the provider has no such endpoint."""
    return (base_url or row.base_url).rstrip("/") + row.endpoints[endpoint].path


def auth_headers(row: Row, key: str | None) -> dict[str, str]:
    """The headers that carry `key`, and those the provider wants with every request. Without a key
    only the latter: a server of one's own may ask for none."""
    headers = dict(row.headers)
    if key:
        name, form = AUTH[row.auth]
        headers[name] = form.format(key)
    return headers
