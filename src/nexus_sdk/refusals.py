"""Nexus's own errors as exceptions of the `openai` package, so that code written for the stock
client keeps working.

openai.APIStatusError
├── PermissionDeniedError
│   └── PolicyBlocked         a rule of the policy matched; `.rules` names them
└── RateLimitError
    └── RateLimited           a limit of the policy; `.limit`, `.retry_after` in seconds
        └── QuotaExceeded     a budget that waiting a moment does not refill

All other refusals are the stock class of their status (`not_allowed` is a PermissionDeniedError,
and so on), with the policy's stable `code`. No answer at all is an APIConnectionError or an
APITimeoutError, also in the middle of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai

from nexus_sdk.transports import family_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Answer
    from nexus_sdk.wire.json import Json

UNTOLD = "An error occurred during streaming"
"""The stock client's message for an error event without one."""


class PolicyBlocked(openai.PermissionDeniedError):
    """The policy does not let this request or answer pass. `code` is stable; `message` says what to
    do."""

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
CUT = frozenset({"upstream_truncated", "upstream_timeout"})
"""Codes of a stream that the upstream did not end properly."""


def status_error(message: str, body: object, response: Any) -> openai.APIStatusError | None:
    """Our exception for a response of ours; None for an upstream's own error."""
    kind = _BY_CODE.get(response.headers.get("x-nexus-error", ""))
    if kind is None:
        return None
    data = body.get("error", body) if isinstance(body, dict) else body
    said = data.get("message") if isinstance(data, dict) else None
    return kind(said if isinstance(said, str) else message, response=response, body=data)


def no_answer(answer: Answer, request: Any) -> openai.APIConnectionError:
    """The exception for an upstream that gave no answer. Its cause is the HTTP library's own, as
    with the stock client."""
    reason = answer.headers.get("x-nexus-failure-reason", "")
    return _unanswered(answer.headers["x-nexus-failure"], reason, request)


def _unanswered(kind: str, reason: str, request: Any) -> openai.APIConnectionError:
    error = (
        openai.APITimeoutError(request=request)
        if kind == "timeout"
        else openai.APIConnectionError(message=f"Connection error: {reason}", request=request)
    )
    family = type(request).__module__.partition(".")[0]
    error.__cause__ = family_error(family, kind, reason, request)
    return error


def stream_error(error: Json, response: Any) -> openai.APIError:
    """The exception for an error event inside a stream. `response` is that of the stream."""
    told = error if isinstance(error, dict) else {}
    message, code = told.get("message"), told.get("code")
    if not isinstance(message, str) or not message:
        message = UNTOLD
    if code == "policy_blocked":
        refused = type(response)(403, headers=response.headers, request=response.request)
        return PolicyBlocked(message, response=refused, body=error)
    if code not in CUT:
        return openai.APIError(message, request=response.request, body=error)
    kind = "timeout" if code == "upstream_timeout" else "truncated"
    cut = _unanswered(kind, message, response.request)
    cut.body, cut.code, cut.type = error, code, told.get("type")
    return cut


def _rules(body: object) -> tuple[str, ...]:
    found = body.get("rules") if isinstance(body, dict) else None
    return tuple(str(rule) for rule in found) if isinstance(found, list) else ()
