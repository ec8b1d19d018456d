"""Which identifiers a run of digits is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.compliance import numbers
from nexus_sdk.compliance.rules import Rule, built_in

CANDIDATE = re.compile(f"(?<![0-9])(?:{numbers.CANDIDATE})(?![0-9])", re.ASCII)
RULES = tuple(rule for rule in built_in("nexus/pii").rules if rule.digits)


def found(text: str, rules: tuple[Rule, ...] = RULES) -> list[tuple[str, str]]:
    """(rule, value) of all candidates in `text`."""
    return [
        (hit.rule.id, text[hit.start : hit.end])
        for match in CANDIDATE.finditer(text)
        for hit in numbers.resolve(text, *match.span(), rules)
    ]


def rule(
    rule_id: str, *digits: int, shape: str = "", validator: str = "", **fields: object
) -> Rule:
    return Rule(id=rule_id, digits=digits, shape=shape, validator=validator, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        (
            "4111 1111 1111 1111 536-90-4399",
            [("fin.card", "4111 1111 1111 1111"), ("pii.us.ssn", "536-90-4399")],
        ),
        (
            "536-90-4399 4111 1111 1111 1111",
            [("pii.us.ssn", "536-90-4399"), ("fin.card", "4111 1111 1111 1111")],
        ),
        (
            "+41 37 174 64 88 536-90-4399",
            [("pii.phone", "+41 37 174 64 88"), ("pii.us.ssn", "536-90-4399")],
        ),
        (
            "4111-1111-1111-1111 5500-0055-5555-5559",
            [("fin.card", "4111-1111-1111-1111"), ("fin.card", "5500-0055-5555-5559")],
        ),
        (
            "call (212) 736-4400\t10.20.30.40",
            [("pii.phone.nanp", "(212) 736-4400"), ("pii.ip.v4", "10.20.30.40")],
        ),
        ("10.20.30.40/24", [("pii.ip.v4", "10.20.30.40")]),
        ("10.20.30.40-10.20.30.50", [("pii.ip.v4", "10.20.30.40"), ("pii.ip.v4", "10.20.30.50")]),
        ("SSN: 916-45-6125", [("pii.us.ssn.labelled", "916-45-6125")]),
        ("SSN 536904399", [("pii.us.ssn.labelled", "536904399")]),
        ("phone 536-90-4399", [("pii.us.ssn", "536-90-4399")]),
        ("ip 8.8.8.8", [("pii.ip.v4.labelled", "8.8.8.8")]),
    ],
)
def test_what_is_found(text: str, hits: list[tuple[str, str]]) -> None:
    assert found(text) == hits


@pytest.mark.parametrize(
    "text",
    [
        "0.6511772622175621",  # passes Luhn, but is a fraction
        "part no. 423-19-5749",
        "version 10.12.13.14",
        "Chrome/120.0.60.99",
        "INS-509908516, an SSN is another thing",
        "10.20.30.40.50",
        "12-415-682-7719",
        "1536-90-4399",
        "x4111111111111111",
        "call 12 34 56 78 90 12 34 56 78",
        "2024-05-13 10:00",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_check_digit_wins_over_a_longer_number() -> None:
    rules = (rule("long", 20), rule("checked", 16, validator="card"))
    assert found("4111111111111111 2024", rules) == [("checked", "4111111111111111")]


def test_context_wins_over_a_longer_number() -> None:
    rules = (rule("long", 12), rule("named", 8, context=("case",), context_required=True))
    assert found("12345678 1234", rules) == [("long", "12345678 1234")]
    assert found("case 12345678 1234", rules) == [("named", "12345678")]


def test_the_longer_wins_then_the_leftmost() -> None:
    assert found("1234 5678", (rule("a", 4), rule("b", 8))) == [("b", "1234 5678")]
    assert found("1234-5678/9012", (rule("pair", 8, shape="[0-9]{4}.[0-9]{4}"),)) == [
        ("pair", "1234-5678")
    ]


def test_signs_belong_to_the_number_when_the_shape_says_so() -> None:
    assert found("+12345678", (rule("plus", 8, shape=r"\+[0-9]+"),)) == [("plus", "+12345678")]
    assert found("+12345678", (rule("bare", 8, shape=r"[0-9]+"),)) == [("bare", "12345678")]


@pytest.mark.parametrize(
    ("boundary", "text", "hit"),
    [
        ("word", "x12345678", False),
        ("word", "12345678_", False),
        ("digit", "x12345678y", True),
        ("none", "x12345678y", True),
        ("word", "(12345678)", True),
    ],
)
def test_boundaries(boundary: str, text: str, hit: bool) -> None:
    assert bool(found(text, (rule("n", 8, boundary=boundary),))) is hit


def test_words_before_a_candidate_go_for_all_of_its_numbers() -> None:
    rules = (rule("a", 8, context=("code",), context_required=True),)
    text = "code 12345678 87654321"
    assert numbers.resolve(text, 5, len(text), rules) == [
        numbers.Found(5, 13, rules[0]),
        numbers.Found(14, 22, rules[0]),
    ]


def test_no_number_rules_find_nothing() -> None:
    assert found("4111 1111 1111 1111", ()) == []


RUNS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "4111 1111 1111 1111",
                "536-90-4399",
                "+41 37 174 64 88",
                "(212) 736-4400",
                "10.20.30.40",
                "5",
            ]
        ),
        st.text("0123456789", min_size=1, max_size=17),
    ),
    min_size=1,
    max_size=8,
)
SEPARATORS = st.sampled_from([" ", "-", ".", "/", "\t", "  ", ") "])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "call ", "SSN ", "card "]),
    RUNS,
    st.lists(SEPARATORS, min_size=8, max_size=8),
    st.permutations(RULES),
)
def test_hits_do_not_overlap_and_do_not_depend_on_the_order_of_rules(
    before: str, runs: list[str], separators: list[str], shuffled: list[Rule]
) -> None:
    text = before + "".join(a + b for a, b in zip(runs, separators, strict=False))
    for match in CANDIDATE.finditer(text):
        hits = numbers.resolve(text, *match.span(), RULES)
        assert hits == numbers.resolve(text, *match.span(), tuple(shuffled))
        edges = [edge for hit in hits for edge in (hit.start, hit.end)]
        assert edges == sorted(edges)
        assert all(match.start() <= edge <= match.end() for edge in edges)
        for hit in hits:
            value = text[hit.start : hit.end]
            assert sum(map(str.isdigit, value)) in hit.rule.digits
            assert re.fullmatch(hit.rule.shape, value)


@given(st.text("0123456789 -./()+\t", max_size=700))
def test_candidates_are_no_longer_than_promised(text: str) -> None:
    assert all(len(match.group()) <= numbers.MAX_LENGTH for match in CANDIDATE.finditer(text))


def test_a_card_beside_every_other_number_is_found() -> None:
    """The trap: greedy reading of the digits would miss the card in most of these."""
    for other in (
        "7",
        "42",
        "2024",
        "536-90-4399",
        "10.20.30.40",
        "+1 652 341 5055",
        "123456789012",
    ):
        assert ("fin.card", "4111 1111 1111 1111") in found(f"{other} 4111 1111 1111 1111"), other
        assert ("fin.card", "4111 1111 1111 1111") in found(f"4111 1111 1111 1111 {other}"), other
