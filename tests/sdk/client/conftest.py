"""An upstream on this machine, and a policy in force whose audit events are kept in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nexus_sdk
from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.model import Event

MAIL: dict[str, Any] = {
    "hooks": [
        {
            "name": "mail",
            "own": [{"id": "own.mail", "expression": "[a-z]{1,20}@example\\.com"}],
            "action": "redact",
        }
    ]
}
"""One rule in place of the default ones, which take a while to compile."""
ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="session")
def _running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def upstream(_running: ModelServer) -> ModelServer:
    """It has seen nothing yet."""
    _running.clear()
    return _running


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def nexus(events: list[Event]) -> Iterator[nexus_sdk.Nexus]:
    with nexus_sdk.Nexus({"compliance": MAIL}, observe=events.append) as made:
        yield made


@pytest.fixture
def client(upstream: ModelServer, nexus: nexus_sdk.Nexus) -> nexus_sdk.OpenAI:
    return nexus_sdk.OpenAI(
        base_url=f"{upstream.url}/v1", api_key="sk-test", nexus=nexus, max_retries=0
    )


@pytest.fixture
def aclient(upstream: ModelServer, nexus: nexus_sdk.Nexus) -> nexus_sdk.AsyncOpenAI:
    return nexus_sdk.AsyncOpenAI(
        base_url=f"{upstream.url}/v1", api_key="sk-test", nexus=nexus, max_retries=0
    )
