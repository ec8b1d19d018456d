"""The OpenAI Responses API.

Source: https://platform.openai.com/docs/api-reference/responses, and the types of openai-python
3.54. What it keeps on its server (earlier responses, conversations, prompts) and its built-in tools
exist there only.
"""

from __future__ import annotations

from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect
from nexus_sdk.wire.dialects.openai_responses import (
    decode,
    encode,
    items,
    response_decode,
    response_encode,
    stream,
    watch,
)
from nexus_sdk.wire.dialects.openai_responses.count import DIALECT as COUNT
from nexus_sdk.wire.dialects.openai_responses.stream_decoder import Decoder
from nexus_sdk.wire.dialects.openai_responses.stream_encoder import Encoder
from nexus_sdk.wire.dialects.openai_responses.words import TEXT

DIALECT = Dialect(
    name="openai_responses",
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response_decode.response,
    encode_response=response_encode.response,
    strip_foreign=items.strip_foreign,
    usage=stream.usage,
    encode_error=failures.openai_error,
    decode_error=failures.read,
    relay_error=failures.openai_relay,
    error_events=stream.error_events,
    stream_decoder=Decoder,
    stream_encoder=Encoder,
    slots=watch.slots,
    closes=watch.closes,
    delta=watch.delta,
    terminal=stream.terminal,
    stream_error=stream.error,
    stream_usage=stream.usage,
    resequencer=stream.resequencer,
)

__all__ = ["COUNT", "DIALECT"]
