"""The answer to a refused request, in the error dialect of the caller: that of the paths it asks
for."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from nexus_sdk.wire.dialect import ErrorFacts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nexus_sdk.wire.json import Json
    from nexus_sidecar.strict_http import Refused

PLACES = (
    (b"/v1/messages", "messages"),
    (b"/anthropic/", "messages"),
    (b"/model/", "converse"),
    (b"/bedrock/", "converse"),
    (b"/v1beta", "generate_content"),
    (b"/v2/", "cohere_chat"),
)
"""Where the clients of a vendor ask, and an operation of that vendor's; any other place is
OpenAI's."""
_GOOGLE_METHOD = re.compile(rb"/v1(?:beta1)?/(?:[^?]*/)?models/[^/?]+:[A-Za-z]+(?:\?|$)")
"""A method of Google's: `models/<model>:predict`."""

ANTHROPIC_KINDS: Mapping[int, str] = {
    408: "timeout_error",
    413: "request_too_large",
    503: "overloaded_error",
}
"""`error.type` by status; every other refusal is an invalid_request_error."""

OPENAI_KINDS: Mapping[int, str] = {503: "server_error"}


def answer(refused: Refused, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The whole answer as bytes. `headers` are the server's own."""
    body = dumps(_body(refused, operation_near(target)))
    phrase = HTTPStatus(refused.status).phrase
    lines = [b"HTTP/1.1 %d %b" % (refused.status, phrase.encode())]
    lines += [b"%b: %b" % header for header in headers]
    lines += [
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(b"retry-after: 1")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def operation_near(target: bytes) -> str:
    """An operation of the vendor whose clients ask here; empty for OpenAI's."""
    for beginning, operation in PLACES:
        if target.startswith(beginning):
            return operation
    return "generate_content" if _GOOGLE_METHOD.match(target) else ""


def _body(refused: Refused, operation: str) -> Json:
    if not operation:
        kind = OPENAI_KINDS.get(refused.status, "invalid_request_error")
        told = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
        return {"error": told}
    if operation == "messages":
        kind = ANTHROPIC_KINDS.get(refused.status, "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": refused.message}}
    facts = ErrorFacts(refused.status, refused.message, code=refused.code)
    return DIALECTS[ENDPOINTS[operation].dialect].relay_error(facts, "")
