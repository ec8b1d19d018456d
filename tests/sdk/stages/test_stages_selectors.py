from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.model import Caller, Target
from nexus_sdk.policy.document import When
from nexus_sdk.stages.selectors import AXES, Ask, Names, compile_when, specificity

WORD = st.text(alphabet="ab*", max_size=8)


@given(patterns=st.lists(WORD, max_size=3), name=st.text(alphabet="ab", max_size=8))
def test_names_match_as_the_regular_expression_of_their_pattern(
    patterns: list[str], name: str
) -> None:
    expressions = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]
    assert (name in Names(patterns)) is any(re.fullmatch(e, name, re.DOTALL) for e in expressions)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a*b*c", "axbxc", True),
        ("a*b*c", "axxc", False),
        ("a*b*c", "abc", True),
        ("a*ba*a", "aba", False),
        ("*bb*", "abab", False),
        ("ab*ba", "aba", False),
        ("gpt-4.1", "gpt-4x1", False),
        ("a+*", "aa", False),
    ],
)
def test_names_match_from_end_to_end(pattern: str, name: str, fits: bool) -> None:
    assert (name in Names([pattern])) is fits


def test_a_hostile_name_costs_no_time() -> None:
    """A regular expression would try every way to share the letters out."""
    assert "a" * 50_000 not in Names(["*a" * 40 + "*b*"])


def test_an_exact_name_is_more_particular_than_any_glob() -> None:
    ranked = sorted(["*", "gpt-*", "gpt-4o-mini*", "gpt"], key=specificity, reverse=True)
    assert ranked == ["gpt", "gpt-4o-mini*", "gpt-*", "*"]


CALLER = Caller(
    key_id="k1", user="alice", project="p", organisation="acme", tags={"team": "search"}
)
ASK = Ask("gpt", endpoint="chat", stream=True, tools=False, input_tokens=100, caller=CALLER)


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"model": ["gpt"]}, True),
        ({"model": ["other", "g*"]}, True),
        ({"model": []}, False),
        ({"model": ["GPT"]}, False),
        ({"user": ["alice"]}, True),
        ({"user": ["bob"]}, False),
        ({"key": ["k*"]}, True),
        ({"key": ["x*"]}, False),
        ({"project": ["p"]}, True),
        ({"project": ["q"]}, False),
        ({"organisation": ["acme"]}, True),
        ({"organisation": ["other"]}, False),
        ({"tags": {"team": "se*"}}, True),
        ({"tags": {"team": "search", "stage": "*"}}, False),
        ({"endpoint": ["chat"]}, True),
        ({"endpoint": ["embeddings"]}, False),
        ({"stream": True}, True),
        ({"stream": False}, False),
        ({"tools": False}, True),
        ({"tools": True}, False),
        ({"min_input_tokens": 100}, True),
        ({"min_input_tokens": 101}, False),
        ({"max_input_tokens": 100}, True),
        ({"max_input_tokens": 99}, False),
        ({"model": ["gpt"], "user": ["bob"]}, False),
    ],
)
def test_a_condition_holds_when_all_its_parts_do(when: dict[str, object], holds: bool) -> None:
    condition = compile_when(When.model_validate(when))
    assert condition.holds(ASK) is holds
    assert (condition.why_not(ASK) == "") is holds


def test_every_field_of_when_is_compiled() -> None:
    """A field that the document knows and the compiler does not would be a condition that always
    holds."""
    given_all = {
        name: {"t": "v"}
        if name == "tags"
        else 1
        if "tokens" in name
        else True
        if name in ("stream", "tools")
        else ["x"]
        for name in When.model_fields
    }
    assert len(compile_when(When.model_validate(given_all)).parts) == len(When.model_fields)


def test_no_condition_holds_always() -> None:
    assert compile_when(None).holds(ASK)


def test_axes_read_the_caller_and_the_target() -> None:
    target = Target("openai", "gpt-4o")
    assert {axis: read(CALLER, target) for axis, read in AXES.items()} == {
        "key": "k1",
        "user": "alice",
        "project": "p",
        "organisation": "acme",
        "provider": "openai",
        "model": "gpt-4o",
    }
    assert {read(Caller(), None) for read in AXES.values()} == {""}
