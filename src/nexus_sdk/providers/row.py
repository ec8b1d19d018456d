"""What a provider's row says. The rows are in `vendors.py` and `compatible.py`, and `table.py` puts
them together."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nexus_sdk.model import NOTHING
from nexus_sdk.wire.ways import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.stages.adapting import Quirk

type Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "token"]

AUTH: Mapping[Auth, tuple[str, str]] = MappingProxyType(
    {
        "bearer": ("authorization", "Bearer {}"),
        "x-api-key": ("x-api-key", "{}"),
        "api-key": ("api-key", "{}"),
        "x-goog-api-key": ("x-goog-api-key", "{}"),
        "token": ("authorization", "Token {}"),
    }
)
"""The header that carries a key, and its form."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose operations are done in another way: these in place of the row's."""

    models: tuple[str, ...]
    endpoints: Mapping[str, Way]


@dataclass(frozen=True, slots=True)
class Row:
    """`base_url`: empty when every installation has its own; it may hold the policy's fields, and
    `base_urls` has those that depart from it, by `field=value`. `private_network`: that address is
    on this machine. `fields`: what a policy may say for the templates, with what holds when it does
    not; None where it has to.

    `auth`: how a key is sent. `credentials`: kinds of `providers/credentials.py` that it takes as
    well; `audience`: what their tokens or signatures are for. `key_variable`: where the vendor's
    own client looks for the key.

    `endpoints`: by the key of `wire.endpoints.ENDPOINTS`, how the operation is done; `families`:
    what models have other ways. `headers`: sent with every request. `stream_usage`: chat streams
    end with their usage only when asked with `stream_options: {include_usage: true}`, and the
    provider takes that. `keeps_responses`: answers of the Responses API can be read and followed
    there later. `quirks`: what its copy of a dialect does otherwise.

    `because`: for each field that departs from the plain case, why, and where that is written.
    """

    name: str
    base_url: str
    auth: Auth
    endpoints: Mapping[str, Way]
    headers: Mapping[str, str] = NOTHING
    stream_usage: bool = False
    because: Mapping[str, str] = NOTHING
    families: tuple[Family, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    fields: Mapping[str, str | None] = MappingProxyType({})
    base_urls: Mapping[str, str] = NOTHING
    private_network: bool = False
    credentials: tuple[str, ...] = ()
    audience: str = ""
    key_variable: str = ""
    keeps_responses: bool = False

    @property
    def ways(self) -> tuple[Way, ...]:
        """All of them."""
        own = tuple(self.endpoints.values())
        return own + tuple(way for family in self.families for way in family.endpoints.values())

    @property
    def dialects(self) -> tuple[str, ...]:
        """What it speaks, in the order of its endpoints, each once."""
        return tuple(dict.fromkeys(way.dialect for way in self.ways if way.dialect))


_WAYS = {
    "chat": Way("openai_chat", "/chat/completions"),
    "responses": Way("openai_responses", "/responses"),
    "input_tokens": Way("openai_count", "/responses/input_tokens"),
    "completions": Way("openai_completions", "/completions"),
    "embeddings": Way("openai_embeddings", "/embeddings"),
    "moderations": Way("openai_moderations", "/moderations"),
    "rerank": Way("cohere_rerank", "/rerank"),
    "image_generations": Way("", "/images/generations"),
    "image_edits": Way("", "/images/edits"),
    "image_variations": Way("", "/images/variations"),
    "speech": Way("", "/audio/speech"),
    "transcriptions": Way("", "/audio/transcriptions"),
    "translations": Way("", "/audio/translations"),
    "models": Way("", "/models"),
}


def speaks(*keys: str) -> Mapping[str, Way]:
    """The operations of OpenAI's API at their own places, below a base URL that ends in `/v1` or
    the like. Each lists models."""
    return {key: _WAYS[key] for key in (*keys, "models")}
