"""Operations that answer whole: reranking in two vendors' forms, and moderations."""

from __future__ import annotations

import json
from typing import Any

import cohere
import httpx
import pytest
from cohere.v2.types import V2RerankResponse
from openai.types import ModerationCreateResponse
from openai.types.moderation import Categories, CategoryAppliedInputTypes, CategoryScores
from pydantic import TypeAdapter
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire.dialect import ErrorFacts, Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.texts import leaves

COHERE, VOYAGE = DIALECTS["cohere_rerank"], DIALECTS["voyage_rerank"]
MODERATIONS = DIALECTS["openai_moderations"]
BOTH = pytest.mark.parametrize("dialect", [COHERE, VOYAGE], ids=lambda dialect: dialect.name)
ASKED: Any = {"model": "m", "query": "q?", "documents": ["a", "b"]}
PLACES = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
SEARCHED = {
    "id": "r1",
    "results": PLACES,
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}
LISTED = {"object": "list", "data": PLACES, "model": "v", "usage": {"total_tokens": 26}}


def passed(source: Any, target: Any, doc: Any) -> tuple[Any, Report]:
    report = Report()
    return target.encode_request(source.decode_request(doc), report), report


# ---- requests


@BOTH
def test_the_facts_of_a_request(dialect: Any) -> None:
    assert dialect.read(ASKED) == Facts("m", deterministic=True)


