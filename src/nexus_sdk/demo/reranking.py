"""Voyage's rerank. Source: https://docs.voyageai.com/docs/reranker, read 2025-11.

A document's relevance is the cosine of its vector and the query's, so that it grows with the words
that they share.
"""

from __future__ import annotations

from typing import Any

from nexus_sdk.demo.embeddings import vector
from nexus_sdk.demo.metering import tokens


def whole(body: dict[str, Any]) -> dict[str, Any]:
    """The most relevant documents first, `top_k` of them."""
    query, documents = body["query"], body["documents"]
    wanted = vector(query)
    scored = [(max(_product(wanted, vector(one)), 0.0), at) for at, one in enumerate(documents)]
    best = sorted(scored, key=lambda one: (-one[0], one[1]))[: body.get("top_k")]
    shown = bool(body.get("return_documents"))
    return {
        "object": "list",
        "data": [
            {"index": at, "relevance_score": score} | ({"document": documents[at]} if shown else {})
            for score, at in best
        ],
        "model": body["model"],
        "usage": {"total_tokens": sum(map(tokens, [query, *documents]))},
    }


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
