"""Every error that Nexus raises on purpose.

NexusError                    code                    status
├── Malformed                 malformed_request       400  (.param)
├── Unsupported               unsupported_feature     400  (.param) the target cannot express it
├── Unauthenticated           invalid_api_key         401
├── NotAllowed                not_allowed             403  (key, model, address, switch)
├── Blocked                   policy_blocked          403  (.rules)
├── NotFound                  not_found               404  (unknown model or path)
├── TooLarge                  payload_too_large       413
├── LimitExceeded             rate_limit_exceeded     429  (.retry_after_s, .limit)
│   └── QuotaExceeded         quota_exceeded          429
├── UpstreamFailed            upstream_failed         502  (.failure)
├── CallerLeft                caller_left             499  the caller went away before its answer
├── AuditUnavailable          audit_unavailable       503
├── BadPolicy                 bad_policy              500  (.problems: file, line, field, reason)
└── BadSettings               bad_settings            500

A class exists only where some caller has to treat it differently; everything else is a message. A
message names the thing, the value and the way out, and never holds a secret or a prompt. A bug is
never one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.model import Failure


class NexusError(Exception):
    """Base of all. `kind` is the `error.type` of the OpenAI error body; dialects map it to their
    own word."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    kind: ClassVar[str] = "api_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may narrow its class's code, never widen it


class Malformed(NexusError):
    code = "malformed_request"
    status = 400
    kind = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.param = param


class Unsupported(Malformed):
    code = "unsupported_feature"


class Unauthenticated(NexusError):
    code = "invalid_api_key"
    status = 401
    kind = "authentication_error"


class NotAllowed(NexusError):
    code = "not_allowed"
    status = 403
    kind = "permission_error"


class Blocked(NexusError):
    """A policy decision. `rules` are the ids of the rules that blocked, strictest first."""

    code = "policy_blocked"
    status = 403
    kind = "policy_violation"

    def __init__(self, message: str, *, rules: Sequence[str] = (), code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.rules = tuple(rules)


class NotFound(NexusError):
    code = "not_found"
    status = 404
    kind = "invalid_request_error"


class TooLarge(NexusError):
    code = "payload_too_large"
    status = 413
    kind = "invalid_request_error"


class LimitExceeded(NexusError):
    """`retry_after_s`: seconds until the same request can fit again; `limit`: the policy's name for
    the limit."""

    code = "rate_limit_exceeded"
    status = 429
    kind = "rate_limit_error"

    def __init__(self, message: str, *, limit: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s


class QuotaExceeded(LimitExceeded):
    code = "quota_exceeded"
    kind = "insufficient_quota"


class UpstreamFailed(NexusError):
    """No target gave a usable answer; `failure` is the last one's reason."""

    code = "upstream_failed"
    status = 502

    def __init__(
        self, message: str, *, failure: Failure | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.failure = failure


class CallerLeft(NexusError):
    """Told to a flow by its driver, so that an abandoned exchange is settled and recorded like any
    other."""

    code = "caller_left"
    status = 499


class AuditUnavailable(NexusError):
    code = "audit_unavailable"
    status = 503


class BadPolicy(NexusError):
    """The policy does not load. Each problem reads `file:line: field: reason`."""

    code = "bad_policy"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the policy is not valid:\n  " + "\n  ".join(problems))
        self.problems = tuple(problems)


class BadSettings(NexusError):
    code = "bad_settings"
