"""What embeddings dialects read, refuse, count and tell of errors."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sdk.wire.dialects import embed_cases as cases
from tests.sdk.wire.dialects.embed_cases import MINIMAL

from nexus_sdk.errors import Blocked, Malformed, Unsupported, UpstreamFailed
from nexus_sdk.model import Usage
from nexus_sdk.wire import shape
from nexus_sdk.wire.dialect import ErrorFacts, Facts
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report
from nexus_sdk.wire.texts import leaves

PNG = "data:image/png;base64,aWk="
IMAGE = {"type": "image_url", "image_url": {"url": PNG}}


@pytest.mark.parametrize("name", cases.NAMES)
def test_the_least_request_is_read(name: str) -> None:
    model = "m" if name in cases.NAMED else ""
    assert DIALECTS[name].read(MINIMAL[name]) == Facts(model, deterministic=True)


BAD: list[tuple[str, Any, str]] = [
    ("cohere_embed", {"model": None}, "model"),
    ("cohere_embed", {"texts": None}, "texts"),
    ("cohere_embed", {"texts": "hi"}, "texts"),
    ("cohere_embed", {"texts": [4]}, "texts"),
    ("cohere_embed", {"images": [PNG]}, "images"),
    ("cohere_embed", {"texts": None, "images": ["a secret"]}, "images"),
    ("cohere_embed", {"texts": None, "inputs": [{"content": []}]}, "inputs.0.content"),
    ("cohere_embed", {"texts": None, "inputs": [{"content": [{}]}]}, "inputs.0.content.0.type"),
    ("cohere_embed", {"embedding_types": "float"}, "embedding_types"),
    ("cohere_embed", {"output_dimension": 0}, "output_dimension"),
    ("cohere_embed", {"stream": True}, "stream"),
    ("bedrock_cohere_embed", {"texts": []}, "texts"),
    ("bedrock_cohere_embed", {"truncate": 4}, "truncate"),
    ("voyage_embed", {"model": 4}, "model"),
    ("voyage_embed", {"input": [1, 2]}, "input"),
    ("voyage_embed", {"truncation": "yes"}, "truncation"),
    ("gemini_embed", {"content": None}, "content"),
    ("gemini_embed", {"content": {"parts": []}}, "content.parts"),
    ("gemini_embed", {"task_type": 4}, "taskType"),
    ("gemini_embed", {"task_type": "CLUSTERING", "taskType": "CLUSTERING"}, "taskType"),
    ("gemini_batch_embed", {"requests": []}, "requests"),
    ("gemini_batch_embed", {"requests": [{"content": "hi"}]}, "requests.0.content"),
    ("vertex_embed", {"instances": None}, "instances"),
    ("vertex_embed", {"instances": [{"content": 4}]}, "instances.0.content"),
    ("vertex_embed", {"parameters": []}, "parameters"),
    ("titan_embed", {"inputText": None}, "inputText"),
    ("titan_embed", {"inputText": ["a", "b"]}, "inputText"),
    ("titan_embed", {"normalize": 1}, "normalize"),
    ("nova_embed", {"taskType": None}, "taskType"),
    ("nova_embed", {"singleEmbeddingParams": None}, "singleEmbeddingParams"),
]


@pytest.mark.parametrize(("name", "more", "param"), BAD)
def test_a_request_of_the_wrong_shape_is_refused_by_name(name: str, more: Any, param: str) -> None:
    with pytest.raises(Malformed) as refused:
        DIALECTS[name].read(MINIMAL[name] | more)
    assert refused.value.param == param
    assert param in refused.value.message or param in {"texts", "images"}


@pytest.mark.parametrize("name", cases.NAMES)
@pytest.mark.parametrize("doc", [None, [], "text", 4])
def test_a_body_that_is_no_object_is_refused(name: str, doc: Any) -> None:
    with pytest.raises(Malformed, match="object"):
        DIALECTS[name].read(doc)


@pytest.mark.parametrize("name", cases.NAMES)
def test_two_keys_that_a_lenient_reader_takes_for_one_are_refused(name: str) -> None:
    first = next(iter(MINIMAL[name]))
    with pytest.raises(Malformed, match="alike"):
        DIALECTS[name].read(MINIMAL[name] | {first.upper(): "other"})


@pytest.mark.parametrize("name", cases.NAMES)
def test_the_known_keys_are_not_alike_themselves(name: str) -> None:
    shape.refuse_lookalikes(dict.fromkeys(known_keys(name)), frozenset(), frozenset())


def known_keys(name: str) -> frozenset[str]:
    module = {"bedrock_cohere_embed": "cohere_embed", "gemini_batch_embed": "gemini_embed"}
    found = __import__(f"nexus_sdk.wire.dialects.{module.get(name, name)}", fromlist=["KNOWN"])
    known: frozenset[str] = found.KNOWN
    return known


SECRET = "the words"
TEXTS: list[tuple[str, Any]] = [
    ("openai_embeddings", {"input": [SECRET]}),
    ("cohere_embed", {"texts": [SECRET], "input_type": "search_query"}),
    ("cohere_embed", {"inputs": [{"content": [{"type": "text", "text": SECRET}, IMAGE]}]}),
    ("cohere_embed", {"images": [PNG], "vendor_field": SECRET}),
    ("bedrock_cohere_embed", {"texts": [SECRET], "truncate": "END"}),
    ("voyage_embed", {"input": SECRET, "input_type": "query", "output_dtype": "int8"}),
    ("gemini_embed", {"content": {"role": "user", "parts": [{"text": SECRET}]}}),
    ("gemini_embed", {"title": SECRET, "taskType": "RETRIEVAL_DOCUMENT"}),
    (
        "gemini_batch_embed",
        {
            "requests": [
                {"model": "models/m", "content": {"parts": [{"text": SECRET}]}},
                {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "aWk="}}]}},
                {"content": {"parts": [{"inline_data": {"mime_type": "a/b", "data": "aWk="}}]}},
            ]
        },
    ),
    ("vertex_embed", {"instances": [{"content": SECRET, "task_type": "CLUSTERING"}]}),
    ("vertex_embed", {"parameters": {"autoTruncate": True, "vendor_field": SECRET}}),
    ("titan_embed", {"inputText": SECRET, "embeddingTypes": ["float"]}),
    ("nova_embed", MINIMAL["nova_embed"] | {"note": SECRET}),
    (
        "nova_embed",
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "GENERIC_INDEX",
                "text": {"truncationMode": "NONE", "value": SECRET},
                "image": {"format": "png", "detailLevel": "X", "source": {"bytes": "aWk="}},
            },
        },
    ),
]


@pytest.mark.parametrize(("name", "doc"), TEXTS)
def test_every_text_of_a_request_is_seen_and_nothing_else(name: str, doc: Any) -> None:
    found = [leaf.text for leaf in leaves(doc, DIALECTS[name].text)]
    assert found in ([SECRET], ["hi", SECRET])


ANSWERS: list[tuple[str, Any]] = [
    ("cohere_embed", {"embeddings": {"float": [[0.5]], "base64": ["aWk="]}, "id": "x"}),
    ("bedrock_cohere_embed", {"embeddings": [[0.5]], "response_type": "embeddings_floats"}),
    ("voyage_embed", {"data": [{"object": "embedding", "embedding": "aWk="}], "model": "m"}),
    ("gemini_embed", {"embedding": {"values": [0.5]}}),
    ("gemini_batch_embed", {"embeddings": [{"values": [0.5]}]}),
    ("vertex_embed", {"predictions": [{"embeddings": {"values": [0.5], "statistics": {}}}]}),
    ("titan_embed", {"embedding": [0.5], "embeddingsByType": {"float": [0.5]}}),
    ("nova_embed", {"embeddings": [{"embedding": [0.5], "embeddingType": "TEXT"}]}),
    (
        "gemini_embed",
        {"usageMetadata": {"promptTokenDetails": [{"modality": "TEXT", "tokenCount": 1}]}},
    ),
]


@pytest.mark.parametrize(("name", "doc"), ANSWERS)
def test_vectors_are_no_text(name: str, doc: Any) -> None:
    assert leaves(doc, DIALECTS[name].text) == []


# ---- what cannot be carried ----------------------------------------------------------------------

INEXPRESSIBLE: list[tuple[str, Any, str]] = [
    ("titan_embed", {"input": ["a", "b"]}, "input"),
    ("nova_embed", {"input": ["a", "b"]}, "input"),
    ("gemini_embed", {"input": ["a", "b"]}, "input"),
    *[(name, {"input": [1, 2]}, "input") for name in cases.NAMES if name != "openai_embeddings"],
    ("cohere_embed", {"input": [[1, 2], [3]]}, "input.0"),
    ("cohere_embed", {"input": [{"content": [{"type": "file"}]}]}, "input.0.content.0.type"),
    ("openai_embeddings", {"input": [{"content": [IMAGE]}]}, "input.0.content.0"),
    ("gemini_embed", {"input": [{"content": [{"type": "file", "file": {}}]}]}, "input.0.content.0"),
    (
        "nova_embed",
        {"input": [{"content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
        "input.0.content.0.image_url",
    ),
]


@pytest.mark.parametrize(("name", "chat", "param"), INEXPRESSIBLE)
def test_an_input_that_a_target_cannot_take_is_refused_by_its_address(
    name: str, chat: Any, param: str
) -> None:
    with pytest.raises(Unsupported) as refused:
        DIALECTS[name].encode_request({"model": "m"} | chat, Report())
    assert refused.value.param == param


OWN_ALONE: list[tuple[str, Any, str]] = [
    ("titan_embed", {"inputImage": "aWk="}, "inputImage"),
    ("nova_embed", {"taskType": "SEGMENTED_EMBEDDING"}, "taskType"),
    (
        "nova_embed",
        {"singleEmbeddingParams": {"audio": {"format": "mp3"}}},
        "singleEmbeddingParams.audio",
    ),
    (
        "nova_embed",
        {"singleEmbeddingParams": {"text": {"source": {"s3Location": {}}}}},
        "singleEmbeddingParams.text.value",
    ),
    (
        "nova_embed",
        {"singleEmbeddingParams": {"image": {"source": {"s3Location": {}}}}},
        "singleEmbeddingParams.image.source",
    ),
    ("vertex_embed", {"instances": [{"image": {}}]}, "instances.0"),
    (
        "vertex_embed",
        {"instances": [{"content": "a", "task_type": "X"}, {"content": "b"}]},
        "instances.1.task_type",
    ),
    ("gemini_embed", {"content": {"parts": [{"functionCall": {}}]}}, "content.parts.0"),
    (
        "gemini_batch_embed",
        {
            "requests": [
                {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"},
                {"content": {"parts": [{"text": "b"}]}},
            ]
        },
        "requests.1.input_type",
    ),
]


@pytest.mark.parametrize(("name", "more", "param"), OWN_ALONE)
def test_what_one_vendor_alone_has_is_refused_for_others(name: str, more: Any, param: str) -> None:
    with pytest.raises(Unsupported) as refused:
        DIALECTS[name].decode_request(MINIMAL[name] | more)
    assert refused.value.param == param


def asked(name: str, more: Any) -> tuple[Any, Report]:
    report = Report()
    return DIALECTS[name].encode_request({"model": "m", "input": "hi"} | more, report), report


@pytest.mark.parametrize("name", [name for name in cases.NAMES if "cohere" not in name])
def test_a_ceiling_of_tokens_is_reported_where_there_is_none(name: str) -> None:
    assert "max_tokens" in [loss.param for loss in asked(name, {"max_tokens": 9})[1].drops]


@pytest.mark.parametrize("word", ["query", "search_query", "RETRIEVAL_QUERY", "Query"])
def test_purposes_are_understood_in_the_words_of_all_vendors(word: str) -> None:
    assert asked("cohere_embed", {"input_type": word})[0]["input_type"] == "search_query"
    assert asked("voyage_embed", {"input_type": word})[0]["input_type"] == "query"
    assert asked("gemini_embed", {"input_type": word})[0]["taskType"] == "RETRIEVAL_QUERY"


def test_a_purpose_that_is_not_known_travels_to_the_vendor_whose_word_it_is() -> None:
    for word in ("VIDEO_RETRIEVAL", "GENERIC_INDEX"):
        body, report = asked("nova_embed", {"input_type": word})
        assert body["singleEmbeddingParams"]["embeddingPurpose"] == word
        assert report.changes == ()


def test_several_texts_of_one_input_become_one_text_and_that_is_told() -> None:
    doc = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}}
    chat = DIALECTS["gemini_embed"].decode_request(doc)
    report = Report()
    body = DIALECTS["openai_embeddings"].encode_request(chat | {"model": "m"}, report)
    assert body["input"] == "a\nb"
    assert report.changes == ("input.0.content->one text",)


def test_an_openai_shaped_host_that_knows_purposes_gets_the_callers_word() -> None:
    report = Report(accepts=frozenset({"input_type"}))
    chat = {"model": "m", "input": "hi", "input_type": "passage"}
    assert DIALECTS["openai_embeddings"].encode_request(chat, report) == chat
    assert report.omissions == ()


def test_too_long_inputs_are_not_cut_for_a_caller_whose_api_refuses_them() -> None:
    assert asked("cohere_embed", {})[0]["truncate"] == "NONE"
    assert asked("voyage_embed", {})[0]["truncation"] is False
    assert asked("vertex_embed", {})[0]["parameters"]["autoTruncate"] is False
    for door in ("cohere_embed", "voyage_embed", "vertex_embed"):
        assert DIALECTS[door].decode_request(MINIMAL[door])["truncate"] == "END"


def test_base64_is_asked_of_voyage_for_floats_alone() -> None:
    assert asked("voyage_embed", {"encoding_format": "base64"})[0]["encoding_format"] == "base64"
    body, _ = asked("voyage_embed", {"encoding_format": "base64", "embedding_types": ["int8"]})
    assert (body.get("encoding_format"), body["output_dtype"]) == (None, "int8")


def test_a_batch_with_vertexs_settings_is_understood() -> None:
    config = {"taskType": "CLUSTERING", "outputDimensionality": 9, "autoTruncate": True}
    doc = MINIMAL["gemini_embed"] | {"embedContentConfig": config}
    assert DIALECTS["gemini_embed"].decode_request(doc) == {
        "input": "hi",
        "input_type": "clustering",
        "dimensions": 9,
        "truncate": "END",
    }


# ---- answers -------------------------------------------------------------------------------------

NOTHING: tuple[Any, ...] = ({}, [], None, {"data": None})
NO_ANSWERS: list[tuple[str, Any]] = [
    *[(name, doc) for name in cases.NAMES for doc in NOTHING],
    ("cohere_embed", {"embeddings": {}}),
    ("cohere_embed", {"embeddings": {"float": [[0.5]], "int8": []}}),
    ("gemini_batch_embed", {"embeddings": {"values": [0.5]}}),
    ("titan_embed", {"embedding": "0.5"}),
    ("vertex_embed", {"predictions": {}}),
    ("nova_embed", {"embeddings": {}}),
]


@pytest.mark.parametrize(("name", "doc"), NO_ANSWERS)
def test_a_document_without_embeddings_is_no_answer(name: str, doc: Any) -> None:
    with pytest.raises(UpstreamFailed):
        DIALECTS[name].decode_response(doc)


def canonical(*vectors: Any, **more: Any) -> Any:
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "m"} | more


@pytest.mark.parametrize("name", cases.NAMES)
@pytest.mark.parametrize("vectors", [([0.5], [0.25], [1.0]), ()])
def test_an_answer_with_another_number_of_rows_than_inputs_is_refused(
    name: str, vectors: Any
) -> None:
    request = cases.request_of(name, ["a", "b"]) or MINIMAL[name]
    with pytest.raises(UpstreamFailed, match="embeddings for") as failed:
        DIALECTS[name].encode_response(canonical(*vectors), cases.reply(request))
    assert failed.value.failure is not None
    assert failed.value.failure.kind == "protocol"


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [0.5]}, {"index": 0, "embedding": [0.5]}],
        [{"index": 1, "embedding": [0.5]}, {"index": 2, "embedding": [0.5]}],
        [{"index": 0, "embedding": [0.5]}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": [0.5]}, {"index": 1}],
        [{"index": 0, "embedding": "!"}, {"index": 1, "embedding": "AAAA"}],
    ],
)
def test_rows_that_are_misnumbered_empty_or_misspelt_are_refused(data: Any) -> None:
    request = {"model": "m", "input": ["a", "b"], "encoding_format": "float"}
    with pytest.raises(UpstreamFailed):
        DIALECTS["openai_embeddings"].encode_response({"data": data}, cases.reply(request))


def test_rows_without_a_number_get_one() -> None:
    request = {"model": "m", "input": ["a", "b"]}
    chat = {"data": [{"embedding": [0.5]}, {"embedding": [0.25]}]}
    for name in ("openai_embeddings", "voyage_embed"):
        answer = DIALECTS[name].encode_response(chat, cases.reply(request))
        assert [row["index"] for row in answer["data"]] == [0, 1]


def test_tokens_of_one_text_are_one_input() -> None:
    request = {"model": "m", "input": [15496, 995]}
    answer = DIALECTS["openai_embeddings"].encode_response(canonical([0.5]), cases.reply(request))
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2, "estimated": True}


USAGES: list[tuple[str, Any, Usage | None]] = [
    ("openai_embeddings", {"usage": {"prompt_tokens": 9, "total_tokens": 9}}, Usage(9)),
    ("openai_embeddings", {"usage": {"total_tokens": 9}}, Usage(9)),
    (
        "cohere_embed",
        {"meta": {"billed_units": {"input_tokens": 6.0, "image_tokens": 3}}},
        Usage(9),
    ),
    (
        "cohere_embed",
        {"meta": {"billed_units": {"images": 1}, "tokens": {"input_tokens": 4}}},
        Usage(4),
    ),
    (
        "cohere_embed",
        {"meta": {"billed_units": {"input_tokens": 6}, "cached_tokens": 2}},
        Usage(6, 0, 2),
    ),
    ("cohere_embed", {"meta": {}}, None),
    ("voyage_embed", {"usage": {"total_tokens": 9}}, Usage(9)),
    ("gemini_embed", {"usageMetadata": {"promptTokenCount": 9}}, Usage(9)),
    ("gemini_batch_embed", {"usageMetadata": {}}, None),
    ("titan_embed", {"inputTextTokenCount": 9}, Usage(9)),
    ("titan_embed", {}, None),
    ("nova_embed", {"embeddings": []}, None),
    (
        "vertex_embed",
        {"predictions": [{"embeddings": {"statistics": {"token_count": 4.0}}}] * 2},
        Usage(8),
    ),
    ("vertex_embed", {"predictions": [{"embeddings": {"values": []}}]}, None),
]


@pytest.mark.parametrize(("name", "doc", "usage"), USAGES)
def test_tokens_are_read_where_each_vendor_tells_them(
    name: str, doc: Any, usage: Usage | None
) -> None:
    assert DIALECTS[name].usage(doc) == usage


# ---- errors --------------------------------------------------------------------------------------

SAID = {
    "openai_embeddings": lambda body: body["error"]["message"],
    "cohere_embed": lambda body: body["message"],
    "bedrock_cohere_embed": lambda body: body["message"],
    "titan_embed": lambda body: body["message"],
    "nova_embed": lambda body: body["message"],
    "voyage_embed": lambda body: body["detail"],
    "gemini_embed": lambda body: body["error"]["message"],
    "gemini_batch_embed": lambda body: body["error"]["message"],
    "vertex_embed": lambda body: body["error"]["message"],
}


@pytest.mark.parametrize("name", cases.NAMES)
def test_errors_are_told_where_the_vendors_clients_look(name: str) -> None:
    dialect = DIALECTS[name]
    blocked = Blocked("blocked by rule 'pii.iban'", rules=["pii.iban"])
    for body in (
        dialect.encode_error(blocked, "req_1"),
        dialect.encode_error(Malformed("no such n", param="n"), "req_1"),
        dialect.relay_error(ErrorFacts(429, "slow down", "t", "c", "p"), "req_1"),
        dialect.relay_error(ErrorFacts(500, "slow down"), "req_1"),
    ):
        assert SAID[name](body) in {blocked.message, "no such n", "slow down"}
        assert "req_1" in str(body)
    assert "pii.iban" in str(dialect.encode_error(blocked, "req_1")).replace(blocked.message, "")
    assert "policy_blocked" in str(dialect.encode_error(blocked, "req_1"))


@pytest.mark.parametrize(
    ("status", "word"), [(400, "INVALID_ARGUMENT"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")]
)
def test_googles_word_for_a_status(status: int, word: str) -> None:
    body = DIALECTS["gemini_embed"].relay_error(ErrorFacts(status, "no"), "r")["error"]
    assert (body["code"], body["status"]) == (status, word)


@pytest.mark.parametrize("name", cases.NAMES)
def test_nothing_of_another_vendor_stands_in_a_request(name: str) -> None:
    doc, report = MINIMAL[name], Report()
    assert DIALECTS[name].strip_foreign(doc, report) is doc


def test_an_answer_of_voyage_without_counts_is_taken() -> None:
    doc = {"data": [{"index": 0, "embedding": [0.5]}], "model": "m"}
    assert DIALECTS["voyage_embed"].decode_response(doc) == doc


@pytest.mark.parametrize("name", cases.NAMES)
def test_there_is_no_stream_of_embeddings(name: str) -> None:
    with pytest.raises(Unsupported, match="not streamed"):
        DIALECTS[name].stream_decoder()
