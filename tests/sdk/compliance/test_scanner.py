"""The scanner finds the same with Hyperscan, without it, and however texts are put together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.compliance.test_guard import TEXTS, every_rule

from nexus_sdk.compliance.rules import built_in, rule_from_words
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.drivers import matcher

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.compliance.verdict import Found


@cache
def slow() -> Scanner:
    return Scanner(every_rule())


@cache
def quick() -> Scanner:
    scanner = Scanner(every_rule())
    matcher.attach([scanner], None, wait=True)
    assert scanner.matcher is not None
    return scanner


def plain(found: dict[int, list[Found]]) -> dict[int, set[tuple[int, int, str]]]:
    return {
        index: {(hit.start, hit.end, hit.rule.id) for hit in hits} for index, hits in found.items()
    }


@settings(max_examples=1500, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_hyperscan_and_the_literal_search_agree(texts: list[str]) -> None:
    assert plain(quick().find(texts)) == plain(slow().find(texts))


@settings(max_examples=500, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_texts_do_not_see_each_other(texts: list[str]) -> None:
    together = plain(quick().find(texts))
    for index, text in enumerate(texts):
        assert together.get(index, set()) == plain(quick().find([text])).get(0, set())


def test_offsets_are_code_points() -> None:
    text = "naïve 東京 🙂 bob@example.com ☕"
    (hit,) = quick().find(["first", text])[1]
    assert text[hit.start : hit.end] == "bob@example.com"


def test_a_long_text_with_many_hits() -> None:
    text = "".join(f"line {n}: user{n}@example.com\n" for n in range(500))
    assert len(quick().find([text])[0]) == 500


def test_words_of_the_policy_fold_case_and_white_space() -> None:
    scanner = Scanner([rule_from_words("own.secret", ["Project Bluebird"])])
    (hit,) = scanner.find(["about PROJECT \n bluebird!"])[0]
    assert (hit.start, hit.end) == (6, 24)


@pytest.mark.parametrize("name", ["nexus/pii", "nexus/secrets"])
def test_every_example_is_found_and_no_counterexample(name: str) -> None:
    scanner = Scanner(built_in(name).rules)
    matcher.attach([scanner], None, wait=True)
    for rule in scanner.rules:
        for example in rule.examples:
            assert rule.id in {hit.rule.id for hit in scanner.find([example]).get(0, [])}, example
        for example in rule.counterexamples:
            found = scanner.find([example]).get(0, [])
            assert rule.id not in {hit.rule.id for hit in found}, example


def test_the_compiled_database_is_cached(tmp_path: Path) -> None:
    first = Scanner(every_rule())
    matcher.attach([first], tmp_path, wait=True)
    (entry,) = tmp_path.iterdir()
    second = Scanner(every_rule())
    assert matcher.attach([second], tmp_path) is None
    text = ["mail bob@example.com"]
    assert plain(second.find(text)) == plain(first.find(text)) != {}
    entry.write_bytes(b"not a database")
    third = Scanner(every_rule())
    matcher.attach([third], tmp_path, wait=True)
    assert plain(third.find(text)) == plain(first.find(text))
