"""`GET /models`: the names a key may ask for, in the shape its client reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.playbook import chat, snapshot

from nexus_sdk.model import Caller
from nexus_sdk.stages.catalog import answer

POLICY: dict[str, Any] = {
    "providers": {"one": {"kind": "openai_compatible", "base_url": "https://one.example/v1"}},
    "routing": {"models": {"smart": "one/a", "fast": "one/b"}},
    "keys": [
        {"id": "all", "digest": "0" * 64},
        {"id": "some", "digest": "1" * 64, "models": ["fa*"]},
        {"id": "none", "digest": "2" * 64, "models": ["other"]},
    ],
}


def listed(key: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = replace(chat(), endpoint="models", method="GET", body=b"", headers=named)
    told = answer(snapshot(POLICY), Caller(key_id=key), request)
    assert told.status == 200
    assert told.headers["x-nexus-request-id"] == "req-1"
    return orjson.loads(told.body)


@pytest.mark.parametrize(
    ("key", "names"),
    [("all", ["fast", "smart"]), ("some", ["fast"]), ("none", []), ("", ["fast", "smart"])],
)
def test_the_names_that_a_key_may_ask_for(key: str, names: list[str]) -> None:
    openai = listed(key)
    assert openai["object"] == "list"
    assert [model["id"] for model in openai["data"]] == names
    assert all(model["object"] == "model" and model["owned_by"] for model in openai["data"])
    anthropic = listed(key, anthropic_version="2023-06-01")
    assert [model["id"] for model in anthropic["data"]] == names
    ends = (names[0], names[-1]) if names else (None, None)
    assert (anthropic["first_id"], anthropic["last_id"]) == ends
    assert anthropic["has_more"] is False


def test_the_official_clients_read_it() -> None:
    from anthropic.types import ModelInfo
    from openai.types import Model

    for model in listed("all")["data"]:
        assert Model.model_validate(model, strict=True).id == model["id"]
    for model in listed("all", anthropic_version="1")["data"]:
        assert ModelInfo.construct(**model).id == model["id"]
