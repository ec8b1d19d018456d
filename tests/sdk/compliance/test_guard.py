"""Live enforcement equals whole-text enforcement, however a stream is cut."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.compliance.guard import StreamRules, TextGuard
from nexus_sdk.compliance.hooks import PLACEHOLDER_RULE
from nexus_sdk.compliance.rules import Rule, built_in, rule_from_expression, rule_from_words
from nexus_sdk.compliance.scanner import Scanner
from nexus_sdk.compliance.verdict import Edit, Found, apply, clusters


@cache
def every_rule() -> tuple[Rule, ...]:
    return (
        *built_in("nexus/pii").rules,
        *built_in("nexus/secrets").rules,
        PLACEHOLDER_RULE,
        rule_from_words("own.bluebird", ["project bluebird", "blue"]),
        rule_from_expression("own.run", r"x[0-9a-f]{4,40}y", boundary="none"),
    )


@cache
def rules() -> StreamRules:
    return StreamRules(Scanner(every_rule()))


def names(group: list[Found]) -> list[str]:
    return sorted({hit.rule.id for hit in group})


def decide(text: str, hits: list[Found]) -> list[Edit]:
    return [
        Edit(group[0].start, max(hit.end for hit in group), "[" + "+".join(names(group)) + "]")
        for group in clusters(hits)
    ]


def whole(text: str) -> str:
    hits = rules().scanner.find([text]).get(0, [])
    return apply(text, decide(text, hits))


def streamed(pieces: list[str]) -> str:
    guard = TextGuard(rules(), decide)
    text = "".join(pieces)
    out: list[str] = []
    place = 0
    steps = [step for piece in pieces for step in guard.feed(piece)] + guard.close()
    for size, replacement in steps:
        out.append(text[place : place + size] if replacement is None else replacement)
        place += size
    assert place == len(text), "every character is released exactly once"
    assert guard.held == 0
    return "".join(out)


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[low:high] for low, high in itertools.pairwise(marks)]


VALUES = [
    "bob@example.com",
    "Bob.O'Neil+x@mail.example.co.uk",
    "4111 1111 1111 1111",
    "4111111111111111",
    "4111 1111 1111 1111 536-90-4399",
    "536-90-4399",
    "+1 (955) 810-4406",
    "(555) 867-5309",
    "+44 20 7946 0958",
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "192.168.10.24",
    "1.2.3.4.5",
    "2001:db8:85a3::8a2e:370:7334",
    "AKIAQYLPMN5HFIQR7BIA",
    "ghp_" + "a" * 36,
    "sk-proj-" + "Ab3" * 16,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJlc2ln",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEabcdef0123456789\nabcd==\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEabcdef",
    "password = hunter2Xk9!pQz",
    "postgres://user:s3cr3tPa55@db.example.com/x",
    "<EMAIL_k7q2xd>",
    "<EMAIL_",
    "Project   Bluebird",
    "x00ff00ffy",
    "x" + "0" * 39,
    "v1.2.3, 2024-10-12 10:11:12, $1,299.00 (50%)",
    "the quick brown fox",
    "naïve café 東京 ☕ 🙂",
    "s",
    "A",
    "@",
    "-",
    " ",
    "\n",
    ".",
    "0",
    "5",
    "/",
]
MARKS = st.sampled_from(" .,:;-_@/()[]{}<>=\"'\n\t0159aAzZ")
TEXTS = st.lists(st.one_of(st.sampled_from(VALUES), st.text(max_size=6), MARKS), max_size=12).map(
    "".join
)


@pytest.mark.timeout(300)
@settings(max_examples=5000, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=12))
def test_cuts_do_not_matter(text: str, places: list[int]) -> None:
    assert streamed(cut(text, places)) == whole(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_one_character_at_a_time(text: str) -> None:
    assert streamed(list(text)) == whole(text)


@pytest.mark.parametrize("value", VALUES)
def test_every_value_at_every_cut(value: str) -> None:
    text = f"say {value} now"
    expected = whole(text)
    for place in range(len(text) + 1):
        assert streamed([text[:place], text[place:]]) == expected


def test_prose_is_not_held_back() -> None:
    guard = TextGuard(rules(), decide)
    for word in ["Hello ", "there, ", "this is ", "plain prose. "]:
        guard.feed(word)
        assert guard.held == 0


def test_only_the_possible_beginning_of_a_match_is_held() -> None:
    guard = TextGuard(rules(), decide)
    assert guard.feed("mail me at bob") == [(len("mail me at "), None)]
    assert guard.held == len("bob")
    assert guard.feed("by now") == [(len("bobby "), None)]


def test_policies_that_watch_for_the_same_share_an_automaton() -> None:
    again = StreamRules(Scanner(every_rule()))
    assert again.automaton is rules().automaton
    assert StreamRules(Scanner(every_rule()[:3])).automaton is not rules().automaton
