"""A policy, compiled: what the document says is what the stages get."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from tests.playbook import chat, snapshot

from nexus_sdk.model import Origin, Target
from nexus_sdk.stages.reading import read
from nexus_sdk.wire.ways import Way

PROVIDERS: dict[str, Any] = {
    "azure": {
        "kind": "openai",
        "base_url": "https://azure.example/v1/",
        "api_key": "azure-key",
        "headers": {"X-Team": "vermilion"},
        "timeouts": {"connect": 1, "read": 2, "total": 3},
    },
    "claude": {"kind": "anthropic", "api_key": "claude-key"},
    "local": {
        "kind": "openai_compatible",
        "base_url": "http://127.0.0.1:8000/v1",
        "private_network": True,
    },
    "vllm": {"kind": "openai_compatible", "base_url": "https://vllm.example", "stream_usage": True},
    "quiet": {"kind": "openai", "api_key": "k", "stream_usage": False},
    "dated": {"kind": "anthropic", "api_key": "k", "headers": {"anthropic-version": "2030-01-01"}},
}


# ---- accounts ------------------------------------------------------------------------------------


def test_a_provider_of_the_policy_is_an_account() -> None:
    account = snapshot({"providers": PROVIDERS}).accounts["azure"]
    assert (account.name, account.kind, account.base_url) == (
        "azure",
        "openai",
        "https://azure.example/v1",
    )
    assert account.headers == {"authorization": "Bearer azure-key", "x-team": "vermilion"}
    assert (account.connect_s, account.read_s, account.total_s) == (1, 2, 3)
    assert (account.own, account.private_network, account.stream_usage) == (False, False, True)
    assert account.endpoints["chat"] == Way("openai_chat", "/chat/completions")


def test_its_row_stands_in_for_what_it_does_not_say() -> None:
    accounts = snapshot({"providers": PROVIDERS}).accounts
    assert accounts["claude"].base_url == "https://api.anthropic.com"
    assert accounts["claude"].headers["x-api-key"] == "claude-key"
    assert accounts["claude"].defaults == {"anthropic-version"}
    assert accounts["dated"].headers["anthropic-version"] == "2030-01-01"
    assert accounts["dated"].defaults == frozenset()
    assert accounts["local"].headers == {}
    assert accounts["local"].private_network


@pytest.mark.parametrize(
    ("name", "asks"), [("azure", True), ("quiet", False), ("local", False), ("vllm", True)]
)
def test_whether_streams_are_asked_for_counts(name: str, asks: bool) -> None:
    assert snapshot({"providers": PROVIDERS}).accounts[name].stream_usage is asks


def test_the_caller_s_own_upstream_is_an_account_without_credentials() -> None:
    taken = snapshot()
    request = replace(
        chat(), origin=Origin("https://me:pass@Up.Example:8443/v1/", {"authorization": "x"})
    )
    name = taken.origin_name(request)
    assert name == "@up.example:8443/v1"
    account = taken.account(Target(name, "m"), read(request))
    assert (account.name, account.own, account.headers) == (name, True, {})
    assert account.base_url == "https://me:pass@Up.Example:8443/v1"
    assert account.endpoints == {"chat": Way("openai_chat", "/chat/completions")}
    assert account.private_network, "the address is the application's own choice"
    assert taken.account(Target(name, "m"), read(request)) is account
    assert taken.origin_name(replace(request, origin=None)) == ""


def test_an_operation_without_an_endpoint_has_an_account_too() -> None:
    request = replace(chat(), endpoint="", path="/files", method="GET", body=b"")
    assert snapshot().account(Target("@up.example/v1", ""), read(request)).endpoints == {}


def test_a_provider_s_name_wins_over_the_caller_s_own_upstream() -> None:
    taken = snapshot({"providers": PROVIDERS})
    assert taken.account(Target("azure", "m"), read(chat())) is taken.accounts["azure"]


# ---- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("azure", "gpt-4o", True),
        ("local", "gpt-4o", False),
        ("@api.openai.com/v1", "gpt-4o", True),
        ("@up.example/v1", "gpt-4o", False),
        ("@api.openai.com.evil.example", "gpt-4o", False),
        ("azure", "no-such-model", False),
    ],
)
def test_a_vendor_s_prices_hold_at_the_vendor(provider: str, model: str, known: bool) -> None:
    rates = snapshot({"providers": PROVIDERS}).rates(Target(provider, model))
    assert (rates is not None) is known


def test_the_policy_s_own_prices_hold_everywhere() -> None:
    taken = snapshot({"prices": {"m": {"input": 3.0}}})
    rates = taken.rates(Target("@up.example/v1", "m"))
    assert rates is not None


# ---- the retry rule ------------------------------------------------------------------------------


def test_the_retry_rule_with_the_caller_s_attempts() -> None:
    taken = snapshot({"routing": {"retry": {"attempts": 4, "max_delay_s": 3.0}}})
    assert taken.retry(4) == taken.policy.routing.retry
    patient = taken.retry(7)
    assert (patient.attempts, patient.max_delay_s) == (7, 3.0)
    assert taken.retry(7) is patient


# ---- hooks ---------------------------------------------------------------------------------------

OWN = [
    {"id": "own.bird", "words": ["bluebird"], "severity": "hard", "category": "project"},
    {"id": "own.code", "expression": "ab-[0-9]{4}", "ignore_case": True, "boundary": "none"},
]


def rulings(policy: dict[str, Any], stage: str = "request") -> dict[str, tuple[str, str, bool]]:
    taken = snapshot({"compliance": policy})
    hooks = taken.request_hooks if stage == "request" else taken.response_hooks
    found = hooks.effective("chat", "m", "").rulings
    return {rule: (ruling.action, ruling.hook, ruling.reversible) for rule, ruling in found.items()}


def test_the_policy_s_own_rules_are_rules() -> None:
    taken = snapshot({"compliance": {"hooks": [{"name": "h", "own": OWN, "action": "block"}]}})
    bird, code = taken.request_hooks.scanner.rules
    assert (bird.id, bird.severity, bird.category) == ("own.bird", "hard", "project")
    assert (code.id, code.ignore_case, code.boundary) == ("own.code", True, "none")
    hits = taken.request_hooks.scanner.find(["the Bluebird xAB-1234"])[0]
    assert sorted(hit.rule.id for hit in hits) == ["own.bird", "own.code"]


def test_a_hook_holds_at_its_stages_with_its_overrides() -> None:
    hook = {
        "name": "h",
        "own": OWN,
        "stages": ["request"],
        "action": "redact",
        "rules": {"own.code": "block", "own.bird": "off"},
    }
    assert rulings({"hooks": [hook]}) == {"own.code": ("block", "h", True)}
    assert rulings({"hooks": [hook]}, "response") == {}


def test_redaction_is_reversible_on_the_way_out_only() -> None:
    hook = {"name": "h", "own": OWN[:1], "action": "redact", "stages": ["request", "response"]}
    assert rulings({"hooks": [hook]}) == {"own.bird": ("redact", "h", True)}
    assert rulings({"hooks": [hook]}, "response") == {"own.bird": ("redact", "h", False)}
    assert rulings({"hooks": [hook | {"reversible": False}]}) == {
        "own.bird": ("redact", "h", False)
    }


def test_hooks_may_be_limited() -> None:
    limits = {"endpoints": ["chat"], "models": ["gpt-*"], "keys": ["k*"]}
    taken = snapshot({"compliance": {"hooks": [{"name": "h", "own": OWN, **limits}]}})
    stage = taken.request_hooks
    assert stage.effective("chat", "gpt-4", "k1").rulings
    for other in (("messages", "gpt-4", "k1"), ("chat", "claude", "k1"), ("chat", "gpt-4", "x")):
        assert not stage.effective(*other).rulings


@pytest.mark.parametrize("restore", [True, False])
def test_restoring_can_be_turned_off(restore: bool) -> None:
    taken = snapshot({"compliance": {"hooks": [{"name": "h", "own": OWN}], "restore": restore}})
    ids = [rule.id for rule in taken.response_hooks.scanner.rules]
    assert ("nexus.placeholder" in ids) is restore


def test_the_default_policy_redacts_requests_and_masks_secrets_in_answers() -> None:
    taken = snapshot()
    request = taken.request_hooks.effective("chat", "m", "").rulings
    response = taken.response_hooks.effective("chat", "m", "").rulings
    assert {ruling.action for ruling in request.values()} == {"redact"}
    assert request["pii.email"].reversible
    assert response["pii.email"].action == "approve"
    secret = next(rule for rule in response if not rule.startswith(("pii.", "fin.")))
    assert (response[secret].action, response[secret].reversible) == ("redact", False)


# ---- the whole -----------------------------------------------------------------------------------


def test_equal_documents_have_one_hash_and_others_another() -> None:
    assert snapshot({"name": "a"}).hash == snapshot({"name": "a"}).hash
    assert snapshot({"name": "a"}).hash != snapshot({"name": "b"}).hash


def test_only_a_route_with_a_choice_needs_the_conversation_s_hash() -> None:
    models = {"one": "azure/m", "many": {"fallback": ["azure/m", "claude/c"]}}
    taken = snapshot({"providers": PROVIDERS, "routing": {"models": models}})
    assert [taken.sticky(model) for model in ("one", "many", "other")] == [False, True, False]


def test_it_shows_no_secret_and_does_not_change() -> None:
    taken = snapshot({"providers": PROVIDERS})
    shown = repr(taken) + repr(taken.accounts)
    for secret in ("azure-key", "claude-key", "vermilion", "kkkk"):
        assert secret not in shown
    with pytest.raises(FrozenInstanceError):
        taken.hash = ""  # type: ignore[misc]
