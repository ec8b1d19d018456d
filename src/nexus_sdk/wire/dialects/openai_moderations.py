"""The OpenAI moderations API, https://platform.openai.com/docs/api-reference/moderations. Its
canonical form is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire import counts, failures, shape, whole
from nexus_sdk.wire.dialect import Facts
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.model import Usage
    from nexus_sdk.wire.dialect import Reply
    from nexus_sdk.wire.json import Json

TEXT = TextMap(
    skip=frozenset({"model", "id", "type", "object", "category_applied_input_types"}),
    media=frozenset({"url"}),
)
DEFAULT_MODEL = "omni-moderation-latest"
"""What OpenAI takes when a request names no model."""
FIELDS: shape.Fields = {"model": shape.TEXT}
KNOWN = frozenset({"model", "input", "type", "text", "image_url", "url"})


def read(doc: Json) -> Facts:
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    shape.refuse_lookalikes(doc, KNOWN, frozenset())
    shape.check(doc, FIELDS)
    given = shape.need(
        doc, "input", shape.Kind(_is_input, "a string, or a list of strings or of parts")
    )
    shape.check_parts([part for part in given if isinstance(part, dict)], "input")
    whole.refuse_stream(doc)
    return Facts(model=doc.get("model") or DEFAULT_MODEL, deterministic=True)


def _is_input(value: Json) -> bool:
    if isinstance(value, list):
        return len(value) > 0 and all(isinstance(item, (str, dict)) for item in value)
    return isinstance(value, str)


def _same(doc: Json) -> Json:
    return doc


def decode_response(doc: Json) -> Json:
    if not isinstance(doc, dict) or not isinstance(doc.get("results"), list):
        raise UpstreamFailed("the upstream's answer is no moderation: it has no results")
    return doc


def encode_response(doc: Json, reply: Reply) -> Json:
    return {"id": reply.id, "model": reply.model} | doc


def usage(doc: Json) -> Usage | None:
    """OpenAI tells none, and takes no money for it."""
    return counts.read(doc.get("usage"))


DIALECT = whole.dialect(
    "openai_moderations",
    text=TEXT,
    read=read,
    request=(_same, whole.same),
    response=(decode_response, encode_response),
    usage=usage,
    error=(failures.openai_error, failures.openai_relay),
)
