"""Which paths carry a wire format that we read, and what a path says of its request: the model, and
whether the answer streams.

Sources: the API references of OpenAI (platform.openai.com), Azure OpenAI (learn.microsoft.com,
"Azure OpenAI in Microsoft Foundry Models REST API reference"), Anthropic (docs.anthropic.com),
Gemini (ai.google.dev/api), Bedrock Runtime (docs.aws.amazon.com, Converse and ConverseStream),
Cohere (docs.cohere.com) and Voyage (docs.voyageai.com).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from nexus_sdk.errors import Malformed
from nexus_sdk.values import value
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.framing import FRAMINGS, SSE

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

type Kind = Literal["", "conversation", "embeddings", "rerank", "count", "list", "kept"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `suffix` is its usual path below a base URL, with `{model}` where the path
    names the model and `{id}` where it names a kept answer; `dialect` is empty where no body is
    translated.

    `kind`: operations of one kind stand in for each other, by translation. `bare`: the dialect's
    requests say neither which model they are for nor whether they stream, because the path does.
    `errors`: the dialect that tells errors where none reads bodies.
    """

    key: str
    method: str
    suffix: str
    dialect: str = ""
    kind: Kind = ""
    bare: bool = False
    errors: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One path of an operation. `served`: what may stand before it at a door of our own, as an
    expression; in process anything may. `streams`: what the path says of it, None when the body
    does. `framing`: how the events of a stream are framed (`wire/framing.py`); a query of `alt=sse`
    asks for server-sent events instead."""

    key: str
    suffix: str
    served: str = "/v1|/openai/v1"
    streams: bool | None = None
    framing: str = SSE


@value
class Found:
    """An operation's path, taken apart: `base` and `suffix` together are the path. `model` is
    decoded, and empty when the path names none; so is `id`, of a kept answer. `served`: a door of
    our own has it there."""

    endpoint: Endpoint
    base: str
    suffix: str
    model: str = ""
    streams: bool | None = None
    framing: str = SSE
    served: bool = False
    id: str = ""


ROWS = (
    Endpoint("chat", "POST", "/chat/completions", "openai_chat", "conversation"),
    Endpoint("messages", "POST", "/messages", "anthropic", "conversation"),
    Endpoint("responses", "POST", "/responses", "openai_responses", "conversation"),
    Endpoint("embeddings", "POST", "/embeddings", "openai_embeddings", "embeddings"),
    Endpoint(
        "generate_content",
        "POST",
        "/models/{model}:generateContent",
        "gemini",
        "conversation",
        bare=True,
    ),
    Endpoint("converse", "POST", "/model/{model}/converse", "bedrock", "conversation", bare=True),
    Endpoint("cohere_chat", "POST", "/v2/chat", "cohere", "conversation"),
    Endpoint("completions", "POST", "/completions", "openai_completions", "conversation"),
    Endpoint("cohere_embed", "POST", "/v2/embed", "cohere_embed", "embeddings"),
    Endpoint(
        "batch_embed_contents",
        "POST",
        "/models/{model}:batchEmbedContents",
        "gemini_batch_embed",
        "embeddings",
        bare=True,
    ),
    Endpoint(
        "embed_content",
        "POST",
        "/models/{model}:embedContent",
        "gemini_embed",
        "embeddings",
        bare=True,
    ),
    Endpoint("predict", "POST", "/models/{model}:predict", "vertex_embed", "embeddings", bare=True),
    Endpoint("rerank", "POST", "/v2/rerank", "cohere_rerank", "rerank"),
    Endpoint("voyage_rerank", "POST", "/rerank", "voyage_rerank", "rerank"),
    Endpoint("count_tokens", "POST", "/messages/count_tokens", "anthropic_count", "count"),
    Endpoint("input_tokens", "POST", "/responses/input_tokens", "openai_count", "count"),
    Endpoint(
        "count_content_tokens",
        "POST",
        "/models/{model}:countTokens",
        "gemini_count",
        "count",
        bare=True,
    ),
    Endpoint("moderations", "POST", "/moderations", "openai_moderations"),
    Endpoint("response", "GET", "/responses/{id}", kind="kept", errors="openai_responses"),
    Endpoint(
        "response_delete", "DELETE", "/responses/{id}", kind="kept", errors="openai_responses"
    ),
    Endpoint(
        "response_cancel", "POST", "/responses/{id}/cancel", kind="kept", errors="openai_responses"
    ),
    Endpoint(
        "response_items",
        "GET",
        "/responses/{id}/input_items",
        kind="kept",
        errors="openai_responses",
    ),
    Endpoint("image_generations", "POST", "/images/generations"),
    Endpoint("image_edits", "POST", "/images/edits"),
    Endpoint("image_variations", "POST", "/images/variations"),
    Endpoint("speech", "POST", "/audio/speech"),
    Endpoint("transcriptions", "POST", "/audio/transcriptions"),
    Endpoint("translations", "POST", "/audio/translations"),
    Endpoint("models", "GET", "/models", kind="list"),
    Endpoint("model", "GET", "/models/{model}", kind="list", bare=True),
    Endpoint("gemini_models", "GET", "/v1beta/models", kind="list", errors="gemini"),
    Endpoint(
        "gemini_model", "GET", "/v1beta/models/{model}", kind="list", bare=True, errors="gemini"
    ),
)

_VERTEX = "/(?:v1|v1beta1)(?:/projects/[A-Za-z0-9.:-]+/locations/[a-z0-9-]+)?/publishers/google"
"""Vertex AI's places; clients with a key alone name no project."""
_GOOGLE = f"/v1|/v1beta|/v1beta1|{_VERTEX}"
"""The Gemini API, and Vertex AI's of the same shape."""
_AZURE = "/openai"
"""Azure's client asks here for what a deployment's path does not have."""
_RESPONSES = f"/v1|/openai/v1|{_AZURE}"

