"""The Anthropic Messages API.

Source: https://docs.anthropic.com/en/api/messages, version 2023-06-01, and the types of the
anthropic package 2.12. A field that is not named here travels unchanged in both directions.
"""

from __future__ import annotations

from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.anthropic import blocks, decode, encode, errors, response, watch
from nexus_sdk.wire.dialects.anthropic.count import DIALECT as COUNT
from nexus_sdk.wire.dialects.anthropic.stream_decoder import Decoder
from nexus_sdk.wire.dialects.anthropic.stream_encoder import Encoder
from nexus_sdk.wire.dialects.anthropic.words import TEXT

DIALECT = Dialect(
    name="anthropic",
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=blocks.strip_foreign,
    usage=response.usage,
    encode_error=errors.encode,
    decode_error=failures.read,
    relay_error=errors.relay,
    error_events=errors.events,
    stream_decoder=Decoder,
    stream_encoder=Encoder,
    slots=watch.slots,
    closes=watch.closes,
    delta=watch.delta,
    terminal=watch.terminal,
    stream_error=failures.in_stream,
    stream_usage=response.stream_usage,
    resequencer=as_they_are,
)

__all__ = ["COUNT", "DIALECT"]
