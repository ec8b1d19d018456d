"""The record of one exchange while it runs, and the audit event it becomes.

The event holds what an auditor asks for (who, what, which rule, where to, what it cost, how it
ended) and never a prompt, an answer, a matched value or a credential.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from nexus_sdk.errors import Blocked, CallerLeft, LimitExceeded, NexusError, UpstreamFailed
from nexus_sdk.model import Failure, Target
from nexus_sdk.stages.cost import usd

if TYPE_CHECKING:
    from nexus_sdk.compliance.inspection import Inspector
    from nexus_sdk.model import Cached, Caller, Event, Outcome, Request, Response, Usage
    from nexus_sdk.stages.cost import Bill, Item

EVENT_VERSION = 1


class Clock(Protocol):
    """Time and chance, handed in."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    def ticks(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def draw(self) -> float:
        """A random number in [0, 1)."""
        ...


class Trail:
    """Filled in by the pipeline as it goes; `event` may be asked for once, at the end."""

    __slots__ = (
        "_attempts",
        "_last",
        "_marks",
        "_node",
        "_policy_hash",
        "_start",
        "_started_at",
        "arm",
        "bills",
        "bytes_out",
        "cache",
        "caller",
        "clock",
        "coerced",
        "dropped",
        "held_most",
        "inspectors",
        "model",
        "notes",
        "request",
        "saved_pico",
        "status",
        "stream",
        "target",
        "told",
        "unpriced",
        "usage",
    )

    def __init__(self, request: Request, policy_hash: str, node: str, clock: Clock) -> None:
        self.request = request
        self.clock = clock
        self.caller: Caller = request.caller
        self.model = ""
        self.stream = False
        self.cache = "off"
        self.usage: Usage | None = None
        self.bills: tuple[Bill, ...] = ()
        self.unpriced = False
        self.saved_pico = 0
        self.target: Target | None = None
        self.arm = ""
        self.status = 0
        self.bytes_out = 0
        self.held_most = 0
        self.told = False
        """Its event was made."""
        self.coerced: list[str] = []
        self.dropped: list[str] = []
        self.notes: list[str] = []
        self._policy_hash = policy_hash
        self._node = node
        self._attempts: list[dict[str, Any]] = []
        self.inspectors: list[Inspector] = []
        self._marks: dict[str, int] = {}
        self._started_at = clock.now()
        self._start = self._last = clock.ticks()

    def mark(self, step: str) -> None:
        """The step that ends now took the time since the mark before it."""
        ticks = self.clock.ticks()
        self._marks[step] = self._marks.get(step, 0) + int((ticks - self._last) * 1e6)
        self._last = ticks

    def served_from(self, hit: Cached) -> None:
        """A stored answer: the tokens it once took, and the money it saves now."""
        self.usage = hit.usage
        self.saved_pico = hit.cost_pico
        self.target = Target(hit.provider, hit.model)
        self.bytes_out = len(hit.body)

    def inspected_by(self, inspector: Inspector) -> None:
        self.inspectors.append(inspector)

    def attempt(self, target: Target, reply: Response | Failure, began: float) -> None:
        """One try at one upstream, and how it ended."""
        entry: dict[str, Any] = {
            "provider": target.provider,
            "model": target.model,
            "ms": round((self.clock.ticks() - began) * 1e3, 3),
        }
        if isinstance(reply, Failure):
            entry["failure"] = reply.kind
            entry["reason"] = reply.reason
        else:
            entry["status"] = reply.status
            if request_id := reply.headers.get("x-request-id") or reply.headers.get("request-id"):
                entry["request_id"] = request_id[:128]
        self._attempts.append(entry)

    @property
    def attempts(self) -> int:
        return len(self._attempts)

    def event(self, *, error: NexusError | None = None, outcome: Outcome | None = None) -> Event:
        """The audit event. Give the refusal, or how the relayed stream ended."""
        self.told = True
        ticks = self.clock.ticks()
        request, target = self.request, self.target
        findings, uncounted, redacted, restored = self._evidence()
        cost = 0
        for bill in self.bills:
            cost += bill.total
        return {
            "v": EVENT_VERSION,
            "id": request.id,
            "at": datetime.fromtimestamp(self._started_at, UTC).isoformat(timespec="microseconds"),
            "node": self._node,
            "door": request.door,
            "endpoint": request.endpoint,
            "stream": self.stream,
            "policy": self._policy_hash,
            "caller": _caller(self.caller, request.peer),
            "model": self.model,
            "status": error.status if error else self.status,
            "outcome": _outcome(error, outcome),
            "error": _error(error, outcome),
            "decision": self._decision(error),
            "findings": findings,
            "findings_omitted": uncounted,
            "redacted": redacted,
            "restored": restored,
            "route": {
                "provider": target.provider if target else "",
                "model": target.model if target else "",
                "arm": self.arm,
                "attempts": self._attempts,
            },
            "cache": self.cache,
            "usage": _usage(self.usage) if self.usage else None,
            "cost_usd": None if self.unpriced else usd(cost),
            "saved_usd": usd(self.saved_pico),
            "cost": [_line(item) for bill in self.bills for item in bill.items],
            "fidelity": {"coerced": self.coerced, "dropped": self.dropped},
            "notes": self.notes,
            "bytes": {"in": len(request.body), "out": self.bytes_out},
            "held_chars": self.held_most,
            "duration_ms": round((ticks - self._start) * 1e3, 3),
            "timings_us": self._marks,
        }

    def _evidence(self) -> tuple[list[dict[str, str]], int, int, int]:
        """What the inspectors found; how much of it is not written out; how many texts they
        redacted, and how many they restored."""
        findings: list[dict[str, str]] = []
        uncounted = redacted = restored = 0
        for inspector in self.inspectors:
            findings += [finding.line() for finding in inspector.findings]
            uncounted += inspector.uncounted
            redacted += inspector.redacted
            restored += inspector.restored
        return findings, uncounted, redacted, restored

    def _decision(self, error: NexusError | None) -> str:
        if isinstance(error, Blocked):
            return "block"
        actions = [inspector.decision for inspector in self.inspectors]
        return "block" if "block" in actions else "redact" if "redact" in actions else "approve"


