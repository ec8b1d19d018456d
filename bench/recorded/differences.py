"""Where two documents differ, address by address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.wire.json import Json

ABSENT = "(absent)"
_PLACES = re.compile(r"(?<=\.)\d+(?=[.:]|$)|(?<=properties\.)[^.:]+")


class Difference(NamedTuple):
    """`before` and `after` are values, or `ABSENT`."""

    path: str
    before: Json
    after: Json


def differences(before: Json, after: Json, path: str = "") -> Iterator[Difference]:
    if type(before) is dict and type(after) is dict:
        for key in before | after:
            yield from differences(
                before.get(key, ABSENT), after.get(key, ABSENT), f"{path}.{key}" if path else key
            )
    elif type(before) is list and type(after) is list and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}.{place}")
    elif before != after or (type(before) is bool) is not (type(after) is bool):
        yield Difference(path, before, after)


def general(path: str) -> str:
    """The address without places in lists and names in schemas, so that like ones count as
    one."""
    return _PLACES.sub("*", path)
