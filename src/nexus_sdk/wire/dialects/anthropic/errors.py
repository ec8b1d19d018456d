"""Errors in Anthropic's envelope, https://docs.anthropic.com/en/api/errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import Blocked, Malformed
from nexus_sdk.wire.dialect import event

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError
    from nexus_sdk.wire.dialect import ErrorFacts
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""All other statuses are `api_error`."""


def encode(err: NexusError, request_id: str) -> Json:
    error: Json = {
        "type": TYPES.get(err.status, "api_error"),
        "message": err.message,
        "code": err.code,
    }
    if isinstance(err, Malformed) and err.param:
        error["param"] = err.param
    if isinstance(err, Blocked):
        error["rules"] = list(err.rules)
    return {"type": "error", "error": error, "request_id": request_id}


def relay(told: ErrorFacts, request_id: str) -> Json:
    error: Json = {"type": TYPES.get(told.status, "api_error"), "message": told.message}
    error |= {
        key: value
        for key, value in (("code", told.code or told.type), ("param", told.param))
        if value
    }
    return {"type": "error", "error": error, "request_id": request_id}


def events(err: NexusError, request_id: str) -> list[StreamEvent]:
    return [event("error", encode(err, request_id))]
