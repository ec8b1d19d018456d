"""The JSON Schema, the example and the how-to say what the loader accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from nexus_sdk.policy import defaults
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.schema import json_schema

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "src/nexus_sdk/policy/example.yaml"
ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "NEXUS_SECRET_KEYS_PEPPER": "p" * 40,
    "PARTNER_KEY": "sk-3",
}
VALIDATOR: Any = jsonschema.Draft202012Validator(json_schema())


def everything(text: str) -> str:
    """The example with all that is commented out."""
    return re.sub(r"(?m)^#(?=\S|  )", "", text)


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = json.loads((ROOT / "docs/policy.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "write it anew with `nexus policy schema`"


def test_the_schema_is_one_and_describes_its_fields() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "policy.schema.json"
    key = schema["$defs"]["Key"]["properties"]
    assert key["expires"]["description"] == "RFC 3339, UTC. Empty: never."
    assert "title" not in key["expires"]


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({}, True),
        ({"routing": {"models": {"m": "o/x"}}}, True),
        ({"routing": {"models": {"m": {"fallback": ["o/x"], "on": [429, "429"]}}}}, True),
        ({"routing": {"models": {"m": "x"}}}, False),
        ({"routing": {"models": {"m": {"falback": ["o/x"]}}}}, False),
        ({"limits": [{"name": "a", "unit": "usd", "max": 0, "window": "day"}]}, False),
        ({"limts": []}, False),
    ],
)
def test_the_schema_tells_good_from_bad(document: object, valid: bool) -> None:
    assert VALIDATOR.is_valid(document) is valid


def test_the_example_loads_and_says_the_defaults() -> None:
    document = load_policy(EXAMPLE, environ_lookup=ENVIRONMENT.get).document
    assert document.compliance == defaults.COMPLIANCE
    empty = load_policy("{}\n", environ_lookup=ENVIRONMENT.get).document
    told = {"name": "", "organisation": "", "compliance": None}
    assert document.model_copy(update=told) == empty


def test_everything_in_the_example_is_valid_and_shows_every_section() -> None:
    text = everything(EXAMPLE.read_text(encoding="utf-8"))
    document = load_policy(text, environ_lookup=ENVIRONMENT.get).document
    assert [hook.name for hook in document.compliance.hooks][-1:] == ["project-names"]  # type: ignore[union-attr]  # it has one
    shown = yaml.safe_load(text).keys()
    assert shown >= {"providers", "routing", "keys_pepper", "limits", "prices", "switches"}


def test_every_example_of_the_how_to_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml(?: title=\"(\S+)\")?\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 8
    for name, block in blocks:
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(block)
    for name, block in blocks:
        if "/packs/" not in f"/{name}":
            load_policy(name or block, environ_lookup=ENVIRONMENT.get)
