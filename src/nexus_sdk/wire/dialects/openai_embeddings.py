"""The OpenAI embeddings API, https://platform.openai.com/docs/api-reference/embeddings. Its
canonical form is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from nexus_sdk.errors import Malformed, Unsupported
from nexus_sdk.wire import counts, failures, shape
from nexus_sdk.wire.dialect import Dialect, Facts, as_they_are, event
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

TEXT = TextMap(
    skip=frozenset({"model", "object", "encoding_format", "embedding"}),
)
FIELDS: shape.Fields = {
    "dimensions": shape.POSITIVE,
    "encoding_format": shape.TEXT,
    "user": shape.TEXT,
}
KNOWN = frozenset({*FIELDS, "model", "input", "input_type"})


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    model = shape.need(doc, "model", shape.TEXT)
    shape.need(doc, "input", shape.Kind(_is_input, "a string, or a list of strings or of tokens"))
    shape.check(doc, FIELDS)
    if doc.get("stream"):
        raise Malformed("embeddings are not streamed; leave stream out", param="stream")
    return Facts(model=model, deterministic=True, user=doc.get("user") or "")


def _is_input(value: Json) -> bool:
    """A text, or a list of texts, of tokens, or of lists of tokens."""
    if isinstance(value, list):
        return len(value) > 0 and all(isinstance(item, (str, int, list)) for item in value)
    return isinstance(value, str)


def _same_request(doc: Json, report: Report) -> Json:  # noqa: ARG001  the same form on both sides
    return doc


def _same(doc: Json) -> Json:
    return doc


def _same_response(doc: Json, reply: Reply) -> Json:  # noqa: ARG001
    return doc


def usage(doc: Json) -> Usage | None:
    return counts.read(doc.get("usage"))


def error_events(err: NexusError, request_id: str) -> list[StreamEvent]:
    return [event("", failures.openai_error(err, request_id))]


def _no_stream(*_: object) -> NoReturn:
    raise Unsupported("embeddings are not streamed", param="stream")


DIALECT = Dialect(
    name="openai_embeddings",
    text=TEXT,
    read=read,
    decode_request=_same,
    encode_request=_same_request,
    decode_response=_same,
    encode_response=_same_response,
    strip_foreign=_same_request,
    usage=usage,
    encode_error=failures.openai_error,
    decode_error=failures.read,
    relay_error=failures.openai_relay,
    error_events=error_events,
    stream_decoder=_no_stream,
    stream_encoder=_no_stream,
    slots=_no_stream,
    closes=_no_stream,
    delta=_no_stream,
    terminal=_no_stream,
    stream_error=_no_stream,
    stream_usage=_no_stream,
    resequencer=as_they_are,
)
