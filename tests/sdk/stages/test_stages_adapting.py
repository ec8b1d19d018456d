"""What a provider does otherwise, as edits that are told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.playbook import chat, snapshot

from nexus_sdk.errors import Unsupported
from nexus_sdk.model import Target
from nexus_sdk.stages.adapting import MAX_REMEMBERED, PLAIN, Manners, Quirk
from nexus_sdk.stages.reading import read
from nexus_sdk.stages.sending import prepare
from nexus_sdk.wire.members import edited


def adapted(quirk: Quirk, doc: dict[str, Any]) -> tuple[Any, list[str], list[str], list[str]]:
    """The document (made twice: by values and in bytes), what was coerced, dropped and omitted."""
    manner = Manners([quirk]).of("openai_chat", "m")
    report = manner.report()
    out, changes = manner.adapted(doc, report)
    assert orjson.loads(edited(orjson.dumps(doc), changes)) == out
    return (
        out,
        list(report.changes),
        [loss.param for loss in report.drops],
        [loss.param for loss in report.omissions],
    )


def quirk(**more: Any) -> Quirk:
    return Quirk(because="x", **more)


@pytest.mark.parametrize(
    ("rules", "doc", "expected"),
    [
        ({"renames": {"a": "b"}}, {"a": 1, "c": 2}, ({"b": 1, "c": 2}, ["a->b"], [], [])),
        ({"renames": {"a": "b"}}, {"c": 2}, ({"c": 2}, [], [], [])),
        (
            {"renames": {"a": "b"}},
            {"a": 1, "b": 2},
            ({"b": 2}, ["a->(left out beside b)"], [], []),
        ),
        ({"renames": {"a": "b"}}, {"a": 1, "b": None}, ({"b": 1}, ["a->b"], [], [])),
        ({"refuses": {"a": (0,)}}, {"a": 5}, ({}, [], ["a"], [])),
        (
            {"refuses": {"a": (0,)}},
            {"a": 0},
            ({}, ["a->(left out, it says what holds anyway)"], [], []),
        ),
        (
            {"refuses": {"a": ()}},
            {"a": None},
            ({}, ["a->(left out, it says what holds anyway)"], [], []),
        ),
        ({"only": {"t": (1,)}}, {"t": 1}, ({"t": 1}, [], [], [])),
        ({"only": {"t": (1,)}}, {"t": None}, ({"t": None}, [], [], [])),
        ({"only": {"t": (1,)}}, {"t": 0.2}, ({}, [], ["t"], [])),
        (
            {"only": {"f": ("text",)}},
            {"f": {"type": "text"}},
            ({"f": {"type": "text"}}, [], [], []),
        ),
        ({"only": {"f": ("text",)}}, {"f": {"type": "json_schema"}}, ({}, [], ["f"], [])),
        ({"omits": frozenset({"a", "b"})}, {"a": 1, "c": 1}, ({"c": 1}, [], [], ["a"])),
        (
            {"words": {"e": {"max": "high"}}},
            {"e": "max"},
            ({"e": "high"}, ["e: max->high"], [], []),
        ),
        ({"words": {"e": {"max": "high"}}}, {"e": "low"}, ({"e": "low"}, [], [], [])),
        (
            {"roles": {"developer": "system"}},
            {"messages": [{"role": "developer"}, {"role": "user"}]},
            (
                {"messages": [{"role": "system"}, {"role": "user"}]},
                ["messages.0.role: developer->system"],
                [],
                [],
            ),
        ),
        (
            {"message_omits": frozenset({"name"})},
            {"messages": [{"role": "user", "name": "n"}]},
            ({"messages": [{"role": "user"}]}, [], [], ["messages.0.name"]),
        ),
        ({"moves": frozenset({"model"})}, {"model": "m", "x": 1}, ({"x": 1}, [], [], [])),
        ({"sets": {"v": 1}}, {"x": 1}, ({"v": 1, "x": 1}, [], [], [])),
        ({"sets": {"v": 1}}, {"v": 2}, ({"v": 2}, [], [], [])),
    ],
)
def test_each_rule_changes_and_tells(rules: Any, doc: Any, expected: Any) -> None:
    assert adapted(quirk(**rules), doc) == expected


def test_quirks_are_of_a_dialect_and_of_models() -> None:
    manners = Manners(
        [
            quirk(models=("a*",), but=("ab*",), renames={"x": "y"}),
            quirk(models=("a*",), accepts=frozenset({"top_k"}), max_output_tokens=9),
            quirk(models=("ac",), max_output_tokens=5),
            quirk(dialect="anthropic", omits=frozenset({"z"})),
        ]
    )
    assert len(manners.of("openai_chat", "ac").quirks) == 1
    assert manners.of("openai_chat", "ab").quirks == ()
    assert manners.of("openai_chat", "ab").accepts == {"top_k"}
    assert manners.of("openai_chat", "ab").max_output_tokens == 9
    assert manners.of("openai_chat", "ac").max_output_tokens == 5
    assert len(manners.of("anthropic", "b").quirks) == 1
    assert manners.of("openai_chat", "ac") is manners.of("openai_chat", "ac")
    assert Manners().of("openai_chat", "m") is PLAIN
    report = manners.of("openai_chat", "ac").report()
    assert report.accepts == {"top_k"}
    assert report.max_output_tokens == 5


def test_invented_names_do_not_fill_the_memory() -> None:
    manners = Manners([quirk(omits=frozenset({"a"}))])
    for number in range(3 * MAX_REMEMBERED):
        manners.of("openai_chat", f"m{number}")
    assert len(manners._remembered) <= MAX_REMEMBERED


# ---- the quirks of the table, as a request meets them --------------------------------------------


def sent(kind: str, model: str, *, refuse: bool = True, **more: Any) -> tuple[Any, Any]:
    """The body as it goes out, and the report."""
    policy = {"providers": {"p": {"kind": kind, "api_key": "k"}}}
    call = read(chat(**{"model": model, **more}))
    made = prepare(call, Target("p", model), snapshot(policy).accounts["p"], refuse_drops=refuse)
    return made.upstream.body, made.report


def test_a_reasoning_model_gets_its_ceiling_under_the_new_name_and_no_other_byte_changes() -> None:
    body, report = sent("openai", "gpt-5-mini", max_tokens=5, extra={"a": 1})
    assert body == chat(model="gpt-5-mini", max_tokens=5, extra={"a": 1}).body.replace(
        b"max_tokens", b"max_completion_tokens"
    )
    assert report.changes == ("max_tokens->max_completion_tokens",)
    body, report = sent("openai", "gpt-4o", max_tokens=5)
    assert b'"max_tokens":5' in body
    assert report.changes == ()


@pytest.mark.parametrize(
    ("kind", "model", "refused", "param"),
    [
        ("openai", "gpt-5", {"temperature": 0.2}, "temperature"),
        ("openai", "o3-mini", {"logprobs": True}, "logprobs"),
        ("groq", "llama", {"n": 2}, "n"),
        ("groq", "llama", {"logit_bias": {"5": 1}}, "logit_bias"),
        ("deepseek", "deepseek-reasoner", {"tool_choice": "required"}, "tool_choice"),
        (
            "deepseek",
            "deepseek-chat",
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format",
        ),
        ("moonshot", "kimi-k2.5", {"temperature": 0.3}, "temperature"),
        ("xai", "grok-4-fast-reasoning", {"presence_penalty": 0.5}, "presence_penalty"),
        ("cerebras", "llama3.1-8b", {"frequency_penalty": 0.5}, "frequency_penalty"),
        ("mistral", "mistral-large-latest", {"logprobs": True}, "logprobs"),
    ],
)
def test_what_a_model_refuses_is_an_error_with_its_name_or_a_drop(
    kind: str, model: str, refused: dict[str, Any], param: str
) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(kind, model, **refused)
    assert caught.value.param == param
    body, report = sent(kind, model, refuse=False, **refused)
    assert param not in orjson.loads(body)
    assert [loss.param for loss in report.drops] == [param]


@pytest.mark.parametrize(
    ("kind", "model", "taken"),
    [
        ("openai", "gpt-5", {"temperature": 1, "top_p": 1}),
        ("openai", "gpt-5.1", {"temperature": 0.2}),
        ("openai", "gpt-4o", {"temperature": 0.2, "logprobs": True}),
        ("xai", "grok-4-fast-non-reasoning", {"presence_penalty": 0.5}),
        ("deepseek", "deepseek-chat", {"tool_choice": "required"}),
        ("openrouter", "x/y", {"temperature": 0.2, "n": 2, "logprobs": True}),
        ("openai_compatible", "gpt-5", {"temperature": 0.2, "max_tokens": 5}),
    ],
)
def test_what_a_model_takes_goes_out_byte_for_byte(
    kind: str, model: str, taken: dict[str, Any]
) -> None:
    policy: dict[str, Any] = {"kind": kind, "base_url": "https://p.example/v1"}
    account = snapshot({"providers": {"p": policy}}).accounts["p"]
    request = chat(**{"model": model, **taken})
    made = prepare(read(request), Target("p", model), account, refuse_drops=True)
    assert made.upstream.body == request.body
    assert made.report.changes == ()


def test_a_strict_copy_gets_other_names_and_no_hints() -> None:
    body, report = sent(
        "mistral", "m", seed=1, max_completion_tokens=5, user="u", store=True, stream=True
    )
    doc = orjson.loads(body)
    assert (doc["random_seed"], doc["max_tokens"]) == (1, 5)
    assert not doc.keys() & {"seed", "user", "store", "max_completion_tokens", "stream_options"}
    assert {loss.param for loss in report.omissions} == {"user", "store"}
