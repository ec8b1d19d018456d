"""Refusals as each vendor's own client reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.sidecar.app_stack import Stack, chat, key, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USER: Any = [{"role": "user", "content": "hello"}]
NIGHTJAR: Any = [{"role": "user", "content": "about Nightjar"}]

type Ask = Callable[[Stack, str, str, Any], object]


def by_chat(stack: Stack, api_key: str, model: str, messages: Any) -> object:
    with stack.openai(api_key=api_key) as client:
        return client.chat.completions.create(model=model, messages=messages)


def by_responses(stack: Stack, api_key: str, model: str, messages: Any) -> object:
    with stack.openai(api_key=api_key) as client:
        return client.responses.create(model=model, input=messages)


def by_messages(stack: Stack, api_key: str, model: str, messages: Any) -> object:
    with stack.anthropic(api_key=api_key) as client:
        return client.messages.create(model=model, max_tokens=9, messages=messages)


BOTH = pytest.mark.parametrize(
    ("ask", "vendor"), [(by_chat, openai), (by_responses, openai), (by_messages, anthropic)]
)


class Keyed(Stack):
    """A sidecar with keys of its policy."""

    keys: dict[str, str]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    made = {
        "good": key("good"),
        "one": key("one", models=["gpt-4o"]),
        "old": key("old", expires="2020-01-01T00:00:00Z"),
        "gone": key("gone", revoked=True),
        "spent": key("spent"),
        "poor": key("poor"),
    }
    limits = [
        {
            "name": "twice",
            "unit": "requests",
            "max": 2,
            "window": "day",
            "when": {"key": ["spent"]},
        },
        {
            "name": "cents",
            "unit": "usd",
            "max": 0.000001,
            "window": "day",
            "when": {"key": ["poor"]},
        },
    ]

    def of(url: str) -> Any:
        return policy(url, keys=[entry for _, entry in made.values()], limits=limits)

    with Keyed(tmp_path_factory.mktemp("keyed"), of) as running:
        running.keys = {name: one for name, (one, _) in made.items()}
        yield running


def refusal(kind: Any, ask: Ask, *given: Any) -> Any:
    with pytest.raises(kind) as caught:
        ask(*given)
    assert caught.value.request_id
    return caught.value


@BOTH
@pytest.mark.parametrize(
    ("name", "code"),
    [("gone", "key_revoked"), ("old", "key_expired"), ("", "invalid_api_key")],
)
def test_a_key_that_does_not_hold(
    keyed: Keyed, ask: Ask, vendor: Any, name: str, code: str
) -> None:
    api_key = keyed.keys.get(name, "nvk_" + "0" * 64)
    error = refusal(vendor.AuthenticationError, ask, keyed, api_key, "gpt-4o", USER)
    assert error.response.headers["x-nexus-error"] == code
    assert api_key not in str(error)
    assert api_key[:8] in str(error)


def test_no_key_at_all(keyed: Keyed) -> None:
    answered = keyed.post("/v1/messages", chat())
    assert answered.status == 401
    assert answered.doc["error"]["type"] == "authentication_error"
    assert answered.headers["x-nexus-error"] == "missing_api_key"
    answered = keyed.post("/v1/chat/completions", chat())
    assert answered.doc["error"]["code"] == "missing_api_key"


@BOTH
def test_a_model_that_the_key_may_not_use(keyed: Keyed, ask: Ask, vendor: Any) -> None:
    given = keyed, keyed.keys["one"], "claude-opus-5", USER
    error = refusal(vendor.PermissionDeniedError, ask, *given)
    assert error.response.headers["x-nexus-error"] == "model_not_allowed"
    assert "gpt-4o" in str(error)


@BOTH
def test_a_blocked_prompt(keyed: Keyed, ask: Ask, vendor: Any) -> None:
    before = len(keyed.seen())
    given = keyed, keyed.keys["good"], "gpt-4o", NIGHTJAR
    error = refusal(vendor.PermissionDeniedError, ask, *given)
    assert error.response.headers["x-nexus-rules"] == "own.project"
    assert "Nightjar" not in str(error)
    assert len(keyed.seen()) == before


@BOTH
def test_a_model_that_nobody_has(keyed: Keyed, ask: Ask, vendor: Any) -> None:
    error = refusal(vendor.NotFoundError, ask, keyed, keyed.keys["good"], "gpt-9", USER)
    assert "gpt-9" in str(error)


@BOTH
def test_no_upstream(keyed: Keyed, ask: Ask, vendor: Any) -> None:
    error = refusal(vendor.InternalServerError, ask, keyed, keyed.keys["good"], "dead", USER)
    assert error.status_code == 502
    assert "refused the connection" in str(error)


def test_a_limit_of_requests(keyed: Keyed) -> None:
    given = keyed, keyed.keys["spent"], "gpt-4o", USER
    by_chat(*given)
    by_messages(*given)
    for ask, vendor in ((by_chat, openai), (by_responses, openai), (by_messages, anthropic)):
        error = refusal(vendor.RateLimitError, ask, *given)
        assert 0 < int(error.response.headers["retry-after"]) <= 86400
        assert error.response.headers["x-nexus-limit"] == "twice"
        assert error.response.headers["x-should-retry"] == "false"


@BOTH
def test_a_budget(keyed: Keyed, ask: Ask, vendor: Any) -> None:
    error = refusal(vendor.RateLimitError, ask, keyed, keyed.keys["poor"], "gpt-4o", USER)
    assert error.response.headers["x-nexus-error"] == "quota_exceeded"


@pytest.mark.parametrize(
    "path",
    ["/v1/chat", "/v1/chat/completions/x", "/v1/x/chat/completions", "/chat/completions", "/"],
)
def test_a_path_that_is_not_served(keyed: Keyed, path: str) -> None:
    counted = keyed.metric('nexus_refused_total{code="unknown_path"}')
    answered = keyed.post(path, chat())
    assert answered.status == 404
    assert answered.doc["error"]["code"] == "unknown_path"
    assert "/v1/chat/completions" in answered.doc["error"]["message"]
    assert keyed.metric('nexus_refused_total{code="unknown_path"}') == counted + 1


def test_a_path_that_is_not_served_below_messages(keyed: Keyed) -> None:
    answered = keyed.post("/v1/messages/batches", chat())
    assert answered.status == 404
    assert answered.doc["error"]["type"] == "not_found_error"


def test_a_wrong_method(keyed: Keyed) -> None:
    assert keyed.get("/v1/chat/completions").status == 404
    assert keyed.post("/healthz", b"").status == 404


def test_two_keys_are_one_too_many(keyed: Keyed) -> None:
    answered = keyed.post(
        "/v1/chat/completions",
        chat(),
        authorization=f"Bearer {keyed.keys['good']}",
        x_api_key=keyed.keys["one"],
    )
    assert answered.status == 400


def test_a_key_in_the_url_is_refused_and_not_repeated(keyed: Keyed) -> None:
    answered = keyed.post(f"/v1/chat/completions?key={keyed.keys['good']}", chat())
    assert answered.status == 400
    assert answered.doc["error"]["code"] == "key_in_url"
    assert keyed.keys["good"].encode() not in answered.body


def test_models_are_those_of_the_key(keyed: Keyed) -> None:
    with keyed.openai(api_key=keyed.keys["one"]) as client:
        assert [model.id for model in client.models.list()] == ["gpt-4o"]
    with keyed.anthropic(api_key=keyed.keys["one"]) as anthropics:
        assert [model.id for model in anthropics.models.list()] == ["gpt-4o"]
    with keyed.openai(api_key=keyed.keys["good"]) as client:
        assert {"gpt-4o", "claude-opus-5", "dead"} <= {model.id for model in client.models.list()}


def test_models_are_refused_in_the_callers_dialect(keyed: Keyed) -> None:
    with (
        keyed.anthropic(api_key="nvk_wrong") as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.type == "authentication_error"


def test_keys_are_in_no_event(keyed: Keyed, tmp_path: Path) -> None:
    by_chat(keyed, keyed.keys["good"], "gpt-4o", USER)
    told = repr(keyed.events())
    assert "'key': 'good'" in told
    for one in keyed.keys.values():
        assert one not in told


def test_the_answer_to_a_fault_of_our_own(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Any) -> Any:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(stack.sidecar.nexus, "arun", broken)
    for path, kind in (("/v1/chat/completions", "api_error"), ("/v1/messages", "api_error")):
        answered = stack.post(path, chat())
        assert answered.status == 500
        assert answered.doc["error"]["type"] == kind
        assert b"detail" not in answered.body
        assert answered.headers["x-nexus-request-id"] in caplog.text
