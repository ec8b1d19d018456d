"""One spelling for the names of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialects.gemini.words import FREE, SPELLINGS

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


def camel(node: Json) -> Json:
    """A copy of `node` with the protocol's names in camel case. The user's own data is shared, and
    names that are not known stay.

    Raises Malformed for an object that has a name in both spellings: readers differ on which holds.
    """
    if type(node) is list:
        return [camel(item) for item in node]
    if type(node) is not dict:
        return node
    out: Json = {}
    for key, value in node.items():
        name = SPELLINGS.get(key, key)
        if name in out:
            raise Malformed(f"{key!r} and its other spelling stand in one object", param=key)
        out[name] = value if key in FREE else camel(value)
    return out


def listed(value: Json) -> list[Json]:
    """A repeated field. Google's own parser takes one object for a list of one."""
    if value is None:
        return []
    return [value] if isinstance(value, dict) else value
