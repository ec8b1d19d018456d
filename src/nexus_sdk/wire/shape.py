"""Checks of a request's shape: the types of what the protocol names, and keys that two readers
could take for one.

Only what is named is checked; a field that we do not know is the upstream's business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nexus_sdk.errors import Malformed

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json


class Kind(NamedTuple):
    """A type of value. `wanted` completes the sentence "... must be ..."."""

    fits: Callable[[Json], bool]
    wanted: str


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Kind(lambda value: isinstance(value, str), "a string")
FLAG = Kind(lambda value: isinstance(value, bool), "true or false")
WHOLE = Kind(_is_whole, "a whole number")
COUNT = Kind(lambda value: _is_whole(value) and value >= 0, "a whole number, 0 or more")
POSITIVE = Kind(lambda value: _is_whole(value) and value >= 1, "a whole number, 1 or more")
NUMBER = Kind(_is_number, "a number")
MEASURE = Kind(lambda value: _is_number(value) and value >= 0, "a number, 0 or more")
OBJECT = Kind(lambda value: isinstance(value, dict), "an object")
LIST = Kind(lambda value: isinstance(value, list), "a list")
OBJECTS = Kind(
    lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
    "a list of objects",
)
SOME_OBJECTS = Kind(
    lambda value: OBJECTS.fits(value) and len(value) > 0, "a list of objects, one at least"
)
CONTENT = Kind(
    lambda value: isinstance(value, str) or OBJECTS.fits(value), "a string or a list of parts"
)
TEXTS = Kind(
    lambda value: (
        isinstance(value, str)
        or (isinstance(value, list) and all(isinstance(item, str) for item in value))
    ),
    "a string or a list of strings",
)
CHOICE = Kind(lambda value: isinstance(value, (str, dict)), "a string or an object")

type Fields = Mapping[str, Kind]

MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError)
"""What reading a document may raise that has not the shape of its format. Whoever hands a foreign
document to a dialect turns these into an error that says whose fault it is."""


def check(node: Json, fields: Fields, path: str = "") -> None:
    """Raises Malformed for the first member of `node` that is not of its kind. Null stands for
    absent, as clients send it. `path` ends in a dot, or is empty."""
    for key, value in node.items():
        kind = fields.get(key)
        if kind is not None and value is not None and not kind.fits(value):
            raise Malformed(f"{path}{key} must be {kind.wanted}", param=path + key)


def need(node: Json, key: str, kind: Kind, path: str = "") -> Json:
    """The member `key`. Raises Malformed when it is absent, null or of another kind."""
    value = node.get(key)
    if value is None:
        raise Malformed(f"{path}{key} is missing; it must be {kind.wanted}", param=path + key)
    if not kind.fits(value):
        raise Malformed(f"{path}{key} must be {kind.wanted}", param=path + key)
    return value


def check_parts(content: Json, path: str) -> None:
    """Each part of a content list names its type. `path` is the list's own."""
    if isinstance(content, list):
        for place, part in enumerate(content):
            need(part, "type", TEXT, f"{path}.{place}.")


def refuse_lookalikes(doc: Json, known: frozenset[str], free: frozenset[str]) -> None:
    """Raises Malformed when an object of the protocol has two keys that differ in letter case or
    width only: readers that fold (Go's JSON, for one) would see another document than the one that
    was judged.

    `known` are keys of which no two are alike, so that an object with these alone needs no look.
    Below a key in `free` all is the user's own data, and is not looked at.
    """
    todo: list[Json] = [doc]
    while todo:
        node = todo.pop()
        if type(node) is list:
            todo += [item for item in node if type(item) is dict or type(item) is list]
            continue
        if not node.keys() <= known:
            _refuse_alike(node)
        for key, value in node.items():
            if (type(value) is dict or type(value) is list) and key not in free:
                todo.append(value)


def _refuse_alike(node: Json) -> None:
    seen: dict[str, str] = {}
    for key in node:
        other = seen.setdefault(unicodedata.normalize("NFKC", key).casefold(), key)
        if other != key:
            raise Malformed(
                f"the keys {other[:64]!r} and {key[:64]!r} are too alike to stand in one object",
                param=key[:64],
            )
