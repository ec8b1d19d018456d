"""The answer to a refused request, in the error dialect of the caller: OpenAI's, or Anthropic's
below /v1/messages."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nexus_sidecar.strict_http import Refused

ANTHROPIC_PATHS = (b"/v1/messages", b"/anthropic/")

ANTHROPIC_KINDS: Mapping[int, str] = {
    408: "timeout_error",
    413: "request_too_large",
    503: "overloaded_error",
}
"""`error.type` by status; every other refusal is an invalid_request_error."""

OPENAI_KINDS: Mapping[int, str] = {503: "server_error"}


def answer(refused: Refused, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The whole answer as bytes. `headers` are the server's own."""
    body = json.dumps(_body(refused, anthropic=target.startswith(ANTHROPIC_PATHS))).encode()
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


def _body(refused: Refused, *, anthropic: bool) -> dict[str, Any]:
    if anthropic:
        kind = ANTHROPIC_KINDS.get(refused.status, "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": refused.message}}
    kind = OPENAI_KINDS.get(refused.status, "invalid_request_error")
    return {
        "error": {
            "message": refused.message,
            "type": kind,
            "param": None,
            "code": refused.code,
        }
    }
