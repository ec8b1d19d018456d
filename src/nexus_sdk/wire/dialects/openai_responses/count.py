"""`POST /v1/responses/input_tokens`: a response's input, counted before it is asked for.

Source: https://platform.openai.com/docs/api-reference/responses/input-tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire import failures, token_counts, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.openai_responses import decode, encode, items
from nexus_sdk.wire.dialects.openai_responses.words import TEXT

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Facts, Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def read(doc: Json) -> Facts:
    told = decode.read(doc)
    whole.refuse_stream(doc)
    return token_counts.facts(told)


def request(chat: Json, report: Report) -> Json:
    return without(encode.request(token_counts.counted(chat), report), {"store", "include"})


def response(answer: Json, reply: Reply) -> Json:
    return {"object": "response.input_tokens"} | token_counts.encode(answer, reply)


DIALECT = whole.dialect(
    "openai_count",
    text=TEXT,
    read=read,
    request=(decode.request, request),
    response=(token_counts.decode, response),
    usage=token_counts.usage,
    error=(failures.openai_error, failures.openai_relay),
    strip_foreign=items.strip_foreign,
)
