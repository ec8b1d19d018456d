"""HMAC-SHA256 (RFC 2104) under one key, for many messages."""

from __future__ import annotations

import hmac


class Mac:
    """Keeps the keyed beginning of the digest and copies it for each message: OpenSSL 3 looks the
    algorithm up anew for every one-shot `hmac.digest`, which costs a caller in the middle of other
    work up to 20 us. Safe to use from any thread. Its repr shows no key."""

    __slots__ = ("_begun",)

    def __init__(self, key: bytes) -> None:
        self._begun = hmac.new(key, digestmod="sha256")

    def __repr__(self) -> str:
        return "Mac()"

    def of(self, message: bytes) -> bytes:
        """The 32 bytes of the digest."""
        digest = self._begun.copy()
        digest.update(message)
        return digest.digest()
