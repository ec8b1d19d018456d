"""A streamed answer on its way: decode, translate, enforce, meter. Bytes in, events in the caller's
dialect out.

A pipe never raises: what goes wrong ends the stream with an error event, so that a cut or refused
stream is never taken for a whole one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import NexusError, UpstreamFailed
from nexus_sdk.model import Failure, Outcome
from nexus_sdk.wire.framing import FRAMINGS, SSE, FrameDecoder, Reframer
from nexus_sdk.wire.shape import MISSHAPEN
from nexus_sdk.wire.sse import Decoder, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.compliance.streams import StreamEnforcer
    from nexus_sdk.model import Upstream, Usage
    from nexus_sdk.wire.dialect import Dialect, Reply

    type Hide = Callable[[StreamEvent], StreamEvent | None]


class StreamPipe:
    """One attempt's stream. `stopped`: nothing more is wanted of the upstream. `error`: why it
    ended badly."""

    tells = True

    def __init__(
        self,
        source: Dialect,
        target: Dialect,
        reply: Reply,
        enforcer: StreamEnforcer,
        hide: Hide | None = None,
    ) -> None:
        """`hide` takes out of an event what the caller did not ask for; None from it drops the
        event."""
        self._source = source
        self._target = target
        self._enforcer = enforcer
        self._hide = hide
        self._plain = source.plain
        self._frames: FrameDecoder = Decoder(source.plain)
        self._reframer: Reframer | None = None
        self._id = reply.id
        same = source is target
        self._decoder = None if same else source.stream_decoder()
        self._encoder = None if same else target.stream_encoder(reply)
        self._renumber = target.resequencer()
        self._tail: list[StreamEvent] = []
        self._told = False
        self.stopped = False
        self.complete = False
        self.error: NexusError | None = None
        self.usage: Usage | None = None
        self.held_most = 0
        self.bytes_out = 0
        self.keep = False
        self.kept: list[StreamEvent] = []

    def frame(self, came: str, goes: str) -> None:
        """Before the first byte, for a stream that is not server-sent events on both sides: the
        names of the framings of the upstream and of the caller."""
        if came != SSE:
            self._frames = FRAMINGS[came].decoder()
        self._reframer = None if came == goes == SSE else Reframer(came, goes)

    def feed(self, data: bytes) -> list[StreamEvent]:
        """What may be released now."""
        if self.stopped:
            return []
        out: list[StreamEvent] = []
        try:
            for event in self._frames.feed(data):
                self._take(event, out)
                if self.stopped:
                    break
        except NexusError as err:
            self._fail(err)
        except MISSHAPEN as err:
            self._fail(_misshapen(err))
        if self._reframer is not None:
            out = self._reframer.feed(out)
        if self.keep:
            self.kept += out
        return out

    def end(self, outcome: Outcome) -> tuple[StreamEvent, ...]:
        """The last events, and what is known from now on: `usage`, `complete`, `error`."""
        out: list[StreamEvent] = []
        try:
            self._finish(outcome, out)
        except NexusError as err:
            self._fail(err)
        except MISSHAPEN as err:
            self._fail(_misshapen(err))
        if self.error is None or self._told:
            out += self._tail
        if self.error is not None and not self._told:
            told = self._target.error_events(self.error, self._id)
            out += [self._renumber(event) for event in told]
        if self._reframer is not None:
            out = [*self._reframer.feed(out), *self._reframer.close()]
        return tuple(out)

    def output_chars(self) -> int:
        """Characters of the answer so far, for an estimate of its tokens."""
        return self._enforcer.output_chars()

    def _finish(self, outcome: Outcome, out: list[StreamEvent]) -> None:
        if not self.stopped and outcome == Outcome():
            for event in self._frames.close():
                if event.name not in self._plain and _is_whole(event):
                    self._take(event, out)
        if self.error is None:
            self._close(outcome, out)
        self._enforcer.record()

    def _close(self, outcome: Outcome, out: list[StreamEvent]) -> None:
        if not self.complete:
            self._emit(self._enforcer.abandon(), out)
            if not outcome.caller_left:
                self.error = _cut(outcome.failure)
            return
        if self._decoder is not None and self._encoder is not None:
            for chunk in self._decoder.close():
                for event in self._encoder.feed(chunk):
                    self._emit(self._enforcer.feed(event), out)
            for event in self._encoder.close():
                self._emit(self._enforcer.feed(event), out)
        self._emit(self._enforcer.close(), out)

    def _take(self, event: StreamEvent, out: list[StreamEvent]) -> None:
        event.doc = None if event.name in self._plain else _document(event)
        # What seemed to be the last event was not, where only the end of the body is the end.
        out += self._tail
        self._tail = []
        if error := self._source.stream_error(event):
            self._give_up(event, error, out)
            return
        if event.doc is not None and (usage := self._source.stream_usage(event.doc)):
            self.usage = _updated(self.usage, usage)
        terminal = self._source.terminal(event)
        if self._decoder is None or self._encoder is None:
            kept = self._hide(event) if self._hide is not None else event
            if kept is not None:
                self._emit(self._enforcer.feed(kept), self._tail if terminal else out)
        else:
            for chunk in self._decoder.feed(event):
                for encoded in self._encoder.feed(chunk):
                    self._emit(self._enforcer.feed(encoded), out)
        self.held_most = max(self.held_most, self._enforcer.held)
        if terminal:
            self.complete = True
            self.stopped = not self._source.trailing

    def _give_up(self, event: StreamEvent, error: NexusError, out: list[StreamEvent]) -> None:
        """The upstream says that it failed. A caller that speaks its dialect gets the event."""
        self._emit(self._enforcer.abandon(), out)
        if self._decoder is None:
            self._tail += self._enforcer.feed(event)
            self._told = True
        self._fail(error)

    def _emit(self, events: list[StreamEvent], out: list[StreamEvent]) -> None:
        for event in events:
            numbered = self._renumber(event)
            self.bytes_out += len(numbered.data)
            out.append(numbered)

    def _fail(self, error: NexusError) -> None:
        self.error = error
        self.stopped = True


class Opening:
    """Reads a stream until the pipe has something to release or has failed: only then is the answer
    committed, so that an error in the first event can still go to another target. `cancel`: what
    has to be said to the upstream when the stream is not read to its end."""

    cancel: Upstream | None = None

    def __init__(self, pipe: StreamPipe) -> None:
        self.pipe = pipe
        self.first: list[StreamEvent] = []

    def feed(self, data: bytes) -> bool:
        self.first += self.pipe.feed(data)
        return bool(self.first) or self.pipe.stopped


class RawPipe:
    """A stream in a format that no dialect reads: passed through as it comes."""

    tells = False
    stopped = False
    complete = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        return [StreamEvent("", b"", raw=data)] if data else []


def replayed(body: bytes, framing: str = SSE) -> tuple[StreamEvent, ...]:
    """The events of a stream that was stored, as they were when it was relayed; in one piece when
    they are no server-sent events, which only doors that send bytes on ask for."""
    if framing != SSE:
        return (StreamEvent("", b"", raw=body),)
    events = tuple(Decoder().feed(body))
    for event in events:
        event.doc = _document(event)
    return events


def _document(event: StreamEvent) -> object:
    """The event's data as JSON; None for a bare marker such as `[DONE]`, and for an error in plain
    words. Anything else is refused: a client could read in it what was not judged."""
    data = event.data
    if data[:1] != b"{" and data.lstrip().startswith(b"[DONE]"):
        return None
    try:
        doc = orjson.loads(data)
    except orjson.JSONDecodeError:
        doc = None
    if type(doc) is not dict and event.name != "error":
        raise UpstreamFailed(
            "the upstream's stream holds an event that is no JSON object",
            failure=Failure("protocol", "an event of the stream is no JSON object"),
        )
    return doc


def _is_whole(event: StreamEvent) -> bool:
    """Is what the stream ended with, for want of a blank line, an event, or a piece of one?"""
    try:
        _document(event)
    except UpstreamFailed:
        return False
    return True


def _updated(known: Usage | None, told: Usage) -> Usage:
    """The counts after an event that tells some. Anthropic's last event may count the output alone:
    then the input is that of the first."""
    if known is None or told.input:
        return told
    return replace(
        told,
        input=known.input,
        cache_read=known.cache_read,
        cache_write=known.cache_write,
        audio_input=known.audio_input,
    )


def _misshapen(err: Exception) -> UpstreamFailed:
    """JSON, but not as the dialect has it: `choices` is a number, a block has no index."""
    return UpstreamFailed(
        f"the upstream's stream holds an event of an unknown shape ({type(err).__name__})",
        failure=Failure("protocol", "an event of the stream has an unknown shape"),
    )


def _cut(failure: Failure | None) -> UpstreamFailed:
    found = failure or Failure("truncated", "the stream ended without its end marker")
    return UpstreamFailed(
        f"the upstream's answer was cut off: {found.reason}; it is incomplete, ask again",
        failure=found,
        code="upstream_timeout" if found.kind == "timeout" else "upstream_truncated",
    )
