"""`nexus explain`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.sdk.cli.cli_lab import EMAIL, PROVIDER_KEY, nexus

if TYPE_CHECKING:
    from pathlib import Path

POLICY = f"""\
providers:
  main: {{kind: openai, api_key: {PROVIDER_KEY}}}
routing:
  models:
    fast: main/gpt-4o-mini
    team:
      conditional:
        - {{when: {{project: [engine]}}, then: main/gpt-4o}}
        - {{when: {{tags: {{tier: gold}}}}, then: main/o3}}
      otherwise: main/gpt-4o-mini
  unlisted: refuse
keys:
  - {{id: ada, digest: {"a" * 64}, user: ada, project: engine, models: [team]}}
  - {{id: gone, digest: {"b" * 64}, revoked: true}}
  - {{id: late, digest: {"c" * 64}, expires: "2020-01-01T00:00:00Z"}}
limits:
  - {{name: budget, unit: usd, max: 5, window: day}}
"""


@pytest.fixture(autouse=True)
def policy(here: Path) -> None:
    (here / "nexus.yaml").write_text(POLICY)


def first_target(*args: str) -> str:
    told = nexus("explain", "--prompt", "hi", "--json", *args).json
    return f"{told['targets'][0]['provider']}/{told['targets'][0]['model']}"


def test_a_prompt_is_explained_without_its_secrets() -> None:
    ended = nexus("explain", "--model", "fast", "--prompt", f"mail {EMAIL}")
    assert ended.status == 0
    assert ended.out.startswith("send\n")
    assert "redact: pii.email (soft) in messages.0.content" in ended.out
    assert "mail <EMAIL_" in ended.out
    assert "1. main/gpt-4o-mini" in ended.out
    assert "url: https://api.openai.com/v1/chat/completions" in ended.out
    assert "limits: budget" in ended.out
    as_json = nexus("explain", "--model", "fast", "--prompt", f"mail {EMAIL}", "--json")
    assert as_json.json["would"] == "send"
    for secret in (EMAIL, PROVIDER_KEY):
        assert secret not in ended.out + ended.err + as_json.out + as_json.err


def test_a_refusal_is_exit_code_1() -> None:
    ended = nexus("explain", "--model", "fats", "--prompt", "hi")
    assert ended.status == 1
    assert ended.out.startswith("refuse: model 'fats' is in no route")
    as_json = nexus("explain", "--model", "fats", "--prompt", "hi", "--json")
    assert (as_json.status, as_json.json["error"]["code"]) == (1, "not_found")


def test_who_asks_decides() -> None:
    assert first_target("--model", "team") == "main/gpt-4o-mini"
    assert first_target("--model", "team", "--project", "engine") == "main/gpt-4o"
    assert first_target("--model", "team", "--tag", "tier=gold") == "main/o3"
    assert first_target("--model", "team", "--key-id", "ada") == "main/gpt-4o"
    assert (
        first_target("--model", "team", "--key-id", "ada", "--project", "x") == "main/gpt-4o-mini"
    )


def test_a_key_has_its_own_models() -> None:
    ended = nexus("explain", "--prompt", "hi", "--model", "fast", "--key-id", "ada", "--json")
    assert (ended.status, ended.json["error"]["code"]) == (1, "model_not_allowed")


@pytest.mark.parametrize(("key", "code"), [("gone", "key_revoked"), ("late", "key_expired")])
def test_a_key_that_is_not_valid_is_refused(key: str, code: str) -> None:
    ended = nexus("explain", "--prompt", "hi", "--model", "fast", "--key-id", key, "--json")
    assert (ended.status, ended.json["would"]) == (1, "refuse")
    assert ended.json["error"]["code"] == code


def test_an_unknown_key_is_wrong_usage() -> None:
    ended = nexus("explain", "--prompt", "hi", "--key-id", "adda")
    assert ended.status == 2
    assert "did you mean 'ada'?" in ended.err


@pytest.mark.parametrize("endpoint", ["chat", "responses", "embeddings", "messages"])
def test_every_endpoint_has_its_body(endpoint: str) -> None:
    ended = nexus("explain", "--endpoint", endpoint, "--model", "fast", "--prompt", EMAIL, "--json")
    told = ended.json
    assert told["endpoint"] == endpoint
    assert [found["rule"] for found in told["findings"]] == ["pii.email"]


def test_a_body_from_a_file_or_from_standard_input(here: Path) -> None:
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": EMAIL}]})
    (here / "body.json").write_text(body)
    for ended in (
        nexus("explain", "body.json", "--json"),
        nexus("explain", "-", "--json", stdin=body.encode()),
    ):
        assert (ended.status, ended.json["model"]) == (0, "fast")
    assert nexus("explain", "body.json", "--model", "team", "--json").json["model"] == "team"


@pytest.mark.parametrize(
    ("args", "stdin", "status"),
    [
        ((), b"", 2),
        (("-", "--prompt", "x"), b"", 2),
        (("-",), b"{", 2),
        (("-",), b"[]", 2),
        (("gone.json",), b"", 4),
        (("--prompt", "x", "--endpoint", "nope"), b"", 2),
    ],
)
def test_what_cannot_be_explained(args: tuple[str, ...], stdin: bytes, status: int) -> None:
    ended = nexus("explain", *args, stdin=stdin)
    assert (ended.status, ended.out) == (status, "")


def test_nothing_is_recorded(here: Path) -> None:
    nexus("explain", "--prompt", "hi", "--model", "fast")
    assert not (here.parent / "state" / "audit").exists()
