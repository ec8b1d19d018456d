"""Recorded exchanges with providers, read from a file: one JSON object a line, gzipped or not.

A line has `host`, `method`, `path`, `request`, `status`, `response_headers` and `response`. A body
is `{"json": ...}`, `{"text": ...}` or `{"base64": ...}`, or null. What stands in such a file stays
there: all that this program tells of it is counts and the names of parameters.
"""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.wire import endpoints
from nexus_sdk.wire.framing import FRAMINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

COUNTS = {
    "/messages/count_tokens": "anthropic_count",
    "/responses/input_tokens": "openai_count",
}
"""Operations whose bodies pass as they are, and the dialects that stand in for others there."""
_STORED = re.compile(r"/responses/[^/]+")
_INVOKED = re.compile(r"/model/(?P<model>[^/]+)/invoke")
_INVOKED_BY = {
    "anthropic_version": "anthropic",
    "inputText": "titan_embed",
    "texts": "bedrock_cohere_embed",
    "singleEmbeddingParams": "nova_embed",
}
"""Which member of a body tells the format that Bedrock's InvokeModel wraps."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call in a dialect that we speak. `request` is None where only the answer has a body.

    Of an answer there is one of `answer`, `events` and `error` (the body of a status from 400 on).
    `model`: from the path, empty where the body names it.
    """

    host: str
    dialect: str
    model: str
    request: Json
    status: int
    answer: Json = None
    events: tuple[StreamEvent, ...] = ()
    error: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def load(path: Path) -> Iterator[Exchange | str]:
    """Every line of the file: as an exchange, or why it is none that we judge."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as lines:
        for line in lines:
            yield _read(orjson.loads(line))


def _read(row: Json) -> Exchange | str:
    path, _, query = row["path"].partition("?")
    request = _document(row["request"])
    dialect, model = _dialect(row["method"].upper(), path, request)
    if not dialect:
        return "no body of a dialect"
    if row["method"].upper() == "POST" and not isinstance(request, dict):
        return "the request was not recorded"
    head = (row["host"], dialect, model, request, row["status"])
    headers = tuple((row["response_headers"] or {}).items())
    body = _bytes(row["response"])
    if row["status"] >= 400:
        return Exchange(*head, error=body, headers=headers)
    if isinstance(answer := _json(body), dict):
        return Exchange(*head, answer=answer, headers=headers)
    if events := _events(body, row["method"], path, query):
        return Exchange(*head, events=events, headers=headers)
    return "the answer was not recorded"


def _dialect(method: str, path: str, request: Json) -> tuple[str, str]:
    """Name of the dialect, and the model that the path tells; both empty when it is none."""
    for end, name in COUNTS.items():
        if path.endswith(end):
            return name, ""
    if method == "GET" and _STORED.search(path):
        return "openai_responses", ""
    if (found := endpoints.match(method, path)) and found.endpoint.dialect:
        return found.endpoint.dialect, found.model
    if (invoked := _INVOKED.search(path)) and request:
        names = [name for key, name in _INVOKED_BY.items() if key in request]
        return (names[0], invoked["model"]) if names else ("", "")
    return "", ""


def _bytes(body: Json) -> bytes:
    if not body:
        return b""
    if "base64" in body:
        return base64.b64decode(body["base64"])
    return body["text"].encode() if "text" in body else orjson.dumps(body["json"])


def _json(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _document(body: Json) -> Json:
    return _json(_bytes(body))


def _events(body: bytes, method: str, path: str, query: str) -> tuple[StreamEvent, ...]:
    found = endpoints.match(method, path)
    if not body or found is None:
        return ()
    decoder = FRAMINGS[endpoints.framing(found, query)].decoder()
    events = [*decoder.feed(body), *decoder.close()]
    for event in events:
        event.doc = _json(event.data)
    return tuple(events)
