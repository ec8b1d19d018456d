"""One module for each wire format. They do not know each other: the canonical form is what they
share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects import (
    anthropic,
    gemini,
    openai_chat,
    openai_embeddings,
    openai_responses,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.dialect import Dialect

_MODULES = (openai_chat, openai_responses, openai_embeddings, anthropic, gemini)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {module.DIALECT.name: module.DIALECT for module in _MODULES}
)

__all__ = ["DIALECTS"]
