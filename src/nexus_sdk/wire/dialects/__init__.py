"""One module for each wire format. They do not know each other: the canonical form is what they
share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects import (
    anthropic,
    cohere_embed,
    gemini_embed,
    nova_embed,
    openai_chat,
    openai_embeddings,
    openai_responses,
    replicate,
    titan_embed,
    vertex_embed,
    voyage_embed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.dialect import Dialect

_MODULES = (openai_chat, openai_responses, openai_embeddings, anthropic, replicate)
_MORE = (
    anthropic.COUNT,
    openai_responses.COUNT,
    cohere_embed.DIALECT,
    cohere_embed.BEDROCK,
    gemini_embed.DIALECT,
    gemini_embed.BATCH,
    nova_embed.DIALECT,
    titan_embed.DIALECT,
    vertex_embed.DIALECT,
    voyage_embed.DIALECT,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {dialect.name: dialect for dialect in (*(module.DIALECT for module in _MODULES), *_MORE)}
)

__all__ = ["DIALECTS"]
