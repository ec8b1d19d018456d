"""Gemini's generateContent and streamGenerateContent, of the Gemini API and of Vertex AI.

Sources: https://ai.google.dev/api/generate-content,
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models, and
the types of google-genai 3.6. The model and whether to stream stand in the path, not in the body:
`read` and `decode_request` leave them out, and `encode_request` drops them. A field that is not
named here travels unchanged in both directions.
"""

from __future__ import annotations

from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.gemini import (
    count,
    decode,
    encode,
    errors,
    foreign,
    response,
    usage,
    watch,
)
from nexus_sdk.wire.dialects.gemini.stream_decoder import Decoder
from nexus_sdk.wire.dialects.gemini.stream_encoder import Encoder
from nexus_sdk.wire.dialects.gemini.words import NAME, TEXT

DIALECT = Dialect(
    name=NAME,
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=foreign.strip,
    usage=usage.usage,
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
    stream_usage=usage.usage,
    resequencer=as_they_are,
    trailing=True,
)

COUNT, VERTEX_COUNT = count.DIALECT, count.VERTEX

__all__ = ["COUNT", "DIALECT", "VERTEX_COUNT"]
