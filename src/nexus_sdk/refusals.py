"""Nexus's own errors as exceptions of the `openai` package, so that code written for the stock client keeps working.

openai.APIStatusError
├── PermissionDeniedError
│   └── PolicyBlocked         a rule of the policy matched; `.rules` names them
└── RateLimitError
    └── RateLimited           a limit of the policy; `.limit`, `.retry_after` in seconds
        └── QuotaExceeded     a budget that waiting a moment does not refill
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.wire.json import Json


class PolicyBlocked(openai.PermissionDeniedError):
    """The policy does not let this request or answer pass. `code` is stable; `message` says what to do."""

    rules: tuple[str, ...]

    def __init__(self, message: str, *, response: Any, body: object | None) -> None:
        super().__init__(message, response=response, body=body)
        named = response.headers.get("x-nexus-rules", "")
        self.rules = tuple(named.split(",")) if named else _rules(body)


class RateLimited(openai.RateLimitError):
    """A limit of the policy is reached. `retry_after`: seconds until the same request can fit."""

    limit: str
    retry_after: float

    def __init__(self, message: str, *, response: Any, body: object | None) -> None:
        super().__init__(message, response=response, body=body)
        self.limit = response.headers.get("x-nexus-limit", "")
        self.retry_after = float(response.headers.get("retry-after", "1"))


class QuotaExceeded(RateLimited):
    """A budget of tokens, requests or money is used up."""


_BY_CODE: Mapping[str, type[openai.APIStatusError]] = {
    "policy_blocked": PolicyBlocked,
    "rate_limit_exceeded": RateLimited,
    "quota_exceeded": QuotaExceeded,
}


def status_error(message: str, body: object, response: Any) -> openai.APIStatusError | None:
    """Our exception for a response of ours; None for an upstream's own error."""
    kind = _BY_CODE.get(response.headers.get("x-nexus-error", ""))
    if kind is None:
        return None
    data = body.get("error", body) if isinstance(body, dict) else body
    said = data.get("message") if isinstance(data, dict) else None
    return kind(said if isinstance(said, str) else message, response=response, body=data)


def stream_error(error: Json, response: Any) -> openai.APIError:
    """The exception for an error event inside a stream. `response` is that of the stream."""
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str) or not message:
        message = "An error occurred during streaming"
    code = error.get("code") if isinstance(error, dict) else None
    if code == "policy_blocked":
        refused = type(response)(403, headers=response.headers, request=response.request)
        return PolicyBlocked(message, response=refused, body=error)
    return openai.APIError(message, request=response.request, body=error)


def _rules(body: object) -> tuple[str, ...]:
    found = body.get("rules") if isinstance(body, dict) else None
    return tuple(str(rule) for rule in found) if isinstance(found, list) else ()
