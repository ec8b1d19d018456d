"""What follows an attempt: the same target again, the next one, or the answer as it is; and which
providers to spare.

One classification serves retries, failover and health, so that they cannot disagree about a status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Literal

from nexus_sdk.model import NOTHING, Failure, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import FailureKind, Headers
    from nexus_sdk.policy.document import Retry
    from nexus_sdk.stages.selectors import Health as State
    from nexus_sdk.stages.tree import Fault

type Outcome = Literal["ok", "rate_limited", "failed"]
type After = Again | NextTarget | Final


@dataclass(frozen=True, slots=True)
class Again:
    """The same target, after `wait_s` seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class NextTarget:
    """This target is done. `Plan.moves_on(index, fault)` tells the next one; None there makes the
    reply final."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Final:
    """The reply is the answer: it is good, or nobody else would say otherwise."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """`again`: the same target may answer differently in a moment."""

    fault: Fault
    again: bool
    outcome: Outcome | None


_STATUSES: dict[int, _Kind] = {
    401: _Kind("401", again=False, outcome=None),
    402: _Kind("403", again=False, outcome=None),  # the account at this provider is out of credit
    403: _Kind("403", again=False, outcome=None),
    404: _Kind("404", again=False, outcome=None),  # this provider does not have the model
    408: _Kind("timeout", again=True, outcome="failed"),
    409: _Kind(
        "timeout", again=True, outcome=None
    ),  # openai-python retries it: a lock that timed out
    429: _Kind("429", again=True, outcome="rate_limited"),
    501: _Kind(
        "5xx", again=False, outcome=None
    ),  # not implemented: it will not be in a second either
}
_SERVER_ERROR = _Kind("5xx", again=True, outcome="failed")  # with 529, "overloaded" at Anthropic
_FAILURES: dict[FailureKind, _Kind] = {
    "connect": _Kind("network", again=True, outcome="failed"),
    "timeout": _Kind("timeout", again=True, outcome="failed"),
    "protocol": _Kind("network", again=True, outcome="failed"),
    "truncated": _Kind("network", again=True, outcome="failed"),
    "tls": _Kind("network", again=False, outcome="failed"),  # a certificate does not mend by itself
    "refused_address": _Kind(
        "network", again=False, outcome=None
    ),  # our own rule, not the provider's state
    "credentials": _Kind("401", again=False, outcome=None),  # no token was to be had for it
}


def _kind(reply: Response | Failure) -> _Kind | None:
    """None: a success, or a fault of the request itself (400, 413, 422 and the like), the same at
    every target."""
    if isinstance(reply, Failure):
        return _FAILURES[reply.kind]
    return _STATUSES.get(reply.status) or (_SERVER_ERROR if reply.status >= 500 else None)


def after(
    attempt: int, reply: Response | Failure, retry: Retry, *, draw: float, now: float
) -> After:
    """What to do after attempt number `attempt` (the first is 1) at one target.

    `draw` is random in [0, 1), `now` Unix time in seconds. The provider's `x-should-retry` wins
    over our tables (as in openai-python), its Retry-After over our backoff; a longer wait than
    `max_delay_s` is spent on the next target.
    """
    if isinstance(reply, Response) and reply.status < 400:
        return Final()
    kind = _kind(reply)
    headers = NOTHING if isinstance(reply, Failure) else reply.headers
    told = headers.get("x-should-retry")
    again = told == "true" or (
        told != "false" and kind is not None and kind.again and kind.fault in retry.on
    )
    if again and attempt < retry.attempts:
        asked_s = retry_after_s(headers, now)
        if asked_s is None:
            return Again(backoff_s(attempt, retry, draw))
        if asked_s <= retry.max_delay_s:
            return Again(asked_s)
    return Final() if kind is None else NextTarget(kind.fault)


def backoff_s(attempt: int, retry: Retry, draw: float) -> float:
    """Exponential with full jitter: anything up to the bound, so that callers who failed together
    come back apart (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)."""
    return draw * min(retry.max_delay_s, retry.delay_s * 2.0 ** min(attempt - 1, 30))


_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def retry_after_s(headers: Headers, now: float) -> float | None:
    """Seconds that the provider asks for; None when it asks for none, for none that is ahead, or in
    no known form.

    `retry-after-ms` (OpenAI, Azure) before `retry-after`, which is seconds or an HTTP date (RFC
    9110, 10.2.3).
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if _SECONDS.fullmatch(text) and (seconds := float(text) * unit_s) > 0:
            return seconds
    return _until_date(headers.get("retry-after", ""), now)


def _until_date(text: str, now: float) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year of twelve digits
        return None
    # RFC 9110, 5.6.7: an HTTP date is in UTC; `-0000` and asctime dates come back without a zone.
    seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    return seconds if seconds > 0 else None


# ---- health --------------------------------------------------------------------------------------

FAILURES_TO_OPEN = 5
OPEN_S = 30.0


def outcome(reply: Response | Failure) -> Outcome | None:
    """What a reply says of its provider's health; None: nothing, the request or a key was at
    fault."""
    if isinstance(reply, Response) and 200 <= reply.status < 300:
        return "ok"
    kind = _kind(reply)
    return None if kind is None else kind.outcome


@dataclass(frozen=True, slots=True)
class _Circuit:
    """`spare_until` 0: closed. Behind that time it is half open: the next attempt is a trial."""

    failures: int
    spare_until: float


class Health:
    """A circuit per provider, in memory, judged at every attempt. Times are seconds of any one
    steady clock.

    After `FAILURES_TO_OPEN` failures in a row a provider is degraded for `OPEN_S`: plans put it
    behind the others, and never leave it out. Then one attempt at a time tries it, until one
    succeeds. A rate limit with a Retry-After degrades for that long at once, up to `OPEN_S`.
    """

    __slots__ = ("_circuits", "_lock")

    def __init__(self) -> None:
        self._circuits: dict[str, _Circuit] = {}
        self._lock = Lock()

    def at(self, now: float) -> Callable[[str], State]:
        """The states as of `now`, for `Ask.health`."""

        def state(provider: str) -> State:
            circuit = self._circuits.get(provider)
            return "available" if circuit is None or circuit.spare_until <= now else "degraded"

        return state

    def begin(self, provider: str, now: float) -> None:
        """An attempt is about to be sent. On a half-open circuit it is the trial: the others stay
        away meanwhile."""
        if provider not in self._circuits:
            return
        with self._lock:
            circuit = self._circuits.get(provider)
            if circuit is not None and 0 < circuit.spare_until <= now:
                self._circuits[provider] = _Circuit(circuit.failures, now + OPEN_S)

    def record(
        self, provider: str, seen: Outcome, now: float, *, retry_after_s: float | None = None
    ) -> None:
        if seen == "ok":
            self._circuits.pop(provider, None)
            return
        with self._lock:
            circuit = self._circuits.get(provider, _Circuit(0, 0.0))
            failures = circuit.failures + 1
            spare_s = OPEN_S if failures >= FAILURES_TO_OPEN else 0.0
            if seen == "rate_limited" and retry_after_s is not None:
                spare_s = max(spare_s, min(retry_after_s, OPEN_S))
            until = max(circuit.spare_until, now + spare_s) if spare_s else circuit.spare_until
            self._circuits[provider] = _Circuit(failures, until)