def _caller(caller: Caller, peer: str) -> dict[str, Any]:
    return {
        "key": caller.key_id,
        "user": caller.user,
        "project": caller.project,
        "organisation": caller.organisation,
        "app": caller.app,
        "tags": dict(caller.tags),
        "peer": peer,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    """Written out: `dataclasses.asdict` takes ten times as long."""
    return {
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
        "audio_input": usage.audio_input,
        "audio_output": usage.audio_output,
        "estimated": usage.estimated,
    }


def _line(item: Item) -> dict[str, Any]:
    return {"kind": item.kind, "tokens": item.tokens, "rate": item.rate, "amount": item.amount}


_ENDINGS: tuple[tuple[type[NexusError], str], ...] = (
    (Blocked, "blocked"),
    (LimitExceeded, "limited"),
    (CallerLeft, "caller_left"),
)


def _outcome(error: NexusError | None, outcome: Outcome | None) -> str:
    if error is not None:
        known = next((word for kind, word in _ENDINGS if isinstance(error, kind)), None)
        if outcome is not None and isinstance(error, UpstreamFailed) and error.failure is not None:
            known = "truncated"
        return known or ("refused" if error.status < 500 else "failed")
    if outcome is None:
        return "complete"
    if outcome.caller_left:
        return "caller_left"
    return "truncated" if outcome.failure else "complete"


def _error(error: NexusError | None, outcome: Outcome | None) -> dict[str, Any] | None:
    if error is not None:
        rules = error.rules if isinstance(error, Blocked) else ()
        return {"code": error.code, "message": error.message, "rules": list(rules)}
    if outcome is not None and outcome.failure is not None:
        return {"code": outcome.failure.kind, "message": outcome.failure.reason, "rules": []}
    return None
