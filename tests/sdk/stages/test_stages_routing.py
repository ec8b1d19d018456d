"""Names, compilation, whole plans and their explanation; `test_stages_tree.py` has the
strategies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_sdk.errors import BadPolicy, NotAllowed, NotFound
from nexus_sdk.model import Caller, Target
from nexus_sdk.policy.document import Routing
from nexus_sdk.stages import routing
from nexus_sdk.stages.routes import MAX_DEPTH, Routes, compile_routes
from nexus_sdk.stages.routing import NeedsChoice, Plan
from nexus_sdk.stages.selectors import Ask

PROVIDERS = {
    "a": ["openai_chat", "openai_responses"],
    "b": ["anthropic"],
    "c": ["openai_chat"],
    "d": [],
}
NODE = dict[str, Any] | str


def compiled(node: NODE, **others: Any) -> Routes:
    return compile_routes(Routing.model_validate({"models": {"m": node}, **others}), PROVIDERS)


def planned(
    node: NODE, ask: Ask | None = None, answers: dict[str, str | None] | None = None
) -> Plan:
    plan = routing.plan(compiled(node), ask or Ask("m"), answers or {})
    assert isinstance(plan, Plan)
    return plan


def names(plan: Plan) -> list[str]:
    return [f"{step.target.provider}/{step.target.model}" for step in plan.steps]


def of(user: str, **more: Any) -> Ask:
    return Ask("m", caller=Caller(user=user), **more)


AB = {"ab_split": {"old": {"to": "a/x", "weight": 3}, "new": {"to": {"fallback": ["b/y", "b/z"]}}}}
SMART = {
    "smart": {
        "code": {"about": "programming", "to": "a/coder"},
        "chat": {"about": "small talk", "to": "b/small"},
    },
    "router": "c/router",
    "otherwise": "a/default",
}
PATH = "routing.models.m"


# ---- names


def plain(**others: Any) -> Routes:
    return compile_routes(Routing.model_validate(others), PROVIDERS)


def test_provider_and_model_may_be_named_outright() -> None:
    plan = routing.plan(plain(), Ask("b/claude-x", dialect="openai_chat"))
    assert isinstance(plan, Plan)
    assert plan.steps[0].target == Target("b", "claude-x")


@pytest.mark.parametrize(
    ("ask", "target"),
    [
        (Ask("gpt", dialect="openai_chat"), Target("a", "gpt")),
        (Ask("gpt", dialect="anthropic"), Target("b", "gpt")),
        (Ask("gpt", dialect="anthropic", origin="@own"), Target("@own", "gpt")),
        (Ask("meta/llama", dialect="openai_chat"), Target("a", "meta/llama")),
        (Ask("b/", dialect="openai_chat"), Target("a", "b/")),
    ],
)
def test_an_unlisted_name_goes_to_who_speaks_the_callers_dialect(ask: Ask, target: Target) -> None:
    plan = routing.plan(plain(), ask)
    assert isinstance(plan, Plan)
    assert [step.target for step in plan.steps] == [target]


def test_a_listed_name_wins_over_the_form_provider_slash_model() -> None:
    routes = compile_routes(Routing.model_validate({"models": {"a/x": "b/y"}}), PROVIDERS)
    plan = routing.plan(routes, Ask("a/x"))
    assert isinstance(plan, Plan)
    assert names(plan) == ["b/y"]


def test_refuse_refuses_every_name_that_is_not_listed() -> None:
    routes = compiled("a/x", unlisted="refuse")
    for model in ("other", "a/x", "b/claude"):
        with pytest.raises(NotFound, match="known: 'm'"):
            routing.plan(routes, Ask(model, origin="@own", dialect="openai_chat"))


def test_nobody_speaking_the_dialect_is_not_found() -> None:
    with pytest.raises(NotFound, match="no provider of the policy speaks gemini"):
        routing.plan(plain(), Ask("gpt", dialect="gemini"))


def test_the_refusal_lists_ten_names_the_closest_first() -> None:
    models = {f"model-{i:02}": "a/x" for i in range(30)} | {"fast": "a/x"}
    routes = compile_routes(
        Routing.model_validate({"models": models, "unlisted": "refuse"}), PROVIDERS
    )
    with pytest.raises(NotFound) as caught:
        routing.plan(routes, Ask("fsat" + "x" * 3))
    message = caught.value.message
    assert message.count("'model-") <= 10
    assert "and 21 more" in message
    with pytest.raises(NotFound, match="known: 'fast'"):
        routing.plan(routes, Ask("fats"))


# ---- compiling


def deep(levels: int) -> NODE:
    node: NODE = "a/x"
    for _ in range(levels - 1):
        node = {"fallback": [node]}
    return node


def test_ten_nodes_deep_is_allowed_and_eleven_are_not() -> None:
    assert names(planned(deep(MAX_DEPTH))) == ["a/x"]
    with pytest.raises(BadPolicy, match="deeper than 10"):
        compiled(deep(MAX_DEPTH + 1))


def test_every_problem_is_named_with_its_place() -> None:
    node = {
        "fallback": [
            "nobody/x",
            {**SMART, "router": "noone/r"},
            {"loadbalance": [{"to": "a/x"}], "sticky_by": "model"},
        ]
    }
    with pytest.raises(BadPolicy) as caught:
        compiled(node)
    first, second, third = caught.value.problems
    assert first.startswith("routing.models.m.fallback.0: 'nobody/x' names no provider")
    assert "known: a, b, c, d" in first
    assert second.startswith("routing.models.m.fallback.1: 'noone/r'")
    assert third.startswith("routing.models.m.fallback.2: sticky_by 'model'")


STRATEGIES = {"fallback", "loadbalance", "ab_split", "conditional", "policy", "smart"}
LEAF = st.sampled_from(["a/1", "b/2", "c/3", "d/4"])


def _nodes(children: st.SearchStrategy[NODE]) -> st.SearchStrategy[NODE]:
    weighted = st.builds(
        lambda to, weight: {"to": to, "weight": weight}, children, st.integers(1, 9)
    )
    when = st.sampled_from([{"stream": True}, {"stream": False}, {"user": ["a*"]}, {}])
    case = st.builds(lambda when, then: {"when": when, "then": then}, when, children)
    narrow = st.sampled_from([{}, {"deny_providers": ["d"]}, {"deny_models": ["1"]}])
    return st.one_of(
        st.builds(lambda nodes: {"fallback": nodes}, st.lists(children, min_size=1, max_size=3)),
        st.builds(
            lambda arms: {"loadbalance": arms, "sticky_by": "user"},
            st.lists(weighted, min_size=1, max_size=3),
        ),
        st.builds(lambda x, y: {"ab_split": {"x": x, "y": y}}, weighted, weighted),
        st.builds(
            lambda cases, last: {"conditional": cases, "otherwise": last},
            st.lists(case, min_size=1, max_size=2),
            children,
        ),
        st.builds(lambda narrow, then: {"policy": narrow, "then": then}, narrow, children),
        st.builds(
            lambda x, last: {
                "smart": {"x": {"about": "x", "to": x}},
                "router": "a/r",
                "otherwise": last,
            },
            children,
            children,
        ),
    )


def _depth(value: object) -> int:
    """Routing nodes from here down: targets, and maps with the field of a strategy."""
    if isinstance(value, str):
        return value in ("a/1", "b/2", "c/3", "d/4")
    children = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    strategy = isinstance(value, dict) and not STRATEGIES.isdisjoint(value)
    return strategy + max(map(_depth, children), default=0)


@settings(max_examples=200)
@given(
    node=st.recursive(LEAF, _nodes, max_leaves=12),
    user=st.sampled_from(["", "ann", "bob"]),
    stream=st.booleans(),
)
def test_every_composition_gives_a_plan_that_only_moves_forward(
    node: NODE, user: str, stream: bool
) -> None:
    if _depth(node) > MAX_DEPTH:
        with pytest.raises(BadPolicy, match="deeper"):
            compiled(node)
        return
    routes = compiled(node)
    ask, answers = of(user, stream=stream, draw=0.3), dict[str, str | None]()
    try:
        plan = routing.plan(routes, ask, answers)
        while isinstance(plan, NeedsChoice):
            assert plan.node.path not in answers
            answers[plan.node.path] = "x"
            plan = routing.plan(routes, ask, answers)
    except NotAllowed:
        assert routing.explain(routes, ask, answers)[-1].startswith("refused: ")
        return
    assert routing.plan(routes, ask, answers) == plan
    for index in range(len(plan.steps)):
        onward = plan.moves_on(index, "5xx")
        assert onward is None or index < onward < len(plan.steps)
    assert routing.explain(routes, ask, answers)[-1].startswith(f"  {len(plan.steps)}. ")


# ---- explain


def test_explain_tells_every_decision() -> None:
    node = {
        "conditional": [
            {"when": {"user": ["bob"]}, "then": "c/z"},
            {"when": {"stream": True}, "then": {"fallback": ["a/x", "b/y"], "on": ["429", "5xx"]}},
        ],
    }
    assert routing.explain(compiled(node), of("alice", stream=True)) == [
        "routing.models.m",
        "  conditional",
        "  case 1 does not hold: user is one of bob",
        "  case 2 holds",
        "    fallback on 429, 5xx",
        "      a/x",
        "      b/y",
        "targets in order:",
        "  1. a/x (routing.models.m.conditional.1.fallback.0); 429/5xx: to 2",
        "  2. b/y (routing.models.m.conditional.1.fallback.1)",
    ]
    assert routing.explain(compiled(node), of("alice"))[-1].startswith(
        "refused: model 'm' has no target"
    )


def test_explain_tells_what_was_taken_away_and_which_arm() -> None:
    lines = routing.explain(
        compiled({"policy": {"deny_providers": ["a", "b"]}, "then": {"fallback": [AB, "c/z"]}}),
        of("u"),
    )
    assert any(line.strip().startswith("ab_split by user: arm ") for line in lines)
    assert any("nothing: " in line and "denies provider" in line for line in lines)


def test_explain_of_a_name_in_no_route() -> None:
    assert (
        routing.explain(plain(), Ask("x", dialect="anthropic"))[-1] == "  1. b/x (routing.unlisted)"
    )
    assert routing.explain(plain(unlisted="refuse"), Ask("x"))[0].startswith(
        "refused: model 'x' is in no route"
    )
