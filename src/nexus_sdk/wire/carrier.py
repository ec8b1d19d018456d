"""One vendor's reasoning through another vendor's client, and back.

A client of dialect B replays what it was given. So a reasoning block of vendor A is given to it in
B's own form, with A's signature or ciphertext packed into B's opaque field; when it comes back, the
block is put together again.

Only opaque members are packed. The readable text stays where B's readers, and our own inspection,
see it: a client cannot hide text from the policy in a token that it made up.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

PREFIX = "nexus.1."
OPAQUE = frozenset({
    "type", "id", "signature", "data", "encrypted_content", "format", "status", "index",
})  # fmt: skip
"""Members of a reasoning block that no reader understands."""
MAX_OPAQUE_ID = 128
MAX_INDEX = 10_000
_SHORT = frozenset({"type", "id", "format", "status"})
_LISTS = ("summary", "content")
_SEPARATOR = "\n\n"


def text_of(block: Json) -> str:
    """The readable text of a reasoning block, whoever made it."""
    form = _form(block)
    if form != "parts":
        return str(block[form]) if form else ""
    parts = [part for name in _LISTS for part in block.get(name) or ()]
    return _SEPARATOR.join(part["text"] for part in parts if part.get("text"))


def _form(block: Json) -> str:
    """Where the text stands: Anthropic's `thinking`, OpenRouter's `text` or `summary`, or the
    `parts` of a Responses item; empty when there is none."""
    for key in ("thinking", "text", "summary"):
        if isinstance(block.get(key), str):
            return key
    return "parts" if isinstance(block.get("summary"), list) else ""


def pack(entry: Json) -> str:
    """A token for the opaque part of an entry of `reasoning_blocks`."""
    block = entry["block"]
    kept = {key: value for key, value in block.items() if key in OPAQUE and _is_atom(value)}
    form = _form(block)
    packed = orjson.dumps([entry["origin"], _shape(block) if form == "parts" else form, kept])
    return PREFIX + base64.urlsafe_b64encode(packed).decode()


def _shape(block: Json) -> Json:
    """The lists of a Responses item as type and length of each part, in characters: how its text is
    to be cut again."""
    return {
        name: block[name]
        and [[part.get("type"), len(part.get("text") or "")] for part in block[name]]
        for name in _LISTS
        if name in block
    }


def is_packed(token: Json) -> bool:
    return isinstance(token, str) and token.startswith(PREFIX)


def unpack(token: str, text: str) -> Json | None:
    """The entry that `pack` made, with its readable `text`; None for any other opaque value."""
    if not is_packed(token):
        return None
    try:
        origin, form, kept = orjson.loads(base64.urlsafe_b64decode(token[len(PREFIX) :]))
    except (binascii.Error, TypeError, ValueError):
        return None
    if not _is_opaque(kept) or not isinstance(origin, str):
        return None
    if isinstance(form, dict):
        kept |= _cut(form, text)
    elif form in {"thinking", "text", "summary"}:
        kept[form] = text
    return {"origin": origin, "block": kept}


def _cut(shape: Json, text: str) -> Json:
    """`text` in the parts that `shape` tells; in one part where it is another text by now."""
    out: Json = {}
    place = 0
    for name in _LISTS:
        if name not in shape:
            continue
        told: list[Json] = []
        for part in shape[name] if isinstance(shape[name], list) else ():
            if not _is_part(part):
                return _one_part(text)
            kind, length = part
            place += len(_SEPARATOR) if length and place else 0
            told.append({"type": kind, "text": text[place : place + length]})
            place += length
        out[name] = told if shape[name] is not None else None
    return out if place == len(text) and text_of(out) == text else _one_part(text)


def _is_part(told: Json) -> bool:
    return (
        isinstance(told, list)
        and [type(member) for member in told] == [str, int]
        and len(told[0]) <= MAX_OPAQUE_ID
        and told[1] >= 0
    )


def _one_part(text: str) -> Json:
    return {"summary": [{"type": "summary_text", "text": text}] if text else []}


def _is_atom(value: Json) -> bool:
    return value is None or type(value) is str or (type(value) is int and 0 <= value <= MAX_INDEX)


def _is_opaque(kept: Json) -> bool:
    return (
        isinstance(kept, dict)
        and kept.keys() <= OPAQUE
        and all(map(_is_atom, kept.values()))
        and all(len(str(kept.get(key))) <= MAX_OPAQUE_ID for key in _SHORT)
    )
