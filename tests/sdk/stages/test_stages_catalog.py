"""`GET /models`: the names a key may ask for, in the shape its client reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.playbook import chat, snapshot

from nexus_sdk.errors import NotFound
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


def listed(
    key: str, endpoint: str = "models", path: str = "/models", policy: Any = POLICY, **headers: str
) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = replace(chat(), endpoint=endpoint, path=path, method="GET", body=b"", headers=named)
    told = answer(snapshot(policy), Caller(key_id=key), request)
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


# ---- what is said of each ------------------------------------------------------------------------

RICH: dict[str, Any] = {
    "providers": {
        "one": {"kind": "openai", "api_key": "k"},
        "claude": {"kind": "anthropic", "api_key": "k"},
        "own": {"kind": "openai_compatible", "base_url": "https://own.example/v1"},
    },
    "routing": {
        "models": {
            "plain": "one/gpt-4o",
            "both": {"fallback": ["one/gpt-4o", "claude/claude-sonnet-4-5", "own/x"]},
            "cases": {
                "conditional": [
                    {
                        "when": {"user": ["a"]},
                        "then": {"loadbalance": [{"to": "one/a"}, {"to": "own/b"}]},
                    }
                ],
                "otherwise": {"ab_split": {"x": {"to": "one/a"}, "y": {"to": "claude/c"}}},
            },
            "smart": {
                "smart": {"p": {"about": "d", "to": "one/p"}, "q": {"about": "d", "to": "own/q"}},
                "router": "one/r",
                "otherwise": "claude/o",
            },
            "org/name": "one/gpt-4o",
        }
    },
    "prices": {"own/x": {"input": 1.5, "output": 3}},
}


def told_of(name: str) -> Any:
    path = f"/models/{name.replace('/', '%2F')}"
    return listed("", "model", path, RICH)["nexus"]


def places(name: str) -> list[str]:
    return [f"{entry['provider']}/{entry['model']}" for entry in told_of(name)["targets"]]


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("plain", ["one/gpt-4o"]),
        ("both", ["one/gpt-4o", "claude/claude-sonnet-4-5", "own/x"]),
        ("cases", ["one/a", "own/b", "claude/c"]),
        ("smart", ["one/p", "own/q", "claude/o"]),
    ],
)
def test_where_a_name_may_go(name: str, reached: list[str]) -> None:
    assert places(name) == reached


def test_prices_are_in_dollars_for_a_million_tokens() -> None:
    first, _, third = told_of("both")["targets"]
    assert first["pricing"]["input"] == 2.5
    assert first["pricing"]["output"] == 10
    assert (third["pricing"]["input"], third["pricing"]["output"]) == (1.5, 3)
    assert told_of("cases")["targets"][0]["pricing"] is None


def test_what_every_target_of_a_name_does() -> None:
    plain, both = told_of("plain")["endpoints"], told_of("both")["endpoints"]
    assert {"chat", "responses", "messages", "embeddings"} <= set(plain)
    assert {"chat", "messages"} <= set(both)
    assert "embeddings" not in both
    assert "models" not in plain


def test_a_name_with_a_slash_is_found_and_one_that_may_not_be_used_is_not() -> None:
    found = listed("", "model", "/models/org%2Fname", RICH)
    assert (found["id"], found["object"]) == ("org/name", "model")
    for key, path in (("", "/models/nothing"), ("some", "/models/smart")):
        with pytest.raises(NotFound, match="not among those") as caught:
            listed(key, "model", path, POLICY)
        assert caught.value.code == "model_not_found"


def test_anthropic_s_shape_of_one() -> None:
    found = listed("", "model", "/models/both", RICH, anthropic_version="1")
    assert (found["type"], found["id"], found["max_tokens"]) == ("model", "both", 64_000)


def test_gemini_s_shape() -> None:
    from google.genai import types

    doc = listed("", "gemini_models", "/v1beta/models", RICH)
    names = [types.Model.model_validate({"name": m["name"]}).name for m in doc["models"]]
    assert names == [f"models/{name}" for name in sorted(RICH["routing"]["models"])]
    one = listed("", "gemini_model", "/v1beta/models/both", RICH)
    assert (one["name"], one["outputTokenLimit"]) == ("models/both", 64_000)
    assert isinstance(one["supportedGenerationMethods"], list)


def test_google_s_client_reads_its_shape_at_openai_s_place() -> None:
    """Version 3 of google-genai asks `/v1`, and says who it is by the header of its key."""
    doc = listed("", "models", "/models", RICH, x_goog_api_key="nvk_x")
    assert doc["models"][0]["name"] == "models/both"
    one = listed("", "model", "/models/both", RICH, x_goog_api_key="nvk_x")
    assert one["name"] == "models/both"


def test_cohere_s_shape() -> None:
    doc = listed("", "models", "/models", RICH, user_agent="cohere/7.3.1")
    named = {model["name"]: model["endpoints"] for model in doc["models"]}
    assert named["plain"] == ["chat", "embed"]
    assert named["both"] == ["chat"]
