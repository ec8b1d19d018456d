"""Every provider as its documentation has it: where each operation is, how the key is sent, which
format it speaks. Written by hand, so that the table under test is judged by something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

type Spot = tuple[str, str]
"""The URL of an operation, and that of its streams."""


@dataclass(frozen=True)
class Place:
    """One provider, or one family of its models. `spots`: by wire format. `policy`: what a policy
    says of it beside its kind and key."""

    label: str
    provider: str
    model: str
    spots: Mapping[str, Spot]
    header: str = "authorization"
    form: str = "Bearer {}"
    policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"key-of-{self.provider}"


_OPENAI = {
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "openai_completions": "/completions",
    "openai_embeddings": "/embeddings",
    "cohere_rerank": "/rerank",
}


def _at(base: str, *wires: str) -> Mapping[str, Spot]:
    return {wire: (base + _OPENAI[wire], base + _OPENAI[wire]) for wire in wires}


def _same(**urls: str) -> Mapping[str, Spot]:
    return {wire: (url, url) for wire, url in urls.items()}


_CHAT = "openai_chat"
_TEXT = (_CHAT, "openai_completions")
_VECTORS = (_CHAT, "openai_embeddings")
_THREE = (*_TEXT, "openai_embeddings")
_FOUR = (*_THREE, "openai_responses")
_GEMINI = "https://generativelanguage.googleapis.com/v1beta/models"
_VERTEX = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west4/publishers"
_AZURE = "https://r1.openai.azure.com/openai"
_BEDROCK = "https://bedrock-runtime.eu-central-1.amazonaws.com/model"
_CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_CLAUDE_PATH = _CLAUDE.replace(":", "%3A")

_COPIES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("deepseek", "deepseek-chat", "https://api.deepseek.com/v1", (_CHAT,)),
    ("moonshot", "kimi-k2-thinking", "https://api.moonshot.ai/v1", (_CHAT,)),
    ("mistral", "magistral-medium-2509", "https://api.mistral.ai/v1", _VECTORS),
    (
        "groq",
        "openai/gpt-oss-120b",
        "https://api.groq.com/openai/v1",
        (_CHAT, "openai_responses"),
    ),
    ("fireworks", "kimi-k2", "https://api.fireworks.ai/inference/v1", _THREE),
    ("together", "qwen3", "https://api.together.xyz/v1", (*_THREE, "cohere_rerank")),
    ("perplexity", "sonar-pro", "https://api.perplexity.ai", (_CHAT,)),
    (
        "xai",
        "grok-3-mini",
        "https://api.x.ai/v1",
        (_CHAT, "openai_responses", "openai_embeddings"),
    ),
    ("huggingface", "openai/gpt-oss-120b", "https://router.huggingface.co/v1", (_CHAT,)),
    ("openrouter", "anthropic/claude-sonnet-4.5", "https://openrouter.ai/api/v1", _FOUR),
    ("ollama", "qwen3", "http://127.0.0.1:11434/v1", _THREE),
    ("vllm", "qwen3", "http://127.0.0.1:8000/v1", (*_FOUR, "cohere_rerank")),
    ("lm_studio", "qwen3", "http://127.0.0.1:1234/v1", _FOUR),
    ("nvidia_nim", "nemotron-49b", "https://integrate.api.nvidia.com/v1", _THREE),
    ("cerebras", "gpt-oss-120b", "https://api.cerebras.ai/v1", _TEXT),
    ("sambanova", "gpt-oss-120b", "https://api.sambanova.ai/v1", _VECTORS),
    ("minimax", "MiniMax-M2", "https://api.minimax.io/v1", (_CHAT,)),
    ("glm", "glm-4.6", "https://api.z.ai/api/paas/v4", _VECTORS),
)

PLACES: tuple[Place, ...] = (
    Place("openai", "openai", "gpt-5.1", _at("https://api.openai.com/v1", *_FOUR)),
    Place(
        "anthropic",
        "anthropic",
        "claude-sonnet-4-5",
        _same(anthropic="https://api.anthropic.com/v1/messages"),
        "x-api-key",
        "{}",
    ),
    Place(
        "gemini",
        "gemini",
        "gemini-3-pro",
        {
            "gemini": (
                f"{_GEMINI}/gemini-3-pro:generateContent",
                f"{_GEMINI}/gemini-3-pro:streamGenerateContent?alt=sse",
            ),
            **_same(gemini_batch_embed=f"{_GEMINI}/gemini-3-pro:batchEmbedContents"),
            **_same(gemini_embed=f"{_GEMINI}/gemini-3-pro:embedContent"),
        },
        "x-goog-api-key",
        "{}",
    ),
    Place(
        "vertex",
        "vertex",
        "gemini-3-pro",
        {
            "gemini": (
                f"{_VERTEX}/google/models/gemini-3-pro:generateContent",
                f"{_VERTEX}/google/models/gemini-3-pro:streamGenerateContent?alt=sse",
            ),
            **_same(vertex_embed=f"{_VERTEX}/google/models/gemini-3-pro:predict"),
        },
        policy={"project": "p1", "location": "europe-west4"},
    ),
    Place(
        "vertex (Claude)",
        "vertex",
        "claude-sonnet-4-5@20250929",
        {
            "anthropic": (
                f"{_VERTEX}/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
                f"{_VERTEX}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
            )
        },
        policy={"project": "p1", "location": "europe-west4"},
    ),
    Place(
        "azure",
        "azure",
        "gpt-5.1",
        _same(
            openai_chat=f"{_AZURE}/deployments/gpt-5.1/chat/completions?api-version=2024-10-21",
            openai_completions=f"{_AZURE}/deployments/gpt-5.1/completions?api-version=2024-10-21",
            openai_embeddings=f"{_AZURE}/deployments/gpt-5.1/embeddings?api-version=2024-10-21",
            openai_responses=f"{_AZURE}/v1/responses",
        ),
        "api-key",
        "{}",
        {"resource": "r1"},
    ),
    Place(
        "bedrock",
        "bedrock",
        _CLAUDE,
        {
            "bedrock": (
                f"{_BEDROCK}/{_CLAUDE_PATH}/converse",
                f"{_BEDROCK}/{_CLAUDE_PATH}/converse-stream",
            )
        },
        policy={"region": "eu-central-1"},
    ),
    Place(
        "bedrock (Titan)",
        "bedrock",
        "amazon.titan-embed-text-v2:0",
        _same(titan_embed=f"{_BEDROCK}/amazon.titan-embed-text-v2%3A0/invoke"),
        policy={"region": "eu-central-1"},
    ),
    Place(
        "bedrock (Nova)",
        "bedrock",
        "amazon.nova-2-multimodal-embeddings-v1:0",
        _same(nova_embed=f"{_BEDROCK}/amazon.nova-2-multimodal-embeddings-v1%3A0/invoke"),
        policy={"region": "eu-central-1"},
    ),
    Place(
        "bedrock (Cohere)",
        "bedrock",
        "cohere.embed-v4:0",
        _same(bedrock_cohere_embed=f"{_BEDROCK}/cohere.embed-v4%3A0/invoke"),
        policy={"region": "eu-central-1"},
    ),
    Place(
        "cohere",
        "cohere",
        "command-a-reasoning-08-2025",
        _same(
            cohere="https://api.cohere.com/v2/chat",
            cohere_embed="https://api.cohere.com/v2/embed",
            cohere_rerank="https://api.cohere.com/v2/rerank",
        ),
    ),
    Place(
        "voyage",
        "voyage",
        "voyage-3.5",
        _same(
            voyage_embed="https://api.voyageai.com/v1/embeddings",
            voyage_rerank="https://api.voyageai.com/v1/rerank",
        ),
    ),
    *(Place(name, name, model, _at(base, *wires)) for name, model, base, wires in _COPIES),
    Place(
        "databricks",
        "databricks",
        "databricks-gpt-oss",
        _at("https://w1.cloud.databricks.com/serving-endpoints", *_THREE),
        policy={"base_url": "https://w1.cloud.databricks.com/serving-endpoints"},
    ),
    Place(
        "watsonx",
        "watsonx",
        "granite-4",
        _at("https://eu-de.ml.cloud.ibm.com/ml/gateway/v1", *_THREE),
        policy={"region": "eu-de", "credentials": {"kind": "token", "token": "key-of-watsonx"}},
    ),
    Place(
        "openai_compatible",
        "openai_compatible",
        "model",
        _at("https://llm.example.com/v1", *_THREE, "cohere_rerank"),
        policy={"base_url": "https://llm.example.com/v1"},
    ),
)
NOT_DRIVEN: Mapping[str, str] = MappingProxyType(
    {"replicate": "its predictions are made, asked for and fetched in several exchanges"}
)
"""Rows without a place here, with the reason."""


def policy(places: tuple[Place, ...] = PLACES) -> dict[str, Any]:
    """A policy with every provider, and a route to each place by its label."""
    providers: dict[str, Any] = {}
    for place in places:
        told = {"kind": place.provider} | dict(place.policy)
        if place.provider == "vertex":
            told["credentials"] = {"kind": "token", "token": place.key}
        elif "credentials" not in told:
            told["api_key"] = place.key
        providers[place.provider] = told
    return {
        "providers": providers,
        "routing": {
            "models": {route(place): f"{place.provider}/{place.model}" for place in places},
            "unlisted": "refuse",
            "retry": {"attempts": 1},
        },
        "compliance": {"hooks": []},
    }


def route(place: Place) -> str:
    """The model's name by which a caller reaches a place."""
    return "to-" + place.label.replace(" (", "-").replace(")", "").lower()
