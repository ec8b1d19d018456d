"""What a caller wants and what a model says, in no vendor's words.

Each wire format turns these into its own shape by hand, as its vendor documents it, and reads them
back out of that shape: independent of the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Json = Any
type Facts = dict[str, Any]
"""What a request asks for (`wanted`), or what an answer says (`said`), by name."""

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PDF = "JVBERi0xLjQK"
IMAGE_URL = "https://example.com/cat.png"
CITED_URL = "https://example.com/source"
SIGNATURE = "c2lnbmVkLWJ5LXRoZS12ZW5kb3I="
SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
TOOLS: Mapping[str, str] = {"weather": "city", "clock": "zone"}
"""Two tools, each with its one parameter."""


class Unsaid(Exception):
    """The wire format has no words for this."""


def parameters(tool: str) -> Json:
    """The JSON Schema of a tool's arguments."""
    name = TOOLS[tool]
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


def unsaid(ask: Ask, *wishes: str) -> None:
    """Raises Unsaid when `ask` has one of these wishes."""
    for wish in wishes:
        if getattr(ask, wish):
            raise Unsaid(wish)


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """What a tool gave. `image`: with a picture beside the text."""

    id: str
    name: str
    text: str
    image: bool = False
    error: bool = False


@dataclass(frozen=True)
class Turn:
    """`extra`: what stands beside the text. `raw`: an earlier answer as the caller had it, to be
    sent back; it takes the place of everything else."""

    role: str = "user"
    text: str = ""
    extra: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    raw: Json = None


@dataclass(frozen=True)
class Ask:
    """A request. `replay`: the answer is to be sent back with the result of its tool call."""

    turns: tuple[Turn, ...] = (Turn(text="Say hello."),)
    system: str = ""
    developer: str = ""
    tools: bool = False
    choice: str = ""
    one_call: bool = False
    schema: bool = False
    json: bool = False
    effort: str = ""
    cache: bool = False
    logprobs: bool = False
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence: float | None = None
    frequency: float | None = None
    n: int | None = None
    ceiling: int | None = 2048
    temperature: float | None = None
    replay: bool = False


@dataclass(frozen=True)
class Say:
    """What the model answers. `usage`: prompt, output, of these read from the cache, of these
    reasoning."""

    texts: tuple[str, ...] = ("Hello there.",)
    reasoning: str = ""
    signature: str = ""
    calls: tuple[Call, ...] = ()
    citation: str = ""
    logprobs: bool = False
    refusal: str = ""
    finish: str = "stop"
    usage: tuple[int, int, int, int] = (33, 42, 0, 0)
    trouble: str = ""
    """An error in place of an answer: a key of `troubles.py`."""
    cut: bool = False
    """The stream ends in its middle."""


@dataclass(frozen=True)
class Trouble:
    """An error as a vendor tells it."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wire:
    """One wire format in our own hand, both sides.

    - `write`: a request from model and wishes; raises Unsaid.
    - `heard`: the wishes of a request. `check`: raises when the vendor's own package would refuse
      it, at the provider of that name.
    - `answer`: what a model says, at the provider of that name; raises Unsaid. `fit`: the same in
      the encoding that a request asks for. `stream`: an answer as the bytes of a stream, for a
      request.
    - `trouble`: an error of that kind.
    - `gather`: the bytes of a stream as a whole answer; raises when it has no end mark; an error in
      it is the member `error`.
    - `said`: what an answer says. `back`: what a caller sends back of it.
    """

    name: str
    write: Callable[[Any, str, bool], Json]
    heard: Callable[[Json], Facts]
    check: Callable[[Json, str], None]
    answer: Callable[[Any, str], Json]
    stream: Callable[[Json, Json], bytes]
    trouble: Callable[[str, str], Trouble]
    gather: Callable[[bytes], Json]
    said: Callable[[Json], Facts]
    back: Callable[[Json], Json]
    stream_type: str = "text/event-stream"
    fit: Callable[[Json, Json], Json] = lambda doc, body: doc


def wanted(ask: Ask) -> Facts:
    """The facts that an upstream has to hear."""
    facts: Facts = {
        "user": tuple(turn.text for turn in ask.turns if turn.role == "user" and turn.text)
    }
    facts["instructions"] = tuple(filter(None, (ask.system, ask.developer)))
    for turn in ask.turns:
        if turn.extra:
            facts[turn.extra] = {"image_url": IMAGE_URL, "image": PNG, "pdf": PDF}[turn.extra]
    calls = [call for turn in ask.turns for call in turn.calls]
    results = [result for turn in ask.turns for result in turn.results]
    facts["calls"] = tuple((call.name, dict(call.arguments)) for call in calls)
    facts["results"] = tuple((result.name, result.text) for result in results)
    facts["result_image"] = PNG if any(result.image for result in results) else ""
    facts["result_error"] = any(result.error for result in results)
    facts["tools"] = tuple(TOOLS.items()) if ask.tools else ()
    facts["schema"] = ("answer",) if ask.schema else ()
    names = ("choice", "one_call", "json", "effort", "cache", "logprobs", "stop", "seed")
    for name in (*names, "presence", "frequency", "n", "temperature"):
        facts[name] = getattr(ask, name)
    facts["ceiling"] = ask.ceiling if ask.ceiling != Ask.ceiling else None
    return {name: fact for name, fact in facts.items() if fact not in (None, "", (), False)}


def promised(say: Say) -> Facts:
    """The facts that a caller has to get."""
    facts: Facts = {
        "texts": say.texts,
        "reasoning": say.reasoning,
        "calls": tuple((call.name, dict(call.arguments)) for call in say.calls),
        "citations": (say.citation,) if say.citation else (),
        "logprobs": say.logprobs,
        "refusal": say.refusal,
        "finish": say.finish,
        "input": say.usage[0],
        "output": say.usage[1],
        "cached": say.usage[2],
        "thought": say.usage[3],
    }
    return {name: fact for name, fact in facts.items() if fact not in (None, "", (), False, 0)}
