"""The scanner finds the same with Hyperscan, without it, and however texts are put together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.compliance.test_guard import TEXTS, every_rule

from nexus_sdk.compliance.rules import Rule, built_in, rule_from_expression, rule_from_words
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


# ---- where matches are looked for ----------------------------------------------------------------


def both(*rules: Rule) -> tuple[Scanner, Scanner]:
    fast = Scanner(rules)
    matcher.attach([fast], None, wait=True)
    return Scanner(rules), fast


LONG = rule_from_expression("own.long", "<[a-z]+>", boundary="none")
SHORT = rule_from_expression("own.short", "[a-c]{3}-[0-9]{2}")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["<abc>", "abc-12", "abc-123", " ", "x" * 40, "é🙂", "<", "-", "cba-99\n"]),
        max_size=30,
    ).map("".join)
)
def test_matches_far_apart_and_without_a_bound_are_found(text: str) -> None:
    slow_one, fast_one = both(LONG, SHORT)
    assert plain(fast_one.find([text, text])) == plain(slow_one.find([text, text]))


def test_a_match_is_never_put_together_from_two_texts() -> None:
    for one in both(LONG, SHORT):
        assert one.find(["<ab", "c>", "abc", "-12", "<abc>"]).keys() == {4}


@pytest.mark.parametrize("texts", [[], ["", ""], ["nothing here"]])
def test_where_nothing_is_nothing_is_found(texts: list[str]) -> None:
    for one in (*both(LONG, SHORT), *both()):
        assert one.find(texts) == {}


def test_only_what_begins_in_the_given_part_is_confirmed() -> None:
    one = Scanner([SHORT])
    text = "abc-12 abc-13 abc-14"
    assert [hit.start for hit in one.confirm(text, [0], 0, len(text))] == [0, 7, 14]
    assert [hit.start for hit in one.confirm(text, [0], 1, 14)] == [7]
    assert one.confirm(text, [], 0, len(text)) == []


def test_what_follows_a_part_is_looked_at() -> None:
    one = Scanner([SHORT])
    assert one.confirm("abc-123", [0], 0, 6) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("key=kq8x2vbz", "kq8x2vbz"),
        ("key=aaaaaaaa", None),
        ("key=changeme", None),
        ("key=abababab", None),
    ],
)
def test_a_value_of_little_entropy_is_none(text: str, value: str | None) -> None:
    rule = replace(rule_from_expression("own.key", "key=([a-z0-9]{8})"), entropy=2.5)
    hits = Scanner([rule]).find([text]).get(0, [])
    assert [text[hit.start : hit.end] for hit in hits] == ([value] if value else [])


@pytest.mark.parametrize(("text", "found"), [("our key: kq8x2vbz", 1), ("kq8x2vbz: our key", 0)])
def test_a_rule_may_need_its_words_before_the_value(text: str, found: int) -> None:
    rule = rule_from_expression("own.key", "[a-z0-9]{8}")
    needing = replace(rule, context=("key",), context_required=True)
    assert len(Scanner([needing]).find([text]).get(0, [])) == found
