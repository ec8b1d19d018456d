"""Counting tokens, through the pipeline: passed on, asked of another vendor, estimated."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.playbook import FixedClock, play, snapshot
from tests.sdk.test_pipeline import JSON, event, finish

from nexus_sdk.effects import Record, Reserve, Send, Settle
from nexus_sdk.model import Origin, Request, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.wire.json import dumps

CLOCK = FixedClock()
ANTHROPIC = {"model": "m", "messages": [{"role": "user", "content": "x" * 41}]}
OPENAI = {"model": "m", "input": "x" * 41}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "x" * 41}]}]}
PATHS = {
    "count_tokens": "/messages/count_tokens",
    "input_tokens": "/responses/input_tokens",
    "count_content_tokens": "/models/m:countTokens",
}
DOCS: dict[str, Any] = {
    "count_tokens": ANTHROPIC,
    "input_tokens": OPENAI,
    "count_content_tokens": GEMINI,
}


def asked(endpoint: str, doc: Any = None) -> Request:
    return Request(
        id="req-1",
        door="sdk",
        endpoint=endpoint,
        body=dumps(doc or DOCS[endpoint]),
        path=PATHS[endpoint],
        origin=Origin("https://up.example/v1"),
    )


def to(kind: str, **more: Any) -> dict[str, Any]:
    provider = {"kind": kind, "api_key": "k"}
    return {
        "providers": {"p": provider},
        "routing": {"models": {"m": "p/other"}, "retry": {"attempts": 1}},
        **more,
    }


def sends(url: str, **members: Any) -> Any:
    def check(effect: Any) -> None:
        assert type(effect) is Send
        assert effect.upstream.url == url
        doc = orjson.loads(effect.upstream.body)
        assert {name: doc.get(name) for name in members} == members

    return check


@pytest.mark.parametrize(
    ("endpoint", "kind", "url", "answer"),
    [
        (
            "count_tokens",
            "anthropic",
            "https://api.anthropic.com/v1/messages/count_tokens",
            {"input_tokens": 9},
        ),
        (
            "input_tokens",
            "openai",
            "https://api.openai.com/v1/responses/input_tokens",
            {"object": "response.input_tokens", "input_tokens": 9},
        ),
        (
            "count_content_tokens",
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/models/other:countTokens",
            {"totalTokens": 9},
        ),
    ],
)
def test_a_target_of_the_same_dialect_counts_for_nothing(
    endpoint: str, kind: str, url: str, answer: Any
) -> None:
    body = dumps(answer)
    play(
        handle(asked(endpoint), snapshot(to(kind)), CLOCK),
        (sends(url), Response(200, JSON, body)),
        (event(status=200, usage__input=0, cost_usd="0"), None),
        (finish(200, body), None),
    )


def test_another_vendor_s_count_is_a_real_one() -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/models/other:countTokens"
    noted: list[Any] = []
    play(
        handle(asked("count_tokens"), snapshot(to("gemini")), CLOCK),
        (sends(url, contents=GEMINI["contents"]), Response(200, JSON, b'{"totalTokens":9}')),
        (noted.append, None),
        (finish(200, b'{"input_tokens":9}'), None),
    )
    assert noted[0].event["fidelity"]["dropped"] == []


def test_a_wrapped_request_names_the_target_s_model() -> None:
    doc = {"generateContentRequest": GEMINI | {"model": "models/m"}}
    url = "https://generativelanguage.googleapis.com/v1beta/models/other:countTokens"
    wanted = {"contents": GEMINI["contents"], "model": "models/other"}
    flow = handle(asked("count_content_tokens", doc), snapshot(to("gemini")), CLOCK)
    sends(url, generateContentRequest=wanted)(flow.send(None))


@pytest.mark.parametrize("endpoint", list(PATHS))
@pytest.mark.parametrize("kind", ["mistral", "bedrock"])
def test_where_nobody_counts_it_is_estimated_and_said_so(endpoint: str, kind: str) -> None:
    more = {"region": "eu-west-1"} if kind == "bedrock" else {}
    policy = to(kind, limits=[{"name": "l", "unit": "tokens", "max": 5, "window": "day"}])
    policy["providers"]["p"] |= more
    answers: list[Any] = []
    play(
        handle(asked(endpoint), snapshot(policy), CLOCK),
        (
            event(
                status=200,
                usage__input=0,
                cost_usd="0",
                route__attempts=[],
                fidelity__coerced=["input_tokens: estimated at four characters a token"],
            ),
            None,
        ),
        (answers.append, None),
    )
    answer = answers[0].answer
    assert {11, True} <= set(orjson.loads(answer.body).values())
    assert "estimated" in answer.headers["x-nexus-coerced"]
    assert answer.headers["x-nexus-provider"] == "p"


def test_an_estimate_does_not_mend_a_provider_s_health() -> None:
    taken = snapshot(to("mistral"))
    for _ in range(5):
        taken.health.record("p", "failed", CLOCK.ticks())
    flow = handle(asked("count_tokens"), taken, CLOCK)
    assert type(flow.send(None)) is Record
    assert taken.health.at(CLOCK.ticks())("p") == "degraded"


def test_what_a_real_count_reserves_is_given_back() -> None:
    policy = to("openai", limits=[{"name": "l", "unit": "tokens", "max": 99, "window": "day"}])
    play(
        handle(asked("input_tokens"), snapshot(policy), CLOCK),
        (Reserve, "r1"),
        (Send, Response(200, JSON, b'{"object":"response.input_tokens","input_tokens":9}')),
        (Settle("r1", (0,)), None),
        (Record, None),
        (finish(200), None),
    )
