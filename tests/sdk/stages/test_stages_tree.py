"""What each strategy does, alone and in another."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from nexus_sdk.errors import NotAllowed
from nexus_sdk.model import Caller, Target
from nexus_sdk.policy.document import Routing
from nexus_sdk.stages import routing
from nexus_sdk.stages.routes import Routes, compile_routes
from nexus_sdk.stages.routing import NeedsChoice, Plan
from nexus_sdk.stages.selectors import Ask, Health

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


# ---- the strategies


def test_single_is_one_target() -> None:
    plan = planned("a/gpt-4o")
    assert names(plan) == ["a/gpt-4o"]
    assert plan.steps[0].rule == "routing.models.m"
    assert plan.moves_on(0, "5xx") is None


def test_the_model_may_hold_slashes() -> None:
    assert planned("c/meta/llama-4").steps[0].target == Target("c", "meta/llama-4")


def test_fallback_goes_on_in_order_on_every_retryable_fault() -> None:
    plan = planned({"fallback": ["a/x", "b/y", "c/z"]})
    assert names(plan) == ["a/x", "b/y", "c/z"]
    for fault in ("network", "timeout", "429", "5xx", "401", "403", "404"):
        assert [plan.moves_on(i, fault) for i in range(3)] == [1, 2, None]


def test_fallback_on_narrows_the_faults() -> None:
    plan = planned({"fallback": ["a/x", "b/y"], "on": ["429"]})
    assert plan.moves_on(0, "429") == 1
    assert plan.moves_on(0, "5xx") is None


def test_a_nested_fallback_hands_what_it_does_not_move_on_to_the_outer_one() -> None:
    inner = {"fallback": ["a/1", "a/2", "a/3"], "on": ["429"]}
    plan = planned({"fallback": [inner, {"fallback": ["b/1", "b/2"], "on": ["5xx"]}, "c/1"]})
    assert names(plan) == ["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"]
    assert [plan.moves_on(i, "429") for i in range(6)] == [1, 2, 3, 5, 5, None]
    assert [plan.moves_on(i, "5xx") for i in range(6)] == [3, 3, 3, 4, 5, None]


def test_loadbalance_by_draw_has_the_weights_and_the_others_behind() -> None:
    node = {"loadbalance": [{"to": "a/x", "weight": 7}, {"to": "b/y", "weight": 2}, {"to": "c/z"}]}
    routes = compiled(node)
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for i in range(4000):
        plan = routing.plan(routes, Ask("m", draw=i / 4000))
        assert isinstance(plan, Plan)
        assert sorted(names(plan)) == ["a/x", "b/y", "c/z"]
        assert plan.moves_on(0, "5xx") == 1
        first[names(plan)[0]] += 1
        if names(plan)[0] == "a/x":
            second[names(plan)[1]] += 1
    assert first["a/x"] == pytest.approx(2800, rel=0.05)
    assert first["b/y"] == pytest.approx(800, rel=0.15)
    assert second["b/y"] / second["c/z"] == pytest.approx(2, rel=0.2)


def test_nested_weights_are_drawn_independently() -> None:
    """The inner choice must not follow from the outer one, although both come from one draw."""
    inner = {"loadbalance": [{"to": "a/1"}, {"to": "a/2"}]}
    routes = compiled({"loadbalance": [{"to": inner}, {"to": "b/1"}]})
    plans = [routing.plan(routes, Ask("m", draw=i / 4000)) for i in range(4000)]
    first = Counter(names(plan)[0] for plan in plans if isinstance(plan, Plan))
    assert first["b/1"] == pytest.approx(2000, rel=0.06)
    assert first["a/1"] == pytest.approx(1000, rel=0.1)
    assert first["a/2"] == pytest.approx(1000, rel=0.1)


def test_the_same_target_inside_and_outside_is_drawn_independently() -> None:
    inner = {"loadbalance": [{"to": "a/x"}, {"to": "b/y"}]}
    routes = compiled({"loadbalance": [{"to": "a/x"}, {"to": inner}]})
    plans = [routing.plan(routes, Ask("m", draw=i / 4000)) for i in range(4000)]
    first = Counter(names(plan)[0] for plan in plans if isinstance(plan, Plan))
    assert first["b/y"] == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize("axis", ["key", "user", "project", "organisation", "prompt"])
def test_sticky_means_the_same_place_whatever_the_draw(axis: str) -> None:
    routes = compiled(
        {"loadbalance": [{"to": "a/x"}, {"to": "b/y"}, {"to": "c/z"}], "sticky_by": axis}
    )

    def at(value: str, draw: float) -> list[str]:
        caller = Caller(key_id=value, user=value, project=value, organisation=value)
        plan = routing.plan(routes, Ask("m", caller=caller, prompt_hash=value, draw=draw))
        assert isinstance(plan, Plan)
        return names(plan)

    assert all(at(f"v{i}", 0.1) == at(f"v{i}", 0.9) for i in range(50))
    assert len({at(f"v{i}", 0.5)[0] for i in range(50)}) == 3


def test_a_caller_without_the_value_is_spread_by_the_draw() -> None:
    node = {"loadbalance": [{"to": "a/x"}, {"to": "b/y"}], "sticky_by": "user"}
    assert {names(planned(node, Ask("m", draw=i / 50)))[0] for i in range(50)} == {"a/x", "b/y"}


def test_an_added_target_moves_only_what_it_takes() -> None:
    three: list[NODE] = [{"to": "a/x"}, {"to": "b/y"}, {"to": "c/z"}]
    before = compiled({"loadbalance": three, "sticky_by": "user"})
    after = compiled({"loadbalance": [{"to": "d/new"}, *three], "sticky_by": "user"})
    moved = 0
    for i in range(4000):
        old, new = routing.plan(before, of(f"u{i}")), routing.plan(after, of(f"u{i}"))
        assert isinstance(old, Plan)
        assert isinstance(new, Plan)
        assert [name for name in names(new) if name != "d/new"] == names(old)
        moved += names(new)[0] == "d/new"
    assert moved == pytest.approx(1000, rel=0.1)


def test_equal_arms_both_get_their_share() -> None:
    """Two arms of the same target count twice, as they are written."""
    routes = compiled(
        {"loadbalance": [{"to": "a/x"}, {"to": "a/x"}, {"to": "b/y"}], "sticky_by": "user"}
    )
    plans = [routing.plan(routes, of(f"u{i}")) for i in range(3000)]
    first = Counter(names(plan)[0] for plan in plans if isinstance(plan, Plan))
    assert first["a/x"] == pytest.approx(2000, rel=0.07)


AB = {"ab_split": {"old": {"to": "a/x", "weight": 3}, "new": {"to": {"fallback": ["b/y", "b/z"]}}}}


def test_ab_split_takes_one_arm_alone_and_names_it() -> None:
    routes = compiled(AB)
    arms: Counter[str] = Counter()
    for i in range(4000):
        plan = routing.plan(routes, of(f"u{i}", draw=0.5))
        assert isinstance(plan, Plan)
        arm = plan.steps[0].arm
        assert names(plan) == (["a/x"] if arm == "old" else ["b/y", "b/z"])
        assert {step.arm for step in plan.steps} == {arm}
        arms[arm] += 1
    assert arms["old"] == pytest.approx(3000, rel=0.05)


def test_ab_split_sticks_to_user_then_key_then_prompt() -> None:
    def arm(ask: Ask) -> str:
        return planned(AB, ask).steps[0].arm

    for i in range(30):
        user, key = Caller(user=f"u{i}", key_id="any"), Caller(key_id=f"k{i}")
        assert arm(Ask("m", caller=user, draw=0.1)) == arm(
            Ask("m", caller=user, prompt_hash="p", draw=0.9)
        )
        assert arm(Ask("m", caller=key, draw=0.1)) == arm(
            Ask("m", caller=key, prompt_hash="p", draw=0.9)
        )
        assert arm(Ask("m", prompt_hash=f"p{i}", draw=0.1)) == arm(
            Ask("m", prompt_hash=f"p{i}", draw=0.9)
        )


def test_who_is_in_which_arm_is_the_same_on_every_node() -> None:
    """And in every release: an experiment must not be dealt anew by an update."""
    arms = "".join(planned(AB, of(f"u{i}")).steps[0].arm[0] for i in range(24))
    assert arms == "onoooooonnnoonoooononnoo"


def test_another_target_in_an_arm_moves_nobody() -> None:
    other = {"ab_split": {"old": {"to": "c/other", "weight": 3}, "new": {"to": "b/y"}}}
    assert all(
        planned(AB, of(f"u{i}")).steps[0].arm == planned(other, of(f"u{i}")).steps[0].arm
        for i in range(200)
    )


def test_two_experiments_divide_their_callers_independently() -> None:
    routing_doc = Routing.model_validate({"models": {"m": AB, "n": AB}})
    routes = compile_routes(routing_doc, PROVIDERS)
    both = 0
    for i in range(2000):
        caller = Caller(user=f"u{i}")
        one, other = (
            routing.plan(routes, Ask("m", caller=caller)),
            routing.plan(routes, Ask("n", caller=caller)),
        )
        assert isinstance(one, Plan)
        assert isinstance(other, Plan)
        both += one.steps[0].arm == other.steps[0].arm == "new"
    assert both == pytest.approx(2000 / 16, rel=0.3)


def test_nested_arms_are_told_with_their_outer_one() -> None:
    inner = {"ab_split": {"x": {"to": "a/1"}, "y": {"to": "a/2"}}}
    node = {
        "fallback": [
            {"ab_split": {"in": {"to": inner, "weight": 1000}, "out": {"to": "b/1"}}},
            "c/1",
        ]
    }
    arms = {tuple(step.arm for step in planned(node, of(f"u{i}")).steps) for i in range(40)}
    assert ("in/x", "") in arms
    assert ("in/y", "") in arms


def test_conditional_takes_the_first_case_that_holds() -> None:
    node = {
        "conditional": [
            {"when": {"user": ["alice"], "stream": True}, "then": "a/x"},
            {"when": {"user": ["al*"]}, "then": "b/y"},
        ],
        "otherwise": "c/z",
    }
    assert names(planned(node, of("alice", stream=True))) == ["a/x"]
    assert names(planned(node, of("alice"))) == ["b/y"]
    assert names(planned(node, of("bob"))) == ["c/z"]


def test_no_case_and_no_otherwise_is_not_allowed() -> None:
    with pytest.raises(NotAllowed, match=r"no case of routing\.models\.m holds"):
        planned({"conditional": [{"when": {"user": ["alice"]}, "then": "a/x"}]})


@pytest.mark.parametrize(
    ("narrow", "left"),
    [
        ({"allow_providers": ["a", "b"]}, ["a/gpt-4o", "b/claude"]),
        ({"deny_providers": ["*"]}, []),
        ({"allow_models": ["gpt-*"]}, ["a/gpt-4o", "c/gpt-4o"]),
        ({"deny_models": ["gpt-*"]}, ["b/claude"]),
        ({"deny_models": ["c/*"]}, ["a/gpt-4o", "b/claude"]),
        ({"allow_models": ["a/gpt-4o"], "deny_providers": ["b"]}, ["a/gpt-4o"]),
        ({"allow_providers": []}, []),
        ({}, ["a/gpt-4o", "b/claude", "c/gpt-4o"]),
    ],
)
def test_policy_takes_targets_away(narrow: dict[str, Any], left: list[str]) -> None:
    node = {"policy": narrow, "then": {"fallback": ["a/gpt-4o", "b/claude", "c/gpt-4o"]}}
    if left:
        plan = planned(node)
        assert names(plan) == left
        assert plan.moves_on(len(left) - 1, "5xx") is None
        return
    with pytest.raises(NotAllowed, match=r"routing\.models\.m\.policy") as caught:
        planned(node)
    assert all(target in caught.value.message for target in ("a/gpt-4o", "b/claude", "c/gpt-4o"))


def test_nested_policies_both_hold() -> None:
    inner = {"policy": {"deny_models": ["x"]}, "then": {"fallback": ["a/x", "a/y", "b/y"]}}
    assert names(planned({"policy": {"allow_providers": ["a"]}, "then": inner})) == ["a/y"]


SMART = {
    "smart": {
        "code": {"about": "programming", "to": "a/coder"},
        "chat": {"about": "small talk", "to": "b/small"},
    },
    "router": "c/router",
    "otherwise": "a/default",
}
PATH = "routing.models.m"


def test_smart_asks_for_a_choice_and_then_follows_it() -> None:
    need = routing.plan(compiled(SMART), Ask("m"))
    assert isinstance(need, NeedsChoice)
    assert need.node.router == Target("c", "router")
    assert need.node.path == PATH
    assert names(planned(SMART, answers={PATH: "code"})) == ["a/coder"]
    assert names(planned(SMART, answers={PATH: None})) == ["a/default"]
    assert names(planned(SMART, answers={PATH: "no such choice"})) == ["a/default"]


def test_a_smart_node_in_the_branch_not_taken_is_not_asked() -> None:
    node = {"conditional": [{"when": {"stream": True}, "then": SMART}], "otherwise": "b/y"}
    assert names(planned(node)) == ["b/y"]
    assert isinstance(routing.plan(compiled(node), Ask("m", stream=True)), NeedsChoice)


def test_a_smart_node_behind_another_target_is_its_otherwise() -> None:
    assert names(planned({"fallback": ["b/y", SMART]})) == ["b/y", "a/default"]


def test_a_smart_node_that_health_brings_to_the_front_is_asked() -> None:
    ask = Ask("m", health=lambda provider: "degraded" if provider == "b" else "available")
    assert isinstance(routing.plan(compiled({"fallback": ["b/y", SMART]}), ask), NeedsChoice)


def test_one_smart_node_in_another_is_asked_second() -> None:
    node = {**SMART, "otherwise": SMART}
    routes = compiled(node)
    outer = routing.plan(routes, Ask("m"))
    assert isinstance(outer, NeedsChoice)
    assert outer.node.path == PATH
    inner = routing.plan(routes, Ask("m"), {PATH: None})
    assert isinstance(inner, NeedsChoice)
    assert inner.node.path == f"{PATH}.otherwise"
    assert names(planned(node, answers={PATH: None, f"{PATH}.otherwise": "chat"})) == ["b/small"]


def test_a_choice_that_the_policy_takes_away_falls_to_what_is_left() -> None:
    node = {"policy": {"deny_providers": ["a"]}, "then": SMART}
    path = f"{PATH}.then"
    assert names(planned(node, answers={path: "code"})) == ["b/small"]
    with pytest.raises(NotAllowed):
        planned({"policy": {"allow_providers": ["d"]}, "then": SMART}, answers={path: "code"})


def test_fallback_around_smart_keeps_its_order() -> None:
    plan = planned({"fallback": [SMART, "c/backup"]}, answers={f"{PATH}.fallback.0": "chat"})
    assert names(plan) == ["b/small", "c/backup"]
    assert plan.moves_on(0, "timeout") == 1


# ---- health


def sick(*providers: str) -> Ask:
    def health(provider: str) -> Health:
        return "degraded" if provider in providers else "available"

    return Ask("m", health=health)


def test_degraded_providers_go_behind_and_are_never_left_out() -> None:
    node = {"fallback": ["a/x", "b/y", "c/z"]}
    assert names(planned(node, sick("a"))) == ["b/y", "c/z", "a/x"]
    assert names(planned(node, sick("a", "b", "c"))) == ["a/x", "b/y", "c/z"]
    assert names(planned("a/x", sick("a"))) == ["a/x"]


def test_a_part_with_one_healthy_target_keeps_its_place() -> None:
    node = {"fallback": [{"fallback": ["a/1", "b/1"]}, "c/1"]}
    plan = planned(node, sick("a"))
    assert names(plan) == ["b/1", "a/1", "c/1"]
    assert [plan.moves_on(i, "5xx") for i in range(3)] == [1, 2, None]


def test_an_arm_is_not_left_for_the_health_of_its_provider() -> None:
    assert {
        step.arm
        for i in range(40)
        for step in planned(AB, of(f"u{i}", health=sick("a").health)).steps
    } == {
        "old",
        "new",
    }
