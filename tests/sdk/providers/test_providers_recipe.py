"""The README's recipe: a new provider that copies OpenAI's API is a row, and no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.nexus import Nexus
from nexus_sdk.policy import checks, snapshot
from nexus_sdk.providers.row import Row, speaks
from nexus_sdk.providers.table import TABLE
from nexus_sdk.settings import Settings
from nexus_sdk.stages.adapting import Quirk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = Row(
    name="made_up",
    base_url="https://{region}.made-up.example/v1",
    auth="api-key",
    endpoints=speaks("chat", "embeddings"),
    stream_usage=True,
    fields={"region": "eu"},
    quirks=(Quirk(because="it has another word for it", renames={"seed": "random_seed"}),),
)
CHAT = {"model": "m", "seed": 7, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    for module in (checks, snapshot):
        monkeypatch.setattr(module, "TABLE", {**TABLE, ROW.name: ROW})
    with ModelServer() as server:
        yield server


@pytest.fixture
def nexus(models: ModelServer, tmp_path: Path) -> Iterator[Nexus]:
    provider = {
        "kind": "made_up",
        "base_url": f"{models.url}/v1",
        "api_key": "made-up-key",
        "private_network": True,
    }
    policy: dict[str, Any] = {
        "providers": {"new": provider},
        "routing": {"models": {"m": "new/gpt-4o"}},
        "compliance": {"hooks": []},
    }
    settings = Settings(tmp_path / "state", tmp_path / "cache", "test", audit="off")
    with Nexus(policy, settings=settings) as made:
        yield made


@pytest.mark.parametrize("stream", [False, True])
def test_chat_goes_there_with_its_key_and_its_words(
    nexus: Nexus, models: ModelServer, stream: bool
) -> None:
    with httpx.Client(transport=nexus.transport()) as client:
        told = client.post(
            "https://anywhere.example/v1/chat/completions", json=CHAT | {"stream": stream}
        )
    assert told.status_code == 200
    assert "You said: hello" in told.text or stream
    assert ("data: [DONE]" in told.text) is stream
    assert told.headers["x-nexus-provider"] == "new"
    assert told.headers["x-nexus-coerced"].startswith("seed->random_seed")
    (seen,) = models.requests
    assert dict(seen.headers)["api-key"] == "made-up-key"
    assert '"random_seed":7' in seen.text.replace(" ", "")


def test_its_address_is_filled_from_the_policy() -> None:
    words = {"region": "us"}
    assert snapshot.filled(snapshot.base_url(ROW, words), words) == "https://us.made-up.example/v1"
