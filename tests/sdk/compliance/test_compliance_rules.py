"""Reading rules and packs: what is refused, and with which words."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.compliance.rules import built_in, load_pack, rule_from_expression, rule_from_words
from nexus_sdk.errors import BadPolicy

HEAD = "name: acme/own\nversion: '1'\nrules:\n"
GOOD = HEAD + "  - {id: a.b, expression: 'key-[0-9]{4}', examples: [key-1234]}\n"


def problems(text: str, *, examples_required: bool = False) -> tuple[str, ...]:
    with pytest.raises(BadPolicy) as caught:
        load_pack(text, "own.yaml", examples_required=examples_required)
    return caught.value.problems


def rule_text(fields: str) -> str:
    return HEAD + f"  - {{{fields}}}\n"


def test_a_pack_is_read() -> None:
    pack = load_pack(
        """
name: acme/own
version: '2.1'
maintainer: Security
description: Ours
licence: Apache-2.0
defaults: {category: internal, severity: hard, label: TICKET}
rules:
  - id: acme.ticket
    description: A ticket
    source: wiki
    expression: 'TCK-([0-9]{6})'
    ignore_case: true
    boundary: digit
    entropy: 1
    context: [ticket]
    context_required: true
    examples: ['ticket TCK-123456', [TCK-, '654321']]
    counterexamples: [TCK-1]
  - {id: acme.badge, digits: [8, 9], shape: '[0-9]+', severity: warn, examples: ['1']}