ROUTES = (
    Route("chat", "/deployments/{model}/chat/completions", _AZURE),
    Route("embeddings", "/deployments/{model}/embeddings", _AZURE),
    Route("completions", "/deployments/{model}/completions", _AZURE),
    Route("responses", "/deployments/{model}/responses", _AZURE),
    Route("image_generations", "/deployments/{model}/images/generations", _AZURE),
    Route("transcriptions", "/deployments/{model}/audio/transcriptions", _AZURE),
    Route("translations", "/deployments/{model}/audio/translations", _AZURE),
    Route("generate_content", "/models/{model}:generateContent", _GOOGLE, streams=False),
    Route(
        "generate_content",
        "/models/{model}:streamGenerateContent",
        _GOOGLE,
        streams=True,
        framing="json_array",
    ),
    Route("count_content_tokens", "/models/{model}:countTokens", _GOOGLE),
    Route("embed_content", "/models/{model}:embedContent", _GOOGLE),
    Route("batch_embed_contents", "/models/{model}:batchEmbedContents", _GOOGLE),
    Route("predict", "/models/{model}:predict", _VERTEX),
    Route("converse", "/model/{model}/converse", "|/bedrock", streams=False),
    Route(
        "converse",
        "/model/{model}/converse-stream",
        "|/bedrock",
        streams=True,
        framing="aws_events",
    ),
    Route("count_tokens", "/messages/count_tokens", "/v1|/anthropic/v1"),
    Route("messages", "/messages", "/v1|/anthropic/v1"),
    Route("chat", "/chat/completions"),
    Route("completions", "/completions"),
    Route("input_tokens", "/responses/input_tokens", _RESPONSES),
    Route("responses", "/responses", _RESPONSES),
    Route("response", "/responses/{id}", _RESPONSES),
    Route("response_delete", "/responses/{id}", _RESPONSES),
    Route("response_cancel", "/responses/{id}/cancel", _RESPONSES),
    Route("response_items", "/responses/{id}/input_items", _RESPONSES),
    Route("embeddings", "/embeddings"),
    Route("moderations", "/moderations"),
    Route("image_generations", "/images/generations"),
    Route("image_edits", "/images/edits"),
    Route("image_variations", "/images/variations"),
    Route("speech", "/audio/speech"),
    Route("transcriptions", "/audio/transcriptions"),
    Route("translations", "/audio/translations"),
    Route("cohere_chat", "/v2/chat", ""),
    Route("cohere_embed", "/v2/embed", ""),
    Route("rerank", "/v2/rerank", ""),
    Route("voyage_rerank", "/rerank", "/v1"),
    Route("gemini_models", "/v1beta/models", ""),
    Route("gemini_model", "/v1beta/models/{model}", ""),
    Route("models", "/models", f"/v1|/openai/v1|/anthropic/v1|{_AZURE}|{_VERTEX}"),
    Route("model", "/models/{model}", f"/v1|/openai/v1|/anthropic/v1|{_AZURE}|{_VERTEX}"),
)
"""The first that fits holds. What stands in an operation's more particular path comes before what
the end of it would match."""


