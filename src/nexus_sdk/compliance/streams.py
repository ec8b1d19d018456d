"""A stream's events, enforced in the caller's dialect: every channel has its own guard, whatever
carries it.

A channel is one text that grows: a choice's content, its reasoning, one tool call's arguments. What
a guard holds back goes out with the channel's next event, or in an event of its own before the one
that ends the channel. Events that repeat a text in whole get what the channel really said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nexus_sdk.compliance.guard import TextGuard
from nexus_sdk.compliance.verdict import STRICTNESS
from nexus_sdk.wire.json import dumps
from nexus_sdk.wire.json_text import Tokenizer, escaped, quoted, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nexus_sdk.compliance.guard import StreamRules
    from nexus_sdk.compliance.hooks import Effective
    from nexus_sdk.compliance.inspection import Inspector
    from nexus_sdk.compliance.verdict import Edit, Found
    from nexus_sdk.wire.dialect import Dialect, Slot
    from nexus_sdk.wire.json import Json
    from nexus_sdk.wire.json_text import Piece
    from nexus_sdk.wire.sse import StreamEvent

    type Channel = tuple[str | int, ...]
    type Decide = Callable[[str, list[Found]], list[Edit]]


_PIECES = frozenset({"text", "json"})
_WHOLES = frozenset({"whole", "whole_json"})


class _Guard(Protocol):
    """Text in, text out, later."""

    @property
    def held(self) -> int:
        """Characters that wait."""
        ...

    def feed(self, text: str) -> str: ...
    def close(self) -> str:
        """The rest, at the end of the text."""
        ...

    def abandon(self) -> str:
        """The rest of a text that was cut off. It may end inside a value that no rule can know yet,
        so that only what stands in a value's place goes out."""
        ...


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

    def abandon(self) -> str:
        self._waiting = ""
        return "".join(text for _, text in self._guard.close() if text is not None)

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
    """A channel of JSON text: each value inside is a text of its own, and goes back as it was
    written. A number or a word waits for its end, because its mask is a string."""

    def __init__(self, rules: StreamRules, decide: Decide) -> None:
        self._rules = rules
        self._decide = decide
        self._tokens = Tokenizer()
        self._string: TextGuard | None = None
        self._raw: list[str] = []

    @property
    def held(self) -> int:
        return len(self._raw) + self._tokens.held

    def feed(self, text: str) -> str:
        return "".join([self._piece(piece) for piece in self._tokens.feed(text)])

    def close(self) -> str:
        return "".join([self._piece(piece) for piece in self._tokens.close()])

    def abandon(self) -> str:
        guard, self._string, self._tokens = self._string, None, Tokenizer()
        atom = "".join(self._raw) if guard is None else ""
        self._raw.clear()
        if guard is not None:
            return "".join(escaped(text) for _, text in guard.close() if text is not None)
        masked = self._masked(atom)
        return masked if masked != atom else ""

    def _piece(self, piece: Piece) -> str:
        if piece.kind == "structure":
            return "".join(piece.raw)
        self._raw += piece.raw
        if piece.kind == "atom":
            return self._masked(self._taken(len(self._raw))) if piece.ends else ""
        if self._string is None:
            self._string = TextGuard(self._rules, self._decide)
        steps = self._string.feed(piece.text)
        if piece.ends:
            steps += self._string.close()
            self._string = None
        return "".join(
            [
                raw if text is None else escaped(text)
                for raw, text in [(self._taken(size), text) for size, text in steps]
            ]
        )

    def _taken(self, size: int) -> str:
        taken = "".join(self._raw[:size])
        del self._raw[:size]
        return taken

    def _masked(self, atom: str) -> str:
        guard = PlainGuard(self._rules, self._decide)
        text = guard.feed(atom) + guard.close()
        return atom if text == atom else quoted(text, atom)


class _Channel:
    """What is known of one text: what came in, what went out, the guard between them, and the last
    event."""

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

    def end(self, *, cut: bool) -> str:
        if self.guard is None:
            return ""
        released = self.guard.abandon() if cut else self.guard.close()
        self.outgoing.append(released)
        return released

    @property
    def is_changed(self) -> bool:
        """Is what went out other than what came in?"""
        return "".join(self.incoming) != "".join(self.outgoing)


