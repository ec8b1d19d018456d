"""Whatever is given as a policy: it loads, or it is a BadPolicy that shows no secret."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy.document import NODE_KINDS, Part, Policy
from nexus_sdk.policy.load import load_policy

CANARY = "cAnArY"
ENVIRONMENT = {"SECRET": CANARY, "NUMBER": "17", "EMPTY": ""}


def _names(part: type[Part]) -> set[str]:
    return set(part.model_fields)


def _all_names() -> list[str]:
    names = set[str]().union(*(_names(part) for part in Part.__subclasses__()))
    return sorted(names - {"include"})


WORDS = (
    *("", "*", "openai/x", "openai", "o/x", "a", "${SECRET}", "${NUMBER}", "${NONE}", "${A:-b}"),
    *("${", "$${", "nexus/pii", "./x.yaml", "(", "usd", "day", "redact", "key", "x" * 300),
    *("2026-01-31T18:00:00Z", "0.0.0.0/0", "http://[::1", "https://x/", f"sk-{CANARY}" * 9),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
NAMES = st.sampled_from([*_all_names(), *NODE_KINDS]) | st.text(max_size=5)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
POLICIES = st.dictionaries(st.sampled_from(sorted(_names(Policy) - {"include"})), DOCUMENTS)


def loads_or_is_bad(source: Any) -> None:
    problems: tuple[str, ...] = ("none",)
    try:
        load_policy(source, environ_lookup=ENVIRONMENT.get)
    except BadPolicy as err:
        problems = err.problems
    assert problems
    assert not any(CANARY in problem for problem in problems)


@settings(max_examples=300, deadline=None)
@given(POLICIES | DOCUMENTS)
def test_values(document: Any) -> None:
    loads_or_is_bad(document if isinstance(document, dict) else {"limits": document})


@settings(max_examples=200, deadline=None)
@given(POLICIES)
def test_json(document: dict[str, Any]) -> None:
    loads_or_is_bad(json.dumps(document, indent=1))


PIECES = st.sampled_from(
    (
        *("limits", "routing", "models", "name", ": ", ":\n", "\n", "  ", "    ", "- ", "a", "1"),
        *("&a ", "*a", "<<", "{", "}", "[", "]", ",", "'", '"', "|\n", "!!str ", "%", "---\n"),
        *("...\n", "? ", "${SECRET}", "null", "#", "\t", "\x00", "\ufeff", "\u2028", "\ud800", "é"),
    )
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_yaml(text: str) -> None:
    loads_or_is_bad(text + "\n")
