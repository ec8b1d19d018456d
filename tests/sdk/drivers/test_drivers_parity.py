"""One list of exchanges in both colours, against real HTTP: the same answers, the same audit
events, the same requests upstream."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.playbook import chat

from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.model import Answer, Origin, Patience, Request
from nexus_sdk.nexus import Nexus
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents

EMAIL = "bob@corp-mail.com"
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "mail", "parameters": SCHEMA}}
RESPONSES = {"model": "m", "input": f"I am {EMAIL}"}
TURNS = [{"role": "user", "content": f"I am {EMAIL}"}]
MESSAGES = {"model": "m", "max_tokens": 50, "messages": TURNS}
UNTIL = {"bypass_compliance_until": "2999-01-01T00:00:00Z", "bypass_reason": "an incident of note"}
BUDGET = {"limits": [{"name": "one", "unit": "requests", "max": 1, "window": "day"}]}


def blocking(word: str, stage: str) -> dict[str, Any]:
    own = [{"id": "own.word", "words": [word]}]
    hook = {"name": "b", "own": own, "action": "block", "stages": [stage]}
    return {"compliance": {"hooks": [hook]}}


ONE_RETRY, HASTY = Patience(retries=1), Patience(read_s=0.05, retries=0)


@dataclass(frozen=True)
class Scenario:
    """`demo`: what the model server is told to do. `stop`: events after which the caller leaves.
    `times`: how often the same request is made."""

    name: str
    body: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    demo: str = ""
    endpoint: str = "chat"
    stop: int | None = None
    times: int = 1
    patience: Patience = ONE_RETRY


FAST: dict[str, Any] = {"routing": {"retry": {"attempts": 2, "delay_s": 0.01, "max_delay_s": 0.01}}}
CACHE: dict[str, Any] = {"cache": {"enabled": True, "scope": "all", "when": "always"}}
STREAM = {"stream": True}
SCENARIOS = [
    Scenario("whole"),
    Scenario("stream", STREAM),
    Scenario("stream with counts", {**STREAM, "stream_options": {"include_usage": True}}),
    Scenario("tool", {"tools": [TOOL], **STREAM}, demo="tool=mail;calls=2"),
    Scenario("two choices", {"n": 2, **STREAM}),
    Scenario("responses", RESPONSES, endpoint="responses"),
    Scenario("responses stream", {**RESPONSES, **STREAM}, {}, "think=hm", "responses"),
    Scenario("messages", MESSAGES, endpoint="messages"),
    Scenario("messages stream", {**MESSAGES, **STREAM}, {}, "think=hm", "messages"),
    Scenario("embeddings", {"model": "m", "input": EMAIL}, endpoint="embeddings"),
    Scenario("blocked prompt", {}, blocking("I am", "request")),
    Scenario("blocked answer", {}, blocking("bluebird", "response"), "say=the%20bluebird"),
    Scenario("blocked stream", STREAM, blocking("bluebird", "response"), "say=so%20bluebird%20so"),
    Scenario("bypass", policy={"switches": UNTIL}),
    Scenario("malformed", {"messages": 5}),
    Scenario("killed", policy={"switches": {"kill": True}}),
    Scenario("cached", policy=CACHE, times=2),
    Scenario("cached stream", STREAM, CACHE, times=2),
    Scenario("budget", policy=BUDGET, times=2),
    Scenario("retried", policy=FAST, demo="status=503;times=1;code=COLOUR"),
    Scenario("failing", policy=FAST, demo="status=500"),
    Scenario("the caller's fault", demo="status=400"),
    Scenario("html", policy=FAST, demo="html"),
    Scenario("error in 200", policy=FAST, demo="error-in-200"),
    Scenario("error first", STREAM, FAST, "error-event-after=0"),
    Scenario("error later", STREAM, demo="error-event-after=2"),
    Scenario("cut", STREAM, demo="cut-after=900"),
    Scenario("reset", STREAM, demo="cut-after=900;reset"),
    Scenario("no end marker", STREAM, demo="no-done"),
    Scenario("oddly framed", STREAM, demo="crlf;bom;comments;split=7"),
    Scenario("cut whole answer", policy=FAST, demo="cut-after=100"),
    Scenario("silent", demo="hang", patience=HASTY),
    Scenario("silent stream", STREAM, demo="hang-after=900", patience=HASTY),
    Scenario("left early", STREAM, demo="chunks=50", stop=2),
    Scenario("left at once", STREAM, demo="chunks=50", stop=0),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[ModelServer]:
    with ModelServer(clock=lambda: 1_750_000_000.0) as server:
        yield server


def request(scenario: Scenario, server: ModelServer, number: int, colour: str) -> Request:
    body = scenario.body
    if scenario.endpoint == "chat":
        body = {"model": "m", "messages": TURNS, **body}
    return replace(
        chat(),
        id=f"req-{number}",
        endpoint=scenario.endpoint,
        path={"chat": "/chat/completions"}.get(scenario.endpoint, f"/{scenario.endpoint}"),
        body=dumps(body),
        headers={
            "authorization": "Bearer sk-caller",
            "x-demo": scenario.demo.replace("COLOUR", colour),
        },
        origin=Origin(f"{server.url}/v1"),
        patience=scenario.patience,
    )


type Seen = tuple[int, dict[str, str], bytes]


def told(answer: Answer | SyncEvents | AsyncEvents, body: bytes) -> Seen:
    head = answer if isinstance(answer, Answer) else answer.answer
    passing = ("date", "x-request-id", "request-id", "x-nexus-request-id", "age", "retry-after")
    return head.status, {n: v for n, v in head.headers.items() if n not in passing}, body


def blocked(nexus: Nexus, scenario: Scenario, asked: Request) -> Seen:
    answer = nexus.run(asked)
    if isinstance(answer, Answer):
        return told(answer, answer.body)
    body = b""
    for number, event in enumerate(answer):
        if number == scenario.stop:
            break
        body += event.wire()
    answer.close()
    return told(answer, body)


async def awaited(nexus: Nexus, scenario: Scenario, asked: Request) -> Seen:
    answer = await nexus.arun(asked)
    if isinstance(answer, Answer):
        return told(answer, answer.body)
    body, number = b"", 0
    async for event in answer:
        if number == scenario.stop:
            break
        number += 1
        body += event.wire()
    await answer.close()
    return told(answer, body)


PLAYED: dict[tuple[str, str], dict[str, Any]] = {}


def played(colour: str, scenario: Scenario, server: ModelServer) -> dict[str, Any]:
    """Each scenario is played once in each colour, whichever test asks for it."""
    known = PLAYED.get((colour, scenario.name))
    if known is None:
        known = PLAYED[colour, scenario.name] = _played(colour, scenario, server)
    return known


def _played(colour: str, scenario: Scenario, server: ModelServer) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    server.clear()
    nexus = Nexus(scenario.policy, observe=events.append)
    asked = [request(scenario, server, number, colour) for number in range(scenario.times)]
    if colour == "sync":
        with nexus:
            seen = [blocked(nexus, scenario, one) for one in asked]
    else:

        async def main() -> list[Seen]:
            try:
                return [await awaited(nexus, scenario, one) for one in asked]
            finally:
                await nexus.aclose()

        seen = asyncio.run(main())
    sent = [(got.method, got.target, got.body) for got in server.requests]
    return {"seen": seen, "events": [plain(event) for event in events], "sent": sent}


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one second to the next."""
    for attempt in event["route"]["attempts"]:
        attempt.pop("ms")
        attempt.pop("request_id", None)
    timings = sorted(event.pop("timings_us"))
    return {key: value for key, value in event.items() if key not in ("at", "duration_ms")} | {
        "timed": timings
    }


