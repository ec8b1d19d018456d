"""The doors for conversations: which path, which wire format, and what its answers have no place
for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.conformance.wires import (
    chat,
    cohere_chat,
    completions,
    converse,
    gemini,
    messages,
    responses,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.values import Wire

_ALL = (chat, responses, completions, messages, gemini, converse, cohere_chat)
WIRES: Mapping[str, Wire] = {module.WIRE.name: module.WIRE for module in _ALL}


@dataclass(frozen=True)
class Door:
    """`path` and `stream_path`: from the operation's suffix on, with `{model}`. `lacks`: facts of
    an answer that the format has no place for."""

    name: str
    endpoint: str
    wire: Wire
    path: str
    stream_path: str = ""
    query: str = ""
    lacks: frozenset[str] = frozenset()

    def at(self, model: str, *, stream: bool) -> str:
        path = self.stream_path if stream and self.stream_path else self.path
        return path.replace("{model}", model)


_MODEL = "/models/{model}"
DOORS: tuple[Door, ...] = (
    Door("OpenAI chat", "chat", WIRES["openai_chat"], "/chat/completions"),
    Door(
        "OpenAI completions",
        "completions",
        WIRES["openai_completions"],
        "/completions",
        lacks=frozenset({"reasoning", "calls", "citations", "refusal"}),
    ),
    Door("OpenAI Responses", "responses", WIRES["openai_responses"], "/responses"),
    Door(
        "Anthropic messages",
        "messages",
        WIRES["anthropic"],
        "/messages",
        lacks=frozenset({"logprobs", "thought"}),
    ),
    Door(
        "Gemini generateContent",
        "generate_content",
        WIRES["gemini"],
        f"{_MODEL}:generateContent",
        f"{_MODEL}:streamGenerateContent",
        "alt=sse",
        frozenset({"refusal"}),
    ),
    Door(
        "Azure deployments",
        "chat",
        WIRES["openai_chat"],
        "/deployments/{model}/chat/completions",
    ),
    Door(
        "Bedrock Converse",
        "converse",
        WIRES["bedrock"],
        "/model/{model}/converse",
        "/model/{model}/converse-stream",
        lacks=frozenset({"logprobs", "thought", "refusal"}),
    ),
    Door(
        "Cohere chat",
        "cohere_chat",
        WIRES["cohere"],
        "/v2/chat",
        lacks=frozenset({"thought", "refusal"}),
    ),
)
