"""What the policy refuses, as exceptions that code written for the stock client catches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.sdk.client.conftest import ASK, MAIL

import nexus_sdk

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

RULE = {"id": "acme.code-name", "words": ["Bluebird"]}
NO_BLUEBIRD: dict[str, Any] = {
    "compliance": {
        "hooks": [
            {"name": "names", "stages": ["request", "response"], "own": [RULE], "action": "block"}
        ]
    }
}
SECRET: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "What is Bluebird?"}],
}
WAYS: dict[str, Any] = {
    "chat": lambda client: client.chat.completions.create(**SECRET),
    "chat stream": lambda client: client.chat.completions.create(**SECRET, stream=True),
    "chat, the long way": lambda client: client.chat.completions.create(
        **SECRET, extra_query={"a": "1"}
    ),
    "chat raw": lambda client: client.chat.completions.with_raw_response.create(**SECRET),
    "responses": lambda client: client.responses.create(model="gpt-4o", input="What is Bluebird?"),
    "embeddings": lambda client: client.embeddings.create(model="m", input="What is Bluebird?"),
    "moderations": lambda client: client.moderations.create(input="What is Bluebird?"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_blocked_request(
    way: str,
    client: nexus_sdk.OpenAI,
    nexus: nexus_sdk.Nexus,
    upstream: ModelServer,
    events: list[Event],
) -> None:
    nexus.reload(NO_BLUEBIRD)
    with pytest.raises(openai.APIError) as told:
        WAYS[way](client)
    error = told.value
    assert isinstance(error, nexus_sdk.PolicyBlocked)
    assert isinstance(error, openai.PermissionDeniedError)
    assert (error.status_code, error.code, error.rules) == (
        403,
        "policy_blocked",
        ("acme.code-name",),
    )
    assert error.request_id == events[0]["id"]
    assert error.response.headers["x-nexus-request-id"] == events[0]["id"]
    assert error.request.method == "POST"
    assert "acme.code-name" in error.message
    assert "Bluebird" not in error.message
    assert not upstream.requests
    assert [event["outcome"] for event in events] == ["blocked"]


@pytest.mark.parametrize("extra", [{}, {"extra_query": {"a": "1"}}], ids=("fast", "slow"))
def test_a_blocked_answer(
    extra: dict[str, Any], client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    nexus.reload(NO_BLUEBIRD)
    with pytest.raises(nexus_sdk.PolicyBlocked) as told:
        client.chat.completions.create(**ASK, **extra, extra_headers={"x-demo": "say=A%20Bluebird"})
    assert told.value.rules == ("acme.code-name",)
    assert [event["outcome"] for event in events] == ["blocked"]


def test_a_stream_that_is_blocked_on_its_way(
    client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    nexus.reload(NO_BLUEBIRD)
    said = "say=" + "%20".join(["once", "upon", "a", "time"] * 20) + "%20Bluebird%20sang"
    text = ""
    stream = client.chat.completions.create(**ASK, stream=True, extra_headers={"x-demo": said})
    with pytest.raises(nexus_sdk.PolicyBlocked) as told:  # noqa: PT012  some raise on the way
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text.startswith("once upon")
    assert "Blue" not in text
    assert told.value.status_code == 403
    assert told.value.rules == ("acme.code-name",)
    assert [event["outcome"] for event in events] == ["blocked"]


def test_an_async_refusal(
    aclient: nexus_sdk.AsyncOpenAI, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    nexus.reload(NO_BLUEBIRD)

    async def main() -> None:
        for stream in (False, True):
            with pytest.raises(nexus_sdk.PolicyBlocked):
                await aclient.chat.completions.create(**SECRET, stream=stream)

    asyncio.run(main())
    assert len(events) == 2


@pytest.mark.parametrize("extra", [{}, {"extra_query": {"a": "1"}}], ids=("fast", "slow"))
@pytest.mark.parametrize(
    ("window", "kind", "code"),
    [
        ("minute", nexus_sdk.RateLimited, "rate_limit_exceeded"),
        ("month", nexus_sdk.QuotaExceeded, "quota_exceeded"),
    ],
)
def test_a_limit(
    window: str,
    kind: type[nexus_sdk.RateLimited],
    code: str,
    extra: dict[str, Any],
    client: nexus_sdk.OpenAI,
    nexus: nexus_sdk.Nexus,
    upstream: ModelServer,
) -> None:
    limit = {"name": "few", "unit": "requests", "max": 1, "window": window}
    nexus.reload({"compliance": MAIL, "limits": [limit]})
    client.chat.completions.create(**ASK)
    with pytest.raises(openai.RateLimitError) as told:
        client.chat.completions.create(**ASK, **extra)
    error = told.value
    assert type(error) is kind
    assert (error.status_code, error.code, error.limit) == (429, code, "few")
    assert error.retry_after >= 1
    assert "few" in error.message
    assert len(upstream.requests) == 1


def test_any_other_refusal_is_the_stock_class_of_its_status(
    client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus
) -> None:
    nexus.reload({"compliance": MAIL, "switches": {"kill": True, "kill_reason": "an incident"}})
    with pytest.raises(openai.PermissionDeniedError, match="an incident"):
        client.chat.completions.create(**ASK)
    nexus.reload({"compliance": MAIL, "routing": {"unlisted": "refuse"}})
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        client.chat.completions.create(**ASK)


@pytest.mark.parametrize("make", [nexus_sdk.OpenAI, nexus_sdk.AsyncOpenAI])
def test_a_bad_policy_is_refused_before_the_first_request(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "nexus.yaml"
    file.write_text("version: 1\nrouting:\n  unlistd: refuse\n")
    with pytest.raises(nexus_sdk.BadPolicy) as told:
        make(api_key="k", policy=str(file))
    (problem,) = told.value.problems
    assert f"{file.name}:3:" in problem
    assert "unlistd" in problem


def test_a_policy_and_a_nexus_do_not_go_together(nexus: nexus_sdk.Nexus) -> None:
    with pytest.raises(TypeError, match="not both"):
        nexus_sdk.OpenAI(api_key="k", policy={}, nexus=nexus)
