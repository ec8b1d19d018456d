"""The automaton never says less than `re`: what can match is accepted, what may still match is
live."""

from __future__ import annotations

import random
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.cutting import PLACES, cut

from nexus_sdk.compliance import automaton
from nexus_sdk.compliance.automaton import Automaton, UnsupportedExpression, Watch
from nexus_sdk.compliance.expressions import examine

if TYPE_CHECKING:
    from nexus_sdk.compliance.automaton import Boundary

type Rule = tuple[str, Boundary, bool]

AROUND: dict[Boundary, tuple[str, str]] = {
    "word": ("(?<![A-Za-z0-9_])", "(?![A-Za-z0-9_])"),
    "digit": ("(?<![0-9])", "(?![0-9])"),
    "none": ("", ""),
}

_ATOMS = r"a b 1 - é ß . A _ \d \w \s \W \D \S \. [ab] [^a] [a-c1] [^b-z] [A-Z] [\d.] [^\w] [\W1]"
ATOMS = st.sampled_from([" ", "\n", *_ATOMS.split()])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})")
        | inner.map(lambda body: f"({body})")
        | st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        )
    ),
    max_leaves=6,
)
RULES: st.SearchStrategy[Rule] = st.tuples(
    EXPRESSIONS.filter(lambda expression: not examine(expression).problems),
    st.sampled_from(["word", "digit", "none"]),
    st.booleans(),
)
TEXTS = st.text(alphabet="abcAB1 0-._é\nß🙂", max_size=14)


def pattern(rule: Rule) -> re.Pattern[str]:
    expression, boundary, ignore_case = rule
    before, after = AROUND[boundary]
    flags = re.ASCII | re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile(f"{before}(?:{expression}){after}", flags)


def matches(rule: Rule, text: str) -> dict[int, int]:
    """Start to end: the match that `re` finds at every place."""
    found = (pattern(rule).match(text, place) for place in range(len(text) + 1))
    return {match.start(): match.end() for match in found if match}


def watched(rules: list[Rule], *pieces: str) -> Watch:
    watch = Watch(Automaton(rules))
    for piece in pieces:
        watch.feed(piece)
    return watch


@settings(max_examples=1500, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), TEXTS)
@example([("a", "word", False), ("(?:a)+", "none", True)], "Aaa a")
def test_every_match_of_re_is_accepted(rules: list[Rule], text: str) -> None:
    watch = watched(rules, text)
    for index, rule in enumerate(rules):
        for start, end in matches(rule, text).items():
            assert any(
                begin <= start and end <= until and index in found
                for begin, (until, found) in watch.accepted.items()
            ), (rule, start, end, watch.accepted)


@settings(max_examples=1500, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), TEXTS, TEXTS)
@example([("a{2,3}", "word", False)], "xa aa", "a")
def test_what_begins_before_the_earliest_place_is_decided(
    rules: list[Rule], text: str, more: str
) -> None:
    watch = watched(rules, text)
    for rule in rules:
        now, later = matches(rule, text), matches(rule, text + more)
        for start in range(watch.earliest):
            assert now.get(start) == later.get(start), (rule, start, watch.earliest)


@given(st.lists(RULES, min_size=1, max_size=3), TEXTS, PLACES)
def test_cuts_do_not_matter(rules: list[Rule], text: str, places: list[int]) -> None:
    whole, pieces = watched(rules, text), watched(rules, *cut(text, places))
    assert (whole.accepted, whole.earliest, whole.position) == (
        pieces.accepted,
        pieces.earliest,
        pieces.position,
    )


@given(st.lists(RULES, min_size=1, max_size=2), TEXTS)
def test_a_small_cache_of_states_changes_nothing(rules: list[Rule], text: str) -> None:
    whole = watched(rules, text * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automaton, "MAX_STATES", 2)
        small = watched(rules, text * 3)
    assert whole.earliest == small.earliest
    for start, (end, found) in whole.accepted.items():
        assert any(
            begin <= start and end <= until and found <= rules_found
            for begin, (until, rules_found) in small.accepted.items()
        )


def test_text_that_no_rule_begins_with_is_not_live() -> None:
    watch = watched([("ab+", "word", False)], "the ")
    assert watch.earliest == watch.position == 4
    watch.feed("xab")
    assert watch.earliest == watch.position == 7
    watch.feed(" ab")
    assert (watch.earliest, watch.position) == (8, 10)


@pytest.mark.parametrize(("boundary", "earliest"), [("word", 0), ("digit", 0), ("none", 2)])
def test_a_finished_match_waits_for_its_right_boundary_if_it_has_one(
    boundary: Boundary, earliest: int
) -> None:
    assert watched([("ab", boundary, False)], "ab").earliest == earliest


def test_what_was_dealt_with_is_forgotten() -> None:
    watch = watched([("a", "none", False)], "aba")
    assert sorted(watch.accepted) == [0, 2]
    watch.forget(1)
    assert sorted(watch.accepted) == [2]
    watch.forget(3)
    watch.forget(3)
    assert watch.accepted == {}


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("(", "not a regular expression"),
        ("^a", "at is not allowed"),
        (r"\ba", "at is not allowed"),
        ("a*?", "min_repeat is not allowed"),
        ("(?=a)b", "assert is not allowed"),
        (r"(a)\1", "groupref is not allowed"),
        ("(?i:a)", "flags"),
        ("(?>a)", "atomic_group is not allowed"),
    ],
)
def test_what_a_rule_may_not_use_is_refused_by_name(expression: str, named: str) -> None:
    with pytest.raises(UnsupportedExpression, match=named):
        Automaton([(expression, "none", False)])
    assert examine(expression).problems, "and the reader of rules refuses it too"


def test_threads_share_an_automaton_while_its_states_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(automaton, "MAX_STATES", 100)
    rules: list[Rule] = [("x[ab]*a[ab]{12}c", "none", False)]
    shared = Automaton(rules)
    letters = [random.Random(number).choices("ab", k=1500) for number in range(3)]
    texts = [f"x{''.join(chosen)}c" for chosen in letters]
    wanted = [watched(rules, text).accepted for text in texts]
    found: dict[int, object] = {}

    def run(number: int) -> None:
        for _ in range(5):
            watch = Watch(shared)
            watch.feed(texts[number % 3])
        found[number] = watch.accepted

    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(often)
    assert found == {number: wanted[number % 3] for number in range(6)}


def test_the_empty_set_of_rules_watches_nothing() -> None:
    watch = watched([], "anything")
    assert (watch.accepted, watch.earliest) == ({}, 8)


@settings(max_examples=500)
@given(ATOMS, st.booleans(), TEXTS)
@example("[^\x00-a]", False, "ab")
@example("[\x00-\U0010ffff]", False, "aé🙂")
@example("[^b-\U0010ffff]", True, "aB🙂")
@example("[^\x00-\U0010ffff]", False, "a")
def test_one_character_is_accepted_exactly_where_re_takes_it(
    atom: str, ignore_case: bool, text: str
) -> None:
    rule: Rule = (atom, "none", ignore_case)
    accepted = {begin: end for begin, (end, _) in watched([rule], text).accepted.items()}
    assert accepted == matches(rule, text)
