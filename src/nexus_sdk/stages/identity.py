"""Who calls: virtual keys, and what each may ask for.

A virtual key is `nvk_` and 64 hexadecimal digits: 256 random bits, shown once. The policy holds its
digest, an HMAC-SHA256 under the installation's *pepper*. The key itself is too long to be guessed,
so a plain hash would do against guessing; what the pepper buys is that a policy file alone is worth
nothing elsewhere: nobody can tell from it whether a key that leaked somewhere is one of ours,
whether two installations know the same key, or add a working key without having the pepper too.
Losing the pepper makes every key invalid.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from nexus_sdk.errors import Malformed, NotAllowed, Unauthenticated
from nexus_sdk.mac import Mac
from nexus_sdk.model import Caller
from nexus_sdk.policy.instants import seconds
from nexus_sdk.stages.selectors import Names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexus_sdk.model import Headers
    from nexus_sdk.policy.document import Key

PREFIX = "nvk_"
ENTROPY_BYTES = 32
HINT_CHARS = 12
OWN_HEADER = "x-nexus-virtual-key"
AWS_SCHEME = "AWS4-HMAC-SHA256"
"""Of a request signed with Signature Version 4 (docs.aws.amazon.com/IAM, "Signing AWS API
requests")."""
HEADERS = (OWN_HEADER, "authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Where a key may stand, first one first: ours, and those of the OpenAI, Anthropic, Gemini and
Azure clients."""
_QUERY_NAMES = frozenset(("key", "api_key", "api-key", "apikey", "access_token", "token"))
_SHOWN = 8
_INDEXED = 16
"""Characters of a key that a message may show, and of a digest that the index is kept by."""


def mint(entropy: bytes) -> str:
    """The virtual key made of `entropy`, `ENTROPY_BYTES` from a cryptographic source."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a virtual key is made of {ENTROPY_BYTES} random bytes")
    return PREFIX + entropy.hex()


def digest(key: str, pepper: bytes) -> str:
    """What the policy keeps of a key: 64 hexadecimal digits."""
    return _digest(key, Mac(pepper))


def _digest(key: str, pepper: Mac) -> str:
    # The key comes from a header and may hold anything; "surrogatepass" makes every text bytes.
    return pepper.of(key.encode("utf-8", "surrogatepass")).hex()


def hint(key: str) -> str:
    """The beginning of a key, by which people tell theirs apart: 32 of its 256 bits."""
    return key[:HINT_CHARS]


@dataclass(frozen=True, slots=True)
class _Entry:
    """`expires_s`: seconds since the epoch; None for never. `models`: None for all; `models_told`:
    the same in words."""

    digest: str
    caller: Caller
    revoked: bool
    expires_s: float | None
    models: Names | None
    models_told: str = ""


class KeyIndex:
    """The keys of a policy, ready to be looked up; compiled once and only read afterwards."""

    __slots__ = ("_by_id", "_by_prefix", "_pepper")

    def __init__(self, keys: Iterable[Key], pepper: bytes) -> None:
        self._pepper = Mac(pepper)
        self._by_id: dict[str, _Entry] = {}
        self._by_prefix: dict[str, list[_Entry]] = {}
        for key in keys:
            entry = _entry(key)
            self._by_id[key.id] = entry
            self._by_prefix.setdefault(key.digest[:_INDEXED], []).append(entry)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"KeyIndex({len(self)} keys)"

    def find(self, key: str) -> _Entry | None:
        """The entry of `key`. A known and an unknown key cost the same digest and at least one
        whole comparison, so that time tells nothing."""
        wanted = _digest(key, self._pepper)
        found = None
        for entry in self._by_prefix.get(wanted[:_INDEXED], _NOBODY):
            if hmac.compare_digest(entry.digest, wanted):
                found = entry
        return found

    def require_model(self, caller: Caller, model: str) -> None:
        """Raises NotAllowed (`model_not_allowed`) when the caller's key may not ask for `model`."""
        entry = self._by_id.get(caller.key_id)
        if entry is None or entry.models is None or model in entry.models:
            return
        raise NotAllowed(
            f"key {caller.key_id!r} may not use model {escaped(model)}; "
            f"it may use: {entry.models_told}",
            code="model_not_allowed",
        )


def _entry(key: Key) -> _Entry:
    caller = Caller(
        key_id=key.id,
        user=key.user,
        project=key.project,
        organisation=key.organisation,
        tags=MappingProxyType(dict(key.tags)),
    )
    expires_s = seconds(key.expires) if key.expires else None
    models = None if key.models is None else Names(key.models)
    told = ", ".join(key.models or ()) or "none"
    return _Entry(key.digest, caller, key.revoked, expires_s, models, told)


_NOBODY = (_Entry("0" * 64, Caller(), revoked=True, expires_s=None, models=None),)
"""Compared with when no digest has the prefix. That a key's digest is all zeros is as likely as
guessing a key, and it would be revoked."""


def identify(index: KeyIndex, headers: Headers, now_s: float, *, query: str = "") -> Caller:
    """Who calls, by the key in `headers`. `now_s`: seconds since the epoch.

    Raises Unauthenticated (`missing_api_key`, `invalid_api_key`, `key_revoked`, `key_expired`) and
    what `presented` raises.
    """
    key = presented(headers, query=query)
    if key is None:
        raise Unauthenticated(
            "no API key: send a virtual key as `Authorization: Bearer nvk_...`",
            code="missing_api_key",
        )
    entry = index.find(key)
    if entry is None:
        raise Unauthenticated(
            f"the API key {_start(key)} is not known here", code="invalid_api_key"
        )
    if entry.revoked:
        raise Unauthenticated(f"the API key {_start(key)} was revoked", code="key_revoked")
    if entry.expires_s is not None and now_s >= entry.expires_s:
        raise Unauthenticated(f"the API key {_start(key)} has expired", code="key_expired")
    return entry.caller


def presented(headers: Headers, *, query: str = "") -> str | None:
    """The key that a request presents, None when it has none.

    Clients insist on a key of their vendor's even when a virtual key is sent beside it, so next to
    a virtual key anything else is ignored. Raises Malformed when two different keys remain, because
    two readers of one request could then disagree on who asks, and when the URL holds one.
    """
    if query:
        _refuse_in_url(query)
    found = _candidates(headers)
    if len(found) < 2:
        return found[0][1] if found else None
    virtual = [key for name, key in found if name == OWN_HEADER or key.startswith(PREFIX)]
    keys = list(dict.fromkeys(virtual or [key for _, key in found]))
    if len(keys) > 1:
        names = ", ".join(dict.fromkeys(name for name, key in found if key in keys))
        raise Malformed(f"the request presents more than one API key ({names}); send one")
    return keys[0]


def _candidates(headers: Headers) -> list[tuple[str, str]]:
    """Header and key, in the order of `HEADERS`. Commas part the values of a repeated header."""
    return [
        (name, key)
        for name in HEADERS
        if (joined := headers.get(name))
        for value in joined.split(",")
        if (key := _authorized(value) if name == "authorization" else value.strip())
    ]


def _authorized(value: str) -> str:
    """The key in a value of `authorization`; empty for a scheme that holds none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return _access_key(rest) if scheme == AWS_SCHEME else ""


def _access_key(credential: str) -> str:
    """A virtual key that an AWS client was given as its access key id, from
    `Credential=<id>/<date>/<region>/<service>/aws4_request`. The signature beside it is not
    checked: it is made with a secret that nobody here has, and the virtual key is the secret
    itself. Any other id belongs to somebody's account at AWS, and is no key of ours."""
    name, _, scope = credential.strip().partition("=")
    key = scope.partition("/")[0]
    return key if name == "Credential" and key.startswith(PREFIX) else ""


def _refuse_in_url(query: str) -> None:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _QUERY_NAMES or value.startswith(PREFIX):
            raise Malformed(
                "an API key in the URL is refused, because URLs are logged; send it as a header",
                code="key_in_url",
            )


def escaped(text: str) -> str:
    """`text` in quotes and short, fit for a message: control characters and the like escaped."""
    return ascii(text if len(text) <= 100 else text[:100] + "...")


def _start(key: str) -> str:
    """As much of a key as a message may show."""
    return ascii(key) if len(key) <= 4 else ascii(key[: min(_SHOWN, len(key) // 2)] + "...")
