"""Thought signatures: Gemini's own, and other vendors' reasoning in their place.

A signature is bytes, told in base64 or base64url; clients read it and write it again. So what
another vendor signed is packed (`wire/carrier.py`) and put into base64 once more.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from nexus_sdk.wire import carrier

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_HEADS = ("bmV4dXMuMS", carrier.PREFIX)
"""How a packed token begins in base64, and as it is."""


def seal(entry: Json) -> str:
    """A signature that carries an entry of another vendor."""
    return base64.urlsafe_b64encode(carrier.pack(entry).encode()).decode()


def is_sealed(signature: Json) -> bool:
    return isinstance(signature, str) and signature.startswith(_HEADS)


def unseal(signature: str, text: str) -> Json | None:
    """The entry that `seal` made, with its readable text; None for any other signature."""
    if not is_sealed(signature):
        return None
    try:
        told = base64.urlsafe_b64decode(standard(signature).replace("+", "-").replace("/", "_"))
        return carrier.unpack(told.decode(), text)
    except (binascii.Error, UnicodeDecodeError):
        return None


def standard(data: str) -> str:
    """Base64 in either alphabet, padded or not, as everybody takes it: RFC 4648, section 4."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)
