"""Rankings in Cohere's shape and in Voyage's. Sources: docs.cohere.com, API reference, rerank (v2);
docs.voyageai.com, reranker API."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cohere
from cohere.v2.types import V2RerankResponse
from pydantic import TypeAdapter
from tests.conformance.values import Unsaid, Wire
from tests.conformance.wires import chat_answers, cohere_chat

if TYPE_CHECKING:
    from tests.conformance.values import Facts, Json

RANKING = ((1, 0.875), (0, 0.125))
"""Places of the documents, the best first, and how well they fit."""


@dataclass(frozen=True)
class Rank:
    query: str = "What floats?"
    documents: tuple[str, ...] = ("a stone", "a boat")
    most: int | None = None


@dataclass(frozen=True)
class Ranked:
    """What a model gives. The other members are those of `Say`."""

    ranking: tuple[tuple[int, float], ...] = RANKING
    trouble: str = ""
    cut: bool = False


def _none(*_: Any) -> Any:
    raise Unsaid("rankings are not streamed")


def _body(ask: Rank, model: str, most: str) -> Json:
    out = {"model": model, "query": ask.query, "documents": list(ask.documents)}
    return out | ({most: ask.most} if ask.most else {})


def _heard(body: Json) -> Facts:
    most = body.get("top_n") or body.get("top_k")
    return {"query": body["query"], "documents": tuple(body["documents"]), "most": most}


def _cohere_check(body: Json, provider: str) -> None:
    more = body.keys() - inspect.signature(cohere.ClientV2.rerank).parameters.keys()
    assert not more, f"no {sorted(more)}"


def _voyage_check(body: Json, provider: str) -> None:
    known = {"model", "query", "documents", "top_k", "return_documents", "truncation"}
    assert body.keys() <= known, f"no {sorted(body.keys() - known)}"


def _cohere_answer(say: Ranked, provider: str) -> Json:
    results = [{"index": place, "relevance_score": score} for place, score in say.ranking]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1.0}}
    return {"id": "r1", "results": results, "meta": meta}


def _voyage_answer(say: Ranked, provider: str) -> Json:
    data = [{"index": place, "relevance_score": score} for place, score in say.ranking]
    return {"object": "list", "data": data, "model": "rerank-2.5", "usage": {"total_tokens": 26}}


def _cohere_said(doc: Json) -> Facts:
    TypeAdapter(V2RerankResponse).validate_json(json.dumps(doc))
    told = tuple((one["index"], one["relevance_score"]) for one in doc["results"])
    return {"ranking": told}


def _voyage_said(doc: Json) -> Facts:
    assert doc["object"] == "list"
    assert "total_tokens" in doc["usage"]
    return {"ranking": tuple((one["index"], one["relevance_score"]) for one in doc["data"])}


_ALL = (
    Wire(
        "cohere_rerank",
        lambda ask, model, stream: _body(ask, model, "top_n"),
        _heard,
        _cohere_check,
        _cohere_answer,
        _none,
        cohere_chat.trouble,
        _none,
        _cohere_said,
        _none,
    ),
    Wire(
        "voyage_rerank",
        lambda ask, model, stream: _body(ask, model, "top_k"),
        _heard,
        _voyage_check,
        _voyage_answer,
        _none,
        chat_answers.trouble,
        _none,
        _voyage_said,
        _none,
    ),
)
WIRES = {wire.name: wire for wire in _ALL}
