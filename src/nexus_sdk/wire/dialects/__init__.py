"""One module for each wire format. They do not know each other: the canonical form is what they
share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects import (
    anthropic,
    bedrock,
    cohere,
    cohere_embed,
    cohere_rerank,
    gemini,
    gemini_embed,
    nova_embed,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_moderations,
    openai_responses,
    replicate,
    titan_embed,
    vertex_embed,
    voyage_embed,
    voyage_rerank,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.dialect import Dialect

_ALL: tuple[Dialect, ...] = (
    openai_chat.DIALECT,
    openai_responses.DIALECT,
    openai_embeddings.DIALECT,
    anthropic.DIALECT,
    gemini.DIALECT,
    bedrock.DIALECT,
    cohere.DIALECT,
    replicate.DIALECT,
    openai_completions.DIALECT,
    anthropic.COUNT,
    openai_responses.COUNT,
    gemini.COUNT,
    gemini.VERTEX_COUNT,
    cohere_embed.DIALECT,
    cohere_embed.BEDROCK,
    gemini_embed.DIALECT,
    gemini_embed.BATCH,
    nova_embed.DIALECT,
    titan_embed.DIALECT,
    vertex_embed.DIALECT,
    voyage_embed.DIALECT,
    cohere_rerank.DIALECT,
    voyage_rerank.DIALECT,
    openai_moderations.DIALECT,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})

__all__ = ["DIALECTS"]
