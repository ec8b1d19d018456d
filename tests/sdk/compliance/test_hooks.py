"""Which rules hold where, and what each leads to."""

from __future__ import annotations

import pytest
from tests.sdk.compliance.stage_lab import RULES, effective, hook

from nexus_sdk.compliance.hooks import PLACEHOLDER_RULE, Stage, actions_for
from nexus_sdk.compliance.verdict import Ruling
from nexus_sdk.stages.selectors import Names

BIRD = {"own.bird": "redact"}


def test_the_strictest_action_wins_whatever_the_priority() -> None:
    first = hook({"own.bird": "approve"}, name="first", priority=1)
    second = hook({"own.bird": "block"}, name="second", priority=2)
    third = hook({"own.bird": "redact"}, name="third", priority=3)
    for hooks in ((first, second, third), (third, second, first)):
        assert effective(*hooks).rulings == {"own.bird": Ruling("block", "second", False)}


def test_on_equal_terms_the_hook_that_runs_first_decides() -> None:
    late = hook(BIRD, name="late", priority=20, reversible=False)
    early = hook(BIRD, name="early", priority=5, reversible=True)
    assert effective(late, early).rulings["own.bird"] == Ruling("redact", "early", True)


@pytest.mark.parametrize(
    ("limit", "where", "holds"),
    [
        ({}, ("chat", "m", "k"), True),
        ({"endpoints": Names(["chat"])}, ("chat", "m", "k"), True),
        ({"endpoints": Names(["chat"])}, ("messages", "m", "k"), False),
        ({"models": Names(["gpt-*"])}, ("chat", "gpt-4o", "k"), True),
        ({"models": Names(["gpt-*"])}, ("chat", "claude", "k"), False),
        ({"keys": Names(["vip"])}, ("chat", "m", "vip"), True),
        ({"keys": Names(["vip"])}, ("chat", "m", ""), False),
        ({"keys": Names([])}, ("chat", "m", ""), False),
        ({"keys": Names(["*"]), "models": Names(["m"])}, ("chat", "m", ""), True),
        ({"keys": Names(["a"]), "models": Names(["m"])}, ("chat", "m", "b"), False),
    ],
)
def test_a_limited_hook_counts_only_where_it_applies(
    limit: dict[str, Names], where: tuple[str, str, str], holds: bool
) -> None:
    stage = Stage([hook(BIRD, **limit)], RULES.values(), restore=False)
    assert set(stage.effective(*where).rulings) == ({"own.bird"} if holds else set())
    assert stage.effective(*where) is stage.effective(*where), "worked out once"


def test_a_limited_hook_beside_one_that_holds_everywhere() -> None:
    strict = hook({"own.bird": "block"}, name="strict", models=Names(["secret-*"]))
    stage = Stage([hook(BIRD, name="all"), strict], RULES.values(), restore=False)
    assert stage.effective("chat", "secret-1", "").rulings["own.bird"].action == "block"
    assert stage.effective("chat", "open-1", "").rulings["own.bird"].action == "redact"


def test_only_rules_that_some_hook_names_are_scanned_for() -> None:
    stage = Stage([hook(BIRD), hook({"own.code": "block"})], RULES.values(), restore=False)
    assert {rule.id for rule in stage.scanner.rules} == {"own.bird", "own.code"}
    again = Stage([hook(BIRD)], [*RULES.values(), *RULES.values()], restore=True)
    assert [rule.id for rule in again.scanner.rules] == ["own.bird", PLACEHOLDER_RULE.id]


def test_no_hook_finds_nothing() -> None:
    stage = Stage([], RULES.values(), restore=False)
    rules = stage.effective("chat", "m", "")
    assert rules.scanner.find(["bluebird"]) == {}
    assert rules.stream_rules(restoring=True) is None
    assert not rules.recording


def test_a_stream_watches_for_what_acts_and_for_placeholders_when_there_are_any() -> None:
    rules = effective(hook({"own.bird": "approve", "own.code": "redact"}), restore=True)

    def watched(*, restoring: bool) -> list[str]:
        found = rules.stream_rules(restoring=restoring)
        assert found is rules.stream_rules(restoring=restoring), "made once"
        return [rule.id for rule in found.scanner.rules] if found else []

    assert watched(restoring=False) == ["own.code"]
    assert watched(restoring=True) == ["own.code", PLACEHOLDER_RULE.id]


@pytest.mark.parametrize("action", ["approve", "redact", "block"])
def test_only_rules_that_just_record_are_looked_for_at_the_end(action: str) -> None:
    assert effective(hook({"own.bird": action})).recording == (action == "approve")


def test_where_nothing_acts_a_stream_is_not_watched() -> None:
    assert (
        effective(hook({"own.bird": "approve"}), restore=True).stream_rules(restoring=False) is None
    )
    unrestored = effective(hook({"own.bird": "approve"}), restore=False)
    assert unrestored.stream_rules(restoring=True) is None


IDS = ["pii.email", "pii.phone", "secret.aws", "own.a"]


@pytest.mark.parametrize(
    ("overrides", "actions"),
    [
        ({}, ["redact", "redact", "redact", "redact"]),
        ({"pii.email": "block"}, ["block", "redact", "redact", "redact"]),
        ({"pii.*": "approve"}, ["approve", "approve", "redact", "redact"]),
        ({"pii.*": "approve", "pii.email": "block"}, ["block", "approve", "redact", "redact"]),
        ({"pii.email": "block", "pii.*": "approve"}, ["block", "approve", "redact", "redact"]),
        ({"*": "off", "secret.*": "block"}, ["block"]),
        ({"pii.e*": "block", "pii.*": "off"}, ["block", "redact", "redact"]),
        ({"unknown.*": "block"}, ["redact", "redact", "redact", "redact"]),
    ],
)
def test_an_override_by_name_then_by_longest_prefix_then_the_default(
    overrides: dict[str, str], actions: list[str]
) -> None:
    found = actions_for(IDS, "redact", overrides)
    assert list(found.values()) == actions
    assert "off" not in found.values()
