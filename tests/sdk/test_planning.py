"""Which targets: what routing may know of a request, and the one node that asks a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.playbook import FixedClock, chat, snapshot
from tests.sdk.test_pipeline import JSON, error, event, said

from nexus_sdk.effects import Send
from nexus_sdk.exchange import Exchange
from nexus_sdk.model import Caller, Failure, Response
from nexus_sdk.pipeline import handle
from nexus_sdk.planning import ask_of
from nexus_sdk.stages.reading import read
from nexus_sdk.wire.json import dumps

CLOCK = FixedClock()


def provider(name: str) -> dict[str, Any]:
    return {
        "kind": "openai_compatible",
        "base_url": f"https://{name}.example/v1",
        "api_key": f"key-{name}",
    }


def smart(**more: Any) -> dict[str, Any]:
    choices = {
        "hard": {"about": "mathematics and code", "to": "big/b"},
        "easy": {"about": "small talk", "to": "small/s"},
    }
    node = {"smart": choices, "router": "judge/j", "otherwise": "small/s", "timeout_s": 2, **more}
    return {
        "providers": {name: provider(name) for name in ("big", "small", "judge")},
        "routing": {"models": {"m": node}, "retry": {"attempts": 1}},
        "prices": {"j": {"input": 1.0, "output": 2.0}, "b": {"input": 10.0, "output": 20.0}},
    }


def routed_to(reply: Any, request: Any = None) -> tuple[Any, Any, Any]:
    """The question to the router, the request that follows its answer, and the flow."""
    flow = handle(request or chat("What is 2+2, bob@corp-mail.com?"), snapshot(smart()), CLOCK)
    question = flow.send(None)
    return question, flow.send(reply), flow


def test_the_router_is_asked_about_the_redacted_text_only() -> None:
    question, answered, _ = routed_to(said('{"choice":"hard"}'))
    assert type(question) is Send
    assert question.opening is None
    assert question.upstream.url == "https://judge.example/v1/chat/completions"
    assert question.upstream.headers["authorization"] == "Bearer key-judge"
    assert (question.upstream.total_s, question.upstream.read_s) == (2, 2)
    doc = orjson.loads(question.upstream.body)
    assert doc["model"] == "j"
    assert doc["messages"][-1]["content"].startswith("What is 2+2, <EMAIL_")
    assert b"corp-mail" not in question.upstream.body
    assert answered.upstream.url.startswith("https://big.example")


def test_what_the_router_cost_is_booked_to_the_request() -> None:
    _, _, flow = routed_to(said("easy", tokens=10))
    recorded: Any = flow.send(said("ok", tokens=5))
    providers = [attempt["provider"] for attempt in recorded.event["route"]["attempts"]]
    assert providers == ["judge", "small"]
    assert recorded.event["cost"] == [
        {"kind": "input", "tokens": 10, "rate": 1_000_000, "amount": 10_000_000},
        {"kind": "output", "tokens": 10, "rate": 2_000_000, "amount": 20_000_000},
    ]
    assert recorded.event["usage"]["input"] == 5


@pytest.mark.parametrize(
    "reply",
    [
        Failure("timeout", "slow"),
        error(500),
        error(429),
        said("neither of them"),
        Response(200, JSON, b"<html>"),
        Response(200, JSON, b'{"choices":[]}'),
        Response(200, JSON, b'{"choices":[{"message":"hard"}]}'),
        Response(200, JSON, b'{"choices":[{"message":{"content":["hard"]}}]}'),
        Response(200, JSON, b'{"choices":5}'),
        Response(200, JSON, b'{"usage":{"prompt_tokens":[]}}'),
    ],
)
def test_any_fault_of_the_router_takes_otherwise(reply: Any) -> None:
    _, answered, _ = routed_to(reply)
    assert answered.upstream.url.startswith("https://small.example")


def test_a_router_of_another_dialect_is_asked_in_it() -> None:
    policy = smart()
    policy["providers"]["judge"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://j.example",
    }
    flow = handle(chat(), snapshot(policy), CLOCK)
    question: Any = flow.send(None)
    assert question.upstream.url == "https://j.example/v1/messages"
    message = {
        "type": "message",
        "content": [{"type": "text", "text": '{"choice":"hard"}'}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    following: Any = flow.send(Response(200, JSON, dumps(message)))
    assert following.upstream.url.startswith("https://big.example")


def test_a_broken_router_is_noted_by_the_kind_of_its_fault() -> None:
    _, _, flow = routed_to(Response(200, JSON, b'{"choices":[{"message":"hard"}]}'))
    recorded: Any = flow.send(said("ok"))
    event(outcome="complete")(recorded)
    assert recorded.event["notes"][0].startswith("router judge/j: ")


def test_a_request_without_text_asks_with_none() -> None:
    request = chat(messages=[{"role": "user", "content": ""}])
    question, *_ = routed_to(said("easy"), request)
    assert orjson.loads(question.upstream.body)["messages"][-1]["content"] == ""


# ---- what routing may know -----------------------------------------------------------------------


def ask(request: Any, policy: dict[str, Any] | None = None) -> Any:
    exchange = Exchange(request, snapshot(policy), CLOCK)
    return ask_of(exchange, read(request))


def test_what_is_known_of_a_request() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    request = replace(chat("x" * 40, stream=True, tools=[tool]), caller=Caller("k", "u"))
    found = ask(request)
    assert (found.model, found.endpoint, found.dialect) == ("m", "chat", "openai_chat")
    assert (found.stream, found.tools) == (True, True)
    assert found.input_tokens >= 10
    assert found.caller == Caller("k", "u")
    assert found.origin == "@up.example/v1"
    assert found.draw == 0.5
    assert found.health("any") == "available"


def test_every_turn_of_a_conversation_has_one_hash() -> None:
    first = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
    later = [*first, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "bye"}]
    hashes = {ask(chat(messages=turns), smart()).prompt_hash for turns in (first, later)}
    assert len(hashes) == 1
    other = ask(chat(messages=[{"role": "user", "content": "else"}]), smart()).prompt_hash
    assert hashes.isdisjoint({other, ""})
    assert ask(chat()).prompt_hash == "", "nobody asks where nothing is routed"