class StreamEnforcer:
    """One exchange's stream. Give it every event in the caller's dialect; it raises Blocked when a
    rule says so."""

    def __init__(
        self, dialect: Dialect, inspector: Inspector, effective: Effective, *, restoring: bool
    ) -> None:
        self._dialect = dialect
        self._inspector = inspector
        self._effective = effective
        self._rules = effective.stream_rules(restoring=restoring)
        self._channels: dict[Channel, _Channel] = {}

    @property
    def held(self) -> int:
        """Characters held back now, over all channels."""
        return sum(c.guard.held for c in self._channels.values() if c.guard is not None)

    def feed(self, event: StreamEvent) -> list[StreamEvent]:
        """The events that take this one's place."""
        doc = event.doc
        if type(doc) is not dict:
            return [*self._ended(self._dialect.closes(None, event.name)), event]
        slots = self._dialect.slots(doc, event.name)
        closing = self._dialect.closes(doc, event.name)
        changed: set[Channel] = set()
        for slot in slots:
            if slot.kind in _PIECES:
                self._piece(slot, doc, changed)
        # What the ending channels hold goes out before what repeats them in whole is written.
        before = self._ended(closing, slots, changed) if closing else []
        for slot in slots:
            if slot.kind in _WHOLES:
                self._whole(slot, changed)
            elif slot.kind == "logprobs" and self._is_told_more(slot, slots, changed):
                slot.holder[slot.field] = [] if type(slot.holder[slot.field]) is list else None
                changed.add(slot.channel)
        if changed:
            event.data, event.raw = dumps(doc), None
        return [*before, event]

    def close(self) -> list[StreamEvent]:
        """The end of the stream: what still waits."""
        return self._ended([()])

    def abandon(self) -> list[StreamEvent]:
        """The end of a stream that was cut off: what stands in the place of values, and nothing of
        what could have become one."""
        return self._ended([()], cut=True)

    def record(self) -> None:
        """Look for the rules that only record, over the whole texts as they came."""
        if not self._effective.recording:
            return
        texts = dict(self._whole_texts())
        found = self._effective.scanner.find(list(texts.values()))
        for index, (where, text) in enumerate(texts.items()):
            recorded = [
                hit
                for hit in found.get(index, ())
                if (ruling := self._effective.rulings.get(hit.rule.id)) is not None
                and STRICTNESS[ruling.action] == 0
            ]
            if recorded:
                self._inspector.decide(text, recorded, where)

    def _whole_texts(self) -> Iterator[tuple[str, str]]:
        """Every text that came in, by its address: a channel, or a value inside its JSON."""
        for name, channel in self._channels.items():
            where, text = _address(name), "".join(channel.incoming)
            if not channel.json:
                yield where, text
                continue
            for place, piece in enumerate(values(text)):
                if piece.text:
                    yield f"{where}#{place}", piece.text

    def output_chars(self) -> int:
        """Characters that came in over all channels, for an estimate of their tokens."""
        return sum(len(part) for c in self._channels.values() for part in c.incoming)

    def _piece(self, slot: Slot, doc: Json, changed: set[Channel]) -> None:
        text = slot.holder[slot.field]
        channel = self._channel(slot.channel, json=slot.kind == "json")
        channel.last = doc
        said = channel.feed(text)
        if said != text:
            slot.holder[slot.field] = said
            changed.add(slot.channel)

    def _whole(self, slot: Slot, changed: set[Channel]) -> None:
        """The whole text of a channel, as its pieces went out. A text that was never sent in pieces
        is judged now, and leaves the channel as it is."""
        text, is_json = slot.holder[slot.field], slot.kind == "whole_json"
        channel = self._told(slot.channel, text) or self._told((*slot.channel, "whole"), text)
        if channel is None:
            name = slot.channel if slot.channel not in self._channels else (*slot.channel, "whole")
            channel = self._channels[name] = self._new(slot.channel, json=is_json)
            channel.feed(text)
            channel.end(cut=False)
        said = "".join(channel.outgoing)
        if said != text:
            slot.holder[slot.field] = said
            changed.add(slot.channel)

    def _told(self, name: Channel, text: str) -> _Channel | None:
        """The channel, if this is all that came in on it."""
        channel = self._channels.get(name)
        return channel if channel is not None and "".join(channel.incoming) == text else None

    def _is_told_more(self, slot: Slot, slots: list[Slot], changed: set[Channel]) -> bool:
        """Do these tokens spell out a text that was changed? Tokens that come without their text
        may belong to any of the choice's texts so far."""
        choice = slot.channel[:1]
        if any(name[:1] == choice for name in changed):
            return True
        if any(other.kind in _PIECES and other.channel[:1] == choice for other in slots):
            return False
        return any(c.is_changed for name, c in self._channels.items() if name[:1] == choice)

    def _ended(
        self,
        prefixes: list[Channel],
        slots: Iterable[Slot] = (),
        changed: set[Channel] | None = None,
        *,
        cut: bool = False,
    ) -> list[StreamEvent]:
        """Release what the ending channels hold: into this event where it carries them, else in
        events before it."""
        carried = {slot.channel: slot for slot in slots if slot.kind in _PIECES}
        out: list[StreamEvent] = []
        for prefix in prefixes:
            for name, channel in self._channels.items():
                if name[: len(prefix)] != prefix or channel.guard is None or not channel.guard.held:
                    continue
                text = channel.end(cut=cut)
                if not text:
                    continue
                if changed is not None and (slot := carried.get(name)):
                    slot.holder[slot.field] += text
                    changed.add(name)
                else:
                    out.append(self._dialect.delta(name, text, channel.last))
        return out

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
