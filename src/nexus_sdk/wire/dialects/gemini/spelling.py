"""One spelling for the names of a request."""

from __future__ import annotations

from operator import is_not
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialects.gemini.words import FREE, SPELLINGS

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


def camel(node: Json) -> Json:
    """`node` with the protocol's names in camel case: the same object where it has no others. The
    user's own data is shared, and names that are not known stay.

    Raises Malformed for an object that has a name in both spellings: readers differ on which holds.
    """
    if type(node) is list:
        items = [camel(item) if type(item) in _NESTED else item for item in node]
        return items if any(map(is_not, items, node)) else node
    if type(node) is not dict:
        return node
    found = {
        key: inner
        for key, value in node.items()
        if type(value) in _NESTED and key not in FREE and (inner := camel(value)) is not value
    }
    if not found and SPELLINGS.keys().isdisjoint(node):
        return node
    return _renamed(node, found)


def _renamed(node: Json, found: Json) -> Json:
    out: Json = {}
    for key, value in node.items():
        name = SPELLINGS.get(key, key)
        if name in out:
            raise Malformed(f"{key!r} and its other spelling stand in one object", param=key)
        out[name] = found.get(key, value)
    return out


_NESTED = frozenset({dict, list})


def listed(value: Json) -> list[Json]:
    """A repeated field. Google's own parser takes one object for a list of one."""
    if value is None:
        return []
    return [value] if isinstance(value, dict) else value
