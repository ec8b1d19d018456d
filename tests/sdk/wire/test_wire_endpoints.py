from __future__ import annotations

import pytest

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import (
    ENDPOINTS,
    MAX_PATH_CHARS,
    ROUTES,
    ROWS,
    Paths,
    framing,
    located,
    match,
)

EVERY = Paths({row.key: row for row in ROWS}, {route.framing for route in ROUTES})
"""All operations, those too whose dialect is not there yet."""

FOUND = [
    ("POST", "/v1/chat/completions", "chat"),
    ("POST", "/chat/completions", "chat"),
    ("POST", "/openai/v1/chat/completions", "chat"),
    ("POST", "/v1/completions", "completions"),
    ("POST", "/v1/responses", "responses"),
    ("POST", "/v1/embeddings", "embeddings"),
    ("POST", "/v1/moderations", "moderations"),
    ("POST", "/v1/messages", "messages"),
    ("POST", "/v1/messages/count_tokens", "count_tokens"),
    ("POST", "/v2/chat", "cohere_chat"),
    ("POST", "/v2/embed", "cohere_embed"),
    ("POST", "/v2/rerank", "rerank"),
    ("POST", "/v1/rerank", "voyage_rerank"),
    ("GET", "/v1/models", "models"),
    ("GET", "/v1beta/models", "gemini_models"),
]
OTHERS = [
    ("GET", "/v1/chat/completions"),
    ("post", "/v1/chat/completions"),
    ("POST", "/v1/models"),
    ("POST", "/v1/responses/resp_1/compact"),
    ("GET", "/v1/responses/resp%5F1"),
    ("GET", "/v1/responses/.."),
    ("POST", "/v1/xresponses"),
    ("POST", "/v1/Responses"),
    ("POST", "/v1/responses/"),
    ("POST", "responses"),
    ("POST", ""),
    ("POST", "/v1//responses"),
    ("POST", "//responses"),
    ("POST", "/v1/../responses"),
    ("POST", "/./responses"),
    ("POST", "/v1/%2e%2e/responses"),
    ("POST", "/v1%2fresponses"),
    ("POST", "/v1\\responses"),
    ("POST", "/v1;a/responses"),
    ("POST", "/v1/responses?x=/embeddings"),
    ("POST", "/v1/responses\n"),
    ("POST", "/v1/a b/responses"),
    ("POST", "/v1/ä/responses"),
    ("POST", "/a" * MAX_PATH_CHARS + "/responses"),
]
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0"
PLACED = [
    ("/v1beta/models/g-1:generateContent", "generate_content", "g-1", False, "sse"),
    ("/v1/models/g-1:streamGenerateContent", "generate_content", "g-1", True, "json_array"),
    ("/v1beta/models/g-1:countTokens", "count_content_tokens", "g-1", None, "sse"),
    ("/v1beta/models/g-1:embedContent", "embed_content", "g-1", None, "sse"),
    ("/v1beta/models/g-1:batchEmbedContents", "batch_embed_contents", "g-1", None, "sse"),
    ("/model/a.b-v1%3A0/converse", "converse", "a.b-v1:0", False, "sse"),
    ("/model/a.b-v1:0/converse-stream", "converse", "a.b-v1:0", True, "aws_events"),
    (
        f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse",
        "converse",
        ARN,
        False,
        "sse",
    ),
    ("/model/org%2fname/converse", "converse", "org/name", False, "sse"),
    ("/openai/deployments/gpt-4o/chat/completions", "chat", "gpt-4o", None, "sse"),
    ("/openai/deployments/gpt-4.1..mini/responses", "responses", "gpt-4.1..mini", None, "sse"),
    ("/openai/deployments/e/embeddings", "embeddings", "e", None, "sse"),
    ("/openai/deployments/i/completions", "completions", "i", None, "sse"),
]
AMBIGUOUS = [
    "/model/a%253A0/converse",
    "/model/a%2e%2e/converse",
    "/model/a%2F..%2Fb/converse",
    "/model/..%2Fb/converse",
    "/model/a%2F/converse",
    "/model/%2Fa/converse",
    "/model/a%2F%2Fb/converse",
    "/model/%61/converse",
    "/model/a%00/converse",
    "/model/a%0A/converse",
    "/model/a%5Cb/converse",
    "/model/a%3/converse",
    "/model/a%/converse",
    "/model/a%3Bb/converse",
    "/model/a b/converse",
    "/model/../converse",
    "/model/./converse",
    "/model//converse",
    "/model/a/b/converse",
    "/m%6Fdel/a/converse",
    "/model/a/conv%65rse",
    "/v1beta/models/g%3AgenerateContent",
    "/v1beta/models/:generateContent",
    "/v1beta/models/..:generateContent/x",
    "/v1%2Fmodels/g:generateContent",
]


