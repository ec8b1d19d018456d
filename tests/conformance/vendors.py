"""The scripted model server: every provider at its own addresses, as one function from a request
to an answer. It judges what it gets before it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError
from tests.conformance.places import PLACES, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.values import Facts, Json, Say, Trouble, Wire


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Vendors:
    """`say`: what the models answer next. `heard`: what each request asked for; `faults`: what the
    vendor would not have taken."""

    wires: Mapping[str, Wire]
    say: Say | None = None
    heard: list[Facts] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spots: dict[str, list[tuple[Place, Wire, bool | None]]] = {}
        for place in PLACES:
            for name, (whole, streamed) in place.spots.items():
                if (wire := self.wires.get(name)) is None:
                    continue
                same = whole == streamed
                self._add(whole, place, wire, None if same else False)
                if not same:
                    self._add(streamed, place, wire, True)

    def _add(self, url: str, place: Place, wire: Wire, streams: bool | None) -> None:
        self._spots.setdefault(url, []).append((place, wire, streams))

    def expect(self, say: Say) -> None:
        self.say = say
        self.heard, self.bodies, self.faults = [], [], []

    def answer(self, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """`headers` with names in lower case."""
        found = self._spots.get(url)
        if not found:
            self.faults.append(f"nobody is at {url}")
            return _json(404, {"error": {"message": f"nobody is at {url}"}})
        place, wire, streams = found[0]
        if headers.get(place.header) != place.form.format(place.key):
            self.faults.append(f"no key in {place.header}")
        body = json.loads(content)
        self.bodies.append(body)
        try:
            wire.check(body, place.provider)
            self.heard.append(wire.heard(body))
        except (AssertionError, ValidationError, KeyError, ValueError) as fault:
            self.faults.append(f"{type(fault).__name__}: {fault}"[:300])
            return _json(400, {"error": {"message": "refused by the vendor's own package"}})
        streamed = bool(body.get("stream")) if streams is None else streams
        assert self.say is not None
        return self._reply(self.say, place, wire, body, streamed=streamed)

    def _reply(self, say: Say, place: Place, wire: Wire, body: Json, *, streamed: bool) -> Reply:
        if say.trouble:
            trouble = wire.trouble(say.trouble, place.provider)
            if say.trouble != "inside":
                return _json(trouble.status, trouble.body, trouble.headers)
            return _inside(trouble, wire) if streamed else _json(200, trouble.body)
        doc = wire.fit(wire.answer(say, place.provider), body)
        if not streamed:
            return _json(200, doc)
        raw = wire.stream(doc, body)
        if say.cut:
            raw = raw[: len(raw) * 55 // 100]
        return Reply(200, {"content-type": wire.stream_type}, raw)


def _json(status: int, doc: Json, headers: Mapping[str, str] | None = None) -> Reply:
    told = {"content-type": "application/json", **(headers or {})}
    return Reply(status, told, json.dumps(doc).encode())


def _inside(trouble: Trouble, wire: Wire) -> Reply:
    """The first event of a stream is an error."""
    from tests.conformance import events

    if wire.name == "bedrock":
        name = trouble.headers["x-amzn-errortype"]
        raw = events.aws([(name, trouble.body)], "exception")
    elif wire.name == "openai_responses":
        error = trouble.body["error"] | {"type": "error", "sequence_number": 0}
        raw = events.sse([("error", error)])
    elif wire.name == "cohere":
        last = {"finish_reason": "ERROR", "error": trouble.body["error"]["message"]}
        raw = events.sse([("message-end", {"type": "message-end", "delta": last})])
    else:
        raw = events.sse([(trouble.body.get("type", ""), trouble.body)])
    return Reply(200, {"content-type": wire.stream_type}, raw)
