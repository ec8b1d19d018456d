"""The Cohere chat API, version 2.

Source: https://docs.cohere.com/reference/chat and chat-stream, and the types of the cohere package
7.3. A field that is not named here travels unchanged in both directions.
"""

from __future__ import annotations

from nexus_sdk.wire import envelopes, failures
from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.cohere import decode, encode, errors, messages, response, watch
from nexus_sdk.wire.dialects.cohere.stream_decoder import Decoder
from nexus_sdk.wire.dialects.cohere.stream_encoder import Encoder
from nexus_sdk.wire.dialects.cohere.words import NAME, TEXT

DIALECT = Dialect(
    name=NAME,
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=messages.strip_foreign,
    usage=response.usage,
    encode_error=envelopes.cohere_error,
    decode_error=failures.read,
    relay_error=envelopes.cohere_relay,
    error_events=errors.events,
    stream_decoder=Decoder,
    stream_encoder=Encoder,
    slots=watch.slots,
    closes=watch.closes,
    delta=watch.delta,
    terminal=watch.terminal,
    stream_error=errors.in_stream,
    stream_usage=response.stream_usage,
    resequencer=as_they_are,
)

__all__ = ["DIALECT"]
