"""One cell of the matrix: a door, a provider, a feature, whole or streamed; run and judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError
from tests.conformance import documented, places, troubles
from tests.conformance.features import FEATURES
from tests.conformance.values import Ask, Result, Say, Turn, Unsaid, promised, wanted

if TYPE_CHECKING:
    from tests.conformance.doors import Door
    from tests.conformance.features import Feature
    from tests.conformance.lab import Got, Served
    from tests.conformance.places import Place
    from tests.conformance.values import Facts, Json, Wire

type Kind = Literal["pass", "told", "refused", "absent", "FAIL"]
"""`told`: answered, but for what the report says. `refused`: 400 with a code and a parameter.
`absent`: the caller's format or the provider's has no words for it."""
CONVERSATIONS = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock", "cohere")
_READS = frozenset({"deepseek", "moonshot", "glm", "fireworks", "vllm"})
"""Copies of OpenAI's chat that take readable reasoning back (their documentation, see the rows)."""


@dataclass(frozen=True)
class Outcome:
    kind: Kind
    why: str = ""


class Wrong(Exception):
    """The cell fails, for this reason."""


def serves(place: Place, door: Door) -> str:
    """The wire format in which a door's requests reach a place; empty when it has no
    conversations."""
    if door.wire.name in place.spots:
        return door.wire.name
    return next((name for name in CONVERSATIONS if name in place.spots), "")


