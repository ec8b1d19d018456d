"""Every row of the table can be sent to, and what is unusual about it has a reason."""

from __future__ import annotations

from dataclasses import fields

import pytest

from nexus_sdk.providers.base_url import objection
from nexus_sdk.providers.table import TABLE, Row, auth_headers, url
from nexus_sdk.wire.endpoints import ENDPOINTS

ROWS = pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
PLAIN = Row(name="", base_url="https://x", auth="bearer", endpoints={})


@ROWS
def test_a_row_speaks_at_endpoints_that_exist(row: Row) -> None:
    for key, (dialect, path) in row.endpoints.items():
        assert dialect == ENDPOINTS[key].dialect
        assert path.endswith(ENDPOINTS[key].suffix)


@ROWS
def test_a_row_has_a_base_url_that_a_policy_could_give(row: Row) -> None:
    assert not row.base_url or objection(row.base_url, private_network=False) is None
    assert not row.base_url.endswith("/")


@ROWS
def test_what_departs_from_the_plain_case_has_a_reason(row: Row) -> None:
    unusual = {
        name
        for name in ("auth", "headers", "stream_usage")
        if getattr(row, name) != getattr(PLAIN, name)
    } | ({"base_url"} if not row.base_url else set())
    assert unusual <= row.because.keys() <= {field.name for field in fields(Row)}


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
    assert TABLE["openai"].dialects == ("openai_chat", "openai_responses", "openai_embeddings")
    assert TABLE["anthropic"].dialects == ("anthropic",)
    assert TABLE["openai_compatible"].dialects == ("openai_chat", "openai_embeddings")


def test_how_a_key_travels() -> None:
    assert auth_headers(TABLE["openai"], "k") == {"authorization": "Bearer k"}
    assert auth_headers(TABLE["anthropic"], "k") == {
        "x-api-key": "k",
        "anthropic-version": "2023-06-01",
    }
    assert auth_headers(TABLE["openai_compatible"], None) == {}
    assert auth_headers(TABLE["anthropic"], None) == {"anthropic-version": "2023-06-01"}


# base URLs


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example.com/v1",
        "http://llm.internal:8000",
        "https://8.8.8.8/",
        "https://a.b./v1",
    ],
)
def test_a_public_address_is_fine(text: str) -> None:
    assert objection(text, private_network=False) is None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "a.localhost", "LOCALHOST.", "127.0.0.1", "10.1.2.3", "192.168.0.1"),
        *("100.64.0.1", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"),
    ],
)
def test_a_private_address_has_to_be_allowed(host: str) -> None:
    text = f"http://{host}:8000/v1"
    assert "private_network: true" in (objection(text, private_network=False) or "")
    assert objection(text, private_network=True) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://169.254.169.254/", "link-local"),
        ("http://[fe80::1]/", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://100.100.100.200/", "metadata service of Alibaba"),
        ("http://168.63.129.16/", "metadata service of Azure"),
        ("http://192.0.0.192/", "metadata service of Oracle"),
        ("http://[fd00:ec2::254]/", "metadata service of AWS"),
        ("http://[fd20:ce:0::254]/", "metadata service of Google"),
        ("http://metadata.google.internal/", "metadata service of Google"),
        ("http://Metadata.Google.Internal./", "metadata service of Google"),
        ("http://2852039166/", "four decimal numbers"),
        ("http://0xa9fea9fe/", "four decimal numbers"),
        ("http://0251.0376.0251.0376/", "four decimal numbers"),
        ("http://169.254.43518/", "four decimal numbers"),
        ("http://127.1/", "four decimal numbers"),
        ("http://0.0.0.0/", "not the address of a host"),
        ("http://224.0.0.1/", "not the address of a host"),
        ("http://255.255.255.255/", "not the address of a host"),
        ("ftp://a/", "must begin with https://"),
        ("api.example.com/v1", "must begin with https://"),
        ("", "must begin with https://"),
        ("https:///v1", "names no host"),
        ("https://u:canary@a/", "user name or password"),
        ("https://canary@a/", "user name or password"),
        ("https://a/?key=canary", "query or fragment"),
        ("https://a/#canary", "query or fragment"),
        ("https://a/?", "query or fragment"),
        ("https://a b/", "plain ASCII"),
        ("https://ä/", "plain ASCII"),
        ("https://a\\@b/", "plain ASCII"),
        (" https://a/", "plain ASCII"),
        ("https://a/\n", "plain ASCII"),
        ("https://a:b/", "is not a URL"),
        ("https://a:99999/", "is not a URL"),
        ("https://[::1/", "is not a URL"),
    ],
)
def test_what_no_provider_can_be_is_refused_even_in_private_networks(
    text: str, reason: str
) -> None:
    said = objection(text, private_network=True) or ""
    assert reason in said
    assert "canary" not in said
