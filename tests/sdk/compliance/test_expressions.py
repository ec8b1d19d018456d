"""What is known of an expression is true of its matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus_sdk.compliance.expressions import MAX_LENGTH, examine
from nexus_sdk.compliance.rules import BUILT_IN, Rule, built_in

FLAGS = re.ASCII | re.DOTALL
EXPRESSED = [rule for name in BUILT_IN for rule in built_in(name).rules if rule.expression]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (r"a(?=b)", "lookaround"),
        (r"(?<!a)b", "lookaround"),
        (r"\bkey", "anchors"),
        (r"^key$", "anchors"),
        (r"(a)\1", "backreferences"),
        (r"(a)?(?(1)b|c)", "backreferences"),
        (r"a+?b", "lazy"),
        (r"a++b", "possessive"),
        (r"(?>a+)b", "atomic"),
        (r"(a)(b)", "more than one capture group"),
        (r"(?i)key", "flags"),
        (r"(?i:key)x", "flags"),
        (r"a*", "empty string"),
        (r"(a", "does not compile"),
        (r"a{1001}", "more than 1000 times"),
        (r"(?:a+b)+c", "repetition without a bound inside of repetition"),
        (r"(?:a{0,200}b){0,200}c", "multiply"),
        (r"[äö]x", "beyond ASCII"),
        (r"[\u0100-\u0200]x", "beyond ASCII"),
        (r"[^é]x", "beyond ASCII"),
        (r"\xe9x", "escapes beyond ASCII"),
        (r"\u00e9x", "escapes beyond ASCII"),
        (r"é{2}x", "repeats a character beyond ASCII"),
        ("a" * (MAX_LENGTH + 1), "at most 2000"),
    ],
)
def test_what_a_rule_may_not_use(expression: str, problem: str) -> None:
    assert any(problem in found for found in examine(expression).problems), examine(expression)


@pytest.mark.parametrize(
    "expression",
    [
        r"key=([a-z]{3,9})",
        r"[^\s@]{1,64}@x",
        r"(?:ab|cd)+e",
        r"a.c",
        r"(?:П|п)(?:Р|р)",
        r"\d\w\s\D\W\S",
        r"[\]\x7f]é",
        r"(?:[a-z]{1,63}\.){1,8}com",
        r"-----BEGIN(?:[a-z]|-[a-z])*",
    ],
)
def test_what_a_rule_may_use(expression: str) -> None:
    assert examine(expression).problems == ()


@pytest.mark.parametrize(
    ("expression", "literals", "longest"),
    [
        (r"AKIA[A-Z]{16}", ("akia",), 20),
        (r"gh[op]_[a-z]{3}", ("gho_", "ghp_"), 7),
        (r"api[_-]?key", ("api-key", "api_key", "apikey"), 7),
        (r"[sr]k_(?:live|test)x+", ("rk_live", "rk_test", "sk_live", "sk_test"), None),
        (r"[a-z]{3}\.office\.com", (".office.com",), 14),
        (r"(?:abc|d[0-9]ef)x", ("abc", "ef"), 5),
        (r"[a-z]{4}", (), 4),
        (r"a?b?cd", ("cd",), 4),
        (r"(?:ab){3}[0-9]", ("ababab",), 7),
        (r"(?:abc|[0-9])x", ("x",), 4),
        (r"Σx[0-9]yz", ("yz",), 5),
    ],
)
def test_facts(expression: str, literals: tuple[str, ...], longest: int | None) -> None:
    facts = examine(expression)
    assert facts.problems == ()
    assert facts.literals == literals
    assert facts.max_length == longest


@pytest.mark.parametrize("rule", EXPRESSED, ids=lambda rule: rule.id)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_facts_hold_for_every_match_of_the_built_in_rules(rule: Rule, data: st.DataObject) -> None:
    flags = FLAGS | (re.IGNORECASE if rule.ignore_case else 0)
    match = data.draw(st.from_regex(re.compile(rule.expression, flags), fullmatch=True))
    lower = match.lower()
    assert not rule.literals or any(literal in lower for literal in rule.literals)
    assert rule.max_length is None or len(match) <= rule.max_length


PARTS = st.recursive(
    st.sampled_from(["a", "bc", "Key", "[0-9]", "[xy]", r"\s", "-"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.tuples(inner, st.sampled_from(["?", "{2}", "{1,3}", "+", "*"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(expression=PARTS, data=st.data())
def test_facts_hold_for_every_match_of_any_expression(expression: str, data: st.DataObject) -> None:
    facts = examine(expression)
    if facts.problems:
        return
    match = data.draw(st.from_regex(re.compile(expression, FLAGS | re.IGNORECASE), fullmatch=True))
    assert not facts.literals or any(literal in match.lower() for literal in facts.literals)
    assert facts.max_length is None or len(match) <= facts.max_length