class Cell:
    def __init__(self, lab: Served, door: Door, place: Place, feature: Feature) -> None:
        self.lab, self.door, self.place, self.feature = lab, door, place, feature
        self.wire: Wire = lab.vendors.wires[serves(place, door)]
        self.told: list[str] = []

    def run(self, *, stream: bool) -> Outcome:
        self.told = []
        try:
            say = self._say(stream=stream)
            self._run(say, stream=stream)
        except Unsaid as lack:
            return Outcome("absent", str(lack))
        except _Refused as refusal:
            return Outcome("refused", str(refusal))
        except Wrong as fault:
            return Outcome("FAIL", str(fault))
        except (AssertionError, KeyError, ValueError, ValidationError) as fault:
            said = " ".join(f"{type(fault).__name__}: {fault}".split())
            return Outcome("FAIL", f"the caller cannot read it: {said[:200]}")
        return Outcome("told", "; ".join(self.told)) if self.told else Outcome("pass")

    def _say(self, *, stream: bool) -> Say:
        """The first answer that the provider can give and the caller can see."""
        lack: Unsaid | None = None
        for say in self.feature.says:
            try:
                self.wire.answer(say, self.place.provider)
            except Unsaid as err:
                lack = err
                continue
            hidden = self.door.lacks & promised(say).keys() - {"thought", "cached"}
            if hidden:
                raise Unsaid(f"no place for {', '.join(sorted(hidden))}")
            if say.trouble == "inside" and not stream and self.wire.name == "bedrock":
                raise Unsaid("a whole answer fails by its status")
            return say
        assert lack is not None
        if self.feature.ask != Ask() and not self.feature.ask.replay:
            # The provider has no such answer: then it may not be asked for one in silence.
            self._exchange(self.feature.ask, Say(), stream=stream)
        raise lack

    def _run(self, say: Say, *, stream: bool) -> None:
        ask = self.feature.ask
        got = self._exchange(ask, say, stream=stream)
        if say.trouble:
            troubles.check(self.door.wire.name, say.trouble, got)
        elif say.cut:
            self._cut(got)
        else:
            doc = self._answer(got, stream=stream)
            self._compare_answer(say, self.door.wire.said(doc))
            if ask.replay:
                self._replay(say, self.door.wire.back(doc), stream=stream)

    def _exchange(self, ask: Ask, say: Say, *, stream: bool) -> Got:
        """One request, up to where the provider has heard it."""
        door, vendors = self.door, self.lab.vendors
        model = places.route(self.place)
        body = door.wire.write(ask, model, stream)
        vendors.expect(say)
        path = door.at(model, stream=stream)
        got = self.lab.ask(door.endpoint, path, body, door.query if stream else "")
        if vendors.faults:
            raise Wrong(f"the provider would not take it: {vendors.faults[0]}")
        if not vendors.bodies:
            self._refusal(got)
        self._compare_request(ask, vendors.heard[0], got)
        return got

    def _refusal(self, got: Got) -> None:
        code, param = troubles.refusal(self.door.wire.name, got)
        if got.status != 400 or code != "unsupported_feature" or not param:
            raise Wrong(f"refused with {got.status}, code {code!r}, param {param!r}")
        why = documented.refusal(self.feature.name, self.place, self.wire.name, param)
        if why is None:
            raise Wrong(f"refused for {param} without a documented reason")
        raise _Refused(why)

    def _compare_request(self, ask: Ask, heard: Facts, got: Got) -> None:
        for name, fact in wanted(ask).items():
            if heard.get(name) == fact:
                continue
            why = documented.change(name, self.place, self.wire.name, got.told)
            if why is None or not documented.arrived(name, heard):
                raise Wrong(
                    f"{name}: asked {fact!r}, the provider heard {heard.get(name)!r}, "
                    f"and the report says {got.told[:200]!r}"
                )
            if why not in self.told:
                self.told.append(why)

    def _answer(self, got: Got, *, stream: bool) -> Json:
        if got.status != 200:
            raise Wrong(f"status {got.status}: {got.body[:200]!r}")
        if got.streamed != stream:
            raise Wrong("not as asked, whole or streamed")
        doc = self.door.wire.gather(got.body) if stream else json.loads(got.body)
        if doc.get("error"):
            raise Wrong(f"an error in the answer: {doc['error']}")
        return doc

    def _compare_answer(self, say: Say, said: Facts) -> None:
        filtered = said.get("finish") == "content_filter"
        for name, fact in promised(say).items():
            if name in self.door.lacks or said.get(name) == fact:
                continue
            if say.refusal and filtered and (name == "finish" or fact in said["texts"]):
                continue  # a refusal as Anthropic tells it: by the reason, and as a text
            raise Wrong(f"{name}: said {fact!r}, the caller got {said.get(name)!r}")

    def _replay(self, say: Say, back: Json, *, stream: bool) -> None:
        """The caller sends the answer back with the result of its call."""
        call = say.calls[0]
        result = Turn(results=(Result(self._call_id(back), call.name, "Rain."),))
        turns = (*self.feature.ask.turns, Turn("assistant", raw=back), result)
        ask = replace(self.feature.ask, turns=turns)
        self._exchange(replace(ask, replay=True), FEATURES[0].says[0], stream=stream)
        heard = self.lab.vendors.heard[0]
        if heard["calls"] != ((call.name, dict(call.arguments)),):
            raise Wrong(f"the call came back as {heard['calls']!r}")
        if say.signature:
            expected = ("" if self.wire.name == "gemini" else say.reasoning, say.signature)
            if heard.get("signed") != expected:
                raise Wrong(f"signed: expected {expected!r}, heard {heard.get('signed')!r}")
        elif self.place.provider in _READS and heard.get("reasoned") != say.reasoning:
            raise Wrong(f"reasoning: heard {heard.get('reasoned')!r}")

    @staticmethod
    def _call_id(back: Json) -> str:
        """The id of the one call in what is sent back."""
        found: list[str] = []

        def walk(node: Json) -> None:
            if isinstance(node, list):
                for item in node:
                    walk(item)
            elif isinstance(node, dict):
                if "call_id" in node or "toolUseId" in node:
                    found.append(node.get("call_id") or node["toolUseId"])
                elif node.get("type") in {"function", "tool_use"} or "args" in node:
                    found.append(node["id"])
                else:
                    for item in node.values():
                        walk(item)

        walk(back)
        assert len(found) == 1, f"calls in what is sent back: {found}"
        return found[0]

    def _cut(self, got: Got) -> None:
        """The caller is told that the stream is not whole: by its status, where nothing could be
        given on yet, or by an error in it."""
        if got.status >= 500 and not got.streamed:
            return
        if got.status != 200:
            raise Wrong(f"status {got.status}: {got.body[:200]!r}")
        doc = self.door.wire.gather(got.body)
        if not doc.get("error"):
            raise Wrong("the cut stream looks whole")


class _Refused(Exception):
    pass