""",
        "own.yaml",
        examples_required=True,
    )
    assert (pack.name, pack.version, pack.maintainer, pack.licence) == (
        "acme/own", "2.1", "Security", "Apache-2.0",
    )  # fmt: skip
    ticket, badge = pack.rules
    assert (ticket.pack, ticket.category, ticket.severity, ticket.label) == (
        "acme/own", "internal", "hard", "TICKET",
    )  # fmt: skip
    assert (ticket.ignore_case, ticket.boundary, ticket.entropy) == (True, "digit", 1.0)
    assert (ticket.context, ticket.context_required) == (("ticket",), True)
    assert ticket.examples == ("ticket TCK-123456", "TCK-654321")
    assert (ticket.literals, ticket.max_length) == (("tck-",), 10)
    assert (badge.severity, badge.digits, badge.shape, badge.max_length) == (
        "warn",
        (8, 9),
        "[0-9]+",
        27,
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("id: a.b, expression: 'x', colour: red", "rule a.b: colour: unknown field"),
        ("id: a.b, expression: 'x', literals: [x]", "rule a.b: literals: unknown field"),
        ("expression: 'x'", "rule 1: id: missing"),
        ("id: A b, expression: 'x'", "rule A b: id: up to 64"),
        ("id: a.b", "rule a.b: expression: needed"),
        ("id: a.b, expression: '(?=x)y'", "rule a.b: expression: lookaround is not allowed"),
        ("id: a.b, expression: 'x*'", "rule a.b: expression: matches the empty string"),
        ("id: a.b, expression: '('", "rule a.b: expression: does not compile"),
        ("id: a.b, expression: 7", "rule a.b: expression: a string is needed"),
        ("id: a.b, expression: 'x', severity: mild", "severity: one of hard, soft, warn"),
        ("id: a.b, expression: 'x', boundary: line", "boundary: one of word, digit, none"),
        ("id: a.b, expression: 'x', validator: verhoef", "rule a.b: validator: one of aws_access"),
        ("id: a.b, expression: 'x', label: e-mail", "rule a.b: label: up to 40 of A-Z"),
        ("id: a.b, expression: 'x', entropy: 9", "rule a.b: entropy: 0 to 8"),
        ("id: a.b, expression: 'x', entropy: high", "rule a.b: entropy: a number is needed"),
        ("id: a.b, expression: 'x', ignore_case: 1", "ignore_case: true or false is needed"),
        ("id: a.b, expression: 'x', context: word", "rule a.b: context: a list of strings"),
        ("id: a.b, expression: 'x', context: [Word]", "rule a.b: context: lower case is needed"),
        ("id: a.b, expression: 'x', context_required: true", "rule a.b: context: needed with"),
        ("id: a.b, expression: 'x', shape: 'y'", "rule a.b: shape: only a number rule"),
        ("id: a.b, expression: 'x', digits: [4]", "rule a.b: expression: a number rule"),
        ("id: a.b, digits: [four]", "rule a.b: digits: a list of numbers"),
        ("id: a.b, digits: [4], shape: '(?=1)1'", "rule a.b: shape: lookaround"),
        ("id: a.b, expression: 'x', examples: [[1]]", "rule a.b: examples: a list of strings"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(fields: str, problem: str) -> None:
    (found,) = problems(rule_text(fields))
    assert found.startswith("own.yaml: rule ")
    assert problem in found


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        "name: x\ntint: 1\nrules:\n  - {id: a, expression: '^x$'}\n"
        "  - {id: a, expression: 'a(?!b)', size: 1}\n  - 7\n"
    )
    assert found == (
        "own.yaml: tint: unknown field",
        "own.yaml: version: missing",
        "own.yaml: rule a: expression: anchors and \\b are not allowed: say it with `boundary`",
        "own.yaml: rule a: size: unknown field",
        (
            "own.yaml: rule a: expression: lookaround is not allowed: say it with `boundary`, "
            "`validator` or `context`"
        ),
        "own.yaml: rule 3: a mapping is needed",
        "own.yaml: rule a: id: used twice",
    )


@pytest.mark.parametrize(
    "text", ["", "- 1", "name: [", "name: x\nversion: 1\n", GOOD.replace("rules", "rule")]
)
def test_what_is_no_pack(text: str) -> None:
    assert all(found.startswith("own.yaml: ") for found in problems(text))


def test_examples_are_required_of_built_in_packs_only() -> None:
    text = HEAD + "  - {id: a.b, expression: x}\n"
    assert load_pack(text, "own.yaml").rules[0].examples == ()
    assert problems(text, examples_required=True) == ("own.yaml: rule a.b: examples: missing",)


@given(st.text(max_size=200))
def test_any_text_is_a_pack_or_refused(text: str) -> None:
    with contextlib.suppress(BadPolicy):
        load_pack(text, "own.yaml")


def test_built_in_packs_are_read_once() -> None:
    assert built_in("nexus/pii") is built_in("nexus/pii")


def test_other_packs_are_not_built_in() -> None:
    with pytest.raises(BadPolicy, match="'nexus/none' is not built in; known: nexus/pii"):
        built_in("nexus/none")


def test_a_rule_of_the_policy() -> None:
    made = rule_from_expression(
        "acme.project-x9", "PX-[0-9]{4}", severity="hard", boundary="none", category="internal"
    )
    assert (made.pack, made.label, made.severity, made.boundary, made.category) == (
        "own", "ACME_PROJECT_X", "hard", "none", "internal",
    )  # fmt: skip
    assert made.literals == ("px-",)


@pytest.mark.parametrize("expression", ["a" * 2001, "a{2000}", "(?:a+)+b", "x|", "(?P<a>x)(y)"])
def test_a_rule_of_the_policy_is_bounded(expression: str) -> None:
    with pytest.raises(BadPolicy) as caught:
        rule_from_expression("a.b", expression, where="nexus.yaml")
    assert all(
        found.startswith("nexus.yaml: rule a.b: expression: ") for found in caught.value.problems
    )


def matches(words: list[str], text: str, *, ignore_case: bool = True) -> bool:
    made = rule_from_words("a.b", words, ignore_case=ignore_case)
    flags = re.ASCII | re.DOTALL | (re.IGNORECASE if made.ignore_case else 0)
    return re.search(made.expression, text, flags) is not None


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("project bluebird", "the Project \n BLUEBIRD plan"),
        ("c++ (old)", "in C++ (OLD)"),
        ("синица", "проект СИНИЦА"),
        ("straße", "STRASSE"),
        ("東京", "東京都"),
    ],
)
def test_words_and_phrases(word: str, text: str) -> None:
    assert matches([word, "other"], text)


def test_words_in_their_own_case() -> None:
    assert matches(["Bluebird"], "Bluebird", ignore_case=False)
    assert not matches(["Bluebird"], "bluebird", ignore_case=False)
    assert not matches(["Синица"], "синица", ignore_case=False)


@given(st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=4))
def test_every_word_matches_itself(words: list[str]) -> None:
    for word in words:
        assert matches(words, " ".join(word.split()))


@pytest.mark.parametrize("words", [[], [""], ["a", "  "], ["x" * 2001]])
def test_words_that_are_none(words: list[str]) -> None:
    with pytest.raises(BadPolicy, match=r"nexus\.yaml: rule a\.b: "):
        rule_from_words("a.b", words, where="nexus.yaml")


def test_literals_of_words_are_found_in_lower_case() -> None:
    made = rule_from_words("a.b", ["Синица", "Blue bird"])
    assert made.literals
    for text in ("СИНИЦА", "blue  BIRD"):
        assert any(literal in text.lower() for literal in made.literals)
