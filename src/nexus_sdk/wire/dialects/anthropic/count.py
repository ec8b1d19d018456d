"""`POST /v1/messages/count_tokens`: a message's input, counted before it is sent.

Source: https://docs.anthropic.com/en/api/messages-count-tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import token_counts, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.anthropic import blocks, decode, encode, errors
from nexus_sdk.wire.dialects.anthropic.words import TEXT

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Facts
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def read(doc: Json) -> Facts:
    """As for a message, but for the `max_tokens` that it does not take."""
    told = decode.read({"max_tokens": 0} | doc if isinstance(doc, dict) else doc)
    whole.refuse_stream(doc)
    return token_counts.facts(told)


def request(chat: Json, report: Report) -> Json:
    counted = token_counts.counted(chat) | {"max_completion_tokens": 1}
    return without(encode.request(counted, report), {"max_tokens"})


DIALECT = whole.dialect(
    "anthropic_count",
    text=TEXT,
    read=read,
    request=(decode.request, request),
    response=(token_counts.decode, token_counts.encode),
    usage=token_counts.usage,
    error=(errors.encode, errors.relay),
    strip_foreign=blocks.strip_foreign,
)
