"""When two requests may share one answer, and which answers may be shared.

The key holds everything that decides the answer or who may see it. When in doubt there is no key: a
miss costs money, a wrong hit shows somebody else's answer.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nexus_sdk.model import Cached, Caller, Headers, Target
    from nexus_sdk.policy.document import Cache
    from nexus_sdk.stages.selectors import Ask

type Doc = Mapping[str, Any]
"""A JSON object."""

STORED_AT = "x-nexus-stored-at"
"""Unix seconds, among the headers of a stored answer only; never sent."""
_LAYOUT = "nexus-cache-2"

_SCOPES: dict[str, Callable[[Caller], tuple[str, ...]]] = {
    "key": lambda caller: (caller.key_id,),
    "user": lambda caller: (caller.user, caller.organisation),
    "project": lambda caller: (caller.project, caller.organisation),
    "organisation": lambda caller: (caller.organisation,),
}
"""Who shares. The first value must be known; the organisation keeps equal names in two of them
apart."""


def key(
    cache: Cache, ask: Ask, targets: Iterable[Target], body: Doc, policy_hash: str
) -> str | None:
    """The key of a request's answer; None when it must not come from the cache or go there.

    `body`: the parsed request after inspection. `targets`: all that the plan may reach, in any
    order.
    """
    if not cache.enabled or not _repeatable(cache, ask, body):
        return None
    scope = _scope(cache, ask.caller)
    if scope is None:
        return None
    places = sorted({(target.provider, target.model) for target in targets})
    form = ask.framing if ask.stream else None
    parts = (_LAYOUT, cache.scope, scope, policy_hash, ask.endpoint, ask.dialect, ask.model, form)
    try:
        whole = orjson.dumps((*parts, places, body), option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number of more than 64 bits, or half a surrogate pair
        return None
    return sha256(whole).hexdigest()


def _scope(cache: Cache, caller: Caller) -> tuple[str, ...] | None:
    """None when it is not known who asks: unknown callers are not one caller."""
    if cache.scope == "all":
        return ()
    values = _SCOPES[cache.scope](caller)
    return values if values[0] else None


def refused_by(headers: Headers) -> bool:
    """The caller wants its answer fresh: `x-nexus-cache: off`, or `cache-control` with no-cache or
    no-store (RFC 9111, 5.2.1)."""
    if headers.get("x-nexus-cache", "").strip().lower() == "off":
        return True
    directives = headers.get("cache-control", "").lower().split(",")
    return any(directive.strip() in ("no-cache", "no-store") for directive in directives)


def _repeatable(cache: Cache, ask: Ask, body: Doc) -> bool:
    """Several answers to one question are asked for their variety; a conversation kept by the
    provider, or work in the background, is more than its answer."""
    settings = body.get("generationConfig", body)  # Gemini keeps them apart
    if not isinstance(settings, dict):
        return False
    if settings.get("n") not in (None, 1) or settings.get("candidateCount") not in (None, 1):
        return False
    if body.get("conversation") or body.get("background"):
        return False
    return cache.when == "always" or "embed" in ask.endpoint or _deterministic(settings)


def _deterministic(settings: Doc) -> bool:
    """Temperature 0, or a seed. Embeddings need neither."""
    temperature, seed = settings.get("temperature"), settings.get("seed")
    return _is_number(seed) or (_is_number(temperature) and temperature == 0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ---- storing -------------------------------------------------------------------------------------

_UNFINISHED = frozenset({"failed", "cancelled", "incomplete", "queued", "in_progress"})
"""`status` of an OpenAI response that is not, or not yet, an answer (the `Response` object of its
API reference)."""


def storable(cache: Cache, answer: Cached, *, complete: bool) -> bool:
    """`complete`: the answer came to its proper end and is no error; a stream held no error
    event."""
    return complete and answer.status == 200 and 0 < len(answer.body) <= cache.max_entry_bytes


def is_unfinished(doc: Doc) -> bool:
    """Whether a whole answer is an error, or none yet, in spite of its status."""
    return bool(doc.get("error")) or doc.get("type") == "error" or doc.get("status") in _UNFINISHED


def stamped(headers: Headers, now: float) -> dict[str, str]:
    """Headers to store with an answer, so that its age can be told."""
    return {**headers, STORED_AT: str(int(now))}


def hit_headers(stored: Headers, now: float) -> dict[str, str]:
    """The headers of a stored answer as they are sent, with its `age` in whole seconds (RFC 9111,
    5.1)."""
    sent = dict(stored)
    stored_at = int(sent.pop(STORED_AT, now))
    return {**sent, "x-nexus-cache": "hit", "age": str(max(int(now) - stored_at, 0))}
