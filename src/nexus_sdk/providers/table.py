"""The providers we can send to: a row each, no code.

A row says where a provider is, how it takes a key, and which dialect it speaks at which path. What
differs from the usual has its reason and source in `because`. The policy's provider wins over its
row: base URL, headers, and whether usage is asked for in streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nexus_sdk.model import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

type Auth = Literal["bearer", "x-api-key"]


@dataclass(frozen=True, slots=True)
class Row:
    """`base_url`: empty when every installation has its own. `endpoints`: by the key of
    `wire.endpoints.ENDPOINTS`, the dialect of the body (empty: it has none) and the path below the
    base URL. `headers`: sent with every request. `stream_usage`: chat streams end with their usage
    only when asked with `stream_options: {include_usage: true}`, and the provider takes that.
    `because`: for each field that departs from the plain case, why, and where that is written.
    """

    name: str
    base_url: str
    auth: Auth
    endpoints: Mapping[str, tuple[str, str]]
    headers: Mapping[str, str] = NOTHING
    stream_usage: bool = False
    because: Mapping[str, str] = NOTHING

    @property
    def dialects(self) -> tuple[str, ...]:
        """What it speaks, in the order of its endpoints, each once."""
        return tuple(dict.fromkeys(dialect for dialect, _ in self.endpoints.values() if dialect))


_CHAT = ("openai_chat", "/chat/completions")
_EMBEDDINGS = ("openai_embeddings", "/embeddings")
_MODELS = ("", "/models")

_ROWS = (
    Row(
        name="openai",
        base_url="https://api.openai.com/v1",
        auth="bearer",
        endpoints={
            "chat": _CHAT,
            "responses": ("openai_responses", "/responses"),
            "embeddings": _EMBEDDINGS,
            "models": _MODELS,
        },
        stream_usage=True,
        because={
            "stream_usage": "a chat stream carries no usage unless asked for; platform.openai.com, "
            "API reference, chat/create, stream_options",
        },
    ),
    Row(
        name="anthropic",
        base_url="https://api.anthropic.com",
        auth="x-api-key",
        endpoints={"messages": ("anthropic", "/v1/messages"), "models": ("", "/v1/models")},
        headers={"anthropic-version": "2023-06-01"},
        because={
            "auth": "a key goes into x-api-key; docs.anthropic.com, API overview, authentication",
            "headers": "a request without a version is refused; docs.anthropic.com, API versioning",
            "endpoints": "/v1 stands in the path: ANTHROPIC_BASE_URL and the vendor's own clients "
            "give the base URL without it",
        },
    ),
    Row(
        name="openai_compatible",
        base_url="",
        auth="bearer",
        endpoints={"chat": _CHAT, "embeddings": _EMBEDDINGS, "models": _MODELS},
        because={
            "base_url": "a server of one's own (vLLM, Ollama, TGI, LM Studio, llama.cpp) or a "
            "vendor that copies the API: there is no common address",
            "stream_usage": "vLLM and Ollama take stream_options, but strict servers refuse fields "
            "that they do not know, so the policy has to say so: stream_usage: true",
        },
    ),
)

TABLE: Mapping[str, Row] = MappingProxyType({row.name: row for row in _ROWS})


def url(row: Row, base_url: str | None, endpoint: str) -> str:
    """Where a request of `endpoint` goes. `base_url` (the policy's) wins over the row's; one that
    ends in a slash means the same. Raises KeyError when the provider has no such endpoint."""
    return (base_url or row.base_url).rstrip("/") + row.endpoints[endpoint][1]


def auth_headers(row: Row, key: str | None) -> dict[str, str]:
    """The headers that carry `key`, and those the provider wants with every request. Without a key
    only the latter: a server of one's own may ask for none."""
    headers = dict(row.headers)
    if key:
        name, form = _AUTH[row.auth]
        headers[name] = form.format(key)
    return headers


_AUTH: dict[Auth, tuple[str, str]] = {
    "bearer": ("authorization", "Bearer {}"),
    "x-api-key": ("x-api-key", "{}"),
}
