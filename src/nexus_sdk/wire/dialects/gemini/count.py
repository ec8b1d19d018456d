"""`countTokens`: a request of the same shape, and its answer of one number.

The Gemini API takes `contents` alone or a whole `generateContentRequest`, which names its model;
Vertex AI takes the members of such a request themselves. Both are read; each gets its own.

Sources: https://ai.google.dev/api/tokens#method:-models.counttokens, and
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models/countTokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire import model_names, natives, token_counts, whole
from nexus_sdk.wire.canonical import without
from nexus_sdk.wire.dialects.gemini import decode, encode, errors, foreign
from nexus_sdk.wire.dialects.gemini.words import TEXT

if TYPE_CHECKING:
    from nexus_sdk.wire.dialect import Facts, Reply
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json, Path

_NAME = "gemini_count"
_WHOLE = ("generateContentRequest", "generate_content_request")


def asked(doc: Json) -> Json:
    """The generateContent request whose tokens are asked for: the body itself, as Vertex has it and
    as the short form is, or what stands in it. Raises Malformed."""
    if not isinstance(doc, dict):
        raise Malformed("the body must be a JSON object")
    given = [key for key in _WHOLE if doc.get(key) is not None]
    if not given:
        return doc
    if len(given) > 1 or doc.get("contents") is not None:
        raise Malformed(f"{given[0]} excludes contents", param=given[0])
    if not isinstance(doc[given[0]], dict):
        raise Malformed(f"{given[0]} must be an object", param=given[0])
    return without(doc[given[0]], {"model"})


def read(doc: Json) -> Facts:
    return token_counts.facts(decode.read(asked(doc)))


def decode_request(doc: Json) -> Json:
    return decode.request(asked(doc))


def flat(chat: Json, report: Report) -> Json:
    """Vertex AI's form; its path names the model."""
    return encode.request(token_counts.counted(chat), report)


def wrapped(chat: Json, report: Report) -> Json:
    """The Gemini API's form; the short one where nothing but contents counts."""
    told = flat(chat, report)
    if told.keys() == {"contents"}:
        return told
    return {_WHOLE[0]: {"model": model_names.resource(chat.get("model") or "")} | told}


def decode_response(doc: Json) -> Json:
    """Raises UpstreamFailed for a document without a count."""
    told = doc.get("totalTokens") if isinstance(doc, dict) else None
    if not isinstance(told, int):
        raise UpstreamFailed("the upstream's answer holds no totalTokens")
    rest = without(doc, {"totalTokens"})
    return {"input_tokens": told} | (natives.answer(_NAME, rest) if rest else {})


def encode_response(answer: Json, reply: Reply) -> Json:  # noqa: ARG001  the number is all there is
    told = {"estimated": True} if answer.get("estimated") else {}
    more = natives.own_answer(answer, _NAME) or {}
    return {"totalTokens": answer["input_tokens"]} | more | told


def strip(doc: Json, report: Report) -> Json:
    key = next((key for key in _WHOLE if isinstance(doc.get(key), dict)), "")
    if not key:
        return foreign.strip(doc, report)
    kept = foreign.strip(doc[key], report)
    return doc if kept is doc[key] else doc | {key: kept}


def repeated(doc: Json, model: str) -> dict[Path, Json]:
    """The request in the body names its model, which has to be the path's."""
    return {
        path: name
        for key in _WHOLE
        for path, name in model_names.named_anew(doc.get(key), (key,), model).items()
    }


DIALECT, VERTEX = (
    whole.dialect(
        name,
        text=TEXT,
        read=read,
        request=(decode_request, form),
        response=(decode_response, encode_response),
        usage=token_counts.free("totalTokens"),
        error=(errors.encode, errors.relay),
        strip_foreign=strip,
        repeats=repeated,
    )
    for name, form in ((_NAME, wrapped), ("vertex_count", flat))
)