@BOTH
@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": None}, "model"),
        ({"query": 4}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": [1]}, "documents"),
        ({"stream": True}, "stream"),
        ({"return_documents": "yes"}, "return_documents"),
        ({"Query": "x"}, "Query"),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused(dialect: Any, more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        dialect.read(ASKED | more)
    assert refused.value.param == param


@pytest.mark.parametrize(("dialect", "key"), [(COHERE, "top_n"), (VOYAGE, "top_k")])
def test_how_many_must_be_a_number(dialect: Any, key: str) -> None:
    with pytest.raises(Malformed):
        dialect.read(ASKED | {key: 0})
    with pytest.raises(Malformed, match="object"):
        dialect.read([])


def test_a_request_survives_its_own_codec() -> None:
    own = ASKED | {"top_n": 1, "max_tokens_per_doc": 9, "priority": 1, "relevant_spans": {"a": 1}}
    assert passed(COHERE, COHERE, own)[0] == own
    own = ASKED | {"top_k": 1, "return_documents": True, "truncation": False, "new": 1}
    assert passed(VOYAGE, VOYAGE, own)[0] == own


def test_coheres_request_at_voyage() -> None:
    doc = ASKED | {
        "top_n": 1,
        "return_documents": True,
        "max_tokens_per_doc": 9,
        "priority": 1,
        "rank_fields": ["text"],
        "relevant_spans": {"mode": "on"},
        "documents": ["a", {"text": "b"}, {"title": "t", "text": "c"}],
    }
    body, report = passed(COHERE, VOYAGE, doc)
    assert body == {
        "model": "m",
        "query": "q?",
        "documents": ["a", "b", '{"title":"t","text":"c"}'],
        "top_k": 1,
        "return_documents": True,
    }
    assert [loss.param for loss in report.drops] == ["relevant_spans", "rank_fields"]
    assert [loss.param for loss in report.omissions] == ["max_tokens_per_doc", "priority"]
    assert report.changes == ("documents: objects->strings",)


def test_voyages_request_at_cohere() -> None:
    doc = ASKED | {"top_k": 1, "return_documents": True, "truncation": False}
    body, report = passed(VOYAGE, COHERE, doc)
    assert body == ASKED | {"top_n": 1}
    assert [loss.param for loss in report.drops] == ["truncation"]
    assert report.changes == ("return_documents->(filled in from the request)",)
    plain, quiet = passed(VOYAGE, COHERE, ASKED | {"truncation": True})
    assert (plain, quiet.drops) == (ASKED, ())


def test_fields_to_rank_by_are_told_at_coheres_second_api() -> None:
    report = passed(COHERE, COHERE, ASKED | {"rank_fields": ["text"]})[1]
    assert [loss.param for loss in report.drops] == ["rank_fields"]


# ---- answers


def test_an_answer_survives_its_own_codec() -> None:
    assert COHERE.encode_response(COHERE.decode_response(SEARCHED), golden.reply(ASKED)) == SEARCHED
    shown = LISTED | {"data": [place | {"document": "b"} for place in PLACES]}
    for doc in (LISTED, shown):
        assert VOYAGE.encode_response(VOYAGE.decode_response(doc), golden.reply(ASKED)) == doc


@BOTH
@pytest.mark.parametrize(
    "doc", [None, {}, {"results": 4, "data": 4}, {"results": [{}], "data": [{}]}]
)
def test_a_document_that_is_no_reranking_is_the_upstreams_failure(dialect: Any, doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        dialect.decode_response(doc)


def test_voyages_answer_for_coheres_client() -> None:
    body = COHERE.encode_response(VOYAGE.decode_response(LISTED), golden.reply(ASKED))
    TypeAdapter(V2RerankResponse).validate_json(json.dumps(body))
    assert (body["id"], body["results"]) == ("req_1", PLACES)
    assert body["meta"]["billed_units"] == {"input_tokens": 26}
    answer = lambda request: httpx.Response(200, json=body)  # noqa: E731
    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = cohere.ClientV2(api_key="k", base_url="http://up", httpx_client=http)
    read = client.rerank(model="m", query="q?", documents=["a", "b"])
    assert [(one.index, one.relevance_score) for one in read.results] == [(1, 0.9), (0, 0.1)]


def test_coheres_answer_for_voyages_client_with_the_documents_that_it_asked_for() -> None:
    asked = ASKED | {"return_documents": True}
    body = VOYAGE.encode_response(COHERE.decode_response(SEARCHED), golden.reply(asked))
    assert body == {
        "object": "list",
        "data": [PLACES[0] | {"document": "b"}, PLACES[1] | {"document": "a"}],
        "model": "asked",
        "usage": {"total_tokens": 0, "search_units": 1},
    }
    strange = COHERE.decode_response({"results": [{"index": 9, "relevance_score": 1}]})
    told = VOYAGE.encode_response(strange, golden.reply(asked))["data"]
    assert told == [{"index": 9, "relevance_score": 1}]


@pytest.mark.parametrize(
    ("dialect", "doc", "usage"),
    [
        (COHERE, SEARCHED, None),
        (COHERE, {"meta": None}, None),
        (COHERE, {"meta": {"tokens": {"input_tokens": 5.0}}}, Usage(5)),
        (VOYAGE, LISTED, Usage(26)),
        (VOYAGE, {"usage": {}}, None),
    ],
)
def test_tokens_are_counted_where_they_are_told(dialect: Any, doc: Any, usage: Any) -> None:
    assert dialect.usage(doc) == usage


def test_errors_are_told_in_each_vendors_envelope() -> None:
    err, told = Malformed("no", param="query"), ErrorFacts(429, "slow down", code="rate")
    assert COHERE.encode_error(err, "r") == {
        "id": "r",
        "message": "no",
        "code": "malformed_request",
        "param": "query",
    }
    assert COHERE.relay_error(told, "r") == {"id": "r", "message": "slow down", "code": "rate"}
    assert VOYAGE.encode_error(err, "r")["detail"] == "no"
    assert VOYAGE.relay_error(told, "r")["detail"] == "slow down"
    assert VOYAGE.decode_error(400, b'{"detail":"no"}').message == "no"


@BOTH
def test_query_and_documents_are_seen(dialect: Any) -> None:
    doc = ASKED | {"documents": ["a", {"id": "seen", "text": "b"}]}
    assert [leaf.text for leaf in leaves(doc, dialect.text)] == ["q?", "a", "seen", "b"]
    shown = {"results": [{"document": {"text": "b"}}], "data": [{"document": "b"}]}
    assert [leaf.text for leaf in leaves(shown, dialect.text)] == ["b", "b"]


# ---- moderations

JUDGED: Any = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}


def test_a_moderation_goes_through_as_it_is() -> None:
    doc = {"input": "hi"}
    assert MODERATIONS.read(doc) == Facts("omni-moderation-latest", deterministic=True)
    assert MODERATIONS.read(doc | {"model": "m"}).model == "m"
    assert MODERATIONS.encode_request(MODERATIONS.decode_request(doc), Report()) is doc
    assert MODERATIONS.decode_response(JUDGED) is JUDGED
    assert MODERATIONS.encode_response(JUDGED, golden.reply()) == JUDGED
    with pytest.raises(Unsupported):
        MODERATIONS.stream_encoder(golden.reply())


@pytest.mark.parametrize(
    ("doc", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [4]}, "input"),
        ({"input": [{"text": "x"}]}, "input.0.type"),
        ({"input": "x", "model": 4}, "model"),
        ({"input": "x", "stream": True}, "stream"),
        ({"input": "x", "INPUT": "y"}, "INPUT"),
    ],
)
def test_a_moderation_of_the_wrong_shape_is_refused(doc: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        MODERATIONS.read(doc)
    assert refused.value.param == param


@pytest.mark.parametrize("doc", [None, {}, {"results": 4}])
def test_a_document_that_is_no_moderation_is_the_upstreams_failure(doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        MODERATIONS.decode_response(doc)
    with pytest.raises(Malformed, match="object"):
        MODERATIONS.read([])


def test_the_inputs_of_a_moderation_are_seen() -> None:
    parts = [
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWk="}},
    ]
    for given, texts in (("a", ["a"]), (["a", "b"], ["a", "b"]), (parts, ["b"])):
        assert [leaf.text for leaf in leaves({"input": given}, MODERATIONS.text)] == texts
    kinds = {"category_applied_input_types": {"hate": ["text"]}, "category_scores": {"hate": 0.1}}
    assert leaves({"results": [kinds]}, MODERATIONS.text) == []


def test_an_answer_without_its_head_is_given_one_of_the_vendors_type() -> None:
    """Copies of this API leave the id and the model out; OpenAI's client needs them."""
    kinds = {
        name: {field.alias or key: value for key, field in kind.model_fields.items()}
        for name, kind, value in (
            ("categories", Categories, False),
            ("category_scores", CategoryScores, 0.1),
            ("category_applied_input_types", CategoryAppliedInputTypes, ["text"]),
        )
    }
    bare = {"results": [{"flagged": False} | kinds]}
    body = MODERATIONS.encode_response(MODERATIONS.decode_response(bare), golden.reply())
    read = TypeAdapter(ModerationCreateResponse).validate_json(json.dumps(body))
    assert (read.id, read.model, read.results[0].flagged) == ("req_1", "asked", False)
