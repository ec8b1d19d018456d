"""What changed between two policies is told in plain words, and no secret is."""

from __future__ import annotations

from typing import Any

import pytest

from nexus_sdk.policy.defaults import COMPLIANCE
from nexus_sdk.policy.diff import ABSENT, diff, render
from nexus_sdk.policy.document import Policy

A = {"name": "a", "unit": "usd", "max": 1, "window": "day"}
B = A | {"name": "b"}
OPENAI = {"kind": "openai", "api_key": "sk-canary-old"}


def lines(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    changes = diff(Policy.model_validate(before), Policy.model_validate(after))
    return [str(change) for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, []),
        ({"name": "x"}, {"name": "y"}, ['name: "x" → "y"']),
        ({"include": ["a"]}, {}, []),
        ({"limits": [A, B]}, {"limits": [B, A]}, []),
        (
            {"limits": [A, B]},
            {"limits": [B | {"max": 2}]},
            ["limits.a: removed", "limits.b.max: 1 → 2"],
        ),
        ({"limits": [A]}, {"limits": [A, B]}, ["limits.b: added"]),
        ({}, {"limits": [A]}, ["limits.a: added"]),
        (
            {"providers": {"o": OPENAI}},
            {"providers": {"o": OPENAI | {"api_key": "sk-canary-new"}}},
            ["providers.o.api_key: changed (secret)"],
        ),
        (
            {"providers": {"o": OPENAI}},
            {"providers": {"o": {"kind": "openai"}}},
            ["providers.o.api_key: (secret) → null"],
        ),
        ({"providers": {"o": OPENAI}}, {}, ["providers.o: removed"]),
        (
            {"providers": {"o": OPENAI}},
            {"providers": {"o": OPENAI | {"headers": {"x": "sk-canary"}}}},
            ["providers.o.headers.x: added: (secret)"],
        ),
        (
            {"admission": {"deny_addresses": ["10.0.0.0/8"]}},
            {"admission": {"deny_addresses": ["10.0.0.0/8", "::1"]}},
            ['admission.deny_addresses: ["10.0.0.0/8"] → ["10.0.0.0/8", "::1"]'],
        ),
        ({}, {"compliance": COMPLIANCE.model_dump()}, ["compliance: null → {...}"]),
        ({"name": "x"}, {"name": "y" * 80}, [f'name: "x" → "{"y" * 59}…']),
        (
            {"routing": {"models": {"m": "o/a"}}},
            {"routing": {"models": {"m": {"loadbalance": [{"to": "o/a"}]}}}},
            [
                'routing.models.m.single: removed: "o/a"',
                "routing.models.m.loadbalance: added: [...]",
                "routing.models.m.sticky_by: added: null",
            ],
        ),
        (
            {"routing": {"models": {"m": {"fallback": ["o/a"]}}}},
            {"routing": {"models": {"m": {"fallback": ["o/b", "o/a"]}}}},
            [
                'routing.models.m.fallback.0.single: "o/a" → "o/b"',
                "routing.models.m.fallback.1: added",
            ],
        ),
    ],
)
def test_a_change_is_one_line(
    before: dict[str, Any], after: dict[str, Any], told: list[str]
) -> None:
    assert lines(before, after) == told
    assert "canary" not in repr(diff(Policy.model_validate(before), Policy.model_validate(after)))


def test_changes_can_be_read_by_programs() -> None:
    (change,) = diff(Policy(), Policy.model_validate({"limits": [A]}))
    assert (change.path, change.before) == ("limits.a", ABSENT)
    assert change.after["max"] == 1


def test_rendering_says_so_when_nothing_changed() -> None:
    assert render([]) == "no change"
    changes = diff(Policy(), Policy.model_validate({"name": "x", "organisation": "y"}))
    assert render(changes) == 'name: "" → "x"\norganisation: "" → "y"'
