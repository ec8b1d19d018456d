"""Predictions behind the sidecar: whole, streamed, and left by their caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.predictions_server import Predictions
from tests.sidecar.app_stack import Stack, chat, policy

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def replicated(url: str, predictions: str) -> dict[str, Any]:
    own = policy(url)
    own["providers"]["rep"] = {
        "kind": "replicate",
        "api_key": "the-replicate-key",
        "base_url": predictions,
        "private_network": True,
    }
    own["routing"]["models"] |= {name: f"rep/{name}" for name in ("slow", "endless")}
    return own


def test_predictions_at_the_sidecar(tmp_path: Path) -> None:
    with (
        Predictions() as server,
        Stack(tmp_path, lambda url: replicated(url, server.url)) as stack,
        stack.openai() as client,
    ):
        whole = client.chat.completions.create(**chat("hi", model="slow"))
        assert whole.choices[0].message.content == "You said: hi "
        chunks = list(client.chat.completions.create(**chat("a b", model="slow", stream=True)))
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said == "You said: a b "
        assert server.cancelled == []
        for stream in (False, True):
            server.news.clear()
            while server.questions.acquire(blocking=False):
                pass
            with stack.send("/v1/chat/completions", chat(model="endless", stream=stream)) as sock:
                assert server.questions.acquire(timeout=10)
                if stream:
                    assert b"You " in sock.recv(65536)
            assert server.news.wait(10)
        assert server.cancelled == ["p2", "p3"]
        outcomes = [event["outcome"] for event in stack.events(count=4)]
        assert outcomes == ["complete", "complete", "caller_left", "caller_left"]
