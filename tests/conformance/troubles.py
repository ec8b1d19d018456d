"""Errors as the clients of each format read them: what kind, and whether to try again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.lab import Got
    from tests.conformance.values import Json

_STATUSES: Mapping[str, frozenset[int]] = {
    "auth": frozenset({401, 403}),
    "rate": frozenset({429}),
    "context": frozenset({400}),
}
_TYPES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "anthropic": {
        "auth": frozenset({"authentication_error", "permission_error"}),
        "rate": frozenset({"rate_limit_error"}),
        "context": frozenset({"invalid_request_error"}),
    },
    "gemini": {
        "auth": frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"}),
        "rate": frozenset({"RESOURCE_EXHAUSTED"}),
        "context": frozenset({"INVALID_ARGUMENT"}),
    },
    "bedrock": {
        "auth": frozenset({"AccessDeniedException"}),
        "rate": frozenset({"ThrottlingException"}),
        "context": frozenset({"ValidationException"}),
    },
}
_LENGTHS = ("context length", "too long", "token count", "too many tokens")
"""What the vendors' messages of too long a prompt say."""


def check(wire: str, kind: str, got: Got) -> None:
    """Raises AssertionError unless a client of the format `wire` can tell this error of an
    upstream. Too long a prompt has a code at OpenAI's doors, whoever said it; elsewhere the message
    tells it."""
    if kind == "inside":
        assert got.status >= 500, f"an error inside a 200 became status {got.status}"
        return
    assert got.status in _STATUSES[kind], f"status {got.status}"
    assert not got.streamed
    doc: Json = json.loads(got.body)
    error = doc.get("error") or doc
    assert error.get("message") or error.get("detail"), "no message"
    named = type_of(wire, got, error)
    known = _TYPES.get(wire, {}).get(kind)
    assert known is None or named in known, f"type {named!r}"
    if kind == "rate":
        assert got.headers.get("retry-after") == "7", (
            f"retry-after {got.headers.get('retry-after')!r}"
        )
    if kind == "context":
        assert any(word in error["message"] for word in _LENGTHS), error["message"]
        if wire.startswith("openai"):
            assert error.get("code") == "context_length_exceeded", f"code {error.get('code')!r}"


def type_of(wire: str, got: Got, error: Json) -> str:
    """The name by which a client tells errors apart."""
    if wire == "gemini":
        return str(error.get("status"))
    if wire == "bedrock":
        return str(got.headers.get("x-amzn-errortype") or error.get("__type"))
    return str(error.get("type"))


def refusal(wire: str, got: Got) -> tuple[str, str]:
    """Code and parameter of a refusal of our own."""
    doc = json.loads(got.body)
    error = doc.get("error") or doc
    if not wire.startswith("gemini"):
        return str(error.get("code") or error.get("reason")), error.get("param") or ""
    code, param = "", ""
    for detail in error["details"]:
        code = detail.get("reason") or code
        param = (detail.get("metadata") or {}).get("param") or param
        for field in detail.get("fieldViolations") or ():
            param = field["field"]
    return code, param
