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
OPAQUE = frozenset({"type", "id", "signature", "data", "encrypted_content", "format"})
"""Members of a reasoning block that no reader understands."""
MAX_OPAQUE_ID = 128
_SHORT = frozenset({"type", "id", "format"})


def text_of(block: Json) -> str:
    """The readable text of a reasoning block, whoever made it."""
    form = _form(block)
    if form != "parts":
        return str(block[form]) if form else ""
    parts = [*(block.get("summary") or ()), *(block.get("content") or ())]
    return "\n\n".join(part["text"] for part in parts if part.get("text"))


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
    kept = {key: value for key, value in block.items() if key in OPAQUE and isinstance(value, str)}
    packed = orjson.dumps([entry["origin"], _form(block), kept])
    return PREFIX + base64.urlsafe_b64encode(packed).decode()


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
    if form == "parts":
        kept["summary"] = [{"type": "summary_text", "text": text}] if text else []
    elif form in {"thinking", "text", "summary"}:
        kept[form] = text
    return {"origin": origin, "block": kept}


def _is_opaque(kept: Json) -> bool:
    return (
        isinstance(kept, dict)
        and kept.keys() <= OPAQUE
        and all(isinstance(value, str) for value in kept.values())
        and all(len(kept.get(key, "")) <= MAX_OPAQUE_ID for key in _SHORT)
    )
