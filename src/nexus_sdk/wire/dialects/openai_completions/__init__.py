"""The OpenAI completions API, which came before conversations, and which some providers have for
base models.

As a door it leads to any chat model: a prompt becomes one user's message. The other way there is no
way: a conversation is refused by a target that has completions only.

Source: https://platform.openai.com/docs/api-reference/completions, and the types of openai-python
3.54.
"""

from __future__ import annotations

from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import Dialect, as_they_are
from nexus_sdk.wire.dialects.openai_completions import request, response, stream, watch
from nexus_sdk.wire.dialects.openai_completions.words import TEXT

DIALECT = Dialect(
    name="openai_completions",
    text=TEXT,
    read=request.read,
    decode_request=request.decode,
    encode_request=request.encode,
    decode_response=response.decode,
    encode_response=response.encode,
    strip_foreign=request.strip_foreign,
    usage=response.usage,
    encode_error=failures.openai_error,
    decode_error=failures.read,
    relay_error=failures.openai_relay,
    error_events=stream.error_events,
    stream_decoder=stream.Decoder,
    stream_encoder=stream.Encoder,
    slots=watch.slots,
    closes=watch.closes,
    delta=watch.delta,
    terminal=stream.terminal,
    stream_error=failures.in_stream,
    stream_usage=response.usage,
    resequencer=as_they_are,
)

__all__ = ["DIALECT"]
