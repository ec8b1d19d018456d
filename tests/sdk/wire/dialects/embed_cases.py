"""What the tests of embeddings share: the dialects, the least that each takes, and a reply."""

from __future__ import annotations

from typing import Any

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

MINIMAL: dict[str, dict[str, Any]] = {
    "openai_embeddings": {"model": "m", "input": "hi"},
    "cohere_embed": {"model": "m", "texts": ["hi"], "embedding_types": ["float"]},
    "bedrock_cohere_embed": {"texts": ["hi"], "input_type": "search_query"},
    "voyage_embed": {"model": "m", "input": "hi"},
    "gemini_embed": {"content": {"parts": [{"text": "hi"}]}},
    "gemini_batch_embed": {"requests": [{"content": {"parts": [{"text": "hi"}]}}]},
    "vertex_embed": {"instances": [{"content": "hi"}]},
    "titan_embed": {"inputText": "hi"},
    "nova_embed": {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_INDEX",
            "text": {"truncationMode": "NONE", "value": "hi"},
        },
    },
}
"""The least that each dialect takes."""
NAMES = tuple(MINIMAL)
ONE_A_CALL = frozenset({"gemini_embed", "titan_embed", "nova_embed"})
NAMED = ("openai_embeddings", "cohere_embed", "voyage_embed")
"""Those that have the model in the body; the others have it in the path."""


def request_of(name: str, texts: list[str]) -> Any:
    """A request of this dialect for so many texts; None where it takes one a call."""
    try:
        chat = {"model": "asked", "input": texts}
        return DIALECTS[name].encode_request(chat, Report())
    except Unsupported:
        return None


def reply(request: Any) -> Reply:
    return Reply(request, "req_1", "asked", 1700000001)


def told(report: Report) -> set[str]:
    """The members that a report names."""
    losses = {loss.param.split(".")[0] for loss in (*report.drops, *report.omissions)}
    return losses | {change.replace(":", ".").split(".")[0] for change in report.changes}
