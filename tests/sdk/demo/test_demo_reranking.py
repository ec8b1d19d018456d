"""Rerank of the model server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from nexus_sdk.demo.model_server import ModelServer

ASKED = {"model": "rerank-2.5", "query": "red apples", "documents": ["a boat", "red", "red apples"]}


def test_documents_that_share_words_come_first(server: ModelServer) -> None:
    told = httpx.post(f"{server.url}/v1/rerank", json=ASKED).json()
    assert [one["index"] for one in told["data"]] == [2, 1, 0]
    assert round(told["data"][0]["relevance_score"], 6) == 1
    assert 0 < told["data"][1]["relevance_score"] < 1
    assert told["usage"]["total_tokens"] > 0
    assert "document" not in told["data"][0]


def test_only_the_best_with_their_texts(server: ModelServer) -> None:
    asked = ASKED | {"top_k": 1, "return_documents": True}
    told = httpx.post(f"{server.url}/v1/rerank", json=asked).json()
    (best,) = told["data"]
    assert (best["index"], best["document"]) == (2, "red apples")