def _known(row: Endpoint) -> bool:
    return not row.dialect or row.dialect in DIALECTS


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({row.key: row for row in ROWS if _known(row)})
"""Those whose dialect there is."""

MAX_PATH_CHARS = 2048
"""Longer ones name nothing; an ARN, escaped, has some 150."""
_PLAIN = r"[A-Za-z0-9._~!$&'()*+,=:@-]"
_PLAIN_PATH = rf"(?:/(?!\.{{1,2}}(?:/|$)){_PLAIN}+)"
"""Segments of RFC 3986's unreserved and delimiting characters, but for `;` and escapes: servers
disagree on what `//`, `..`, `%2e`, `\\` and `;` mean, so a path that holds one names nothing."""
_MODEL = r"(?P<model>(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~@+:-]|%3[Aa]|%2[Ff]|%40)+)"
"""The one segment that may hold escapes, of the three characters that models' names have and that
clients escape in a segment: `:` (botocore does), `/` (an ARN, `org/name`) and `@`. They are decoded
once. Any other escape has a second reading or no need, so the path names nothing."""
_ID = r"(?P<id>[A-Za-z0-9_-]{1,256})"
"""Letters, numbers, underscores and dashes, as OpenAI's API says of these ids."""
_NO_NAME = re.compile(r"(?:^|/)(?:\.{0,2})(?:/|$)")
"""Empty and dot segments of a decoded name: joined to a path again, it would be another path."""


def _expression(suffix: str) -> re.Pattern[str]:
    ends = re.escape(suffix)
    for name, form in (("{model}", _MODEL), ("{id}", _ID)):
        ends = ends.replace(re.escape(name), form)
    return re.compile(f"(?P<base>{_PLAIN_PATH}*)(?P<suffix>{ends})", re.ASCII)


class Paths:
    """The routes of some operations. `framings`: those that there are; a route that needs another
    one is left out."""

    def __init__(self, endpoints: Mapping[str, Endpoint], framings: Container[str]) -> None:
        self._rows = tuple(
            (
                route,
                endpoints[route.key],
                _expression(route.suffix),
                re.compile(route.served, re.ASCII),
            )
            for route in ROUTES
            if route.key in endpoints and route.framing in framings
        )
        self._remembered = lru_cache(maxsize=1024)(self._found)

    def match(self, method: str, path: str) -> Found | None:
        """The operation of a request, whatever stands before its suffix (`/v1`, `/openai/v1`,
        nothing); None for any other. `path` is as it was sent, without its query. Letter case
        counts."""
        return self._remembered(method, path) if len(path) <= MAX_PATH_CHARS else None

    def served(self) -> tuple[str, ...]:
        """`METHOD /path` of every operation at a door of our own, each at its first place."""
        return tuple(
            f"{endpoint.method} {route.served.partition('|')[0]}{route.suffix}"
            for route, endpoint, _, _ in self._rows
        )

    def _found(self, method: str, path: str) -> Found | None:
        for route, endpoint, expression, served in self._rows:
            if endpoint.method != method or (parts := expression.fullmatch(path)) is None:
                continue
            model = unquote(parts.groupdict().get("model") or "")
            if model and _NO_NAME.search(model):
                return None
            return Found(
                endpoint,
                parts["base"],
                parts["suffix"],
                model,
                route.streams,
                route.framing,
                served=served.fullmatch(parts["base"]) is not None,
                id=parts.groupdict().get("id") or "",
            )
        return None


PATHS = Paths(ENDPOINTS, FRAMINGS)
match = PATHS.match


def framing(found: Found, query: str) -> str:
    """How the caller wants a stream's events framed."""
    return SSE if "alt=sse" in query.split("&") else found.framing


def located(endpoint: Endpoint, path: str) -> Found | None:
    """What the path of a request to `endpoint` says beyond that; None for a plain path, which says
    nothing. `path`: from the suffix on. Raises Malformed when it ought to say more than it does."""
    if path == endpoint.suffix and not endpoint.bare:
        return None
    found = match(endpoint.method, path)
    if found is not None and found.endpoint is endpoint and (found.model or found.id):
        return found
    if endpoint.bare:
        raise Malformed(
            f"the path names no model; it must end like {endpoint.suffix}", param="model"
        )
    return None
