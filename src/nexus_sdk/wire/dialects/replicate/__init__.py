"""Replicate's predictions, for its language models: a target, and a door for whole answers.

A prediction takes several exchanges: it is created, asked for until it has ended, and its stream
has an address of its own (`polling`). A door has one exchange, so it answers the ended prediction
at once, and refuses to stream.

Sources: https://replicate.com/docs/reference/http, https://replicate.com/docs/topics/predictions
and the schemas of the models named in `words`.
"""

from __future__ import annotations

from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.replicate import decode, encode, response, stream
from nexus_sdk.wire.dialects.replicate.words import NAME, TEXT

DIALECT = Dialect(
    name=NAME,
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=encode.as_it_is,
    usage=response.usage,
    encode_error=response.encode_error,
    decode_error=failures.read,
    relay_error=response.relay_error,
    error_events=stream.error_events,
    stream_decoder=stream.Decoder,
    stream_encoder=stream.no_door,
    slots=stream.no_door,
    closes=stream.no_door,
    delta=stream.no_door,
    terminal=stream.terminal,
    stream_error=stream.error,
    stream_usage=response.usage,
    resequencer=as_they_are,
    plain=stream.PLAIN,
)

__all__ = ["DIALECT"]
