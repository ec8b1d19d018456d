"""Every row of the table can be sent to, and what is unusual about it has a reason."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

import pytest
from tests.playbook import snapshot

from nexus_sdk.policy.document import Provider
from nexus_sdk.providers.base_url import objection
from nexus_sdk.providers.credentials import KINDS
from nexus_sdk.providers.row import AUTH, Auth
from nexus_sdk.providers.table import ALL, TABLE, Row, Way, auth_headers, url
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ROUTES
from nexus_sdk.wire.endpoints import ROWS as OPERATIONS

ROWS = pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
SERVED = pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
PLAIN = Row(name="", base_url="https://x", auth="bearer", endpoints={})
WORDS = {"region": "r-1", "project": "p", "location": "l-1", "resource": "res", "api_version": "v"}
# fmt: off
TWENTY = {
    "openai", "anthropic", "gemini", "vertex", "azure", "bedrock", "cohere", "minimax", "glm",
    "replicate", "voyage", "deepseek", "moonshot", "mistral", "groq", "fireworks", "together",
    "perplexity", "xai", "huggingface",
}
FREE = {
    "openrouter", "ollama", "vllm", "lm_studio", "nvidia_nim", "cerebras", "sambanova",
    "databricks", "watsonx",
}
# fmt: on


def filled(text: str, **words: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: {**WORDS, **words}[found[1]], text)


def test_the_providers_there_are() -> None:
    names = [row.name for row in ALL]
    assert set(names) == {*TWENTY, *FREE, "openai_compatible"}
    assert len(set(names)) == len(names)
    assert set(TABLE) == {row.name for row in ALL if set(row.dialects) & set(DIALECTS)}


@ROWS
def test_a_row_has_operations_that_exist_at_paths_that_are_whole(row: Row) -> None:
    known = {row.key for row in OPERATIONS}
    assert row.endpoints.keys() <= known
    for family in row.families:
        assert family.endpoints.keys() <= known
    for way in row.ways:
        for path in filter(None, (way.path, way.stream_path)):
            made = filled(path, model="m")
            assert re.fullmatch(r"(/[A-Za-z0-9._:@-]+)+(\?[a-z-]+=[a-z0-9.-]+)?", made)
        assert way.framing in {route.framing for route in ROUTES}


@ROWS
def test_a_row_has_a_base_url_that_a_policy_could_give(row: Row) -> None:
    for base in filter(None, (row.base_url, *row.base_urls.values())):
        assert objection(filled(base), private_network=row.private_network) is None
        assert not base.endswith("/")
    assert not row.private_network or objection(row.base_url, private_network=False)


@ROWS
def test_a_row_s_fields_are_the_policy_s_and_fill_its_templates(row: Row) -> None:
    assert row.fields.keys() <= Provider.model_fields.keys()
    texts = [row.base_url, *(text for way in row.ways for text in (way.path, way.stream_path))]
    wanted = {name for text in texts for name in re.findall(r"\{(\w+)\}", text)} - {"model"}
    assert wanted == row.fields.keys()


@ROWS
def test_what_departs_from_the_plain_case_has_a_reason(row: Row) -> None:
    unusual = {
        name
        for name in ("auth", "headers", "stream_usage", "families")
        if getattr(row, name) != getattr(PLAIN, name)
    } | ({"base_url"} if not row.base_url or row.fields.keys() & {"region"} else set())
    assert unusual <= row.because.keys() <= {field.name for field in fields(Row)}
    for quirk in row.quirks:
        assert len(quirk.because) > 20


@ROWS
def test_a_row_s_authentication_exists(row: Row) -> None:
    assert row.auth in AUTH
    assert set(row.credentials) <= set(KINDS)


@ROWS
def test_the_quirks_of_a_row_do_not_touch_a_member_twice(row: Row) -> None:
    """Two of them would disagree on what is told of it."""
    for quirk in row.quirks:
        touched = [
            *quirk.renames,
            *quirk.refuses,
            *quirk.only,
            *quirk.omits,
            *quirk.words,
            *quirk.moves,
        ]
        assert len(set(touched)) == len(touched)
        assert quirk.edits or quirk.accepts or quirk.max_output_tokens


def test_every_way_of_sending_a_key_has_a_form() -> None:
    assert set(AUTH) == set(get_args(Auth.__value__))
    key = "k-1"
    for name, (header, form) in AUTH.items():
        row = Row(name="x", base_url="", auth=name, endpoints={}, headers={"v": "1"})
        assert auth_headers(row, key) == {"v": "1", header: form.format(key)}
        assert auth_headers(row, None) == {"v": "1"}


@SERVED
def test_a_policy_can_name_every_row(row: Row) -> None:
    provider = {"kind": row.name, "api_key": "k"} | {name: WORDS[name] for name in row.fields}
    if not row.base_url:
        provider["base_url"] = "https://own.example/v1"
    account = snapshot({"providers": {"p": provider}}).accounts["p"]
    assert "{" not in account.base_url
    assert account.kind == row.name
    assert account.private_network is row.private_network
    for way in account.endpoints.values():
        assert "{" not in way.path.replace("{model}", "")
    assert "k" in {value.split()[-1] for value in account.headers.values()}


@pytest.mark.parametrize(
    ("kind", "base_url", "endpoint", "expected"),
    [
        ("openai", None, "chat", "https://api.openai.com/v1/chat/completions"),
        (
            "openai",
            "https://gw.example/openai/v1/",
            "responses",
            "https://gw.example/openai/v1/responses",
        ),
        ("openai", None, "embeddings", "https://api.openai.com/v1/embeddings"),
        ("openai", None, "models", "https://api.openai.com/v1/models"),
        ("anthropic", None, "messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "https://gw.example", "models", "https://gw.example/v1/models"),
        ("groq", None, "chat", "https://api.groq.com/openai/v1/chat/completions"),
        ("glm", None, "chat", "https://api.z.ai/api/paas/v4/chat/completions"),
        (
            "openai_compatible",
            "http://[::1]:8000/v1",
            "chat",
            "http://[::1]:8000/v1/chat/completions",
        ),
    ],
)
def test_where_a_request_goes(
    kind: str, base_url: str | None, endpoint: str, expected: str
) -> None:
    assert url(TABLE[kind], base_url, endpoint) == expected


def test_an_endpoint_that_a_provider_lacks_has_no_url() -> None:
    with pytest.raises(KeyError):
        url(TABLE["anthropic"], None, "embeddings")


def test_what_a_row_speaks() -> None:
    assert TABLE["openai"].dialects[:2] == ("openai_chat", "openai_responses")
    assert TABLE["anthropic"].dialects == ("anthropic", "anthropic_count")
    assert "openai_embeddings" in TABLE["openai_compatible"].dialects


def test_a_location_with_a_host_of_its_own() -> None:
    def base(**more: str) -> str:
        provider = {"kind": "vertex", "project": "p-1", "api_key": "t", **more}
        return snapshot({"providers": {"v": provider}}).accounts["v"].base_url

    assert base() == "https://us-central1-aiplatform.googleapis.com"
    assert base(location="europe-west4") == "https://europe-west4-aiplatform.googleapis.com"
    assert base(location="global") == "https://aiplatform.googleapis.com"
    assert base(base_url="https://own.example") == "https://own.example"


def test_a_family_of_models_has_ways_of_its_own() -> None:
    provider = {"kind": "vertex", "project": "p-1", "api_key": "t"}
    account = snapshot({"providers": {"v": provider}}).accounts["v"]
    way = account.ways("claude-sonnet-4-5@20250929")["messages"]
    assert way == Way(
        "anthropic",
        "/v1/projects/p-1/locations/us-central1/publishers/anthropic/models/{model}:rawPredict",
        "/v1/projects/p-1/locations/us-central1/publishers/anthropic/models/{model}"
        ":streamRawPredict",
        plain="@",
    )
    assert "messages" not in account.ways("gemini-2.5-pro")
    assert "anthropic" in account.dialects
