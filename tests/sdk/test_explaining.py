"""`explain` says what would happen, and it is what happens."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.playbook import FixedClock, chat, snapshot
from tests.sdk.responses_lab import Lab, claude, text
from tests.sdk.test_pipeline import BUDGET, CACHE, routed
from tests.sdk.test_planning import smart

from nexus_sdk.drivers.responses import MemoryResponses
from nexus_sdk.effects import Finish, Lookup, Record, Reserve, Send, Settle
from nexus_sdk.errors import Malformed
from nexus_sdk.explaining import explain
from nexus_sdk.model import Caller
from nexus_sdk.pipeline import handle
from nexus_sdk.stages.identity import digest

if TYPE_CHECKING:
    from nexus_sdk.nexus import Nexus

EMAIL = "bob@corp-mail.com"
KEY = "nvk_" + "a" * 64


class Standing:
    """What `explain` needs of a Nexus, without its machinery."""

    def __init__(self, policy: dict[str, Any] | None = None) -> None:
        self.snapshot = snapshot(policy)
        self.clock = FixedClock()
        self.app = Caller(key_id="app:test", app="test")
        self.responses = MemoryResponses()

    def new_id(self) -> str:
        return "req-1"


def told(request: Any, policy: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found = explain(cast("Nexus", Standing(policy)), request, more.pop("endpoint", "chat"), **more)
    assert json.loads(json.dumps(found)) == found, "plain JSON values"
    return found


ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": f"I am {EMAIL}"}]}


def test_a_request_that_would_go_out() -> None:
    found = told(ASKED)
    assert found["would"] == "send"
    assert found["caller"] == {"key": "app:test", "user": ""}
    assert (found["model"], found["stream"], found["texts"]) == ("m", False, 1)
    (target,) = found["targets"]
    assert target["url"] == "https://api.openai.com/v1/chat/completions"
    assert (target["dialect"], target["translated"], target["health"]) == (
        "openai_chat",
        False,
        "available",
    )
    (redacted,) = found["redacted"]
    assert redacted["address"] == "messages.0.content"
    assert redacted["becomes"].startswith("I am <EMAIL_")
    (finding,) = found["findings"]
    assert (finding["rule"], finding["action"]) == ("pii.email", "redact")
    assert EMAIL not in json.dumps(found)


def test_it_asks_where_an_application_s_own_client_would_send() -> None:
    messages = {**ASKED, "max_tokens": 5}
    (target,) = told(messages, endpoint="messages")["targets"]
    assert target["url"].startswith("https://api.anthropic.com/v1")
    found = told(ASKED, caller=Caller(key_id="k", user="eve"))
    assert found["caller"] == {"key": "k", "user": "eve"}


def test_an_unknown_endpoint_is_the_asker_s_mistake() -> None:
    with pytest.raises(Malformed, match="known: chat, "):
        told(ASKED, endpoint="nothings")


@pytest.mark.parametrize(
    ("policy", "asked", "status", "code"),
    [
        ({"switches": {"kill": True}}, ASKED, 403, "kill_switch"),
        ({}, {"model": "m"}, 400, "malformed_request"),
        (
            {"compliance": {"hooks": [{"name": "b", "packs": ["nexus/pii"], "action": "block"}]}},
            ASKED,
            403,
            "policy_blocked",
        ),
        ({**routed(), "routing": {"models": {}, "unlisted": "refuse"}}, ASKED, 404, "not_found"),
    ],
)
def test_a_request_that_would_be_refused(policy: Any, asked: Any, status: int, code: str) -> None:
    found = told(asked, policy)
    assert found["would"] == "refuse"
    assert (found["error"]["status"], found["error"]["code"]) == (status, code)
    assert ("rules" in found["error"]) == (code == "policy_blocked")
    if code == "policy_blocked":
        assert [finding["rule"] for finding in found["findings"]] == ["pii.email"]


def test_every_target_is_told_with_its_translation_and_cost() -> None:
    policy = routed()
    policy["providers"]["two"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://two.example",
    }
    policy["prices"] = {"a": {"input": 1.0, "output": 2.0}}
    one, two = told({**ASKED, "seed": 3, "max_tokens": 10}, {**policy, "on_unsupported": "drop"})[
        "targets"
    ]
    assert (one["provider"], one["model"], one["translated"]) == ("one", "a", False)
    assert float(one["estimated_cost_usd"]) > 0
    assert (two["provider"], two["translated"], two["estimated_cost_usd"]) == ("two", True, None)
    assert any("seed" in dropped for dropped in two["dropped"])


def test_a_target_that_would_refuse_says_why() -> None:
    policy = routed()
    policy["providers"]["two"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://two.example",
    }
    _, two = told({**ASKED, "n": 2}, policy)["targets"]
    assert two["refused"]["code"] == "unsupported_feature"
    limited = told(ASKED, {**routed(), "limits": BUDGET["limits"]})
    assert limited["targets"][0]["refused"]["code"] == "unpriced_model"
    assert limited["would"] == "refuse"
    assert (limited["error"]["status"], limited["error"]["code"]) == (403, "unpriced_model")


def test_a_later_target_that_would_refuse_is_not_asked() -> None:
    policy = routed()
    policy["providers"]["two"] = {
        "kind": "anthropic",
        "api_key": "k",
        "base_url": "https://two.example",
    }
    assert told({**ASKED, "n": 2}, policy)["would"] == "send"


def test_limits_and_cache_are_named() -> None:
    rpm = {"name": "rpm", "unit": "requests", "max": 5, "window": "minute"}
    limits = [rpm, *BUDGET["limits"]]
    found = told(ASKED, {**CACHE, **BUDGET, "limits": limits})
    assert found["admission_limits"] == ["rpm"]
    assert found["targets"][0]["limits"] == ["budget"]
    assert found["cache"] == "would be looked up"
    assert told(ASKED)["cache"] == "not used for this request"
    fresh = replace(chat(), headers={"x-nexus-cache": "off"})
    assert told(fresh, CACHE)["cache"] == "not used for this request"


@pytest.mark.parametrize(
    ("body", "kind"), [(b"--x", "multipart/form-data"), (b'["a"]', "application/json")]
)
def test_what_no_dialect_reads_is_explained_too(body: bytes, kind: str) -> None:
    request = replace(chat(), endpoint="", path="/files", body=body, headers={"content-type": kind})
    found = told(request, CACHE)
    assert found["cache"] == "not used for this request"
    assert found["targets"][0]["url"] == "https://up.example/v1/files"


def test_a_router_is_not_asked() -> None:
    found = told(ASKED, smart())
    assert found["router"] == "judge/j would be asked; without it:"
    assert [target["provider"] for target in found["targets"]] == ["small"]


def test_routers_behind_a_router_are_not_asked_either() -> None:
    policy = smart()
    node = policy["routing"]["models"]["m"]
    policy["routing"]["models"]["m"] = node | {"otherwise": node | {"otherwise": "big/b"}}
    found = told(ASKED, policy)
    assert found["router"].startswith("judge/j would be asked")
    assert [target["provider"] for target in found["targets"]] == ["big"]


def test_a_sidecar_s_request_is_explained_for_its_key() -> None:
    policy = {
        **routed(),
        "keys": [{"id": "k1", "user": "eve", "digest": digest(KEY, b"p" * 32), "models": ["m"]}],
    }
    request = replace(
        chat(), door="sidecar", origin=None, headers={"authorization": f"Bearer {KEY}"}
    )
    assert told(request, policy)["caller"] == {"key": "k1", "user": "eve"}
    stranger = replace(request, headers={})
    assert told(stranger, policy)["error"]["code"] == "missing_api_key"


def test_long_texts_are_cut() -> None:
    long = {**ASKED, "messages": [{"role": "user", "content": f"{EMAIL} {'x' * 5000}"}]}
    (redacted,) = told(long)["redacted"]
    assert len(redacted["becomes"]) == 2003


@pytest.mark.parametrize(
    "policy", [{}, routed(), CACHE, BUDGET, {**routed(), **BUDGET, "prices": {"*": {"input": 1}}}]
)
def test_it_says_what_the_pipeline_does(policy: dict[str, Any]) -> None:
    request = chat(f"I am {EMAIL}")
    found = told(request, policy)
    flow, reply = handle(request, snapshot(policy), FixedClock()), None
    effect: Any = flow.send(reply)
    while type(effect) is not Send:
        assert type(effect) in (Lookup, Reserve, Settle, Record, Finish)
        effect = flow.send("r1" if type(effect) is Reserve else None)
    target = found["targets"][0]
    assert effect.upstream.url == target["url"]
    assert len(effect.upstream.body) == target["body_bytes"]
    assert found["redacted"][0]["becomes"].encode() in effect.upstream.body


def test_an_operation_whose_path_names_the_model() -> None:
    found = told(
        {"model": "a:b/c", "contents": [{"parts": [{"text": "hi"}]}]},
        endpoint="count_content_tokens",
    )
    assert (found["model"], found["would"]) == ("a:b/c", "send")
    assert found["targets"][0]["url"].endswith("/models/a%3Ab%2Fc:countTokens")


def test_a_kept_conversation_is_told_as_the_target_will_have_it() -> None:
    lab = Lab(replies=[claude(text("noted"))])
    first = lab.create(model="at-a", input="I am bob@example.com")
    standing = Standing(lab.rules)
    standing.responses = cast("MemoryResponses", lab.store)
    asked = {"model": "at-a", "input": "on", "previous_response_id": first["id"], "store": True}
    caller = Caller("app:lab", "ann")
    found = explain(cast("Nexus", standing), asked, endpoint="responses", caller=caller)
    assert found["would"] == "send"
    assert found["targets"][0]["coerced"][-2:] == [
        "previous_response_id->input",
        "store->(kept here)",
    ]
    lab.replies = [claude(text("yes"))]
    answer, _ = lab.ask("/responses", asked)
    assert found["targets"][0]["body_bytes"] == len(lab.sent[-1].body)
    assert "previous_response_id->input" in answer.headers["x-nexus-coerced"]
    unknown = explain(cast("Nexus", standing), asked, endpoint="responses")
    assert unknown["error"]["code"] == "previous_response_not_found"