def unnumbered(seen: list[Seen]) -> list[Seen]:
    """The model server numbers its answers."""
    return [(status, head, re.sub(rb"[0-9a-f]{24,32}", b"ID", body)) for status, head, body in seen]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_both_colours_do_the_same(scenario: Scenario, upstream: ModelServer) -> None:
    sync, awaited = (played(colour, scenario, upstream) for colour in ("sync", "async"))
    assert sync["events"] == awaited["events"]
    assert unnumbered(sync["seen"]) == unnumbered(awaited["seen"])
    assert sync["sent"] == awaited["sent"]
    assert len(sync["events"]) == scenario.times, "one event for each request"
    if scenario.name != "bypass" and "compliance" not in scenario.policy:
        assert not any(EMAIL.encode() in body for _, _, body in sync["sent"])


def test_every_scenario_ends_as_its_name_says(upstream: ModelServer) -> None:
    """So that a scenario that has silently become another one is noticed."""
    ends = {
        scenario.name: played("sync", scenario, upstream)["events"][-1]["outcome"]
        for scenario in SCENARIOS
    }
    refused = {"malformed", "killed"}
    stopped = {"blocked prompt", "blocked answer", "blocked stream"}
    failed = {"html", "error in 200", "error first", "error later", "cut whole answer", "silent"}
    truncated = {"cut", "reset", "no end marker", "silent stream"}
    left = {"left early", "left at once"}
    wanted = dict.fromkeys(ends, "complete")
    wanted |= dict.fromkeys(refused, "refused") | dict.fromkeys(stopped, "blocked")
    wanted |= dict.fromkeys(failed, "failed") | dict.fromkeys(truncated, "truncated")
    wanted |= dict.fromkeys(left, "caller_left") | {"budget": "limited"}
    assert ends == wanted
