"""Where the text is in a document: every string leaf but the words of the protocol itself.

A list of places that hold text would miss the place that a provider adds next year; so everything
counts as text, less what a dialect's `TextMap` names as protocol words.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.json import Json, Path

NUMBER_WORTH_READING = 99_999_999
"""A whole number past this (nine digits and more) may be an identifier, and is read as text too."""


@dataclass(frozen=True, slots=True)
class TextMap:
    """`skip`: keys whose value is a protocol word or opaque data, wherever they stand but in
    `free`. `json_text`: keys whose string value is itself JSON, such as a tool call's arguments.

    `typed`: more keys to skip, in objects with this `type` (`data` is text in one kind of source
    and base64 in another). `inside`: more keys to skip, in the object under this key. `media`: keys
    whose value is skipped when it is a `data:` URL. `free`: keys below which all is the user's own
    (a tool's input), where `id` or `type` may name anything: nothing is skipped there.
    """

    skip: frozenset[str]
    json_text: frozenset[str] = frozenset()
    typed: Mapping[str, frozenset[str]] = MappingProxyType({})
    inside: Mapping[str, frozenset[str]] = MappingProxyType({})
    media: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()


ANY_TEXT = TextMap(
    skip=frozenset({"model", "id", "object", "type", "b64_json"}), media=frozenset({"url"})
)
"""For JSON of operations that no dialect reads: nearly every string is text."""

FREE = TextMap(skip=frozenset())
"""Nothing is a protocol word."""


class Leaf(NamedTuple):
    """One text of a document. `number`: the value is a whole number, and `text` its digits."""

    path: Path
    text: str
    json_text: bool = False
    number: bool = False


def leaves(doc: Json, text_map: TextMap) -> list[Leaf]:
    """Every text of `doc`, in the order of the document."""
    found: list[Leaf] = []
    _walk(doc, (), found, text_map)
    return found


def _walk(node: Json, path: Path, found: list[Leaf], text_map: TextMap) -> None:
    if type(node) is dict:
        _walk_object(node, path, found, text_map)
        return
    for index, value in enumerate(node):
        kind = type(value)
        if kind is str:
            if value:
                found.append(Leaf((*path, index), value))
        elif kind is dict or kind is list:
            _walk(value, (*path, index), found, text_map)
        elif kind is int and value > NUMBER_WORTH_READING:
            found.append(Leaf((*path, index), str(value), number=True))


def _walk_object(node: Json, path: Path, found: list[Leaf], text_map: TextMap) -> None:
    skip = text_map.skip
    if "type" in node or (path and path[-1] in text_map.inside):
        skip = _skipped(node, path, text_map)
    for key, value in node.items():
        if key in skip:
            continue
        kind = type(value)
        if kind is str:
            if value and not (key in text_map.media and value.startswith("data:")):
                found.append(Leaf((*path, key), value, key in text_map.json_text))
        elif kind is dict or kind is list:
            _walk(value, (*path, key), found, FREE if key in text_map.free else text_map)
        elif kind is int and value > NUMBER_WORTH_READING:
            found.append(Leaf((*path, key), str(value), number=True))


def _skipped(node: Json, path: Path, text_map: TextMap) -> frozenset[str]:
    """The keys of `node` that hold no text."""
    skip, kind_of = text_map.skip, node.get("type")
    if type(kind_of) is str and kind_of in text_map.typed:
        skip = skip | text_map.typed[kind_of]
    if path and path[-1] in text_map.inside:
        skip = skip | text_map.inside[str(path[-1])]
    return skip


def address(path: Path) -> str:
    """`messages.3.content.0.text`: a path as people read it."""
    return ".".join(map(str, path))
