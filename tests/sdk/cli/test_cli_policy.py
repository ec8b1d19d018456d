"""`nexus policy`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.sdk.cli.cli_lab import PROVIDER_KEY, nexus

from nexus_sdk.policy.schema import json_schema

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = f"""\
name: mine
providers:
  partner:
    kind: openai_compatible
    base_url: https://llm.example.com/v1
    api_key: {PROVIDER_KEY}
    headers: {{x-team: {PROVIDER_KEY}}}
routing:
  models:
    fast: partner/small
    deep: openai/gpt-4o
keys_pepper: {PROVIDER_KEY}-{PROVIDER_KEY}
limits:
  - {{name: rate, unit: requests, max: 5, window: minute}}
switches: {{kill: true}}
"""


@pytest.fixture
def whole(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", PROVIDER_KEY)
    (here / "nexus.yaml").write_text(WHOLE)
    return "nexus.yaml"


def test_check_sums_up_what_it_found(whole: str) -> None:
    told = nexus("policy", "check", "--json").json
    assert told["ok"] is True
    assert told["files"] == [whole]
    assert told["providers"] == {"partner": "openai_compatible", "openai": "openai"}
    assert told["models"] == ["fast", "deep"]
    assert told["limits"] == ["rate"]
    assert told["request_rules"]["redact"] > 100
    assert told["switches"] == ["KILL: every request is refused"]
    shown = nexus("policy", "check")
    assert shown.out.endswith("ok\n")
    assert "partner, openai" in shown.out
    assert told["hash"] in shown.out


def test_check_names_every_problem_with_its_line(here: Path) -> None:
    (here / "bad.yaml").write_text(
        "nme: x\nlimits:\n  - {name: r, unit: apples, max: 1, window: day}\n"
    )
    ended = nexus("policy", "check", "bad.yaml")
    assert ended.status == 3
    first, second = ended.out.splitlines()
    assert first.startswith("bad.yaml:1: nme: ")
    assert second.startswith("bad.yaml:3: limits.0.unit: ")
    as_json = nexus("policy", "check", "bad.yaml", "--json")
    assert (as_json.status, as_json.json) == (3, {"ok": False, "problems": [first, second]})


def test_check_compiles_too(here: Path) -> None:
    """A tree that is nested too deeply is well formed, and found out when routes are compiled."""
    tree = "p/m"
    for _ in range(10):
        tree = f"{{fallback: [{tree}]}}"
    (here / "deep.yaml").write_text(
        "providers: {p: {kind: openai_compatible, base_url: https://a.example.com/v1}}\n"
        f"routing: {{models: {{m: {tree}}}}}\n"
    )
    ended = nexus("policy", "check", "deep.yaml")
    assert ended.status == 3
    assert "routing.models.m" in ended.out


def test_show_masks_every_secret(whole: str) -> None:
    for args in ((), ("--json",)):
        ended = nexus("policy", "show", *args)
        assert ended.status == 0
        assert PROVIDER_KEY not in ended.out + ended.err
        assert "**********" in ended.out


def test_show_says_where_each_part_comes_from(whole: str) -> None:
    told = nexus("policy", "show", "--json").json
    origins = told["provenance"]
    assert origins["limits"] == "nexus.yaml:13"
    assert origins["compliance"] == origins["cache"] == "default"
    assert origins["providers.partner"] == "nexus.yaml:3"
    assert origins["providers.openai"] == "environment"
    assert told["policy"]["compliance"]["hooks"][0]["name"] == "default-request"
    assert told["policy"]["limits"][0]["max"] == 5
    text = nexus("policy", "show").out
    assert yaml.safe_load(text) == told["policy"]
    assert "# limits: nexus.yaml:13\n" in text
    assert "# providers.openai: environment\n" in text


def test_show_of_no_policy_is_the_default() -> None:
    told = nexus("policy", "show", "--json").json
    assert set(told["provenance"].values()) == {"default"}
    assert told["files"] == []


def test_diff_tells_changes_and_no_secret(here: Path, whole: str) -> None:
    (here / "new.yaml").write_text(
        WHOLE.replace("max: 5", "max: 6").replace("pepper: sk", "pepper: other-sk")
        + "cache: {enabled: true}\n"
    )
    ended = nexus("policy", "diff", whole, "new.yaml")
    assert ended.status == 1
    assert sorted(ended.out.splitlines()) == [
        "cache.enabled: false → true",
        "keys_pepper: changed (secret)",
        "limits.rate.max: 5 → 6",
    ]
    as_json = nexus("policy", "diff", whole, "new.yaml", "--json")
    assert as_json.status == 1
    assert {"path": "limits.rate.max", "before": 5.0, "after": 6.0} in as_json.json["changes"]
    assert PROVIDER_KEY not in ended.out + as_json.out


def test_diff_of_what_was_added_holds_no_secret(here: Path, whole: str) -> None:
    (here / "empty.yaml").write_text("")
    told = nexus("policy", "diff", "empty.yaml", whole, "--json")
    added = {change["path"]: change for change in told.json["changes"]}
    assert "before" not in added["providers.partner"]
    assert added["providers.partner"]["after"]["kind"] == "openai_compatible"
    assert PROVIDER_KEY not in told.out


def test_diff_of_equal_policies(whole: str) -> None:
    assert nexus("policy", "diff", whole, whole).out == "no change\n"
    assert nexus("policy", "diff", whole, whole, "--json").json == {"same": True, "changes": []}


def test_schema_is_the_schema() -> None:
    assert json.loads(nexus("policy", "schema").out) == json_schema()
