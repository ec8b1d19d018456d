"""The identity of a policy: one digest over all that it says.

Audit events, `nexus policy show` and every node name it, so it must not tell what a secret is. Each
secret goes in as an HMAC under the policy's `keys_pepper`, or under a published constant when it
has none: then someone who knows the rest of the document could try guesses of a secret against the
digest, which is hopeless for a provider's key and not for a short password in a header.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.policy.document import Policy

_CONSTANT = b"nexus policy secret, version 1"


def fingerprint(document: Policy, packs: Mapping[str, str]) -> str:
    """64 hexadecimal digits: SHA-256 of the canonical JSON of the document and of its pack files'
    texts. How it was spread over files does not count, its effective values do."""
    pepper = document.keys_pepper
    key = pepper.get_secret_value().encode() if pepper else _CONSTANT

    def written(secret: str) -> str:
        return hmac.digest(key, secret.encode(), hashlib.sha256).hex()

    plain = document.model_dump(mode="json", exclude={"include"}, context={"secret": written})
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in packs.items()}
    canonical = json.dumps([plain, digests], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
