"""The OpenAI embeddings API, https://platform.openai.com/docs/api-reference/embeddings. Its
form is the canonical one (`wire/embeddings.py`), less the extensions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire import counts, embeddings, failures, shape, vectors, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

TEXT = TextMap(
    skip=frozenset({"model", "object", "encoding_format", "embedding", "by_type"}),
)
FIELDS: shape.Fields = {
    "dimensions": shape.POSITIVE,
    "encoding_format": shape.TEXT,
    "user": shape.TEXT,
}
KNOWN = frozenset({*FIELDS, "model", "input", "input_type"})
_EXTENSIONS = frozenset({"input_type", "truncate", "max_tokens", "embedding_types", "normalize"})


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    model = shape.need(doc, "model", shape.TEXT)
    shape.need(doc, "input", shape.Kind(_is_input, "a string, or a list of strings or of tokens"))
    shape.check(doc, FIELDS)
    whole.refuse_stream(doc)
    return Facts(model=model, deterministic=True, user=doc.get("user") or "")


def _is_input(value: Json) -> bool:
    """A text, or a list of texts, of tokens, or of lists of tokens."""
    if isinstance(value, list):
        return len(value) > 0 and all(isinstance(item, (str, int, list)) for item in value)
    return isinstance(value, str)


def decode_request(doc: Json) -> Json:
    return doc


def encode_request(chat: Json, report: Report) -> Json:
    """OpenAI refuses inputs that are too long, and its vectors are of length 1
    (https://platform.openai.com/docs/guides/embeddings)."""
    foreign = {key: chat[key] for key in _EXTENSIONS - report.accepts if chat.get(key) is not None}
    if foreign:
        embeddings.purpose(foreign, {}, report)
        cut = embeddings.NO_CUT if embeddings.cuts(foreign) else {}
        dropped = embeddings.NO_CEILING | embeddings.NO_CHOICE_OF_LENGTH
        embeddings.tell(foreign, report, dropped, cut)
        embeddings.kinds(foreign, frozenset({"float"}), report)
    body = without(chat, _EXTENSIONS - report.accepts)
    given = chat["input"]
    listed = given if isinstance(given, list) else [given]
    if any(isinstance(item, dict) for item in listed):
        texts = embeddings.texts(chat, report)
        body["input"] = texts if isinstance(given, list) else texts[0]
    return body


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without a list of embeddings."""
    if not isinstance(doc, dict) or not isinstance(doc.get("data"), list):
        raise UpstreamFailed("the upstream's answer holds no embeddings: it has no data")
    return doc


def encode_response(chat: Json, reply: Reply) -> Json:
    """Vectors in the encoding that the caller asked for. Counts that nobody told are estimated, and
    say so: OpenAI's clients require some."""
    asked = reply.request
    rows = embeddings.rows(chat, embeddings.count(asked.get("input")))
    told = vectors.base64_text if asked.get("encoding_format") == "base64" else vectors.numbers
    data = [
        row | {"object": "embedding", "index": place, "embedding": told(row["embedding"])}
        for place, row in enumerate(rows)
    ]
    return without(chat, embeddings.ECHOES) | {
        "object": "list",
        "data": data,
        "model": chat.get("model") or reply.model,
        "usage": chat.get("usage") or embeddings.estimated(asked),
    }


def usage(doc: Json) -> Usage | None:
    """All tokens are of the input; some copies of this API tell the total alone."""
    told = counts.read(doc.get("usage"))
    if told is None or told.input:
        return told
    return replace(told, input=counts.count(doc["usage"].get("total_tokens")))


DIALECT = whole.dialect(
    "openai_embeddings",
    text=TEXT,
    read=read,
    request=(decode_request, encode_request),
    response=(decode_response, encode_response),
    usage=usage,
    error=(failures.openai_error, failures.openai_relay),
)
