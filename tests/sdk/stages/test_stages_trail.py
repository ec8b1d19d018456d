"""The audit event: what an auditor asks for, and nothing of what was said."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.playbook import FixedClock, chat
from tests.sdk.compliance.stage_lab import effective, hook, inspector

from nexus_sdk import errors
from nexus_sdk.errors import Blocked, NexusError
from nexus_sdk.model import Cached, Caller, Failure, Outcome, Response, Target, Usage
from nexus_sdk.stages.cost import Bill, Item
from nexus_sdk.stages.trail import EVENT_VERSION, Trail
from nexus_sdk.wire.texts import TextMap

if TYPE_CHECKING:
    from nexus_sdk.compliance.inspection import Inspector

EMAIL = "bob@corp-mail.com"


class Ticking(FixedClock):
    """Every look at the clock takes a millisecond."""

    def __init__(self) -> None:
        self.at = 1000.0

    def ticks(self) -> float:
        self.at += 0.001
        return self.at


def trail(**more: Any) -> Trail:
    return Trail(replace(chat("hello"), **more), "hash-1", "node-1", Ticking())


def inspected(stage: str, text: str, *actions: tuple[str, str]) -> Inspector:
    looking = inspector(effective(hook(dict(actions), name="hook-1")), stage=stage)
    with contextlib.suppress(Blocked):
        looking.document({"text": text}, TextMap(skip=frozenset()))
    return looking


# ---- the whole event -----------------------------------------------------------------------------


def test_a_request_that_nothing_was_done_with() -> None:
    event = trail(peer="10.0.0.1", caller=Caller("k", "u", "p", "o", "a", {"team": "x"})).event()
    assert event == {
        "v": EVENT_VERSION,
        "id": "req-1",
        "at": "2026-01-01T00:00:00.000000+00:00",
        "node": "node-1",
        "door": "sdk",
        "endpoint": "chat",
        "stream": False,
        "policy": "hash-1",
        "caller": {
            "key": "k",
            "user": "u",
            "project": "p",
            "organisation": "o",
            "app": "a",
            "tags": {"team": "x"},
            "peer": "10.0.0.1",
        },
        "model": "",
        "status": 0,
        "outcome": "complete",
        "error": None,
        "decision": "approve",
        "findings": [],
        "findings_omitted": 0,
        "redacted": 0,
        "restored": 0,
        "route": {"provider": "", "model": "", "arm": "", "attempts": []},
        "cache": "off",
        "usage": None,
        "cost_usd": "0",
        "saved_usd": "0",
        "cost": [],
        "fidelity": {"coerced": [], "dropped": []},
        "notes": [],
        "bytes": {"in": len(chat("hello").body), "out": 0},
        "held_chars": 0,
        "duration_ms": 1.0,
        "timings_us": {},
    }


def test_an_event_is_plain_json_that_holds_no_text() -> None:
    told = trail()
    told.inspected_by(inspected("request", f"I am {EMAIL}", ("pii.email", "redact")))
    written = json.dumps(told.event())
    assert "bob" not in written
    assert "hello" not in written


def test_what_was_found_and_done_at_both_stages() -> None:
    told = trail()
    told.inspected_by(
        inspected("request", f"{EMAIL} bluebird", ("pii.email", "redact"), ("own.bird", "approve"))
    )
    told.inspected_by(inspected("response", EMAIL, ("pii.email", "redact")))
    event = told.event()
    found = {(f["stage"], f["rule"], f["action"], f["hook"]) for f in event["findings"]}
    assert found == {
        ("request", "own.bird", "approve", "hook-1"),
        ("request", "pii.email", "redact", "hook-1"),
        ("response", "pii.email", "redact", "hook-1"),
    }
    assert (event["redacted"], event["decision"]) == (2, "redact")


@pytest.mark.parametrize(
    ("actions", "decision"),
    [(["approve"], "approve"), (["approve", "redact"], "redact"), (["block", "redact"], "block")],
)
def test_the_strictest_decision_counts(actions: list[str], decision: str) -> None:
    told = trail()
    for action in actions:
        told.inspected_by(inspected("request", "bluebird", ("own.bird", action)))
    assert told.event()["decision"] == decision


# ---- the route -----------------------------------------------------------------------------------


def test_every_attempt_is_told_with_how_it_ended() -> None:
    told = trail()
    target = Target("one", "a")
    began = told.clock.ticks()
    told.attempt(target, Failure("connect", "refused"), began)
    told.attempt(target, Response(429, {"x-request-id": "r" * 200}), began)
    told.attempt(Target("two", "b"), Response(200, {"request-id": "r2"}), began)
    told.attempt(target, Response(500, {}), began)
    told.target, told.arm = Target("two", "b"), "canary"
    route = told.event()["route"]
    assert told.attempts == 4
    assert [attempt.pop("ms") > 0 for attempt in route["attempts"]] == [True] * 4
    assert route == {
        "provider": "two",
        "model": "b",
        "arm": "canary",
        "attempts": [
            {"provider": "one", "model": "a", "failure": "connect", "reason": "refused"},
            {"provider": "one", "model": "a", "status": 429, "request_id": "r" * 128},
            {"provider": "two", "model": "b", "status": 200, "request_id": "r2"},
            {"provider": "one", "model": "a", "status": 500},
        ],
    }


def test_steps_are_timed_and_add_up() -> None:
    told = trail()
    for step in ("read", "upstream", "upstream"):
        told.mark(step)
    assert set(told.event()["timings_us"]) == {"read", "upstream"}
    assert told.event()["timings_us"]["upstream"] == pytest.approx(2000, abs=2)


def test_an_answer_from_the_cache_tells_what_it_saves() -> None:
    told = trail()
    told.served_from(Cached(200, {}, b"12345", False, Usage(3, 4), 5_000_000, "a", "one"))
    event = told.event()
    assert (event["cost_usd"], event["saved_usd"]) == ("0", "0.000005")
    assert (event["usage"]["input"], event["bytes"]["out"]) == (3, 5)
    assert (event["route"]["provider"], event["route"]["model"]) == ("one", "a")


def test_the_bill_is_told_item_by_item() -> None:
    told = trail()
    told.usage = Usage(3, 4, 1, 0, 2, estimated=True)
    first = Bill((Item("input", 3, 5, 15), Item("output", 4, 10, 40)), 55)
    told.bills = (first, Bill((Item("input", 1, 5, 5),), 5))
    event = told.event()
    assert event["cost"] == [
        {"kind": "input", "tokens": 3, "rate": 5, "amount": 15},
        {"kind": "output", "tokens": 4, "rate": 10, "amount": 40},
        {"kind": "input", "tokens": 1, "rate": 5, "amount": 5},
    ]
    assert event["cost_usd"] == "0.00000000006"
    assert event["usage"] == {
        "input": 3,
        "output": 4,
        "cache_read": 1,
        "cache_write": 0,
        "reasoning": 2,
        "audio_input": 0,
        "audio_output": 0,
        "estimated": True,
    }
    told.unpriced = True
    assert told.event()["cost_usd"] is None


# ---- how it ended --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome", "word"),
    [
        (None, None, "complete"),
        (None, Outcome(), "complete"),
        (None, Outcome(caller_left=True), "caller_left"),
        (None, Outcome(failure=Failure("truncated", "cut")), "truncated"),
        (errors.Blocked("x", rules=["r"]), None, "blocked"),
        (errors.LimitExceeded("x"), None, "limited"),
        (errors.QuotaExceeded("x"), None, "limited"),
        (errors.CallerLeft("x"), None, "caller_left"),
        (errors.Malformed("x"), None, "refused"),
        (errors.NotAllowed("x"), Outcome(), "refused"),
        (errors.UpstreamFailed("x"), None, "failed"),
        (errors.AuditUnavailable("x"), None, "failed"),
        (errors.NexusError("x"), None, "failed"),
        (errors.UpstreamFailed("x", failure=Failure("truncated", "cut")), Outcome(), "truncated"),
        (errors.UpstreamFailed("x", failure=Failure("timeout", "late")), None, "failed"),
        (errors.UpstreamFailed("its own words"), Outcome(), "failed"),
        (errors.Blocked("x"), Outcome(caller_left=True), "blocked"),
    ],
)
def test_how_an_exchange_ended(
    error: NexusError | None, outcome: Outcome | None, word: str
) -> None:
    told = trail()
    told.status = 200
    event = told.event(error=error, outcome=outcome)
    assert event["outcome"] == word
    assert event["status"] == (error.status if error else 200)
    assert event["decision"] == ("block" if isinstance(error, Blocked) else "approve")


def test_why_it_ended() -> None:
    blocked = trail().event(error=errors.Blocked("stop", rules=["a", "b"]))
    assert blocked["error"] == {"code": "policy_blocked", "message": "stop", "rules": ["a", "b"]}
    limited = trail().event(error=errors.QuotaExceeded("broke"))
    assert limited["error"] == {"code": "quota_exceeded", "message": "broke", "rules": []}
    cut = trail().event(outcome=Outcome(failure=Failure("truncated", "cut")))
    assert cut["error"] == {"code": "truncated", "message": "cut", "rules": []}
    assert trail().event(outcome=Outcome(caller_left=True))["error"] is None


def test_it_knows_that_its_event_was_made() -> None:
    told = trail()
    assert not told.told
    told.event()
    assert told.told
