"""Calls to providers whose credential has to be had first, from the policy to the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.nexus import Nexus
from nexus_sdk.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
URL = "https://anywhere.example/v1/chat/completions"
TOKEN = {"kind": "token", "token": "x"}


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def policy(server: ModelServer, first: dict[str, Any], *more: str) -> dict[str, Any]:
    def provider(credentials: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "watsonx",
            "base_url": f"{server.url}/v1",
            "private_network": True,
            "credentials": credentials,
        }

    return {
        "providers": {
            "first": provider(first),
            "second": provider({"kind": "token", "token": "the-second-token"}),
        },
        "routing": {
            "models": {"m": {"fallback": ["first/gpt-4o", *more]}},
            "retry": {"attempts": 1},
        },
        "compliance": {"hooks": []},
    }


def nexus(folder: Path, written: dict[str, Any]) -> Nexus:
    settings = Settings(folder / "state", folder / "cache", "test", audit="off")
    return Nexus(written, settings=settings)


def sent_with(server: ModelServer) -> list[str]:
    return [dict(seen.headers).get("authorization", "") for seen in server.requests]


def test_a_token_is_sent_from_threads_and_tasks(models: ModelServer, tmp_path: Path) -> None:
    models.clear()
    written = policy(models, {"kind": "token", "token": "the-first-token"})
    with nexus(tmp_path, written) as made:
        with httpx.Client(transport=made.transport()) as client:
            assert client.post(URL, json=CHAT).status_code == 200

        async def ask() -> int:
            async with httpx.AsyncClient(transport=made.async_transport()) as client:
                return (await client.post(URL, json=CHAT)).status_code

        assert asyncio.run(ask()) == 200
        assert "the-first-token" not in repr(made.snapshot)
    assert sent_with(models) == ["Bearer the-first-token"] * 2


def vertex(written: dict[str, Any], file: Path) -> dict[str, Any]:
    """The first provider as one whose key file is not there."""
    first = {
        "kind": "vertex",
        "project": "p",
        "base_url": "https://vertex.example",
        "credentials": {"kind": "google_service_account", "file": str(file)},
    }
    written["providers"]["first"] = first
    written["routing"]["models"]["m"]["fallback"][0] = "first/claude-x"
    return written


def test_without_a_token_the_next_target_is_asked(models: ModelServer, tmp_path: Path) -> None:
    models.clear()
    written = vertex(policy(models, TOKEN, "second/gpt-4o"), tmp_path / "none.json")
    with (
        nexus(tmp_path, written) as made,
        httpx.Client(transport=made.transport()) as client,
    ):
        told = client.post(URL, json=CHAT)
    assert told.status_code == 200
    assert told.headers["x-nexus-provider"] == "second"
    assert sent_with(models) == ["Bearer the-second-token"]


def test_without_any_token_the_reason_says_what_to_do(models: ModelServer, tmp_path: Path) -> None:
    models.clear()
    written = vertex(policy(models, TOKEN), tmp_path / "none.json")
    with (
        nexus(tmp_path, written) as made,
        httpx.Client(transport=made.transport()) as client,
        pytest.raises(httpx.ConnectError, match=r"none\.json cannot be read"),
    ):
        client.post(URL, json=CHAT)
    assert not models.requests


def test_a_policy_that_comes_to_need_tokens_gets_them(models: ModelServer, tmp_path: Path) -> None:
    models.clear()
    with (
        nexus(tmp_path, {"compliance": {"hooks": []}}) as made,
        httpx.Client(transport=made.transport()) as client,
    ):
        made.reload(policy(models, {"kind": "token", "token": "the-late-token"}))
        assert client.post(URL, json=CHAT).status_code == 200
    assert sent_with(models) == ["Bearer the-late-token"]
