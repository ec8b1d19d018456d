"""What the model server answers: a decision about a prompt, the same in every wire format.

The last words of the user come back as `You said: ...`, so that redaction on the way in and
restoring on the way out can be seen. A tool is called when the prompt names it, a schema asked for
is filled, and the result of a tool is repeated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nexus_sdk.demo.metering import Usage, pieces, tokens
from nexus_sdk.demo.schema import fit

if TYPE_CHECKING:
    from nexus_sdk.demo.metering import Prefixes
    from nexus_sdk.demo.script import Script

TOKENS_PER_MESSAGE = 3
"""What a message costs beside its text (OpenAI cookbook, "How to count tokens with tiktoken")."""

NOT_UTF8 = "\ue000"
"""Stands in a text for a byte that is not UTF-8; `delivery` puts it in place."""

_SIGN_OF_A_TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Any


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request, whatever format it came in. `texts` is all of its text in order, `said` the user's
    last words.

    `result`: the conversation ends with this tool result. `forced`: the tool that must be called,
    empty for any, None for free choice. `schema`: the answer must be JSON that fits it. `limit`:
    output tokens. `caches`: the prompt may be read from the prefix cache and is remembered there.
    """

    model: str
    texts: tuple[str, ...]
    said: str
    stream: bool = False
    result: str | None = None
    tools: tuple[Tool, ...] = ()
    forced: str | None = None
    schema: Any = None
    limit: int | None = None
    thinks: bool = False
    choices: int = 1
    caches: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool. `id` has no prefix; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `pieces` is its text as a stream delivers it; `finish` is in the words of chat
    completions; `created` counts seconds from 1970.
    """

    id: str
    created: int
    prompt: Prompt
    script: Script
    pieces: tuple[str, ...]
    thinking: str
    refusal: str
    calls: tuple[Call, ...]
    finish: str
    usage: Usage

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Event(NamedTuple):
    """One server-sent event. `name` is empty where the format names none; `last` marks the end of
    the stream.
    """

    name: str
    data: str
    last: bool = False


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Answering:
    """Makes replies. `prefixes` remembers prompts for the cached tokens."""

    def __init__(self, prefixes: Prefixes) -> None:
        self._prefixes = prefixes

    def reply(self, prompt: Prompt, script: Script, number: int, created: int) -> Reply:
        """The answer to request `number` of this server."""
        identity = f"{number:024x}"
        calls = _calls(prompt, script, identity)
        thinking = script.text("think") or (
            f"The user said: {prompt.said}" if prompt.thinks else ""
        )
        said = () if calls or "refuse" in script else _pieces(prompt, script)
        kept = said if prompt.limit is None else said[: prompt.limit]
        natural = "tool_calls" if calls else "stop" if kept == said else "length"
        return Reply(
            id=identity,
            created=created,
            prompt=prompt,
            script=script,
            pieces=kept,
            thinking=thinking,
            refusal=script.text("refuse"),
            calls=calls,
            finish=script.text("finish", natural),
            usage=self._usage(prompt, kept, thinking, calls),
        )

    def _usage(
        self, prompt: Prompt, said: tuple[str, ...], thinking: str, calls: tuple[Call, ...]
    ) -> Usage:
        cached, cacheable = 0, 0
        if prompt.caches:
            cached, cacheable = self._prefixes.cached(prompt.model, "\n".join(prompt.texts))
        reasoning = tokens(thinking)
        spoken = len(said) + sum(tokens(call.name) + tokens(call.arguments) for call in calls)
        return Usage(
            prompt=input_tokens(prompt),
            output=max(spoken + reasoning, 1) * prompt.choices,
            reasoning=reasoning,
            cached=cached,
            cacheable=cacheable,
        )


def input_tokens(prompt: Prompt) -> int:
    return sum(tokens(text) + TOKENS_PER_MESSAGE for text in prompt.texts)


def _pieces(prompt: Prompt, script: Script) -> tuple[str, ...]:
    if "chunks" in script:
        return tuple(f"w{at} " for at in range(script.count("chunks", 0)))
    text = _text(prompt, script)
    return pieces(text + NOT_UTF8 if "nonutf8" in script else text)


def _text(prompt: Prompt, script: Script) -> str:
    if "say" in script:
        return script.text("say")
    plain = (
        f"You said: {prompt.said}" if prompt.result is None else f"The tool said: {prompt.result}"
    )
    if prompt.schema is None:
        return plain
    return dumps(fit(prompt.schema, prompt.said if prompt.result is None else prompt.result))


def _calls(prompt: Prompt, script: Script, identity: str) -> tuple[Call, ...]:
    tool = _chosen(prompt, script)
    if tool is None:
        return ()
    arguments = dumps(fit(tool.schema, prompt.said))
    return tuple(
        Call(f"{identity}{at:04x}", tool.name, arguments) for at in range(script.count("calls", 1))
    )


def _chosen(prompt: Prompt, script: Script) -> Tool | None:
    """The tool to call: what the script or the request demands, or what the user's last words
    name.
    """
    name = script.text("tool") or prompt.forced
    if name is not None:
        return next((tool for tool in prompt.tools if name in {"", tool.name}), None)
    if prompt.result is not None or "say" in script or "chunks" in script:
        return None
    spoken = prompt.said.lower()
    named = (tool for tool in prompt.tools if _mentions(spoken, tool.name))
    return next(named, prompt.tools[0] if prompt.tools and _SIGN_OF_A_TOOL in spoken else None)


def _mentions(spoken: str, name: str) -> bool:
    return name.lower() in spoken or name.lower().replace("_", " ") in spoken
