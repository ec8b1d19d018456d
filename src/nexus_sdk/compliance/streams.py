"""A stream's events, enforced in the caller's dialect: every channel has its own guard, whatever carries it.

A channel is one text that grows: a choice's content, its reasoning, one tool call's arguments. What a guard holds back
goes out with the channel's next event, or in an event of its own before the one that ends the channel. Events that
repeat a text in whole get what the channel really said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nexus_sdk.compliance.guard import TextGuard
from nexus_sdk.compliance.verdict import STRICTNESS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.json_text import Tokenizer, escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.compliance.guard import StreamRules
    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.compliance.inspection import Inspector
    from nexus_sdk.compliance.verdict import Edit, Found
    from nexus_sdk.wire.dialect import Dialect, Slot
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.sse import StreamEvent

    type Channel = tuple[str | int, ...]
    type Decide = Callable[[str, list[Found]], list[Edit]]


class _Guard(Protocol):
    """Text in, text out, later."""

    held: int

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


class PlainGuard:
    """A channel of plain text."""

    def __init__(self, rules: StreamRules, decide: Decide) -> None:
        self._guard = TextGuard(rules, decide)
        self._waiting = ""

    @property
    def held(self) -> int:
        return len(self._waiting)

    def feed(self, text: str) -> str:
        self._waiting += text
        return self._write(self._guard.feed(text))

    def close(self) -> str:
        return self._write(self._guard.close())

    def _write(self, steps: list[tuple[int, str | None]]) -> str:
        if len(steps) == 1 and steps[0][1] is None:
            size = steps[0][0]
            text, self._waiting = self._waiting[:size], self._waiting[size:]
            return text
        out: list[str] = []
        place = 0
        for size, replacement in steps:
            out.append(self._waiting[place : place + size] if replacement is None else replacement)
            place += size
        self._waiting = self._waiting[place:]
        return "".join(out)


class JsonGuard:
    """A channel of JSON text: each value inside is a text of its own, and goes back as it was written."""

    def __init__(self, rules: StreamRules, decide: Decide) -> None:
        self._rules = rules
        self._decide = decide
        self._tokens = Tokenizer()
        self._value: TextGuard | None = None
        self._raw: list[str] = []
        self._atom = False
        self._quoted = False
        self._cut = 0

    @property
    def held(self) -> int:
        return len(self._raw) + self._cut

    def feed(self, text: str) -> str:
        return self._write(self._tokens.feed(text))

    def close(self) -> str:
        return self._write(self._tokens.close())

    def _write(self, pieces: list) -> str:  # type: ignore[type-arg]
        out: list[str] = []
        for piece in pieces:
            if piece.kind == "structure":
                out += piece.raw
                continue
            if self._value is None:
                self._value = TextGuard(self._rules, self._decide)
                self._atom, self._quoted = piece.kind == "atom", False
            self._raw += piece.raw
            out += self._steps(self._value.feed(piece.text))
            if piece.ends:
                out += self._steps(self._value.close())
                self._value = None
        return "".join(out)

    def _steps(self, steps: list[tuple[int, str | None]]) -> list[str]:
        out: list[str] = []
        place = 0
        for size, replacement in steps:
            if replacement is None:
                out += self._raw[place : place + size]
            elif self._atom:
                out.append(f'"{escaped(replacement)}"')
            else:
                out.append(escaped(replacement))
            place += size
        del self._raw[:place]
        return out


class _Channel:
    """What is known of one text: what came in, what went out, the guard between them, and the last event."""

    __slots__ = ("guard", "incoming", "json", "last", "outgoing")

    def __init__(self, guard: _Guard | None, *, json: bool) -> None:
        self.guard = guard
        self.json = json
        self.incoming: list[str] = []
        self.outgoing: list[str] = []
        self.last: Json = None

    def feed(self, text: str) -> str:
        released = text if self.guard is None else self.guard.feed(text)
        self.incoming.append(text)
        self.outgoing.append(released)
        return released

    def close(self) -> str:
        released = "" if self.guard is None else self.guard.close()
        self.outgoing.append(released)
        return released


class StreamEnforcer:
    """One exchange's stream. Give it every event in the caller's dialect; it raises Blocked when a rule says so."""

    def __init__(self, dialect: Dialect, inspector: Inspector, effective: Effective, *, restoring: bool) -> None:
        self._dialect = dialect
        self._inspector = inspector
        self._effective = effective
        self._rules = effective.stream_rules(restoring=restoring)
        self._channels: dict[Channel, _Channel] = {}
        self._inserted = False

    @property
    def held(self) -> int:
        """Characters held back now, over all channels."""
        return sum(c.guard.held for c in self._channels.values() if c.guard is not None)

    def feed(self, event: StreamEvent) -> list[StreamEvent]:
        """The events that take this one's place."""
        doc = event.doc
        if type(doc) is not dict:
            return [*self._closed(self._dialect.closes(None, event.name), [], set()), event]
        slots = self._dialect.slots(doc, event.name)
        closing = self._dialect.closes(doc, event.name)
        changed: set[Channel] = set()
        for slot in slots:
            self._slot(slot, doc, changed)
        before = self._closed(closing, slots, changed) if closing else []
        if changed:
            for slot in slots:
                if slot.kind == "logprobs" and slot.channel in changed:
                    slot.holder[slot.field] = None
            event.data, event.raw = dumps(doc), None
        return [*before, event]

    def close(self) -> list[StreamEvent]:
        """The end of the stream: what still waits, and what is only to be recorded."""
        return self._flush(())

    def record(self) -> None:
        """Look for the rules that only record, over the whole texts as they came."""
        if not self._effective.recording:
            return
        texts = {channel: "".join(c.incoming) for channel, c in self._channels.items()}
        found = self._effective.scanner.find(list(texts.values()))
        for index, (channel, text) in enumerate(texts.items()):
            recorded = [
                hit
                for hit in found.get(index, ())
                if (ruling := self._effective.rulings.get(hit.rule.id)) is not None
                and STRICTNESS[ruling.action] == 0
            ]
            if recorded:
                self._inspector.decide(text, recorded, _address(channel))

    def output_chars(self) -> int:
        """Characters that came in over all channels, for an estimate of their tokens."""
        return sum(len(part) for c in self._channels.values() for part in c.incoming)

    def _slot(self, slot: Slot, doc: Json, changed: set[Channel]) -> None:
        if slot.kind == "logprobs":
            return
        text = slot.holder[slot.field]
        if type(text) is not str:
            return
        if slot.kind in ("whole", "whole_json"):
            said = self._said(slot.channel, text, json=slot.kind == "whole_json")
        else:
            channel = self._channel(slot.channel, json=slot.kind == "json")
            channel.last = doc
            said = channel.feed(text)
        if said != text:
            slot.holder[slot.field] = said
            changed.add(slot.channel)

    def _said(self, name: Channel, text: str, *, json: bool) -> str:
        """The whole text of a channel, as its parts went out. A text that was never sent in parts is judged now."""
        channel = self._channels.get(name)
        if channel is None or "".join(channel.incoming) != text:
            channel = self._channels[name] = self._new(name, json=json)
            channel.feed(text)
            channel.close()
        elif channel.guard is not None and channel.guard.held:
            channel.close()
        return "".join(channel.outgoing)

    def _closed(self, prefixes: list[Channel], slots: list[Slot], changed: set[Channel]) -> list[StreamEvent]:
        """Release what the ending channels hold: into this event where it carries them, else in events before it."""
        carried = {slot.channel: slot for slot in slots if slot.kind in ("text", "json")}
        out: list[StreamEvent] = []
        for prefix in prefixes:
            for name, channel in self._channels.items():
                if name[: len(prefix)] != prefix or channel.guard is None or not channel.guard.held:
                    continue
                text = channel.close()
                if not text:
                    continue
                if slot := carried.get(name):
                    slot.holder[slot.field] += text
                    changed.add(name)
                else:
                    out.append(self._dialect.delta(name, text, channel.last))
        return out

    def _flush(self, prefix: Channel) -> list[StreamEvent]:
        return self._closed([prefix], [], set())

    def _channel(self, name: Channel, *, json: bool) -> _Channel:
        known = self._channels.get(name)
        if known is None:
            known = self._channels[name] = self._new(name, json=json)
        return known

    def _new(self, name: Channel, *, json: bool) -> _Channel:
        if self._rules is None:
            return _Channel(None, json=json)
        where = _address(name)

        def decide(text: str, hits: list[Found]) -> list[Edit]:
            edits = self._inspector.decide(text, hits, where)
            self._inspector.refuse_if_blocked()
            return edits

        return _Channel((JsonGuard if json else PlainGuard)(self._rules, decide), json=json)


def _address(channel: Channel) -> str:
    return "stream." + ".".join(map(str, channel))
