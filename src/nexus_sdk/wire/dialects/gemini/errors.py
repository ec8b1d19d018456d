"""Errors in Google's envelope, https://google.aip.dev/193."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Blocked, LimitExceeded, Malformed
from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import event

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError, UpstreamFailed
    from nexus_sdk.wire.dialect import ErrorFacts
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
"""https://cloud.google.com/apis/design/errors; all other statuses are `INTERNAL`."""
_TYPE = "type.googleapis.com/google.rpc."
DOMAIN = "nexus"


def encode(err: NexusError, request_id: str) -> Json:
    reason: Json = {"reason": err.code, "domain": DOMAIN}
    if isinstance(err, Blocked):
        reason["metadata"] = {"rules": ",".join(err.rules)}
    param = err.param if isinstance(err, Malformed) else None
    wait_s = err.retry_after_s if isinstance(err, LimitExceeded) else None
    return _envelope(err.status, err.message, request_id, _details(reason, param, wait_s))


def relay(told: ErrorFacts, request_id: str) -> Json:
    word = told.code or told.type
    reason = {"reason": word, "domain": DOMAIN} if word else {}
    details = _details(reason, told.param, told.retry_after_s)
    return _envelope(told.status, told.message, request_id, details)


def _details(reason: Json, param: str | None, wait_s: float | None) -> list[Json]:
    """Why, where, and how many seconds to wait, as far as known."""
    out = [{"@type": f"{_TYPE}ErrorInfo"} | reason] if reason else []
    if param:
        field = {"field": param, "description": f"see {param}"}
        out.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [field]})
    if wait_s is not None:
        out.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{wait_s:g}s"})
    return out


def _envelope(status: int, message: str, request_id: str, details: list[Json]) -> Json:
    request = {"@type": f"{_TYPE}RequestInfo", "requestId": request_id}
    word = STATUSES.get(status, "INTERNAL")
    error = {"code": status, "message": message, "status": word, "details": [*details, request]}
    return {"error": error}


def events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """One unnamed event: google-genai raises for an object that begins with `error`."""
    return [event("", encode(err, request_id))]


def told(doc: Json) -> UpstreamFailed | None:
    """The error that a document with status 200 is, or None for any other. Without `alt=sse` it
    comes in a list."""
    first = doc[0] if isinstance(doc, list) and doc else doc
    if not isinstance(first, dict) or not first.get("error"):
        return None
    return failures.failed(failures.facts(first, 200))
