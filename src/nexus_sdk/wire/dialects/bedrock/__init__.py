"""Amazon Bedrock's Converse and ConverseStream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, and the
service model of botocore 1.44, bedrock-runtime 2023-09-30. Model and streaming stand in the path
(`/model/{modelId}/converse`, `/converse-stream`): `read` leaves `Facts.model` empty and
`Facts.stream` false, `decode_request` gives neither, and `encode_request` reads the model and tells
neither. An event of a stream has its name from the header `:event-type` or `:exception-type`, and
its data is the payload. Binary members are base64 on the wire.
"""

from __future__ import annotations

from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.bedrock import decode, encode, errors, response, stripping, watch
from nexus_sdk.wire.dialects.bedrock.stream_decoder import Decoder
from nexus_sdk.wire.dialects.bedrock.stream_encoder import Encoder
from nexus_sdk.wire.dialects.bedrock.words import NAME, TEXT

DIALECT = Dialect(
    name=NAME,
    text=TEXT,
    read=decode.read,
    decode_request=decode.request,
    encode_request=encode.request,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=stripping.strip_foreign,
    usage=response.usage,
    encode_error=errors.encode,
    decode_error=errors.decode,
    error_header=errors.header,
    relay_error=errors.relay,
    error_events=errors.events,
    stream_decoder=Decoder,
    stream_encoder=Encoder,
    slots=watch.slots,
    closes=watch.closes,
    delta=watch.delta,
    terminal=watch.terminal,
    stream_error=errors.in_stream,
    stream_usage=response.usage,
    resequencer=as_they_are,
    trailing=True,
)

__all__ = ["DIALECT"]
