from __future__ import annotations

import pytest

from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS, match

FOUND = [
    ("POST", "/v1/chat/completions", "chat"),
    ("POST", "/chat/completions", "chat"),
    ("POST", "/openai/v1/chat/completions", "chat"),
    ("POST", "/openai/deployments/gpt-4o/chat/completions", "chat"),
    ("POST", "/v1/responses", "responses"),
    ("POST", "/v1/embeddings", "embeddings"),
    ("POST", "/v1/messages", "messages"),
    ("GET", "/v1/models", "models"),
]
OTHERS = [
    ("GET", "/v1/chat/completions"),
    ("post", "/v1/chat/completions"),
    ("POST", "/v1/models"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/responses/resp_1/cancel"),
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
]


@pytest.mark.parametrize(("method", "path", "key"), FOUND)
def test_a_path_is_found_by_its_end(method: str, path: str, key: str) -> None:
    assert match(method, path) == ENDPOINTS[key]


@pytest.mark.parametrize(("method", "path"), OTHERS)
def test_a_path_that_servers_could_read_in_two_ways_is_none_of_ours(method: str, path: str) -> None:
    assert match(method, path) is None


def test_names_with_dots_are_no_steps_upwards() -> None:
    assert match("POST", "/deployments/gpt-4.1..mini/responses") == ENDPOINTS["responses"]


def test_every_dialect_has_an_endpoint_and_every_endpoint_a_dialect_that_exists() -> None:
    assert {row.dialect for row in ENDPOINTS.values()} - {""} == set(DIALECTS) - {"gemini"}
