"""The features of a conversation: what is asked, and what the model says."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conformance.values import SIGNATURE, Ask, Call, Result, Say, Turn

_WEATHER = Call("call_1", "weather", {"city": "Bern"})
_CLOCK = Call("call_2", "clock", {"zone": "CET"})
_CALLED = Say(texts=(), calls=(_WEATHER,), finish="tool_calls")
_THOUGHT = "First the weather, then the words."


def _results(*results: Result) -> Ask:
    turns = (
        Turn(text="How is the weather?"),
        Turn("assistant", calls=(_WEATHER, _CLOCK)[: len(results)]),
        Turn(results=results),
    )
    return Ask(turns=turns, tools=True)


PLAIN = Ask()
HELLO = Say()


@dataclass(frozen=True)
class Feature:
    """`says`: what the model answers; the first that a provider can say. `ways`: whole, streamed,
    or both."""

    name: str
    column: str
    ask: Ask = PLAIN
    says: tuple[Say, ...] = (HELLO,)
    ways: tuple[bool, ...] = (False, True)


def _extra(kind: str) -> Ask:
    return Ask(turns=(Turn(text="Look.", extra=kind),))


def _trouble(kind: str) -> tuple[Say, ...]:
    return (Say(trouble=kind),)


FEATURES: tuple[Feature, ...] = (
    Feature("text", "text"),
    Feature("system role", "sys", Ask(system="Be brief.")),
    Feature("system and developer roles", "dev", Ask(system="Be brief.", developer="In German.")),
    Feature("image by URL", "img url", _extra("image_url")),
    Feature("image as base64", "img", _extra("image")),
    Feature("PDF document", "pdf", _extra("pdf")),
    Feature("tools, and a call", "tools", Ask(tools=True), (_CALLED,)),
    Feature("a tool by name", "named", Ask(tools=True, choice="weather"), (_CALLED,)),
    Feature("any tool", "any", Ask(tools=True, choice="required"), (_CALLED,)),
    Feature("no tool", "none", Ask(tools=True, choice="none")),
    Feature("one call at a time", "one", Ask(tools=True, one_call=True), (_CALLED,)),
    Feature(
        "parallel calls",
        "par",
        Ask(tools=True),
        (Say(texts=(), calls=(_WEATHER, _CLOCK), finish="tool_calls"),),
    ),
    Feature(
        "results of tools",
        "res",
        _results(Result("call_1", "weather", "Rain."), Result("call_2", "clock", "noon")),
    ),
    Feature(
        "result with an image",
        "res img",
        _results(Result("call_1", "weather", "Rain.", image=True)),
    ),
    Feature(
        "result with an error",
        "res err",
        _results(Result("call_1", "weather", "no such city", error=True)),
    ),
    Feature("JSON schema", "schema", Ask(schema=True), (Say(texts=('{"answer": "yes"}',)),)),
    Feature("JSON mode", "json", Ask(json=True), (Say(texts=('{"answer": "yes"}',)),)),
    Feature("reasoning effort", "effort", Ask(effort="high")),
    Feature("reasoning text", "think", Ask(), (Say(reasoning=_THOUGHT),)),
    Feature(
        "reasoning replayed to its origin",
        "replay",
        Ask(tools=True, replay=True),
        (
            Say(
                texts=(),
                reasoning=_THOUGHT,
                signature=SIGNATURE,
                calls=(_WEATHER,),
                finish="tool_calls",
            ),
            Say(texts=(), reasoning=_THOUGHT, calls=(_WEATHER,), finish="tool_calls"),
        ),
    ),
    Feature("cache markers", "cache", Ask(cache=True)),
    Feature("citations", "cites", Ask(), (Say(citation="https://example.com/source"),)),
    Feature("logprobs", "logp", Ask(logprobs=True), (Say(logprobs=True),)),
    Feature("refusal", "refuse", Ask(), (Say(texts=(), refusal="I will not."),)),
    Feature("stop sequences", "stop", Ask(stop=("END",))),
    Feature("seed", "seed", Ask(seed=7)),
    Feature("penalties", "pen", Ask(presence=0.5, frequency=0.25)),
    Feature("two answers", "n", Ask(n=2), (Say(texts=("Hello there.", "Good day.")),)),
    Feature("temperature and ceiling", "temp", Ask(temperature=0.5, ceiling=77)),
    Feature(
        "usage, cached and reasoning tokens",
        "usage",
        Ask(),
        (
            Say(usage=(33, 42, 20, 7)),
            Say(usage=(33, 42, 20, 0)),
            Say(usage=(33, 42, 0, 0)),
        ),
    ),
    Feature("finish: length", "length", Ask(), (Say(finish="length"),)),
    Feature("finish: content filter", "filter", Ask(), (Say(finish="content_filter"),)),
    Feature("error: key refused", "401", Ask(), _trouble("auth")),
    Feature("error: too many requests", "429", Ask(), _trouble("rate")),
    Feature("error: context length", "context", Ask(), _trouble("context")),
    Feature("error inside a 200", "200 err", Ask(), _trouble("inside")),
    Feature("cut stream", "cut", Ask(), (Say(cut=True),), (True,)),
)