@pytest.mark.parametrize(("method", "path", "key"), FOUND)
def test_a_path_is_found_by_its_end(method: str, path: str, key: str) -> None:
    found = EVERY.match(method, path)
    assert found is not None
    assert (found.endpoint.key, found.model, found.streams) == (key, "", None)
    assert found.base + found.suffix == path


@pytest.mark.parametrize(("method", "path"), OTHERS)
def test_a_path_that_servers_could_read_in_two_ways_is_none_of_ours(method: str, path: str) -> None:
    assert EVERY.match(method, path) is None


@pytest.mark.parametrize(("path", "key", "model", "streams", "framed"), PLACED)
def test_a_path_tells_the_model_and_whether_it_streams(
    path: str, key: str, model: str, streams: bool | None, framed: str
) -> None:
    found = EVERY.match("POST", path)
    assert found is not None
    assert (found.endpoint.key, found.model, found.streams) == (key, model, streams)
    assert found.base + found.suffix == path
    assert found.served
    assert framing(found, "") == framed
    assert framing(found, "a=b&alt=sse") == "sse"
    assert framing(found, "alt=ssex") == framed


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_model_s_name_has_one_reading_or_none(path: str) -> None:
    found = EVERY.match("POST", path)
    assert found is None


@pytest.mark.parametrize(
    ("method", "path", "served"),
    [
        ("POST", "/v1/chat/completions", True),
        ("POST", "/openai/v1/chat/completions", True),
        ("POST", "/chat/completions", False),
        ("POST", "/x/v1/chat/completions", False),
        ("POST", "/anthropic/v1/messages", True),
        ("POST", "/openai/v1/messages", False),
        ("POST", "/openai/deployments/m/embeddings", True),
        ("POST", "/deployments/m/embeddings", False),
        (
            "POST",
            "/v1/projects/p/locations/global/publishers/google/models/g:generateContent",
            True,
        ),
        ("POST", "/v1/projects/p/locations/l/publishers/x/models/g:generateContent", False),
        ("POST", "/bedrock/model/m/converse", True),
        ("POST", "/v1/model/m/converse", False),
        ("POST", "/v2/chat", True),
        ("POST", "/v1/v2/chat", False),
        ("GET", "/v1/models/org%2Fname", True),
    ],
)
def test_a_door_of_our_own_has_an_operation_at_its_place_alone(
    method: str, path: str, served: bool
) -> None:
    found = EVERY.match(method, path)
    assert found is not None
    assert found.served is served


def test_every_dialect_has_an_endpoint_and_every_endpoint_a_dialect_that_exists() -> None:
    spoken = {row.dialect for row in ENDPOINTS.values()} - {""}
    assert spoken <= set(DIALECTS)
    assert spoken == {row.dialect for row in ROWS} & set(DIALECTS)
    assert {route.key for route in ROUTES} == {row.key for row in ROWS}


def test_what_is_served_is_told_by_method_and_path() -> None:
    told = EVERY.served()
    assert "POST /v1/chat/completions" in told
    assert "POST /v1/models/{model}:generateContent" in told
    assert "POST /model/{model}/converse" in told


def test_a_plain_path_says_nothing_beyond_its_operation() -> None:
    assert located(ENDPOINTS["chat"], "/chat/completions") is None
    found = located(ENDPOINTS["chat"], "/deployments/d/chat/completions")
    assert found is not None
    assert found.model == "d"
    assert located(ENDPOINTS["chat"], "/elsewhere") is None


def test_a_path_that_has_to_name_a_model_and_does_not_is_refused() -> None:
    with pytest.raises(Malformed, match="names no model"):
        located(ENDPOINTS["count_content_tokens"], "/models/{model}:countTokens")
    with pytest.raises(Malformed):
        located(ENDPOINTS["count_content_tokens"], "/deployments/d/chat/completions")


def test_what_was_found_is_remembered() -> None:
    assert match("POST", "/v1/chat/completions") is match("POST", "/v1/chat/completions")
