"""Errors in Bedrock's shape: `{"message": ...}`, and the type in the header `x-amzn-errortype` or
in the member `__type`, as the AWS protocols for JSON have it.

Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, operation error
serialization; the names are those of botocore 1.44, bedrock-runtime.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Blocked, Malformed
from nexus_sdk.wire import failures
from nexus_sdk.wire.dialect import event
from nexus_sdk.wire.failures import failed

if TYPE_CHECKING:
    from nexus_sdk.errors import NexusError, UpstreamFailed
    from nexus_sdk.wire.dialect import ErrorFacts
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

HEADER = "x-amzn-errortype"
TYPES = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    422: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
    529: "ServiceUnavailableException",
}
"""All other statuses are `InternalServerException`."""
_IN_STREAM = {
    "ValidationException": "validationException",
    "AccessDeniedException": "validationException",
    "ResourceNotFoundException": "validationException",
    "ThrottlingException": "throttlingException",
    "ServiceUnavailableException": "serviceUnavailableException",
    "ModelErrorException": "modelStreamErrorException",
    "ModelTimeoutException": "modelStreamErrorException",
    "InternalServerException": "internalServerException",
}
"""A stream knows fewer: what it has not is told by the nearest."""


def type_of(status: int) -> str:
    return TYPES.get(status, "InternalServerException")


def encode(err: NexusError, request_id: str) -> Json:
    """`reason` is our own code. `code` is not used, because AWS's clients take it for the type."""
    out: Json = {
        "message": err.message,
        "__type": type_of(err.status),
        "reason": err.code,
        "requestId": request_id,
    }
    if isinstance(err, Malformed) and err.param:
        out["param"] = err.param
    if isinstance(err, Blocked):
        out["rules"] = list(err.rules)
    return out


def relay(told: ErrorFacts, request_id: str) -> Json:
    out: Json = {
        "message": told.message,
        "__type": type_of(told.status),
        "requestId": request_id,
    }
    found = (("reason", told.code or told.type), ("param", told.param))
    return out | {key: value for key, value in found if value}


def events(err: NexusError, request_id: str) -> list[StreamEvent]:
    """An exception, which ends the stream."""
    return [event(_IN_STREAM[type_of(err.status)], encode(err, request_id))]


def header(status: int) -> dict[str, str]:
    return {HEADER: type_of(status)}


def _name(kind: str) -> str:
    """Of `namespace#Name`, `Name:address`, or both."""
    return kind.rpartition("#")[2].partition(":")[0]


def decode(status: int, body: bytes, kind: str = "") -> ErrorFacts:
    """`kind`: what `x-amzn-errortype` says."""
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        doc = None
    if not isinstance(doc, dict):
        return failures.read(status, body, _name(kind))
    told = facts(doc, status)
    return told if told.type else replace(told, type=_name(kind))


def facts(doc: Json, status: int) -> ErrorFacts:
    """An error's document. `__type` may be `namespace#Name` or `Name:address`; some of AWS's front
    ends write `Message`. `reason` is the code of an error of ours."""
    if isinstance(doc.get("Message"), str) and "message" not in doc:
        doc = doc | {"message": doc["Message"]}
    told = failures.facts(doc, status)
    kind, reason = doc.get("__type"), doc.get("reason")
    if isinstance(kind, str) and not told.type:
        told = replace(told, type=_name(kind))
    return replace(told, code=reason) if isinstance(reason, str) and not told.code else told


def in_stream(event: StreamEvent) -> UpstreamFailed | None:
    """The error of an exception in a stream, named by its type, or of an error in any other
    shape."""
    if not event.name.endswith("Exception"):
        return failures.in_stream(event)
    doc = event.doc if isinstance(event.doc, dict) else {}
    told = facts(doc, int(doc.get("originalStatusCode") or 200))
    if doc.get("originalMessage"):
        told = replace(told, message=f"{told.message}: {doc['originalMessage']}")
    return failed(replace(told, code=told.code or event.name))
