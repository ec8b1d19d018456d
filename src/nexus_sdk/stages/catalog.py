"""`GET /models` of the sidecar: the names a key may ask for, what can be done with each, and what
it costs, from the policy and the table of providers alone.

The shape is that of the client that asks (`vendor_of`), OpenAI's for any other. What we add stands
under `nexus` in each entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import NotAllowed, NotFound
from nexus_sdk.model import Answer
from nexus_sdk.stages import counting
from nexus_sdk.stages.reachable import targets
from nexus_sdk.values import value
from nexus_sdk.wire.endpoints import ENDPOINTS, located
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nexus_sdk.model import Caller, Request, Target
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.stages.cost import Rates
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.ways import Way

OWNER = "nexus"
LISTS = frozenset(key for key, row in ENDPOINTS.items() if row.kind == "list")
"""The operations that are answered here."""
_USD_PER_MILLION = 10**6
"""Picodollars for a token in one USD for a million tokens."""


@value
class _Entry:
    """`about`: what we say of it ourselves. `ceiling`: tokens that its answers may have, None when
    not known."""

    name: str
    endpoints: tuple[str, ...]
    ceiling: int | None
    about: Json


def answer(snapshot: Snapshot, caller: Caller, request: Request) -> Answer:
    """The list, or the one entry that the path names. Raises NotFound."""
    list_of, entry_of = _SHAPES[vendor_of(request)]
    headers = {"content-type": "application/json", "x-nexus-request-id": request.id}
    endpoint = ENDPOINTS[request.endpoint]
    if endpoint.bare:
        found = located(endpoint, request.path)
        assert found is not None, "a bare operation's path names a model, or is refused"
        name = found.model
        if name not in snapshot.routes.trees or not _allowed(snapshot, caller, name):
            raise NotFound(
                f"model {name[:100]!a} is not among those that this key may use",
                code="model_not_found",
            )
        return Answer(200, headers, dumps(entry_of(_entry(snapshot, name))))
    names = [name for name in sorted(snapshot.routes.trees) if _allowed(snapshot, caller, name)]
    entries = [_entry(snapshot, name) for name in names]
    return Answer(200, headers, dumps(list_of([entry_of(entry) for entry in entries])))


_GOOGLE = frozenset({"x-goog-api-key", "x-goog-api-client"})
"""Google's clients send the second one also where they have a token in the place of a key."""


def vendor_of(request: Request) -> str:
    """Whose client asks for a list. Paths do not tell it, but for Gemini's `/v1beta`."""
    if "anthropic-version" in request.headers:
        return "anthropic"
    if request.endpoint.startswith("gemini_") or not _GOOGLE.isdisjoint(request.headers):
        return "gemini"
    return "cohere" if request.headers.get("user-agent", "").startswith("cohere") else "openai"


def _allowed(snapshot: Snapshot, caller: Caller, name: str) -> bool:
    try:
        snapshot.keys.require_model(caller, name)
    except NotAllowed:
        return False
    return True


# ---- what is known of a name ---------------------------------------------------------------------


def _entry(snapshot: Snapshot, name: str) -> _Entry:
    """Of all the targets that it may lead to: what every one of them does, and what each costs."""
    reached = targets(snapshot.routes.trees[name])
    operations = [_operations(snapshot.accounts[t.provider].ways(t.model)) for t in reached]
    common = [key for key in ENDPOINTS if operations and all(key in some for some in operations)]
    ceilings = [ceiling for t in reached if (ceiling := _ceiling(snapshot, t)) is not None]
    about = {"endpoints": common, "targets": [_target(snapshot, target) for target in reached]}
    return _Entry(name, tuple(common), min(ceilings, default=None), about)


def _operations(ways: Mapping[str, Way]) -> frozenset[str]:
    """What callers can do with a model there: its own operations, and those that are translated to
    one of them."""
    kinds = {ENDPOINTS[key].kind for key, way in ways.items() if way.dialect} - {""}
    if "conversation" in kinds:
        kinds.add(counting.KIND)  # an estimate where nobody counts
    return frozenset(
        key
        for key, row in ENDPOINTS.items()
        if key not in LISTS and (key in ways or (row.dialect and row.kind in kinds))
    )


def _ceiling(snapshot: Snapshot, target: Target) -> int | None:
    account = snapshot.accounts[target.provider]
    spoken = (account.manners.of(name, target.model) for name in account.dialects)
    found = [manner.max_output_tokens for manner in spoken if manner.max_output_tokens is not None]
    return min(found, default=None)


def _target(snapshot: Snapshot, target: Target) -> Json:
    rates = snapshot.rates(target)
    return {
        "provider": target.provider,
        "model": target.model,
        "pricing": None if rates is None else _pricing(rates),
    }


def _pricing(rates: Rates) -> Json:
    """USD for a million tokens of each kind."""
    kinds = ("input", "output", "cache_read", "cache_write", "reasoning")
    told: Json = {kind: getattr(rates, kind) / _USD_PER_MILLION for kind in kinds}
    if rates.tier is not None:
        told |= {"above_input_tokens": rates.above_input_tokens, "tier": _pricing(rates.tier)}
    return told


# ---- shapes --------------------------------------------------------------------------------------


def _openai(entry: _Entry) -> Json:
    """https://platform.openai.com/docs/api-reference/models. A route has no day of creation: 0.
    Mistral's clients refuse an entry without `type` and `capabilities`
    (https://docs.mistral.ai/api, models), which no other client minds."""
    return {
        "id": entry.name,
        "object": "model",
        "created": 0,
        "owned_by": OWNER,
        "type": "base",
        "capabilities": {"completion_chat": "chat" in entry.endpoints},
        "nexus": entry.about,
    }


def _openai_list(data: list[Json]) -> Json:
    return {"object": "list", "data": data}


def _anthropic(entry: _Entry) -> Json:
    """https://docs.anthropic.com/en/api/models-list."""
    return {
        "type": "model",
        "id": entry.name,
        "display_name": entry.name,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_tokens": entry.ceiling,
        "nexus": entry.about,
    }


def _anthropic_list(data: list[Json]) -> Json:
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


_METHODS = {
    "generate_content": ("generateContent", "streamGenerateContent"),
    "count_content_tokens": ("countTokens",),
    "embed_content": ("embedContent",),
    "batch_embed_contents": ("batchEmbedContents",),
}


def _gemini(entry: _Entry) -> Json:
    """https://ai.google.dev/api/models."""
    limit = {} if entry.ceiling is None else {"outputTokenLimit": entry.ceiling}
    return {
        "name": f"models/{entry.name}",
        "version": "1",
        "displayName": entry.name,
        **limit,
        "supportedGenerationMethods": [
            method for key in entry.endpoints for method in _METHODS.get(key, ())
        ],
        "nexus": entry.about,
    }


def _named_list(data: list[Json]) -> Json:
    return {"models": data}


_COHERE = {"cohere_chat": "chat", "cohere_embed": "embed", "rerank": "rerank"}


def _cohere(entry: _Entry) -> Json:
    """https://docs.cohere.com/reference/list-models."""
    return {
        "name": entry.name,
        "endpoints": [name for key, name in _COHERE.items() if key in entry.endpoints],
        "nexus": entry.about,
    }


_SHAPES: Mapping[str, tuple[Callable[[list[Json]], Json], Callable[[_Entry], Json]]] = {
    "openai": (_openai_list, _openai),
    "anthropic": (_anthropic_list, _anthropic),
    "gemini": (_named_list, _gemini),
    "cohere": (_named_list, _cohere),
}
