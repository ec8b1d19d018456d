"""Words before a value."""

from __future__ import annotations

import pytest

from nexus_sdk.compliance.context import CONTEXT_CHARS, in_context
from nexus_sdk.compliance.rules import Rule

RULE = Rule(id="x", context=("tel", "phone", "social security", "ip", "tél", "电话"))


@pytest.mark.parametrize(
    "before",
    [
        "tel ",
        "Tel.: ",
        "phone=",
        "userphone ",
        "PHONES ",
        "social security no ",
        "client_ip: ",
        "serverIp ",
        "tél ",
        "请打电话",
    ],
)
def test_words_that_say_it(before: str) -> None:
    assert in_context(RULE, before + "1", len(before))


@pytest.mark.parametrize(
    "before", ["", "hotel ", "recipe ", "social securities", "intel", "ip" + " " * CONTEXT_CHARS]
)
def test_words_that_do_not(before: str) -> None:
    assert not in_context(RULE, before + "1", len(before))


def test_words_after_do_not_count() -> None:
    assert not in_context(RULE, "1 tel", 0)


def test_a_rule_without_words_is_never_in_context() -> None:
    assert not in_context(Rule(id="x"), "tel 1", 4)
