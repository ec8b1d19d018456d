"""Errors as the vendors tell them, read; and OpenAI's envelope, which three dialects share.

Nothing is guessed from the words of a message: the status, the type and the code are the facts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Blocked, Malformed, UpstreamFailed
from nexus_sdk.wire.dialect import ErrorFacts

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

_DELAY = re.compile(r"\d{1,9}(?:\.\d{1,9})?s", re.ASCII)
MAX_MESSAGE = 2000
"""Characters kept of an error that is no JSON, such as a proxy's page of HTML."""

OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
"""https://platform.openai.com/docs/guides/error-codes; all other statuses are `api_error`."""


def read(status: int, body: bytes, kind: str = "") -> ErrorFacts:
    """What an upstream's error body says, in any vendor's shape, or as plain text. `kind` is its
    type where a header tells it and the body does not."""
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()[:MAX_MESSAGE]
        said = text or f"the upstream answered with status {status} and no body"
        return ErrorFacts(status, said, kind)
    told = facts(doc, status)
    return replace(told, type=kind) if kind and not told.type else told


def facts(doc: Json, status: int) -> ErrorFacts:
    """The error of a JSON document: `{"error": {...}}`, `{"error": "..."}`, or flat (`message`,
    `detail`). Gemini on its OpenAI-shaped endpoint wraps it in a list."""
    if isinstance(doc, list) and doc:
        doc = doc[0]
    error = doc.get("error") if isinstance(doc, dict) else doc
    if not isinstance(error, dict):
        error = {"message": error} if isinstance(error, str) else doc
    if not isinstance(error, dict):
        error = {}
    message = error.get("message") or error.get("detail") or error.get("msg")
    return ErrorFacts(
        status=status,
        message=_word(message) or f"the upstream answered with status {status}",
        type=_word(error.get("type") or error.get("status")),
        code=_word(_detail(error, "ErrorInfo").get("reason") or error.get("code")),
        param=_word(error.get("param") or _violation(error).get("field")),
        retry_after_s=_delay_s(_detail(error, "RetryInfo").get("retryDelay")),
    )


def _detail(error: Json, kind: str) -> Json:
    """Google's detail of this kind, https://google.aip.dev/193; empty when there is none."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and str(detail.get("@type")).endswith(f"google.rpc.{kind}"):
            return detail
    return {}


def _violation(error: Json) -> Json:
    """The first field of which Google says that it is wrong."""
    found = _detail(error, "BadRequest").get("fieldViolations")
    first = found[0] if isinstance(found, list) and found else {}
    return first if isinstance(first, dict) else {}


def _delay_s(told: Json) -> float | None:
    """A duration in the JSON of protocol buffers, `12.5s`, in seconds."""
    if not isinstance(told, str) or _DELAY.fullmatch(told) is None:
        return None
    return float(told[:-1])


def _word(value: Json) -> str:
    """A value as a string: vendors put numbers and lists where others put words."""
    if value is None or isinstance(value, bool):
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()[:MAX_MESSAGE]


def in_stream(event: StreamEvent) -> UpstreamFailed | None:
    """The error that an event inside a stream with status 200 tells, or None for any other event.

    Shapes: `{"error": ...}`, also beside `choices` (OpenRouter); `event: error` with a flat body;
    vLLM's `{"object": "error"}`; Anthropic's `{"type": "error"}`.
    """
    doc = event.doc
    if not isinstance(doc, dict):
        return failed(read(200, event.data)) if event.name == "error" else None
    told = doc.get("error") or doc.get("object") == "error" or doc.get("type") == "error"
    return failed(facts(doc, 200)) if told or event.name == "error" else None


def failed(told: ErrorFacts) -> UpstreamFailed:
    """An upstream's error as ours. Its code is kept, so that a caller can tell an overload from a
    refusal."""
    return UpstreamFailed(told.message, code=told.code or told.type or None)


def openai_error(err: NexusError, request_id: str) -> Json:
    """Our error in OpenAI's envelope, https://platform.openai.com/docs/guides/error-codes."""
    error: Json = {
        "message": err.message,
        "type": err.kind,
        "code": err.code,
        "param": err.param if isinstance(err, Malformed) else None,
        "request_id": request_id,
    }
    if isinstance(err, Blocked):
        error["rules"] = list(err.rules)
    return {"error": error}


def openai_relay(told: ErrorFacts, request_id: str) -> Json:
    """Another vendor's error in OpenAI's envelope."""
    return {
        "error": {
            "message": told.message,
            "type": OPENAI_TYPES.get(told.status, "api_error"),
            "code": told.code or told.type or None,
            "param": told.param or None,
            "request_id": request_id,
        }
    }
