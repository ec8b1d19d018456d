"""Error bodies as the vendors write them, for callers who speak their dialects. What our errors say
beyond a vendor's own members stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Blocked, Malformed

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.dialect import ErrorFacts
    from nexus_sdk.wire.json import Json

GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
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
}
"""https://cloud.google.com/apis/design/errors; all other statuses are INTERNAL."""


def _ours(err: NexusError) -> Json:
    more: Json = {"code": err.code}
    if isinstance(err, Malformed) and err.param:
        more["param"] = err.param
    if isinstance(err, Blocked):
        more["rules"] = list(err.rules)
    return more


def _theirs(told: ErrorFacts) -> Json:
    more = {"code": told.code or told.type, "param": told.param}
    return {key: value for key, value in more.items() if value}


def cohere_error(err: NexusError, request_id: str) -> Json:
    """`id` and `message`, https://docs.cohere.com/reference/errors."""
    return {"id": request_id, "message": err.message} | _ours(err)


def cohere_relay(told: ErrorFacts, request_id: str) -> Json:
    return {"id": request_id, "message": told.message} | _theirs(told)


def voyage_error(err: NexusError, request_id: str) -> Json:
    """`detail`, https://docs.voyageai.com/docs/error-codes."""
    return {"detail": err.message, "request_id": request_id} | _ours(err)


def voyage_relay(told: ErrorFacts, request_id: str) -> Json:
    return {"detail": told.message, "request_id": request_id} | _theirs(told)


def bedrock_error(err: NexusError, request_id: str) -> Json:
    """`message`; the type stands in a header,
    https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html."""
    return {"message": err.message, "request_id": request_id} | _ours(err)


def bedrock_relay(told: ErrorFacts, request_id: str) -> Json:
    return {"message": told.message, "request_id": request_id} | _theirs(told)


def google_error(err: NexusError, request_id: str) -> Json:
    """`code` is the HTTP status, `status` its word; what is ours stands in `details`."""
    return _google(err.status, err.message, _ours(err), request_id)


def google_relay(told: ErrorFacts, request_id: str) -> Json:
    return _google(told.status, told.message, _theirs(told), request_id)


def _google(status: int, message: str, more: Json, request_id: str) -> Json:
    word = GOOGLE_STATUS.get(status, "INTERNAL")
    reason = {"reason": more.pop("code")} if more.get("code") else {}
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo"} | reason
    info["domain"] = "nexus"
    info["metadata"] = {"request_id": request_id} | {
        key: value if isinstance(value, str) else ",".join(value) for key, value in more.items()
    }
    return {"error": {"code": status, "message": message, "status": word, "details": [info]}}
