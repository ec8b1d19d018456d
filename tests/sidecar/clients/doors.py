"""A sidecar for the vendors' own clients, in front of three dialects of upstreams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.sidecar import app_stack
from tests.sidecar.app_stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sidecar.server import Options

SECRET = "emp-123456"
"""What the policy redacts, and puts back."""
SAID = f"I am {SECRET}"
ANSWER = f"You said: {SAID}"
FORBIDDEN = "What is Nightjar?"
"""What the policy blocks."""

TELLTALE = "telltale"
"""A model whose answer holds what the policy blocks, behind a few words that it does not."""
BEGUN = "Well, it is the "

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000154a24f5f0000000049454e44ae426082"
)
PNG_BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
"""How the picture's first bytes stand in a request."""

OPENAI = "gpt-4o"
ANTHROPIC = "claude-opus-5"
GEMINI = "gemini-2.5-flash"
UPSTREAMS = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, GEMINI])
"""One model for each dialect of an upstream."""

EMBEDDERS = pytest.mark.parametrize("model", ["text-embedding-3-small", "gemini-embedding-001"])
DIMENSIONS = 1536
"""Of the model server's vectors."""

LOOK_UP = {
    "type": "object",
    "properties": {"who": {"type": "string"}},
    "required": ["who"],
}
CALL = f"please call look_up for {SECRET}"
"""Makes the model server call `look_up`, with these words as `who`."""


class Person(BaseModel):
    name: str
    age: int


SOMEBODY = "Ann, 7"
"""What the model server makes this person of."""
ANN = Person(name=SOMEBODY, age=7)


def policy(keys: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """The usual policy with Gemini, these keys, and a limit that stops the key `spent` at once."""

    def made(url: str) -> dict[str, Any]:
        given = app_stack.policy(url, keys=list(keys.values()))
        given["providers"]["gemini"] = {
            **given["providers"]["openai"],
            "kind": "gemini",
            "base_url": url,
            "api_key": "the-gemini-key",
        }
        given["providers"]["anthropic"]["base_url"] = url
        given["providers"]["voyage"] = {**given["providers"]["openai"], "kind": "voyage"}
        given["routing"]["models"] |= {
            GEMINI: f"gemini/{GEMINI}",
            "gemini-embedding-001": "gemini/gemini-embedding-001",
            TELLTALE: "openai/gpt-4o;say=Well,%20it%20is%20the%20Night%6Aar%20plan.",
            "rerank-2.5": "voyage/rerank-2.5",
            "omni-moderation-latest": "openai/omni-moderation-latest",
        }
        given["limits"] = [
            {
                "name": "one-token",
                "unit": "tokens",
                "max": 1,
                "window": "minute",
                "when": {"key": ["spent"]},
            }
        ]
        return given

    return made


class Doors(Stack):
    """`keys`: `good`, and `spent`, which a limit stops at once."""

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        made = {name: app_stack.key(name) for name in ("good", "spent")}
        entries = {name: entry for name, (_, entry) in made.items()}
        super().__init__(folder, policy(entries), options)
        self.keys = {name: key for name, (key, _) in made.items()}

    @property
    def key(self) -> str:
        return self.keys["good"]

    def sent(self) -> dict[str, Any]:
        """The body that the model server received last."""
        sent: dict[str, Any] = json.loads(self.seen()[-1].body)
        return sent

    def check(self) -> None:
        """No provider got what the policy redacts or blocks, or a virtual key, which no audit event
        holds either."""
        for seen in self.seen():
            assert SECRET not in seen.text
            assert "Nightjar" not in seen.text
            assert "nvk_" not in seen.text + seen.target + json.dumps(dict(seen.headers))
        told = json.dumps(self.events())
        assert not any(key in told for key in self.keys.values())
